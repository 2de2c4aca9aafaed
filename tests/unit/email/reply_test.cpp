// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/reply.hpp"

#include <gtest/gtest.h>

namespace postern::email {
namespace {

Reply only(std::string_view bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  std::optional<Reply> reply = reader.next();
  EXPECT_TRUE(reply.has_value());
  EXPECT_FALSE(reader.holds_bytes());
  return reply.value_or(Reply{});
}

std::string fault_of(std::string_view bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  return reader.fault();
}

TEST(ReplyReader, ReadsASingleLine) {
  const Reply reply = only("250 2.1.0 Ok\r\n");
  EXPECT_EQ(reply.code, 250);
  EXPECT_EQ(reply.enhanced(), (EnhancedCode{2, 1, 0}));
  EXPECT_EQ(reply.text(), "Ok");
}

TEST(ReplyReader, ReadsManyLinesAsOneReply) {
  const Reply reply = only("250-relay.test\r\n250-PIPELINING\r\n250 SIZE 1000\r\n");
  EXPECT_EQ(reply.lines, (std::vector<std::string>{"relay.test", "PIPELINING", "SIZE 1000"}));
}

TEST(ReplyReader, ReadsACodeAlone) { EXPECT_EQ(only("354\r\n").code, 354); }

TEST(ReplyReader, ReadsTheSameByteByByte) {
  const std::string_view bytes = "250-a\r\n250 b\r\n550 5.1.1 no\r\n";
  ReplyReader reader;
  std::vector<int> codes;
  for (const char c : bytes) {
    reader.feed({&c, 1});
    while (const std::optional<Reply> reply = reader.next()) codes.push_back(reply->code);
  }
  EXPECT_EQ(codes, (std::vector<int>{250, 550}));
  EXPECT_FALSE(reader.spoilt());
}

TEST(ReplyReader, KeepsWhatIsNotYetWhole) {
  ReplyReader reader;
  reader.feed("250-a\r\n250 ");
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_TRUE(reader.holds_bytes());
}

TEST(ReplyReader, TakesUtf8InTheText) { EXPECT_EQ(only("550 немає\r\n").text(), "немає"); }

TEST(ReplyReader, RefusesWhatIsNoReply) {
  EXPECT_EQ(fault_of("HTTP/1.1 400\r\n"), "bad-line");
  EXPECT_EQ(fault_of("25\r\n"), "bad-line");
  EXPECT_EQ(fault_of("150 early\r\n"), "bad-line");
  EXPECT_EQ(fault_of("650 late\r\n"), "bad-line");
  EXPECT_EQ(fault_of("2x0 a\r\n"), "bad-line");
  EXPECT_EQ(fault_of("250_a\r\n"), "bad-line");
  EXPECT_EQ(fault_of("250 a\n"), "bad-line");
  EXPECT_EQ(fault_of(std::string_view("250 a\0b\r\n", 9)), "bad-line");
  EXPECT_EQ(fault_of("250 a\rb\r\n"), "bad-line");
  EXPECT_EQ(fault_of("250-a\r\n251 b\r\n"), "mixed-codes");
}

TEST(ReplyReader, BoundsALineWithAndWithoutItsEnd) {
  EXPECT_EQ(fault_of("250 " + std::string(kMaxReplyLine, 'a')), "line-too-long");
  EXPECT_EQ(fault_of("250 " + std::string(kMaxReplyLine, 'a') + "\r\n"), "line-too-long");
  EXPECT_EQ(fault_of("250 " + std::string(kMaxReplyLine - 5, 'a') + "\r\n"), "");
}

TEST(ReplyReader, BoundsTheNumberOfLines) {
  std::string lines;
  for (std::size_t i = 0; i < kMaxReplyLines; ++i) lines += "250-x\r\n";
  EXPECT_EQ(fault_of(lines), "");
  EXPECT_EQ(fault_of(lines + "250-x\r\n"), "too-many-lines");
}

TEST(ReplyReader, BoundsRepliesThatNobodyAskedFor) {
  std::string replies;
  for (std::size_t i = 0; i <= kMaxReplyLines; ++i) replies += "250 x\r\n";
  EXPECT_EQ(fault_of(replies), "too-many-lines");
}

TEST(ReplyReader, TakesNothingMoreOnceSpoilt) {
  ReplyReader reader;
  reader.feed("nonsense\r\n");
  reader.feed("250 ok\r\n");
  EXPECT_TRUE(reader.spoilt());
  EXPECT_FALSE(reader.next().has_value());
}

TEST(Reply, TakesAnEnhancedCodeOnlyWhenItAgreesAndIsWellFormed) {
  const auto code = [](int basic, std::string text) { return Reply{basic, {std::move(text)}}.enhanced(); };
  EXPECT_EQ(code(550, "5.1.10 x"), (EnhancedCode{5, 1, 10}));
  EXPECT_EQ(code(550, "5.7.1"), (EnhancedCode{5, 7, 1}));
  EXPECT_FALSE(code(550, "4.7.1 x").has_value());
  EXPECT_FALSE(code(550, "5.01.1 x").has_value());
  EXPECT_FALSE(code(550, "5.1.1x").has_value());
  EXPECT_FALSE(code(550, "5.1 x").has_value());
  EXPECT_FALSE(code(550, "5.1.1000 x").has_value());
  EXPECT_FALSE(code(550, "").has_value());
}

}  // namespace
}  // namespace postern::email
