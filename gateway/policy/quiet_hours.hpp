// SPDX-License-Identifier: Apache-2.0
// Purpose: hours of the local day in which nothing that can wait is sent. Used by: the configuration (reads), the vault
// (asks with the recipient's zone). Threads: immutable after reading. Ownership: values. Errors: what is wrong with a
// span and how it is written. Units: instants are Unix milliseconds, spans local time of whole minutes.
// Limits: 32 spans; a week must leave at least a minute in which something may be sent.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"
#include "gateway/policy/zone.hpp"

namespace postern::policy {

class QuietHours {
 public:
  // None: never quiet.
  QuietHours() = default;

  // Each span: "21:00-08:00", over midnight when it ends before it begins; before it the days on which it begins, when not
  // on all: "sat,sun 00:00-24:00", "mon-fri 22:00-07:00".
  static Result<QuietHours> parse(std::span<const std::string_view> spans);

  // Nothing when it is not quiet at `at`; otherwise the first instant at which it no longer is. Spans that touch are
  // one. Ask again with another zone when the recipient has moved: nothing is remembered.
  // Outside the years 1 to 9999 it is never quiet.
  std::optional<TimeMs> quiet_until(TimeMs at, const Zone& zone) const;

  bool quiet_at(Local local) const;

 private:
  struct Span {
    std::int64_t from, to;          // ms of the local week that begins on Monday; from < to <= a week
  };
  const Span* span_at(Local local) const;

  std::vector<Span> spans_;         // sorted, neither touching nor overlapping but at the week's ends
};

}  // namespace postern::policy
