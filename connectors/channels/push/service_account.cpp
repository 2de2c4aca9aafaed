// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/service_account.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>

#include "connectors/channels/http_client/client_settings.hpp"
#include "connectors/sources/json/document.hpp"
#include "connectors/sources/json/writer.hpp"
#include "crypto/bytes.hpp"

namespace postern::push {
namespace {

constexpr std::size_t kMaxAccount = 32 * 1024;
constexpr std::int64_t kAssertionLife = 3600;  // the longest that the token service accepts
constexpr std::string_view kScope = "https://www.googleapis.com/auth/firebase.messaging";

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct DigestFree {
  void operator()(EVP_MD_CTX* digest) const { EVP_MD_CTX_free(digest); }
};

// RFC 4648 section 5 without padding, as RFC 7515 section 2 wants it.
std::string base64url(ByteView bytes) {
  std::string text = to_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

PrivateKey read_key(std::string_view pem) {
  const std::unique_ptr<BIO, BioFree> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return nullptr;
  // A key with a passphrase is refused; without this callback OpenSSL would ask at the terminal.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  return PrivateKey(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
}

bool is_project_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == ':' || c == '.';
  });
}

}  // namespace

void PrivateKeyFree::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

Result<ServiceAccount> ServiceAccount::read(const Secret& text) {
  json::Document document;  // wiped with its end
  if (const auto error = document.parse(text.text(), kMaxAccount))
    return fail("the service account is no JSON document (" + error->code + "); give the file as Google issued it");
  const json::Value root = document.root();
  const auto member = [&](const char* name) { return std::string(root.find(name).text()); };
  ServiceAccount account;
  if (root.find("type").text() != "service_account")
    return fail("the service account's 'type' is not \"service_account\"; give a service account, no client secret");
  account.project_id = member("project_id");
  if (!is_project_id(account.project_id)) return fail("the service account's 'project_id' is missing or no project id");
  account.client_email = member("client_email");
  if (account.client_email.empty()) return fail("the service account's 'client_email' is missing");
  account.key_id = member("private_key_id");
  account.token_uri = member("token_uri");
  if (!http_client::is_plain_https_url(account.token_uri))
    return fail("the service account's 'token_uri' is no https:// address");
  account.key = read_key(root.find("private_key").text());
  if (!account.key || EVP_PKEY_get_base_id(account.key.get()) != EVP_PKEY_RSA)
    return fail("the service account's 'private_key' is no RSA key in PEM form");
  if (EVP_PKEY_get_bits(account.key.get()) < 2048)
    return fail("the service account's 'private_key' has less than 2,048 bits; issue a new one");
  return account;
}

Result<Secret> make_assertion(const ServiceAccount& account, std::int64_t now_s) {
  std::string header, claims;
  json::Writer head(header);
  head.object().key("alg").text("RS256").key("typ").text("JWT");
  if (!account.key_id.empty()) head.key("kid").text(account.key_id);
  head.end_object();
  json::Writer(claims)
      .object()
      .key("iss")
      .text(account.client_email)
      .key("scope")
      .text(kScope)
      .key("aud")
      .text(account.token_uri)
      .key("iat")
      .number(now_s)
      .key("exp")
      .number(now_s + kAssertionLife)
      .end_object();
  std::string signed_part = base64url(as_bytes(header)) + "." + base64url(as_bytes(claims));

  const std::unique_ptr<EVP_MD_CTX, DigestFree> digest(EVP_MD_CTX_new());
  const ByteView input = as_bytes(signed_part);
  std::size_t size = 0;
  if (!digest || EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, account.key.get()) != 1 ||
      EVP_DigestSign(digest.get(), nullptr, &size, input.data(), input.size()) != 1)
    return fail("the service account's key cannot sign");
  Bytes signature(size);
  if (EVP_DigestSign(digest.get(), signature.data(), &size, input.data(), input.size()) != 1)
    return fail("the service account's key cannot sign");
  signature.resize(size);
  std::string assertion;
  assertion.reserve(signed_part.size() + 1 + size * 4 / 3 + 4);
  assertion.append(signed_part).append(".").append(base64url(signature));
  Secret secret{std::string_view(assertion)};
  wipe_text(assertion);
  return secret;
}

}  // namespace postern::push
