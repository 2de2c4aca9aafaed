// SPDX-License-Identifier: Apache-2.0
// Purpose: "what if the cap were 4?": the policy's text with one value changed, every other line where it was, so that the reader of
// the policy tells faults by their place. Used by: the explanation of a decision. Threads: pure function.
// Errors: a change that is not KEY=VALUE, a name that is not there, a value that is none; what the policy's reader alone knows (a key
// that does not exist, a number out of range) it says itself.
#pragma once

#include <string>
#include <string_view>

#include "crypto/result.hpp"

namespace postern::config {

// `change` as an administrator writes it: caps.daily.limit=4, quiet_hours.spans=["22:00-07:00"], caps.daily.period=week. Of a list of
// tables the second word is the name that an entry gives itself. A value is written as in the file; a lone word needs no quotes.
Result<std::string> change_policy(const std::string& text, std::string_view change);

}  // namespace postern::config
