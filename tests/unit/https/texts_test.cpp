// SPDX-License-Identifier: Apache-2.0
// Times, spans, idempotency keys, routes and the events query.
#include <gtest/gtest.h>

#include <map>

#include "connectors/sources/https/idempotency_key.hpp"
#include "connectors/sources/https/path_reference.hpp"
#include "connectors/sources/https/routes.hpp"
#include "connectors/sources/https/time_text.hpp"

namespace postern::https {
namespace {

using std::chrono::milliseconds;

TEST(Time, IsReadWithItsZone) {
  EXPECT_EQ(parse_time("2026-11-22T12:14:07Z"), 1795349647000);
  EXPECT_EQ(parse_time("2026-11-22T12:14:07.1Z"), 1795349647100);
  EXPECT_EQ(parse_time("2026-11-22T12:14:07.123456789Z"), 1795349647123);
  EXPECT_EQ(parse_time("2026-11-22T14:14:07+02:00"), 1795349647000);
  EXPECT_EQ(parse_time("2026-11-22T06:44:07-05:30"), 1795349647000);
  EXPECT_EQ(parse_time("2028-02-29T00:00:00z"), 1835395200000);
}

TEST(Time, AnythingElseIsRefused) {
  for (const std::string_view bad : {"",
                                     "2026-11-22",
                                     "2026-11-22T12:14:07",
                                     "2026-11-22 12:14:07Z",
                                     "2026-13-01T00:00:00Z",
                                     "2026-02-29T00:00:00Z",
                                     "2026-00-01T00:00:00Z",
                                     "2026-01-00T00:00:00Z",
                                     "2026-01-01T24:00:00Z",
                                     "2026-01-01T00:60:00Z",
                                     "2026-01-01T00:00:60Z",
                                     "2026-01-01T00:00:00.Z",
                                     "2026-01-01T00:00:00+24:00",
                                     "2026-01-01T00:00:00+0200",
                                     "2026-01-01T00:00:00Zx",
                                     "1999-12-31T23:59:59Z",
                                     "2200-01-01T00:00:00Z",
                                     "26-01-01T00:00:00Z",
                                     "+026-01-01T00:00:00Z",
                                     "2026-01-01T00:00:00 Z",
                                     "2026-1-1T00:00:00Z"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}

TEST(Time, IsWrittenInUtc) {
  EXPECT_EQ(format_time(1795349647123), "2026-11-22T12:14:07.123Z");
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000Z");
  for (const std::int64_t at : {946684800000, 1835395199999, 7258118399999}) EXPECT_EQ(parse_time(format_time(at)), at);
}

TEST(Span, IsANumberAndItsUnit) {
  const std::map<std::string, milliseconds> good = {{"500ms", milliseconds(500)},  {"10s", milliseconds(10'000)},
                                                    {"5m", milliseconds(300'000)}, {"72h", std::chrono::hours(72)},
                                                    {"3d", std::chrono::days(3)},  {"366d", std::chrono::days(366)}};
  for (const auto& [text, span] : good) EXPECT_EQ(parse_span(text), span) << text;
  for (const std::string_view bad :
       {"", "5", "m", "0s", "-5m", "+5m", "5 m", "5M", "1.5h", "367d", "9999999999s", "999999999d", "5m5s", "5mm"})
    EXPECT_FALSE(parse_span(bad)) << bad;
}

TEST(IdempotencyKey, IsAQuotedStringOrABareWord) {
  EXPECT_EQ(parse_idempotency_key("\"8e03978e-40d5\""), "8e03978e-40d5");
  EXPECT_EQ(parse_idempotency_key("8e03978e-40d5-43e8-bc93-6894a57f9324"), "8e03978e-40d5-43e8-bc93-6894a57f9324");
  EXPECT_EQ(parse_idempotency_key(R"("a \"b\" \\c")"), R"(a "b" \c)");
  EXPECT_EQ(parse_idempotency_key(std::string(128, 'k')), std::string(128, 'k'));
  EXPECT_EQ(parse_idempotency_key("\"same\""), parse_idempotency_key("same"));
  for (const std::string_view bad : {"", "\"\"", "\"a", "a\"", "\"a\"b\"", "\"a\\\"", "\"a\\x\"", "a b", "a,b",
                                     "\"a\";p=1", "\"\x7f\"", "\"\xc3\xa9\"", "\""})
    EXPECT_FALSE(parse_idempotency_key(bad)) << bad;
  EXPECT_FALSE(parse_idempotency_key(std::string(129, 'k')));
}

std::string route_of(std::string_view method, std::string_view path, std::string_view type = "application/json") {
  const http::Field field{"content-type", type};
  http::Request request;
  request.method = method;
  request.path = path;
  request.fields = {&field, 1};
  const auto target = find_target(request);
  if (target) return std::string(route_word(target->route)) + (target->id.empty() ? "" : " " + std::string(target->id));
  return std::to_string(target.error().status) + target.error().fields;
}

TEST(Routes, EveryRouteIsFound) {
  constexpr std::string_view kId = "018f3a52-0000-7000-8000-0000000000ff";
  const std::string one = "/v1/messages/" + std::string(kId);
  EXPECT_EQ(route_of("POST", "/v1/messages"), "submit");
  EXPECT_EQ(route_of("POST", "/v1/messages", "Application/JSON; charset=utf-8"), "submit");
  EXPECT_EQ(route_of("POST", "/v1/messages:batch", "application/x-ndjson"), "batch");
  EXPECT_EQ(route_of("POST", "/v1/messages:validate"), "validate");
  EXPECT_EQ(route_of("GET", one), "read " + std::string(kId));
  EXPECT_EQ(route_of("DELETE", one), "cancel " + std::string(kId));
  EXPECT_EQ(route_of("PATCH", one), "move " + std::string(kId));
  EXPECT_EQ(route_of("GET", "/v1/messages"), "list");
  EXPECT_EQ(route_of("POST", "/v1/signals"), "signal");
  EXPECT_EQ(route_of("GET", "/v1/events"), "events");
  EXPECT_EQ(route_of("POST", "/v1/receipts"), "receipts");
  EXPECT_EQ(route_of("GET", "/v1/metrics"), "metrics");
  EXPECT_EQ(route_of("GET", "/v1/openapi.json"), "openapi");
  EXPECT_EQ(route_of("GET", "/v1/health"), "health");
}

std::string customer_of(std::string_view path) {
  http::Request request;
  request.method = "GET";
  request.path = path;
  const auto target = find_target(request);
  return target ? target->reference : std::to_string(target.error().status) + " " + target.error().body;
}

TEST(Routes, ACustomersNameMayHoldWhatAPathMayNot) {
  EXPECT_EQ(customer_of("/v1/recipients/customer%201"), "customer 1");
  EXPECT_EQ(customer_of("/v1/recipients/branch%2F7%5Cold%25"), "branch/7\\old%");
  EXPECT_EQ(customer_of("/v1/recipients/%d0%96"), "Ж") << "small digits are as good";
  EXPECT_EQ(customer_of("/v1/recipients/%2F"), "/");
  EXPECT_EQ(customer_of("/v1/recipients/%252F"), "%2F") << "decoded once";
  EXPECT_EQ(customer_of("/v1/recipients/a%2Fconsents"), "a/consents") << "and is no other path";
  http::Request request;
  const http::Field json{"content-type", "application/json"};
  request.method = "POST";
  request.path = "/v1/recipients/a%2Fb/consents";
  request.fields = {&json, 1};
  const auto consents = find_target(request);
  ASSERT_TRUE(consents);
  EXPECT_EQ(consents->route, Route::consent);
  EXPECT_EQ(consents->reference, "a/b");
}

TEST(Routes, ACustomersNameThatIsNoneIsRefusedWithWhatIsWrong) {
  const auto refused = [](std::string_view path, std::string_view why) {
    const std::string answer = customer_of(path);
    EXPECT_TRUE(answer.starts_with("400 ") && answer.find(why) != std::string::npos) << path << ": " << answer;
  };
  refused("/v1/recipients/a/b", "%2F");
  refused("/v1/recipients/a%2", "two hexadecimal digits");
  refused("/v1/recipients/a%", "two hexadecimal digits");
  refused("/v1/recipients/100%gr", "two hexadecimal digits");
  refused("/v1/recipients/%FF", "UTF-8");
  refused("/v1/recipients/%ED%A0%80", "UTF-8");
  refused("/v1/recipients/a%0Ab", "control characters");
  refused("/v1/recipients/" + std::string(129, 'a'), "1 to 128 bytes");
  EXPECT_EQ(customer_of("/v1/recipients/").substr(0, 3), "404");
  const std::string longest(128, '/');
  EXPECT_EQ(reference_of(segment_of(longest)), longest) << "bytes are counted when it is decoded";
}

TEST(Routes, OthersAreRefused) {
  EXPECT_EQ(route_of("GET", "/"), "404");
  EXPECT_EQ(route_of("GET", "/v1/messages/"), "404");
  EXPECT_EQ(route_of("GET", "/v1/messages/018F3A52-0000-7000-8000-0000000000FF"), "404")
      << "an id has one way to be written";
  EXPECT_EQ(route_of("GET", "/v1/health/"), "404");
  EXPECT_EQ(route_of("PUT", "/v1/messages"), "405Allow: POST, GET\r\n");
  EXPECT_EQ(route_of("PUT", "/v1/messages/018f3a52-0000-7000-8000-0000000000ff"), "405Allow: GET, DELETE, PATCH\r\n");
  EXPECT_EQ(route_of("get", "/v1/health"), "405Allow: GET\r\n");
  EXPECT_EQ(route_of("HEAD", "/v1/health"), "405Allow: GET\r\n");
  EXPECT_EQ(route_of("POST", "/v1/messages", "text/plain"), "415");
  EXPECT_EQ(route_of("POST", "/v1/messages", "application/jsonx"), "415");
  EXPECT_EQ(route_of("POST", "/v1/messages:batch", "application/json"), "415");
}

TEST(ListQuery, HasDefaultsAndBounds) {
  const auto none = parse_list_query("");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->after, "");
  EXPECT_EQ(none->limit, 100U);
  EXPECT_FALSE(none->scheduled);
  const auto all = parse_list_query("state=scheduled&limit=1000&after=018f3a52-0000-7000-8000-0000000000ff");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->after, "018f3a52-0000-7000-8000-0000000000ff");
  EXPECT_EQ(all->limit, 1000U);
  EXPECT_TRUE(all->scheduled);
  for (const char* bad : {"limit=0", "limit=1001", "after=1", "state=active", "limit=1&limit=2", "x=1", "limit"})
    EXPECT_FALSE(parse_list_query(bad)) << bad;
}

TEST(EventsQuery, HasDefaultsAndBounds) {
  const auto none = parse_events_query("");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->after, 0U);
  EXPECT_EQ(none->limit, 100U);
  EXPECT_EQ(none->wait_ms, 0U);
  const auto all = parse_events_query("wait=30&after=18446744073709551615&limit=1000");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->after, UINT64_MAX);
  EXPECT_EQ(all->limit, 1000U);
  EXPECT_EQ(all->wait_ms, 30'000U);
  EXPECT_EQ(parse_events_query("wait=500ms")->wait_ms, 500U);
  EXPECT_EQ(parse_events_query("wait=60s")->wait_ms, 60'000U);
  for (const std::string_view bad : {"wait=61", "wait=2m", "wait=-1", "limit=0", "limit=1001", "after=", "after=x",
                                     "after=1&after=1", "other=1", "after", "&", "after=+1"})
    EXPECT_FALSE(parse_events_query(bad)) << bad;
}

}  // namespace
}  // namespace postern::https
