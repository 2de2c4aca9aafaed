// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/signature.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "connectors/sources/hook/query.hpp"
#include "connectors/sources/json/document.hpp"

namespace postern::hook {
namespace {

TEST(HubSignatureTest, the_vector_verifies_and_no_changed_byte_does) {
  std::ifstream in(POSTERN_VECTORS "/providers/signature-vectors.json");
  std::stringstream text;
  text << in.rdbuf();
  const std::string all = text.str();
  json::Document document;
  ASSERT_FALSE(document.parse(all, 1 << 20));
  int seen = 0;
  for (json::Value v = document.root().first(); v; v = v.next()) {
    if (v.find("name").text() != "whatsapp X-Hub-Signature-256") continue;
    ++seen;
    const Secret secret(v.find("secret").text());
    const std::string value(v.find("value").text()), body(v.find("body").text());
    EXPECT_EQ(hub_signature(secret, body), value);
    EXPECT_TRUE(hub_signature_good(secret, value, body));
    for (std::size_t i = 0; i < body.size(); ++i) {
      std::string changed = body;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      EXPECT_FALSE(hub_signature_good(secret, value, changed)) << i;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      std::string changed = value;
      changed[i] = changed[i] == '0' ? '1' : '0';
      EXPECT_FALSE(hub_signature_good(secret, changed, body)) << i;
    }
  }
  EXPECT_EQ(seen, 1);
}

TEST(HubSignatureTest, any_other_form_is_a_bad_signature) {
  const Secret secret(std::string_view("app-secret"));
  const std::string good = hub_signature(secret, "body");
  for (const std::string& header :
       {std::string(), std::string("sha256="), good.substr(0, good.size() - 1), good + "0", good + " ", good.substr(7),
        "sha1=" + good.substr(7), "sha256=" + std::string(64, 'z')})
    EXPECT_FALSE(hub_signature_good(secret, header, "body")) << header;
}

TEST(HubSignatureTest, an_empty_secret_signs_nothing) {
  const Secret empty;
  EXPECT_FALSE(hub_signature_good(empty, hub_signature(Secret(std::string_view("x")), "body"), "body"));
}

TEST(QueryValueTest, values_are_decoded) {
  EXPECT_EQ(query_value("hub.mode=subscribe&hub.challenge=1158", "hub.challenge"), "1158");
  EXPECT_EQ(query_value("hub%2Emode=a%20b+c%2B", "hub.mode"), "a b c+");
  EXPECT_EQ(query_value("a=&b", "a"), "");
  EXPECT_EQ(query_value("a=&b", "b"), "");
  EXPECT_EQ(query_value("a=1%3d", "a"), "1=");
}

TEST(QueryValueTest, what_is_absent_broken_or_there_twice_is_nothing) {
  EXPECT_EQ(query_value("", "a"), std::nullopt);
  EXPECT_EQ(query_value("b=1", "a"), std::nullopt);
  EXPECT_EQ(query_value("a=1&a=2", "a"), std::nullopt);
  EXPECT_EQ(query_value("a=1&%61=2", "a"), std::nullopt);
  for (const char* broken : {"a=%", "a=%2", "a=%zz", "a=%%20"})
    EXPECT_EQ(query_value(broken, "a"), std::nullopt) << broken;
}

}  // namespace
}  // namespace postern::hook
