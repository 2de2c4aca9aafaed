// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/doubts.hpp"

#include <algorithm>

#include "gateway/vault/turn.hpp"

namespace postern::vault {
namespace {

constexpr std::size_t kPage = 100;   // what a turn waits for after a start, some half a millisecond

}  // namespace

std::uint64_t Doubts::of(const Flight& flight) {
  if (is_final(flight.state)) return 0;
  return static_cast<std::uint64_t>(std::ranges::count(flight.attempts, AttemptState::unknown, &Attempt::state));
}

void Doubts::step(Turn& turn, Context& context) {
  if (now_.all) return;
  const Result<std::vector<store::FlightRow>> rows = context.store.scan(now_.upto, kPage);
  if (!rows) return turn.fail_with(rows.what());
  for (const store::FlightRow& row : *rows) {
    now_.upto = row.key;
    if (row.wake_ms == 0) continue;   // ended
    // A row that cannot be read is dealt with where its message is looked at.
    if (const std::optional<Flight> flight = decode_flight(row.key, row.data)) now_.count += of(*flight);
  }
  now_.all = rows->size() < kPage;
}

void Doubts::changed(const Flight& flight, std::uint64_t before) {
  if (now_.all || flight.id.key <= now_.upto) now_.count = now_.count + of(flight) - before;
}

void Doubts::turn_over(bool committed) {
  if (committed) durable_ = now_;
  else now_ = durable_;
}

}  // namespace postern::vault
