// SPDX-License-Identifier: Apache-2.0
// A log with leaves that stand in memory as they would in the store, and the files made of it.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "admin/audit/verify.hpp"
#include "gateway/audit/epochs.hpp"
#include "gateway/audit/tiles.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern::audit {

inline constexpr const char* kOrigin = "bank.example/postern/audit";

class Ledger {
 public:
  explicit Ledger(Profile profile = Profile::modern) : ring(Keyring::create(1, profile)) {}

  std::vector<Entry> grow(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Leaf leaf;
      if (log.size() == 0) {
        leaf.type = EventType::initialised;
        log.append_open(leaf, epochs->first_body(), 1'800'000'000'000'000, 0);
        continue;
      }
      leaf.type = log.size() % 5 == 0 ? EventType::started : EventType::accepted;
      if (leaf.type == EventType::accepted) leaf.message = {static_cast<MessageKey>(log.size() + 1) << 20, 7};
      leaf.client = 3;
      const Body body = log.size() % 3 == 0 ? Body{} : Body{{Field::reason, "why-" + std::to_string(log.size())}};
      log.append(leaf, body, 1'800'000'000'000'000 + static_cast<std::int64_t>(log.size()), log.size());
    }
    std::vector<Entry> fresh = log.take();
    for (const Entry& entry : fresh) stored.push_back(entry.leaf);
    return fresh;
  }
  // The leaf that closes the epoch, as the vault commits it; what is left to do is publish_last_of() and epochs->close().
  std::vector<Entry> end_epoch() {
    const std::int64_t end_us = 1'800'000'000'000'000 + (epochs->number() + 1) * kEpochUs;
    EXPECT_TRUE(epochs->prepare(end_us).has_value());
    Leaf leaf;
    leaf.type = EventType::epoch_begun;
    log.append_open(leaf, epochs->next_body(), end_us, log.size());
    epochs->committed();
    std::vector<Entry> fresh = log.take();
    for (const Entry& entry : fresh) stored.push_back(entry.leaf);
    return fresh;
  }
  Tiles::Load load() {
    return [this](std::uint64_t from, std::size_t count) -> Result<std::vector<Bytes>> {
      loaded += std::min<std::uint64_t>(count, from > stored.size() ? 0 : stored.size() - from);
      std::vector<Bytes> out;
      for (std::uint64_t i = from; i < stored.size() && out.size() < count; ++i) out.push_back(stored[i]);
      return out;
    };
  }
  Result<Tiles> open(const std::string& folder) { return Tiles::open(folder, identity(), log.size(), load()); }
  std::vector<Signer> signers() const { return {{identity(), [this](std::string_view text) { return keys.sign(text); }}, epochs->signer()}; }
  Status publish(Tiles& tiles) const { return tiles.publish(signers()); }
  Verifier identity() const { return {kOrigin, keys.suite().key_type(), keys.log_public_key()}; }
  std::string vkey() const { return verifier_key(identity()); }

  Keyring ring;
  Keys keys{ring};
  Log log{keys, {}};
  TempFolder keys_folder;
  Result<Epochs> epochs = Epochs::begin(keys_folder / "epoch", kOrigin, keys, 1'800'000'000'000'000);
  std::vector<Bytes> stored;
  std::uint64_t loaded = 0;
};

// Empty when the folder holds for an auditor with this identity key; otherwise what is wrong.
inline std::string verified(const std::string& folder, const std::string& vkey, std::uint64_t* leaves = nullptr,
                            const std::function<void(std::uint64_t, std::uint64_t)>& meanwhile = {}) {
  const Result<auditor::Trust> trust = auditor::read_trust({vkey}, {});
  if (!trust) return "no key: " + trust.what();
  const Result<auditor::Verdict> verdict = auditor::verify({folder, *trust, {}, meanwhile});
  if (!verdict) return "unreadable: " + verdict.what();
  if (leaves != nullptr) *leaves = verdict->leaves;
  return verdict->bad ? std::to_string(verdict->bad->leaf) + ": " + verdict->bad->what : "";
}

inline std::map<std::string, Bytes> files_of(const std::string& folder) {
  std::map<std::string, Bytes> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[std::filesystem::relative(entry.path(), folder).string()] = read_all(entry.path().string());
  return files;
}

}  // namespace postern::audit
