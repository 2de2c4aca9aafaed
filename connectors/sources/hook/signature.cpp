// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <climits>
#include <cstdlib>

#include "crypto/bytes.hpp"

namespace postern::hook {
namespace {

constexpr std::string_view kPrefix = "sha256=";
using Mac = std::array<std::uint8_t, 32>;

Mac hmac_sha256(const Secret& key, std::string_view body) {
  Mac mac{};
  const ByteView bytes = as_bytes(body);
  unsigned size = 0;
  if (key.size() > INT_MAX || HMAC(EVP_sha256(), key.bytes().data(), static_cast<int>(key.size()), bytes.data(),
                                   bytes.size(), mac.data(), &size) == nullptr)
    std::abort();  // only out of memory, or without SHA-256 at all
  return mac;
}

}  // namespace

bool hub_signature_good(const Secret& app_secret, std::string_view header, std::string_view body) {
  if (app_secret.empty() || header.size() != kPrefix.size() + 2 * Mac().size() || !header.starts_with(kPrefix))
    return false;
  Bytes given;
  if (!from_hex(header.substr(kPrefix.size()), given)) return false;
  const Mac mac = hmac_sha256(app_secret, body);
  return CRYPTO_memcmp(given.data(), mac.data(), mac.size()) == 0;
}

std::string hub_signature(const Secret& app_secret, std::string_view body) {
  return std::string(kPrefix) + to_hex(hmac_sha256(app_secret, body));
}

}  // namespace postern::hook
