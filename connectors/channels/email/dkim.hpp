// SPDX-License-Identifier: Apache-2.0
// Purpose: signs a mail with DKIM (RFC 6376, relaxed/relaxed; rsa-sha256 of RFC 8301 and ed25519-sha256
// of RFC 8463), OpenSSL behind one .cpp. Used by: EmailChannel.
// Threads: one. Ownership: a signer owns its key and wipes it when it ends.
// Errors and limits: RSA keys of fewer than 2048 bits and other kinds of key are refused when the
// signer is made. Signing fails only when the library does, and then the mail is not sent unsigned.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/result.hpp"
#include "crypto/secret.hpp"

namespace postern::email {

// RFC 6376 section 3.4.4: empty stays empty.
std::string relaxed_body(std::string_view body);

// RFC 6376 section 3.4.2 of one header field as it stands ("Subject: a\r\n b\r\n"), CRLF included in
// the result.
std::string relaxed_header(std::string_view field);

class DkimSigner {
 public:
  // `key` is a PEM private key, RSA or Ed25519.
  static Result<std::unique_ptr<DkimSigner>> make(std::string domain, std::string selector, const Secret& key);
  ~DkimSigner();

  // The whole DKIM-Signature header field, CRLF at its end, for `mail` (headers, empty line, body,
  // CRLF lines). Signs the fields of kSignedHeaders that the mail has, and From once more, so that no
  // second From can be slipped in.
  Result<std::string> sign(std::string_view mail, std::int64_t time_s) const;

  const std::string& domain() const { return domain_; }
  // "rsa-sha256" or "ed25519-sha256".
  std::string_view algorithm() const;

 private:
  struct Key;
  DkimSigner(std::string domain, std::string selector, std::unique_ptr<Key> key);
  std::string domain_, selector_;
  std::unique_ptr<Key> key_;
};

}  // namespace postern::email
