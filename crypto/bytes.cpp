// SPDX-License-Identifier: Apache-2.0
#include "crypto/bytes.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace postern {

void ByteWriter::length_too_long() {
  std::fputs("postern: a length did not fit its prefix: this is a bug, stopping\n", stderr);
  std::abort();
}

std::string to_hex(ByteView bytes) {
  std::string out(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(out.data(), out.size(), bytes.data(), bytes.size());
  out.pop_back();
  return out;
}

bool from_hex(std::string_view text, Bytes& out) {
  out.resize(text.size() / 2);
  if (text.empty()) return true;
  std::size_t length = 0;
  const char* end = nullptr;
  return text.size() % 2 == 0 &&
         sodium_hex2bin(out.data(), out.size(), text.data(), text.size(), nullptr, &length, &end) == 0 &&
         length == out.size() && end == text.data() + text.size();
}

std::string to_base64(ByteView bytes) {
  std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();
  return out;
}

bool from_base64(std::string_view text, Bytes& out) {
  if (text.empty()) return out.clear(), true;
  // libsodium 1.0.18 reads any byte above 127 as '/'.
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) > 127; })) return out.clear(), false;
  out.resize(text.size() / 4 * 3 + 3);
  std::size_t length = 0;
  const char* end = nullptr;
  const bool read = sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &length, &end,
                                      sodium_base64_VARIANT_ORIGINAL) == 0 &&
                    end == text.data() + text.size();
  out.resize(read ? length : 0);
  return read;
}

}  // namespace postern
