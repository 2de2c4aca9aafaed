// SPDX-License-Identifier: Apache-2.0
// Purpose: the vault's view of a phone number: E.164 digits, checked for form only. Sources have
// normalised it; what its network is, the portability index tells. Threads: pure.
#pragma once

#include <string_view>

namespace postern::numbers {

// 7 to 15 digits, not starting with 0 (ITU-T E.164 section 6.2).
bool is_e164(std::string_view digits);

}  // namespace postern::numbers
