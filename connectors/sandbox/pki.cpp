// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/pki.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <sstream>

#include "connectors/sandbox/files.hpp"
#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"

// OpenSSL's functional macros cast in the C way.
#pragma GCC diagnostic ignored "-Wold-style-cast"

namespace postern::sandbox {
namespace {

struct Free {
  void operator()(X509* x) const { X509_free(x); }
  void operator()(X509_CRL* x) const { X509_CRL_free(x); }
  void operator()(X509_REVOKED* x) const { X509_REVOKED_free(x); }
  void operator()(EVP_PKEY* x) const { EVP_PKEY_free(x); }
  void operator()(BIO* x) const { BIO_free(x); }
  void operator()(X509_EXTENSION* x) const { X509_EXTENSION_free(x); }
  void operator()(ASN1_STRING* x) const { ASN1_STRING_free(x); }  // times and integers, too
  void operator()(BIGNUM* x) const { BN_free(x); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

constexpr long kDay = 24 * 3600, kBackdated = -3600;

std::string reason() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

Status fault(const std::string& what) { return fail("sandbox CA: " + what + ": " + reason()); }

template <class Write>
Result<std::string> as_pem(Write write) {
  const Owned<BIO> out(BIO_new(BIO_s_mem()));
  if (!out || write(out.get()) != 1) return fail("sandbox CA: PEM: " + reason());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Status write_key(const std::string& path, EVP_PKEY* key) {
  Result<std::string> pem =
      as_pem([&](BIO* out) { return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
  if (!pem) return fail(pem.what());
  const Status written = write_file(path, *pem, 0400);
  wipe_text(*pem);
  return written;
}

Status write_certificate(const std::string& path, X509* certificate) {
  const Result<std::string> pem = as_pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
  return pem ? write_file(path, *pem, 0444) : fail(pem.what());
}

bool set_serial(ASN1_INTEGER* to) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive, and of full length
  const Owned<BIGNUM> number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), to) != nullptr;
}

bool set_name(X509_NAME* name, const std::string& text) {
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool add_extension(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(to, extension.get(), -1) == 1;
}

// Everything of a certificate but its extensions and its signature.
Owned<X509> draft(EVP_PKEY* key, const std::string& name, X509* issuer) {
  Owned<X509> certificate(X509_new());
  X509* c = certificate.get();
  const bool good = c != nullptr && X509_set_version(c, X509_VERSION_3) == 1 && set_serial(X509_get_serialNumber(c)) &&
                    X509_gmtime_adj(X509_getm_notBefore(c), kBackdated) != nullptr &&
                    X509_gmtime_adj(X509_getm_notAfter(c), kCertificateDays * kDay) != nullptr &&
                    set_name(X509_get_subject_name(c), name) && X509_set_pubkey(c, key) == 1 &&
                    X509_set_issuer_name(c, X509_get_subject_name(issuer == nullptr ? c : issuer)) == 1;
  return good ? std::move(certificate) : nullptr;
}

std::string serial_hex(X509* certificate) {
  const Owned<BIGNUM> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  char* hex = number ? BN_bn2hex(number.get()) : nullptr;
  std::string text = hex == nullptr ? "" : hex;
  OPENSSL_free(hex);
  return text;
}

bool add_revoked(X509_CRL* list, const std::string& hex) {
  BIGNUM* raw = nullptr;
  if (BN_hex2bn(&raw, hex.c_str()) == 0) return false;
  const Owned<BIGNUM> number(raw);
  const Owned<ASN1_INTEGER> serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
  const Owned<ASN1_TIME> now(ASN1_TIME_set(nullptr, std::time(nullptr)));
  Owned<X509_REVOKED> entry(X509_REVOKED_new());
  if (!serial || !now || !entry || X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), now.get()) != 1 || X509_CRL_add0_revoked(list, entry.get()) != 1)
    return false;
  static_cast<void>(entry.release());  // the list owns it now
  return true;
}

}  // namespace

struct Authority::Keys {
  Owned<EVP_PKEY> key;
  Owned<X509> certificate;
};

Authority::Authority(std::string folder, std::unique_ptr<Keys> keys)
    : folder_(std::move(folder)), keys_(std::move(keys)) {}
Authority::~Authority() = default;

Result<std::unique_ptr<Authority>> Authority::open(const std::string& folder) {
  auto keys = std::make_unique<Keys>();
  const std::string key_path = folder + "/ca.key", certificate_path = folder + "/ca.pem";
  if (std::filesystem::exists(certificate_path)) {
    const Owned<BIO> key(BIO_new_file(key_path.c_str(), "r")), certificate(BIO_new_file(certificate_path.c_str(), "r"));
    if (key) keys->key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
    if (certificate) keys->certificate.reset(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    if (!keys->key || !keys->certificate) return fail(fault(folder + ": ca.pem or ca.key cannot be read").error().what);
    return std::unique_ptr<Authority>(new Authority(folder, std::move(keys)));
  }
  keys->key.reset(EVP_EC_gen("P-256"));
  if (keys->key) keys->certificate = draft(keys->key.get(), "Postern sandbox CA", nullptr);
  X509* c = keys->certificate.get();
  const bool made = c != nullptr && add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                    add_extension(c, c, NID_subject_key_identifier, "hash") &&
                    X509_sign(c, keys->key.get(), EVP_sha256()) != 0;
  if (!made) return fail(fault("the root cannot be made").error().what);
  if (const Status written = write_key(key_path, keys->key.get()); !written) return fail(written.what());
  if (const Status written = write_certificate(certificate_path, c); !written) return fail(written.what());
  return std::unique_ptr<Authority>(new Authority(folder, std::move(keys)));
}

Status Authority::issue(const LeafRequest& request) {
  const std::string path = folder_ + "/" + request.name;
  if (std::filesystem::exists(path + ".pem")) return {};
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const Owned<X509> certificate = key ? draft(key.get(), request.name, keys_->certificate.get()) : nullptr;
  X509 *c = certificate.get(), *ca = keys_->certificate.get();
  std::string names = request.server ? "DNS:localhost,IP:127.0.0.1,IP:::1" : "";
  if (!request.uri.empty()) names += (names.empty() ? "URI:" : ",URI:") + request.uri;
  const std::string purposes = request.server && request.client ? "serverAuth,clientAuth"
                               : request.server                 ? "serverAuth"
                                                                : "clientAuth";
  const bool made = c != nullptr && add_extension(c, ca, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(c, ca, NID_key_usage, "critical,digitalSignature") &&
                    add_extension(c, ca, NID_ext_key_usage, purposes) &&
                    (names.empty() || add_extension(c, ca, NID_subject_alt_name, names)) &&
                    add_extension(c, ca, NID_subject_key_identifier, "hash") &&
                    add_extension(c, ca, NID_authority_key_identifier, "keyid:always") &&
                    X509_sign(c, keys_->key.get(), EVP_sha256()) != 0;
  if (!made) return fault("no certificate for " + request.name);
  if (request.revoked) {
    const std::string list = folder_ + "/revoked.txt";
    const Result<std::string> before = read_file(list);
    if (const Status kept = write_file(list, before.value_or("") + serial_hex(c) + "\n", 0444); !kept) return kept;
  }
  if (const Status written = write_key(path + ".key", key.get()); !written) return written;
  return write_certificate(path + ".pem", c);
}

Status Authority::write_list() const {
  const Owned<X509_CRL> list(X509_CRL_new());
  const Owned<ASN1_TIME> now(X509_gmtime_adj(nullptr, kBackdated)), next(X509_gmtime_adj(nullptr, kListDays * kDay));
  X509_CRL* l = list.get();
  bool made = l != nullptr && now && next && X509_CRL_set_version(l, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(l, X509_get_subject_name(keys_->certificate.get())) == 1 &&
              X509_CRL_set1_lastUpdate(l, now.get()) == 1 && X509_CRL_set1_nextUpdate(l, next.get()) == 1;
  std::istringstream serials(read_file(folder_ + "/revoked.txt").value_or(""));
  for (std::string hex; made && std::getline(serials, hex);) made = add_revoked(l, hex);
  made = made && X509_CRL_sort(l) == 1 && X509_CRL_sign(l, keys_->key.get(), EVP_sha256()) != 0;
  if (!made) return fault("the revocation list cannot be made");
  const Result<std::string> pem = as_pem([&](BIO* out) { return PEM_write_bio_X509_CRL(out, l); });
  return pem ? write_file(folder_ + "/crl.pem", *pem, 0444) : fail(pem.what());
}

}  // namespace postern::sandbox
