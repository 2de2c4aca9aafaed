// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/request_parser.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/unit/http/parser_support.hpp"

namespace postern::http {
namespace {

TEST(RequestParser, ReadsARequestWithoutABody) {
  const ParseOutcome out = parse_whole(
      "GET /v1/events?after=7&wait=30 HTTP/1.1\r\nHost: gw.bank.example:8443\r\nAccept: */*\r\nX-Empty:\r\nX-Tab: a\tb "
      "\t\r\n\r\n");
  ASSERT_EQ(out.requests.size(), 1U) << out.code;
  const Parsed& r = out.requests[0];
  EXPECT_EQ(r.method, "GET");
  EXPECT_EQ(r.path, "/v1/events");
  EXPECT_EQ(r.query, "after=7&wait=30");
  EXPECT_EQ(r.body, "");
  EXPECT_TRUE(r.keep_alive);
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"host", "gw.bank.example:8443"}, {"accept", "*/*"}, {"x-empty", ""}, {"x-tab", "a\tb"}};
  EXPECT_EQ(r.fields, fields);
}

TEST(RequestParser, ReadsABodyByItsLength) {
  const ParseOutcome out =
      parse_whole("POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
  ASSERT_EQ(out.requests.size(), 1U) << out.code;
  EXPECT_EQ(out.requests[0].body, "hello");
  EXPECT_FALSE(out.requests[0].keep_alive);
}

TEST(RequestParser, ReadsABodyInChunks) {
  const ParseOutcome out = parse_whole(
      "POST /v1/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00A\r\n "
      "0123\r\n789\r\n0\r\n\r\n");
  ASSERT_EQ(out.requests.size(), 1U) << out.code;
  EXPECT_EQ(out.requests[0].body, "hello 0123\r\n789");
}

TEST(RequestParser, ReadsRequestsThatFollowOneAnother) {
  const ParseOutcome out = parse_whole(
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
      "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_EQ(out.requests.size(), 3U) << out.code;
  EXPECT_EQ(out.requests[0].body, "hi");
  EXPECT_EQ(out.requests[1].body, "x");
  EXPECT_EQ(out.requests[2].path, "/c");
  EXPECT_TRUE(out.requests[2].expects_continue);
  EXPECT_FALSE(out.requests[0].expects_continue);
  EXPECT_FALSE(out.mid_request);
}

TEST(RequestParser, AnEmptyBodyIsComplete) {
  for (const std::string_view length : {"Content-Length: 0\r\n", ""}) {
    const ParseOutcome out = parse_whole("POST /a HTTP/1.1\r\nHost: a\r\n" + std::string(length) + "\r\n");
    ASSERT_EQ(out.requests.size(), 1U);
    EXPECT_EQ(out.requests[0].body, "");
  }
}

TEST(RequestParser, EverySplitGivesTheSameResult) {
  constexpr std::array<std::string_view, 8> kInputs = {
      "POST /a?x=%20 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET /b "
      "HTTP/1.1\r\nHost: b\r\n\r\n",
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n",
      "POST /a HTTP/1.1\r\nHost: a\nContent-Length: 5\r\n\r\nhello",
      "GET /b HTTP/1.0\r\nHost: b\r\n\r\n",
      "GET /b HTTP/1.1\r\nX: y\r\n\r\n",
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      "POST /a HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n"};
  for (const std::string_view input : kInputs) {
    const ParseOutcome whole = parse_whole(input);
    EXPECT_EQ(parse_byte_by_byte(input), whole) << input;
    for (std::size_t i = 1; i < input.size(); ++i)
      ASSERT_EQ(parse_pieces({input.substr(0, i), input.substr(i)}), whole) << "split at " << i << " of " << input;
  }
}

TEST(RequestParser, EverySplitOfThreePiecesGivesTheSameResult) {
  constexpr std::string_view kInput =
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: "
      "b\r\n\r\n";
  const ParseOutcome whole = parse_whole(kInput);
  ASSERT_EQ(whole.requests.size(), 2U);
  for (std::size_t i = 1; i < kInput.size(); ++i)
    for (std::size_t j = i + 1; j < kInput.size(); ++j)
      ASSERT_EQ(parse_pieces({kInput.substr(0, i), kInput.substr(i, j - i), kInput.substr(j)}), whole);
}

TEST(RequestParser, EveryLimitIsToldWithItsStatus) {
  const auto get = [](std::string_view target, std::string_view fields) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
  };
  EXPECT_EQ(parse_whole(get("/" + std::string(4095, 'a'), "")).status, 0);
  EXPECT_EQ(parse_whole(get("/" + std::string(4096, 'a'), "")).status, 414);
  EXPECT_EQ(parse_whole("GET /" + std::string(100'000, 'a')).status, 414);
  const std::size_t around = get("/", "X: \r\n").size();
  EXPECT_EQ(parse_whole(get("/", "X: " + std::string(16 * 1024 - around, 'a') + "\r\n")).status, 0);
  EXPECT_EQ(parse_whole(get("/", "X: " + std::string(16 * 1024 - around + 1, 'a') + "\r\n")).status, 431);
  std::string fields;
  for (int i = 0; i < 63; ++i) fields += "X: y\r\n";
  EXPECT_EQ(parse_whole(get("/", fields)).status, 0);
  EXPECT_EQ(parse_whole(get("/", fields + "X: y\r\n")).status, 431);
}

TEST(RequestParser, LimitsDoNotDependOnHowTheBytesAreSplit) {
  for (const std::string& input : {"GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
                                   "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(17000, 'a') + "\r\n\r\n"}) {
    EXPECT_EQ(parse_byte_by_byte(input), parse_whole(input));
    EXPECT_NE(parse_whole(input).status, 0);
  }
}

TEST(RequestParser, ABodyOverTheRoutesLimitIs413) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(parse_whole(head + "Content-Length: 10\r\n\r\n0123456789", 10).requests.size(), 1U);
  const ParseOutcome sized = parse_whole(head + "Content-Length: 11\r\n\r\n", 10);
  EXPECT_EQ(sized.status, 413) << "before the body came";
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse_whole(chunked + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", 10).requests.size(), 1U);
  EXPECT_EQ(parse_whole(chunked + "5\r\n01234\r\n6\r\n", 10).status, 413);
  EXPECT_EQ(parse_whole(chunked + "ffffffff\r\n", 10).status, 413);
  EXPECT_EQ(parse_whole(chunked + "1\r\n", 0).status, 413);
  EXPECT_EQ(parse_whole(chunked + "0\r\n\r\n", 0).requests.size(), 1U);
}

TEST(RequestParser, AnUnknownExpectationIs417AndAnotherVersion505) {
  EXPECT_EQ(parse_whole("GET / HTTP/1.1\r\nHost: a\r\nExpect: coffee\r\n\r\n").status, 417);
  EXPECT_EQ(parse_whole("GET / HTTP/1.0\r\nHost: a\r\n\r\n").status, 505);
  EXPECT_EQ(parse_whole("GET / HTTP/2.0\r\nHost: a\r\n\r\n").status, 505);
}

TEST(RequestParser, NothingIsUsedAfterAFailure) {
  RequestParser parser;
  parser.feed("GET / HTTP/1.1\n");
  ASSERT_EQ(parser.state(), RequestParser::State::failed);
  EXPECT_EQ(parser.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0U);
  parser.reset();
  EXPECT_EQ(parser.state(), RequestParser::State::failed) << "a broken stream has no next request";
}

TEST(RequestParser, FieldsAreFoundByTheirLowerCaseName) {
  RequestParser parser;
  parser.feed("GET / HTTP/1.1\r\nHOST: a\r\nX-Thing: one\r\nX-Thing: two\r\n\r\n");
  ASSERT_EQ(parser.state(), RequestParser::State::admit);
  EXPECT_EQ(parser.request().field("host"), "a");
  EXPECT_EQ(parser.request().field("x-thing"), "one");
  EXPECT_TRUE(parser.request().has_field("x-thing"));
  EXPECT_FALSE(parser.request().has_field("x-other"));
}

TEST(NormalPath, TakesPlainPathsOnly) {
  for (const std::string_view good : {"/", "/v1/messages", "/v1/messages:batch", "/a/", "/a%20b", "/%C3%A9",
                                      "/~x/-._!$&'()*+,;=:@", "/..a", "/.../b"})
    EXPECT_TRUE(normal_path(good)) << good;
  for (const std::string_view bad :
       {"",     "a",    "//",   "/a//b", "/.", "/..", "/a/.", "/a/../b", "/%2e", "/%2F", "/%5C",  "/%25",
        "/%61", "/%00", "/%1f", "/%7F",  "/%", "/%2", "/%g0", "/ ",      "/a?b", "/a#b", "/\x80", "/\\"})
    EXPECT_FALSE(normal_path(bad)) << bad;
}

TEST(NormalPath, NamesMayHoldWhatAPathMayNotWhereTheyAreServed) {
  for (const std::string_view good : {"/of/a%2Fb", "/of/%5C", "/of/%25%2f/more"}) EXPECT_TRUE(normal_path(good, 4)) << good;
  for (const std::string_view bad : {"/of/%2e", "/of/%2E%2E", "/of/a%2Fb/../c", "/of/%00", "/of/%2", "/%2F/%2F"}) EXPECT_FALSE(normal_path(bad, 4)) << bad;
  const auto status_of = [](std::string_view path) {
    ParserLimits limits;
    limits.names_below = "/of/";
    RequestParser parser(limits);
    parser.feed("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return parser.state() == RequestParser::State::failed ? parser.failure().status : 0;
  };
  EXPECT_EQ(status_of("/of/a%2Fb"), 0);
  EXPECT_EQ(status_of("/other/a%2Fb"), 400);
  EXPECT_EQ(status_of("/of%2Fa"), 400);
}

}  // namespace
}  // namespace postern::http
