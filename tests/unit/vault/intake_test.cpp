// SPDX-License-Identifier: Apache-2.0
// What the vault accepts, what it refuses, and what it says about it.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

std::vector<std::string> problems(const wire::Verdict& verdict) {
  std::vector<std::string> all;
  for (const wire::Problem& problem : verdict.problem()) all.push_back(problem.pointer() + " " + problem.code());
  return all;
}

class Intake : public testing::Test {
 protected:
  House house;
  PeerId api = house.join("api");

  wire::Submit plain() { return House::submit(); }
  void expect_problem(wire::Submit submit, const std::string& wanted) {
    const wire::Verdict verdict = house.send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID) << wanted;
    const std::vector<std::string> all = problems(verdict);
    EXPECT_TRUE(std::ranges::find(all, wanted) != all.end()) << wanted << " is missing; first: " << (all.empty() ? "none" : all[0]);
    EXPECT_TRUE(verdict.id().empty());
    EXPECT_EQ(house.vault().context().metrics.waiting, 0U);
  }
};

TEST_F(Intake, AGoodSubmitIsStoredWithAUuidOfVersion7) {
  const wire::Verdict verdict = house.send(api, plain());
  ASSERT_EQ(verdict.outcome(), wire::Verdict::STORED);
  ASSERT_EQ(verdict.id().size(), 36U);
  EXPECT_EQ(verdict.id()[14], '7');
  EXPECT_TRUE(MessageId::parse(verdict.id()).has_value());
  EXPECT_EQ(house.vault().context().metrics.waiting, 1U);
}

TEST_F(Intake, AnAcceptedMessageIsOneLeafWithoutPersonalData) {
  house.send(api, plain());
  const std::vector<audit::Leaf> leaves = house.leaves();
  const auto accepted = std::ranges::find(leaves, EventType::accepted, &audit::Leaf::type);
  ASSERT_NE(accepted, leaves.end());
  EXPECT_EQ(accepted->body_kind, audit::BodyKind::person);
  std::optional<audit::Body> body;
  ASSERT_TRUE(house.vault().turn([&](Turn& turn) { body = turn.body_of(*accepted); }).has_value());
  ASSERT_TRUE(body.has_value());
  for (const auto& [field, text] : *body) {
    EXPECT_EQ(text.find("380671234567"), std::string::npos);
    EXPECT_EQ(text.find("card"), std::string::npos);
  }
}

TEST_F(Intake, EachVerdictCarriesTheTagOfItsSubmit) {
  wire::ToVault frame;
  for (std::uint64_t tag = 100; tag < 105; ++tag) {
    wire::Submit submit = plain();
    submit.set_tag(tag);
    if (tag % 2 == 0) submit.set_scenario("no-such");
    *frame.add_submit() = submit;
  }
  house.say(api, std::move(frame));
  house.turn();
  const wire::ToConnector heard = house.take(api);
  ASSERT_EQ(heard.verdict_size(), 5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(heard.verdict(i).tag(), 100U + static_cast<unsigned>(i));
    EXPECT_EQ(heard.verdict(i).outcome(), i % 2 == 0 ? wire::Verdict::INVALID : wire::Verdict::STORED);
  }
}

TEST_F(Intake, TheVerdictIsSaidWithTheNumberOfTheFrameThatIsDurable) {
  wire::ToVault frame;
  *frame.add_submit() = plain();
  house.say(api, std::move(frame));
  house.turn();
  EXPECT_EQ(house.take(api).committed(), 2U);
}

// ---- every fault with its pointer ----

TEST_F(Intake, FaultsOfWordsHaveTheirPointer) {
  wire::Submit s = plain();
  s.set_category(wire::CATEGORY_UNSET);
  expect_problem(s, "/category unknown-category");
  s = plain();
  s.set_scenario("no-such");
  expect_problem(s, "/scenario unknown-scenario");
  s = plain();
  s.set_scenario("otp-only");
  expect_problem(s, "/scenario scenario-not-for-category");
  s = plain();
  s.set_reference(std::string(129, 'r'));
  expect_problem(s, "/reference too-long");
  s = plain();
  s.set_idempotency_key(std::string(129, 'k'));
  expect_problem(s, "/idempotency_key too-long");
}

TEST_F(Intake, FaultsOfContentHaveTheirPointer) {
  wire::Submit s = plain();
  s.clear_text();
  expect_problem(s, "/template no-content");
  s = plain();
  s.set_text(std::string(32 * 1024 + 1, 'x'));
  expect_problem(s, "/text too-long");
  s = plain();
  s.set_subject(std::string(501, 'x'));
  expect_problem(s, "/subject too-long");
  s = plain();
  s.add_variable()->set_name("code");
  expect_problem(s, "/variables variables-without-template");
  s = plain();
  s.set_template_("code");
  expect_problem(s, "/text text-and-template");
  s.clear_text();
  s.set_template_("no-such");
  expect_problem(s, "/template unknown-template");
  s.set_template_("promo");
  expect_problem(s, "/template template-not-for-category");
}

