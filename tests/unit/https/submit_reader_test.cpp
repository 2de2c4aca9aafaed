// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/submit_reader.hpp"

#include <gtest/gtest.h>

#include <map>

#include "crypto/bytes.hpp"

namespace postern::https {
namespace {

constexpr std::int64_t kNow = 1'764'000'000'000;

class SubmitReaderTest : public testing::Test {
 protected:
  SubmitReader reader_{ReaderOptions{"UA", false, 64 * 1024}};
  wire::Submit out_;

  std::optional<Refusal> read(std::string_view body, Form form = Form::single) {
    out_.Clear();
    return reader_.read(body, form, kNow, out_);
  }

  // "pointer=code" of every fault, in order.
  std::string faults(std::string_view body, Form form = Form::single) {
    const auto refusal = read(body, form);
    if (!refusal) return "none";
    std::string all;
    for (const http::Fault& f : refusal->faults) {
      EXPECT_FALSE(f.detail.empty());
      all += (all.empty() ? "" : " ") + f.pointer + "=" + f.code;
    }
    return all;
  }

  // A good message with one member added.
  std::string with(std::string_view member) {
    return faults(R"({"category":"otp","template":"t","recipient":{"phone":"+380671234567"},)" + std::string(member) +
                  "}");
  }
  std::string with_recipient(std::string_view members) {
    return faults(R"({"category":"otp","template":"t","recipient":{)" + std::string(members) + "}}");
  }
};

TEST_F(SubmitReaderTest, FillsEveryField) {
  const std::string body = R"({
    "category": "transaction", "template": "paid",
    "variables": {"amount": "1 250,00 ₴", "count": 3, "rate": 1.50, "empty": ""},
    "subject": "Payment", "scenario": "push-then-sms", "reference": "tx-1",
    "deadline": "2026-01-02T03:04:05Z", "send_at": "2026-01-02T02:04:05+01:00",
    "recipient": {"reference": "c-7", "phone": "067 123 45 67", "email": "anna@bank.example",
                  "whatsapp": "+380501112233",
                  "push": [{"token": "abc", "platform": "fcm"}, {"token": "def", "platform": "apns"}],
                  "locale": "uk-UA", "time_zone": "Europe/Kyiv"}})";
  ASSERT_EQ(faults(body), "none");
  EXPECT_EQ(out_.category(), wire::TRANSACTION);
  EXPECT_EQ(out_.template_(), "paid");
  EXPECT_EQ(out_.text(), "");
  EXPECT_EQ(out_.subject(), "Payment");
  EXPECT_EQ(out_.scenario(), "push-then-sms");
  EXPECT_EQ(out_.reference(), "tx-1");
  EXPECT_EQ(out_.deadline_ms(), 1767323045000U);
  EXPECT_EQ(out_.send_at_ms(), 1767315845000U);
  std::map<std::string, std::string> variables;
  for (const wire::Variable& v : out_.variable()) variables[v.name()] = v.value();
  EXPECT_EQ(variables, (std::map<std::string, std::string>{
                           {"amount", "1 250,00 ₴"}, {"count", "3"}, {"rate", "1.50"}, {"empty", ""}}));
  const wire::Recipient& to = out_.recipient();
  EXPECT_EQ(to.reference(), "c-7");
  EXPECT_EQ(to.phone(), "380671234567");
  EXPECT_EQ(to.email(), "anna@bank.example");
  EXPECT_EQ(to.whatsapp(), "380501112233");
  EXPECT_EQ(to.locale(), "uk-UA");
  EXPECT_EQ(to.time_zone(), "Europe/Kyiv");
  ASSERT_EQ(to.push_size(), 2);
  EXPECT_EQ(to.push(1).token(), "def");
  EXPECT_EQ(to.push(1).platform(), "apns");
  EXPECT_EQ(to_hex(as_bytes(out_.fingerprint())).size(), 64U);
  EXPECT_EQ(out_.tag(), 0U);
  EXPECT_EQ(out_.identity(), "");
  EXPECT_EQ(out_.idempotency_key(), "");
}

TEST_F(SubmitReaderTest, TheFingerprintIsOfTheBytesAsSent) {
  const std::string a = R"({"category":"otp","text":"x","recipient":{"reference":"r"}})";
  ASSERT_EQ(faults(a), "none");
  EXPECT_EQ(to_hex(as_bytes(out_.fingerprint())), "635cfc77703198432aa7c664d72fb90cb708414aa04a14981ce77571f0e64715");
}

TEST_F(SubmitReaderTest, EveryCategoryIsKnown) {
  const std::map<std::string, wire::Category> words = {{"otp", wire::OTP},
                                                       {"security", wire::SECURITY},
                                                       {"transaction", wire::TRANSACTION},
                                                       {"service", wire::SERVICE},
                                                       {"marketing", wire::MARKETING}};
  for (const auto& [word, category] : words) {
    ASSERT_EQ(faults("{\"category\":\"" + word + R"(","text":"x","recipient":{"reference":"r"}})"), "none");
    EXPECT_EQ(out_.category(), category);
  }
}

