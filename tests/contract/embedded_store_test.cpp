// SPDX-License-Identifier: Apache-2.0
// The store contract on the embedded store.
#include "gateway/store/embedded.hpp"
#include "tests/contract/store_account_contract.hpp"
#include "tests/contract/store_contract.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::store {
namespace {

struct EmbeddedPlace final : Place {
  TempFolder folder;
  Secret key = Secret::random(48), sum_key = Secret::random(32);
  Result<std::unique_ptr<Store>> open() override { return open_embedded(folder / "postern.db", Suite::of(Profile::modern), key, sum_key); }
};

INSTANTIATE_TEST_SUITE_P(Embedded, StoreContract,
                         testing::Values(PlaceMaker{"embedded", [] { return std::make_unique<EmbeddedPlace>(); }}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace postern::store
