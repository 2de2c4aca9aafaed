// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/ledger.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

namespace postern::bench {

Result<Ledger> Ledger::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return fail(path + ": " + std::strerror(errno));
  struct stat at {};
  fstat(fd, &at);
  const std::size_t size = static_cast<std::size_t>(at.st_size), entries = size < sizeof(Head) ? 0 : (size - sizeof(Head)) / sizeof(Entry);
  if (entries == 0 || entries > kMost || size != sizeof(Head) + entries * sizeof(Entry)) {
    close(fd);
    return fail(path + ": has not the size of a ledger");
  }
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return fail(path + ": cannot be mapped: " + std::strerror(errno));
  return Ledger(static_cast<Head*>(mapped), entries);
}

Ledger::Ledger(Ledger&& other) noexcept : head_(std::exchange(other.head_, nullptr)), table_(other.table_), entries_(other.entries_) {}

Ledger::~Ledger() {
  if (head_ != nullptr) munmap(head_, bytes());
}

void Ledger::came_to_centre(std::uint64_t n) {
  Entry* entry = find(n);
  if (entry == nullptr || ++entry->pdus != 1) return;
  entry->pdu_us = now_us();
  head_->at_centre.fetch_add(1, std::memory_order_relaxed);
}

std::string text_of(std::uint64_t n) {
  char text[80];
  std::snprintf(text, sizeof text, "Your code is 123456. Do not tell it to anybody. #%08llu", static_cast<unsigned long long>(n));
  return text;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  if (text.size() <= kNumberDigits || text[text.size() - kNumberDigits - 1] != '#') return {};
  std::uint64_t n = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(end - kNumberDigits, end, n);
  if (error != std::errc() || at != end) return {};
  return n;
}

}  // namespace postern::bench
