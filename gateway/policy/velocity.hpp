// SPDX-License-Identifier: Apache-2.0
// Purpose: a guard against SMS pumping: somebody makes the bank's own sites ask for one-time codes to numbers of a range
// that pays them. Such a range suddenly gets much more than it usually does, and its codes are not used. Used by: the vault,
// for what it is told to guard (usually `otp`). Threads: one at a time. Ownership: it keeps counts of destination prefixes,
// no number in full. Errors: none; rules are checked by Velocity::make.
// Units: Unix milliseconds, which must not go back (an earlier one is taken as the latest); counts of submits; permille.
// Limits: `prefixes` prefixes of about 500 bytes; beyond them the one that was used longest ago is forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crypto/result.hpp"
#include "gateway/domain/words.hpp"

namespace postern::policy {

struct VelocityRules {
  // A prefix is the country's code and so many digits more; with `whole_prefix`, so many digits in all.
  std::uint8_t digits = 3;
  bool whole_prefix = false;
  std::int64_t window_ms = 600'000;           // 12 slices, 12 s ... 7 days
  std::uint32_t limit = 100;                  // of submits in a window: never tripped below
  std::uint32_t factor_percent = 300;         // over the usual count of a window; from 100
  std::int64_t usual_ms = 7 * 86'400'000LL;   // over what time the usual count is learned; at least 10 windows
  std::int64_t cool_down_ms = 1'800'000;      // how long a tripped prefix stays closed, at least
  std::uint16_t least_confirmed = 0;          // permille of what was sent that must have been confirmed; 0: not asked
  std::uint32_t least_samples = 50;           // so many at least, before the share is judged
  std::int64_t answer_ms = 120'000;           // so long a customer may take to use a code; below the window
  std::size_t prefixes = 20'000;
};

class Velocity {
 public:
  // Errors: which rule is out of its range.
  static Result<Velocity> make(const VelocityRules& rules);
  Velocity(Velocity&&) = default;
  Velocity& operator=(Velocity&&) = default;

  enum class Why : std::uint8_t { fine = 1, too_many = 2, not_confirmed = 3 };
  struct Verdict {
    Why why = Why::fine;            // what tripped it; anything but `fine` means: do not send
    bool tripped_now = false;       // by this submit: tell it once
    TimeMs closed_until = 0;        // 0: open
    std::uint32_t count = 0;        // asked for in the window, this one with it
    std::uint32_t allowance = 0;    // how many a window may hold
  };
  // One more submit to this number (digits, with or without +). Counted whether it is let through or not.
  Verdict submit(std::string_view number, TimeMs now);

  // Where a prefix stands now, without counting anything: `fine` once its cool-down is over and not as much is asked for as before.
  Verdict look(std::string_view prefix, TimeMs now);
  // The same for a number, changing nothing at all.
  Verdict peek(std::string_view number, TimeMs now) const;

  // The code that was sent to this number at `sent_ms` was used. Later than a window is too late to count.
  void confirmed(std::string_view number, TimeMs sent_ms, TimeMs now);

  // What is known of each prefix, to be kept over a restart; by prefix. What was counted in the last window is not.
  struct Usual {
    std::string prefix;
    std::uint32_t per_window_milli = 0;  // thousandths of a submit in a window
    TimeMs closed_until = 0;             // 0: open
    Why why = Why::fine;
  };
  std::vector<Usual> usual() const;
  void remember(const Usual& usual, TimeMs now);

  std::string prefix_of(std::string_view number) const;
  std::size_t size() const { return places_.size(); }

 private:
  static constexpr std::int64_t kSlices = 12;
  struct Slice {
    std::int64_t number = -1;       // of the slice since 1970
    std::uint32_t asked = 0, let = 0, confirmed = 0;
  };
  struct Prefix {
    std::string digits;
    std::array<Slice, kSlices> slices;
    std::uint64_t usual_micro = 0;  // millionths of a submit in a window
    std::int64_t learned = 0;       // the whole window, since 1970, that is counted in `pending`
    std::uint32_t pending = 0;      // let through in it
    TimeMs closed_until = 0;
    Why why = Why::fine;
  };

  explicit Velocity(const VelocityRules& rules) : rules_(rules) {}
  Prefix& at(std::string prefix, TimeMs now);
  Slice& slice(Prefix& prefix, TimeMs now) const;
  void learn(Prefix& prefix, TimeMs now) const;
  void end_cool_down(Prefix& prefix, TimeMs now) const;
  std::uint32_t allowance(const Prefix& prefix) const;
  Why judged(const Prefix& prefix, TimeMs now) const;

  VelocityRules rules_;
  TimeMs latest_ = 0;
  std::list<Prefix> prefixes_;      // the one used last stands first
  std::unordered_map<std::string, std::list<Prefix>::iterator> places_;
};

}  // namespace postern::policy
