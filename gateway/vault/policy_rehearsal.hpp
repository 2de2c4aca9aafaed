// SPDX-License-Identifier: Apache-2.0
// Purpose: a candidate policy over what was decided in the last days: walks the audit leaves in pieces between turns and gives each
// decision, with what it was made from, to the trial. Used by: posternd. Threads: one. Ownership: the candidate; borrows the context.
// Errors: a leaf that cannot be read. Memory: the trial's limits; the vault's cache of flights is left alone.
#pragma once

#include <chrono>

#include "gateway/policy/trial.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

class PolicyRehearsal {
 public:
  PolicyRehearsal(Context& context, policy::Policy candidate, TimeMs now, TimeMs window_ms, policy::Trial::Limits limits = {});

  // One piece, for about so long.
  Status step(Turn& turn, std::chrono::microseconds at_most);
  bool done() const { return done_; }

  std::uint64_t leaves() const { return end_ - first_; }   // known after the first piece
  std::uint64_t walked() const { return next_ - first_; }
  TimeMs from_ms() const { return from_ms_; }
  TimeMs to_ms() const { return to_ms_; }
  const policy::Trial& trial() const { return trial_; }    // complete when done
  std::uint64_t erased() const { return erased_; }
  std::uint64_t gone() const { return gone_; }
  std::uint64_t without_address() const { return without_address_; }

 private:
  Status find_first();
  void take(Turn& turn, const audit::Leaf& leaf);
  void decided(Turn& turn, const audit::Leaf& leaf);
  std::optional<Flight> flight_of(Turn& turn, const audit::Leaf& leaf);
  bool begin(Turn& turn, const Flight& flight);
  std::string_view connector_of(const audit::Leaf& leaf) const;
  std::int64_t price_of(const Flight& flight, Channel channel, std::string_view connector) const;

  Context& context_;
  const std::shared_ptr<const config::Config> config_;   // of routes and weights, the same from the first piece to the last
  const policy::Policy candidate_;
  policy::Trial trial_;
  const TimeMs from_ms_, to_ms_;
  std::uint64_t first_ = 0, next_ = 0, end_ = 0;
  bool begun_ = false, done_ = false;
  std::uint64_t erased_ = 0, gone_ = 0, without_address_ = 0;
};

}  // namespace postern::vault
