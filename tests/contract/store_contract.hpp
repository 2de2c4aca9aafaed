// SPDX-License-Identifier: Apache-2.0
// What every store must do, whatever it is made of. An implementation runs it so:
//
//   struct MyPlace final : postern::store::Place { ... };
//   INSTANTIATE_TEST_SUITE_P(Mine, StoreContract, testing::Values(postern::store::PlaceMaker{"mine", [] { return std::make_unique<MyPlace>(); }}), ...);
//
// and links tests/contract/store_contract.cpp's tests by including this header once.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "gateway/store/store.hpp"

namespace postern::store {

// Where one store lives: it can be opened, closed and opened again.
struct Place {
  virtual ~Place() = default;
  virtual Result<std::unique_ptr<Store>> open() = 0;
};

struct PlaceMaker {
  std::string name;
  std::function<std::unique_ptr<Place>()> make;
};

class StoreContract : public testing::TestWithParam<PlaceMaker> {
 protected:
  StoreContract() : place(GetParam().make()) { reopen(); }
  void reopen() {
    store.reset();
    Result<std::unique_ptr<Store>> opened = place->open();
    ASSERT_TRUE(opened.has_value()) << opened.what();
    store = std::move(*opened);
  }
  // Commits and opens anew: what is read afterwards was durable.
  void commit(const Batch& batch) {
    const Status done = store->commit(batch);
    ASSERT_TRUE(done.has_value()) << done.what();
  }
  // Walks all rows in pieces of `step`; `between` runs before each piece.
  StateSum recounted(std::size_t step = 1000, const std::function<void()>& between = {}) {
    for (int i = 0; i < 100'000; ++i) {
      if (between) between();
      const Result<Store::Recount> counted = store->recount(step);
      EXPECT_TRUE(counted.has_value()) << (counted ? "" : counted.what());
      if (!counted) return {1, 1};
      if (counted->done) return counted->sum;
    }
    ADD_FAILURE() << "a walk without end";
    return {1, 1};
  }
  // A batch with a row of every kind that has one number.
  static Batch of_everything(MessageKey key) {
    Batch batch;
    const auto n = static_cast<std::uint16_t>(key);
    const std::string name = std::to_string(key);
    batch.contents.push_back({key, Bytes(static_cast<std::size_t>(key % 50), 7)});
    batch.inserts.push_back(flight(key, {static_cast<ConnectorId>(key % 3), key % 2 == 0}, static_cast<std::uint8_t>(key % 5), key % 4));
    batch.idempotency.push_back({n, {static_cast<std::uint8_t>(key), 9}, key, 5, {3}});
    batch.providers.push_back({n, name, key, 0, 0, key % 2 == 0});
    batch.parked.push_back({n, name, key, Bytes{1, 2}});
    batch.events.emplace_back(n, static_cast<std::uint64_t>(key));
    batch.cursors.emplace_back(n, static_cast<std::uint64_t>(key));
    batch.conversations.emplace_back(static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15ULL, key);
    batch.names.emplace_back(n, name);
    batch.content_keys.push_back({key, Bytes{4}});
    for (int i = 0; i < 3; ++i) {   // keys that differ at their end only
      batch.idempotency.push_back({7, {static_cast<std::uint8_t>(i), 1, n > 255 ? std::uint8_t{1} : std::uint8_t{0}, static_cast<std::uint8_t>(key)}, key, 5, {3}});
      batch.providers.push_back({7, name + "-" + std::to_string(i), key, 0, 0, true});
      batch.events.emplace_back(ClientId{7}, static_cast<std::uint64_t>(key * 10 + i) + 1'000'000);
    }
    batch.persons.push_back({static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15ULL, Bytes{5, n > 255 ? std::uint8_t{1} : static_cast<std::uint8_t>(n)}});
    batch.branches.push_back({static_cast<std::uint64_t>(key), Bytes{8, static_cast<std::uint8_t>(n)}});
    batch.recipients.push_back({static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15ULL, Bytes{6}});
    batch.sightings.push_back({static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15ULL, key, key, Category::service, 1, 1, Bytes{static_cast<std::uint8_t>(n)}});
    batch.kept = {{Kept::halts, Bytes{static_cast<std::uint8_t>(n)}}};
    return batch;
  }
  static FlightRow flight(MessageKey key, Queue queue = {}, std::uint8_t lane = 0, TimeMs wake = 0) {
    return {key, queue, lane, wake, Bytes{1, 2, static_cast<std::uint8_t>(key)}};
  }
  static std::vector<MessageKey> keys(const Result<std::vector<FlightRow>>& rows) {
    EXPECT_TRUE(rows.has_value());
    std::vector<MessageKey> all;
    if (rows)
      for (const FlightRow& row : *rows) all.push_back(row.key);
    return all;
  }
  using Keys = std::vector<MessageKey>;

