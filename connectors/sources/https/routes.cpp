// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/routes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "connectors/sources/https/path_reference.hpp"
#include "connectors/sources/https/time_text.hpp"

namespace postern::https {
namespace {

constexpr std::string_view kMessages = "/v1/messages";
constexpr std::string_view kOneMessage = "/v1/messages/";
constexpr std::string_view kConsents = "/consents";

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

bool take_limit(std::string_view value, std::uint32_t& limit) {
  const auto number = whole_number<std::uint32_t>(value, 1, 1000);
  if (number) limit = *number;
  return number.has_value();
}

// Gives each parameter to `take`, which answers with a bit of its own, or 0 when it is none or bad. False: one was, or came
// twice.
template <class Take>
bool take_parameters(std::string_view query, const Take& take) {
  std::uint32_t seen = 0;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = item.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    const std::uint32_t bit = take(item.substr(0, equals), value);
    if (bit == 0 || (seen & bit) != 0) return false;
    seen |= bit;
  }
  return true;
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

std::expected<Target, http::Response> recipient_target(const http::Request& head) {
  std::string_view rest = head.path.substr(kOneRecipient.size());
  const bool consents = rest.ends_with(kConsents);
  if (consents) rest.remove_suffix(kConsents.size());
  if (rest.empty()) return std::unexpected(not_found());
  std::expected<std::string, std::string_view> reference = reference_of(rest);
  if (!reference) return std::unexpected(http::problem(400, "reference", "The customer's reference in the path cannot be taken: " + std::string(reference.error()) + "."));
  const auto target = [&](Route route, std::string_view content) {
    std::expected<Target, http::Response> found = with_body(head, {head.path, head.method, route, content}, {});
    if (found) found->reference = std::move(*reference);
    return found;
  };
  if (consents) return head.method == "POST" ? target(Route::consent, http::kJson) : std::unexpected(wrong_method("POST"));
  if (head.method == "GET") return target(Route::show_recipient, "");
  if (head.method == "PUT") return target(Route::keep_recipient, http::kJson);
  if (head.method == "DELETE") return target(Route::forget_recipient, "");
  return std::unexpected(wrong_method("GET, PUT, DELETE"));
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
  if (head.path.starts_with(kOneRecipient)) return recipient_target(head);
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
    case Route::show_recipient:
      return "show_recipient";
    case Route::keep_recipient:
      return "keep_recipient";
    case Route::forget_recipient:
      return "forget_recipient";
    case Route::consent:
      return "consent";
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
  const bool good = take_parameters(query, [&asked](std::string_view name, std::string_view value) {
    if (name == "after") {
      const auto number = whole_number<std::uint64_t>(value, 0, UINT64_MAX);
      asked.after = number.value_or(0);
      return number ? 1U : 0U;
    }
    if (name == "limit") return take_limit(value, asked.limit) ? 2U : 0U;
    if (name != "wait") return 0U;
    const auto seconds = whole_number<std::uint32_t>(value, 0, 60);
    const auto span = parse_span(value);
    if (!seconds && !(span && *span <= std::chrono::seconds(60))) return 0U;
    asked.wait_ms = seconds ? *seconds * 1000 : static_cast<std::uint32_t>(span->count());
    return 4U;
  });
  if (good) return asked;
  return std::unexpected(http::problem(
      400, "query", "The query takes after (a cursor), limit (1 to 1000) and wait (0 to 60 seconds), each once."));
}

std::expected<ListQuery, http::Response> parse_list_query(std::string_view query) {
  ListQuery asked;
  const bool good = take_parameters(query, [&asked](std::string_view name, std::string_view value) {
    if (name == "after" && is_uuid(value)) {
      asked.after = value;
      return 1U;
    }
    if (name == "limit") return take_limit(value, asked.limit) ? 2U : 0U;
    asked.scheduled = name == "state" && value == "scheduled";
    return asked.scheduled ? 4U : 0U;
  });
  if (good) return asked;
  return std::unexpected(http::problem(
      400, "query", "The query takes after (a message id), limit (1 to 1000) and state (scheduled), each once."));
}

}  // namespace postern::https
