// SPDX-License-Identifier: Apache-2.0
// How long an auditor waits: verifying a whole log, and making and checking proofs of single leaves. One JSON line
// each, for a log of each profile:
//   audit_bench [--leaves N] [--proofs N]
// The log is made first (not measured), with sealed bodies as posternd's are, in a folder in memory where there is one.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "admin/audit/proof.hpp"
#include "admin/audit/tree.hpp"
#include "admin/audit/verify.hpp"
#include "tests/support/made_log.hpp"

namespace {

using namespace postern;
namespace fs = std::filesystem;

double seconds_of(const std::function<void()>& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

[[noreturn]] void stop(const std::string& what) {
  std::fprintf(stderr, "audit_bench: %s\n", what.c_str());
  std::exit(1);
}

struct Log {
  Log(std::uint64_t leaves, KeyType type) : profile(type == KeyType::ecdsa_p256 ? "fips" : "modern") {
    std::string pattern = std::string(fs::exists("/dev/shm") ? "/dev/shm" : "/tmp") + "/postern-bench-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) stop("no folder for the log");
    folder = pattern;
    const made::Log made({.leaves = leaves, .per_epoch = std::max<std::uint64_t>(leaves / 12, 2), .type = type});
    made::write_files(folder, made.files());
    trust.keys = {made.identity().verifier(), made.epoch(0).verifier()};
    trust.witnesses = {made.witness().verifier()};
    note = made.checkpoint(leaves, {made.identity()}) + made.cosigned().substr(made.checkpoint().size());
    for (std::uint64_t i = 0; i < leaves; i += std::max<std::uint64_t>(leaves / 5000, 1)) sample.emplace_back(i, made::encode(made.leaves[i]));
  }
  ~Log() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  const char* profile;
  std::string folder, note;
  auditor::Trust trust;
  std::vector<std::pair<std::uint64_t, Bytes>> sample;
};

void verify(const Log& log, std::uint64_t leaves) {
  for (int run = 0; run < 3; ++run) {
    const double seconds = seconds_of([&] {
      const auto verdict = auditor::verify({log.folder, log.trust, {}, {}});
      if (!verdict || verdict->bad || verdict->leaves != leaves) stop("the log does not hold");
    });
    std::printf("{\"bench\":\"audit-verify\",\"profile\":\"%s\",\"leaves\":%llu,\"seconds\":%.3f,\"leaves_per_s\":%.0f}\n", log.profile,
                static_cast<unsigned long long>(leaves), seconds, static_cast<double>(leaves) / seconds);
  }
}

void prove(const Log& log, std::uint64_t leaves, std::size_t proofs) {
  std::size_t largest = 0, largest_bare = 0, bytes = 0;
  double making = 0;
  std::vector<double> checking;
  for (std::size_t i = 0; i < proofs; ++i) {
    const auto& [index, leaf] = log.sample[i % log.sample.size()];
    std::string text;
    making += seconds_of([&] {
      auditor::TileTree tree(log.folder, leaves);
      text = auditor::write_proof({leaf, index, inclusion_proof(index, leaves, tree.ranges()), log.note});
    });
    bool good = false;
    const double took = seconds_of([&] {
      const auto read = auditor::read_proofs(text);
      good = read && auditor::check_proof(read->front(), *read->front().extra, log.trust).has_value();
    });
    if (!good) stop("a proof does not hold");
    checking.push_back(took * 1e3);
    bytes += text.size();
    largest = std::max(largest, text.size());
    largest_bare = std::max(largest_bare, text.size() - to_base64(leaf).size() - 7);
  }
  std::ranges::sort(checking);
  const auto n = static_cast<double>(proofs);
  std::printf("{\"bench\":\"audit-proof\",\"profile\":\"%s\",\"leaves\":%llu,\"proofs\":%zu,\"make_ms\":%.3f,\"check_p50_ms\":%.3f,\"check_p99_ms\":%.3f,"
              "\"bytes\":%.0f,\"bytes_largest\":%zu,\"bytes_largest_without_leaf\":%zu,\"signatures\":2}\n",
              log.profile, static_cast<unsigned long long>(leaves), proofs, making / n * 1e3, checking[proofs / 2], checking[proofs * 99 / 100],
              static_cast<double>(bytes) / n, largest, largest_bare);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t leaves = 1'000'000;
  std::size_t proofs = 5'000;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--leaves") == 0 && i + 1 < argc) leaves = std::strtoull(argv[++i], nullptr, 10);
    else if (std::strcmp(argv[i], "--proofs") == 0 && i + 1 < argc) proofs = std::strtoull(argv[++i], nullptr, 10);
    else return std::fprintf(stderr, "usage: audit_bench [--leaves N] [--proofs N]\n"), 2;
  }
  if (leaves == 0 || proofs == 0) return 2;
  for (const KeyType type : {KeyType::ed25519, KeyType::ecdsa_p256}) {
    const Log log(leaves, type);
    verify(log, leaves);
    prove(log, leaves, proofs);
  }
  return 0;
}
