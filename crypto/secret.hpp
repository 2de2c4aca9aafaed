// SPDX-License-Identifier: Apache-2.0
// Purpose: types for keys, passwords and tokens that cannot be copied, printed or left behind.
// Used by: every process that holds a credential. Threads: the allocator is not thread-safe; secrets
// are created and destroyed on one thread.
// Ownership: a secret owns its bytes and wipes them when it ends. Storage comes from one locked,
// guarded slab of 512 KiB that is kept out of core dumps: one guarded allocation per secret would
// exhaust the locked-memory limit silently.
// Errors: allocation failure ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "crypto/result.hpp"

namespace postern {

// A byte string that is secret: a key, a passphrase, a token. Movable, never copyable; there is no
// way to print it, and fmt and iostream refuse it at compile time because they know no such type.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size);                       // zeroed
  explicit Secret(std::span<const std::uint8_t> bytes);    // the caller wipes its own copy
  explicit Secret(std::string_view text);
  Secret(Secret&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(); }

  static Secret random(std::size_t size);

  // The bytes, for the call that needs them; do not keep the view.
  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  std::span<std::uint8_t> writable() { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Secret clone() const { return Secret(bytes()); }         // said aloud where a second holder is needed

  // Zeroes and frees now; afterwards the secret is empty.
  void wipe();

  // Constant time in the content; false at once when lengths differ.
  bool equals(std::span<const std::uint8_t> other) const;

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Zeroes memory in a way the compiler keeps.
void wipe(void* data, std::size_t size);
template <class Text>
void wipe_text(Text& text) {
  wipe(text.data(), text.size());
  text.clear();
}

// Wipes what calls that have ended left behind: 256 KiB of stack below the caller's frame, and the vector registers, through which
// every copy of a text goes and which a core image would show. Some ten microseconds.
void wipe_residue();

// The whole of a credential file, at most `limit` bytes, without its one trailing newline.
// Errors: missing, unreadable, too large, readable or writable by others than owner and group.
Result<Secret> read_secret_file(const char* path, std::size_t limit);

// Bars core dumps and ptrace by others for this process (RLIMIT_CORE 0, PR_SET_DUMPABLE 0), sets no_new_privs, and makes the slab:
// its memory must be locked by the kernel's own count (VmLck). Called first in every main(). Errors name what failed and what to do
// (LimitMEMLOCK).
Status harden_process();

}  // namespace postern
