// SPDX-License-Identifier: Apache-2.0
// Purpose: verifies the certificate of a finished handshake once more. Used by: the server, after
// a reload and at intervals. Threads: one. Ownership: none. Errors: a reason.
#pragma once

#include <openssl/types.h>

#include <string>

namespace postern::http {

// Empty when `context` would accept the peer's certificate in a handshake now; otherwise why not:
// "revoked", "expired", "crl-expired", "unknown-ca", "no-certificate" or "other".
std::string recheck_peer(SSL_CTX* context, const SSL* ssl);

}  // namespace postern::http
