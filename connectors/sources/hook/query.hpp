// SPDX-License-Identifier: Apache-2.0
// Purpose: reads one value of a URL's query. Used by: the hook kinds. Threads: pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::hook {

// The decoded value of the parameter `name` (application/x-www-form-urlencoded). Nothing when it is
// absent, stands there more than once, or holds a broken escape.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace postern::hook
