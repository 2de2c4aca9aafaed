// SPDX-License-Identifier: Apache-2.0
// A message's row: any bytes are nothing, or a flight that can be asked everything and written again.
#include <cstdlib>

#include "gateway/domain/flight.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto flight = postern::decode_flight(1, {data, size});
  if (!flight) return 0;
  if (flight->plan.size() > postern::kMaxSteps || flight->attempts.size() > postern::kMaxAttempts || flight->step > flight->plan.size()) std::abort();
  for (const postern::Attempt& attempt : flight->attempts)
    if (attempt.step >= flight->plan.size()) std::abort();
  (void)flight->queue();
  (void)flight->wake_ms();
  if (!postern::decode_flight(1, postern::encode(*flight))) std::abort();
  return 0;
}
