// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/json/document.hpp"

#include <gtest/gtest.h>

#include <string>

namespace postern::json {
namespace {

std::string code_of(std::string_view text, std::size_t limit = kMaxSize) {
  Document document;
  const auto error = document.parse(text, limit);
  EXPECT_EQ(error.has_value(), !document.root()) << text.substr(0, 80);
  return error ? error->code : "";
}

TEST(Document, ReadsEveryKindOfValue) {
  Document d;
  ASSERT_FALSE(
      d.parse(R"( {"a":"x\u0416\n","b":-12,"c":1.50,"d":true,"e":false,"f":null,"g":[1,[],{}],"h":{"i":"j"}} )", 1000));
  const Value root = d.root();
  EXPECT_EQ(root.size(), 8U);
  EXPECT_EQ(root.find("a").text(), "x\xd0\x96\n");
  EXPECT_EQ(root.find("b").integer(), -12);
  EXPECT_EQ(root.find("b").text(), "-12");
  EXPECT_EQ(root.find("c").text(), "1.50") << "a number keeps its writing";
  EXPECT_FALSE(root.find("c").integer());
  EXPECT_TRUE(root.find("d").boolean());
  EXPECT_FALSE(root.find("e").boolean());
  EXPECT_TRUE(root.find("f").is(Kind::null));
  EXPECT_EQ(root.find("g").size(), 3U);
  EXPECT_EQ(root.find("g").first().integer(), 1);
  EXPECT_TRUE(root.find("g").first().next().is(Kind::array));
  EXPECT_TRUE(root.find("g").first().next().next().is(Kind::object));
  EXPECT_FALSE(root.find("g").first().next().next().next());
  EXPECT_EQ(root.find("h").find("i").text(), "j");
  EXPECT_FALSE(root.find("x"));
  EXPECT_FALSE(root.find("x").find("y")) << "asking on is harmless";
}

TEST(Document, KnowsThePointerOfAValue) {
  Document d;
  ASSERT_FALSE(d.parse(R"({"a":[0,{"b~/c":[[1]]}]})", 1000));
  EXPECT_EQ(d.root().pointer(), "");
  const Value deep = d.root().find("a").first().next().find("b~/c");
  EXPECT_EQ(deep.pointer(), "/a/1/b~0~1c");
  EXPECT_EQ(deep.first().first().pointer(), "/a/1/b~0~1c/0/0");
}

TEST(Document, RefusesWhatIsNotJson) {
  for (const std::string_view bad : {"{",           "}",
                                     "[",           "[1,]",
                                     "[1 2]",       "{\"a\":1,}",
                                     "{\"a\" 1}",   "{a:1}",
                                     "{'a':1}",     "nul",
                                     "True",        "01",
                                     "+1",          "1.",
                                     ".5",          "1e",
                                     "0x1",         "NaN",
                                     "Infinity",    "-",
                                     "\"",          "\"\n\"",
                                     "\"\\x\"",     "\"\\u12\"",
                                     "\"\\ud800\"", "\"\\udc00\\ud800\"",
                                     "// c\n1",     "/**/1",
                                     "[1]//",       ",",
                                     ":",           "\xef\xbb\xbf{}",
                                     "\"\t\""})
    EXPECT_NE(code_of(bad), "") << bad;
}

TEST(Document, RefusesWhatFollowsTheValue) {
  EXPECT_EQ(code_of("{} x"), "trailing-bytes");
  EXPECT_EQ(code_of("{}{}"), "trailing-bytes");
  EXPECT_EQ(code_of("1 2"), "trailing-bytes");
  EXPECT_EQ(code_of("{} \n\t"), "") << "white space may";
}

TEST(Document, ANulDoesNotHideWhatFollows) {
  using namespace std::string_view_literals;
  EXPECT_EQ(code_of("{}\0"sv), "malformed");
  EXPECT_EQ(code_of("{\"a\":1}\0{\"a\":2}"sv), "malformed");
  EXPECT_EQ(code_of("\"a\0b\""sv), "malformed");
  EXPECT_EQ(code_of("\0"sv), "malformed");
}

TEST(Document, RefusesBytesThatAreNotUtf8) {
  for (const std::string_view bad :
       {"\"\xff\"", "\"\xc0\xaf\"", "\"\xc1\xbf\"", "\"\xe0\x80\xaf\"", "\"\xed\xa0\x80\"", "\"\xf0\x80\x80\xaf\"",
        "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xc3\"", "\"\xe2\x82\"", "\"\x80\"", "\"12345678\x80\""})
    EXPECT_EQ(code_of(bad), "not-utf8");
  EXPECT_EQ(code_of("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf\""), "");
}

TEST(Document, RefusesARepeatedKeyWhereverItStands) {
  EXPECT_EQ(code_of(R"({"a":1,"a":1})"), "repeated-key");
  EXPECT_EQ(code_of(R"({"a":1,"b":2,"\u0061":3})"), "repeated-key") << "also written another way";
  EXPECT_EQ(code_of(R"([{"b":{"c":1,"d":{},"c":2}}])"), "repeated-key");
  EXPECT_EQ(code_of(R"({"":1,"":2})"), "repeated-key");
  EXPECT_EQ(code_of(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})"), "") << "the same key in different objects is none";
  std::string many = "{";
  for (int i = 0; i < 5000; ++i) many += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_EQ(code_of(many + "\"x\":0}"), "");
  EXPECT_EQ(code_of(many + "\"k7\":0}"), "repeated-key");
}

TEST(Document, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(code_of(nested(kMaxDepth)), "");
  EXPECT_EQ(code_of(nested(kMaxDepth + 1)), "too-deep");
  EXPECT_EQ(code_of(std::string(1'000'000, '[')), "too-deep");
  std::string objects;
  for (std::size_t i = 0; i <= kMaxDepth; ++i) objects += "{\"a\":";
  EXPECT_EQ(code_of(objects), "too-deep");
}

TEST(Document, RefusesWhatIsOverTheLimitOrEmpty) {
  EXPECT_EQ(code_of("[1,2]", 5), "");
  EXPECT_EQ(code_of("[1,2]", 4), "too-large");
  EXPECT_EQ(code_of(""), "empty");
  EXPECT_EQ(code_of("   "), "malformed");
}

TEST(Document, ErrorsSayWhereAndNotWhat) {
  Document d;
  const auto broken = d.parse(R"({"recipient":{"phones":["380671234567",oops]}})", 1000);
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->pointer, "/recipient/phones/1");
  EXPECT_EQ(broken->offset, 39U);
  EXPECT_EQ(broken->detail.find("oops"), std::string::npos);
  EXPECT_EQ(broken->detail.find("380"), std::string::npos);
  const auto twice = d.parse(R"({"a":{"b":1,"b":2}})", 1000);
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->pointer, "/a/b");
  const auto after_key = d.parse(R"({"a":[{},{"key")", 1000);
  ASSERT_TRUE(after_key);
  EXPECT_EQ(after_key->pointer, "/a/1/key");
}

