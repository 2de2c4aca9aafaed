// SPDX-License-Identifier: Apache-2.0
// The verifier of admin/audit for tests that ask it many thousand times:
//   audit_judge --vkey KEY_OR_FILE [--witness KEY_OR_FILE] [--from CHECKPOINT]
// reads names of folders, one a line, and answers each with `ok`, `bad INDEX` or `unreadable`; the name of a proof
// (*.tlog-proof, with its leaf inside) with `ok` or `bad`.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "admin/audit/proof.hpp"
#include "admin/audit/verify.hpp"

namespace {

using namespace postern;

bool holds(const std::string& path, const auditor::Trust& trust) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const Result<std::vector<auditor::Proof>> proofs = auditor::read_proofs(text);
  if (!proofs) return false;
  for (const auditor::Proof& proof : *proofs)
    if (!proof.extra || !auditor::check_proof(proof, *proof.extra, trust)) return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> keys, witnesses, from;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i];
    (word == "--witness" ? witnesses : word == "--from" ? from : keys).push_back(argv[i + 1]);
  }
  const Result<auditor::Trust> trust = auditor::read_trust(keys, witnesses);
  if (!trust) return std::fprintf(stderr, "audit_judge: %s\n", trust.what().c_str()), 2;
  std::string folder;
  while (std::getline(std::cin, folder)) {
    if (folder.ends_with(".tlog-proof")) {
      std::printf("%s\n", holds(folder, *trust) ? "ok" : "bad");
      std::fflush(stdout);
      continue;
    }
    const Result<auditor::Verdict> verdict = auditor::verify({folder, *trust, from, {}});
    if (!verdict) std::printf("unreadable\n");
    else if (verdict->bad) std::printf("bad %llu\n", static_cast<unsigned long long>(verdict->bad->leaf));
    else std::printf("ok\n");
    std::fflush(stdout);
  }
  return 0;
}
