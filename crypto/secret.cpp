// SPDX-License-Identifier: Apache-2.0
#include "crypto/secret.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace postern {
namespace {

[[noreturn]] void no_secret_memory(const std::string& why) {
  std::fprintf(stderr, "postern: no memory for secrets: %s\n", why.c_str());
  std::abort();
}

// Kilobytes of this process that the kernel says are locked; -1 where it does not say.
long locked_kib() {
  std::FILE* in = std::fopen("/proc/self/status", "re");
  if (in == nullptr) return -1;
  long found = -1;
  std::array<char, 256> line{};
  while (found < 0 && std::fgets(line.data(), static_cast<int>(line.size()), in) != nullptr)
    if (std::sscanf(line.data(), "VmLck: %ld kB", &found) != 1) found = -1;
  std::fclose(in);
  return found;
}

// First-fit over one locked region. Secrets are few (keys, credentials, passphrases), so a map of
// free ranges is fast enough and easy to check.
class Slab {
 public:
  static Slab& instance() {
    static Slab slab;
    return slab;
  }

  // Why secrets cannot be held here; empty: they can.
  const std::string& refused() const { return refused_; }

  std::uint8_t* take(std::size_t size) {
    if (!refused_.empty()) no_secret_memory(refused_);
    const std::size_t need = rounded(size);
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < need) continue;
      const std::size_t at = it->first, left = it->second - need;
      free_.erase(it);
      if (left > 0) free_.emplace(at + need, left);
      return base_ + at;
    }
    no_secret_memory("the locked slab is full; restart");
  }

  void give(std::uint8_t* data, std::size_t size) {
    sodium_memzero(data, size);
    auto it = free_.emplace(static_cast<std::size_t>(data - base_), rounded(size)).first;
    if (const auto next = std::next(it); next != free_.end() && it->first + it->second == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it != free_.begin()) {
      const auto before = std::prev(it);
      if (before->first + before->second == it->first) {
        before->second += it->second;
        free_.erase(it);
      }
    }
  }

 private:
  static constexpr std::size_t kSize = 512 * 1024;
  static std::size_t rounded(std::size_t size) { return (std::max<std::size_t>(size, 1) + 15) / 16 * 16; }

  Slab() {
    if (sodium_init() < 0) {
      refused_ = "libsodium did not start";
      return;
    }
    const long before = locked_kib();
    base_ = static_cast<std::uint8_t*>(sodium_malloc(kSize));
    if (base_ == nullptr) {
      refused_ = "the slab of " + std::to_string(kSize / 1024) + " KiB could not be allocated; free memory";
      return;
    }
    // sodium_malloc locks if it can and stays silent if it cannot. Asked again without a library in between (a sanitizer's mlock
    // does nothing and says yes), and the kernel's own count must have grown: a page in swap is a key on a disk.
    const bool locked = syscall(SYS_mlock, base_, kSize) == 0;
    const int error = errno;
    const long after = locked_kib();
    if (!locked || after < 0 || after - std::max(before, 0L) < static_cast<long>(kSize / 1024)) {
      refused_ = "the slab of " + std::to_string(kSize / 1024) + " KiB is not locked into memory (" +
                 (locked ? "VmLck in /proc/self/status went from " + std::to_string(before) + " to " + std::to_string(after) + " kB" : std::strerror(error)) +
                 "); set LimitMEMLOCK=8M in the unit, or raise 'ulimit -l'";
      return;
    }
    sodium_memzero(base_, kSize);
    free_.emplace(0, kSize);
  }

  std::uint8_t* base_ = nullptr;
  std::map<std::size_t, std::size_t> free_;  // offset -> length, never adjacent
  std::string refused_;
};

}  // namespace

Secret::Secret(std::size_t size) : data_(size == 0 ? nullptr : Slab::instance().take(size)), size_(size) {
  if (size > 0) sodium_memzero(data_, size);
}

Secret::Secret(std::span<const std::uint8_t> bytes) : Secret(bytes.size()) {
  if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
}

