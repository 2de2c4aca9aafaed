// SPDX-License-Identifier: Apache-2.0
#include "gateway/domain/message_id.hpp"

#include <gtest/gtest.h>

#include <random>

#include "gateway/domain/event_type.hpp"

namespace postern {
namespace {

TEST(MessageId, GoesThroughItsTextAndBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    const MessageId id{static_cast<MessageKey>(random() >> 1) | 1, random() & ((1ULL << 54) - 1)};
    const std::string text = id.text();
    ASSERT_EQ(text.size(), 36U);
    const std::optional<MessageId> parsed = MessageId::parse(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(*parsed, id);
  }
}

TEST(MessageId, IsAUuidOfVersion7) {
  // RFC 9562 appendix A.6: 2022-02-22T19:22:22.00Z is 017f22e2-79b0-7...; variant 10 in the ninth byte.
  const TimeMs time = 1'645'557'742'000;
  const MessageId id{time << 20 | 0xabcde, 0x3fffffffffffff};
  EXPECT_EQ(id.text(), "017f22e2-79b0-7abc-b7bf-ffffffffffff");
  EXPECT_EQ(time_of(id.key), time);
  const auto bytes = id.bytes();
  EXPECT_EQ(bytes[6] >> 4, 7);
  EXPECT_EQ(bytes[8] >> 6, 2);
}

TEST(MessageId, TextsSortAsTheirTimes) {
  KeySource keys;
  std::string last;
  for (TimeMs now = 1'000'000; now < 1'000'050; ++now) {
    for (int i = 0; i < 300; ++i) {
      const std::string text = MessageId{keys.next(now), 0}.text();
      EXPECT_LT(last, text);
      last = text;
    }
  }
}

TEST(MessageId, AnyOtherTextIsRefused) {
  const std::string good = "017f22e2-79b0-7abc-b7bf-ffffffffffff";
  ASSERT_TRUE(MessageId::parse(good).has_value());
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(MessageId::parse(good.substr(0, size)).has_value());
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char odd : {'g', ' ', '\0', '\n', '/', ':', '@', '`'}) {
      std::string bad = good;
      bad[at] = odd;
      EXPECT_FALSE(MessageId::parse(bad).has_value()) << at;
    }
  }
  for (const char* text : {"017f22e2-79b0-4abc-b7bf-ffffffffffff", "017f22e2-79b0-7abc-37bf-ffffffffffff", "017f22e2-79b0-7abc-f7bf-ffffffffffff",
                           "017f22e279b07abcb7bfffffffffffff0000", "00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff",
                           "117f22e2-79b0-7abc-b7bf-ffffffffffff", "817f22e2-79b0-7abc-b7bf-ffffffffffff",
                           "{17f22e2-79b0-7abc-b7bf-fffffffffff}"})
    EXPECT_FALSE(MessageId::parse(text).has_value()) << text;
  EXPECT_FALSE(MessageId::parse(good + "0").has_value());
  EXPECT_TRUE(MessageId::parse("017F22E2-79B0-7ABC-B7BF-FFFFFFFFFFFF").has_value()) << "upper case is the same id";
}

TEST(KeySource, GrowsThroughClockStepsBothWays) {
  KeySource keys;
  MessageKey last = 0;
  for (const TimeMs now : {1'000'000LL, 1'000'000LL, 900'000LL, 2'000'000LL, 5LL, 2'000'001LL}) {
    const MessageKey key = keys.next(now);
    EXPECT_GT(key, last);
    last = key;
  }
  EXPECT_EQ(time_of(last), 2'000'001);
  EXPECT_EQ(keys.last(), last);
}

TEST(KeySource, RunsAheadOfTheClockWhenAMillionIdsFallIntoOneMillisecond) {
  KeySource keys;
  MessageKey last = 0;
  for (int i = 0; i < (1 << 20) + 10; ++i) {
    const MessageKey key = keys.next(1'000'000);
    ASSERT_GT(key, last);
    last = key;
  }
  EXPECT_EQ(time_of(last), 1'000'001);
}

TEST(KeySource, GoesOnFromTheNewestStoredKey) {
  KeySource keys(MessageKey{5'000'000} << 20);
  EXPECT_GT(keys.next(4'000'000), MessageKey{5'000'000} << 20);
}

TEST(Words, AreTheSameBothWays) {
  for (const Category category : kCategories) EXPECT_EQ(category_named(name_of(category)), category);
  EXPECT_FALSE(category_named("Otp").has_value());
  EXPECT_FALSE(category_named("?").has_value());
  EXPECT_FALSE(channel_named("").has_value());
  EXPECT_EQ(channel_named("whatsapp"), Channel::whatsapp);
  EXPECT_EQ(lane_of(Category::otp), 0);
  EXPECT_EQ(lane_of(Category::marketing), kLanes - 1);
}

TEST(Words, NumbersOnDiskAreFrozen) {
  EXPECT_EQ(static_cast<int>(Category::marketing), 5);
  EXPECT_EQ(static_cast<int>(Channel::voice), 7);
  EXPECT_EQ(static_cast<int>(AttemptState::withdrawn), 12);
  EXPECT_EQ(static_cast<int>(MessageState::suppressed), 24);
  EXPECT_EQ(static_cast<int>(Until::replied), 6);
  EXPECT_EQ(static_cast<int>(EventType::accepted), 40);
  EXPECT_EQ(static_cast<int>(EventType::ended), 58);
  EXPECT_EQ(static_cast<int>(EventType::numbers_imported), 83);
}

}  // namespace
}  // namespace postern
