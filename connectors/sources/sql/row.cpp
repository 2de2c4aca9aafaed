// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/row.hpp"

#include <algorithm>
#include <charconv>

#include "connectors/sources/json/document.hpp"
#include "connectors/sources/phone/phone.hpp"
#include "crypto/bytes.hpp"

namespace postern::sql {
namespace {

template <class Integer>
std::optional<Integer> number(std::optional<std::string_view> cell) {
  Integer value = 0;
  if (!cell || cell->empty()) return std::nullopt;
  const auto [end, error] = std::from_chars(cell->data(), cell->data() + cell->size(), value);
  if (error != std::errc() || end != cell->data() + cell->size()) return std::nullopt;
  return value;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// A short text that is a name, an address or a reference: one line of UTF-8.
bool is_line(std::string_view text, std::size_t limit) {
  return text.size() <= limit && !has_control(text) && !json::find_invalid_utf8(text);
}

// The key names the row in the vault's store and in events: printable ASCII, 1..64 characters.
bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= 64 &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::optional<wire::Category> category_of(std::string_view word) {
  if (word == "otp") return wire::OTP;
  if (word == "security") return wire::SECURITY;
  if (word == "transaction") return wire::TRANSACTION;
  if (word == "service") return wire::SERVICE;
  if (word == "marketing") return wire::MARKETING;
  return std::nullopt;
}

Quarantine quarantine(std::string code, std::string detail) { return Quarantine{std::move(code), std::move(detail)}; }

std::string_view cell(const Row& row, Cell which) {
  return row[static_cast<std::size_t>(which)].value_or(std::string_view());
}

}  // namespace

struct RowMapper::Parts {
  Parts(std::string region, bool mobile)
      : phones(std::move(region)), need(mobile ? phone::Need::mobile : phone::Need::any) {}
  phone::Normaliser phones;
  phone::Need need;
  json::Document variables;