  std::unique_ptr<Place> place;
  std::unique_ptr<Store> store;
};

TEST_P(StoreContract, ANewStoreIsEmptyEverywhere) {
  EXPECT_FALSE(store->load(1)->has_value());
  EXPECT_FALSE(store->content(1)->has_value());
  EXPECT_FALSE(store->idempotency(1, {})->has_value());
  EXPECT_FALSE(store->provider(1, "x")->has_value());
  EXPECT_TRUE(store->parked(1, "x")->empty());
  EXPECT_EQ(*store->parked_count(), 0U);
  EXPECT_FALSE(store->conversation(1)->has_value());
  EXPECT_TRUE(store->due(INT64_MAX, 10)->empty());
  EXPECT_FALSE(store->next_due()->has_value());
  EXPECT_TRUE(store->queued({1, false}, 0, 0, 10)->empty());
  EXPECT_TRUE(store->leaves(0, 10)->empty());
  EXPECT_TRUE(store->audit_mark()->empty());
  EXPECT_TRUE(store->events(1, 0, 10)->empty());
  EXPECT_EQ(*store->cursor(1), 0U);
  EXPECT_TRUE(store->names()->empty());
  EXPECT_EQ(*store->newest_key(), 0);
  EXPECT_EQ(*store->waiting(), 0U);
  EXPECT_TRUE(store->scan(0, 10)->empty());
  EXPECT_TRUE(store->usable());
}

TEST_P(StoreContract, AnEmptyBatchIsACommitToo) { commit({}); }

TEST_P(StoreContract, EverythingOfABatchIsThereAfterReopening) {
  Batch batch;
  batch.contents.push_back({7, Bytes{9, 8, 7}});
  batch.inserts.push_back(flight(7, {3, true}, 2, 500));
  batch.idempotency.push_back({5, {1, 2, 3}, 7, 0x3fffffffffffffULL, {4, 5, 6}});
  batch.providers.push_back({3, "smsc-1", 7, 2, 1, false});
  batch.providers.push_back({3, "smsc-2", 7, 2, 0, true});
  batch.parked.push_back({3, "early", 77, Bytes{1}});
  const Bytes leaf{0xaa, 0xbb};
  batch.leaves.push_back({0, &leaf});
  batch.audit_mark = {1, 1};
  batch.events.emplace_back(ClientId{5}, 1);
  batch.cursors.emplace_back(ConnectorId{3}, 1);
  batch.conversations.emplace_back(0xffffffffffffffffULL, 7);
  batch.names.emplace_back(std::uint16_t{3}, "connector:sms");
  commit(batch);
  reopen();

  const auto row = store->load(7);
  ASSERT_TRUE(row.has_value() && row->has_value());
  EXPECT_EQ((*row)->queue, (Queue{3, true}));
  EXPECT_EQ((*row)->lane, 2);
  EXPECT_EQ((*row)->wake_ms, 500);
  EXPECT_EQ((*row)->data, (Bytes{1, 2, 7}));
  EXPECT_EQ(**store->content(7), (Bytes{9, 8, 7}));
  const auto known = store->idempotency(5, {1, 2, 3});
  ASSERT_TRUE(known.has_value() && known->has_value());
  EXPECT_EQ((*known)->key, 7);
  EXPECT_EQ((*known)->random, 0x3fffffffffffffULL);
  EXPECT_EQ((*known)->fingerprint, (std::array<std::uint8_t, 16>{4, 5, 6}));
  EXPECT_FALSE(store->idempotency(6, {1, 2, 3})->has_value()) << "keys of another client";
  const auto one = store->provider(3, "smsc-1"), two = store->provider(3, "smsc-2");
  ASSERT_TRUE(one->has_value() && two->has_value());
  EXPECT_EQ((*one)->key, 7);
  EXPECT_EQ((*one)->attempt, 2);
  EXPECT_EQ((*one)->part, 1);
  EXPECT_FALSE((*one)->all_parts);
  EXPECT_TRUE((*two)->all_parts);
  EXPECT_FALSE(store->provider(4, "smsc-1")->has_value()) << "ids of another connector";
  ASSERT_EQ(store->parked(3, "early")->size(), 1U);
  EXPECT_EQ(store->parked(3, "early")->front().at_ms, 77);
  EXPECT_EQ(*store->leaves(0, 5), std::vector<Bytes>{leaf});
  EXPECT_EQ(*store->audit_mark(), (Bytes{1, 1}));
  EXPECT_EQ(*store->events(5, 0, 9), std::vector<std::uint64_t>{1});
  EXPECT_EQ(*store->cursor(3), 1U);
  EXPECT_EQ(**store->conversation(0xffffffffffffffffULL), 7);
  EXPECT_EQ(store->names()->front(), (std::pair<std::uint16_t, std::string>{3, "connector:sms"}));
  EXPECT_EQ(*store->newest_key(), 7);
  EXPECT_EQ(*store->waiting(), 1U);
}

TEST_P(StoreContract, ABatchIsWrittenWholeOrNotAtAll) {
  Batch first;
  first.inserts.push_back(flight(1));
  const Bytes leaf{1};
  first.leaves.push_back({0, &leaf});
  first.audit_mark = {1};
  commit(first);

  const std::vector<std::pair<const char*, std::function<void(Batch&)>>> faults{
      {"a message that is there already", [](Batch& b) { b.inserts.push_back(flight(1)); }},
      {"a leaf that is there already", [&leaf](Batch& b) { b.leaves.push_back({0, &leaf}); }},
      {"the same message twice", [](Batch& b) { b.inserts.push_back(flight(5)); }},
      {"a content twice", [](Batch& b) { b.contents.insert(b.contents.end(), 2, {5, Bytes{1}}); }},
      {"an idempotency key twice", [](Batch& b) { b.idempotency.insert(b.idempotency.end(), 2, IdempotencyRow{1, {7}, 5, 5, {}}); }},
      {"a name with two numbers", [](Batch& b) { b.names = {{1, "a"}, {2, "a"}}; }},
      {"a number with two names", [](Batch& b) { b.names = {{1, "a"}, {1, "b"}}; }},
      {"an event twice", [](Batch& b) { b.events = {{1, 4}, {1, 4}}; }},
  };
  const Bytes next{2};
  for (const auto& [what, spoil] : faults) {
    Batch batch;
    batch.contents.push_back({50, Bytes{5}});
    batch.inserts.push_back(flight(5, {1, false}, 0, 10));
    batch.updates.push_back(flight(1, {1, true}, 0, 99));
    batch.idempotency.push_back({1, {1}, 5, 5, {}});
    batch.providers.push_back({1, "p", 5, 0, 0, true});
    batch.parked.push_back({1, "q", 1, Bytes{1}});
    batch.leaves.push_back({1, &next});
    batch.audit_mark = {2};
    batch.events.emplace_back(ClientId{1}, 2);
    batch.cursors.emplace_back(ConnectorId{1}, 2);
    batch.conversations.emplace_back(1, 5);
    spoil(batch);
    const Status done = store->commit(batch);
    EXPECT_FALSE(done.has_value()) << what;
    EXPECT_FALSE(store->load(5)->has_value()) << what;
    EXPECT_EQ((**store->load(1)).wake_ms, 0) << what;
    EXPECT_FALSE(store->content(50)->has_value()) << what;
    EXPECT_FALSE(store->idempotency(1, {1})->has_value()) << what;
    EXPECT_FALSE(store->provider(1, "p")->has_value()) << what;
    EXPECT_TRUE(store->parked(1, "q")->empty()) << what;
    EXPECT_EQ(store->leaves(0, 9)->size(), 1U) << what;
    EXPECT_EQ(*store->audit_mark(), Bytes{1}) << what;
    EXPECT_TRUE(store->events(1, 0, 9)->empty()) << what;
    EXPECT_EQ(*store->cursor(1), 0U) << what;
    EXPECT_FALSE(store->conversation(1)->has_value()) << what;
    EXPECT_TRUE(store->names()->empty()) << what;
    EXPECT_TRUE(store->usable()) << "a fault of the batch is no fault of the disk";
  }
  Batch good;
  good.inserts.push_back(flight(5));
  good.leaves.push_back({1, &next});
  commit(good);
}

TEST_P(StoreContract, AnUpdateChangesStateAndLeavesTheRest) {
  Batch batch;
  batch.inserts = {flight(1, {2, false}, 1, 10), flight(2, {2, false}, 1, 20)};
  commit(batch);
  Batch change;
  FlightRow row = flight(1, {}, 4, 0);
  row.data = {5};
  change.updates.push_back(row);
  commit(change);
  reopen();
  EXPECT_EQ((**store->load(1)).data, Bytes{5});
  EXPECT_EQ((**store->load(1)).queue, Queue{});
  EXPECT_EQ((**store->load(2)).queue, (Queue{2, false}));
  EXPECT_EQ(*store->waiting(), 1U);
}

TEST_P(StoreContract, ARowMayBeInsertedAndUpdatedInOneBatch) {
  Batch batch;
  batch.inserts.push_back(flight(1, {2, false}, 1, 10));
  batch.updates.push_back(flight(1, {2, true}, 1, 30));
  commit(batch);
  EXPECT_EQ((**store->load(1)).queue, (Queue{2, true}));
}

TEST_P(StoreContract, WhatIsDueComesEarliestFirstAndNoMoreThanAsked) {
  Batch batch;
  batch.inserts = {flight(1, {}, 0, 300), flight(2, {}, 0, 100), flight(3, {}, 0, 200), flight(4, {}, 0, 0), flight(5, {}, 0, 100)};
  commit(batch);
  EXPECT_EQ(keys(store->due(99, 10)), Keys{});
  EXPECT_EQ(keys(store->due(100, 10)), (Keys{2, 5}));
  EXPECT_EQ(keys(store->due(1000, 10)), (Keys{2, 5, 3, 1}));
  EXPECT_EQ(keys(store->due(1000, 2)), (Keys{2, 5}));
  EXPECT_EQ(**store->next_due(), 100);
}

TEST_P(StoreContract, AQueueGivesItsLaneInTheOrderOfKeys) {
  Batch batch;
  for (MessageKey key = 1; key <= 20; ++key)
    batch.inserts.push_back(flight(key, {static_cast<ConnectorId>(key % 2 + 1), key % 3 == 0}, static_cast<std::uint8_t>(key % 5), 1));
  commit(batch);
  for (ConnectorId connector = 1; connector <= 2; ++connector) {
    for (const bool handed : {false, true}) {
      for (std::uint8_t lane = 0; lane < 5; ++lane) {
        Keys wanted;
        for (MessageKey key = 1; key <= 20; ++key)
          if (key % 2 + 1 == connector && (key % 3 == 0) == handed && key % 5 == lane) wanted.push_back(key);
        EXPECT_EQ(keys(store->queued({connector, handed}, lane, 0, 100)), wanted);
        if (!wanted.empty()) {
          EXPECT_EQ(keys(store->queued({connector, handed}, lane, wanted.front(), 100)), Keys(wanted.begin() + 1, wanted.end()));
          EXPECT_EQ(keys(store->queued({connector, handed}, lane, 0, 1)), Keys{wanted.front()});
        }
      }
    }
  }
  EXPECT_TRUE(store->queued({3, false}, 0, 0, 10)->empty());
}

TEST_P(StoreContract, AMessageStandsInItsFurtherQueuesToo) {
  Batch batch;
  for (const MessageKey key : {1, 2, 3, 4}) batch.inserts.push_back(flight(key, {1, false}, 2));
  batch.places = {{2, {7, false}, 2}, {4, {7, false}, 2}, {4, {8, true}, 2}};
  batch.inserts.push_back(flight(5, {7, false}, 2));
  batch.inserts.push_back(flight(6, {7, false}, 1));
  commit(batch);
  reopen();
  EXPECT_EQ(keys(store->queued({7, false}, 2, 0, 10)), (Keys{2, 4, 5}));
  EXPECT_EQ(keys(store->queued({7, false}, 2, 0, 2)), (Keys{2, 4}));
  EXPECT_EQ(keys(store->queued({7, false}, 2, 2, 10)), (Keys{4, 5}));
  EXPECT_EQ(keys(store->queued({8, true}, 2, 0, 10)), Keys{4});
  EXPECT_EQ(keys(store->queued({1, false}, 2, 0, 10)), (Keys{1, 2, 3, 4}));
  batch = {};
  batch.dropped_places = {{4, {7, false}, 2}};
  commit(batch);
  EXPECT_EQ(keys(store->queued({7, false}, 2, 0, 10)), (Keys{2, 5}));
  EXPECT_EQ(keys(store->queued({8, true}, 2, 0, 10)), Keys{4});
}

TEST_P(StoreContract, JourneysAreFoundByTheirPerson) {
  Batch batch;
  batch.journeys = {{UINT64_MAX, 5}, {UINT64_MAX, 3}, {7, 4}};
  commit(batch);
  reopen();
  EXPECT_EQ(*store->journeys(UINT64_MAX, 10), (Keys{3, 5}));
  EXPECT_EQ(*store->journeys(UINT64_MAX, 1), Keys{3});
  EXPECT_EQ(*store->journeys(8, 10), Keys{});
  batch = {};
  batch.dropped_journeys = {{UINT64_MAX, 3}, {9, 9}};
  commit(batch);
  EXPECT_EQ(*store->journeys(UINT64_MAX, 10), Keys{5});
}

TEST_P(StoreContract, SightingsAreFoundByTheirPerson) {
  Batch batch;
  batch.sightings = {{UINT64_MAX, 5, 50, Category::marketing, 65535, 7}, {UINT64_MAX, 3, 40, Category::otp, 1, 1}, {7, 4, 30, Category::service, 2, 2}};
  commit(batch);
  reopen();
  const std::vector<SightingRow> rows = *store->sightings(UINT64_MAX);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].key, 3);
  EXPECT_EQ(rows[1].key, 5);
  EXPECT_EQ(rows[1].at_ms, 50);
  EXPECT_EQ(rows[1].category, Category::marketing);
  EXPECT_EQ(rows[1].client, 65535);
  EXPECT_EQ(rows[1].weight, 7U);
  EXPECT_EQ(store->sightings(8)->size(), 0U);
  batch = {};
  batch.dropped_sightings = {rows[0]};
  commit(batch);
  EXPECT_EQ(store->sightings(UINT64_MAX)->size(), 1U);
  batch = {};
  batch.erased_persons = {UINT64_MAX};
  commit(batch);
  EXPECT_EQ(store->sightings(UINT64_MAX)->size(), 0U);
  EXPECT_EQ(store->sightings(7)->size(), 1U);
}

