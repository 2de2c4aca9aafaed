// SPDX-License-Identifier: Apache-2.0
// The part of the store contract about what it knows of itself: generation and sum, walks over the rows, what is
// purged, snapshots. An implementation includes it beside store_contract.hpp.
#pragma once

#include "tests/contract/store_contract.hpp"

namespace postern::store {

// ---- generation and sum ----

TEST_P(StoreContract, EveryCommitIsOneGenerationAndAFailedOneIsNone) {
  EXPECT_EQ(store->state().generation, 0U);
  EXPECT_EQ(store->state().sum, StateSum{});
  commit({});
  commit(of_everything(1));
  const State before = store->state();
  EXPECT_EQ(before.generation, 2U);
  EXPECT_FALSE(store->commit(of_everything(1)).has_value());
  EXPECT_EQ(store->state().generation, 2U);
  EXPECT_EQ(store->state().sum, before.sum);
  reopen();
  EXPECT_EQ(store->state().generation, 2U);
  EXPECT_EQ(store->state().sum, before.sum);
  Batch above;
  above.generation_above = 1000;
  commit(above);
  EXPECT_EQ(store->state().generation, 1001U);
  above.generation_above = 7;
  commit(above);
  EXPECT_EQ(store->state().generation, 1002U) << "it never goes back";
}

TEST_P(StoreContract, SuspicionIsKeptUntilItIsTakenBack) {
  Batch batch;
  batch.suspect = true;
  commit(batch);
  commit({});
  reopen();
  EXPECT_TRUE(store->state().suspect);
  batch.suspect = false;
  commit(batch);
  reopen();
  EXPECT_FALSE(store->state().suspect);
}

TEST_P(StoreContract, TheSumIsThatOfTheRowsAfterEveryKindOfChange) {
  const auto same = [this](const char* after) { EXPECT_EQ(store->state().sum, recounted()) << after; };
  same("nothing");
  for (MessageKey key = 1; key <= 20; ++key) commit(of_everything(key));
  same("inserts");
  Batch change;
  for (MessageKey key = 1; key <= 10; ++key) change.updates.push_back(flight(key, {9, true}, 4, 77));
  change.updates.push_back(flight(3, {}, 4, 0));  // twice in one batch
  change.inserts.push_back(flight(30));
  change.updates.push_back(flight(30, {1, false}, 1, 2));
  change.providers = {{5, "5", 99, 1, 1, false}, {5, "new", 99, 1, 1, false}, {5, "new", 98, 1, 1, false}};
  change.cursors = {{5, 50}, {5, 51}, {300, 1}};
  change.conversations = {{5 * 0x9e3779b97f4a7c15ULL, 6}, {12345, 6}, {12345, 7}};
  change.persons = {{5 * 0x9e3779b97f4a7c15ULL, Bytes{9}}, {77, Bytes{9}}, {77, Bytes{8}}};
  change.branches = {{5, Bytes{9}}, {77, Bytes{9}}, {77, Bytes{8}}};
  change.recipients = {{5 * 0x9e3779b97f4a7c15ULL, Bytes{9}}, {77, Bytes{9}}, {77, Bytes{8}}};
  change.dropped_recipients = {4 * 0x9e3779b97f4a7c15ULL, 1};
  change.kept = {{Kept::halts, Bytes{9}}, {Kept::halts, Bytes{}}, {Kept::velocity, Bytes{9}}};
  change.erased_persons = {6 * 0x9e3779b97f4a7c15ULL, 12345};
  change.dropped_contents = {7, 1000};
  change.unparked = {{7, "7"}, {7, "7"}, {8, "none"}};
  change.drop_parked_before = 4;
  commit(change);
  same("updates, replacements and removals");
  reopen();
  same("reopening");
  change = {};
  for (MessageKey key = 1; key <= 10; ++key) change.updates.push_back(flight(key, {2, false}, 1, 5));  // not known since it was opened
  change.purged = {12, 16, 13, 30, 1000};
  change.purged_events = {{11, 11}, {12, 99}};
  change.purged_orphans.idempotency.push_back({11, {11, 9}, 11});
  change.purged_orphans.providers.push_back({11, "11", 11});
  change.purged_orphans.providers.push_back({7, "11-1", 11});
  change.purged_orphans.conversations.push_back({11 * 0x9e3779b97f4a7c15ULL, 11});
  commit(change);
  same("purging");
  EXPECT_TRUE(store->load(13)->has_value()) << "it waits still";
  EXPECT_FALSE(store->load(12)->has_value());
  EXPECT_FALSE(store->commit(of_everything(5)).has_value());
  same("a failed batch");
}

TEST_P(StoreContract, AWalkThatCommitsOvertakeCountsWhatIsThereAtItsEnd) {
  for (MessageKey key = 100; key <= 200; ++key) commit(of_everything(key));
  MessageKey next = 1;
  const auto meddle = [&] {
    if (next > 90) return;
    Batch batch = of_everything(next);                       // before, and after, where the walk stands
    batch.inserts.push_back(flight(1000 + next, {1, false}, 0, 9));
    batch.updates.push_back(flight(100 + next, {2, true}, 1, 3));
    batch.providers.push_back({static_cast<ConnectorId>(100 + next), std::to_string(100 + next), 1, 1, 1, true});
    batch.unparked = {{static_cast<ConnectorId>(100 + next), std::to_string(100 + next)}};
    batch.purged_events = {{static_cast<ClientId>(100 + next), static_cast<std::uint64_t>(100 + next)}};
    batch.purged_orphans.conversations.push_back({static_cast<std::uint64_t>(100 + next) * 0x9e3779b97f4a7c15ULL, 1});
    commit(batch);
    EXPECT_FALSE(store->commit(of_everything(next)).has_value()) << "and one that fails";
    ++next;
  };
  for (const std::size_t step : {7U, 1U, 40U}) {
    const StateSum counted = recounted(step, meddle);
    EXPECT_EQ(counted, store->state().sum) << "in pieces of " << step;
  }
  EXPECT_EQ(recounted(3), store->state().sum);
}

TEST_P(StoreContract, AnUpdateOfAMessageThatIsNotThereFailsTheBatch) {
  Batch batch;
  batch.updates.push_back(flight(5));
  EXPECT_FALSE(store->commit(batch).has_value());
  EXPECT_TRUE(store->usable());
}

TEST_P(StoreContract, TheMediumHoldsAndSaysSoInPieces) {
  for (MessageKey key = 1; key <= 50; ++key) commit(of_everything(key));
  for (int round = 0; round < 2; ++round) {
    bool done = false;
    for (int i = 0; i < 10'000 && !done; ++i) {
      const Result<Store::MediaCheck> checked = store->check_media(8192);
      ASSERT_TRUE(checked.has_value()) << checked.what();
      done = checked->done;
    }
    EXPECT_TRUE(done);
  }
}

// ---- retention ----

TEST_P(StoreContract, OnlyWhatHasEndedIsPurgedAndItsRestIsFound) {
  Batch batch;
  for (MessageKey key = 1; key <= 9; ++key) {
    batch.inserts.push_back(flight(key, {}, 0, key % 3 == 0 ? 5 : 0));
    batch.contents.push_back({key, Bytes{1}});
    batch.idempotency.push_back({1, {static_cast<std::uint8_t>(key)}, key, 1, {}});
    batch.providers.push_back({1, "p" + std::to_string(key), key, 0, 0, true});
    batch.conversations.emplace_back(static_cast<std::uint64_t>(key), key);
  }
  commit(batch);
  const auto left = [this](MessageKey before) {
    Orphans all;
    OrphanPlace at;
    while (!at.done) {
      Result<Orphans> found = store->orphans(at, before, 2);
      EXPECT_TRUE(found.has_value()) << (found ? "" : found.what());
      if (!found) break;
      std::ranges::move(found->idempotency, std::back_inserter(all.idempotency));
      std::ranges::move(found->providers, std::back_inserter(all.providers));
      std::ranges::move(found->conversations, std::back_inserter(all.conversations));
    }
    return all;
  };
  EXPECT_TRUE(left(INT64_MAX).empty());
  Batch purge;
  purge.purged = {1, 2, 3, 4};
  commit(purge);
  EXPECT_FALSE(store->load(1)->has_value());
  EXPECT_FALSE(store->content(2)->has_value());
  EXPECT_TRUE(store->load(3)->has_value() && store->content(3)->has_value()) << "it has not ended";
  Orphans orphans = left(4);
  EXPECT_EQ(orphans.idempotency.size(), 2U);
  EXPECT_EQ(orphans.providers.size(), 2U);
  EXPECT_EQ(orphans.conversations.size(), 2U);
  orphans = left(INT64_MAX);
  EXPECT_EQ(orphans.providers.size(), 3U);
  Batch rest;
  rest.purged_orphans = orphans;
  commit(rest);
  EXPECT_TRUE(left(INT64_MAX).empty());
  EXPECT_FALSE(store->provider(1, "p4")->has_value());
  EXPECT_TRUE(store->provider(1, "p3")->has_value());
  EXPECT_EQ(recounted(), store->state().sum);
}

TEST_P(StoreContract, WhatWasDeletedIsGivenBackInPieces) {
  Batch batch;
  for (MessageKey key = 1; key <= 200; ++key) {
    batch.inserts.push_back(flight(key));
    batch.contents.push_back({key, Bytes(5000, 3)});
  }
  commit(batch);
  Batch purge;
  for (MessageKey key = 1; key <= 150; ++key) purge.purged.push_back(key);
  commit(purge);
  const std::uint64_t generation = store->state().generation;
  std::uint64_t freed = 0, left = 1;
  for (int i = 0; i < 1000 && left > 0; ++i) {
    const Result<Store::Compaction> compacted = store->compact(64 * 1024);
    ASSERT_TRUE(compacted.has_value()) << compacted.what();
    freed += compacted->freed;
    left = compacted->left;
  }
  EXPECT_GE(freed, 150U * 5000);
  EXPECT_EQ(left, 0U);
  EXPECT_GT(store->state().generation, generation) << "it changed the medium";
  EXPECT_EQ(recounted(), store->state().sum);
  reopen();
  for (MessageKey key = 151; key <= 200; ++key) EXPECT_TRUE(store->content(key)->has_value());
}

// ---- snapshots ----

TEST_P(StoreContract, ASnapshotStaysAsItWasWhileTheStoreGoesOn) {
  for (MessageKey key = 1; key <= 30; ++key) commit(of_everything(key));
  Result<std::unique_ptr<Snapshot>> snapshot = store->snapshot();
  ASSERT_TRUE(snapshot.has_value()) << snapshot.what();
  EXPECT_FALSE(store->snapshot().has_value()) << "one at a time";
  const auto content = [&] {
    Bytes all((*snapshot)->size());
    EXPECT_TRUE((*snapshot)->read(0, all).has_value());
    return all;
  };
  const Bytes before = content();
  EXPECT_GT(before.size(), 0U);
  for (MessageKey key = 31; key <= 300; ++key) commit(of_everything(key));
  EXPECT_EQ(content(), before);
  Bytes beyond(2);
  EXPECT_FALSE((*snapshot)->read((*snapshot)->size() - 1, beyond).has_value());
  snapshot->reset();
  for (MessageKey key = 301; key <= 400; ++key) commit(of_everything(key));
  EXPECT_TRUE(store->snapshot().has_value());
  EXPECT_EQ(recounted(), store->state().sum);
}

}  // namespace postern::store
