// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/anchor.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "crypto/keyring_io.hpp"

namespace postern::vault {
namespace {

constexpr std::string_view kMagic = "PSTRNAN1";
constexpr std::size_t kMaxFile = 8192, kLeavesAtOnce = 4096;

// The root that the log had when the store had what the anchor speaks of and `size` leaves.
Result<Hash> root_from(MerkleFrontier tree, std::uint64_t size, store::Store& store) {
  while (tree.size() < size) {
    const Result<std::vector<Bytes>> leaves = store.leaves(tree.size(), std::min<std::uint64_t>(kLeavesAtOnce, size - tree.size()));
    if (!leaves) return fail(leaves.what());
    if (leaves->empty()) return fail("audit log: leaf " + std::to_string(tree.size()) + " is missing in the store");
    for (const Bytes& leaf : *leaves) tree.append(leaf_hash(leaf));
  }
  return tree.root();
}

}  // namespace

Bytes sealed(const Keys& keys, const Anchor& anchor) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.raw(kMagic);
  out.u64(anchor.generation);
  out.u64(anchor.published);
  out.u64(anchor.keyring);
  out.u32(anchor.wrapping);
  out.view16(anchor.log);
  out.raw(keys.mac(Purpose::anchor, bytes));
  return bytes;
}

Status save_anchor(const std::string& path, ByteView sealed) { return put_open_file(path, sealed); }

Result<std::optional<Anchor>> load_anchor(const std::string& path, const Keys& keys) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return errno == ENOENT ? Result<std::optional<Anchor>>(std::nullopt) : fail("anchor " + path + ": " + std::strerror(errno));
  std::array<char, kMaxFile> content{};
  in.read(content.data(), content.size());
  const ByteView bytes = as_bytes({content.data(), static_cast<std::size_t>(in.gcount())});
  const auto refused = [&path] { return fail("anchor " + path + " is damaged, or of another gateway"); };
  if (bytes.size() == kMaxFile || bytes.size() < sizeof(Mac)) return refused();
  const ByteView said = bytes.first(bytes.size() - sizeof(Mac));
  if (!keys.check_mac(Purpose::anchor, said, bytes.last(sizeof(Mac)))) return refused();
  ByteReader reader(said);
  Anchor anchor;
  const bool ours = as_text(reader.view(kMagic.size())) == kMagic;
  anchor.generation = reader.u64();
  anchor.published = reader.u64();
  anchor.keyring = reader.u64();
  anchor.wrapping = reader.u32();
  const ByteView log = reader.view16();
  anchor.log.assign(log.begin(), log.end());
  if (!reader.finish() || !ours) return refused();
  return std::optional<Anchor>(std::move(anchor));
}

Result<std::string> behind(const Anchor& anchor, const Found& found) {
  std::string all;
  const auto older = [&all](std::string_view what, std::uint64_t now, std::uint64_t then) {
    if (now < then) all += fmt::format("{}{} is at {} and was at {}", all.empty() ? "" : "; ", what, now, then);
  };
  older("the store's generation", found.store.state().generation, anchor.generation);
  const std::optional<audit::Log::Mark> then = audit::decode_mark(anchor.log);
  const MerkleFrontier& now = found.mark.tree;
  if (then) older("the store's audit log", now.size(), then->tree.size());
  if (then && now.size() >= then->tree.size()) {
    const Result<Hash> root = root_from(then->tree, now.size(), found.store);
    if (!root) return fail(root.what());
    if (*root != now.root()) all += std::string(all.empty() ? "" : "; ") + "the store's audit log tells another history";
  }
  older("the audit folder's checkpoint", found.published, anchor.published);
  older("the keyring's generation", found.keyring, anchor.keyring);
  older("the ring of wrapping keys", found.wrapping, anchor.wrapping);
  return all;
}

}  // namespace postern::vault
