// SPDX-License-Identifier: Apache-2.0
#include "gateway/templates/template.hpp"

#include <gtest/gtest.h>

namespace postern::templates {
namespace {

const std::vector<Placeholder> kPlaceholders{{"code", Kind::digits}, {"who", Kind::text}};

std::string rendered(std::string_view source, const std::vector<std::string_view>& values, Text::Escape escape = Text::Escape::none) {
  const Result<Text> text = Text::parse(source, kPlaceholders);
  return text ? text->render(values, escape) : "refused: " + text.what();
}

TEST(Text, PutsTheValuesIntoTheirPlaces) {
  EXPECT_EQ(rendered("Hello {{who}}, {{code}}", {"123", "Anna"}), "Hello Anna, 123");
  EXPECT_EQ(rendered("{{code}}{{code}}", {"1", ""}), "11");
  EXPECT_EQ(rendered("no placeholder", {"", ""}), "no placeholder");
  EXPECT_EQ(rendered("a { b } }} c", {"", ""}), "a { b } }} c");
  EXPECT_EQ(rendered("", {"", ""}), "");
}

TEST(Text, AValueIsNeverReadAsATemplate) {
  EXPECT_EQ(rendered("{{who}}", {"1", "{{code}}"}), "{{code}}");
}

TEST(Text, EscapesHtmlWhereItIsHtml) {
  EXPECT_EQ(rendered("<b>{{who}}</b>", {"", "<a href=\"x\">&'"}, Text::Escape::html), "<b>&lt;a href=&quot;x&quot;&gt;&amp;&#39;</b>");
}

TEST(Text, EachFaultIsRefusedWithItsReason) {
  const std::pair<const char*, const char*> faults[] = {{"{{code", "without '}}'"},
                                                         {"{{other}}", "{{other}}"},
                                                         {"{{}}", "letters, digits and underscores"},
                                                         {"{{ code }}", "letters, digits and underscores"},
                                                         {"{{co-de}}", "letters, digits and underscores"},
                                                         {"{{{code}}}", "letters, digits and underscores"}};
  for (const auto& [source, reason] : faults) {
    const Result<Text> text = Text::parse(source, kPlaceholders);
    ASSERT_FALSE(text.has_value()) << source;
    EXPECT_NE(text.what().find(reason), std::string::npos) << text.what();
  }
  EXPECT_FALSE(Text::parse(std::string(64 * 1024 + 1, 'x'), {}).has_value());
  EXPECT_TRUE(Text::parse(std::string(64 * 1024, 'x'), {}).has_value());
}

TEST(Kinds, TakeWhatFitsAndRefuseTheRest) {
  const struct {
    Kind kind;
    std::vector<std::string> good, bad;
  } table[] = {
      {Kind::text, {"a", "Ганна", std::string(500, 'x'), "a\xc2\xa0" "b"}, {"", std::string(501, 'x'), "a\nb", "a\tb", std::string("a\0b", 3), "\x7f"}},
      {Kind::digits, {"0", "123456", std::string(20, '9')}, {"", std::string(21, '9'), "12a", "-1", "1 2", "１２"}},
      {Kind::amount, {"0", "1250.00", "-12,50 UAH", "+1 250,00 UAH", "1'000.50 CHF", "5€", "100 грн"},
       {"", "UAH", "-", "1250.00 UAH 5", "12a5", ".", "1 very long currency", "5\n"}},
      {Kind::date, {"2026-11-22", "22.11.2026", "2026-11-22 14:30", "22.11.2026 14:30:59", "2026-11-22T14:30"},
       {"", "2026-11-2", "22/11/2026", "2026-11-22 ", "2026-11-22 14", "today", "2026-11-22 14:30 x"}},
      {Kind::url, {"https://b.example", "https://bank.example/a?b=c#d"},
       {"", "http://bank.example", "https://", "https://a b", "javascript:alert(1)", "HTTPS://bank.example", " https://bank.example"}},
  };
  for (const auto& row : table) {
    for (const std::string& value : row.good) EXPECT_EQ(refusal(row.kind, value), std::nullopt) << value;
    for (const std::string& value : row.bad) EXPECT_NE(refusal(row.kind, value), std::nullopt) << value;
  }
}

TEST(Kinds, HaveTheirNames) {
  for (const char* name : {"text", "digits", "amount", "date", "url"}) EXPECT_TRUE(kind_named(name).has_value());
  EXPECT_FALSE(kind_named("number").has_value());
  EXPECT_FALSE(kind_named("").has_value());
}

class Templates : public testing::Test {
 protected:
  Templates() {
    it.name = "code";
    it.placeholders = kPlaceholders;
    it.default_locale = "en";
    add("en", "", "general en");
    add("en", "push", "push en");
    add("uk", "", "general uk");
    add("uk", "short", "short uk");
    add("pt-BR", "sms", "sms pt-BR");
  }
  void add(const std::string& locale, const std::string& name, const std::string& text) {
    Part part;
    part.text = *Text::parse(text, kPlaceholders);
    it.locales[locale].emplace(name, std::move(part));
  }
  std::string picked(std::string_view locale, Channel channel, std::string_view variant = {}) {
    const Part* part = it.part(locale, channel, variant);
    return part == nullptr ? "none" : part->text.render({"", ""}, Text::Escape::none);
  }
  std::vector<std::string> faults(const Variables& variables) {
    std::vector<Fault> all;
    it.check(variables, all);
    std::vector<std::string> words;
    for (const Fault& fault : all) words.push_back(fault.pointer + " " + fault.code);
    return words;
  }
  Template it;
};

TEST_F(Templates, ThePartIsThatOfTheLocaleThenTheLanguageThenTheDefault) {
  EXPECT_EQ(picked("uk-UA", Channel::sms), "general uk");
  EXPECT_EQ(picked("uk", Channel::sms), "general uk");
  EXPECT_EQ(picked("uk_UA", Channel::sms), "general uk");
  EXPECT_EQ(picked("de-AT", Channel::sms), "general en");
  EXPECT_EQ(picked("", Channel::sms), "general en");
  EXPECT_EQ(picked("pt-BR", Channel::sms), "sms pt-BR");
  EXPECT_EQ(picked("pt-BR", Channel::email), "general en") << "the locale has nothing for e-mail";
}

TEST_F(Templates, ThePartIsTheVariantThenTheChannelThenTheGeneralOne) {
  EXPECT_EQ(picked("en", Channel::push), "push en");
  EXPECT_EQ(picked("uk", Channel::push, "short"), "short uk");
  EXPECT_EQ(picked("uk", Channel::push, "none-such"), "general uk");
  EXPECT_EQ(picked("en", Channel::push, "short"), "push en") << "the variant that English lacks is not taken in another language";
}

TEST_F(Templates, WithoutAnyPartThereIsNone) {
  it.locales.clear();
  EXPECT_EQ(picked("en", Channel::sms), "none");
}

TEST_F(Templates, EveryVariableIsNeededAndNoOther) {
  EXPECT_TRUE(faults({{"code", "1"}, {"who", "A"}}).empty());
  EXPECT_EQ(faults({{"who", "A"}}), std::vector<std::string>{"/variables/code missing-variable"});
  EXPECT_EQ(faults({{"code", "1"}, {"who", "A"}, {"more", "x"}}), std::vector<std::string>{"/variables/more unknown-variable"});
  EXPECT_EQ(faults({{"code", "x"}, {"who", ""}}), (std::vector<std::string>{"/variables/code invalid-variable", "/variables/who invalid-variable"}));
}

TEST_F(Templates, PointersAreEscapedAsRfc6901Says) {
  EXPECT_EQ(faults({{"code", "1"}, {"who", "A"}, {"a/b~c", "x"}}), std::vector<std::string>{"/variables/a~1b~0c unknown-variable"});
}

TEST_F(Templates, NoFaultHoldsAValue) {
  std::vector<Fault> all;
  it.check({{"code", "secret"}, {"who", "sec\nret"}}, all);
  ASSERT_EQ(all.size(), 2U);
  for (const Fault& fault : all) EXPECT_EQ(fault.detail.find("sec"), std::string::npos);
}

TEST_F(Templates, ProviderParametersComeInTheProvidersOrder) {
  Part part;
  part.provider_template = "otp_en";
  part.provider_language = "en";
  part.parameters = {1, 0};
  Payload payload;
  it.render(part, {"123", "Anna"}, payload);
  EXPECT_EQ(payload.provider_template, "otp_en");
  EXPECT_EQ(payload.parameters, (std::vector<std::pair<std::string, std::string>>{{"who", "Anna"}, {"code", "123"}}));
}

}  // namespace
}  // namespace postern::templates
