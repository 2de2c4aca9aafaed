// SPDX-License-Identifier: Apache-2.0
// made_log FOLDER [--profile modern|fips] [--seed N] [--leaves N] [--per-epoch N] [--fork N] [--origin NAME] [--flaw NAME]
// made_log --flaws
// Writes a log with its `vkey` into FOLDER, and beside it FOLDER.witness-vkey; --flaws names the flaws there are.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/support/made_log.hpp"

int main(int argc, char** argv) {
  using namespace postern;
  made::Options options;
  std::string folder, flaw;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
    if (word == "--flaws") {
      for (const std::string& name : made::flaws()) std::printf("%s\n", name.c_str());
      return 0;
    }
    if (word == "--profile" && i + 1 < argc) options.type = std::string_view(argv[++i]) == "fips" ? KeyType::ecdsa_p256 : KeyType::ed25519;
    else if (word == "--seed") options.seed = number();
    else if (word == "--leaves") options.leaves = number();
    else if (word == "--per-epoch") options.per_epoch = number();
    else if (word == "--fork") options.fork = number();
    else if (word == "--origin" && i + 1 < argc) options.origin = argv[++i];
    else if (word == "--flaw" && i + 1 < argc) flaw = argv[++i];
    else folder = word;
  }
  const made::Log log(options);
  const auto files = flaw.empty() ? log.files() : made::flawed(flaw, options);
  if (folder.empty() || files.empty()) {
    std::fprintf(stderr, "usage: made_log FOLDER [--profile modern|fips] [--seed N] [--leaves N] [--per-epoch N] [--fork N] [--origin NAME] [--flaw NAME] | --flaws\n");
    return 2;
  }
  made::write_files(folder, files);
  const std::string witness = verifier_key(log.witness().verifier()) + "\n";
  std::FILE* out = std::fopen((folder + ".witness-vkey").c_str(), "w");
  return out != nullptr && std::fputs(witness.c_str(), out) >= 0 && std::fclose(out) == 0 ? 0 : 1;
}
