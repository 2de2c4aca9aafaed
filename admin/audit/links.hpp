// SPDX-License-Identifier: Apache-2.0
// Purpose: holds the links of each message's leaves (`before`) to be whole: each leaf names the message's last one
// before it, so that a reader who walks back misses none. Used by: verify. Threads: one.
// Limits: remembers the last leaf of the messages seen last (between kRemembered and twice as many); of a message
// that was silent for longer it says `look`, and only the leaf that is named can then be held against it.
#pragma once

#include <unordered_map>

#include "admin/audit/leaf.hpp"

namespace postern::auditor {

inline constexpr std::size_t kRemembered = 256 * 1024;   // about 40 MiB in all

class MessageLinks {
 public:
  explicit MessageLinks(std::size_t remembered = kRemembered) : remembered_(remembered) {}

  enum class Answer {
    whole,
    broken,
    look,     // the message was forgotten or is new: the leaf `before` - 1 must be of this message
  };
  // Takes the next leaf of the log.
  Answer take(const Leaf& leaf);

 private:
  // Ids come from outside, but what they hash to decides only this program's speed on a log that is bad anyway.
  struct IdHash {
    std::size_t operator()(const MessageId& id) const;
  };
  using Table = std::unordered_map<MessageId, std::uint64_t, IdHash>;

  std::size_t remembered_;
  Table young_, old_;
  bool forgot_ = false;
};

}  // namespace postern::auditor
