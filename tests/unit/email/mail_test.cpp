// SPDX-License-Identifier: Apache-2.0
// Addresses, lines and the composed mail.
#include <gtest/gtest.h>

#include "connectors/channels/email/address.hpp"
#include "connectors/channels/email/lines.hpp"
#include "connectors/channels/email/mime.hpp"

namespace postern::email {
namespace {

TEST(Mailbox, TakesPlainAddresses) {
  for (const char* good :
       {"a@b", "anna.kovalenko+tag@mail.customers.example", "o'brien@x.ie", "анна@пошта.укр", "x_1-2=3@a-b.c"})
    EXPECT_TRUE(is_mailbox(good)) << good;
}

TEST(Mailbox, RefusesWhatCouldCarryMoreThanAnAddress) {
  for (const char* bad :
       {"",      "a",      "@b",      "a@",          "a b@c",  "a@b c", "a@b>",   "<a@b",          "a@b\r\nRCPT",
        "a@@b",  "a..b@c", ".a@c",    "a.@c",        "a@-b",   "a@b-",  "a@b..c", "a@[127.0.0.1]", "\"a b\"@c",
        "a,b@c", "a@b,c",  "a@b\x7f", "a@b\xc2\x85", "a@\xff", "a@b_c", "a:b@c",  "a@b;c"})
    EXPECT_FALSE(is_mailbox(bad)) << bad;
  EXPECT_FALSE(is_mailbox(std::string_view("a@b\0c", 5)));
  EXPECT_FALSE(is_mailbox(std::string(65, 'a') + "@b"));
  EXPECT_TRUE(is_mailbox(std::string(64, 'a') + "@b"));
  EXPECT_FALSE(is_mailbox("a@" + std::string(64, 'b')));
}

TEST(Utf8, RefusesOverlongSurrogatesAndCutCharacters) {
  EXPECT_TRUE(is_utf8("ґ₴😀"));
  for (const char* bad : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf5\x80\x80\x80"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Sender, IsAnAddressWithOrWithoutAName) {
  EXPECT_EQ(parse_sender("info@bank.test")->address, "info@bank.test");
  const std::optional<Sender> named = parse_sender("Банк <info@bank.test>");
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->name, "Банк");
  EXPECT_EQ(named->address, "info@bank.test");
  for (const char* bad : {"Bank", "Bank <info>", "Bank <info@bank.test", "B <a@b> x", "B\r\nX: <a@b>", "\"B <a@b>"})
    EXPECT_FALSE(parse_sender(bad).has_value()) << bad;
}

TEST(Lines, DotsAreDoubledAtTheStartOfLinesOnly) {
  EXPECT_EQ(dot_stuffed(".a\r\n.\r\nb.\r\n..c\r\n"), "..a\r\n..\r\nb.\r\n...c\r\n.\r\n");
}

TEST(Lines, BareCarriageReturnsAndLineFeedsAreNeverClean) {
  EXPECT_TRUE(lines_are_clean("a\r\n\r\nb\r\n"));
  for (const char* bad : {"a\nb\r\n", "a\rb\r\n", "a\r\n.\n", "a", "a\r", "\r\r\n"}) EXPECT_FALSE(lines_are_clean(bad));
  EXPECT_FALSE(lines_are_clean(std::string_view("a\0b\r\n", 5)));
  EXPECT_TRUE(lines_are_clean(std::string(998, 'a') + "\r\n"));
  EXPECT_FALSE(lines_are_clean(std::string(999, 'a') + "\r\n"));
}

TEST(Xtext, EncodesWhatMayNotStandInAParameter) { EXPECT_EQ(xtext("a+b=c d\x01"), "a+2Bb+3Dc+20d+01"); }

Letter letter() {
  Letter one;
  one.from = {"Банк", "info@bank.test"};
  one.to = "anna@customers.test";
  one.subject = "Hello";
  one.text = "Line one\nLine = two\r\n.dot\n";
  one.message_id = "0198c0de-0000-7000-8000-000000000001@bank.test";
  one.date_ms = 1'795'349'647'000;
  return one;
}

std::string header(const std::string& mail, const std::string& name) {
  const std::size_t at = ("\r\n" + mail).find("\r\n" + name + ": ");
  if (at == std::string::npos) return "<none>";
  std::size_t end = mail.find("\r\n", at);
  while (end + 2 < mail.size() && (mail[end + 2] == ' ' || mail[end + 2] == '\t')) end = mail.find("\r\n", end + 2);
  return mail.substr(at + name.size() + 2, end - at - name.size() - 2);
}

TEST(Compose, WritesTheHeadersOfAMachineMadeMail) {
  const Result<std::string> mail = compose(letter());
  ASSERT_TRUE(mail) << mail.what();
  EXPECT_EQ(header(*mail, "Subject"), "Hello");
  EXPECT_EQ(header(*mail, "To"), "anna@customers.test");
  EXPECT_EQ(header(*mail, "From"), "=?UTF-8?b?0JHQsNC90Lo=?= <info@bank.test>");
  EXPECT_EQ(header(*mail, "Message-Id"), "<0198c0de-0000-7000-8000-000000000001@bank.test>");
  EXPECT_EQ(header(*mail, "Date"), "Sun, 22 Nov 2026 12:14:07 +0000");
  EXPECT_EQ(header(*mail, "Auto-Submitted"), "auto-generated");
  EXPECT_EQ(header(*mail, "MIME-Version"), "1.0");
  EXPECT_EQ(header(*mail, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(header(*mail, "Content-Transfer-Encoding"), "quoted-printable");
  EXPECT_EQ(header(*mail, "List-Unsubscribe"), "<none>");
  EXPECT_TRUE(mail->ends_with("\r\n\r\nLine one\r\nLine =3D two\r\n.dot\r\n")) << *mail;
}

TEST(Compose, PutsTheHtmlLast) {
  Letter one = letter();
  one.html = "<p>x</p>";
  const Result<std::string> mail = compose(one);
  ASSERT_TRUE(mail);
  EXPECT_TRUE(header(*mail, "Content-Type").starts_with("multipart/alternative; boundary="));
  EXPECT_LT(mail->find("text/plain"), mail->find("text/html"));
  EXPECT_NE(mail->find("<p>x</p>"), std::string::npos);
}

TEST(Compose, FoldsALongSubjectIntoWordsOfAtMost75Characters) {
  Letter one = letter();
  one.subject = "Платіж прийнято: 1 234,56 ₴ на рахунок вашого договору обслуговування, деталі у застосунку";
  const Result<std::string> mail = compose(one);
  ASSERT_TRUE(mail);
  std::string subject = header(*mail, "Subject");
  EXPECT_NE(subject.find("=?UTF-8?"), std::string::npos);
  for (std::size_t at = subject.find("=?UTF-8?"); at != std::string::npos; at = subject.find("=?UTF-8?", at + 2))
    EXPECT_LE(subject.find("?=", at + 10) + 2 - at, 75u) << subject;
}

TEST(Compose, NamesTheWayToUnsubscribe) {
  Letter one = letter();
  one.unsubscribe_url = "https://u.bank.test/1";
  const Result<std::string> mail = compose(one);
  ASSERT_TRUE(mail);
  EXPECT_EQ(header(*mail, "List-Unsubscribe"), "<https://u.bank.test/1>");
  EXPECT_EQ(header(*mail, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
}

TEST(Compose, KeepsEveryLineShortAndClean) {
  Letter one = letter();
  one.text = std::string(100'000, 'x') + "\r\r\n\n.\n" + std::string(2'000, '.') + "ґ";
  const Result<std::string> mail = compose(one);
  ASSERT_TRUE(mail) << mail.what();
  EXPECT_TRUE(lines_are_clean(*mail));
  std::size_t longest = 0;
  for (std::size_t at = 0; at < mail->size();) {
    const std::size_t end = mail->find("\r\n", at);
    longest = std::max(longest, end - at);
    at = end + 2;
  }
  EXPECT_LE(longest, 78u);
}

TEST(Compose, RefusesWhatDoesNotBelongIntoAHeader) {
  const auto refused = [](auto change) {
    Letter one = letter();
    change(one);
    const Result<std::string> mail = compose(one);
    return mail ? "taken" : mail.what();
  };
  EXPECT_EQ(refused([](Letter& l) { l.subject = "a\r\nBcc: eve@evil.test"; }), "mail-subject");
  EXPECT_EQ(refused([](Letter& l) { l.subject = "a\nb"; }), "mail-subject");
  EXPECT_EQ(refused([](Letter& l) { l.subject = std::string("a\0b", 3); }), "mail-subject");
  EXPECT_EQ(refused([](Letter& l) { l.subject = "\xff"; }), "mail-subject");
  EXPECT_EQ(refused([](Letter& l) { l.to = "a@b\r\nX: y"; }), "mail-to");
  EXPECT_EQ(refused([](Letter& l) { l.from.name = "a\r\nX: y"; }), "mail-from");
  EXPECT_EQ(refused([](Letter& l) { l.message_id = "a@b>\r\nX: y"; }), "mail-header");
  EXPECT_EQ(refused([](Letter& l) { l.unsubscribe_url = "https://a>, <b"; }), "mail-header");
  EXPECT_EQ(refused([](Letter& l) { l.text = "\xc3("; }), "mail-text");
  EXPECT_EQ(refused([](Letter& l) { l.html = std::string("a\0", 2); }), "mail-text");
}

}  // namespace
}  // namespace postern::email
