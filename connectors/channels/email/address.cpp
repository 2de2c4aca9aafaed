// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/address.hpp"

#include <algorithm>
#include <cstdint>

namespace postern::email {
namespace {

bool is_alnum(unsigned char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// atext of RFC 5322 section 3.2.3, and any byte of a multi-byte character (RFC 6531 section 3.3).
bool is_atext(unsigned char c) {
  return c >= 0x80 || is_alnum(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(static_cast<char>(c)) != std::string_view::npos;
}

template <class Check>
bool dotted(std::string_view text, Check label_is_good) {
  while (true) {
    const std::size_t dot = text.find('.');
    if (!label_is_good(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_atom(std::string_view label) {
  return !label.empty() &&
         std::all_of(label.begin(), label.end(), [](char c) { return is_atext(static_cast<unsigned char>(c)); });
}

bool is_host_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || is_alnum(byte) || c == '-';
  });
}

// Length of the character that starts here and its value; 0 when it is none.
std::size_t decode(std::string_view text, std::uint32_t& value) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) {
    value = first;
    return 1;
  }
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  value = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  const std::uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  return value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff) ? 0 : size;
}

}  // namespace

bool is_utf8(std::string_view text) {
  std::uint32_t value = 0;
  while (!text.empty()) {
    const std::size_t size = decode(text, value);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

bool has_control(std::string_view text) {
  std::uint32_t value = 0;
  while (!text.empty()) {
    const std::size_t size = decode(text, value);
    if (size == 0 || value < 0x20 || (value >= 0x7f && value <= 0x9f) || value == 0x2028 || value == 0x2029)
      return true;
    text.remove_prefix(size);
  }
  return false;
}

bool is_mailbox(std::string_view address) {
  if (address.size() > 254 || has_control(address)) return false;
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const std::string_view domain = address.substr(at + 1);
  return dotted(address.substr(0, at), is_atom) && !domain.empty() && domain.size() <= 253 &&
         dotted(domain, is_host_label);
}

bool needs_utf8(std::string_view address) {
  return std::any_of(address.begin(), address.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

std::string_view domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::optional<Sender> parse_sender(std::string_view text) {
  Sender sender;
  const std::size_t open = text.find('<');
  if (open == std::string_view::npos) {
    sender.address = text;
  } else {
    if (!text.ends_with('>')) return std::nullopt;
    std::string_view name = text.substr(0, open);
    while (name.ends_with(' ')) name.remove_suffix(1);
    sender.name = name;
    sender.address = text.substr(open + 1, text.size() - open - 2);
  }
  if (has_control(sender.name) || sender.name.find('"') != std::string::npos || !is_mailbox(sender.address))
    return std::nullopt;
  return sender;
}

}  // namespace postern::email
