// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/dkim.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "crypto/bytes.hpp"

namespace postern::email {
namespace {

struct PkeyFree {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;
struct BioFree {
  void operator()(BIO* b) const { BIO_free_all(b); }
};
struct MdContextFree {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};
using MdContext = std::unique_ptr<EVP_MD_CTX, MdContextFree>;
struct MdFree {
  void operator()(EVP_MD* m) const { EVP_MD_free(m); }
};

// From stands twice: a verifier then finds a mail with a second From broken (RFC 6376 section 8.15).
constexpr std::array<std::string_view, 11> kSignedHeaders = {"from",
                                                             "from",
                                                             "to",
                                                             "subject",
                                                             "date",
                                                             "message-id",
                                                             "mime-version",
                                                             "content-type",
                                                             "auto-submitted",
                                                             "list-unsubscribe",
                                                             "list-unsubscribe-post"};

bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// The header fields in order, each with its folded lines and CRLF; `body` gets what follows the empty line.
std::vector<std::string_view> split_headers(std::string_view mail, std::string_view& body) {
  std::vector<std::string_view> fields;
  std::size_t begin = 0, at = 0;
  body = {};
  while (at < mail.size()) {
    const std::size_t end = mail.find("\r\n", at);
    if (end == std::string_view::npos) break;
    if (end == at) {
      body = mail.substr(end + 2);
      break;
    }
    at = end + 2;
    if (at < mail.size() && is_space(mail[at])) continue;
    fields.push_back(mail.substr(begin, at - begin));
    begin = at;
  }
  return fields;
}

// Folds a long base64 value into lines that stay under 78 characters.
std::string folded(const std::string& base64) {
  constexpr std::size_t kWidth = 70;
  std::string out;
  for (std::size_t at = 0; at < base64.size(); at += kWidth)
    out += (at > 0 ? "\r\n\t" : "") + base64.substr(at, kWidth);
  return out;
}

}  // namespace

struct DkimSigner::Key {
  Pkey pkey;
  std::unique_ptr<EVP_MD, MdFree> sha256{EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  bool ed25519 = false;

  Result<std::array<std::uint8_t, 32>> digest(std::string_view data) const {
    std::array<std::uint8_t, 32> out{};
    unsigned size = 0;
    if (EVP_Digest(data.data(), data.size(), out.data(), &size, sha256.get(), nullptr) != 1 || size != out.size())
      return fail("mail-dkim");
    return out;
  }

  Result<Bytes> sign(std::string_view data) const {
    const MdContext context(EVP_MD_CTX_new());
    if (!context) return fail("mail-dkim");
    std::array<std::uint8_t, 32> hash{};
    ByteView input = as_bytes(data);
    if (ed25519) {
      // RFC 8463 section 3: PureEdDSA over the SHA-256 of what RSA would have signed.
      const Result<std::array<std::uint8_t, 32>> hashed = digest(data);
      if (!hashed) return std::unexpected(hashed.error());
      hash = *hashed;
      input = hash;
    }
    std::size_t size = 0;
    if (EVP_DigestSignInit(context.get(), nullptr, ed25519 ? nullptr : sha256.get(), nullptr, pkey.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, input.data(), input.size()) != 1)
      return fail("mail-dkim");
    Bytes signature(size);
    if (EVP_DigestSign(context.get(), signature.data(), &size, input.data(), input.size()) != 1)
      return fail("mail-dkim");
    signature.resize(size);
    return signature;
  }
};

std::string relaxed_body(std::string_view body) {
  std::string out;
  out.reserve(body.size());
  std::size_t empty_lines = 0;
  while (!body.empty()) {
    const std::size_t end = body.find("\r\n");
    std::string_view line = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 2);
    while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
    if (line.empty()) {
      ++empty_lines;
      continue;
    }
    for (; empty_lines > 0; --empty_lines) out += "\r\n";
    bool space = false;
    for (const char c : line) {
      if (is_space(c)) {
        space = true;
        continue;
      }
      if (std::exchange(space, false)) out += ' ';
      out += c;
    }
    out += "\r\n";
  }
  return out;
}

std::string relaxed_header(std::string_view field) {
  const std::size_t colon = field.find(':');
  std::string_view name = field.substr(0, colon);
  while (!name.empty() && is_space(name.back())) name.remove_suffix(1);
  std::string out = lower(name) + ':';
  bool space = false, begun = false;
  for (const char c : colon == std::string_view::npos ? std::string_view() : field.substr(colon + 1)) {
    if (c == '\r' || c == '\n') continue;
    if (is_space(c)) {
      space = true;
      continue;
    }
    if (std::exchange(space, false) && begun) out += ' ';
    begun = true;
    out += c;
  }
  out += "\r\n";
  return out;
}

DkimSigner::DkimSigner(std::string domain, std::string selector, std::unique_ptr<Key> key)
    : domain_(std::move(domain)), selector_(std::move(selector)), key_(std::move(key)) {}
DkimSigner::~DkimSigner() = default;

Result<std::unique_ptr<DkimSigner>> DkimSigner::make(std::string domain, std::string selector, const Secret& pem) {
  const std::unique_ptr<BIO, BioFree> bio(BIO_new_mem_buf(pem.bytes().data(), static_cast<int>(pem.size())));
  auto key = std::make_unique<Key>();
  // No passphrase prompt: a service has no terminal.
  if (bio)
    key->pkey.reset(PEM_read_bio_PrivateKey(
        bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
  if (!key->pkey)
    return fail("the DKIM key is not a PEM private key without passphrase; make one with `openssl genpkey`");
  if (!key->sha256) return fail("OpenSSL offers no SHA-256");
  key->ed25519 = EVP_PKEY_is_a(key->pkey.get(), "ED25519") == 1;
  if (!key->ed25519) {
    if (EVP_PKEY_is_a(key->pkey.get(), "RSA") != 1) return fail("the DKIM key must be RSA or Ed25519");
    if (EVP_PKEY_get_bits(key->pkey.get()) < 2048)
      return fail("the DKIM key has fewer than 2048 bits; make a longer one");
  }
  return std::unique_ptr<DkimSigner>(new DkimSigner(std::move(domain), std::move(selector), std::move(key)));
}

std::string_view DkimSigner::algorithm() const { return key_->ed25519 ? "ed25519-sha256" : "rsa-sha256"; }

Result<std::string> DkimSigner::sign(std::string_view mail, std::int64_t time_s) const {
  std::string_view body;
  std::vector<std::string_view> fields = split_headers(mail, body);
  const Result<std::array<std::uint8_t, 32>> body_hash = key_->digest(relaxed_body(body));
  if (!body_hash) return std::unexpected(body_hash.error());

  // Fields of one name are signed from the last upwards; a name without a field left signs its absence
  // (RFC 6376 section 5.4.2), which only From is meant to do here.
  std::string signed_fields, list;
  for (const std::string_view name : kSignedHeaders) {
    const auto found = std::find_if(fields.rbegin(), fields.rend(), [&](std::string_view field) {
      std::string_view own = field.substr(0, field.find(':'));
      while (!own.empty() && is_space(own.back())) own.remove_suffix(1);
      return lower(own) == name;
    });
    if (found == fields.rend() && name != "from") continue;
    if (found != fields.rend()) {
      signed_fields += relaxed_header(*found);
      fields.erase(std::next(found).base());
    }
    list += (list.empty() ? "" : ":") + std::string(name);
  }
  std::string field = "DKIM-Signature: v=1; a=" + std::string(algorithm()) + "; c=relaxed/relaxed;\r\n\td=" + domain_ +
                      "; s=" + selector_ + "; t=" + std::to_string(time_s) + ";\r\n\th=" + list +
                      ";\r\n\tbh=" + to_base64(*body_hash) + ";\r\n\tb=";
  std::string own = relaxed_header(field);
  own.resize(own.size() - 2);  // section 3.7: the signature's own field goes in without its CRLF
  const Result<Bytes> signature = key_->sign(signed_fields + own);
  if (!signature) return std::unexpected(signature.error());
  return field + folded(to_base64(*signature)) + "\r\n";
}

}  // namespace postern::email
