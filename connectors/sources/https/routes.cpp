// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/routes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "connectors/sources/https/time_text.hpp"

namespace postern::https {
namespace {

constexpr std::string_view kMessages = "/v1/messages";
constexpr std::string_view kOneMessage = "/v1/messages/";

struct Entry {
  std::string_view path, method;
  Route route;
  std::string_view content;  // the media type that the body must have; empty: no body
};
constexpr std::array<Entry, 10> kEntries = {{{kMessages, "POST", Route::submit, http::kJson},
                                            {kMessages, "GET", Route::list, ""},
                                            {"/v1/signals", "POST", Route::signal, http::kJson},
                                            {"/v1/messages:batch", "POST", Route::batch, http::kNdjson},
                                            {"/v1/messages:validate", "POST", Route::validate, http::kJson},
                                            {"/v1/events", "GET", Route::events, ""},
                                            {"/v1/receipts", "POST", Route::receipts, http::kJson},
                                            {"/v1/metrics", "GET", Route::metrics, ""},
                                            {"/v1/openapi.json", "GET", Route::openapi, ""},
                                            {"/v1/health", "GET", Route::health, ""}}};

http::Response not_found() {
  return http::problem(404, "no-such-route",
                       "There is nothing at this path; the API's description is at /v1/openapi.json.");
}

http::Response wrong_method(std::string_view allow) {
  http::Response response = http::problem(405, "method", "This path does not take this method.");
  response.add("Allow", allow);
  return response;
}

bool same_media_type(std::string_view field, std::string_view expected) {
  std::string_view type = field.substr(0, field.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return type.size() == expected.size() && std::equal(type.begin(), type.end(), expected.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

template <class Number>
std::optional<Number> whole_number(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

// The target, when the body is what its route takes.
std::expected<Target, http::Response> with_body(const http::Request& head, const Entry& entry, std::string_view id) {
  if (!entry.content.empty() && !same_media_type(head.field("content-type"), entry.content))
    return std::unexpected(http::problem(415, "content-type",
                                         "The Content-Type of this path must be " + std::string(entry.content) + "."));
  // A body that must be decoded first would hide its size from the limits.
  if (const std::string_view coding = head.field("content-encoding"); !coding.empty() && coding != "identity")
    return std::unexpected(
        http::problem(415, "content-encoding", "A Content-Encoding is not taken; send the body as it is."));
  return Target{entry.route, id};
}

}  // namespace

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return true;
}

std::expected<Target, http::Response> find_target(const http::Request& head) {
  if (head.path.starts_with(kOneMessage)) {
    const std::string_view id = head.path.substr(kOneMessage.size());
    if (!is_uuid(id)) return std::unexpected(not_found());
    if (head.method == "GET") return Target{Route::read, id};
    if (head.method == "DELETE") return Target{Route::cancel, id};
    if (head.method == "PATCH") return with_body(head, {id, "PATCH", Route::move, http::kJson}, id);
    return std::unexpected(wrong_method("GET, DELETE, PATCH"));
  }
  std::string allow;
  for (const Entry& entry : kEntries) {
    if (entry.path != head.path) continue;
    if (entry.method == head.method) return with_body(head, entry, {});
    allow += (allow.empty() ? "" : ", ") + std::string(entry.method);
  }
  return std::unexpected(allow.empty() ? not_found() : wrong_method(allow));
}

std::string_view route_word(Route route) {
  switch (route) {
    case Route::submit:
      return "submit";
    case Route::batch:
      return "batch";
    case Route::validate:
      return "validate";
    case Route::list:
      return "list";
    case Route::move:
      return "move";
    case Route::signal:
      return "signal";
    case Route::read:
      return "read";
    case Route::cancel:
      return "cancel";
    case Route::events:
      return "events";
    case Route::receipts:
      return "receipts";
    case Route::metrics:
      return "metrics";
    case Route::openapi:
      return "openapi";
    case Route::health:
      return "health";
  }
  return "";
}

std::expected<EventsQuery, http::Response> parse_events_query(std::string_view query) {
  EventsQuery asked;
  std::uint32_t seen = 0;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    std::uint32_t bit = 0;
    bool good = false;
    if (name == "after") {
      bit = 1;
      const auto number = whole_number<std::uint64_t>(value, 0, UINT64_MAX);
      good = number.has_value();
      asked.after = number.value_or(0);
    } else if (name == "limit") {
      bit = 2;
      const auto number = whole_number<std::uint32_t>(value, 1, 1000);
      good = number.has_value();
      asked.limit = number.value_or(0);
    } else if (name == "wait") {
      bit = 4;
      const auto seconds = whole_number<std::uint32_t>(value, 0, 60);
      const auto span = parse_span(value);
      good = seconds || (span && *span <= std::chrono::seconds(60));
      if (good) asked.wait_ms = seconds ? *seconds * 1000 : static_cast<std::uint32_t>(span->count());
    }
    if (!good || (seen & bit) != 0)
      return std::unexpected(http::problem(
          400, "query", "The query takes after (a cursor), limit (1 to 1000) and wait (0 to 60 seconds), each once."));
    seen |= bit;
  }
  return asked;
}

std::expected<ListQuery, http::Response> parse_list_query(std::string_view query) {
  ListQuery asked;
  std::uint32_t seen = 0;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = item.find('=');
    const std::string_view name = item.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    std::uint32_t bit = 0;
    bool good = false;
    if (name == "after") {
      bit = 1;
      good = is_uuid(value);
      asked.after = value;
    } else if (name == "limit") {
      bit = 2;
      const auto number = whole_number<std::uint32_t>(value, 1, 1000);
      good = number.has_value();
      asked.limit = number.value_or(0);
    } else if (name == "state") {
      bit = 4;
      good = value == "scheduled";
      asked.scheduled = good;
    }
    if (!good || (seen & bit) != 0)
      return std::unexpected(http::problem(
          400, "query", "The query takes after (a message id), limit (1 to 1000) and state (scheduled), each once."));
    seen |= bit;
  }
  return asked;
}

}  // namespace postern::https
