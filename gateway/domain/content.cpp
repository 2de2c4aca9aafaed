// SPDX-License-Identifier: Apache-2.0
#include "gateway/domain/content.hpp"

namespace postern {
namespace {

constexpr std::uint8_t kFirstVersion = 1, kVersion = 2;
constexpr std::size_t kMaxText = 256 * 1024;

void write_text(ByteWriter& out, std::string_view text) { out.view32(as_bytes(text)); }
std::string read_text(ByteReader& in) { return std::string(as_text(in.view32(kMaxText))); }

}  // namespace

Bytes encode(const Content& c) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.text16(c.recipient);
  out.text8(c.template_name);
  out.text8(c.time_zone);
  out.u8(static_cast<std::uint8_t>(c.payloads.size()));
  for (const Payload& p : c.payloads) {
    out.u8(static_cast<std::uint8_t>(p.channel));
    out.text16(p.address);
    out.text8(p.platform);
    out.text8(p.sender);
    write_text(out, p.subject);
    write_text(out, p.text);
    write_text(out, p.html);
    out.text16(p.provider_template);
    out.text8(p.provider_language);
    out.u8(static_cast<std::uint8_t>(p.parameters.size()));
    for (const auto& [name, value] : p.parameters) {
      out.text8(name);
      out.text16(value);
    }
  }
  return bytes;
}

std::optional<Content> decode_content(ByteView bytes) {
  ByteReader in(bytes);
  Content c;
  const std::uint8_t version = in.u8();
  if (version != kVersion && version != kFirstVersion) return std::nullopt;
  c.recipient = in.text16();
  c.template_name = in.text8();
  if (version != kFirstVersion) c.time_zone = in.text8();
  const std::uint8_t payloads = in.u8();
  for (std::uint8_t i = 0; i < payloads && in.ok(); ++i) {
    Payload p;
    p.channel = static_cast<Channel>(in.u8());
    p.address = in.text16();
    p.platform = in.text8();
    p.sender = in.text8();
    p.subject = read_text(in);
    p.text = read_text(in);
    p.html = read_text(in);
    p.provider_template = in.text16();
    p.provider_language = in.text8();
    const std::uint8_t parameters = in.u8();
    for (std::uint8_t k = 0; k < parameters && in.ok(); ++k) {
      std::string name = in.text8();
      p.parameters.emplace_back(std::move(name), in.text16());
    }
    if (name_of(p.channel) == "?") return std::nullopt;
    c.payloads.push_back(std::move(p));
  }
  if (!in.finish()) return std::nullopt;
  return c;
}

}  // namespace postern
