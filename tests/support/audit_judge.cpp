// SPDX-License-Identifier: Apache-2.0
// The verifier of admin/audit for tests that ask it many thousand times:
//   audit_judge --vkey KEY_OR_FILE [--witness KEY_OR_FILE] [--from CHECKPOINT]
// reads names of folders, one a line, and answers each with `ok`, `bad INDEX` or `unreadable`.
#include <cstdio>
#include <iostream>
#include <string>

#include "admin/audit/verify.hpp"

int main(int argc, char** argv) {
  using namespace postern;
  std::vector<std::string> keys, witnesses, from;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i];
    (word == "--witness" ? witnesses : word == "--from" ? from : keys).push_back(argv[i + 1]);
  }
  const Result<auditor::Trust> trust = auditor::read_trust(keys, witnesses);
  if (!trust) return std::fprintf(stderr, "audit_judge: %s\n", trust.what().c_str()), 2;
  std::string folder;
  while (std::getline(std::cin, folder)) {
    const Result<auditor::Verdict> verdict = auditor::verify({folder, *trust, from, {}});
    if (!verdict) std::printf("unreadable\n");
    else if (verdict->bad) std::printf("bad %llu\n", static_cast<unsigned long long>(verdict->bad->leaf));
    else std::printf("ok\n");
    std::fflush(stdout);
  }
  return 0;
}
