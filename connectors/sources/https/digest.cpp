// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstdlib>

namespace postern::https {

void Sha256::AlgorithmFree::operator()(EVP_MD* m) const { EVP_MD_free(m); }
void Sha256::ContextFree::operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }

Sha256::Sha256() : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
  if (!algorithm_ || !context_) std::abort();
}

std::string Sha256::operator()(std::string_view bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  if (EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) != 1 ||
      EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1 || size != digest.size())
    std::abort();
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace postern::https