TEST_P(StoreContract, BranchesAreReplacedAndReadInOrder) {
  EXPECT_FALSE(store->branch(1)->has_value());
  EXPECT_TRUE(store->branches(0, 10)->empty());
  constexpr std::uint64_t kLast = (1ULL << 61) - 1;
  Batch batch;
  batch.branches = {{kLast, Bytes{1}}, {1, Bytes{2}}, {16, Bytes{3}}, {1, Bytes{4}}};
  commit(batch);
  batch.branches = {{16, Bytes{5}}};
  commit(batch);
  reopen();
  EXPECT_EQ(**store->branch(1), Bytes{4});
  EXPECT_EQ(**store->branch(16), Bytes{5});
  EXPECT_EQ(**store->branch(kLast), Bytes{1});
  const std::vector<BranchRow> two = *store->branches(0, 2);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].id, 1U);
  EXPECT_EQ(two[1].id, 16U);
  EXPECT_EQ(two[1].wrapped, Bytes{5});
  EXPECT_EQ(store->branches(16, 10)->size(), 1U);
  EXPECT_TRUE(store->branches(kLast, 10)->empty());
}

TEST_P(StoreContract, ASightingKnowsWhatWasSaid) {
  Batch batch;
  batch.sightings = {{7, 5, 50, Category::marketing, 1, 1, Bytes(8, 9)}, {7, 6, 50, Category::marketing, 1, 1, {}}};
  commit(batch);
  reopen();
  const std::vector<SightingRow> rows = *store->sightings(7);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].digest, Bytes(8, 9));
  EXPECT_EQ(rows[1].digest, Bytes{});
}

