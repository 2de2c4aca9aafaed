// SPDX-License-Identifier: Apache-2.0
// Purpose: a slot's secret behind a PKCS#11 token (HSM, smart card): encrypted and decrypted by a key that cannot leave it.
// Used by: the administrator's tool, which sends what the token decrypted to posternd: the vendor's module is foreign code and is
// loaded into `postern` for a moment, never into the process that holds the keys.
// Threads: one. Ownership: each call opens the module and closes it again. Errors: each names the module, token or key and says what
// to do. A wrong PIN is told at once and never tried twice: tokens lock themselves after a few.
// The module's path is the administrator's word, never the keyring's: a file from elsewhere must not choose what code is loaded.
#pragma once

#include <string>

#include "crypto/keyring_format.hpp"
#include "crypto/secret.hpp"

namespace postern::token {

// Numbers stand in keyrings and never change their meaning.
enum class Mechanism : std::uint8_t {
  rsa_oaep_sha256 = 1,
  rsa_oaep_sha1 = 2,     // for tokens that know no other (SoftHSM); OAEP does not rest on collisions
  aes_gcm = 3,           // 12-byte nonce, then ciphertext and tag of 16
};

struct Place {
  std::string module;    // path of the vendor's library
  std::string token;     // label
  std::string key;       // label of an RSA key pair or an AES key
};

// Makes an AES-256 key on the token that can neither be read nor extracted. Errors: a key of this label is there.
Status make_key(const Place& place, const Secret& pin);

// `secret` encrypted for a new slot. Errors: no such token or key; a key that could be taken off the token; no usable mechanism.
Result<TokenFacts> encrypt(const Place& place, const Secret& pin, const Secret& secret);

// The slot's secret back. Errors: also another token (serial) than the slot was made with.
Result<Secret> decrypt(const std::string& module, const TokenFacts& facts, const Secret& pin);

}  // namespace postern::token
