// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/ring_keeper.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace postern::vault {
namespace {

constexpr std::size_t kPage = 500, kRemembered = 10'000;
constexpr TimeMs kPeriod = 24 * 3600 * 1000;

}  // namespace

RingKeeper::RingKeeper(Context& context, Ring& ring, std::string path) : context_(context), ring_(ring), path_(std::move(path)) {
  if (ring_.has_older()) begin_anew(/*sweep=*/true);
}

void RingKeeper::begin_anew(bool sweep) {
  phase_ = next_ = sweep ? Phase::flights : Phase::keys;
  flights_after_ = flights_next_ = 0;
  keys_after_ = keys_next_ = std::nullopt;
  branches_after_ = branches_next_ = 0;
  wrapped_ = 0;
  anew_ = false;
  std::ranges::move(waiting_, std::back_inserter(in_work_));
  waiting_.clear();
}

Status RingKeeper::keep(TimeMs now) {
  if (phase_ != Phase::idle || now - ring_.newest_since_ms() < kPeriod) return {};
  const Status renewed = ring_.renew(path_, context_.keys, now);
  if (renewed) begin_anew(/*sweep=*/false);
  return renewed;
}

Result<std::uint64_t> RingKeeper::erase(Turn& turn, std::uint64_t person, const std::string& actor) {
  // First the new wrapping key: should the process end now, the next start finds it and renews.
  if (const Status renewed = ring_.renew(path_, context_.keys, turn.now()); !renewed) return fail(renewed.what());
  // Whatever was wrapped anew before stands under a key that is not the newest any more.
  anew_ = true;
  context_.persons.erase(person, turn.batch());
  if (!context_.persons.failure().empty()) turn.fail_with(context_.persons.failure());
  const std::uint64_t leaf = turn.leaf(EventType::person_erased, {{audit::Field::actor, actor}, {audit::Field::recipient, fmt::format("{:016x}", person)}});
  waiting_.push_back(leaf);
  return leaf;
}

std::optional<std::uint64_t> RingKeeper::made_final(std::uint64_t erased_leaf) const {
  const auto found = final_.find(erased_leaf);
  return found == final_.end() ? std::nullopt : std::optional(found->second);
}

void RingKeeper::step(Turn& turn) {
  switch (phase_) {
    case Phase::idle:
    case Phase::destroy: return;
    case Phase::flights: return sweep_flights(turn);
    case Phase::keys: return wrap_keys(turn);
    case Phase::branches: return wrap_branches(turn);
    case Phase::tell:
      told_ = turn.leaf(EventType::wrapping_key_destroyed, {{audit::Field::count, std::to_string(wrapped_)}, {audit::Field::text, fmt::format("wrapped anew under key {}", ring_.newest())}});
      next_ = Phase::idle;
  }
}

// What is left of those who were erased: their messages stop, and say no more who they were for.
void RingKeeper::sweep_flights(Turn& turn) {
  const Result<std::vector<store::FlightRow>> rows = context_.store.scan(flights_after_, kPage);
  if (!rows) return turn.fail_with(rows.what());
  for (const store::FlightRow& row : *rows) {
    flights_next_ = row.key;
    Flight* flight = turn.take(row);
    if (flight == nullptr) return;
    if (flight->person == 0 || context_.persons.find(flight->person) != nullptr) continue;
    if (!context_.persons.failure().empty()) return turn.fail_with(context_.persons.failure());
    turn.advance(*flight, engine::Cancel{});
    turn.erase_traces(*flight);
  }
  if (rows->size() < kPage) next_ = Phase::keys;
}

void RingKeeper::wrap_keys(Turn& turn) {
  Result<std::vector<store::PersonRow>> rows = context_.store.persons(keys_after_, kPage);
  if (!rows) return turn.fail_with(rows.what());
  for (const store::PersonRow& row : *rows) {
    keys_next_ = row.person;
    if (ring_.is_newest(row.wrapped)) continue;
    const std::optional<FieldKey> key = ring_.unwrap(context_.keys, row.person, row.wrapped);
    // One that does not open is lost already; it must not keep the old key alive.
    if (!key) continue;
    turn.batch().persons.push_back({row.person, ring_.wrap(context_.keys, *key)});
    ++wrapped_;
  }
  if (rows->size() < kPage) next_ = Phase::branches;
}

void RingKeeper::wrap_branches(Turn& turn) {
  const Result<std::vector<store::BranchRow>> rows = context_.store.branches(branches_after_, kPage);
  if (!rows) return turn.fail_with(rows.what());
  for (const store::BranchRow& row : *rows) {
    branches_next_ = row.id;
    if (ring_.is_newest(row.wrapped)) continue;
    const std::optional<Branch> branch = ring_.unwrap_branch(context_.keys, row.id, row.wrapped);
    if (!branch) continue;
    turn.batch().branches.push_back({row.id, ring_.wrap(context_.keys, *branch)});
    ++wrapped_;
  }
  if (rows->size() < kPage) next_ = Phase::destroy;
}

Status RingKeeper::turn_over(bool committed) {
  if (!committed) {
    // Pages of the abandoned turn are read again. An erasure that was not committed was not.
    next_ = phase_;
    flights_next_ = flights_after_;
    keys_next_ = keys_after_;
    branches_next_ = branches_after_;
    told_.reset();
    waiting_.clear();
    if (anew_) begin_anew(/*sweep=*/true);
    return {};
  }
  flights_after_ = flights_next_;
  keys_after_ = keys_next_;
  branches_after_ = branches_next_;
  phase_ = next_;
  if (told_) {
    for (const std::uint64_t leaf : in_work_) final_.emplace(leaf, *told_);
    while (final_.size() > kRemembered) final_.erase(final_.begin());
    in_work_.clear();
    told_.reset();
  }
  if (anew_) begin_anew(/*sweep=*/true);
  if (phase_ != Phase::destroy || context_.store.snapshot_taken()) return {};
  // No older version of a row may stay in the journal, and then no key that opens one.
  if (const Status folded = context_.store.fold(); !folded) return folded;
  ring_.destroy_older();
  if (const Status saved = ring_.save(path_, context_.keys); !saved) return saved;
  phase_ = next_ = Phase::tell;
  return {};
}

}  // namespace postern::vault
