// SPDX-License-Identifier: Apache-2.0
#include "crypto/suite.hpp"

#include <algorithm>

#include "crypto/suites.hpp"

namespace postern {

std::string_view name_of(Profile profile) {
  switch (profile) {
    case Profile::modern: return "modern";
    case Profile::fips: return "fips";
  }
  return "?";
}

std::optional<Profile> profile_of(std::string_view name) {
  if (name == "modern") return Profile::modern;
  if (name == "fips") return Profile::fips;
  return std::nullopt;
}

std::optional<Profile> profile_of(std::uint8_t number) {
  if (number == static_cast<std::uint8_t>(Profile::modern)) return Profile::modern;
  if (number == static_cast<std::uint8_t>(Profile::fips)) return Profile::fips;
  return std::nullopt;
}

const Suite& Suite::of(Profile profile) { return profile == Profile::fips ? fips_suite() : modern_suite(); }

KeyType Suite::key_type() const {
  switch (profile()) {
    case Profile::modern: return KeyType::ed25519;
    case Profile::fips: return KeyType::ecdsa_p256;
  }
  return KeyType::ed25519;
}

Secret Suite::random_secret(std::size_t size) const {
  Secret secret(size);
  random(secret.writable());
  return secret;
}

Bytes Suite::wrap(ByteView key, ByteView bound, ByteView plain) const {
  Bytes out(kNonceSize + plain.size() + kTagSize);
  const std::span<std::uint8_t> whole(out);
  random(whole.first(kNonceSize));
  seal(key, whole.first(kNonceSize), bound, plain, whole.subspan(kNonceSize));
  return out;
}

bool Suite::unwrap(ByteView key, ByteView bound, ByteView wrapped, std::span<std::uint8_t> plain) const {
  return wrapped.size() == kNonceSize + plain.size() + kTagSize &&
         open(key, wrapped.first(kNonceSize), bound, wrapped.subspan(kNonceSize), plain);
}

}  // namespace postern
