// SPDX-License-Identifier: Apache-2.0
// Purpose: Google's service account as its JSON file describes it, and the assertions it signs
// (RFC 7523: a JWT as an authorization grant). Used by: push, the sandbox. Threads: plain value.
// Ownership: the private key lives inside OpenSSL's object and nowhere else of ours.
// Errors: read() names the member that is missing or wrong, never its content.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "crypto/result.hpp"
#include "crypto/secret.hpp"

namespace postern::push {

struct PrivateKeyFree {
  void operator()(EVP_PKEY* key) const;
};
using PrivateKey = std::unique_ptr<EVP_PKEY, PrivateKeyFree>;

struct ServiceAccount {
  std::string project_id;
  std::string client_email;
  std::string key_id;     // private_key_id, names the key in the JWT's header
  std::string token_uri;  // https; also the assertion's audience
  PrivateKey key;         // RSA, 2,048 bits or more

  static Result<ServiceAccount> read(const Secret& json);
};

// The assertion that is exchanged for an access token: good from `now_s` (Unix seconds) for an hour.
// It is a credential for that hour. Errors: OpenSSL cannot sign with the key.
Result<Secret> make_assertion(const ServiceAccount& account, std::int64_t now_s);

}  // namespace postern::push
