// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "connectors/sources/json/document.hpp"
#include "tests/unit/http/parser_support.hpp"

namespace postern::http {
namespace {

struct Case {
  std::string name, bytes;
};

// One character of the file is one byte of the request: UTF-8 of U+0080..U+00FF is two bytes there.
std::string to_bytes(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      bytes.push_back(text[i]);
    } else {
      const auto low = static_cast<unsigned char>(text[++i]);
      bytes.push_back(static_cast<char>(((c & 3) << 6) | (low & 0x3f)));
    }
  }
  return bytes;
}

std::vector<Case> cases() {
  std::ifstream file(POSTERN_VECTORS "/http/smuggling.json");
  std::stringstream text;
  text << file.rdbuf();
  json::Document document;
  const auto error = document.parse(text.str(), json::kMaxSize);
  if (error) ADD_FAILURE() << error->detail << " at byte " << error->offset;
  std::vector<Case> all;
  for (json::Value v = document.root().first(); v; v = v.next())
    all.push_back({std::string(v.find("name").text()), to_bytes(v.find("bytes").text())});
  return all;
}

TEST(Smuggling, TheCorpusHasItsCases) { EXPECT_GE(cases().size(), 300U); }

TEST(Smuggling, EveryCaseIsRefusedAndNothingOfItServed) {
  for (const Case& c : cases()) {
    const ParseOutcome out = parse_whole(c.bytes);
    EXPECT_GE(out.status, 400) << c.name << " was not refused";
    EXPECT_TRUE(out.requests.empty()) << c.name << " was served";
  }
}

TEST(Smuggling, EveryCaseIsRefusedByteByByteForTheSameReason) {
  for (const Case& c : cases()) EXPECT_EQ(parse_byte_by_byte(c.bytes), parse_whole(c.bytes)) << c.name;
}

TEST(Smuggling, TheStatusIs400ForEverythingButLimitsVersionsAndExpectations) {
  for (const Case& c : cases()) {
    const int status = parse_whole(c.bytes).status;
    const bool expected =
        status == 400 || status == 413 || status == 414 || status == 417 || status == 431 || status == 505;
    EXPECT_TRUE(expected) << c.name << " is " << status;
  }
}

}  // namespace
}  // namespace postern::http
