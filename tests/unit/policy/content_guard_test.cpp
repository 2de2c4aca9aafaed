// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/content_guard.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace postern::policy {
namespace {

using Kind = FindingKind;

DomainList domains(const std::vector<std::string_view>& names) {
  Result<DomainList> made = DomainList::make(names);
  if (!made) ADD_FAILURE() << made.what();
  return std::move(*made);
}

const ContentRules& rules() {
  static const ContentRules kRules{.domains = domains({"bank.example", "*.bank.example", "pay.com", "банк.укр", "xn--80akhbyknj4f.com"})};
  return kRules;
}

// The kinds found, by their names, in order; "" when the text may go.
std::string found(std::string_view text) {
  std::string out;
  for (const Finding& finding : check(text, rules())) {
    if (finding.offset + finding.length > text.size()) ADD_FAILURE() << "outside of the text";
    out += (out.empty() ? "" : " ") + std::string(name_of(finding.kind));
  }
  return out;
}

// The piece of text that the one finding names.
std::string piece(std::string_view text) {
  const std::vector<Finding> findings = check(text, rules());
  if (findings.size() != 1) return std::to_string(findings.size()) + " findings";
  return std::string(text.substr(findings[0].offset, findings[0].length));
}

TEST(ContentGuard, OrdinaryTextsMayGo) {
  for (const char* text : {"", "Your code is 482913. Nobody from the bank will ask for it.", "Ваш код 482913. Нікому його не кажіть.",
       "Оплата 1 250,00 грн, картка *4821, залишок 10 300.55 UAH. 22.11.2026 14:30", "Κωδικός 482913", "Ձեր կոդը 482913", "קוד 482913",
       "رمزك 482913", "コードは482913です。ATMをご利用ください。", "验证码：482913，请勿告诉他人。", "Café, naïve, Zürich, Łódź, Đà Nẵng, ŠKODA",
       "Wi-Fi, SMS-банкінг, e-mail: за адресою; iPhone'ом", "Details: https://bank.example/a?b=c#d (or https://app.bank.example).",
       "Тел. +380 44 123-45-67, 0 800 123 456.", "e.g. 12.50, i.e. 1.000.000, a.m./p.m.", "Тариф змінено з 01.07.2026.Деталі у відділенні",
       "👍🏽 👨‍👩‍👧 ❤️ 1️⃣ ok", "Call 380671234567 now", "й ї (decomposed й ї)", "line one\nline two\r\n\tindented", "100% / 50 м² / 10 km²",
       "ref 20261122-143005-000123", "Visa/Mastercard: bank.example, www.bank.example", "4111****1111 or 4111 11** **** 1111 or 4111 XXXX XXXX 1111",
       "UA21 3223 13** **** **** **** **** *"})
    EXPECT_EQ(found(text), "") << text;
}

TEST(ContentGuard, CardNumbersInEveryDress) {
  for (const char* text : {"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4111 - 1111 - 1111 - 1111", "card:4111111111111111.",
       "378282246310005", "3782 822463 10005", "5555555555554444", "2223003122003222", "9804000000000009", "2200123456789019", "9792123456789018",
       "8600123456789012", "4222222222222", "6304000000000000000", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "４１１１１１１１１１１１１１１１", "٤١١١ ١١١١ ١١١١ ١١١١",
       "४१११११११११११११११", "4111\u00a01111\u20091111\u20031111", "4111–1111—1111−1111", "4111\n1111\n1111\n1111", "𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏",
       "④①①① ①①①① ①①①① ①①①①", "Pay with 4111111111111111 100 UAH", "12 4111111111111111", "No 5 4111 1111 1111 1111 12/27"})
    EXPECT_EQ(found(text), "card") << text;
  EXPECT_EQ(piece("Card 4111 1111 1111 1111, till 12/27"), "4111 1111 1111 1111");
  EXPECT_EQ(piece("№ ４１１１-１１１１-１１１１-１１１１!"), "４１１１-１１１１-１１１１-１１１１");
  EXPECT_EQ(found("4111111111111111, 5555555555554444"), "card card");
  // Behind what cannot be seen it is found all the same.
  EXPECT_EQ(found("4111\u200b111111111111"), "card invisible");
}

TEST(ContentGuard, OtherNumbersAreNoCards) {
  for (const char* text : {"4111111111111112", "411111111111", "41111111111111111111", "4111.1111/1111 1111", "0000000000000000", "7111111111111114",
       "1000000000000008", "2006123456789015", "9900123456789017", "4111    1111    1111    1111", "4111a111111111111", "4111, 1111, 1111, 1111"})
    EXPECT_EQ(found(text), "") << text;
}

TEST(ContentGuard, AccountNumbers) {
  for (const char* text : {"UA213223130000026007233566001", "UA21 3223 1300 0002 6007 2335 6600 1", "IBAN:UA213223130000026007233566001.",
       "ua213223130000026007233566001", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB29 NWBK 6016 1331 9268 19", "NO9386011117947",
       "MT84MALT011000012345MTLCAST001S", "ＤＥ８９３７０４００４４０５３２０１３０００", "PL61 1090 1014 0000 0712 1981 2874 sent"})
    EXPECT_EQ(found(text), "iban") << text;
  EXPECT_EQ(piece("to DE89 3704 0044 0532 0130 00 today"), "DE89 3704 0044 0532 0130 00");
  // Cyrillic capitals in the country's name are read as they look.
  EXPECT_EQ(found("на UА213223130000026007233566001"), "iban mixed-scripts");
  for (const char* text : {"UA213223130000026007233566002", "DE8937040044053201300", "DE893704004405320130000", "XX89370400440532013000",
       "DE89 3704 **** **** 0130 00", "IDE89370400440532013000", "DE8"})
    EXPECT_EQ(found(text), "") << text;
}

TEST(ContentGuard, LinksToOtherDomains) {
  for (const char* text : {"https://evil.com", "http://evil.com/a", "HTTPS://EVIL.COM", "see evil.com", "evil.com/pay", "bit.ly/3abc", "t.me/bank",
       "www.evil.newtld", "evil.newtld/pay", "evil.newtld:8080", "https://evil", "https://3232235777/", "https://1.2.3.4/a", "1.2.3.4/a",
       "1.2.3.4:80", "https://[2001:db8::1]/", "https://notbank.example", "https://bank.example.evil.com", "https://bank.exampled",
       "https://bank.example:443.evil.com", "https://evil.com.", "https://evil.com../", "https:///evil.com", "https://%62ank.example/",
       "ftp://evil.com", "custom://evil", "https://evil。com", "https://ｅｖｉｌ.ｃｏｍ", "evil．com", "зло.укр", "xn--e1avk.xn--j1amh",
       "https://xn--e1avk.example", "xn--e1avk.newtld", "info@evil.com", "mailto:a@evil.com", "EVIL.COM", "evil.com,bank.example",
       "https://bank.example😀", "https:evil.com", "https:/evil.com"})
    EXPECT_EQ(found(text), "link") << text;
  EXPECT_EQ(piece("go to (https://evil.com/path)."), "https://evil.com");
  EXPECT_EQ(piece("go to evil.com."), "evil.com");
  EXPECT_EQ(found("a.evil.com...b.evil.com"), "link link");
}

TEST(ContentGuard, ListedDomainsMayStand) {
  for (const char* text : {"https://bank.example", "https://bank.example.", "https://bank.example:8443/a", "https://BANK.example/",
       "http://a.b.bank.example", "bank.example", "app.bank.example/x", "info@bank.example", "https://pay.com?x=evil", "pay.com",
       "https://банк.укр/а", "БАНК.УКР", "https://xn--80ab2al.xn--j1amh", "https://пример-2.bank.example", "https://ｐａｙ.com", "«https://pay.com»",
       "\"https://pay.com\"", "https://pay.com…", "https://", "://", "https:// pay.com"})
    EXPECT_EQ(found(text), "") << text;
  // Only what is listed: below pay.com nothing is, nor is the . of a *. itself.
  EXPECT_EQ(found("https://app.pay.com"), "link");
  EXPECT_EQ(check("https://bank.example", {.domains = domains({"*.bank.example"})}).size(), 1U);
  EXPECT_EQ(check("https://a.bank.example", {.domains = domains({"*.bank.example"})}).size(), 0U);
  EXPECT_EQ(check("https://a.bank.example", {}).size(), 1U);
  EXPECT_EQ(check("https://a.bank.example evil.com", {.links = false}).size(), 0U);
}

TEST(ContentGuard, DisguisedLinks) {
  EXPECT_EQ(found("https://bank.example@evil.com"), "link link-disguised");
  EXPECT_EQ(found("https://bank.example:443@evil.com/"), "link link-disguised");
  EXPECT_EQ(found("https://user@bank.example"), "link-disguised");
  EXPECT_EQ(found("https://bank.example\\@evil.com"), "link-disguised link");
  EXPECT_EQ(found("https://bank.example＠evil.com"), "link link-disguised");
  EXPECT_EQ(found("https:\\\\evil.com"), "link");
  EXPECT_EQ(found("https：／／evil.com"), "link");
}

TEST(ContentGuard, NamesThatLookLikeListedOnes) {
  for (const char* text : {"https://раy.com", "https://рау.com", "рау.сом", "https://pаy.com/x"}) {
    const std::string kinds = found(text);
    EXPECT_NE(kinds.find("link-look-alike"), std::string::npos) << text << ": " << kinds;
  }
  for (const char* text : {"https://ᴘay.com", "https://páy.com", "pay.c0m", "bаnk.example"}) EXPECT_NE(found(text), "") << text;
  EXPECT_EQ(found("https://рау.com"), "link-look-alike");  // all Cyrillic: no mixed word
  EXPECT_EQ(found("https://xn--80a5ak.com"), "link-look-alike");
  const ContentRules mono{.domains = domains({"monobank.com", "modern.com"})};
  const auto kind = [&mono](std::string_view text) {
    const std::vector<Finding> findings = check(text, mono);
    return findings.size() == 1 ? name_of(findings[0].kind) : "none or several";
  };
  EXPECT_EQ(kind("https://m0n0bank.com"), "link-look-alike");
  EXPECT_EQ(kind("https://rnonobank.com"), "link-look-alike");
  EXPECT_EQ(kind("https://modem.com"), "link-look-alike");
  EXPECT_EQ(kind("https://mönobank.com"), "link-look-alike");
  EXPECT_EQ(kind("https://xn--mnobank-90a.com"), "link-look-alike");
  EXPECT_EQ(kind("https://monobank.net"), "link");
  // Below a *. of the list, and the name above it.
  const auto below = [](std::string_view text) { return check(text, {.domains = domains({"*.bank.example"})}); };
  EXPECT_EQ(below("https://app.b\u00e1nk.example"), (std::vector<Finding>{{Kind::link_look_alike, 0, 25}}));
  EXPECT_EQ(below("https://b\u00e1nk.example"), (std::vector<Finding>{{Kind::link_look_alike, 0, 21}}));
  EXPECT_EQ(below("https://bank.example"), (std::vector<Finding>{{Kind::link, 0, 20}}));
}

TEST(ContentGuard, MixedScriptsInOneWord) {
  for (const char* text : {"Vіsa", "Bаnk", "ПриватBaнк", "Ρayment", "αpple", "Βank", "ԱBank", "pаssword", "cо\u0301de"})
    EXPECT_EQ(found(text), "mixed-scripts") << text;
  EXPECT_EQ(piece("Your Bаnk calls"), "Bаnk");
  for (const char* text : {"Visa картка", "Visa-картка", "Visa1картка", "Tシャツ", "ATMを", "ünïcödé", "о\u0301"}) EXPECT_EQ(found(text), "") << text;
  EXPECT_TRUE(check("Vіsa", {.letters = false}).empty());
}

TEST(ContentGuard, StyledLetters) {
  for (const char* text : {"𝐁𝐚𝐧𝐤", "𝓫𝓪𝓷𝓴", "Ⓑⓐⓝⓚ", "🅂", "𝚋ank"}) EXPECT_EQ(found(text), "styled-letters") << text;
}

TEST(ContentGuard, WhatTurnsTheDirectionOrDoesNotShow) {
  for (const char* text : {"a\u202eb", "\u202a", "\u2066x\u2069"}) EXPECT_EQ(found(text).substr(0, 4), "bidi") << text;
  for (const char* text : {"a\u200bb", "a\u00adb", "a\u2060b", "\ufeffa", "a\u200db", "a\u200cb", "a\ufe0fb", "a\u200eb", "a\u3164b", "\U000e0041",
       "a\u180eb", "\u2800"})
    EXPECT_EQ(found(text), "invisible") << text;
  // Where a script needs it, it may stand.
  for (const char* text : {"می\u200cخواهم", "क्\u200dष", "\u200fקוד 1\u200e", "👨\u200d👩", "❤\ufe0f"}) EXPECT_EQ(found(text), "") << text;
  for (const std::string& text : {std::string("a\0b", 3), std::string("\x1b[31m"), std::string("\x7f"),
      std::string("\u0080")}) EXPECT_EQ(found(text), "control");
  EXPECT_TRUE(check("a\u202e\u200b\x01", {.hidden = false}).empty());
}

TEST(ContentGuard, WhatIsNotUtf8) {
  for (const char* text : {"\xff", "a\x80z", "\xc3", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"})
    EXPECT_EQ(found(text).substr(0, 12), "invalid-utf8") << text;
  EXPECT_EQ(check("ab\xff" "cd", {}), (std::vector<Finding>{{Kind::invalid_utf8, 2, 1}}));
  EXPECT_FALSE(check("\xff", {.cards = false, .ibans = false, .links = false, .letters = false, .hidden = false}).empty());
}

TEST(ContentGuard, LongTextsAndManyFindingsAreBounded) {
  const std::string fits(64 * 1024, 'a');
  EXPECT_EQ(found(fits), "");
  EXPECT_EQ(check(fits + "b", rules()), (std::vector<Finding>{{Kind::too_long, 64 * 1024, 1}}));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "evil.com ";
  EXPECT_EQ(check(many, rules()).size(), 64U);
  EXPECT_TRUE(std::ranges::is_sorted(check("evil.com \u200b 4111111111111111 Vіsa \xff", rules()), {}, &Finding::offset));
}

// What would be slow if any rule looked at the text again and again: none of these takes longer than a plain one by much.
TEST(ContentGuard, HostileTextsTakeNoLonger) {
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back("bank" + std::to_string(i) + ".example"), names.push_back("*." + names.back());
  const ContentRules many{.domains = domains({names.begin(), names.end()})};
  for (const std::string_view unit : {"1 ", "4111 ", "1", "a.", "a-", "DE89 ", "://", "@", "https://", "a1", "A\xcc\x81", "\u200b", ".", "xn--a.", "U",
      "\u0430.", "bank7.example ", "a.b "}) {
    std::string text;
    while (text.size() < 64 * 1024) text += unit;
    text.resize(64 * 1024);
    const auto begun = std::chrono::steady_clock::now();
    (void)check(text, many);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2)) << unit;
  }
}

TEST(Domains, ListsAreReadOrRefused) {
  for (const std::string_view bad : {"", "bank", "bank..example", ".bank.example", "bank.example.", "*bank.example", "*.", "bank example.com",
      "https://bank.example", "bank.example/x", "b_a.example", "a\u200b.com", "\xff.com"}) {
    const std::string_view entries[] = {bad};
    EXPECT_FALSE(DomainList::make(entries).has_value()) << bad;
  }
  EXPECT_FALSE(DomainList::make(std::vector<std::string_view>(1001, "bank.example")).has_value());
  const std::string label(63, 'a');
  const std::string long_name = label + ".example", too_long = "a" + label + ".example";
  const std::string_view good[] = {long_name};
  const std::string_view bad[] = {too_long};
  EXPECT_TRUE(DomainList::make(good).has_value());
  EXPECT_FALSE(DomainList::make(bad).has_value());
}

// Known pairs, from IANA's root zone and RFC 3492 section 7.1.
TEST(Domains, InternationalNames) {
  const std::pair<std::u32string, const char*> pairs[] = {{U"укр", "xn--j1amh"}, {U"рф", "xn--p1ai"}, {U"ελ", "xn--qxam"}, {U"հայ", "xn--y9a3aq"}, {U"мкд",
      "xn--d1alf"}, {U"bücher", "xn--bcher-kva"},
                                                          {U"почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"}, {U"München",
                                                              "xn--mnchen-3ya"}, {U"他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"}};
  for (const auto& [name, ascii] : pairs) {
    const std::optional<Host> host = host_of(name);
    ASSERT_TRUE(host.has_value()) << ascii;
    EXPECT_EQ(host->ascii, ascii);
    // What is written with xn-- looks like what it stands for.
    EXPECT_EQ(host_of(std::u32string(host->ascii.begin(), host->ascii.end()))->look, host->look) << ascii;
  }
  for (const char32_t* odd : {U"xn--", U"xn--99999999", U"xn--a-", U"xn--zzzzzzzzzzzzzzzzzzzz"}) EXPECT_TRUE(host_of(odd).has_value());
  for (const char32_t* none : {U"", U".", U"a..b", U"a b", U"a:b", U".a"}) EXPECT_FALSE(host_of(none).has_value());
}

}  // namespace
}  // namespace postern::policy