TEST_F(SubmitReaderTest, ASpanCountsFromNowOrFromSendAt) {
  ASSERT_EQ(with(R"("deadline":"5m")"), "none");
  EXPECT_EQ(out_.deadline_ms(), static_cast<std::uint64_t>(kNow + 300'000));
  ASSERT_EQ(with(R"("deadline":"5m","send_at":"2026-01-02T03:04:05Z")"), "none");
  EXPECT_EQ(out_.deadline_ms(), 1767323045000U + 300'000U);
  ASSERT_EQ(with(R"("send_at":"2026-01-02T03:04:05Z","deadline":"5m")"), "none");
  EXPECT_EQ(out_.deadline_ms(), 1767323045000U + 300'000U) << "whatever their order";
  ASSERT_EQ(with(R"("deadline":"5m","send_at":"2020-01-02T03:04:05Z")"), "none");
  EXPECT_EQ(out_.deadline_ms(), static_cast<std::uint64_t>(kNow + 300'000)) << "a send_at in the past means now";
}

TEST_F(SubmitReaderTest, WhatIsMissingIsNamed) {
  EXPECT_EQ(faults("{}"), "/category=missing =content-missing /recipient=missing");
  EXPECT_EQ(faults(R"({"category":"otp","text":"x","recipient":{}})"), "/recipient=address-missing");
  EXPECT_EQ(faults(R"({"category":"otp","text":"x","recipient":{"locale":"uk"}})"), "/recipient=address-missing");
  EXPECT_EQ(with_recipient(R"("push":[{"token":"a"},{"platform":"fcm"}])"),
            "/recipient/push/0/platform=missing /recipient/push/1/token=missing");
}

TEST_F(SubmitReaderTest, EitherATemplateOrAText) {
  EXPECT_EQ(with(R"("text":"x")"), "=content-twice");
  EXPECT_EQ(faults(R"({"category":"otp","text":"x","variables":{},"recipient":{"reference":"r"}})"),
            "/variables=content-twice");
}

TEST_F(SubmitReaderTest, UnknownFieldsAreRefusedAtEveryLevel) {
  EXPECT_EQ(with(R"("colour":"red")"), "/colour=unknown-field");
  EXPECT_EQ(with(R"("a/b~c":1)"), "/a~1b~0c=unknown-field");
  EXPECT_EQ(with_recipient(R"("phone":"+380671234567","fax":"1")"), "/recipient/fax=unknown-field");
  EXPECT_EQ(with_recipient(R"("push":[{"token":"a","platform":"fcm","x":1}])"), "/recipient/push/0/x=unknown-field");
}

TEST_F(SubmitReaderTest, EveryWrongTypeIsTold) {
  EXPECT_EQ(faults("[]"), "=wrong-type");
  EXPECT_EQ(faults("\"x\""), "=wrong-type");
  EXPECT_EQ(
      faults(R"({"category":1,"template":[],"recipient":"x","variables":[],"scenario":null,"reference":{},)"
             R"("deadline":5,"send_at":true})"),
      "/category=wrong-type /template=wrong-type /recipient=wrong-type /variables=wrong-type /scenario=wrong-type "
      "/reference=wrong-type "
      "/deadline=wrong-type /send_at=wrong-type");
  EXPECT_EQ(with(R"("variables":{"a":true,"b":null,"c":[],"d":{}})"),
            "/variables/a=wrong-type /variables/b=wrong-type /variables/c=wrong-type /variables/d=wrong-type");
  EXPECT_EQ(
      with_recipient(
          R"("phone":380671234567,"email":[],"push":{},"locale":1,"time_zone":1,"whatsapp":1,"reference":1)"),
      "/recipient/phone=wrong-type /recipient/email=wrong-type /recipient/push=wrong-type /recipient/locale=wrong-type "
      "/recipient/time_zone=wrong-type /recipient/whatsapp=wrong-type /recipient/reference=wrong-type");
  EXPECT_EQ(with_recipient(R"("push":["a",{"token":1,"platform":2}])"),
            "/recipient/push/0=wrong-type /recipient/push/1/token=wrong-type /recipient/push/1/platform=wrong-type");
}

TEST_F(SubmitReaderTest, ValuesOutsideTheirRangeAreRefused) {
  EXPECT_EQ(faults(R"({"category":"OTP","text":"x","recipient":{"reference":"r"}})"), "/category=unknown-value");
  EXPECT_EQ(with_recipient(R"("push":[{"token":"a","platform":"gcm"}])"), "/recipient/push/0/platform=unknown-value");
  EXPECT_EQ(with(R"("deadline":"soon")"), "/deadline=time-malformed");
  EXPECT_EQ(with(R"("deadline":"2026-01-02T03:04:05")"), "/deadline=time-malformed") << "no zone";
  EXPECT_EQ(with(R"("send_at":"5m")"), "/send_at=time-malformed");
  EXPECT_EQ(with_recipient(R"("reference":"r","locale":"uk_UA")"), "/recipient/locale=malformed");
  EXPECT_EQ(with_recipient(R"("reference":"r","time_zone":"Europe Kyiv")"), "/recipient/time_zone=malformed");
}

TEST_F(SubmitReaderTest, EmptyLongAndControlCharactersAreRefused) {
  EXPECT_EQ(with(R"("scenario":"")"), "/scenario=empty");
  EXPECT_EQ(with("\"reference\":\"" + std::string(128, 'r') + "\""), "none");
  EXPECT_EQ(with("\"reference\":\"" + std::string(129, 'r') + "\""), "/reference=too-long");
  EXPECT_EQ(with(R"("subject":"a\nBcc: x")"), "/subject=control-character")
      << "a subject with a line end would make a header";
  EXPECT_EQ(with(R"("reference":"a\u0000b")"), "/reference=control-character");
  EXPECT_EQ(with(R"("variables":{"a":"x\u0000"})"), "/variables/a=control-character");
  EXPECT_EQ(with(R"("variables":{"":"x","b\u0001":"y"})"), "/variables/=name /variables/b?=name");
  EXPECT_EQ(faults(R"({"category":"otp","text":"two\nlines\tand\r\n","recipient":{"reference":"r"}})"), "none");
  EXPECT_EQ(faults(R"({"category":"otp","text":"a\u001b[0m","recipient":{"reference":"r"}})"),
            "/text=control-character");
  std::string variables;
  for (int i = 0; i < 101; ++i) variables += (i == 0 ? "\"v" : ",\"v") + std::to_string(i) + "\":1";
  EXPECT_EQ(with("\"variables\":{" + variables + "}"), "/variables=too-many");
}

TEST_F(SubmitReaderTest, PhoneNumbersAreRefusedWithTheirReason) {
  EXPECT_EQ(with_recipient(R"("phone":"abc")"), "/recipient/phone=phone-malformed");
  EXPECT_EQ(with_recipient(R"("phone":"+38067")"), "/recipient/phone=phone-impossible");
  EXPECT_EQ(with_recipient(R"("phone":"+49 30 901820")"), "/recipient/phone=phone-fixed-line");
  EXPECT_EQ(with_recipient(R"("whatsapp":"+38067")"), "/recipient/whatsapp=phone-impossible");
  EXPECT_EQ(with_recipient(R"("phone":"+48 701 234 567")"), "/recipient/phone=phone-premium");
  SubmitReader with_fixed(ReaderOptions{"", true, 4096});
  EXPECT_FALSE(with_fixed.read(R"({"category":"otp","text":"x","recipient":{"phone":"+49 30 901820"}})", Form::single,
                               kNow, out_));
}

TEST_F(SubmitReaderTest, ANumberOutsideThePlanIsTakenAndCounted) {
  EXPECT_EQ(with_recipient(R"("phone":"+380211234567")"), "none");
  EXPECT_EQ(reader_.outside_plan(), 1U);
}

TEST_F(SubmitReaderTest, EmailAddressesAreCheckedForTheirForm) {
  for (const std::string good : {"a@b", "anna.o'neil+x@bank.example", "ганна@банк.укр"})
    EXPECT_EQ(with_recipient("\"email\":\"" + good + "\""), "none") << good;
  for (const std::string bad :
       {"a", "@b", "a@", "a@@b", "a b@c", "a@b,c@d", "Anna <a@b>", "a@.b", "a@b.", "a@b..c", "a;b@c"})
    EXPECT_EQ(with_recipient("\"email\":\"" + bad + "\""), "/recipient/email=email-malformed") << bad;
  EXPECT_EQ(with_recipient(R"("email":"a@b\r\nBcc: c@d")"), "/recipient/email=control-character");
}

TEST_F(SubmitReaderTest, AKeyStandsInALineAndNotInASingleBody) {
  const std::string line = R"({"category":"otp","text":"x","recipient":{"reference":"r"},"idempotency_key":"k-1"})";
  EXPECT_EQ(faults(line, Form::single), "/idempotency_key=unknown-field");
  ASSERT_EQ(faults(line, Form::line), "none");
  EXPECT_EQ(out_.idempotency_key(), "k-1");
  EXPECT_EQ(faults(R"({"category":"otp","text":"x","recipient":{"reference":"r"},"idempotency_key":""})", Form::line),
            "/idempotency_key=key-malformed");
  EXPECT_EQ(
      faults(R"({"category":"otp","text":"x","recipient":{"reference":"r"},"idempotency_key":"ключ"})", Form::line),
      "/idempotency_key=key-malformed");
}

TEST_F(SubmitReaderTest, BrokenJsonIs400AndTooMuch413) {
  const auto broken = read("{\"category\":");
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->status, 400);
  EXPECT_EQ(broken->code, "json-malformed");
  const auto large = read("\"" + std::string(64 * 1024, 'x') + "\"");
  ASSERT_TRUE(large);
  EXPECT_EQ(large->status, 413);
}

TEST_F(SubmitReaderTest, AHostileBodyGetsABoundedAnswer) {
  std::string body = "{";
  for (int i = 0; i < 1000; ++i) body += (i == 0 ? "\"x" : ",\"x") + std::to_string(i) + "\":1";
  const auto refusal = read(body + "}");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->faults.size(), kMaxFaults);
}

}  // namespace
}  // namespace postern::https
