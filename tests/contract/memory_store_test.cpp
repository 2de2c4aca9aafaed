// SPDX-License-Identifier: Apache-2.0
// The store contract on the store in memory, and what its disk can be made to do.
#include "gateway/store/memory.hpp"
#include "tests/contract/store_account_contract.hpp"
#include "tests/contract/store_contract.hpp"

namespace postern::store {
namespace {

struct MemoryPlace final : Place {
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  Secret sum_key = Secret::random(32);
  Result<std::unique_ptr<Store>> open() override { return open_memory(disk, sum_key); }
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, testing::Values(PlaceMaker{"memory", [] { return std::make_unique<MemoryPlace>(); }}),
                         [](const auto& one) { return one.param.name; });

Batch one_message(MessageKey key) {
  Batch batch;
  batch.inserts.push_back({key, {}, 0, 5, Bytes{1}});
  return batch;
}

TEST(MemoryStore, AFullDiskRefusesOneCommitAndTheStoreGoesOn) {
  MemoryPlace place;
  const std::unique_ptr<Store> store = *place.open();
  place.disk->fail_next(DiskFault::full);
  EXPECT_FALSE(store->commit(one_message(1)).has_value());
  EXPECT_TRUE(store->full());
  EXPECT_TRUE(store->usable());
  EXPECT_FALSE(store->load(1)->has_value());
  EXPECT_TRUE(store->commit(one_message(1)).has_value());
  EXPECT_FALSE(store->full());
}

TEST(MemoryStore, AFailedSyncEndsTheStoreAndItsBatchMayBeThereOrNot) {
  for (const bool kept : {false, true}) {
    MemoryPlace place;
    std::unique_ptr<Store> store = *place.open();
    ASSERT_TRUE(store->commit(one_message(1)).has_value());
    place.disk->fail_next(kept ? DiskFault::unsynced_kept : DiskFault::unsynced_lost);
    EXPECT_FALSE(store->commit(one_message(2)).has_value());
    EXPECT_FALSE(store->usable());
    EXPECT_FALSE(store->full());
    EXPECT_FALSE(store->commit(one_message(3)).has_value()) << "it is never tried again";
    store = *place.open();
    EXPECT_TRUE(store->usable());
    EXPECT_TRUE(store->load(1)->has_value());
    EXPECT_EQ(store->load(2)->has_value(), kept);
    EXPECT_EQ(store->state().generation, kept ? 2U : 1U);
  }
}

TEST(MemoryStore, ACopyOfTheDiskIsAStoreOfItsOwn) {
  MemoryPlace place;
  const std::unique_ptr<Store> store = *place.open();
  ASSERT_TRUE(store->commit(one_message(1)).has_value());
  const auto copy = std::make_shared<Disk>(*place.disk);
  ASSERT_TRUE(store->commit(one_message(2)).has_value());
  const std::unique_ptr<Store> older = open_memory(copy, place.sum_key);
  EXPECT_TRUE(older->load(1)->has_value());
  EXPECT_FALSE(older->load(2)->has_value());
  EXPECT_EQ(older->state().generation, 1U);
}

}  // namespace
}  // namespace postern::store