TEST_F(Intake, FaultsOfVariablesHaveTheirPointer) {
  wire::Submit s = plain();
  s.clear_text();
  s.set_template_("code");
  expect_problem(s, "/variables/code missing-variable");
  expect_problem(s, "/variables/who missing-variable");
  wire::Variable& code = *s.add_variable();
  code.set_name("code");
  code.set_value("12a");
  expect_problem(s, "/variables/code invalid-variable");
  wire::Variable& other = *s.add_variable();
  other.set_name("a/b~c");
  other.set_value("1");
  expect_problem(s, "/variables/a~1b~0c unknown-variable");
  for (int i = 0; i < 100; ++i) s.add_variable()->set_name("v" + std::to_string(i));
  expect_problem(s, "/variables too-many");
}

TEST_F(Intake, FaultsOfTheRecipientHaveTheirPointer) {
  for (const std::string phone : {"+380671234567", "0671234567", "38067123456789012", "123456", "38067 1234567", "abc"}) {
    wire::Submit s = plain();
    s.mutable_recipient()->set_phone(phone);
    expect_problem(s, "/recipient/phone not-e164");
  }
  wire::Submit s = plain();
  s.mutable_recipient()->set_whatsapp("12");
  expect_problem(s, "/recipient/whatsapp not-e164");
  for (const std::string mail : {"anna", "@bank.example", "anna@", "a@b@c", "anna @bank.example", "anna@bank.example\r\nBcc: x", "<a@b>"}) {
    s = plain();
    s.mutable_recipient()->set_email(mail);
    expect_problem(s, "/recipient/email not-an-address");
  }
  s = plain();
  for (int i = 0; i < 10; ++i) s.mutable_recipient()->add_push()->set_token("t");
  expect_problem(s, "/recipient/push too-many");
  s = plain();
  s.mutable_recipient()->add_push();
  expect_problem(s, "/recipient/push/1/token bad-token");
  s = plain();
  s.mutable_recipient()->mutable_push(0)->set_token(std::string(4097, 't'));
  expect_problem(s, "/recipient/push/0/token bad-token");
  s = plain();
  s.mutable_recipient()->set_reference(std::string(129, 'r'));
  expect_problem(s, "/recipient/reference too-long");
  s = plain();
  s.clear_recipient();
  expect_problem(s, "/recipient no-address");
}

TEST_F(Intake, AnOverlongPlatformIsRefusedAndNotWritten) {
  wire::Submit s = plain();
  s.mutable_recipient()->mutable_push(0)->set_platform(std::string(300, 'p'));
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::INVALID);
}

TEST_F(Intake, FaultsOfTimesHaveTheirPointer) {
  const auto now = static_cast<std::uint64_t>(house.now);
  wire::Submit s = plain();
  s.set_deadline_ms(now);
  expect_problem(s, "/deadline deadline-passed");
  s.set_deadline_ms(now + 367ULL * 24 * 3600 * 1000);
  expect_problem(s, "/deadline too-far");
  s.set_deadline_ms(UINT64_MAX);
  expect_problem(s, "/deadline deadline-passed");
  s = plain();
  s.set_send_at_ms(now + 367ULL * 24 * 3600 * 1000);
  expect_problem(s, "/send_at too-far");
  s.set_send_at_ms(UINT64_MAX);
  expect_problem(s, "/send_at too-far");
  s.set_send_at_ms(now + 10'000);
  s.set_deadline_ms(now + 10'000);
  expect_problem(s, "/deadline deadline-before-send-at");
}

TEST_F(Intake, ASubmitWithoutAnyUsableStepIsRefused) {
  wire::Submit s = House::submit("mail");
  expect_problem(s, "/recipient no-usable-step");
}

TEST_F(Intake, AllFaultsAreSaidAtOnce) {
  wire::Submit s = plain();
  s.mutable_recipient()->set_phone("abc");
  s.set_reference(std::string(200, 'r'));
  s.set_deadline_ms(5);
  EXPECT_EQ(problems(house.send(api, s)).size(), 3U);
}

TEST_F(Intake, NoProblemHoldsAValueOfTheMessage) {
  wire::Submit s = plain();
  s.mutable_recipient()->set_phone("38067secret");
  s.mutable_recipient()->set_email("secret at bank");
  const wire::Verdict verdict = house.send(api, s);
  EXPECT_EQ(verdict.problem_size(), 2);
  for (const wire::Problem& problem : verdict.problem()) {
    EXPECT_EQ(problem.detail().find("secret"), std::string::npos);
  }
}

// ---- who asks ----

TEST_F(Intake, AnUnknownIdentityIsRefused) {
  wire::Submit s = plain();
  s.set_identity("spiffe://elsewhere.example/x");
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::CLIENT_UNKNOWN);
  s.clear_identity();  // the HTTPS source has no client of its own
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::CLIENT_UNKNOWN);
}

