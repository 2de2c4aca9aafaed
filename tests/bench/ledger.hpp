// SPDX-License-Identifier: Apache-2.0
// Purpose: what the load client and the SMS centre of a measurement both know about each message: when it was due, accepted, on the
// wire and back as a receipt, by one clock. A file that both map; message n, which every text names, has entry n.
// Used by: load_client, sms_centre, null_peers; tests/bench/compare reads it after the run. Threads: one process writes the client's
// fields and another the centre's, so there is nothing to lock; `at_centre` alone is read while the other side writes it.
// Ownership: a Ledger unmaps itself. Errors: a file that cannot be mapped, or whose size is that of no ledger.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/result.hpp"

namespace postern::bench {

// Microseconds of the clock that all processes of a machine share.
inline std::uint64_t now_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

struct Entry {
  std::uint64_t due_us, accepted_us, receipt_us;  // the client's; 0: never
  std::uint64_t pdu_us;                           // the centre's: of the first PDU
  std::uint32_t receipts, pdus;
  std::uint32_t failures, unused;  // the client's: how often it was told that the message has come to no good end
};

class Ledger {
 public:
  static constexpr std::uint64_t kMost = 50'000'000;

  // The file is there already, as long as 64 bytes and its entries of 48.
  static Result<Ledger> open(const std::string& path);
  Ledger(Ledger&& other) noexcept;
  Ledger& operator=(Ledger&&) = delete;
  ~Ledger();

  // Nothing for a number outside the file, which only a foreign message has.
  Entry* find(std::uint64_t n) { return n < entries_ ? table_ + n : nullptr; }
  std::uint64_t entries() const { return entries_; }
  // Messages that have come to the centre, each once.
  std::uint64_t at_centre() const { return head_->at_centre.load(std::memory_order_relaxed); }
  void came_to_centre(std::uint64_t n);

 private:
  struct Head {
    std::atomic<std::uint64_t> at_centre;
    std::uint64_t unused[7];
  };
  Ledger(Head* head, std::uint64_t entries) : head_(head), table_(reinterpret_cast<Entry*>(head + 1)), entries_(entries) {}
  std::size_t bytes() const { return sizeof(Head) + entries_ * sizeof(Entry); }

  Head* head_;
  Entry* table_;
  std::uint64_t entries_;
};

// The text of message n ends in its number, and so tells it at the far end.
inline constexpr std::size_t kNumberDigits = 8;
std::string text_of(std::uint64_t n);
std::optional<std::uint64_t> number_in(std::string_view text);

}  // namespace postern::bench
