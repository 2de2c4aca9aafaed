// SPDX-License-Identifier: Apache-2.0
// The verifier against a lying folder: the input is an entry bundle under a checkpoint of 5 leaves and a tile that are
// right for other leaves. It must never hold unless it is the very bundle.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "admin/audit/verify.hpp"
#include "tests/support/made_log.hpp"

namespace {

using namespace postern;

struct Lie {
  Lie() {
    std::string pattern = std::filesystem::exists("/dev/shm") ? "/dev/shm/postern-fuzz-bundle-XXXXXX" : "/tmp/postern-fuzz-bundle-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    question.folder = pattern;
    const made::Log log({.leaves = 5, .per_epoch = 4});
    const auto files = log.files();
    made::write_files(pattern, files);
    right = files.at("tile/entries/000.p/5");
    bundle = pattern + "/tile/entries/000.p/5";
    question.trust.keys = {log.identity().verifier(), log.epoch(0).verifier()};
  }
  ~Lie() {
    std::error_code ignored;
    std::filesystem::remove_all(question.folder, ignored);
  }
  auditor::Question question;
  std::string bundle;
  Bytes right;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Lie lie;
  std::ofstream(lie.bundle, std::ios::binary | std::ios::trunc).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto verdict = auditor::verify(lie.question);
  const bool same = std::equal(data, data + size, lie.right.begin(), lie.right.end());
  if (!verdict || verdict->bad.has_value() == same) std::abort();
  return 0;
}
