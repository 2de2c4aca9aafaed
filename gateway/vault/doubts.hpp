// SPDX-License-Identifier: Apache-2.0
// Purpose: how many attempts are in doubt now, of messages that have not ended. Counted anew after a start, page by page between other work, and
// kept true by every decision on a message that the count has come by. Used by: gateway/vault (counts), posternd (tells it).
// Threads: one. Ownership: plain values. Errors: the turn's.
#pragma once

#include <cstdint>

#include "gateway/domain/flight.hpp"

namespace postern::vault {

class Turn;
struct Context;

class Doubts {
 public:
  static std::uint64_t of(const Flight& flight);

  // Counts the next page. Call it first in a turn, before anything of its messages changes.
  void step(Turn& turn, Context& context);
  bool busy() const { return !now_.all; }
  // A decision has changed how many this message has.
  void changed(const Flight& flight, std::uint64_t before);
  void turn_over(bool committed);

  std::uint64_t count() const { return durable_.count; }
  bool counted() const { return durable_.all; }   // false: there may be more

 private:
  struct Seen {
    MessageKey upto = 0;
    bool all = false;
    std::uint64_t count = 0;
  };
  Seen now_, durable_;
};

}  // namespace postern::vault
