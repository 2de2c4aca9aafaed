// SPDX-License-Identifier: Apache-2.0
// Purpose: the sandbox bank's own certificate authority: one root, certificates for servers and bank
// systems, a revocation list. Used by: the sandbox only; a bank uses its own CA. Threads: one.
// Ownership: an Authority owns its key. Errors: OpenSSL's reason, or the file that cannot be written.
// Limits: ECDSA with P-256; certificates for kCertificateDays, a revocation list for kListDays.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "crypto/result.hpp"

namespace postern::sandbox {

inline constexpr int kCertificateDays = 825, kListDays = 30;

struct LeafRequest {
  std::string name;     // common name, and the files' name: NAME.pem, NAME.key
  std::string uri;      // URI name of a bank system; empty: none
  bool server = false;  // for 127.0.0.1, ::1 and localhost
  bool client = false;
  bool revoked = false;  // stands in every revocation list that this authority writes
};

class Authority {
 public:
  // The authority of `folder` (ca.pem, ca.key, revoked.txt): read, or made when there is none.
  static Result<std::unique_ptr<Authority>> open(const std::string& folder);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  // Writes NAME.pem and NAME.key (0400) into the folder, unless they are there.
  Status issue(const LeafRequest& request);

  // Writes crl.pem, good from now on for kListDays.
  Status write_list() const;

 private:
  struct Keys;
  Authority(std::string folder, std::unique_ptr<Keys> keys);
  std::string folder_;
  std::unique_ptr<Keys> keys_;
};

}  // namespace postern::sandbox
