// SPDX-License-Identifier: Apache-2.0
#include "crypto/tls.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"

// OpenSSL's functional macros cast in the C way.
#pragma GCC diagnostic ignored "-Wold-style-cast"

namespace postern {
namespace {

struct X509Free { void operator()(X509* x) const { X509_free(x); } };
using Certificate = std::unique_ptr<X509, X509Free>;
struct BioFree { void operator()(BIO* b) const { BIO_free(b); } };
using Bio = std::unique_ptr<BIO, BioFree>;
struct NamesFree { void operator()(GENERAL_NAMES* n) const { GENERAL_NAMES_free(n); } };
using Names = std::unique_ptr<GENERAL_NAMES, NamesFree>;

// The newest error of OpenSSL's queue, which is emptied. Its texts hold file and function names of
// the library, never key material.
std::string last_error() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown error";
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

}  // namespace

std::string verify_reason(long verify_result) {
  switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "not-yet-valid";
    case X509_V_ERR_CERT_REVOKED: return "revoked";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:  // the peer sent its own root, and we do not trust it
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_INVALID_CA: return "unknown-ca";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER: return "crl-missing";
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID: return "crl-expired";
    case X509_V_ERR_INVALID_PURPOSE: return "wrong-purpose";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return "host-mismatch";
    default: return "other";
  }
}

namespace {

// SSL_ex_data slot of a std::string: the fingerprint of the certificate that verification looked at.
// The peer's certificate cannot be asked of the SSL once a handshake has failed.
int fingerprint_slot() {
  static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr,
                                               [](void*, void* value, CRYPTO_EX_DATA*, int, long, void*) {
                                                 delete static_cast<std::string*>(value);
                                               });
  return slot;
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  return to_hex({digest.data(), size});
}

int on_verify(int good, X509_STORE_CTX* store) {
  if (good == 1) return 1;
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (ssl != nullptr && leaf != nullptr && SSL_get_ex_data(ssl, fingerprint_slot()) == nullptr)
    SSL_set_ex_data(ssl, fingerprint_slot(), new std::string(fingerprint_of(leaf)));
  return 0;
}

bool only_owner_reads(const std::string& path, std::string& why) {
  // The same rule as for every credential: others may neither read nor change it.
  const Result<Secret> content = read_secret_file(path.c_str(), 64 * 1024);
  if (!content) why = content.what();
  return content.has_value();
}

Status load_identity(SSL_CTX* context, const TlsFiles& files) {
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    return fail("certificate " + files.certificate + ": " + last_error() + "; give a PEM chain, leaf first");
  std::string why;
  if (!only_owner_reads(files.key, why)) return fail(why);
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(context) != 1)
    return fail("key " + files.key + ": " + last_error() + "; give the PEM key of " + files.certificate);
  return {};
}

Status load_trust(SSL_CTX* context, const TlsFiles& files) {
  if (SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) != 1)
    return fail("CA " + files.ca + ": " + last_error() + "; give a PEM file of the CA that issues the peers' certificates");
  if (files.crl.empty()) return {};
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  if (lookup == nullptr || X509_load_crl_file(lookup, files.crl.c_str(), X509_FILETYPE_PEM) < 1)
    return fail("revocation list " + files.crl + ": " + last_error() + "; give the CA's current CRL in PEM");
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  ERR_clear_error();
  return {};
}

