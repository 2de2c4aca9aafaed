// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/recheck.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <memory>

#include "crypto/tls.hpp"

namespace postern::http {
namespace {

struct StoreContextFree {
  void operator()(X509_STORE_CTX* c) const { X509_STORE_CTX_free(c); }
};

}  // namespace

std::string recheck_peer(SSL_CTX* context, const SSL* ssl) {
  X509* leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == nullptr) return "no-certificate";
  const std::unique_ptr<X509_STORE_CTX, StoreContextFree> verify(X509_STORE_CTX_new());
  if (!verify ||
      X509_STORE_CTX_init(verify.get(), SSL_CTX_get_cert_store(context), leaf, SSL_get_peer_cert_chain(ssl)) != 1)
    return "other";
  // The purpose and trust that libssl itself sets for a client's certificate; the store brings the
  // revocation check.
  X509_STORE_CTX_set_default(verify.get(), "ssl_client");
  const bool good = X509_verify_cert(verify.get()) == 1;
  const std::string reason = good ? std::string() : verify_reason(X509_STORE_CTX_get_error(verify.get()));
  ERR_clear_error();
  return reason;
}

}  // namespace postern::http
