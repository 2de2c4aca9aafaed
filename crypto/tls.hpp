// SPDX-License-Identifier: Apache-2.0
// Purpose: TLS contexts with this product's one policy, and who the peer is.
// Used by: every connector (the only part of crypto/ besides secret, bytes and result that they see).
// Threads: a context is used by one thread. Ownership: SslContext frees itself; SSL objects made from
// it must end first.
// Policy: TLS 1.3; TLS 1.2 with ECDHE and AEAD only where asked; groups X25519 and P-256; no
// compression, no renegotiation, no session tickets kept across a reload.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "crypto/result.hpp"

namespace postern {

struct SslContextFree { void operator()(SSL_CTX* context) const; };
using SslContext = std::unique_ptr<SSL_CTX, SslContextFree>;
struct SslFree { void operator()(SSL* ssl) const; };
using SslHandle = std::unique_ptr<SSL, SslFree>;

struct TlsFiles {
  std::string certificate;  // PEM chain, leaf first; empty: none (clients only)
  std::string key;          // PEM private key, not readable by others
  std::string ca;           // PEM; the peer must chain to it
  std::string crl;          // PEM, may hold several; empty: no revocation check (refused for servers that require client certificates unless `crl_optional`)
  bool crl_optional = false;
  bool allow_tls12 = false;
};

// A server that demands a client certificate chaining to `ca`. Revocation of the leaf is checked
// against `crl`. Sessions are never resumed: a resumed one would skip that check.
Result<SslContext> make_tls_server(const TlsFiles& files);

// A server for peers without client certificates (providers' webhooks).
Result<SslContext> make_tls_open_server(const TlsFiles& files);

// A client that verifies the server against `ca`, presents a certificate when one is given.
Result<SslContext> make_tls_client(const TlsFiles& files);

// A client handle bound to the name the server must prove: `host` is checked against the certificate's
// SAN (RFC 6125; an address literal against its IP SANs) and sent as SNI.
Result<SslHandle> make_client_ssl(SSL_CTX* context, const std::string& host);
SslHandle make_server_ssl(SSL_CTX* context);

struct PeerIdentity {
  std::vector<std::string> names;  // URI SANs first, then DNS SANs, as in the certificate; none may hold NUL
  std::string fingerprint;         // SHA-256 of the certificate, lower-case hex
  std::string serial;              // hex
};
// The verified peer of a finished handshake. Errors: no certificate, no SAN, a SAN with a NUL.
Result<PeerIdentity> peer_identity(const SSL* ssl);

// Why a handshake failed, as a short stable word for logs and audit: "expired", "not-yet-valid",
// "unknown-ca", "revoked", "self-signed", "no-certificate", "crl-missing", "crl-expired",
// "wrong-purpose", "host-mismatch", "protocol", "other"; and the peer's certificate fingerprint when
// one was seen.
// bufferevent_openssl takes errors out of OpenSSL's queue into its own: put them back (ERR_raise of
// bufferevent_get_openssl_error's codes) before asking, or "no-certificate" reads as "protocol".
struct HandshakeFailure {
  std::string reason;
  std::string fingerprint;
};
HandshakeFailure handshake_failure(const SSL* ssl);
// The word for a verification result of OpenSSL (X509_V_...).
std::string verify_reason(long verify_result);

// "TLSv1.3 TLS_AES_256_GCM_SHA384" for logs and the inventory.
std::string tls_description(const SSL* ssl);

// Earliest notAfter in a PEM certificate file, seconds since the epoch.
Result<long long> certificate_not_after(const std::string& path);

}  // namespace postern
