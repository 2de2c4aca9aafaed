// SPDX-License-Identifier: Apache-2.0
// Purpose: times and spans as the API writes them. Used by: the request reader and the answers.
// Threads: pure functions. Errors: nothing is returned for a text that is not exactly of its form.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::https {

// RFC 3339 with a zone, "2026-11-22T12:14:07.123+02:00", to Unix milliseconds. Years 2000..2199; a
// leap second is refused, because no clock of ours shows one.
std::optional<std::int64_t> parse_time(std::string_view text);

// "2026-11-22T10:14:07.123Z".
std::string format_time(std::int64_t unix_ms);

// "500ms", "10s", "5m", "72h", "3d": a positive whole number and its unit, at most 366 days.
std::optional<std::chrono::milliseconds> parse_span(std::string_view text);

}  // namespace postern::https