TEST(Document, NumbersOutOfRangeKeepTheirText) {
  Document d;
  const auto error =
      d.parse("[9223372036854775807,9223372036854775808,18446744073709551616,-9223372036854775808]", 1000);
  ASSERT_FALSE(error);
  Value v = d.root().first();
  EXPECT_EQ(v.integer(), INT64_MAX);
  v = v.next();
  EXPECT_FALSE(v.integer());
  EXPECT_EQ(v.text(), "9223372036854775808");
  v = v.next();
  EXPECT_FALSE(v.integer());
  EXPECT_EQ(v.text(), "18446744073709551616");
  v = v.next();
  EXPECT_EQ(v.integer(), INT64_MIN);
  EXPECT_EQ(code_of("1e400"), "malformed") << "no double holds it";
}

TEST(Document, CanBeUsedAgain) {
  Document d;
  ASSERT_FALSE(d.parse(R"({"a":"first"})", 1000));
  ASSERT_TRUE(d.parse("{", 1000));
  EXPECT_FALSE(d.root());
  ASSERT_FALSE(d.parse(R"(["second"])", 1000));
  EXPECT_EQ(d.root().first().text(), "second");
  d.wipe();
  EXPECT_FALSE(d.root());
}

TEST(AppendToken, CutsAndCleansForeignNames) {
  std::string pointer;
  append_token(pointer, "a/b~c\x01\xd0\x96");
  EXPECT_EQ(pointer, "/a~1b~0c???");
  pointer.clear();
  append_token(pointer, std::string(1000, 'x'));
  EXPECT_EQ(pointer.size(), 65U);
}

}  // namespace
}  // namespace postern::json