TEST_F(Intake, APullSourceSubmitsForItsConfiguredClient) {
  const PeerId pull = house.join("pull");
  wire::Submit s = plain();
  s.clear_identity();
  EXPECT_EQ(house.send(pull, s).outcome(), wire::Verdict::STORED);
}

TEST_F(Intake, ACategoryThatTheClientMayNotSendIsForbidden) {
  wire::Submit s = House::submit("sms", "380671234567", wire::OTP);
  s.set_identity(kOtherUri);
  const wire::Verdict verdict = house.send(api, s);
  EXPECT_EQ(verdict.outcome(), wire::Verdict::FORBIDDEN);
  EXPECT_EQ(problems(verdict), std::vector<std::string>{"/category category-forbidden"});
}

TEST_F(Intake, MoreThanTheRateIsBusyAndTheNextSecondIsFree) {
  const auto stored = [&](int count) {
    int good = 0;
    for (int i = 0; i < count; ++i) {
      wire::Submit s = plain();
      s.set_identity(kOtherUri);
      const wire::Verdict verdict = house.send(api, s);
      good += verdict.outcome() == wire::Verdict::STORED;
      if (verdict.outcome() == wire::Verdict::BUSY) {
        EXPECT_GT(verdict.retry_after_ms(), 0U);
      }
    }
    return good;
  };
  EXPECT_EQ(stored(15), 10);
  house.now += 500;
  EXPECT_EQ(stored(10), 5);
  house.now += 60'000;
  EXPECT_EQ(stored(20), 10);
}

TEST_F(Intake, ARefusedSubmitLeavesALeafAndNoMessage) {
  wire::Submit s = plain();
  s.set_scenario("no-such");
  house.send(api, s);
  const std::vector<audit::Leaf> leaves = house.leaves();
  EXPECT_EQ(leaves.back().type, EventType::rejected);
  EXPECT_EQ(leaves.back().message.key, 0);
}

// ---- validate only ----

TEST_F(Intake, ValidateOnlySaysWhatWouldBeAndStoresNothing) {
  wire::Submit s = plain();
  s.set_validate_only(true);
  s.set_idempotency_key("k");
  s.set_fingerprint(std::string(32, 'f'));
  const std::size_t before = house.leaves().size();
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::VALID);
  s.mutable_recipient()->set_phone("x");
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::INVALID);
  EXPECT_EQ(house.leaves().size(), before);
  EXPECT_EQ(house.vault().context().metrics.waiting, 0U);
  s = plain();
  s.set_idempotency_key("k");
  s.set_fingerprint(std::string(32, 'f'));
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::STORED) << "validating must not use up the key";
}

// ---- idempotency ----

class Idempotency : public Intake {
 protected:
  wire::Submit keyed(const std::string& key, const std::string& fingerprint) {
    wire::Submit s = plain();
    s.set_idempotency_key(key);
    s.set_fingerprint(fingerprint);
    return s;
  }
  const std::string one = std::string(32, '\x01'), two = std::string(32, '\x02');
};

TEST_F(Idempotency, TheSameKeyWithTheSameBodyGivesTheFirstId) {
  const wire::Verdict first = house.send(api, keyed("k", one));
  const wire::Verdict again = house.send(api, keyed("k", one));
  EXPECT_EQ(first.outcome(), wire::Verdict::STORED);
  EXPECT_EQ(again.outcome(), wire::Verdict::REPLAYED);
  EXPECT_EQ(again.id(), first.id());
  EXPECT_EQ(house.vault().context().metrics.waiting, 1U);
}

TEST_F(Idempotency, TheSameKeyWithAnotherBodyIsRefused) {
  house.send(api, keyed("k", one));
  EXPECT_EQ(house.send(api, keyed("k", two)).outcome(), wire::Verdict::KEY_REUSED);
  EXPECT_EQ(house.vault().context().metrics.waiting, 1U);
}

