// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/row.hpp"

#include <gtest/gtest.h>

namespace postern::sql {
namespace {

constexpr std::int64_t kNow = 1'795'349'647'000;

struct RowTest : testing::Test {
  RowMapper mapper{"UA", /*mobile_only=*/false};
  Row row = plain();

  static Row plain() {
    Row one;
    at(one, Cell::id) = "17";
    at(one, Cell::message_key) = "pay-17";
    at(one, Cell::too_large) = "f";
    at(one, Cell::category) = "transaction";
    at(one, Cell::template_name) = "payment";
    return one;
  }
  static std::optional<std::string_view>& at(Row& row, Cell which) { return row[static_cast<std::size_t>(which)]; }
  std::optional<std::string_view>& at(Cell which) { return at(row, which); }

  std::string code() {
    const std::optional<Mapped> mapped = mapper.map(row, kNow);
    if (!mapped) return "no id";
    const Quarantine* fault = std::get_if<Quarantine>(&mapped->what);
    return fault == nullptr ? "good" : fault->code;
  }
  wire::Submit submit() {
    std::optional<Mapped> mapped = mapper.map(row, kNow);
    wire::Submit* good = mapped ? std::get_if<wire::Submit>(&mapped->what) : nullptr;
    EXPECT_NE(good, nullptr);
    return good == nullptr ? wire::Submit() : *good;
  }
};

TEST_F(RowTest, ALeastRowIsASubmit) {
  const wire::Submit one = submit();
  EXPECT_EQ(one.tag(), 17u);
  EXPECT_EQ(one.idempotency_key(), "pay-17");
  EXPECT_EQ(one.reference(), "pay-17");
  EXPECT_EQ(one.identity(), "");
  EXPECT_EQ(one.category(), wire::TRANSACTION);
  EXPECT_EQ(one.template_(), "payment");
  EXPECT_EQ(one.fingerprint().size(), 32u);
  EXPECT_EQ(one.deadline_ms(), 0u);
}

TEST_F(RowTest, EveryCategoryIsKnownByItsWordOnly) {
  for (const char* word : {"otp", "security", "transaction", "service", "marketing"}) {
    at(Cell::category) = word;
    EXPECT_EQ(code(), "good") << word;
  }
  for (const char* word : {"OTP", "", "otp ", "unset"}) {
    at(Cell::category) = word;
    EXPECT_EQ(code(), "category-unknown") << word;
  }
}

TEST_F(RowTest, PhonesBecomeDigits) {
  at(Cell::phone) = "067 123-45-67";
  EXPECT_EQ(submit().recipient().phone(), "380671234567");
  at(Cell::phone) = "+48 500 100 200";
  EXPECT_EQ(submit().recipient().phone(), "48500100200");
  at(Cell::phone) = "12";
  EXPECT_EQ(code(), "phone-impossible");
  at(Cell::phone) = "call me";
  EXPECT_EQ(code(), "phone-malformed");
}

TEST_F(RowTest, VariablesAreOneObjectOfScalars) {
  at(Cell::variables) = R"({"b": "x", "a": 1.50, "c": false})";
  const wire::Submit one = submit();
  ASSERT_EQ(one.variable_size(), 3);
  EXPECT_EQ(one.variable(1).name(), "a");
  EXPECT_EQ(one.variable(1).value(), "1.50");
  EXPECT_EQ(one.variable(2).value(), "false");
  const std::pair<const char*, const char*> bad[] = {{"{", "variables-malformed"},
                                                     {"[]", "variables-malformed"},
                                                     {"null", "variables-malformed"},
                                                     {R"({"a":null})", "variable-type"},
                                                     {R"({"a":[1]})", "variable-type"},
                                                     {R"({"a":1,"a":2})", "variables-malformed"},
                                                     {R"({"":"x"})", "variable-name-invalid"},
                                                     {R"({"a\nb":"x"})", "variable-name-invalid"},
                                                     {"{\"a\":\"\xff\"}", "variables-malformed"}};
  for (const auto& [text, wanted] : bad) {
    at(Cell::variables) = text;
    EXPECT_EQ(code(), wanted) << text;
  }
}

TEST_F(RowTest, VariablesAreBoundedInNumberAndSize) {
  std::string many = "{", largest = R"({"a":")" + std::string(kMaxVariableValue, 'x') + "\"}",
              larger = R"({"a":")" + std::string(kMaxVariableValue + 1, 'x') + "\"}";
  for (std::size_t i = 0; i <= kMaxVariables; ++i) many += (i > 0 ? ",\"v" : "\"v") + std::to_string(i) + "\":1";
  many += "}";
  at(Cell::variables) = many;
  EXPECT_EQ(code(), "variables-too-many");
  at(Cell::variables) = largest;
  EXPECT_EQ(code(), "good");
  at(Cell::variables) = larger;
  EXPECT_EQ(code(), "variable-too-long");
}

