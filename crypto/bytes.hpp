// SPDX-License-Identifier: Apache-2.0
// Purpose: bounded reading and plain writing of binary formats, big-endian.
// Used by: every format of ours on disk and on wires (keyring, leaves, rows, SMPP frames).
// Threads: plain values. Ownership: ByteReader views bytes that must outlive it; views it returns
// point into them.
// Errors: a ByteReader never reads past its end. The first read that does not fit makes the reader
// bad and every later read gives zero or an empty view, so a decoder reads all its fields and asks
// once, through finish(), which also refuses bytes left over.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : rest_(bytes) {}

  std::uint8_t u8() { return number<std::uint8_t>(); }
  std::uint16_t u16() { return number<std::uint16_t>(); }
  std::uint32_t u32() { return number<std::uint32_t>(); }
  std::uint64_t u64() { return number<std::uint64_t>(); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }

  // The next `count` bytes as they are.
  ByteView view(std::size_t count) {
    if (count > rest_.size()) {
      bad_ = true;
      rest_ = {};
      return {};
    }
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  // A length of one, two or four bytes, then that many bytes, at most `limit`.
  ByteView view8() { return view(u8()); }
  ByteView view16(std::size_t limit = 0xffff) { return limited(u16(), limit); }
  ByteView view32(std::size_t limit) { return limited(u32(), limit); }
  std::string text8() { return std::string(as_text(view8())); }
  std::string text16(std::size_t limit = 0xffff) { return std::string(as_text(view16(limit))); }

  std::size_t left() const { return rest_.size(); }
  bool ok() const { return !bad_; }
  void spoil() { bad_ = true; rest_ = {}; }

  // True when every read fitted and nothing is left. Ask it exactly once, at the end.
  [[nodiscard]] bool finish() const { return !bad_ && rest_.empty(); }

 private:
  template <std::unsigned_integral T>
  T number() {
    const ByteView taken = view(sizeof(T));
    std::uint64_t value = 0;
    for (const std::uint8_t byte : taken) value = (value << 8) | byte;
    return static_cast<T>(value);
  }
  ByteView limited(std::size_t count, std::size_t limit) {
    if (count > limit) spoil();
    return view(count);
  }

  ByteView rest_;
  bool bad_ = false;
};

// Appends to the bytes it is given. Lengths that do not fit their prefix are a caller's bug and end
// the process: check them before writing.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void u8(std::uint8_t v) { out_.push_back(v); }
  void u16(std::uint16_t v) { number(v); }
  void u32(std::uint32_t v) { number(v); }
  void u64(std::uint64_t v) { number(v); }
  void i64(std::int64_t v) { number(static_cast<std::uint64_t>(v)); }
  void raw(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }
  void raw(std::string_view v) { raw(as_bytes(v)); }
  void view8(ByteView v) { u8(checked<std::uint8_t>(v.size())); raw(v); }
  void view16(ByteView v) { u16(checked<std::uint16_t>(v.size())); raw(v); }
  void view32(ByteView v) { u32(checked<std::uint32_t>(v.size())); raw(v); }
  void text8(std::string_view v) { view8(as_bytes(v)); }
  void text16(std::string_view v) { view16(as_bytes(v)); }

 private:
  template <std::unsigned_integral T>
  void number(T v) {
    std::array<std::uint8_t, sizeof(T)> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(v >> (bytes.size() - 1 - i) * 8);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  template <std::unsigned_integral T>
  static T checked(std::size_t size) {
    if (size > static_cast<T>(-1)) length_too_long();
    return static_cast<T>(size);
  }
  [[noreturn]] static void length_too_long();

  Bytes& out_;
};

// At most `limit` bytes of UTF-8 text, never ending inside a character.
inline std::string_view cut_utf8(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<std::uint8_t>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

// Lower-case hexadecimal, two digits a byte; from_hex takes both cases and is false on any other
// character and on an odd count.
std::string to_hex(ByteView bytes);
bool from_hex(std::string_view text, Bytes& out);

// RFC 4648 section 4, with padding; from_base64 accepts exactly that form.
std::string to_base64(ByteView bytes);
bool from_base64(std::string_view text, Bytes& out);

}  // namespace postern
