// SPDX-License-Identifier: Apache-2.0
// Purpose: deletes messages whose time of keeping is over (PO11, `keep` of the category): the message, what it said, the client's events
// of it, and what is left of messages that are not there any more. Works page by page between other work. Used by: the vault.
// Threads: one. Ownership: borrows the context. The audit log keeps its leaves: they are sealed, and the tree needs them.
// Errors: the turn's. A pass that a failed turn cut off begins anew.
#pragma once

#include <cstdint>

#include "gateway/vault/turn.hpp"

namespace postern::vault {

class Purger {
 public:
  explicit Purger(Context& context) : context_(context) {}

  void begin(TimeMs now);
  bool busy() const { return phase_ != Phase::idle; }
  // One page, within a turn of its own.
  void step(Turn& turn);
  // After that turn.
  void turn_over(bool committed);

  std::uint64_t count() const { return count_; }   // messages of the pass that is under way, or of the last one

 private:
  enum class Phase { idle, flights, orphans };
  void purge_flights(Turn& turn);
  void purge(Turn& turn, const Flight& flight);

  Context& context_;
  Phase phase_ = Phase::idle, next_ = Phase::idle;
  TimeMs now_ = 0, oldest_ = 0;      // messages accepted after `oldest_` are kept by every category
  MessageKey after_ = 0;
  store::OrphanPlace place_;
  std::uint64_t count_ = 0, counted_ = 0;
};

}  // namespace postern::vault
