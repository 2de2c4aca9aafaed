// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without a fuzzer: every file of the given folders as it is, then deterministic
// mutations of them, so that the same binary on any machine tries the same inputs.
//   NAME_fuzz [--mutations N] [--seed S] FILE_OR_FOLDER...
// Exit codes: 0 every input was survived; 2 wrong command line or no input. A fault ends the process
// through the sanitizer or an abort(); the input under work then stands in the file named on stderr
// when --keep FILE is given.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;
using Input = std::vector<std::uint8_t>;

constexpr std::size_t kLongest = 64 * 1024;

// splitmix64: small, known, the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t end) { return end == 0 ? 0 : static_cast<std::size_t>(next() % end); }

 private:
  std::uint64_t state_;
};

Input read_input(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void mutate(Input& input, const std::vector<Input>& all, Random& random) {
  static constexpr std::uint8_t kOdd[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '\r', '"', '{', '}', ',', '=', ' ', '0', '9'};
  const std::size_t at = random.below(input.size() + 1);
  switch (random.below(9)) {
    case 0:
      if (!input.empty()) input[at % input.size()] ^= static_cast<std::uint8_t>(1U << random.below(8));
      break;
    case 1:
      if (!input.empty()) input[at % input.size()] = static_cast<std::uint8_t>(random.next());
      break;
    case 2:
      if (!input.empty()) input[at % input.size()] = kOdd[random.below(sizeof kOdd)];
      break;
    case 3: input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), kOdd[random.below(sizeof kOdd)]); break;
    case 4: input.resize(at); break;
    case 5: {  // cut a piece out
      const std::size_t end = at + random.below(input.size() - at + 1);
      input.erase(input.begin() + static_cast<std::ptrdiff_t>(at), input.begin() + static_cast<std::ptrdiff_t>(end));
      break;
    }
    case 6: {  // say a piece twice
      const std::size_t end = at + random.below(std::min<std::size_t>(input.size() - at, 256) + 1);
      const Input piece(input.begin() + static_cast<std::ptrdiff_t>(at), input.begin() + static_cast<std::ptrdiff_t>(end));
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
      break;
    }
    case 7: {  // another input's piece
      const Input& other = all[random.below(all.size())];
      const std::size_t from = random.below(other.size() + 1);
      const std::size_t count = random.below(std::min<std::size_t>(other.size() - from, 256) + 1);
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), other.begin() + static_cast<std::ptrdiff_t>(from),
                   other.begin() + static_cast<std::ptrdiff_t>(from + count));
      break;
    }
    default: {  // a length field
      for (std::size_t i = 0; i < 4 && at + i < input.size(); ++i)
        input[at + i] = random.below(2) == 0 ? 0xff : static_cast<std::uint8_t>(random.below(4));
      break;
    }
  }
  if (input.size() > kLongest) input.resize(kLongest);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t mutations = 2000;
  std::uint64_t seed = 1;
  std::string keep;
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--mutations" && i + 1 < argc) mutations = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "--seed" && i + 1 < argc) seed = std::strtoull(argv[++i], nullptr, 10);
    else if (word == "--keep" && i + 1 < argc) keep = argv[++i];
    else if (fs::is_directory(word)) std::copy(fs::directory_iterator(word), fs::directory_iterator(), std::back_inserter(files));
    else files.emplace_back(word);
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> corpus;
  for (const fs::path& file : files) corpus.push_back(read_input(file));
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s [--mutations N] [--seed S] [--keep FILE] FILE_OR_FOLDER...\n", argv[0]);
    return 2;
  }
  const auto run = [&keep](const Input& input) {
    if (!keep.empty()) {
      std::ofstream out(keep, std::ios::binary | std::ios::trunc);
      out.write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
    }
    // A copy of exactly this size: reading one byte further is seen by AddressSanitizer.
    const Input exact(input.begin(), input.end());
    (void)LLVMFuzzerTestOneInput(exact.data(), exact.size());
  };
  run({});
  for (const Input& input : corpus) run(input);
  Random random(seed);
  for (std::size_t i = 0; i < mutations; ++i) {
    Input input = corpus[random.below(corpus.size())];
    for (std::size_t times = 1 + random.below(4); times > 0; --times) mutate(input, corpus, random);
    run(input);
  }
  std::printf("%zu inputs, %zu mutations: all survived\n", corpus.size() + 1, mutations);
  return 0;
}