TEST_P(StoreContract, ARecipientIsReplacedAndGoesWithItsPerson) {
  EXPECT_FALSE(*store->has_recipients());
  Batch batch;
  batch.recipients = {{UINT64_MAX, Bytes{1}}, {7, Bytes{2}}, {8, Bytes{3}}};
  commit(batch);
  batch.recipients = {{7, Bytes{4}}};
  commit(batch);
  reopen();
  EXPECT_TRUE(*store->has_recipients());
  EXPECT_EQ(**store->recipient(UINT64_MAX), Bytes{1});
  EXPECT_EQ(**store->recipient(7), Bytes{4});
  EXPECT_FALSE(store->recipient(9)->has_value());
  batch = {};
  batch.dropped_recipients = {8, 1000};
  batch.erased_persons = {7};
  commit(batch);
  EXPECT_FALSE(store->recipient(7)->has_value());
  EXPECT_FALSE(store->recipient(8)->has_value());
}

TEST_P(StoreContract, SmallStateIsKept) {
  EXPECT_FALSE(store->kept(Kept::halts)->has_value());
  Batch batch;
  batch.kept = {{Kept::halts, Bytes{1, 2}}, {Kept::velocity, Bytes{3}}};
  commit(batch);
  batch.kept = {{Kept::halts, Bytes{}}};
  commit(batch);
  reopen();
  EXPECT_EQ(**store->kept(Kept::halts), Bytes{});
  EXPECT_EQ(**store->kept(Kept::velocity), Bytes{3});
}

