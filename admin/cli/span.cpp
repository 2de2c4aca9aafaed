// SPDX-License-Identifier: Apache-2.0
#include "admin/cli/span.hpp"

#include <charconv>

namespace postern::cli {

std::optional<std::int64_t> span_ms(std::string_view text) {
  constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour, kLongest = 3660 * kDay;
  if (text.size() < 2 || text.size() > 8) return std::nullopt;
  std::int64_t count = 0;
  const char* const unit = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data(), unit, count);
  const std::int64_t of = *unit == 'm' ? kMinute : *unit == 'h' ? kHour : *unit == 'd' ? kDay : 0;
  if (error != std::errc() || end != unit || of == 0 || count < 1 || count > kLongest / of) return std::nullopt;
  return count * of;
}

}  // namespace postern::cli