TEST_F(Idempotency, HoldsAlsoInsideOneTurn) {
  wire::ToVault frame;
  for (const std::string& fingerprint : {one, one, two}) *frame.add_submit() = keyed("k", fingerprint);
  house.say(api, std::move(frame));
  house.turn();
  const wire::ToConnector heard = house.take(api);
  ASSERT_EQ(heard.verdict_size(), 3);
  EXPECT_EQ(heard.verdict(0).outcome(), wire::Verdict::STORED);
  EXPECT_EQ(heard.verdict(1).outcome(), wire::Verdict::REPLAYED);
  EXPECT_EQ(heard.verdict(1).id(), heard.verdict(0).id());
  EXPECT_EQ(heard.verdict(2).outcome(), wire::Verdict::KEY_REUSED);
}

TEST_F(Idempotency, HoldsOverARestartOfTheVault) {
  const wire::Verdict first = house.send(api, keyed("k", one));
  house.reopen();
  api = house.join("api");
  EXPECT_EQ(house.send(api, keyed("k", one)).id(), first.id());
  EXPECT_EQ(house.send(api, keyed("k", two)).outcome(), wire::Verdict::KEY_REUSED);
}

TEST_F(Idempotency, KeysOfDifferentClientsDoNotMeet) {
  house.send(api, keyed("k", one));
  wire::Submit s = keyed("k", two);
  s.set_identity(kOtherUri);
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::STORED);
}

TEST_F(Idempotency, ARefusedSubmitDoesNotUseUpItsKey) {
  wire::Submit s = keyed("k", one);
  s.mutable_recipient()->set_phone("x");
  EXPECT_EQ(house.send(api, s).outcome(), wire::Verdict::INVALID);
  EXPECT_EQ(house.send(api, keyed("k", two)).outcome(), wire::Verdict::STORED);
}

// ---- what is sent ----

TEST_F(Intake, TheTemplateIsRenderedInTheRecipientsLanguage) {
  const PeerId sms = house.join("sms");
  wire::Submit s = plain();
  s.clear_text();
  s.set_template_("code");
  s.mutable_recipient()->set_locale("uk-UA");
  for (const auto& [name, value] : {std::pair("code", "123456"), std::pair("who", "Anna")}) {
    wire::Variable& variable = *s.add_variable();
    variable.set_name(name);
    variable.set_value(value);
  }
  ASSERT_EQ(house.send(api, s).outcome(), wire::Verdict::STORED);
  const wire::ToConnector heard = house.take(sms);
  ASSERT_EQ(heard.deliver_size(), 1);
  EXPECT_EQ(heard.deliver(0).text(), "Ваш код 123456, Anna");
}

TEST_F(Intake, AStepIsNotTakenWithAnEmptyText) {
  House other({}, {}, {{"wa-only", "name = \"wa-only\"\ncategories = [\"service\"]\ndefault_locale = \"en\"\n[locales.en]\ntemplate = \"t\"\nlanguage = \"en\"\n"}});
  const PeerId source = other.join("api");
  wire::Submit s = House::submit("sms");
  s.clear_text();
  s.set_template_("wa-only");
  EXPECT_EQ(other.send(source, s).outcome(), wire::Verdict::INVALID);
}

TEST_F(Intake, ATextThatGrowsTooLongWhenRenderedIsRefusedAtOnce) {
  std::string text = "name = \"big\"\ncategories = [\"service\"]\ndefault_locale = \"en\"\n[placeholders]\n", html;
  for (int i = 0; i < 95; ++i) {
    text += "v" + std::to_string(i) + " = \"text\"\n";
    html += "{{v" + std::to_string(i) + "}}";
  }
  text += "[locales.en]\ntext = \"x\"\n[locales.en.email]\ntext = \"x\"\nsubject = \"x\"\nhtml = \"" + html + "\"\n";
  House other({}, {}, {{"big", text}});
  const PeerId source = other.join("api"), mail = other.join("mail");
  wire::Submit s = House::submit("mail");
  s.clear_text();
  s.set_template_("big");
  s.mutable_recipient()->set_email("anna@bank.example");
  for (int i = 0; i < 95; ++i) {
    wire::Variable& variable = *s.add_variable();
    variable.set_name("v" + std::to_string(i));
    variable.set_value(std::string(500, '"'));
  }
  const wire::Verdict verdict = other.send(source, s);
  if (verdict.outcome() == wire::Verdict::STORED) {
    EXPECT_EQ(other.heard(mail).deliver_size(), 1) << "accepted, so it must be deliverable";
  } else {
    EXPECT_EQ(verdict.outcome(), wire::Verdict::INVALID);
  }
}

TEST_F(Intake, KeysGrowAlsoWhenTheClockStepsBack) {
  const wire::Verdict first = house.send(api, plain());
  house.now -= 3'600'000;
  const wire::Verdict second = house.send(api, plain());
  ASSERT_EQ(second.outcome(), wire::Verdict::STORED);
  EXPECT_GT(MessageId::parse(second.id())->key, MessageId::parse(first.id())->key);
}

}  // namespace
}  // namespace postern::vault
