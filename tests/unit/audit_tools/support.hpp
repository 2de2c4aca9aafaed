// SPDX-License-Identifier: Apache-2.0
// A made log in a folder of its own, and the verifier's word on it.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "admin/audit/verify.hpp"
#include "tests/support/made_log.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::auditor {

inline Trust trust_of(const made::Log& log, bool with_epoch = true, bool with_witness = false) {
  Trust trust;
  trust.keys.push_back(log.identity().verifier());
  if (with_epoch) trust.keys.push_back(log.epoch(0).verifier());
  if (with_witness) trust.witnesses.push_back(log.witness().verifier());
  return trust;
}

// Empty when the folder holds; otherwise "INDEX: what is wrong".
inline std::string verdict_of(const std::string& folder, const Trust& trust, std::vector<std::string> from = {}) {
  const Result<Verdict> verdict = verify({folder, trust, std::move(from), {}});
  if (!verdict) return "unreadable: " + verdict.what();
  return verdict->bad ? std::to_string(verdict->bad->leaf) + ": " + verdict->bad->what : "";
}

class MadeLogTest : public testing::Test {
 protected:
  explicit MadeLogTest(made::Options options = {}) : log(options), files(log.files()) { made::write_files(audit, files); }
  std::string verdict() { return verdict_of(audit, trust_of(log)); }
  void put(const std::string& name, ByteView bytes) { write_all(audit + "/" + name, bytes); }

  TempFolder folder;
  std::string audit = folder / "audit";
  made::Log log;
  std::map<std::string, Bytes> files;
};

}  // namespace postern::auditor
