// SPDX-License-Identifier: Apache-2.0
// Purpose: how far back a verb looks, as a person writes it: "90m", "12h", "30d". Used by: the verbs. Threads: pure.
// Errors: nothing for what is no such span, for 0, and for more than ten years.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::cli {

std::optional<std::int64_t> span_ms(std::string_view text);

}  // namespace postern::cli
