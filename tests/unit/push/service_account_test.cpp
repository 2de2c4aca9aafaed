// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/push/service_account.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "connectors/sources/json/document.hpp"
#include "connectors/sources/json/writer.hpp"
#include "crypto/bytes.hpp"

namespace postern::push {
namespace {

std::string pem_of(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::string text(8192, '\0');
  text.resize(static_cast<std::size_t>(std::max(0, BIO_read(bio, text.data(), 8192))));
  BIO_free(bio);
  return text;
}

std::string account_with(const std::string& pem, std::string_view type = "service_account",
                         std::string_view token_uri = "https://oauth2.googleapis.com/token") {
  std::string out;
  json::Writer(out)
      .object()
      .key("type")
      .text(type)
      .key("project_id")
      .text("bank-test")
      .key("private_key_id")
      .text("key-1")
      .key("private_key")
      .text(pem)
      .key("client_email")
      .text("push@bank-test.iam.example")
      .key("token_uri")
      .text(token_uri)
      .end_object();
  return out;
}

Result<ServiceAccount> read(const std::string& text) { return ServiceAccount::read(Secret(std::string_view(text))); }

Bytes decode(std::string_view text) {
  std::string plain(text);
  std::ranges::replace(plain, '-', '+');
  std::ranges::replace(plain, '_', '/');
  while (plain.size() % 4 != 0) plain.push_back('=');
  Bytes bytes;
  EXPECT_TRUE(from_base64(plain, bytes));
  return bytes;
}

class ServiceAccountTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { key = new PrivateKey(EVP_RSA_gen(2048)); }
  static void TearDownTestSuite() {
    delete key;
    key = nullptr;
  }
  static inline PrivateKey* key = nullptr;
};

TEST_F(ServiceAccountTest, an_assertion_verifies_with_the_public_key_and_says_what_rfc_7523_wants) {
  const Result<ServiceAccount> account = read(account_with(pem_of(key->get())));
  ASSERT_TRUE(account) << account.what();
  const Result<Secret> assertion = make_assertion(*account, 1'795'356'000);
  ASSERT_TRUE(assertion);
  const std::string_view text = assertion->text();
  const std::size_t first = text.find('.'), last = text.rfind('.');
  ASSERT_NE(first, last);
  EXPECT_EQ(as_text(decode(text.substr(0, first))), R"({"alg":"RS256","typ":"JWT","kid":"key-1"})");
  EXPECT_EQ(as_text(decode(text.substr(first + 1, last - first - 1))),
            R"({"iss":"push@bank-test.iam.example","scope":"https://www.googleapis.com/auth/firebase.messaging",)"
            R"("aud":"https://oauth2.googleapis.com/token","iat":1795356000,"exp":1795359600})");
  const Bytes signature = decode(text.substr(last + 1));
  const auto verify = [&](std::string_view said) {
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(digest, nullptr, EVP_sha256(), nullptr, key->get());
    const ByteView input = as_bytes(said);
    const int good = EVP_DigestVerify(digest, signature.data(), signature.size(), input.data(), input.size());
    EVP_MD_CTX_free(digest);
    return good == 1;
  };
  EXPECT_TRUE(verify(text.substr(0, last)));
  EXPECT_FALSE(verify(text.substr(0, last - 1)));
  EXPECT_EQ(text.find('='), std::string_view::npos);
}

TEST_F(ServiceAccountTest, a_file_of_another_kind_is_refused) {
  const Result<ServiceAccount> account = read(account_with(pem_of(key->get()), "authorized_user"));
  ASSERT_FALSE(account);
  EXPECT_NE(account.what().find("service_account"), std::string::npos);
}

TEST_F(ServiceAccountTest, a_token_uri_without_tls_is_refused) {
  EXPECT_FALSE(read(account_with(pem_of(key->get()), "service_account", "http://oauth2.googleapis.com/token")));
}

TEST_F(ServiceAccountTest, a_key_that_is_too_short_is_refused) {
  const PrivateKey small(EVP_RSA_gen(1024));
  const Result<ServiceAccount> account = read(account_with(pem_of(small.get())));
  ASSERT_FALSE(account);
  EXPECT_NE(account.what().find("2,048"), std::string::npos);
}

TEST_F(ServiceAccountTest, a_key_that_is_not_rsa_is_refused) {
  const PrivateKey curve(EVP_EC_gen("P-256"));
  EXPECT_FALSE(read(account_with(pem_of(curve.get()))));
}

TEST_F(ServiceAccountTest, an_error_never_repeats_the_key) {
  const std::string pem = pem_of(key->get());
  const Result<ServiceAccount> account = read(account_with(pem.substr(0, pem.size() / 2)));
  ASSERT_FALSE(account);
  EXPECT_EQ(account.what().find("PRIVATE"), std::string::npos);
}

TEST_F(ServiceAccountTest, what_is_no_json_is_refused) { EXPECT_FALSE(read("private_key: yes")); }

}  // namespace
}  // namespace postern::push
