// SPDX-License-Identifier: Apache-2.0
// What clients ask and tell of a customer.
#include <optional>
#include <vector>

#include "connectors/sources/https/queries.hpp"
#include "connectors/sources/https/time_text.hpp"

namespace postern::https {
namespace {

using json::Kind;
using json::Value;

// One field of a statement; a fault, or nothing.
std::optional<http::Fault> take(Value v, wire::ConsentView& consent) {
  const std::string_view key = v.key();
  const std::string_view text = v.is(Kind::string) ? v.text() : std::string_view();
  const auto malformed = [&v](std::string_view detail) { return http::Fault{v.pointer(), "malformed", std::string(detail)}; };
  if (key == "purpose") {
    for (const auto& [word, value] : kCategories)
      if (word == text) consent.set_purpose(value);
    if (consent.purpose() == wire::CATEGORY_UNSET) return malformed("The purpose is a category: transaction, service or marketing.");
  } else if (key == "channel") {
    consent.set_channel(std::string(text));
    if (text.empty()) return malformed("Name a channel, or leave it out for every channel.");
  } else if (key == "given") {
    if (!v.is(Kind::boolean)) return malformed("Write true when the customer agreed, false when the customer opted out.");
    consent.set_given(v.boolean());
  } else if (key == "source") {
    consent.set_source(std::string(text));
  } else if (key == "wording") {
    consent.set_wording(std::string(text));
  } else if (key == "at") {
    const std::optional<std::int64_t> at = parse_time(text);
    if (!at) return malformed("Write a time with its zone, as in \"2026-11-22T12:14:07+02:00\".");
    consent.set_at_ms(static_cast<std::uint64_t>(*at));
  } else {
    return http::Fault{v.pointer(), "unknown-field", "A consent has the fields purpose, channel, given, source, wording and at only."};
  }
  return std::nullopt;
}

}  // namespace

void Queries::show_recipient(std::string_view identity, const std::string& reference, Reply reply) {
  wire::Query query;
  query.mutable_recipient()->set_reference(reference);
  query.mutable_recipient()->set_show(true);
  answer_with(std::move(query), identity, recipient_response, std::move(reply));
}

void Queries::forget_recipient(std::string_view identity, const std::string& reference, Reply reply) {
  wire::Query query;
  query.mutable_recipient()->set_reference(reference);
  query.mutable_recipient()->set_forget(true);
  answer_with(std::move(query), identity, recipient_response, std::move(reply));
}

void Queries::keep_recipient(std::string_view identity, const std::string& reference, wire::Recipient&& recipient, Reply reply) {
  wire::Query query;
  query.mutable_recipient()->set_reference(reference);
  query.mutable_recipient()->mutable_keep()->Swap(&recipient);
  answer_with(std::move(query), identity, recipient_response, std::move(reply));
}

void Queries::consent(std::string_view identity, const std::string& reference, std::string_view body, std::size_t limit, Reply reply) {
  if (const auto error = document_.parse(body, limit)) return reply.send(to_response(outcome_of(refusal_of(*error))));
  const Value root = document_.root();
  std::vector<http::Fault> faults;
  wire::Query query;
  query.mutable_recipient()->set_reference(reference);
  wire::ConsentView& consent = *query.mutable_recipient()->mutable_consent();
  if (!root.is(Kind::object)) faults.push_back({"", "wrong-type", "This must be an object {purpose, channel, given, source, wording, at}."});
  for (Value v = root.is(Kind::object) ? root.first() : Value(); v; v = v.next())
    if (std::optional<http::Fault> fault = take(v, consent)) faults.push_back(std::move(*fault));
  for (const char* needed : {"purpose", "given"})
    if (root.is(Kind::object) && !root.find(needed)) faults.push_back({"/" + std::string(needed), "missing", "A consent says for what, and whether it is given."});
  document_.wipe();
  if (!faults.empty()) return reply.send(http::problem(422, "invalid", "The consent was not taken.", faults));
  answer_with(std::move(query), identity, recipient_response, std::move(reply));
}

}  // namespace postern::https
