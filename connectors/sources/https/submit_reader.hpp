// SPDX-License-Identifier: Apache-2.0
// Purpose: turns the JSON of one message into a Submit, or says everything that is wrong with it.
// Used by: the API, for single messages, batch lines and validation. Threads: one.
// Ownership: keeps its working memory and wipes what it read before it returns.
// Errors: a Refusal lists every fault with its JSON pointer; no fault repeats a value.
// Limits: kMaxFaults faults are told; sizes of the fields stand in submit_reader.cpp and openapi.json.
//
// Checked here: form, types, sizes, times, addresses. What needs the vault's knowledge (templates,
// scenarios, rights, quiet hours) is checked there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/protocol/wire.pb.h"
#include "connectors/sources/http/response.hpp"
#include "connectors/sources/https/digest.hpp"
#include "connectors/sources/json/document.hpp"
#include "connectors/sources/phone/phone.hpp"

namespace postern::https {

inline constexpr std::size_t kMaxFaults = 32;

// The categories by the words of the API.
inline constexpr std::array<std::pair<std::string_view, wire::Category>, 5> kCategories = {
    {{"otp", wire::OTP},
     {"security", wire::SECURITY},
     {"transaction", wire::TRANSACTION},
     {"service", wire::SERVICE},
     {"marketing", wire::MARKETING}}};

struct ReaderOptions {
  std::string default_region;
  bool allow_fixed_lines = false;
  std::size_t body_limit = 256 * 1024;
};

// Why a request is answered without asking the vault.
struct Refusal {
  int status = 422;  // 400: not JSON; 422: JSON, but not a message
  std::string code;
  std::string detail;
  std::vector<http::Fault> faults;
};

// line: the message carries its own "idempotency_key", which a single one has in its header.
enum class Form { single, line };

class SubmitReader {
 public:
  explicit SubmitReader(ReaderOptions options);

  // Fills everything of `out` but tag, identity, validate_only and a single message's key. On a
  // refusal `out` is unspecified. `now_ms` is what a relative deadline counts from.
  std::optional<Refusal> read(std::string_view body, Form form, std::int64_t now_ms, wire::Submit& out);

  // What is kept of a customer: the fields of a message's recipient, each of which may be left out.
  std::optional<Refusal> read_recipient(std::string_view body, wire::Recipient& out);

  // Numbers that passed although the number plan does not know them.
  std::uint64_t outside_plan() const { return outside_plan_; }

 private:
  friend class SubmitReading;
  ReaderOptions options_;
  json::Document document_;
  phone::Normaliser numbers_;
  Sha256 sha256_;
  std::uint64_t outside_plan_ = 0;
};

// A Refusal for JSON that could not be read.
Refusal refusal_of(const json::ParseError& error);

}  // namespace postern::https
