// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/proof.hpp"

#include <algorithm>

namespace postern::auditor {
namespace {

constexpr std::string_view kFirstLine = "c2sp.org/tlog-proof@v1\n";
constexpr std::string_view kExtra = "extra ", kIndex = "index ";
constexpr std::size_t kMaxPath = 63;   // of a tree of 2^63 leaves

std::unexpected<Error> refused(std::string_view what) { return fail("proof: " + std::string(what)); }

// The next line without its newline; nothing when the text ends before one.
std::optional<std::string_view> line_of(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

Result<Proof> read_one(std::string_view text) {
  Proof proof;
  std::optional<std::string_view> line = line_of(text);
  if (line && line->starts_with(kExtra)) {
    proof.extra.emplace();
    if (!from_base64(line->substr(kExtra.size()), *proof.extra)) return refused("the extra data is not base64");
    line = line_of(text);
  }
  if (!line || !line->starts_with(kIndex) || !read_decimal(line->substr(kIndex.size()), proof.index)) return refused("says no index");
  for (line = line_of(text); line && !line->empty(); line = line_of(text)) {
    Bytes bytes;
    if (!from_base64(*line, bytes) || bytes.size() != sizeof(Hash) || proof.path.size() == kMaxPath) return refused("a line of its path is no hash");
    proof.path.emplace_back();
    std::ranges::copy(bytes, proof.path.back().begin());
  }
  if (!line) return refused("has no checkpoint");
  proof.checkpoint = text;
  return proof;
}

}  // namespace

std::string write_proof(const Proof& proof) {
  std::string text(kFirstLine);
  if (proof.extra) text += std::string(kExtra) + to_base64(*proof.extra) + "\n";
  text += std::string(kIndex) + std::to_string(proof.index) + "\n";
  for (const Hash& hash : proof.path) text += to_base64(hash) + "\n";
  return text + "\n" + proof.checkpoint;
}

Result<std::vector<Proof>> read_proofs(std::string_view text) {
  if (text.size() > kMaxProofFile) return refused("the file is too long");
  if (!text.starts_with(kFirstLine)) return refused("does not begin with 'c2sp.org/tlog-proof@v1'");
  std::vector<Proof> proofs;
  while (!text.empty()) {
    text.remove_prefix(kFirstLine.size());
    const std::size_t next = text.find("\n" + std::string(kFirstLine));
    const std::string_view one = next == std::string_view::npos ? text : text.substr(0, next + 1);
    Result<Proof> proof = read_one(one);
    if (!proof) return fail(proof.what());
    if (proofs.size() == kMaxProofs) return refused("the file holds too many");
    proofs.push_back(std::move(*proof));
    text.remove_prefix(one.size());
  }
  return proofs;
}

Result<Checkpoint> check_proof(const Proof& proof, ByteView leaf, const Trust& trust) {
  const Result<SignedCheckpoint> note = open_signed(proof.checkpoint, trust);
  if (!note) return fail(note.what());
  for (const Verifier& witness : trust.witnesses)
    if (const Result<std::uint64_t> good = signed_by(*note, witness); !good) return fail("checkpoint: " + good.what());
  if (!verify_inclusion(leaf_hash(leaf), proof.index, note->checkpoint.size, proof.path, note->checkpoint.root))
    return refused("the leaf does not stand at index " + std::to_string(proof.index) + " of the log that was signed");
  return note->checkpoint;
}

bool whole_story(const std::vector<Leaf>& leaves) {
  std::uint64_t before = 0;
  for (const Leaf& leaf : leaves) {
    if (!of_message(leaf) || leaf.message != leaves.front().message || leaf.before != before) return false;
    before = leaf.sequence + 1;
  }
  return !leaves.empty();
}

}  // namespace postern::auditor
