// SPDX-License-Identifier: Apache-2.0
// Purpose: SHA-256 with an algorithm fetched once and a context used again. Used by: the request
// reader. Threads: one. Ownership: owns its OpenSSL handles. Errors: none; a library without SHA-256
// ends the process at the start.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace postern::https {

class Sha256 {
 public:
  Sha256();
  std::string operator()(std::string_view bytes);  // 32 raw bytes

 private:
  struct AlgorithmFree {
    void operator()(EVP_MD* m) const;
  };
  struct ContextFree {
    void operator()(EVP_MD_CTX* c) const;
  };
  std::unique_ptr<EVP_MD, AlgorithmFree> algorithm_;
  std::unique_ptr<EVP_MD_CTX, ContextFree> context_;
};

}  // namespace postern::https