TEST_P(StoreContract, LargeConnectorNumbersKeepTheirQueues) {
  Batch batch;
  batch.inserts = {flight(1, {65535, false}), flight(2, {65535, true}), flight(3, {32768, true})};
  commit(batch);
  EXPECT_EQ((**store->load(1)).queue, (Queue{65535, false}));
  EXPECT_EQ((**store->load(2)).queue, (Queue{65535, true}));
  EXPECT_EQ(keys(store->queued({32768, true}, 0, 0, 9)), Keys{3});
}

TEST_P(StoreContract, ScanPagesThroughEverything) {
  Batch batch;
  for (MessageKey key = 10; key <= 100; key += 10) batch.inserts.push_back(flight(key));
  commit(batch);
  Keys all;
  for (MessageKey after = 0;;) {
    const Keys page = keys(store->scan(after, 3));
    if (page.empty()) break;
    all.insert(all.end(), page.begin(), page.end());
    after = page.back();
  }
  EXPECT_EQ(all, (Keys{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}));
  EXPECT_EQ(*store->newest_key(), 100);
}

TEST_P(StoreContract, LeavesComeByTheirRange) {
  Batch batch;
  std::vector<Bytes> leaves;
  for (std::uint8_t i = 0; i < 10; ++i) leaves.push_back(Bytes{i});
  for (std::uint64_t i = 0; i < 10; ++i) batch.leaves.push_back({i, &leaves[i]});
  commit(batch);
  EXPECT_EQ(*store->leaves(3, 2), (std::vector<Bytes>{{3}, {4}}));
  EXPECT_EQ(store->leaves(8, 100)->size(), 2U);
  EXPECT_TRUE(store->leaves(10, 5)->empty());
  EXPECT_TRUE(store->leaves(0, 0)->empty());
}

