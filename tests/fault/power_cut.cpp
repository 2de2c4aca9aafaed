// SPDX-License-Identifier: Apache-2.0
// Cuts the power of a gateway at random moments of lives drawn from seeds, and looks at what is left.
//
//   power_cut [--traces N] [--states N] [--seed N]     a cut disk after any change of a file: `states` cuts a trace
//   power_cut --faults [--traces N] [--every N]        EIO, ENOSPC, EINTR or a short write at every storage call instead,
//                                                      and a power cut at the end
//   power_cut --keyring [--states N] [--seed N]        the keyring's file: made, and changed
//   power_cut --lying ...                              the disk forgets every sync: this must find losses, or it could not
// Prints one JSON line. Exit code 1 when anything was not as it must be; each such line names its seed.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <chrono>

#include "crypto/keyring.hpp"
#include "tests/fault/story.hpp"

namespace {

using namespace postern;
using namespace postern::fault;
namespace fs = std::filesystem;

struct Options {
  std::uint64_t traces = 100, states = 30, seed = 1, every = 1;
  bool faults = false, keyring = false, lying = false;
};

struct Count {
  std::uint64_t traces = 0, states = 0, changes = 0, injected = 0, told = 0, failed = 0;
};

// Where the run is, for the case that it ends by itself.
std::string& place() {
  static std::string text;
  return text;
}

void at(const std::string& text) { place() = text; }

extern "C" void aborted(int) {
  std::fprintf(stderr, "ended by itself at %s\n", place().c_str());
  std::_Exit(1);
}

void report(Count& count, const std::string& bad) {
  ++count.failed;
  std::printf("FAILED  %s: %s\n", place().c_str(), bad.c_str());
}

// The moments at which the power goes: spread over the trace by chance, some right after each other.
std::vector<std::uint64_t> moments(std::size_t first, std::size_t last, std::uint64_t states, Chance& chance) {
  std::vector<std::uint64_t> counts(last - first + 1);
  for (std::uint64_t i = 0; i < states; ++i) ++counts[chance() % counts.size()];
  return counts;
}

void cut_one(std::uint64_t seed, const Options& options, const std::string& root, Count& count) {
  at("--seed " + std::to_string(seed) + ", living");
  recorder::begin(root, "/state");
  Story story(seed, false);
  story.live();
  recorder::end();
  story.house().close();
  const std::vector<Op> ops = recorder::ops();
  Chance chance(seed ^ 0x9e3779b97f4a7c15ULL);
  const std::vector<std::uint64_t> cuts = moments(story.first(), ops.size(), options.states, chance);
  Disk disk;
  for (std::size_t done = 0; done <= ops.size(); ++done) {
    const bool synced = done > 0 && (ops[done - 1].kind == Op::Kind::sync_file || ops[done - 1].kind == Op::Kind::sync_all);
    if (done > 0 && !(options.lying && synced && done > story.first())) disk.apply(ops[done - 1]);
    if (done < story.first()) continue;
    for (std::uint64_t i = 0; i < cuts[done - story.first()]; ++i) {
      const Cut how = kCuts[chance() % std::size(kCuts)];
      at("--seed " + std::to_string(seed) + ", after change " + std::to_string(done) + " of " + std::to_string(ops.size()) + ", " + name_of(how));
      disk.cut(how, chance, story.house().state());
      if (const std::optional<std::string> bad = story.check(done)) report(count, *bad);
      story.house().close();
      ++count.states;
    }
  }
  ++count.traces;
  count.changes += ops.size();
  count.told += story.told().size();
}

// One life with one fault, then a fresh start, then a power cut.
bool fault_one(std::uint64_t seed, std::uint64_t number, int error, const std::string& root, Count& count) {
  at("--faults --seed " + std::to_string(seed) + ", call " + std::to_string(number) + ", " + (error == 0 ? "a short write" : std::strerror(error)));
  recorder::begin(root, "/state");
  recorder::fail_at(number, error);
  Story story(seed, true);
  story.live();
  const bool reached = recorder::counted() >= number;
  if (!recorder::struck()) {
    recorder::end();
    return reached;
  }
  ++count.injected;
  recorder::end();
  story.house().close();
  const std::vector<Op> ops = recorder::ops();
  if (const std::optional<std::string> bad = story.check(ops.size())) report(count, "after a fresh start: " + *bad);
  story.house().close();
  Disk disk;
  for (const Op& op : ops) disk.apply(op);
  Chance chance(seed * 1'000'003 + number);
  for (const Cut how : {Cut::nothing, Cut::sectors}) {
    disk.cut(how, chance, story.house().state());
    if (const std::optional<std::string> bad = story.check(ops.size())) report(count, "after a power cut too: " + *bad);
    story.house().close();
    ++count.states;
  }
  return true;
}

// Every N-th call, beginning with another one for each error.
void fault_all(std::uint64_t seed, const Options& options, const std::string& root, Count& count) {
  std::uint64_t first = 1 + seed % options.every;
  for (const int error : {EIO, ENOSPC, EINTR, 0}) {
    for (std::uint64_t number = first; fault_one(seed, number, error, root, count); number += options.every) {
    }
    first = 1 + (first + options.every / 4) % options.every;
  }
  ++count.traces;
}

// A keyring that was told to be saved opens with every secret it was told to open with.
void keyring_one(std::uint64_t seed, const Options& options, const std::string& root, Count& count) {
  at("--keyring --seed " + std::to_string(seed));
  Chance chance(seed);
  const std::string folder = root + "/keyring/state", path = folder + "/keyring";
  fs::remove_all(folder);
  fs::create_directories(folder);
  recorder::begin(root, "/state");
  Keyring ring = Keyring::create(1);
  std::vector<std::pair<std::size_t, Secret>> saved;   // after which change, with what it opens from then on
  for (std::uint64_t i = 0; i < 1 + seed % 5; ++i) {
    Secret secret = Secret::random(32);
    const Status added = ring.add_slot(SlotKind::key_file, "slot" + std::to_string(i), secret, 1);
    const Status done = added ? ring.save(path, i == 0 ? Keyring::Replace::no : Keyring::Replace::yes) : added;
    if (!done) report(count, done.what());
    saved.emplace_back(recorder::ops().size(), std::move(secret));
  }
  recorder::end();
  const std::vector<Op> ops = recorder::ops();
  const std::vector<std::uint64_t> cuts = moments(0, ops.size(), options.states, chance);
  Disk disk;
  for (std::size_t done = 0; done <= ops.size(); ++done) {
    if (done > 0) disk.apply(ops[done - 1]);
    for (std::uint64_t i = 0; i < cuts[done]; ++i) {
      const Cut how = kCuts[chance() % std::size(kCuts)];
      at("--keyring --seed " + std::to_string(seed) + ", after change " + std::to_string(done) + " of " + std::to_string(ops.size()) + ", " + name_of(how));
      disk.cut(how, chance, folder);
      for (const auto& [after, secret] : saved)
        if (after <= done && !Keyring::unlock(path, SlotKind::key_file, secret)) report(count, "a slot that was saved does not open it");
      if (fs::exists(path) && !Keyring::slots(path)) report(count, "what has the keyring's name is no keyring");
      ++count.states;
    }
  }
  ++count.traces;
  count.changes += ops.size();
  count.told += saved.size();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 10) : 0; };
    if (word == "--traces") options.traces = number();
    else if (word == "--states") options.states = number();
    else if (word == "--seed") options.seed = number();
    else if (word == "--every") options.every = std::max<std::uint64_t>(number(), 1);
    else if (word == "--faults") options.faults = true;
    else if (word == "--keyring") options.keyring = true;
    else if (word == "--lying") options.lying = true;
    else {
      std::fprintf(stderr, "usage: power_cut [--faults | --keyring | --lying] [--traces N] [--states N] [--every N] [--seed N]\n");
      return 2;
    }
  }
  std::signal(SIGABRT, aborted);
  std::string root = (fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path().string()) + "/pstn-cut-XXXXXX";
  if (mkdtemp(root.data()) == nullptr) return 2;
  setenv("TMPDIR", root.c_str(), 1);
  const auto begun = std::chrono::steady_clock::now();
  Count count;
  for (std::uint64_t seed = options.seed; seed < options.seed + options.traces && count.failed < 20; ++seed) {
    if (options.faults) fault_all(seed, options, root, count);
    else if (options.keyring) keyring_one(seed, options, root, count);
    else cut_one(seed, options, root, count);
  }
  fs::remove_all(root);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"traces\":%llu,\"changes\":%llu,\"told\":%llu,\"injected\":%llu,\"states\":%llu,\"failed\":%llu,\"seconds\":%.1f}\n",
              static_cast<unsigned long long>(count.traces), static_cast<unsigned long long>(count.changes), static_cast<unsigned long long>(count.told),
              static_cast<unsigned long long>(count.injected), static_cast<unsigned long long>(count.states), static_cast<unsigned long long>(count.failed), seconds);
  return count.failed == 0 ? 0 : 1;
}