TEST_F(RowTest, TimesAreMillisecondsAfter1970) {
  at(Cell::deadline_ms) = "1795349707000";
  at(Cell::send_at_ms) = "1795349657000";
  EXPECT_EQ(submit().deadline_ms(), 1'795'349'707'000u);
  EXPECT_EQ(submit().send_at_ms(), 1'795'349'657'000u);
  for (const char* bad : {"-1", "x", "", "1e3", "99999999999999999999"}) {
    at(Cell::deadline_ms) = bad;
    EXPECT_EQ(code(), "time-invalid") << bad;
  }
}

TEST_F(RowTest, ARowWhoseDeadlineHasPassedIsNotSubmitted) {
  at(Cell::deadline_ms) = "1795349647000";
  EXPECT_EQ(code(), "expired");
  at(Cell::deadline_ms) = "1795349647001";
  EXPECT_EQ(code(), "good");
}

TEST_F(RowTest, WhatDoesNotFitIsQuarantinedByName) {
  const struct {
    Cell which;
    const char* value;
    const char* code;
  } rows[] = {
      {Cell::too_large, "t", "row-too-large"},
      {Cell::message_key, "", "key-invalid"},
      {Cell::message_key, "a b", "key-invalid"},
      {Cell::message_key, "ключ", "key-invalid"},
      {Cell::template_name, "a\nb", "template-invalid"},
      {Cell::scenario, "\x01", "scenario-invalid"},
      {Cell::recipient_ref, "a\x7f", "recipient-ref-invalid"},
      {Cell::email, "a@b\r\nc", "email-invalid"},
      {Cell::email, "\xc3(", "email-invalid"},
      {Cell::locale, "\n", "locale-invalid"},
      {Cell::push_token, "t", "push-platform-missing"},
      {Cell::push_platform, "fcm", "push-platform-missing"},
  };
  for (const auto& bad : rows) {
    row = plain();
    at(bad.which) = bad.value;
    EXPECT_EQ(code(), bad.code) << bad.value;
  }
  row = plain();
  at(Cell::push_token) = "t";
  at(Cell::push_platform) = "web";
  EXPECT_EQ(code(), "push-platform-unknown");
  row = plain();
  const std::string long_key(65, 'k');
  at(Cell::message_key) = long_key;
  EXPECT_EQ(code(), "key-invalid");
}

TEST_F(RowTest, ANullFlagOrIdIsNoGoodRow) {
  at(Cell::too_large) = std::nullopt;
  EXPECT_EQ(code(), "row-too-large");
  at(Cell::id) = "x";
  EXPECT_EQ(code(), "no id");
}

TEST_F(RowTest, AReasonRepeatsNoValue) {
  at(Cell::phone) = "secret-number";
  const std::optional<Mapped> mapped = mapper.map(row, kNow);
  const Quarantine& fault = std::get<Quarantine>(mapped->what);
  EXPECT_EQ((fault.code + fault.detail).find("secret"), std::string::npos);
}

TEST_F(RowTest, TheFingerprintStandsForTheContentAndNotForItsForm) {
  at(Cell::variables) = R"({"a": 1, "b": "x"})";
  at(Cell::phone) = "0671234567";
  const std::string first = submit().fingerprint();
  at(Cell::variables) = R"({"b":"x","a":1})";
  at(Cell::phone) = "+380 67 123 45 67";
  EXPECT_EQ(submit().fingerprint(), first);
  at(Cell::id) = "18";
  EXPECT_EQ(submit().fingerprint(), first) << "the row's number is not its content";
  for (const Cell which : {Cell::template_name, Cell::scenario, Cell::locale, Cell::recipient_ref, Cell::email}) {
    const std::optional<std::string_view> before = at(which);
    at(which) = "other";
    EXPECT_NE(submit().fingerprint(), first);
    at(which) = before;
  }
  at(Cell::variables) = R"({"b":"x","a":2})";
  EXPECT_NE(submit().fingerprint(), first);
}

TEST(Fingerprint, DoesNotLetTextMoveFromOneFieldToTheNext) {
  wire::Submit a, b;
  a.set_template_("ab");
  a.set_scenario("c");
  b.set_template_("a");
  b.set_scenario("bc");
  EXPECT_NE(fingerprint_of(a), fingerprint_of(b));
}

TEST(Uuid, IsToldFromOtherText) {
  EXPECT_TRUE(is_uuid("01890000-0000-7000-8000-00000000000a"));
  EXPECT_FALSE(is_uuid("01890000-0000-7000-8000-00000000000"));
  EXPECT_FALSE(is_uuid("01890000-0000-7000-8000-00000000000g"));
  EXPECT_FALSE(is_uuid("0189000000000-7000-8000-00000000000a"));
}

}  // namespace
}  // namespace postern::sql
