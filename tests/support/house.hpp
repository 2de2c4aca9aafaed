// SPDX-License-Identifier: Apache-2.0
// A whole vault without sockets: a folder of its own, a configuration, a clock that tests move, and
// connectors that are said and heard by hand. Used by the vault's tests and its benchmark.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "crypto/keyring.hpp"
#include "gateway/config/config.hpp"
#include "gateway/vault/vault.hpp"

namespace postern::vault {

// A folder that ends with its owner.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

inline constexpr TimeMs kMorning = 1'800'000'000'000;
inline constexpr const char* kBankUri = "spiffe://bank.example/core";
inline constexpr const char* kOtherUri = "spiffe://bank.example/cards";

class House {
 public:
  // A test's own surroundings must stand: anything else ends the test with a sentence, but where that is what it looks for.
  struct Fell : std::runtime_error {
    using std::runtime_error::runtime_error;
  };

  // `extra` is added to posternd.toml, `scenarios` and `templates` are further files (name -> text). With `own_categories`
  // the rules of categories stand in `extra` too; `policy` is the bank's policy, beside a list never.txt of one number. The profile is that of POSTERN_PROFILE unless a test asks for one.
  explicit House(const std::string& extra = {}, const std::map<std::string, std::string>& scenarios = {},
                 const std::map<std::string, std::string>& templates = {}, std::optional<Profile> profile = {}, bool own_categories = false,
                 const std::string& policy = {});
  ~House();

  // Ends the vault as a crash does (nothing is said, nothing published) and opens it again.
  void reopen();
  Status try_open(Vault::Opening opening, const Consent* consent = nullptr);
  void close() { vault_.reset(); }
  Vault& vault() { return *vault_; }
  const Keyring& ring() const { return ring_; }
  // The keyring that the next opening finds.
  void put_ring(Keyring ring) { ring_ = std::move(ring); }
  std::string state() const { return folder_ / "state"; }
  std::shared_ptr<const config::Config> config() const { return config_; }

  PeerId join(const std::string& name, std::uint64_t instance = 1, std::uint32_t window = 1000, bool wants_events = false);
  void leave(PeerId peer);
  // Queues a frame; the number is set here.
  void say(PeerId peer, wire::ToVault frame);
  // One turn and those that are due at once after it, then collects what was said to each peer.
  void turn();
  Status turn_once();
  // Time goes on to then, with a turn at every time that the vault asked for on the way.
  void pass(TimeMs ms);

  // Everything told to a peer since it was last taken.
  wire::ToConnector take(PeerId peer);
  std::vector<wire::Deliver> deliveries(PeerId peer);
  std::vector<wire::Verdict> verdicts(PeerId peer);
  const wire::ToConnector& heard(PeerId peer) { return heard_[peer]; }

  // ---- short ways ----
  static wire::Submit submit(const std::string& scenario = "sms", const std::string& phone = "380671234567",
                             wire::Category category = wire::SERVICE);
  // Submits through `source`, has one turn, gives the verdict.
  wire::Verdict send(PeerId source, wire::Submit submit);
  static wire::ToVault result_frame(const wire::Attempt& attempt, wire::Result::Kind kind, const std::vector<std::string>& ids = {}, bool receipts = true);
  void result(PeerId peer, const wire::Attempt& attempt, wire::Result::Kind kind, const std::vector<std::string>& ids = {}, bool receipts = true);
  void receipt(PeerId peer, const std::string& provider_id, wire::Progress progress, const std::string& connector = {});
  wire::Answer ask(PeerId source, wire::Query query);
  wire::MessageView view(PeerId source, const std::string& id);
  std::vector<wire::Event> events(PeerId source, std::uint64_t after = 0);
  std::vector<audit::Leaf> leaves();

  TimeMs now = kMorning;

 private:
  Folder folder_;
  Keyring ring_;
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<Vault> vault_;
  std::map<PeerId, std::uint64_t> frames_;
  std::map<PeerId, wire::ToConnector> heard_;
  std::uint64_t tag_ = 0;
};

}  // namespace postern::vault
