// SPDX-License-Identifier: Apache-2.0
#include "gateway/audit/leaf.hpp"

#include <algorithm>

namespace postern::audit {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxField = 1024, kMaxBody = 6 * 1024;

}  // namespace

Bytes encode(const Leaf& leaf) {
  Bytes bytes;
  bytes.reserve(113 + leaf.body.size());
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.u16(static_cast<std::uint16_t>(leaf.type));
  out.u64(leaf.sequence);
  out.u32(leaf.epoch);
  out.i64(leaf.utc_us);
  out.u64(leaf.steady_us);
  if (leaf.message.key == 0) out.raw(std::array<std::uint8_t, 16>{});
  else out.raw(leaf.message.bytes());
  out.u64(leaf.before);
  out.u16(leaf.client);
  out.u16(leaf.connector);
  out.u8(leaf.attempt);
  out.u8(static_cast<std::uint8_t>(leaf.state));
  out.raw(leaf.previous);
  out.u8(static_cast<std::uint8_t>(leaf.body_kind));
  out.view16(leaf.body);
  return bytes;
}

std::optional<Leaf> decode_leaf(ByteView bytes) {
  ByteReader in(bytes);
  Leaf leaf;
  if (bytes.size() > kMaxLeaf || in.u8() != kVersion) return std::nullopt;
  leaf.type = static_cast<EventType>(in.u16());
  leaf.sequence = in.u64();
  leaf.epoch = in.u32();
  leaf.utc_us = in.i64();
  leaf.steady_us = in.u64();
  const ByteView id = in.view(16);
  if (std::ranges::any_of(id, [](std::uint8_t b) { return b != 0; })) {
    const std::string hex = to_hex(id);
    const std::optional<MessageId> parsed = MessageId::parse(hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) +
                                                             "-" + hex.substr(16, 4) + "-" + hex.substr(20));
    if (!parsed) return std::nullopt;
    leaf.message = *parsed;
  }
  leaf.before = in.u64();
  leaf.client = in.u16();
  leaf.connector = in.u16();
  leaf.attempt = in.u8();
  leaf.state = static_cast<MessageState>(in.u8());
  const ByteView previous = in.view(leaf.previous.size());
  std::ranges::copy(previous, leaf.previous.begin());
  const std::uint8_t kind = in.u8();
  leaf.body_kind = static_cast<BodyKind>(kind);
  const ByteView body = in.view16();
  if (kind > static_cast<std::uint8_t>(BodyKind::person) || body.empty() != (leaf.body_kind == BodyKind::none)) return std::nullopt;
  leaf.body.assign(body.begin(), body.end());
  if (!in.finish()) return std::nullopt;
  return leaf;
}

Bytes encode(const Body& body) {
  Bytes bytes;
  bytes.reserve(128);
  ByteWriter out(bytes);
  for (const auto& [field, text] : body) {
    const std::string_view shown = cut_utf8(text, kMaxField);
    // A leaf that is too large could never be read again: what does not fit is left out.
    if (bytes.size() + shown.size() + 3 > kMaxBody) break;
    out.u8(static_cast<std::uint8_t>(field));
    out.text16(shown);
  }
  return bytes;
}

std::optional<Body> decode_body(ByteView bytes) {
  ByteReader in(bytes);
  Body body;
  while (in.ok() && in.left() > 0) {
    const auto field = static_cast<Field>(in.u8());
    body.emplace_back(field, in.text16());
  }
  if (!in.finish()) return std::nullopt;
  return body;
}

}  // namespace postern::audit
