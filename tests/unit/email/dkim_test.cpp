// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/dkim.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

#include "crypto/bytes.hpp"

namespace postern::email {
namespace {

// RFC 8463 appendix A.2: the seed as PKCS #8, and its public key.
constexpr std::string_view kEd25519 =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE "
    "KEY-----\n";
constexpr std::string_view kEd25519Public = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

// RFC 8463 appendix A.3.
constexpr std::string_view kHeaders[] = {
    "From: Joe SixPack <joe@football.example.com>\r\n", "To: Suzie Q <suzie@shopping.example.net>\r\n",
    "Subject: Is dinner ready?\r\n", "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n",
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"};
constexpr std::string_view kBody = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
constexpr std::string_view kBodyHash = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";

std::string example() {
  std::string mail;
  for (const std::string_view field : kHeaders) mail += field;
  return mail + "\r\n" + std::string(kBody);
}

bool ed25519_verifies(std::string_view data, std::string_view signature_base64) {
  Bytes key, signature;
  if (!from_base64(kEd25519Public, key) || !from_base64(signature_base64, signature)) return false;
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> pkey(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()), EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::array<std::uint8_t, 32> hash{};
  unsigned size = 0;
  EVP_Digest(data.data(), data.size(), hash.data(), &size, EVP_sha256(), nullptr);
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), hash.data(), hash.size()) == 1;
}

std::string tag_of(std::string_view field, std::string_view name) {
  const std::size_t at = field.find(std::string(name) + "=");
  std::string value;
  for (const char c : field.substr(at + name.size() + 1)) {
    if (c == ';') break;
    if (c != '\r' && c != '\n' && c != '\t' && c != ' ') value += c;
  }
  return value;
}

TEST(DkimCanonical, FollowsRfc6376Section345) {
  EXPECT_EQ(relaxed_header("A: X\r\n"), "a:X\r\n");
  EXPECT_EQ(relaxed_header("B : Y\t\r\n\tZ  \r\n"), "b:Y Z\r\n");
  EXPECT_EQ(relaxed_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
}

TEST(DkimCanonical, KeepsAnEmptyBodyEmptyAndEndsOthersWithALineEnd) {
  EXPECT_EQ(relaxed_body(""), "");
  EXPECT_EQ(relaxed_body("\r\n\r\n"), "");
  EXPECT_EQ(relaxed_body(" \t\r\n"), "");
  EXPECT_EQ(relaxed_body("a"), "a\r\n");
  EXPECT_EQ(relaxed_body("a\r\n\r\nb\r\n"), "a\r\n\r\nb\r\n");
}

TEST(DkimCanonical, MakesTheDataThatRfc8463Signed) {
  std::string data;
  // h=from:to:subject:date:message-id:from:subject:date, the second ones absent.
  for (const std::string_view field : kHeaders) data += relaxed_header(field);
  std::string own = relaxed_header(
      "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
      "i=@football.example.com;\r\n"
      " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n"
      " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=\r\n");
  own.resize(own.size() - 2);
  EXPECT_TRUE(ed25519_verifies(
      data + own, "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="));
}

TEST(DkimSigner, SignsWithEd25519SoThatThePublicKeyVerifies) {
  const auto signer = DkimSigner::make("football.example.com", "brisbane", Secret(kEd25519));
  ASSERT_TRUE(signer) << signer.what();
  const Result<std::string> field = (*signer)->sign(example(), 1528637909);
  ASSERT_TRUE(field);
  EXPECT_EQ(tag_of(*field, "bh"), kBodyHash);
  EXPECT_EQ(tag_of(*field, "h"), "from:from:to:subject:date:message-id");
  EXPECT_EQ(tag_of(*field, " a"), "ed25519-sha256");
  std::string data;
  for (const std::string_view signed_field : kHeaders) data += relaxed_header(signed_field);
  std::string own = relaxed_header(field->substr(0, field->find("\tb=") + 3));
  own.resize(own.size() - 2);
  EXPECT_TRUE(ed25519_verifies(data + own, tag_of(*field, "\tb")));
  EXPECT_FALSE(ed25519_verifies("x" + data + own, tag_of(*field, "\tb")));
}

TEST(DkimSigner, FoldsItsFieldIntoShortLines) {
  const auto signer = DkimSigner::make("football.example.com", "brisbane", Secret(kEd25519));
  ASSERT_TRUE(signer);
  const std::string field = *(*signer)->sign(example(), 1);
  EXPECT_TRUE(field.ends_with("\r\n"));
  for (std::size_t at = 0; at < field.size();) {
    const std::size_t end = field.find("\r\n", at);
    EXPECT_LE(end - at, 200u);
    at = end + 2;
    EXPECT_TRUE(at >= field.size() || field[at] == '\t');
  }
}

std::string rsa_key(unsigned bits) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits}), EVP_PKEY_free);
  unsigned char* der = nullptr;
  const int size = i2d_PrivateKey(key.get(), &der);
  const std::string base64 = to_base64({der, static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  std::string pem = "-----BEGIN RSA PRIVATE KEY-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) pem += base64.substr(at, 64) + "\n";
  return pem + "-----END RSA PRIVATE KEY-----\n";
}

TEST(DkimSigner, SignsWithRsaAndKeepsTheBodyHash) {
  const auto signer = DkimSigner::make("football.example.com", "test", Secret(rsa_key(2048)));
  ASSERT_TRUE(signer) << signer.what();
  const Result<std::string> field = (*signer)->sign(example(), 1528637909);
  ASSERT_TRUE(field);
  EXPECT_EQ(tag_of(*field, " a"), "rsa-sha256");
  EXPECT_EQ(tag_of(*field, "bh"), kBodyHash);
  EXPECT_EQ(tag_of(*field, "\tb").size(), 344u);
}

TEST(DkimSigner, RefusesWeakAndForeignKeys) {
  EXPECT_NE(DkimSigner::make("d", "s", Secret(rsa_key(1024))).what().find("2048"), std::string::npos);
  EXPECT_FALSE(DkimSigner::make("d", "s", Secret(std::string_view("no key"))));
}

}  // namespace
}  // namespace postern::email