TEST_P(StoreContract, EventsOfAClientComeAfterACursor) {
  Batch batch;
  batch.events = {{1, 5}, {2, 6}, {1, 7}, {1, 9}};
  commit(batch);
  EXPECT_EQ(*store->events(1, 0, 10), (std::vector<std::uint64_t>{5, 7, 9}));
  EXPECT_EQ(*store->events(1, 5, 10), (std::vector<std::uint64_t>{7, 9}));
  EXPECT_EQ(*store->events(1, 0, 2), (std::vector<std::uint64_t>{5, 7}));
  EXPECT_EQ(*store->events(2, 0, 10), std::vector<std::uint64_t>{6});
  EXPECT_TRUE(store->events(3, 0, 10)->empty());
}

TEST_P(StoreContract, CursorsConversationsProvidersAndTheMarkAreReplaced) {
  Batch batch;
  batch.cursors.emplace_back(ConnectorId{1}, 5);
  batch.conversations.emplace_back(9, 1);
  batch.providers.push_back({1, "x", 1, 0, 0, true});
  batch.audit_mark = {1};
  commit(batch);
  batch.cursors[0].second = 8;
  batch.conversations[0].second = 2;
  batch.providers[0].key = 2;
  batch.audit_mark = {2};
  commit(batch);
  EXPECT_EQ(*store->cursor(1), 8U);
  EXPECT_EQ(**store->conversation(9), 2);
  EXPECT_EQ((**store->provider(1, "x")).key, 2);
  EXPECT_EQ(*store->audit_mark(), Bytes{2});
  commit({});
  EXPECT_EQ(*store->audit_mark(), Bytes{2}) << "an empty mark changes nothing";
}

