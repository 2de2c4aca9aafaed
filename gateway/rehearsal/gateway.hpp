// SPDX-License-Identifier: Apache-2.0
// Purpose: the gateway as it is played: the real turn, intake, queries, policy's gate, dispatcher, progress, engine and audit log over the
// store in memory. What the vault has around them, and what is left out: tiles, epochs and anchor (files), wrapping keys renewed every
// day, backups, retention. Used by: the rehearsal, and the simulator of tests/sim with a route and a policy of its own.
// Threads: one. Ownership: borrows ground and disk. Ends like a process: destroyed at any point, it leaves the disk as the last commit
// left it. Errors: a turn that did not happen is told by turn(); why() says why.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/keyring.hpp"
#include "gateway/store/memory.hpp"
#include "gateway/vault/dispatch.hpp"
#include "gateway/vault/gate.hpp"
#include "gateway/vault/intake.hpp"
#include "gateway/vault/progress.hpp"
#include "gateway/vault/query.hpp"

namespace postern::rehearsal {

// Throwaway keys in memory: nothing that happens depends on them.
struct Ground {
  Keyring keyring;
  Keys keys;
  Ring ring;
  Secret sum_key;
  explicit Ground(TimeMs now) : keyring(Keyring::create(now)), keys(keyring), ring(Ring::create(keys, now)), sum_key(Secret::random(32)) {}
};

class Gateway {
 public:
  // Where a process may end within a turn.
  enum class Cut : std::uint8_t { none, before_commit, after_commit };
  using Route = std::function<ConnectorId(Gateway&, const Flight&, const Step&)>;

  // `route` and `gate` empty: those of the configuration, as the vault has them.
  Gateway(std::shared_ptr<const config::Config> config, std::shared_ptr<const numbers::PortabilityIndex> numbers, const Ground& ground,
          std::shared_ptr<store::Disk> disk, const Route& route, engine::Gate gate);

  vault::PeerId join(const std::string& name, std::uint64_t instance, std::uint32_t window);
  void leave(vault::PeerId peer);
  void frame(vault::PeerId peer, wire::ToVault&& frame);

  // One turn at this wall clock; `work` is what else is asked for in it. False: it did not happen, and every connection is closed.
  bool turn(TimeMs wall, TimeMs steady, const std::function<void(vault::Turn&)>& work, Cut cut);
  bool more() const { return more_; }
  bool has_news() const { return !inbox_.empty(); }
  TimeMs next_wake() { return store_->next_due()->value_or(0); }

  // What an administrator halts and lets go on, as the vault does it; nothing happens when it is so already.
  void halt(vault::Turn& turn, vault::Halt halt);
  void resume(vault::Turn& turn, vault::Halt::Kind kind, std::uint16_t number, const std::string& actor) { halts_.end(turn, kind, number, actor); }

  vault::Peers& peers() { return peers_; }
  store::Store& store() { return *store_; }
  const vault::Dispatcher& dispatcher() const { return dispatcher_; }
  const vault::Context& context() const { return context_; }
  const audit::Log& log() const { return log_; }
  ConnectorId number_of(const std::string& connector) { return turn_.number_of_connector(connector); }
  // What a leaf says; nothing when it is damaged.
  std::optional<audit::Body> body_of(const audit::Leaf& leaf) { return turn_.body_of(leaf); }
  const std::string& why() const { return why_; }

 private:
  struct Said {
    vault::PeerId peer;
    enum class What : std::uint8_t { joined, frame, left } what;
    wire::ToVault frame;
  };
  void take(const Said& said);

  std::unique_ptr<store::Store> store_;
  audit::Log log_;
  vault::Persons persons_;
  vault::Sightings sightings_;
  vault::Recipients recipients_;
  vault::Halts halts_;
  vault::Context context_;
  vault::Peers peers_;
  vault::Dispatcher dispatcher_;
  vault::Gate gate_;
  vault::Turn turn_;
  vault::Intake intake_;
  vault::Progress progress_;
  vault::Queries queries_;
  vault::PeerId last_peer_ = 0;
  std::vector<Said> inbox_;
  bool more_ = false;
  std::string why_;
};

}  // namespace postern::rehearsal
