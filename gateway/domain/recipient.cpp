// SPDX-License-Identifier: Apache-2.0
#include "gateway/domain/recipient.hpp"

#include <algorithm>

namespace postern {
namespace {

constexpr std::uint8_t kVersion = 1, kEveryChannel = 0;
constexpr std::size_t kMaxPush = 16;

void write(ByteWriter& out, const ConsentRecord& c) {
  out.u8(static_cast<std::uint8_t>(c.purpose));
  out.u8(c.channel ? static_cast<std::uint8_t>(*c.channel) : kEveryChannel);
  out.u8(c.given ? 1 : 0);
  out.i64(c.at_ms);
  out.text8(c.source);
  out.text16(c.wording);
}

bool read(ByteReader& in, ConsentRecord& c) {
  c.purpose = static_cast<Category>(in.u8());
  const std::uint8_t channel = in.u8(), given = in.u8();
  if (channel != kEveryChannel) c.channel = static_cast<Channel>(channel);
  c.given = given == 1;
  c.at_ms = in.i64();
  c.source = in.text8();
  c.wording = in.text16();
  return given <= 1 && name_of(c.purpose) != "?" && (!c.channel || name_of(*c.channel) != "?") && c.source.size() <= kMaxSource && c.wording.size() <= kMaxWording;
}

}  // namespace

const ConsentRecord* Recipient::consent(Category purpose, Channel channel) const {
  const ConsentRecord* last = nullptr;
  for (const ConsentRecord& c : consents)
    if (c.purpose == purpose && (!c.channel || *c.channel == channel) && (last == nullptr || c.at_ms >= last->at_ms)) last = &c;
  return last;
}

void Recipient::add(ConsentRecord consent) {
  consents.push_back(std::move(consent));
  if (consents.size() <= kMaxConsents) return;
  // One that speaks of all that another speaks of, and later, leaves nothing for that to decide. Every purpose has at most one for all
  // channels and one for each that are not spent so.
  const auto spent = std::ranges::find_if(consents, [this](const ConsentRecord& c) {
    return std::ranges::any_of(consents, [&c](const ConsentRecord& other) {
      const bool later = other.at_ms > c.at_ms || (other.at_ms == c.at_ms && &other > &c);
      return later && other.purpose == c.purpose && (!other.channel || other.channel == c.channel);
    });
  });
  consents.erase(spent == consents.end() ? consents.begin() : spent);
}

Bytes encode(const ConsentRecord& consent) {
  Bytes bytes;
  ByteWriter out(bytes);
  write(out, consent);
  return bytes;
}

Bytes encode(const Recipient& r) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.text8(r.phone);
  out.text16(r.email);
  out.text8(r.whatsapp);
  out.text8(r.locale);
  out.text8(r.time_zone);
  out.text8(r.preferred);
  out.u8(static_cast<std::uint8_t>(r.push.size()));
  for (const PushAddress& p : r.push) {
    out.text16(p.token);
    out.text8(p.platform);
  }
  out.u8(static_cast<std::uint8_t>(r.consents.size()));
  for (const ConsentRecord& c : r.consents) write(out, c);
  return bytes;
}

std::optional<Recipient> decode_recipient(ByteView row) {
  ByteReader in(row);
  Recipient r;
  if (in.u8() != kVersion) return std::nullopt;
  r.phone = in.text8();
  r.email = in.text16();
  r.whatsapp = in.text8();
  r.locale = in.text8();
  r.time_zone = in.text8();
  r.preferred = in.text8();
  const std::uint8_t tokens = in.u8();
  if (tokens > kMaxPush) return std::nullopt;
  for (std::uint8_t i = 0; i < tokens && in.ok(); ++i) {
    std::string token = in.text16();
    r.push.push_back({std::move(token), in.text8()});
  }
  const std::uint8_t consents = in.u8();
  if (consents > kMaxConsents) return std::nullopt;
  for (std::uint8_t i = 0; i < consents && in.ok(); ++i)
    if (!read(in, r.consents.emplace_back())) return std::nullopt;
  if (!in.finish()) return std::nullopt;
  return r;
}

}  // namespace postern
