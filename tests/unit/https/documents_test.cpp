// SPDX-License-Identifier: Apache-2.0
// The documents of postern-https agree with the program: the README's example is good, its table has
// every key, and the OpenAPI document names every route and field.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "connectors/sources/https/api.hpp"
#include "connectors/sources/https/https_source.hpp"
#include "connectors/sources/json/document.hpp"

namespace postern::https {
namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string& name) {
  std::ifstream file(std::string(POSTERN_SOURCE_DIR "/connectors/sources/https/") + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string example() {
  const std::string readme = read_file("README.md");
  const std::size_t begin = readme.find("```toml\n");
  const std::size_t end = readme.find("```", begin + 8);
  if (begin == std::string::npos || end == std::string::npos) return "";
  return readme.substr(begin + 8, end - begin - 8);
}

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("postern-https-settings-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "tls");
    for (const char* name : {"server.pem", "server.key", "clients-ca.pem", "clients-crl.pem"})
      std::ofstream(folder_ / "tls" / name) << "x";
  }
  void TearDown() override { fs::remove_all(folder_); }

  // The faults of a settings text, or "".
  std::string faults(const std::string& text) {
    auto file = SettingsFile::parse(text, (folder_ / "https.toml").string());
    if (!file) return file.what();
    Section root = (*file)->root();
    root.text("name");
    root.text("vault", "");
    root.text("log", "");
    settings_ = read_settings(root);
    const Status ok = (*file)->finish();
    return ok ? "" : ok.what();
  }
  std::string changed(const std::string& from, const std::string& to) {
    std::string text = example();
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return faults(text.replace(at, from.size(), to));
  }

  fs::path folder_;
  HttpsSettings settings_;
};

TEST_F(SettingsTest, TheExampleOfTheReadmeIsGood) {
  EXPECT_EQ(faults(example()), "");
  EXPECT_EQ(settings_.server.listen, "127.0.0.1:8443");
  EXPECT_EQ(settings_.default_region, "UA");
  EXPECT_EQ(settings_.server.limits.connections, 4096U);
  EXPECT_TRUE(settings_.server.client_certificates);
}

TEST_F(SettingsTest, EveryKeyOfTheTableIsKnown) {
  const std::string readme = read_file("README.md");
  const std::map<std::string, std::string> values = {{"port_file", "\"/run/x\""},
                                                     {"allow_fixed_lines", "true"},
                                                     {"body_limit", "2048"},
                                                     {"batch_limit", "4096"},
                                                     {"batches", "2"},
                                                     {"answer_timeout", "\"1s\""},
                                                     {"tls.crl_optional", "true"},
                                                     {"tls.allow_tls12", "true"},
                                                     {"limits.connections_per_peer", "3"},
                                                     {"limits.handshakes", "4"},
                                                     {"limits.handshakes_per_second", "50"},
                                                     {"limits.pipelined", "5"},
                                                     {"limits.body_memory", "1048576"},
                                                     {"limits.head", "2048"},
                                                     {"limits.handshake_time", "\"1s\""},
                                                     {"limits.head_time", "\"1s\""},
                                                     {"limits.request_time", "\"1s\""},
                                                     {"limits.idle_time", "\"1s\""},
                                                     {"limits.write_time", "\"1s\""},
                                                     {"limits.recheck_every", "\"1s\""},
                                                     {"limits.watch_files_every", "\"1s\""}};
  std::string text = example();
  for (const auto& [key, value] : values) {
    EXPECT_NE(readme.find("| `" + key + "` |"), std::string::npos) << key << " is not in the table";
    const std::size_t dot = key.find('.');
    const std::string line = (dot == std::string::npos ? key : key.substr(dot + 1)) + " = " + value + "\n";
    const std::string section = dot == std::string::npos ? "default_region" : "[" + key.substr(0, dot) + "]\n";
    const std::size_t at = text.find(section);
    ASSERT_NE(at, std::string::npos);
    text.insert(dot == std::string::npos ? at : at + section.size(), line);
  }
  EXPECT_EQ(faults(text), "");
  EXPECT_TRUE(settings_.allow_fixed_lines);
  EXPECT_EQ(settings_.server.limits.parser.head_bytes, 2048U);
  EXPECT_EQ(settings_.server.limits.recheck, std::chrono::seconds(1));
}

TEST_F(SettingsTest, FaultsAreNamedWithTheirPlace) {
  EXPECT_NE(changed("listen = \"127.0.0.1:8443\"", "listen = \"8443\"").find("write an address and a port"),
            std::string::npos);
  EXPECT_NE(changed("\"UA\"", "\"Ukraine\"").find("default_region"), std::string::npos);
  EXPECT_NE(changed("crl = \"tls/clients-crl.pem\"", "").find("revocation list"), std::string::npos);
  EXPECT_NE(changed("connections = 4096", "conections = 4096").find("conections"), std::string::npos);
  EXPECT_NE(changed("tls/server.key", "tls/missing.key").find("missing.key"), std::string::npos);
  EXPECT_NE(changed("connections = 4096", "connections = 0").find("connections"), std::string::npos);
}

TEST(OpenApi, IsStrictJsonAndTheFileOfTheSource) {
  json::Document document;
  const auto error = document.parse(openapi_document(), json::kMaxSize);
  ASSERT_FALSE(error) << error->detail << " at " << error->offset;
  EXPECT_EQ(document.root().find("openapi").text(), "3.1.0");
  EXPECT_EQ(openapi_document(), read_file("openapi.json"));
}

TEST(OpenApi, NamesEveryRouteAndNoOther) {
  json::Document document;
  ASSERT_FALSE(document.parse(openapi_document(), json::kMaxSize));
  std::set<std::string> described;
  for (json::Value path = document.root().find("paths").first(); path; path = path.next())
    for (json::Value method = path.first(); method; method = method.next()) {
      if (method.key() == "parameters") continue;
      std::string name(method.key());
      std::transform(name.begin(), name.end(), name.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
      std::string real(path.key());
      if (const std::size_t id = real.find("{id}"); id != std::string::npos)
        real.replace(id, 4, "018f3a52-0000-7000-8000-0000000000ff");
      const json::Value content = method.find("requestBody").find("content").first();
      const http::Field field{"content-type", content.key()};
      http::Request request;
      request.method = name;
      request.path = real;
      request.fields = {&field, 1};
      const auto target = find_target(request);
      ASSERT_TRUE(target) << name << " " << real << " is described and not served";
      EXPECT_TRUE(described.insert(std::string(route_word(target->route))).second);
    }
  for (const Route route : kRoutes)
    EXPECT_TRUE(described.contains(std::string(route_word(route))))
        << route_word(route) << " is served and not described";
}

TEST(OpenApi, EveryFieldThatItDescribesIsTaken) {
  json::Document document;
  ASSERT_FALSE(document.parse(openapi_document(), json::kMaxSize));
  const json::Value schemas = document.root().find("components").find("schemas");
  SubmitReader reader(ReaderOptions{"UA", false, 4096});
  const auto unknown_fields = [&reader](const std::string& body) {
    wire::Submit out;
    int unknown = 0;
    if (const auto refusal = reader.read(body, Form::line, 0, out))
      for (const http::Fault& fault : refusal->faults) unknown += fault.code == "unknown-field" ? 1 : 0;
    return unknown;
  };
  const auto body_of = [](json::Value properties) {
    std::string body;
    for (json::Value p = properties.first(); p; p = p.next())
      body += (body.empty() ? "{\"" : ",\"") + std::string(p.key()) + "\":null";
    return body + "}";
  };
  for (const char* schema : {"Message", "BatchLine"})
    EXPECT_EQ(unknown_fields(body_of(schemas.find(schema).find("properties"))), 0) << schema;
  EXPECT_EQ(unknown_fields("{\"recipient\":" + body_of(schemas.find("Recipient").find("properties")) + "}"), 0);
  const json::Value token = schemas.find("Recipient").find("properties").find("push").find("items").find("properties");
  EXPECT_EQ(unknown_fields("{\"recipient\":{\"push\":[" + body_of(token) + "]}}"), 0);
}

TEST(OpenApi, EveryFieldThatIsTakenIsDescribed) {
  json::Document document;
  ASSERT_FALSE(document.parse(openapi_document(), json::kMaxSize));
  const json::Value schemas = document.root().find("components").find("schemas");
  for (const char* field : {"category", "template", "variables", "text", "subject", "recipient", "scenario",
                            "reference", "deadline", "send_at"}) {
    EXPECT_TRUE(schemas.find("Message").find("properties").find(field)) << field;
    EXPECT_TRUE(schemas.find("BatchLine").find("properties").find(field)) << field;
  }
  EXPECT_TRUE(schemas.find("BatchLine").find("properties").find("idempotency_key"));
  for (const char* field : {"reference", "phone", "email", "push", "whatsapp", "locale", "time_zone"})
    EXPECT_TRUE(schemas.find("Recipient").find("properties").find(field)) << field;
}

TEST(OpenApi, EveryAnswerHasOnlyDescribedFields) {
  json::Document description, answer;
  ASSERT_FALSE(description.parse(openapi_document(), json::kMaxSize));
  const json::Value schemas = description.root().find("components").find("schemas");
  const auto described = [&](const std::string& body, json::Value properties) {
    ASSERT_FALSE(answer.parse(body, json::kMaxSize)) << body;
    for (json::Value v = answer.root().first(); v; v = v.next())
      EXPECT_TRUE(properties.find(v.key())) << v.key() << " of " << body;
  };
  wire::Answer a;
  a.set_outcome(wire::Answer::OK);
  wire::MessageView& view = *a.mutable_message();
  view.set_id("i");
  view.set_reference("r");
  view.set_reason("x");
  view.set_accepted_ms(1);
  view.set_deadline_ms(1);
  view.set_ended_ms(1);
  described(message_response(a).body, schemas.find("MessageState").find("properties"));
  described(events_response(a).body, schemas.find("Events").find("properties"));
  wire::Verdict v;
  v.set_outcome(wire::Verdict::REPLAYED);
  v.set_id("i");
  described(to_response(outcome_of(v)).body, schemas.find("Accepted").find("properties"));
  described(to_line(1, outcome_of(v)), schemas.find("BatchResult").find("properties"));
  v.set_outcome(wire::Verdict::BUSY);
  described(to_response(outcome_of(v)).body, schemas.find("Problem").find("properties"));
  described(to_line(1, outcome_of(v)), schemas.find("BatchResult").find("properties"));
}

}  // namespace
}  // namespace postern::https
