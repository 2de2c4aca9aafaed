// SPDX-License-Identifier: Apache-2.0
// Purpose: which request goes where, what it may carry, and the query of /v1/events. Used by: the
// API. Threads: pure functions. Ownership: a Target views the request. Errors: a response to send.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "connectors/sources/http/request_parser.hpp"
#include "connectors/sources/http/response.hpp"

namespace postern::https {

enum class Route : std::uint8_t { submit, batch, validate, list, read, cancel, move, signal, show_recipient, keep_recipient, forget_recipient, consent, events, receipts, metrics, openapi, health };

inline constexpr std::array<Route, 17> kRoutes = {Route::submit, Route::batch,  Route::validate, Route::list,    Route::read,
                                                  Route::cancel, Route::move,   Route::signal,   Route::show_recipient, Route::keep_recipient,
                                                  Route::forget_recipient, Route::consent, Route::events,  Route::receipts,
                                                  Route::metrics, Route::openapi, Route::health};

// Below it stand customers' names, which may hold an encoded '/', '\' or '%'.
inline constexpr std::string_view kOneRecipient = "/v1/recipients/";

struct Target {
  Route route = Route::health;
  std::string_view id;  // of Route::read, cancel and move: a UUID in canonical form
  std::string reference = {};  // of the routes of a recipient: the bank's own name for the customer, decoded
};

// The target of a request, or 404, 405 (with Allow) or 415.
std::expected<Target, http::Response> find_target(const http::Request& head);

// "submit", "batch", ... for metrics.
std::string_view route_word(Route route);

struct EventsQuery {
  std::uint64_t after = 0;
  std::uint32_t limit = 100;  // 1..1000
  std::uint32_t wait_ms = 0;  // 0..60000
};
// `after=17&limit=100&wait=30` (wait in seconds, or a span: "30s", "500ms"), or 400.
std::expected<EventsQuery, http::Response> parse_events_query(std::string_view query);

struct ListQuery {
  std::string_view after;     // a message id; empty: from the oldest
  std::uint32_t limit = 100;  // 1..1000
  bool scheduled = false;     // only those that wait for their send-at
};
// `after=UUID&limit=100&state=scheduled`, or 400.
std::expected<ListQuery, http::Response> parse_list_query(std::string_view query);

// 8-4-4-4-12 lower-case hexadecimal digits (RFC 9562 section 4).
bool is_uuid(std::string_view text);

}  // namespace postern::https
