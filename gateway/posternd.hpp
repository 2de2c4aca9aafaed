// SPDX-License-Identifier: Apache-2.0
// Purpose: posternd as a whole: configuration, the two sockets, the vault when it is unlocked, the
// rhythm of turns, and what administrators ask. Used by: main.cpp. Threads: one.
// States: uninitialised (no keyring) -> locked -> open. Only `open` accepts and sends.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "gateway/backup.hpp"
#include "gateway/bus/bus.hpp"
#include "gateway/config/config.hpp"
#include "gateway/control/control.hpp"
#include "gateway/control/rehearsals.hpp"
#include "gateway/custody.hpp"
#include "gateway/reserve.hpp"
#include "gateway/two_persons.hpp"
#include "gateway/vault/vault.hpp"

namespace postern {

class Posternd {
 public:
  Posternd(Loop& loop, std::string config_path, std::shared_ptr<const config::Config> config);
  ~Posternd();

  // Opens the sockets and, where the configuration names a credential, unlocks with it.
  Status start();
  // Writes what is committed into the audit files and says goodbye in the log.
  void stop();
  void reload_from_signal();
  bool failed() const { return failed_; }   // the loop was stopped because the store can no longer be trusted

 private:
  std::string keyring_path() const { return config_->state_folder + "/keyring"; }
  std::string unfinished_keyring_path() const { return keyring_path() + ".init"; }
  bool allowed(const std::string& user);
  Status init(const control::Init& ask, const std::string& actor);
  Result<std::string> unlock(const control::Unlock& ask, const std::string& actor);   // what is still needed; empty: open
  struct Opening {
    std::string actor, how;
    std::vector<std::string> custodians;
    bool fresh = false;
  };
  Status finish_keyring();  // gives the keyring its name, durably
  Status open_vault(Keyring ring, const Opening& opening);
  Status leaf(EventType type, const audit::Body& body);
  void lock(const std::string& actor, const std::string& why = {});
  Status reload(const std::string& actor);

  void turn();             // one turn of the vault, then the sockets
  void turn_soon();
  void after_turn(const Status& committed);
  void published(Status done);   // what publishing the audit files has come to
  void every_second();
  void look_at_disk();
  bool spend_reserve();
  void keep_up();

  void answer(const std::string& actor, control::Request& request, control::Reply& reply);
  void answer_open(const std::string& actor, control::Request& request, control::Reply& reply);
  void erase(const control::Erase& ask, const std::string& actor, control::Reply& reply);
  void store(const control::StoreAsk& ask, const std::string& actor, control::StoreFacts& facts);
  Status backup(const control::BackupAsk& ask, const std::string& actor, control::BackupFacts& facts);
  Status begin_backup(const control::Quorum& recipients, const std::string& actor);
  void end_backup(const std::string& why);
  void rehearse_policy(const control::RehearsalAsk& ask, const std::string& actor, control::Reply& reply);
  Status rollback(const control::RollbackAsk& ask, const std::string& actor, control::RollbackFacts& facts);
  void fill_status(control::Status& status) const;
  Status take_numbers(const control::NumbersChunk& chunk, const std::string& actor);

  Loop& loop_;
  std::string config_path_;
  std::shared_ptr<const config::Config> config_;
  Bus bus_;
  ControlServer control_;
  std::unique_ptr<vault::Vault> vault_;
  std::unique_ptr<Backup> backup_;     // ends before the vault
  Rehearsals rehearsals_;              // the same
  Custody custody_;
  TwoPersons two_persons_;
  Reserve reserve_;
  Timer wake_, publish_, retry_, keep_up_, backup_patience_, rehearsal_patience_;
  bool turn_due_ = false, failed_ = false;
  unsigned turns_ = 0;
  // When upkeep had its last piece, and the time of turns since.
  std::chrono::steady_clock::time_point kept_up_{};
  std::chrono::steady_clock::duration in_turns_{};
  bool told_enough_ = true;   // what the audit log says of the disk
  log::LogLimit denials_;
  std::string why_locked_ = "waits for an administrator";
  TimeMs started_ms_ = 0;
};

}  // namespace postern
