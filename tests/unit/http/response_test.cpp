// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/response.hpp"

#include <gtest/gtest.h>

#include "connectors/sources/http/answer.hpp"
#include "connectors/sources/http/listener.hpp"

namespace postern::http {
namespace {

TEST(Response, IsWrittenWhole) {
  Response response = json_response(202, R"({"id":"x"})");
  response.add("Location", "/v1/messages/x");
  std::string out;
  write_response(out, response, "Sun, 06 Nov 1994 08:49:37 GMT", {});
  EXPECT_EQ(out,
            "HTTP/1.1 202 Accepted\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 10\r\nContent-Type: "
            "application/json\r\n"
            "Cache-Control: no-store\r\nLocation: /v1/messages/x\r\n\r\n{\"id\":\"x\"}");
}

TEST(Response, SaysWhenTheConnectionEnds) {
  std::string out;
  write_response(out, problem(400, "x", "y"), "d", {.close = true});
  EXPECT_NE(out.find("\r\nConnection: close\r\n"), std::string::npos);
}

TEST(Response, NoContentHasNeitherLengthNorBody) {
  Response response;
  response.status = 204;
  std::string out;
  write_response(out, response, "d", {});
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\nDate: d\r\nCache-Control: no-store\r\n\r\n");
}

TEST(Response, ToHeadHasALengthAndNoBody) {
  std::string out;
  write_response(out, json_response(200, "{}"), "d", {.head_only = true});
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 2\r\nContent-Type: application/json\r\nCache-Control: "
            "no-store\r\n\r\n");
}

TEST(Response, AFieldValueCannotSplitTheAnswer) {
  Response response;
  response.add("Location", "/x\r\nSet-Cookie: a");
  response.add("X", std::string_view("a\0b", 3));
  EXPECT_EQ(response.fields, "");
}

TEST(Problem, FollowsRfc9457) {
  const Response response =
      problem(422, "invalid", "Two faults.", {{"/a~1b", "missing", "It is \"missing\"."}, {"", "empty", "e"}});
  EXPECT_EQ(response.type, "application/problem+json");
  EXPECT_EQ(
      response.body,
      R"({"type":"urn:postern:problem:invalid","title":"Unprocessable Content","status":422,"detail":"Two faults.",)"
      R"("errors":[{"pointer":"/a~1b","code":"missing","detail":"It is \"missing\"."},)"
      R"({"pointer":"","code":"empty","detail":"e"}]})");
}

TEST(HttpDate, IsAnImfFixdate) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
}

class Sink : public AnswerSink {
 public:
  void answer(std::uint64_t request, Response&& response) override { got.emplace_back(request, response.status); }
  std::vector<std::pair<std::uint64_t, int>> got;
};

TEST(Answer, IsSentOnce) {
  const auto sink = std::make_shared<Sink>();
  {
    Answer answer(sink, 7);
    answer.send(json_response(200, "{}"));
    answer.send(json_response(201, "{}"));
  }
  ASSERT_EQ(sink->got.size(), 1U);
  EXPECT_EQ(sink->got[0], std::make_pair(std::uint64_t{7}, 200));
}

TEST(Answer, OneThatIsForgottenSends500) {
  const auto sink = std::make_shared<Sink>();
  { Answer answer(sink, 1); }
  {
    Answer moved(sink, 2);
    const Answer holder(std::move(moved));
  }
  {
    Answer replaced(sink, 3);
    replaced = Answer(sink, 4);
    EXPECT_EQ(sink->got.size(), 3U) << "the replaced one was answered when it ended";
  }
  ASSERT_EQ(sink->got.size(), 4U);
  for (const auto& [request, status] : sink->got) EXPECT_EQ(status, 500);
}

TEST(Answer, OutlivesItsConnection) {
  auto sink = std::make_shared<Sink>();
  Answer answer(sink, 1);
  EXPECT_TRUE(answer.wanted());
  sink.reset();
  EXPECT_FALSE(answer.wanted());
  answer.send(json_response(200, "{}"));
}

TEST(ParseListen, TakesAddressAndPort) {
  const auto v4 = parse_listen("127.0.0.1:8443");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, "8443");
  const auto v6 = parse_listen("[::1]:0");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  for (const char* bad : {"", "8443", ":8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80",
                          "[]:80", "127.0.0.1:-1"})
    EXPECT_FALSE(parse_listen(bad)) << bad;
}

}  // namespace
}  // namespace postern::http
