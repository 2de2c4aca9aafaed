// SPDX-License-Identifier: Apache-2.0
// Purpose: what the parts of the vault share while it is unlocked. Used by: gateway/vault only.
// Threads: one. Ownership: the vault owns the context; parts borrow it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "crypto/seal.hpp"
#include "gateway/audit/log.hpp"
#include "gateway/config/config.hpp"
#include "gateway/domain/content.hpp"
#include "gateway/domain/message_id.hpp"
#include "gateway/numbers/portability.hpp"
#include "gateway/store/store.hpp"
#include "gateway/vault/metrics.hpp"
#include "gateway/vault/doubts.hpp"
#include "gateway/vault/halts.hpp"
#include "gateway/vault/persons.hpp"
#include "gateway/vault/recipients.hpp"
#include "gateway/vault/sightings.hpp"
#include "gateway/vault/zones.hpp"

namespace postern::vault {

// Small stable numbers for configured names: they stand in rows and leaves instead of the names, and
// keep their meaning when the configuration changes.
class Names {
 public:
  // Takes what the store knows.
  explicit Names(const std::vector<std::pair<std::uint16_t, std::string>>& known) {
    for (const auto& [id, name] : known) insert(id, name);
  }
  // The number of a name, given now if it has none; `fresh` tells that it must be stored.
  std::uint16_t number(const std::string& name, bool& fresh) {
    const auto found = numbers_.find(name);
    fresh = found == numbers_.end();
    if (!fresh) return found->second;
    const auto id = static_cast<std::uint16_t>(names_.empty() ? 1 : names_.rbegin()->first + 1);
    insert(id, name);
    return id;
  }
  // Nothing when it has none.
  std::optional<std::uint16_t> find(const std::string& name) const {
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  }
  const std::string& name(std::uint16_t id) const {
    static const std::string none;
    const auto found = names_.find(id);
    return found == names_.end() ? none : found->second;
  }
  void forget(std::uint16_t id) {
    numbers_.erase(name(id));
    names_.erase(id);
  }

 private:
  void insert(std::uint16_t id, const std::string& name) {
    names_.emplace(id, name);
    numbers_.emplace(name, id);
  }
  std::map<std::uint16_t, std::string> names_;
  std::unordered_map<std::string, std::uint16_t> numbers_;
};

// What is said, without to which address and by which channel, as a keyed digest for one person: one for each version of the key, newest
// first. Without the keys it tells nothing, and the same words to two persons have two digests.
std::vector<Bytes> digests_of(const Keys& keys, std::uint64_t person, const Payload& payload);

struct Context {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const numbers::PortabilityIndex> numbers;  // may be null: no table imported
  store::Store& store;
  const Keys& keys;
  audit::Log& log;
  Persons& persons;
  Sightings& sightings;
  Recipients& recipients;
  Halts& halts;
  Names names;
  KeySource ids;
  Zones zones;
  Metrics metrics;
  bool accepting = true;          // false: the disk is low; what was accepted goes on
  Doubts doubts = {};

  std::string_view client_name(ClientId client) const {
    const std::string& name = names.name(client);   // "client:NAME"
    return std::string_view(name).substr(std::min<std::size_t>(name.size(), 7));
  }
  std::string_view connector_name(ConnectorId connector) const {
    const std::string& name = names.name(connector);   // "connector:NAME"
    return std::string_view(name).substr(std::min<std::size_t>(name.size(), 10));
  }
  // What one message of this client counts in a customer's caps.
  std::uint32_t weight_of(ClientId client) const {
    const auto found = config->clients.find(client_name(client));
    return found == config->clients.end() ? 1 : found->second.weight;
  }
};

}  // namespace postern::vault
