// SPDX-License-Identifier: Apache-2.0
// Purpose: proofs that a leaf stands in a log, as C2SP tlog-proof files, that anybody can check with a verifier key
// and without the log. Used by: prove, check-proof. Threads: plain values.
// A message has several leaves: its file holds one proof after another, each beginning with the format's first line,
// which nothing else in a proof can be; each alone is a whole tlog-proof file. `extra` is the leaf itself.
// Errors: text that is not exactly of the format. Limits: kMaxProofs proofs, kMaxProofFile bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "admin/audit/leaf.hpp"
#include "admin/audit/trust.hpp"

namespace postern::auditor {

inline constexpr std::size_t kMaxProofs = 4096, kMaxProofFile = 64 * 1024 * 1024;

struct Proof {
  std::optional<Bytes> extra;
  std::uint64_t index = 0;
  std::vector<Hash> path;         // RFC 6962 section 2.1.1, from the leaf's sibling up
  std::string checkpoint;         // the signed note, as it is
};

std::string write_proof(const Proof& proof);
Result<std::vector<Proof>> read_proofs(std::string_view text);

// That these bytes are the leaf `proof.index` of the log that signed the checkpoint. Every witness of `trust` must
// have cosigned it. Returns the checkpoint.
Result<Checkpoint> check_proof(const Proof& proof, ByteView leaf, const Trust& trust);

// That the leaves, in the order of their proofs, are one message's, from its first on, none left out between.
// False says nothing bad of a single proof.
bool whole_story(const std::vector<Leaf>& leaves);

}  // namespace postern::auditor
