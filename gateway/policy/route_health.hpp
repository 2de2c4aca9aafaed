// SPDX-License-Identifier: Apache-2.0
// Purpose: how well one route does its work, measured: a slow or failing provider gets less of the messages and comes back
// slowly, by its own good results. Used by: the vault, one value for each route. Threads: one at a time.
// Ownership: values; about 20 KB each. Errors: which rule is out of its range.
// Units: Unix milliseconds, which must not go back (an earlier one is taken as the latest); shares in permille; latencies
// are known to an eighth, and from an hour on as an hour and more.
// It is a hint and no switch: where no other route is left, the caller uses this one whatever its share.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "crypto/result.hpp"
#include "gateway/domain/words.hpp"

namespace postern::policy {

struct RouteRules {
  std::int64_t window_ms = 300'000;           // 10 slices, 10 s ... 1 day
  std::uint32_t least_samples = 20;           // before a full route is judged
  std::uint32_t least_probes = 3;             // good ones that a step of the way back needs
  std::uint16_t most_failed = 200;            // permille of the answers and receipts
  std::int64_t slowest_p90_ms = 60'000;       // nine of ten receipts must be as fast; 0: not asked
  std::int64_t hold_ms = 300'000;             // each step of the way back, at least
  std::int64_t longest_hold_ms = 3'600'000;   // a route that falls again and again waits twice as long each time, up to this

  bool operator==(const RouteRules&) const = default;
};

class RouteHealth {
 public:
  static Result<RouteHealth> make(const RouteRules& rules);

  // The steps of the way back; the last is all.
  static constexpr std::array<std::uint16_t, 4> kSteps{10, 100, 500, 1000};

  enum class Why : std::uint8_t { fine = 1, failing = 2, slow = 3 };
  struct Change {
    std::uint16_t share = 1000;     // after it
    Why why = Why::fine;            // `fine`: it was raised
  };

  // The provider answered an attempt that was handed to it at `handed_ms`; failed: refused by its own fault, throttled, lost or
  // unanswered. A refusal that is the address's or the message's fault is no failure.
  void answered(TimeMs handed_ms, bool failed, TimeMs now);
  // It told the end of an attempt; a message that never got its receipt in time is told as failed.
  void receipt(TimeMs handed_ms, bool failed, TimeMs now);

  // Judges what has been told; call it before a route is chosen or once in a second. Nothing when nothing changes.
  // What was handed before the last change does not count: it speaks of the state before. A step of the way back on which
  // nothing failed and too little was sent to tell is left after twelve holds.
  struct Judgement {
    bool changed = false;
    Change change;
  };
  Judgement judge(TimeMs now);

  // 0 ... 1000; never 0, since without messages nothing would show that it works again.
  std::uint16_t share() const { return kSteps[step_]; }
  // Whether this message is one of the share: the same number always gets the same answer at the same share, and one that
  // gets it at a small share does so at a greater one.
  bool takes(std::uint64_t message_number) const;

  struct Facts {                    // of the window
    std::uint64_t answers = 0, receipts = 0, failed = 0;
    std::int64_t answer_p90_ms = 0, receipt_p90_ms = 0;
  };
  Facts facts(TimeMs now) const;

 private:
  static constexpr std::int64_t kSlices = 10;
  static constexpr std::size_t kBuckets = 160;
  using Histogram = std::array<std::uint32_t, kBuckets>;
  struct Slice {
    std::int64_t number = -1;
    std::uint32_t answers_failed = 0, receipts_failed = 0;
    Histogram answers{}, receipts{};  // of those that did not fail
  };
  static std::size_t bucket_of(std::int64_t latency_ms);
  static std::int64_t longest_of(std::size_t bucket);
  static std::int64_t p90(const std::array<std::uint64_t, kBuckets>& counts, std::uint64_t all);
  explicit RouteHealth(const RouteRules& rules) : rules_(rules), slices_(kSlices), hold_ms_(rules.hold_ms) {}
  Slice* counted(TimeMs handed_ms, bool failed, TimeMs now);
  void move_to(std::size_t step, TimeMs now);

  RouteRules rules_;
  std::vector<Slice> slices_;
  std::size_t step_ = kSteps.size() - 1;
  TimeMs since_ = 0;                // of the step
  TimeMs latest_ = 0;
  std::int64_t hold_ms_;            // now: grows with each fall
  std::uint64_t good_ = 0, failed_ = 0;  // of this step
};

}  // namespace postern::policy
