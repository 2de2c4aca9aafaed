// SPDX-License-Identifier: Apache-2.0
// Purpose: the unlocked gateway: store, keys, audit log and engine as one thing that works in turns. A
// turn takes what connectors said since the last one, decides, commits once, and only then says
// anything to anybody. Used by: posternd's main loop, its bus and its control socket; tests drive it
// without sockets. Threads: one, and one beside it that writes audit files (publish_beside). Ownership: owns store, keys, log and peers.
// Errors: a turn that cannot be committed did not happen: the caller closes every peer, and connectors
// say again what was not committed.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "gateway/audit/epochs.hpp"
#include "gateway/audit/tiles.hpp"
#include "gateway/vault/anchor.hpp"
#include "gateway/vault/dispatch.hpp"
#include "gateway/vault/gate.hpp"
#include "gateway/vault/intake.hpp"
#include "gateway/vault/progress.hpp"
#include "gateway/vault/query.hpp"
#include "gateway/vault/ring_keeper.hpp"
#include "gateway/vault/upkeep.hpp"

namespace postern::vault {

// Wall clock and monotonic clock; tests give their own.
struct Clock {
  std::function<std::int64_t()> wall_us;
  std::function<std::uint64_t()> steady_us;
  static Clock system();
};

// What a leaf says of a configuration that comes into force.
audit::Body loaded_body(const config::Config& config);

class Vault {
 public:
  // Opens what `folder` holds: postern.db, audit/, ring, epoch, numbers.idx. Only a keyring that was just made may
  // come without its store. What is older than the roll-back anchor says, or was altered, is refused with an error that
  // begins with store::kRolledBack, until two administrators consent to exactly that.
  enum class Opening { fresh, existing };
  static Result<std::unique_ptr<Vault>> open(std::shared_ptr<const config::Config> config, const Keyring& ring, const std::string& folder,
                                             const Clock& clock, Opening opening = Opening::existing, const Consent* consent = nullptr);
  ~Vault();

  // A connector that the bus has authenticated. Its hello counts as its first frame.
  PeerId join(const std::string& name, const wire::Hello& hello, std::uint64_t frame);
  // Its connection is gone. Facts that it said before are taken in the next turn, which is due now.
  void leave(PeerId peer);
  // A process that the bus would not admit; becomes a leaf of the next turn.
  void note_refused(const std::string& user, const std::string& why) { refused_.emplace_back(user, why); }
  void frame(PeerId peer, wire::ToVault&& frame);

  // One turn over all that was said since the last one.
  Status turn();
  // A turn of an administrator: `work` reads and changes, and is committed before the call returns.
  Status turn(const std::function<void(Turn&)>& work);

  // True when another turn is due although nothing new was said.
  bool more() const { return more_; }
  TimeMs next_wake();                          // Unix ms of the next timer, 0: none

  // Destroys the person's key; final once a renewal of the ring, which begins now, has ended. Returns the
  // sequence of the leaf that says so.
  Result<std::uint64_t> erase(std::uint64_t person, const std::string& actor);
  // Stops every message of a template, a category or a client: from the return on nothing of it is handed over, and what connectors hold
  // unsent is called back; returns how many attempts that were. Not while it is halted already. Errors: the store's.
  Result<std::size_t> halt(Halt halt);
  // Lets it go on; nothing happens when it is not halted. Errors: the store's.
  Status resume(Halt::Kind kind, std::uint16_t number, const std::string& actor);
  // The number by which a halt knows what it stops; nothing: there is none of that name.
  std::optional<std::uint16_t> number_of(Halt::Kind kind, const std::string& name) const;

  // The signed certificate of an erasure; nothing while it is not final.
  std::optional<std::string> erasure_certificate(std::uint64_t person, std::uint64_t erased_leaf) const;

  // A text with the signature of the log's identity.
  std::string signed_note(const std::string& text) const { return sign_note(text, {identity()}); }

