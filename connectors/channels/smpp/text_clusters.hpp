// SPDX-License-Identifier: Apache-2.0
// Purpose: tells where a text may be cut without tearing apart what a reader sees as one character: a
// base with its combining marks, a joined emoji, a flag. A practical subset of Unicode UAX 29.
// Used by: encoding.cpp. Threads: plain values. Errors: none.
#pragma once

#include <utility>

namespace postern::smpp {

// Feed it the code points of one text in order.
class ClusterScan {
 public:
  // True when a new cluster begins at this character.
  bool starts(char32_t character);

 private:
  char32_t before_ = 0;
  bool odd_regional_ = false;
};

}  // namespace postern::smpp