  std::optional<Quarantine> fill(const Row& row, std::int64_t now_ms, wire::Submit& submit);
  std::optional<Quarantine> fill_recipient(const Row& row, wire::Recipient& recipient);
  std::optional<Quarantine> fill_variables(std::string_view text, wire::Submit& submit);
};

RowMapper::RowMapper(std::string default_region, bool mobile_only)
    : parts_(std::make_unique<Parts>(std::move(default_region), mobile_only)) {}
RowMapper::~RowMapper() = default;

std::optional<Mapped> RowMapper::map(const Row& row, std::int64_t now_ms) {
  const std::optional<std::int64_t> id = number<std::int64_t>(row[static_cast<std::size_t>(Cell::id)]);
  if (!id) return std::nullopt;
  Mapped mapped{*id, wire::Submit()};
  auto& submit = std::get<wire::Submit>(mapped.what);
  std::optional<Quarantine> fault = parts_->fill(row, now_ms, submit);
  parts_->variables.wipe();
  if (fault) {
    mapped.what = std::move(*fault);
    return mapped;
  }
  submit.set_tag(static_cast<std::uint64_t>(*id));
  submit.set_fingerprint(fingerprint_of(submit));
  return mapped;
}

std::optional<Quarantine> RowMapper::Parts::fill(const Row& row, std::int64_t now_ms, wire::Submit& submit) {
  if (cell(row, Cell::too_large) != "f")
    return quarantine("row-too-large", "the row is larger than the connector's largest_row");
  const std::string_view key = cell(row, Cell::message_key);
  if (!is_key(key))
    return quarantine("key-invalid", "message_key must be 1 to 64 printable ASCII characters without spaces");
  submit.set_idempotency_key(std::string(key));
  submit.set_reference(std::string(key));

  const std::optional<wire::Category> category = category_of(cell(row, Cell::category));
  if (!category)
    return quarantine("category-unknown", "category must be otp, security, transaction, service or marketing");
  submit.set_category(*category);
  const std::string_view name = cell(row, Cell::template_name), scenario = cell(row, Cell::scenario);
  if (name.empty() || !is_line(name, 64))
    return quarantine("template-invalid", "template must be a name of 1 to 64 bytes");
  if (!is_line(scenario, 64)) return quarantine("scenario-invalid", "scenario must be a name of at most 64 bytes");
  submit.set_template_(std::string(name));
  submit.set_scenario(std::string(scenario));

  for (const auto& [which, word] : {std::pair{Cell::deadline_ms, "deadline"}, std::pair{Cell::send_at_ms, "send_at"}}) {
    if (!row[static_cast<std::size_t>(which)]) continue;
    const std::optional<std::int64_t> at = number<std::int64_t>(row[static_cast<std::size_t>(which)]);
    if (!at || *at < 0)
      return quarantine("time-invalid", std::string(word) + " must be a time after 1970, not infinity");
    if (which == Cell::deadline_ms)
      submit.set_deadline_ms(static_cast<std::uint64_t>(*at));
    else
      submit.set_send_at_ms(static_cast<std::uint64_t>(*at));
  }
  if (submit.deadline_ms() != 0 && submit.deadline_ms() <= static_cast<std::uint64_t>(now_ms))
    return quarantine("expired", "the deadline had passed when the row was read; nothing was sent");
  if (std::optional<Quarantine> fault = fill_recipient(row, *submit.mutable_recipient())) return fault;
  return fill_variables(cell(row, Cell::variables), submit);
}

std::optional<Quarantine> RowMapper::Parts::fill_recipient(const Row& row, wire::Recipient& recipient) {
  const std::string_view reference = cell(row, Cell::recipient_ref), email = cell(row, Cell::email),
                         locale = cell(row, Cell::locale);
  const std::string_view token = cell(row, Cell::push_token), platform = cell(row, Cell::push_platform);
  if (!is_line(reference, 128))
    return quarantine("recipient-ref-invalid", "recipient_ref must be one line of at most 128 bytes");
  if (!is_line(email, 254)) return quarantine("email-invalid", "email must be one line of at most 254 bytes");
  if (!is_line(locale, 35)) return quarantine("locale-invalid", "locale must be a tag such as uk-UA");
  if (!is_line(token, 4096))
    return quarantine("push-token-invalid", "push_token must be one line of at most 4096 bytes");
  if (token.empty() != platform.empty())
    return quarantine("push-platform-missing", "push_token and push_platform need each other");
  if (!platform.empty() && platform != "fcm" && platform != "apns" && platform != "hms")
    return quarantine("push-platform-unknown", "push_platform must be fcm, apns or hms");
  recipient.set_reference(std::string(reference));
  recipient.set_email(std::string(email));
  recipient.set_locale(std::string(locale));
  if (!token.empty()) {
    wire::PushToken& push = *recipient.add_push();
    push.set_token(std::string(token));
    push.set_platform(std::string(platform));
  }
  if (const std::string_view text = cell(row, Cell::phone); !text.empty()) {
    const std::expected<phone::Number, phone::Refusal> number = phones.normalise(text, need);
    if (!number)
      return quarantine(std::string(phone::code_of(number.error())),
                        "phone: " + std::string(phone::detail_of(number.error())));
    recipient.set_phone(number->digits);
  }
  return std::nullopt;
}

std::optional<Quarantine> RowMapper::Parts::fill_variables(std::string_view text, wire::Submit& submit) {
  if (text.empty()) return std::nullopt;
  if (variables.parse(text, text.size())) return quarantine("variables-malformed", "variables is not JSON");
  const json::Value root = variables.root();
  if (!root.is(json::Kind::object)) return quarantine("variables-malformed", "variables must be one JSON object");
  if (root.size() > kMaxVariables) return quarantine("variables-too-many", "variables has more than 100 members");
  for (json::Value member = root.first(); member; member = member.next()) {
    if (member.key().empty() || !is_line(member.key(), kMaxVariableName))
      return quarantine("variable-name-invalid", "a variable's name must be 1 to 64 bytes without control characters");
    const bool scalar =
        member.is(json::Kind::string) || member.is(json::Kind::number) || member.is(json::Kind::boolean);
    // The name stands in the bank's own template, and is cut to printable ASCII by pointer().
    if (!scalar)
      return quarantine("variable-type", "variables" + member.pointer() + " must be a text, a number or a boolean");
    const std::string value =
        member.is(json::Kind::boolean) ? (member.boolean() ? "true" : "false") : std::string(member.text());
    if (value.size() > kMaxVariableValue)
      return quarantine("variable-too-long", "variables" + member.pointer() + " is longer than 8192 bytes");
    wire::Variable& variable = *submit.add_variable();
    variable.set_name(std::string(member.key()));
    variable.set_value(value);
  }
  return std::nullopt;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

}  // namespace postern::sql
