// SPDX-License-Identifier: Apache-2.0
// All chance of a played world: one seed, the same numbers everywhere and with every library (SplitMix64). Used by: the rehearsal, the simulator.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace postern::rehearsal {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 0x632be59bd9b4e019ULL) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : next() % end; }
  std::int64_t from_to(std::int64_t least, std::int64_t most) { return least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most - least + 1))); }
  bool percent(unsigned of_hundred) { return below(100) < of_hundred; }
  template <class T>
  T one_of(std::initializer_list<T> values) { return values.begin()[below(values.size())]; }
  // Small times often, large ones now and then: each doubling up to `most` is as likely as the next.
  std::int64_t delay(std::int64_t most) {
    std::int64_t limit = 1;
    const std::int64_t doublings = from_to(3, 40);
    for (std::int64_t i = 0; i < doublings && limit < most; ++i) limit *= 2;
    return from_to(0, limit < most ? limit : most);
  }

 private:
  std::uint64_t state_;
};

}  // namespace postern::rehearsal
