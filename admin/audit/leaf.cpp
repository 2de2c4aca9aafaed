// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/leaf.hpp"

#include <algorithm>
#include <utility>

namespace postern::auditor {
namespace {

constexpr std::uint8_t kVersion = 1, kLastKind = 3;
constexpr std::uint8_t kKey = 11, kBegins = 12, kEnds = 13;
constexpr std::size_t kTimeSize = 8;

constexpr std::pair<std::uint16_t, std::string_view> kNames[] = {
    {1, "started"}, {2, "stopped"}, {3, "unlocked"}, {4, "locked"}, {5, "unlock-failed"}, {6, "initialised"}, {7, "config-loaded"},
    {8, "recovered"}, {9, "epoch-begun"}, {11, "clock-jumped"}, {12, "disk-low"}, {13, "disk-recovered"},
    {14, "scrubbed"}, {15, "store-altered"}, {16, "rollback-accepted"}, {17, "backup-begun"}, {18, "backup-done"}, {19, "purged"},
    {20, "connector-up"}, {21, "connector-down"}, {22, "connector-refused"}, {23, "tls-refused"}, {24, "webhook-forged"}, {25, "row-quarantined"},
    {26, "peer-protocol-error"}, {27, "bound"}, {28, "unbound"}, {37, "bypassed"}, {38, "held"}, {39, "moved"},
    {40, "accepted"}, {41, "rejected"}, {42, "replayed"}, {43, "key-reused"}, {44, "step"}, {45, "step-skipped"}, {46, "handed"}, {47, "sent"},
    {48, "refused"}, {49, "in-doubt"}, {50, "delivered"}, {51, "read"}, {52, "replied"}, {53, "undelivered"}, {54, "step-over"}, {55, "late"},
    {56, "double-contact"}, {57, "withdrawn"}, {58, "ended"}, {59, "unmatched-receipt"},
    {60, "person-erased"}, {61, "ring-rotated"}, {62, "wrapping-key-destroyed"},
    {63, "signalled"}, {64, "prefix-closed"}, {65, "prefix-opened"}, {66, "consent-changed"}, {67, "recipient-changed"}, {68, "halted"}, {69, "resumed"},
    {80, "admin-read"}, {81, "admin-change"}, {82, "admin-denied"}, {83, "numbers-imported"},
    {84, "key-access-changed"}, {85, "key-rotated"}, {86, "key-destroyed"}, {87, "key-change-failed"}, {88, "custodian-share"},
};

template <class Array>
Array taken(ByteReader& in) {
  Array out{};
  std::ranges::copy(in.view(out.size()), out.begin());
  return out;
}

}  // namespace

std::optional<Leaf> read_leaf(ByteView bytes) {
  if (bytes.size() > kMaxLeaf) return std::nullopt;
  ByteReader in(bytes);
  Leaf leaf;
  const bool known = in.u8() == kVersion;
  leaf.type = in.u16();
  leaf.sequence = in.u64();
  leaf.epoch = in.u32();
  leaf.utc_us = in.i64();
  leaf.steady_us = in.u64();
  leaf.message = taken<MessageId>(in);
  leaf.before = in.u64();
  leaf.client = in.u16();
  leaf.connector = in.u16();
  leaf.attempt = in.u8();
  leaf.state = in.u8();
  leaf.previous = taken<Hash>(in);
  const std::uint8_t kind = in.u8();
  leaf.body = in.view16();
  if (!in.finish() || !known || kind > kLastKind || (kind == 0) != leaf.body.empty()) return std::nullopt;
  leaf.kind = static_cast<BodyKind>(kind);
  if (leaf.kind == BodyKind::open && !read_open_body(leaf.body)) return std::nullopt;
  return leaf;
}

std::optional<std::vector<Field>> read_open_body(ByteView body) {
  ByteReader in(body);
  std::vector<Field> fields;
  while (in.ok() && in.left() > 0) {
    Field field;
    field.number = in.u8();
    field.value = in.view16();
    if (field.number == kKey && field.value.size() != sizeof(PublicKey)) return std::nullopt;
    if ((field.number == kBegins || field.number == kEnds) && field.value.size() != kTimeSize) return std::nullopt;
    fields.push_back(field);
  }
  if (!in.finish()) return std::nullopt;
  return fields;
}

std::optional<Terms> read_terms(const Leaf& leaf) {
  if (leaf.kind != BodyKind::open) return std::nullopt;
  const auto fields = read_open_body(leaf.body);
  if (!fields) return std::nullopt;
  Terms terms;
  unsigned keys = 0, begins = 0, ends = 0;
  for (const Field& field : *fields) {
    ByteReader in(field.value);
    if (field.number == kKey) ++keys, std::ranges::copy(field.value, terms.key.begin());
    else if (field.number == kBegins) ++begins, terms.begins_us = in.i64();
    else if (field.number == kEnds) ++ends, terms.ends_us = in.i64();
  }
  if (keys != 1 || begins != 1 || ends != 1) return std::nullopt;
  return terms;
}

std::string event_name(std::uint16_t type) {
  const auto* found = std::ranges::find(kNames, type, [](const auto& entry) { return entry.first; });
  return found != std::end(kNames) ? std::string(found->second) : "type-" + std::to_string(type);
}

std::string message_text(const MessageId& id) {
  const std::string hex = to_hex(id);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" + hex.substr(20);
}

std::optional<MessageId> parse_message(std::string_view text) {
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
  std::string hex(text);
  std::erase(hex, '-');
  Bytes bytes;
  if (hex.size() != 32 || !from_hex(hex, bytes)) return std::nullopt;
  MessageId id{};
  std::ranges::copy(bytes, id.begin());
  if (id == MessageId{}) return std::nullopt;
  return id;
}

}  // namespace postern::auditor