Secret::Secret(std::string_view text)
    : Secret(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size())) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret Secret::random(std::size_t size) {
  Secret fresh(size);
  if (size > 0) randombytes_buf(fresh.data_, size);
  return fresh;
}

void Secret::wipe() {
  if (data_ != nullptr) Slab::instance().give(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

bool Secret::equals(std::span<const std::uint8_t> other) const {
  return size_ == other.size() && (size_ == 0 || sodium_memcmp(data_, other.data(), size_) == 0);
}

void wipe(void* data, std::size_t size) { sodium_memzero(data, size); }

// ---- residue ----

namespace {

#if defined(__x86_64__)
// The C library copies through whatever is widest; the upper sixteen registers exist with AVX-512 only.
[[gnu::target("avx"), gnu::noinline]] void zero_low_registers() { __asm__ volatile("vzeroall" ::: "memory"); }

[[gnu::target("avx512f"), gnu::noinline]] void zero_high_registers() {
  __asm__ volatile(
      "vpxorq %%zmm16, %%zmm16, %%zmm16\n vpxorq %%zmm17, %%zmm17, %%zmm17\n vpxorq %%zmm18, %%zmm18, %%zmm18\n vpxorq %%zmm19, %%zmm19, %%zmm19\n"
      "vpxorq %%zmm20, %%zmm20, %%zmm20\n vpxorq %%zmm21, %%zmm21, %%zmm21\n vpxorq %%zmm22, %%zmm22, %%zmm22\n vpxorq %%zmm23, %%zmm23, %%zmm23\n"
      "vpxorq %%zmm24, %%zmm24, %%zmm24\n vpxorq %%zmm25, %%zmm25, %%zmm25\n vpxorq %%zmm26, %%zmm26, %%zmm26\n vpxorq %%zmm27, %%zmm27, %%zmm27\n"
      "vpxorq %%zmm28, %%zmm28, %%zmm28\n vpxorq %%zmm29, %%zmm29, %%zmm29\n vpxorq %%zmm30, %%zmm30, %%zmm30\n vpxorq %%zmm31, %%zmm31, %%zmm31\n" ::: "memory");
}

void zero_registers() {
  if (__builtin_cpu_supports("avx512f")) zero_high_registers();
  if (__builtin_cpu_supports("avx")) zero_low_registers();
}
#else
void zero_registers() {}
#endif

[[gnu::noinline]] void zero_stack() {
  constexpr std::size_t kDepth = 256 * 1024;
#if defined(__clang__)
  [[clang::uninitialized]]
#else
  [[gnu::uninitialized]]
#endif
  std::uint8_t below[kDepth];
  sodium_memzero(below, sizeof below);
}

}  // namespace

void wipe_residue() {
  zero_stack();
  zero_registers();
}

Result<Secret> read_secret_file(const char* path, std::size_t limit) {
  const auto failed = [&](const std::string& why) { return fail(std::string("credential ") + path + ": " + why); };
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return failed(std::string(std::strerror(errno)) + "; provide the file or correct its name");
  struct stat facts {};
  Secret content(limit + 1);
  std::size_t size = 0;
  bool read_failed = fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode);
  while (!read_failed && size < content.size()) {
    const ssize_t got = read(fd, content.writable().data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) read_failed = true;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  close(fd);
  if (read_failed) return failed("is not a readable plain file");
  if ((facts.st_mode & (S_IWGRP | S_IRWXO)) != 0)
    return failed("others than its owner may read or change it; chmod 0400 (or 0440)");
  if (size > limit) return failed("is larger than " + std::to_string(limit) + " bytes");
  if (size > 0 && content.bytes()[size - 1] == '\n') --size;
  return Secret(content.bytes().first(size));
}

Status harden_process() {
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return fail(std::string("core dumps could not be barred: ") + std::strerror(errno));
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail(std::string("PR_SET_DUMPABLE failed: ") + std::strerror(errno));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(std::string("no_new_privs failed: ") + std::strerror(errno));
  if (const std::string& why = Slab::instance().refused(); !why.empty()) return fail("no memory for secrets: " + why);
  return {};
}

}  // namespace postern