TEST_P(StoreContract, ParkedRowsAreKeptInOrderTakenTogetherAndDroppedByAge) {
  Batch batch;
  batch.parked = {{1, "a", 10, {1}}, {1, "a", 20, {2}}, {1, "b", 30, {3}}, {2, "a", 40, {4}}};
  commit(batch);
  ASSERT_EQ(store->parked(1, "a")->size(), 2U);
  EXPECT_EQ((*store->parked(1, "a"))[0].data, Bytes{1});
  EXPECT_EQ((*store->parked(1, "a"))[1].data, Bytes{2});
  EXPECT_EQ(*store->parked_count(), 4U);
  Batch take;
  take.unparked.emplace_back(ConnectorId{1}, "a");
  commit(take);
  EXPECT_TRUE(store->parked(1, "a")->empty());
  EXPECT_EQ(store->parked(2, "a")->size(), 1U);
  Batch drop;
  drop.drop_parked_before = 40;
  commit(drop);
  EXPECT_TRUE(store->parked(1, "b")->empty());
  EXPECT_EQ(store->parked(2, "a")->size(), 1U) << "40 is not before 40";
}

TEST_P(StoreContract, BytesOfEveryKindAndLengthComeBack) {
  Batch batch;
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  batch.contents.push_back({1, all});
  batch.contents.push_back({2, {}});
  batch.contents.push_back({3, Bytes(1'000'000, 0x5a)});
  batch.providers.push_back({1, std::string("a\0b'\"\xff%", 8), 1, 0, 0, true});
  commit(batch);
  reopen();
  EXPECT_EQ(**store->content(1), all);
  EXPECT_EQ(**store->content(2), Bytes{});
  EXPECT_EQ((**store->content(3)).size(), 1'000'000U);
  EXPECT_TRUE(store->provider(1, std::string("a\0b'\"\xff%", 8))->has_value());
  EXPECT_FALSE(store->provider(1, "a")->has_value());
}

TEST_P(StoreContract, AThousandMessagesAreOneCommit) {
  Batch batch;
  for (MessageKey key = 1; key <= 1000; ++key) batch.inserts.push_back(flight(key, {1, false}, 0, key));
  commit(batch);
  reopen();
  EXPECT_EQ(*store->waiting(), 1000U);
}

}  // namespace postern::store
