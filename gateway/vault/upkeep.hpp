// SPDX-License-Identifier: Apache-2.0
// Purpose: what the store needs now and then, in pieces between turns: deletes what is not to be kept (every hour), gives freed pages
// back to the file system, reads everything again (every day, and soon after each start). Used by: the vault. Threads: one.
// Ownership: borrows the context. Errors: what could not be done is tried again at its next time; an altered store is another
// matter: see step().
#pragma once

#include <functional>
#include <optional>

#include "gateway/vault/purger.hpp"
#include "gateway/vault/scrubber.hpp"

namespace postern::vault {

class Upkeep {
 public:
  explicit Upkeep(Context& context) : context_(context), purger_(context), scrubber_(context.store, context.log) {}

  // Begins what is due.
  void look(TimeMs now);
  bool busy() const { return purger_.busy() || compacting_ || scrubber_.busy(); }
  // Commits a turn of its own.
  using InTurn = std::function<Status(const std::function<void(Turn&)>&)>;
  // One piece of what is under way. Errors: the store was altered; a leaf says so and the store is marked, so that the next
  // start is refused until two persons consent. Whoever gets this error locks the vault.
  Status step(TimeMs now, const InTurn& in_turn);

  void scrub_now() { scrubber_.begin(); }
  void purge_now(TimeMs now) { purger_.begin(now); }

  struct Facts {
    bool scrubbing = false, purging = false;
    TimeMs scrubbed_ms = 0, purged_ms = 0;             // when the last ones ended well, 0: never since the start
    std::uint64_t rows = 0, bytes = 0, purged = 0;     // of the last ones, or of those under way
    std::uint64_t given_back = 0;                      // bytes, since the start
  };
  Facts facts() const;

 private:
  Status scrub(TimeMs now, const InTurn& in_turn);
  void purge(TimeMs now, const InTurn& in_turn);
  void compact();

  Context& context_;
  Purger purger_;
  Scrubber scrubber_;
  bool compacting_ = false;
  TimeMs next_purge_ = 0, next_scrub_ = 0, purged_ms_ = 0, scrubbed_ms_ = 0;
  std::uint64_t given_back_ = 0;
};

}  // namespace postern::vault
