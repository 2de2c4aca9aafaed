// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/news.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

News news(ClientId client, std::uint64_t cursor) { return {client, cursor, 1, 0, EventType::sent, 1, {}, {}}; }

std::optional<std::vector<std::uint64_t>> cursors_after(const RecentNews& recent, ClientId client, std::uint64_t cursor) {
  const auto found = recent.after(client, cursor);
  if (!found) return std::nullopt;
  std::vector<std::uint64_t> cursors;
  for (const News& each : *found) cursors.push_back(each.cursor);
  return cursors;
}

using Cursors = std::vector<std::uint64_t>;

TEST(RecentNews, TheStoreKnowsWhatWasBeforeTheFirst) {
  RecentNews recent;
  EXPECT_FALSE(recent.after(1, 0));
  recent.add(news(1, 7));
  recent.add(news(2, 8));
  recent.add(news(1, 12));
  EXPECT_FALSE(recent.after(1, 5));
  EXPECT_EQ(cursors_after(recent, 1, 6), (Cursors{7, 12}));
  EXPECT_EQ(cursors_after(recent, 1, 7), Cursors{12});
  EXPECT_EQ(cursors_after(recent, 1, 11), Cursors{12});
  EXPECT_EQ(cursors_after(recent, 1, 12), Cursors{});
  EXPECT_EQ(cursors_after(recent, 2, 7), Cursors{8});
  EXPECT_FALSE(recent.after(2, 6));
}

TEST(RecentNews, TheOldestGoAndTheStoreIsAskedForThem) {
  RecentNews recent;
  for (std::uint64_t cursor = 1; cursor <= RecentNews::kKept + 2; ++cursor) recent.add(news(1, cursor));
  EXPECT_FALSE(recent.after(1, 1));
  const auto rest = cursors_after(recent, 1, 2);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->size(), RecentNews::kKept);
  EXPECT_EQ(rest->front(), 3U);
}

TEST(RecentNews, TheOldestOfAllClientsGoFirst) {
  RecentNews recent;
  recent.add(news(1, 1));
  recent.add(news(1, 2));
  for (std::uint64_t cursor = 3; cursor <= RecentNews::kKept + 1; ++cursor) recent.add(news(2, cursor));
  EXPECT_FALSE(recent.after(1, 0));
  EXPECT_EQ(cursors_after(recent, 1, 1), Cursors{2});
  recent.add(news(2, RecentNews::kKept + 2));
  EXPECT_FALSE(recent.after(1, 1));
  EXPECT_EQ(cursors_after(recent, 1, 2), Cursors{});
  EXPECT_EQ(cursors_after(recent, 2, 2)->size(), RecentNews::kKept);
  recent.add(news(1, RecentNews::kKept + 3));
  EXPECT_EQ(cursors_after(recent, 1, 2), Cursors{RecentNews::kKept + 3});
}

// From memory or from the store, a client is told the same, also of an answer, which stands sealed in its leaf.
TEST(RecentNews, AreToldAsTheStoreTellsThem) {
  House house;
  const PeerId api = house.join("api"), sms = house.join("sms");
  wire::Attempt first;
  for (const char* id : {"p1", "p2", "p3"}) {
    (void)house.send(api, House::submit());
    const std::vector<wire::Deliver> out = house.deliveries(sms);
    ASSERT_EQ(out.size(), 1U);
    if (id[1] == '1') first = out[0].attempt();
    house.result(sms, out[0].attempt(), id[1] == '3' ? wire::Result::REFUSED : wire::Result::SENT, {id});
  }
  house.receipt(sms, "p1", wire::DELIVERED);
  house.receipt(sms, "p2", wire::REFUSED);
  wire::ToVault frame;
  wire::Reply& reply = *frame.add_reply();
  *reply.mutable_attempt() = first;
  reply.set_provider_id("r1");
  reply.set_channel("sms");
  reply.set_from("380671234567");
  reply.set_text("yes please");
  house.say(sms, std::move(frame));
  house.turn();

  const std::vector<wire::Event> stored = house.events(api);   // from the very beginning, which the store knows
  ASSERT_GE(stored.size(), 5U);
  EXPECT_TRUE(std::ranges::any_of(stored, [](const wire::Event& event) { return event.text() == "yes please"; }));
  EXPECT_TRUE(std::ranges::any_of(stored, [](const wire::Event& event) { return event.progress() == wire::FAILED; }));
  const std::vector<wire::Event> recent = house.events(api, stored.front().sequence() - 1);
  ASSERT_EQ(recent.size(), stored.size());
  for (std::size_t i = 0; i < recent.size(); ++i) EXPECT_EQ(recent[i].SerializeAsString(), stored[i].SerializeAsString());
}

}  // namespace
}  // namespace postern::vault
