// SPDX-License-Identifier: Apache-2.0
// Purpose: what the API answers for what the vault said. Used by: the API. Threads: pure functions.
// Errors: none. Limits: none. openapi.json describes the same for clients.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "connectors/protocol/wire.pb.h"
#include "connectors/sources/http/response.hpp"
#include "connectors/sources/https/submit_reader.hpp"

namespace postern::https {

// The result of one message, before it is written as a response or as a line of a batch's answer.
struct Outcome {
  int status = 503;
  std::string id;         // of an accepted message
  bool replayed = false;  // accepted earlier under the same key
  bool valid = false;     // answer to a validation
  unsigned retry_after_s = 0;
  std::string code, detail;
  std::vector<http::Fault> faults;
};

Outcome outcome_of(const wire::Verdict& verdict);
Outcome outcome_of(Refusal&& refusal);
// 503 for a reason of our own: a stable word and a sentence.
Outcome unavailable(std::string_view code, std::string_view detail, unsigned retry_after_s);

http::Response to_response(const Outcome& outcome);
// One line of a batch's answer, with its newline.
std::string to_line(std::size_t index, const Outcome& outcome);

// GET and DELETE of a message, and events.
http::Response message_response(const wire::Answer& answer);
http::Response list_response(const wire::Answer& answer);
http::Response signal_response(const wire::Answer& answer);
http::Response recipient_response(const wire::Answer& answer);
http::Response events_response(const wire::Answer& answer);
http::Response no_events_response(std::uint64_t cursor);
// 204 for OK, else the error that every question to the vault can end with.
Outcome query_outcome(const wire::Answer& answer);

// "accepted", "handed", ... "suppressed"; "unknown" for what a newer vault may say.
std::string_view progress_word(wire::Progress progress);
std::string_view category_word(wire::Category category);

}  // namespace postern::https
