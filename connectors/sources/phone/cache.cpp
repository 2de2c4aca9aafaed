// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/phone/cache.hpp"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace postern::phone {

Table::Table(std::size_t entries) {
  static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == 8);
  if (sodium_init() < 0) std::abort();
  crypto_shorthash_keygen(key_.data());
  const std::size_t sets = std::bit_ceil(std::max<std::size_t>(entries, kWays)) / kWays;
  entries_.resize(sets * kWays);
  mask_ = sets - 1;
}

std::uint64_t Table::hash(std::string_view digits, bool plus, std::string_view region) const {
  std::array<unsigned char, kMaxText + 4> text{};
  text[0] = plus ? '+' : '-';
  if (region.size() == 2) std::memcpy(&text[1], region.data(), 2);
  const std::size_t size = std::min(digits.size(), kMaxText);
  std::memcpy(&text[3], digits.data(), size);
  std::uint64_t value = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&value), text.data(), size + 3, key_.data());
  return value;
}

const Verdict* Table::find(std::uint64_t hash) {
  Entry* set = set_of(hash);
  for (std::size_t i = 0; i < kWays; ++i) {
    if (set[i].used == 0 || set[i].hash != hash) continue;
    set[i].used = ++clock_;
    ++hits_;
    return &set[i].verdict;
  }
  return nullptr;
}

void Table::keep(std::uint64_t hash, const Verdict& verdict) {
  Entry* set = set_of(hash);
  Entry* oldest = std::min_element(set, set + kWays, [](const Entry& a, const Entry& b) { return a.used < b.used; });
  *oldest = {hash, ++clock_, verdict};
  // After 2^32 uses the order within the sets starts anew.
  if (clock_ == 0xffffffff) {
    for (Entry& entry : entries_)
      if (entry.used != 0) entry.used = 1;
    clock_ = 1;
  }
}

}  // namespace postern::phone
