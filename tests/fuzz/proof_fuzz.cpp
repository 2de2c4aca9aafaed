// SPDX-License-Identifier: Apache-2.0
// tlog-proof files. What is read is written the same way again, and what checks is one of the log's own leaves.
#include <cstdlib>
#include <set>

#include "admin/audit/folder.hpp"
#include "admin/audit/proof.hpp"
#include "tests/support/made_log.hpp"

namespace {

using namespace postern;

struct World {
  World() {
    for (const made::Log* each : {&log, &fips}) {
      trust.keys.push_back(each->identity().verifier());
      for (const made::MadeLeaf& leaf : each->leaves) leaves.insert(made::encode(leaf));
    }
  }
  made::Log log{{.leaves = 12}}, fips{{.origin = "bank.example/fips", .leaves = 12, .type = KeyType::ecdsa_p256}};
  auditor::Trust trust;
  std::set<Bytes> leaves;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const World world;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = auditor::parse_tile_name(text); name && name->path() != text) std::abort();
  const auto proofs = auditor::read_proofs(text);
  if (!proofs) return 0;
  std::string again;
  for (const auditor::Proof& proof : *proofs) {
    again += auditor::write_proof(proof);
    if (!proof.extra) continue;
    // Without the log's key nobody can make a proof of anything else.
    if (auditor::check_proof(proof, *proof.extra, world.trust) && !world.leaves.contains(*proof.extra)) std::abort();
    (void)auditor::read_leaf(*proof.extra);
  }
  if (again != text) std::abort();
  return 0;
}
