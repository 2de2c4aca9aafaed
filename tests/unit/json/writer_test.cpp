// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/json/writer.hpp"

#include <gtest/gtest.h>

#include "connectors/sources/json/document.hpp"

namespace postern::json {
namespace {

TEST(Writer, WritesNestedValuesWithTheirCommas) {
  std::string out;
  Writer w(out);
  w.object().key("a").text("x").key("b").array().number(1).number(-2).object().end_object().boolean(true).end_array();
  w.key("c")
      .array()
      .end_array()
      .key("d")
      .raw("null")
      .key("e")
      .number(std::uint64_t{18446744073709551615U})
      .end_object();
  EXPECT_EQ(out, R"({"a":"x","b":[1,-2,{},true],"c":[],"d":null,"e":18446744073709551615})");
}

TEST(Writer, EscapesWhatMustBe) {
  std::string out;
  Writer(out).text(std::string_view("\"\\/\n\r\t\b\x01\x1f\x7f\0 \xd0\x96", 14));
  EXPECT_EQ(out, "\"\\\"\\\\/\\n\\r\\t\\u0008\\u0001\\u001f\\u007f\\u0000 \xd0\x96\"");
}

TEST(Writer, ReplacesBytesThatAreNotUtf8) {
  std::string out;
  Writer(out).text("a\xff\xc3(\xe2\x82z\xed\xa0\x80");
  EXPECT_FALSE(find_invalid_utf8(out));
  EXPECT_EQ(out.substr(0, 5), "\"a\xef\xbf\xbd");
}

TEST(Writer, WhatItWritesCanBeReadBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  std::string out;
  Writer(out).object().key(all).text(all).end_object();
  Document document;
  const auto error = document.parse(out, kMaxSize);
  ASSERT_FALSE(error) << error->detail;
  EXPECT_EQ(document.root().first().text().substr(0, 128), all.substr(0, 128));
}

}  // namespace
}  // namespace postern::json
