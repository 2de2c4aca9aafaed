// SPDX-License-Identifier: Apache-2.0
// Purpose: the two suites behind Suite::of(). Used by: crypto/suite.cpp only. Threads and errors: suite.hpp.
#pragma once

#include "crypto/suite.hpp"

namespace postern {

const Suite& modern_suite();
const Suite& fips_suite();

}  // namespace postern
