// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/log.hpp"

#include <gtest/gtest.h>

namespace postern::log {
namespace {

std::string written(const std::function<void()>& work) {
  testing::internal::CaptureStderr();
  open("test", Level::info);
  work();
  return testing::internal::GetCapturedStderr();
}

TEST(Masked, ShowsEnoughOfANumberToRecogniseItAndNoMore) {
  EXPECT_EQ(masked("380671234567"), "38067***567");
  EXPECT_EQ(masked("+380671234567"), "+3806***567");
  EXPECT_EQ(masked("123456789"), "12345***789");
  EXPECT_EQ(masked("12345678"), "***");
  EXPECT_EQ(masked("1"), "***");
}

TEST(Masked, ShowsTheDomainOfAnAddressAndOneLetter) {
  EXPECT_EQ(masked("anna@bank.example"), "a***@bank.example");
  EXPECT_EQ(masked("a@b"), "a***@b");
}

TEST(Masked, ShowsTheBeginningAndTheLengthOfAToken) {
  EXPECT_EQ(masked("abcdefghijklmnopqrstuvwxyz"), "abcd***(26)");
  EXPECT_EQ(masked("short"), "s***(5)");
  EXPECT_EQ(masked("abc"), "***(3)");
  EXPECT_EQ(masked(""), "***(0)");
  EXPECT_EQ(masked("@x").find("@x"), std::string::npos);
}

TEST(Log, WritesLevelProcessIdAndText) {
  const std::string line = written([] { warning("vault.lost", "the socket closed ({})", "reason"); });
  EXPECT_NE(line.find("Z warning test vault.lost the socket closed (reason)\n"), std::string::npos) << line;
}

TEST(Log, HoldsBackWhatIsBelowItsLevel) {
  EXPECT_EQ(written([] { debug("x", "quiet"); }), "");
}

TEST(Log, ALineNeverHoldsALineBreakOrAControlCharacterOfAPeer) {
  const std::string line = written([] { info("connector.up", "{}", "evil\n2026-01-01 error posternd vault.locked\r\x1b[2J\x7f"); });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_EQ(line.find_first_of("\r\x1b\x7f"), std::string::npos);
}

TEST(Log, TextWithBracesIsTextAndNoFormat) {
  EXPECT_NE(written([] { write(Level::info, "id", "{} {0} {"); }).find("{} {0} {"), std::string::npos);
}

TEST(LogLimit, LetsOneThroughASecondAndCountsTheRest) {
  LogLimit limit;
  EXPECT_TRUE(limit.pass());
  EXPECT_EQ(limit.dropped(), 0U);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(limit.pass());
}

}  // namespace
}  // namespace postern::log
