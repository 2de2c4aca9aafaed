// SPDX-License-Identifier: Apache-2.0
#include "gateway/numbers/number.hpp"

namespace postern::numbers {

bool is_e164(std::string_view digits) {
  if (digits.size() < 7 || digits.size() > 15 || digits.front() == '0') return false;
  for (const char c : digits)
    if (c < '0' || c > '9') return false;
  return true;
}

}  // namespace postern::numbers