Result<SslContext> base_context(const SSL_METHOD* method, bool allow_tls12) {
  SslContext context(SSL_CTX_new(method));
  if (!context) return fail("TLS context: " + last_error());
  SSL_CTX* c = context.get();
  const bool set = SSL_CTX_set_min_proto_version(c, allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
                   SSL_CTX_set_ciphersuites(c, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256") == 1 &&
                   SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!SHA1") == 1 &&
                   SSL_CTX_set1_groups_list(c, "X25519:P-256") == 1;
  if (!set) return fail("TLS policy: " + last_error());
  SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Idle connections give their buffers back; partial writes suit an event loop.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

void SslContextFree::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
void SslFree::operator()(SSL* ssl) const { SSL_free(ssl); }

Result<SslContext> make_tls_server(const TlsFiles& files) {
  if (files.crl.empty() && !files.crl_optional)
    return fail("TLS server: 'crl' is missing; give the client CA's revocation list, so that a stolen certificate can be refused");
  Result<SslContext> context = base_context(TLS_server_method(), files.allow_tls12);
  if (!context) return context;
  if (const Status loaded = load_identity(context->get(), files); !loaded) return fail(loaded.what());
  if (const Status loaded = load_trust(context->get(), files); !loaded) return fail(loaded.what());
  SSL_CTX_set_verify(context->get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
  SSL_CTX_set_client_CA_list(context->get(), SSL_load_client_CA_file(files.ca.c_str()));
  SSL_CTX_set_session_cache_mode(context->get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context->get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context->get(), 0);
  return context;
}

Result<SslContext> make_tls_open_server(const TlsFiles& files) {
  Result<SslContext> context = base_context(TLS_server_method(), files.allow_tls12);
  if (!context) return context;
  if (const Status loaded = load_identity(context->get(), files); !loaded) return fail(loaded.what());
  return context;
}

Result<SslContext> make_tls_client(const TlsFiles& files) {
  Result<SslContext> context = base_context(TLS_client_method(), files.allow_tls12);
  if (!context) return context;
  if (!files.certificate.empty())
    if (const Status loaded = load_identity(context->get(), files); !loaded) return fail(loaded.what());
  if (const Status loaded = load_trust(context->get(), files); !loaded) return fail(loaded.what());
  SSL_CTX_set_verify(context->get(), SSL_VERIFY_PEER, on_verify);
  return context;
}

Result<SslHandle> make_client_ssl(SSL_CTX* context, const std::string& host) {
  SslHandle ssl(SSL_new(context));
  if (!ssl) return fail("TLS: " + last_error());
  in6_addr address{};
  const bool literal = inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
  // Only the SAN counts, never the subject's common name (RFC 6125 section 6.4.4, RFC 9525 section 2).
  SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool bound = literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str()) == 1
                             : SSL_set1_host(ssl.get(), host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl.get(), host.c_str()) == 1;
  if (!bound) return fail("TLS: '" + host + "' is not a host name or address");
  SSL_set_connect_state(ssl.get());
  return ssl;
}

SslHandle make_server_ssl(SSL_CTX* context) {
  SslHandle ssl(SSL_new(context));
  if (ssl) SSL_set_accept_state(ssl.get());
  return ssl;
}

Result<PeerIdentity> peer_identity(const SSL* ssl) {
  const Certificate certificate(SSL_get1_peer_certificate(ssl));
  if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return fail("the peer has no verified certificate");
  PeerIdentity identity;
  identity.fingerprint = fingerprint_of(certificate.get());
  if (BIGNUM* serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr); serial != nullptr) {
    if (char* hex = BN_bn2hex(serial); hex != nullptr) {
      identity.serial = hex;
      OPENSSL_free(hex);
    }
    BN_free(serial);
  }
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> dns;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI && name->type != GEN_DNS) continue;
    const ASN1_IA5STRING* text = name->type == GEN_URI ? name->d.uniformResourceIdentifier : name->d.dNSName;
    std::string value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text)));
    // "bank.example\0.evil.example" must not become "bank.example" anywhere further on.
    if (value.find('\0') != std::string::npos) return fail("the peer's certificate has a name with a NUL in it");
    (name->type == GEN_URI ? identity.names : dns).push_back(std::move(value));
  }
  identity.names.insert(identity.names.end(), dns.begin(), dns.end());
  if (identity.names.empty()) return fail("the peer's certificate has no subject alternative name of kind URI or DNS");
  return identity;
}

HandshakeFailure handshake_failure(const SSL* ssl) {
  HandshakeFailure failure{"protocol", {}};
  const auto* seen = static_cast<const std::string*>(SSL_get_ex_data(ssl, fingerprint_slot()));
  if (seen != nullptr) failure.fingerprint = *seen;
  const unsigned long code = ERR_peek_last_error();
  if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK) failure.reason = verify_reason(verdict);
  else if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) failure.reason = "no-certificate";
  ERR_clear_error();
  return failure;
}

std::string tls_description(const SSL* ssl) {
  const char* cipher = SSL_get_cipher_name(ssl);
  return std::string(SSL_get_version(ssl)) + " " + (cipher == nullptr ? "" : cipher);
}

Result<long long> certificate_not_after(const std::string& path) {
  const Bio file(BIO_new_file(path.c_str(), "r"));
  if (!file) return fail("certificate " + path + ": cannot be read");
  long long earliest = 0;
  for (;;) {
    const Certificate certificate(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    std::tm end{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1) return fail("certificate " + path + ": its end cannot be read");
    const long long seconds = timegm(&end);
    if (earliest == 0 || seconds < earliest) earliest = seconds;
  }
  ERR_clear_error();
  if (earliest == 0) return fail("certificate " + path + ": holds no PEM certificate");
  return earliest;
}

}  // namespace postern