  // Writes tiles, signs a checkpoint of everything committed, and moves the anchor.
  Status publish();
  // The same beside what goes on, in a thread of its own: turns do not wait for its syncs. Call about once a second. Returns what the one
  // before has come to; while that is under way nothing new is begun.
  Status publish_beside();
  // Waits for what publish_beside() began, and says what it has come to; good when nothing is under way.
  Status published_beside();
  std::uint64_t published() const { return published_; }   // leaves under the checkpoint in the audit folder

  // What the store needs now and then.
  Upkeep& upkeep() { return upkeep_; }

  // The keyring was changed: seals under its newest versions from now on.
  void renew(const Keyring& ring) {
    keys_ = Keys(ring);
    keyring_generation_ = ring.generation();
  }

  // Whether the last run ended without saying goodbye in the log.
  bool ended_badly();

  // Swaps configuration or portability index whole.
  Status reload(std::shared_ptr<const config::Config> config);
  Status load_numbers(const std::string& path, const std::string& actor);

  Peers& peers() { return peers_; }
  Context& context() { return context_; }
  Queries& queries() { return queries_; }
  const Dispatcher& dispatcher() const { return dispatcher_; }
  const RouteWatch& routes() const { return progress_.routes(); }
  bool usable() const { return store_->usable(); }   // false: end the process and start anew
  bool disk_full() const { return store_->full(); }  // why the last turn failed
  // What a verifier needs: the identity's key and the first epoch's, a line each.
  const std::string& verifier_keys() const { return verifier_keys_; }
  TimeMs now() const { return clock_.wall_us() / 1000; }

 private:
  Vault(std::shared_ptr<const config::Config> config, Keys keys, std::uint64_t keyring_generation, std::unique_ptr<store::Store> store, Ring ring, std::string folder,
        Clock clock, audit::Log::Mark mark, Names names, MessageKey newest);

  struct Said {
    PeerId peer;
    enum class What { joined, frame, left } what;
    wire::ToVault frame;
  };
  void take(const Said& said);
  void welcome(Peer& peer);
  Status turn_at(std::int64_t utc_us, const std::function<void(Turn&)>& work);
  Status finish_turn();
  Status close_epochs(std::int64_t utc_us);
  Status fill_tiles();
  std::vector<Signer> signers() const { return {identity(), epochs_->signer()}; }
  Signer identity() const;
  Status open_epochs();
  Status open_tiles();
  Anchor anchor(std::uint64_t published) const;
  Result<std::string> put_back(Opening opening, std::uint64_t& generation);
  Status go_on_from(const Consent& consent, std::uint64_t generation);

  Keys keys_;
  std::uint64_t keyring_generation_;
  std::unique_ptr<store::Store> store_;
  Ring ring_;
  Persons persons_;
  Sightings sightings_;
  Recipients recipients_;
  Halts halts_;
  std::string folder_;
  Clock clock_;
  audit::Log log_;
  Context context_;
  Peers peers_;
  PeerId last_peer_ = 0;
  Dispatcher dispatcher_;
  Gate gate_;
  Turn turn_;
  Intake intake_;
  Progress progress_;
  Queries queries_;
  RingKeeper ring_keeper_;
  Upkeep upkeep_;
  std::unique_ptr<audit::Epochs> epochs_;
  std::unique_ptr<audit::Tiles> tiles_;        // not touched while `publishing_` is valid
  std::string verifier_keys_;
  std::uint64_t published_ = 0;
  std::optional<Anchor> anchored_;             // as it stands in its file, when this process wrote it
  std::optional<Anchor> publishing_to_;        // what `publishing_` will have made of it
  audit::Leaves under_way_;                    // what it publishes
  std::future<Status> publishing_;
  audit::Leaves unpublished_;                  // committed, not yet in tiles
  std::vector<Said> inbox_;
  std::vector<std::pair<std::string, std::string>> refused_;
  bool more_ = false, clock_went_back_ = false;
};

}  // namespace postern::vault
