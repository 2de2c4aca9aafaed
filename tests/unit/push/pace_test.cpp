// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/http_client/pace.hpp"

#include <gtest/gtest.h>

#include "connectors/channels/http_client/breaker.hpp"
#include "connectors/channels/http_client/client_settings.hpp"

namespace postern::http_client {
namespace {

using std::chrono::milliseconds;

int taken(Pace& pace, std::int64_t from_ms, std::int64_t to_ms) {
  int count = 0;
  for (std::int64_t now = from_ms; now < to_ms; ++now)
    while (pace.take(now)) ++count;
  return count;
}

TEST(PaceTest, a_second_holds_the_rate_and_one_burst) {
  Pace pace(100);
  EXPECT_EQ(taken(pace, 0, 1), 10);
  EXPECT_NEAR(taken(pace, 1, 1001), 100, 1);
}

TEST(PaceTest, too_fast_stops_for_the_pause_and_then_halves_the_rate) {
  Pace pace(100);
  taken(pace, 0, 1000);
  pace.slow_down(1000, milliseconds(2000));
  EXPECT_EQ(taken(pace, 1000, 3000), 0);
  EXPECT_EQ(pace.pause_left(1500), milliseconds(1500));
  EXPECT_NEAR(taken(pace, 3000, 4000), 50, 2);
}

TEST(PaceTest, answers_of_one_moment_halve_the_rate_once) {
  Pace pace(100);
  for (int i = 0; i < 20; ++i) pace.slow_down(1000, milliseconds(2000));
  EXPECT_EQ(pace.rate(), 50);
}

TEST(PaceTest, the_rate_grows_back_and_not_beyond) {
  Pace pace(100);
  pace.take(0);
  pace.slow_down(0, milliseconds(100));
  taken(pace, 10'000, 10'001);
  EXPECT_NEAR(pace.rate(), 60, 0.01);
  pace.take(1'000'000);
  EXPECT_EQ(pace.rate(), 100);
}

TEST(PaceTest, it_never_falls_below_one_a_second) {
  Pace pace(4);
  for (std::int64_t at = 0; at < 10; ++at) pace.slow_down(at * 10, milliseconds(5));
  EXPECT_EQ(pace.rate(), 1);
}

TEST(PaceTest, after_the_wait_a_turn_is_due) {
  Pace pace(3);
  std::int64_t now = 0;
  for (int i = 0; i < 50; ++i) {
    while (pace.take(now)) {}
    const milliseconds wait = pace.wait(now);
    ASSERT_GE(wait.count(), 1);
    now += wait.count();
    ASSERT_TRUE(pace.take(now)) << i;
  }
}

TEST(BreakerTest, it_opens_after_so_many_failures_in_a_row) {
  Breaker breaker(3, milliseconds(100));
  EXPECT_FALSE(breaker.failing());
  EXPECT_FALSE(breaker.failing());
  breaker.fine();
  EXPECT_FALSE(breaker.failing());
  EXPECT_FALSE(breaker.failing());
  EXPECT_TRUE(breaker.failing());
  EXPECT_TRUE(breaker.open());
  EXPECT_FALSE(breaker.failing()) << "it opens once";
}

TEST(BreakerTest, a_refused_account_opens_it_at_once_and_only_a_good_probe_closes_it) {
  Breaker breaker(100, milliseconds(100));
  EXPECT_TRUE(breaker.broken());
  breaker.fine();
  EXPECT_TRUE(breaker.open());
  breaker.probed(false);
  EXPECT_EQ(breaker.pause(), milliseconds(200));
  for (int i = 0; i < 30; ++i) breaker.probed(false);
  EXPECT_EQ(breaker.pause(), Breaker::kLongestPause);
  breaker.probed(true);
  EXPECT_FALSE(breaker.open());
  EXPECT_EQ(breaker.pause(), milliseconds(100));
}

TEST(UrlTest, only_https_without_any_credential_is_taken) {
  for (const char* good : {"https://fcm.googleapis.com", "https://127.0.0.1:8443/v24.0", "https://[::1]:443/x"})
    EXPECT_TRUE(is_plain_https_url(good)) << good;
  for (const char* bad : {"", "https://", "http://a", "https:///x", "https://u:p@h", "https://h/?token=x",
                          "https://h/#f", "https://h h", "ftp://h", "https://h\\x", "HTTPS://h"})
    EXPECT_FALSE(is_plain_https_url(bad)) << bad;
}

}  // namespace
}  // namespace postern::http_client
