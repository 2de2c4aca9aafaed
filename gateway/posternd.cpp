// SPDX-License-Identifier: Apache-2.0
#include "gateway/posternd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/unix_listener.hpp"
#include "gateway/control/halt.hpp"
#include "gateway/control/recipient.hpp"
#include "gateway/control/explain.hpp"
#include "gateway/control/reports.hpp"

namespace postern {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kPublishEvery = 1s, kBackupPatience = 60s, kRehearsalPatience = 10s;
constexpr unsigned kTurnsForALook = 16;
constexpr double kLeastIdle = 0.05;   // of the thread, as upkeep counts it
constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kMaxIndexFile = 8ULL * 1024 * 1024 * 1024;

std::uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  in >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Posternd::Posternd(Loop& loop, std::string config_path, std::shared_ptr<const config::Config> config)
    : loop_(loop),
      config_path_(std::move(config_path)),
      config_(std::move(config)),
      bus_(loop, [this] { turn_soon(); }),
      control_(loop,
               [this](const std::string& user) { return allowed(user); },
               [this](const std::string& actor, control::Request& request, control::Reply& reply) { answer(actor, request, reply); }),
      custody_(loop, keyring_path(),
               {[this](EventType type, const audit::Body& body) { return leaf(type, body); },
                [this](const Keyring& ring) { if (vault_) vault_->renew(ring); }}),
      reserve_(config_->state_folder + "/reserve", config_->reserve_bytes),
      wake_(loop, [this] { turn(); }),
      publish_(loop, [this] { every_second(); }),
      retry_(loop, [this] { turn(); }),
      keep_up_(loop, [this] { keep_up(); }),
      backup_patience_(loop, [this] { end_backup("its tool asked for nothing more"); }),
      rehearsal_patience_(loop, [this] { rehearsals_.drop(); }),
      started_ms_(wall_ms()) {}

Posternd::~Posternd() = default;

bool Posternd::allowed(const std::string& user) {
  if (user == "root" || user == own_user_name() || std::ranges::find(config_->admins, user) != config_->admins.end()) return true;
  if (vault_ && denials_.pass())
    after_turn(vault_->turn([&](vault::Turn& t) { t.leaf(EventType::admin_denied, {{audit::Field::actor, user}}); }));
  return false;
}

Status Posternd::start() {
  if (const Status opened = control_.open(config_->control_socket); !opened) return opened;
  if (const Status opened = bus_.open(config_->bus_socket); !opened) return opened;
  log::info("vault.started", "{}", custody_.initialised() ? "locked" : "uninitialised: run 'postern init'");
  if (config_->unlock_credential.empty() || !custody_.initialised()) return {};
  control::Unlock ask;
  ask.set_credential(true);
  if (const Result<std::string> open = unlock(ask, "credential"); !open || !open->empty()) {
    why_locked_ = open ? *open : open.what();
    log::error("vault.unlock-failed", "{}", why_locked_);
  }
  return {};
}

void Posternd::stop() {
  if (!vault_) return;
  if (const Status told = vault_->turn([](vault::Turn& t) { t.leaf(EventType::stopped, {}); }); !told)
    log::error("store.commit-failed", "while stopping: {}", told.what());
  bus_.flush();
  published(vault_->publish());
}

Status Posternd::init(const control::Init& ask, const std::string& actor) {
  Result<Keyring> ring = custody_.make(ask);
  if (!ring) return fail(ring.what());
  // The keyring gets its name last: a crash before leaves a gateway that is not initialised, not one that misses its store.
  // A keyring under the first name says that what lies beside it is of an init that nobody was told has worked.
  const bool cut_off = fs::exists(unfinished_keyring_path());
  std::error_code error;
  for (const char* file : {"/postern.db", "/postern.db-wal", "/postern.db-redo", "/postern.db-shm", "/postern.db-journal", "/audit", "/ring", "/ring.new", "/epoch", "/epoch.new"})
    if (cut_off && !error) fs::remove_all(config_->state_folder + file, error);
  if (error) return fail("what an interrupted init left in " + config_->state_folder + " cannot be removed: " + error.message());
  if (const Status saved = ring->save(unfinished_keyring_path(), cut_off ? Keyring::Replace::yes : Keyring::Replace::no); !saved) return saved;
  return open_vault(std::move(*ring), {actor, "init", {}, /*fresh=*/true});
}

Status Posternd::finish_keyring() {
  if (renameat2(AT_FDCWD, unfinished_keyring_path().c_str(), AT_FDCWD, keyring_path().c_str(), RENAME_NOREPLACE) != 0)
    return fail("keyring " + keyring_path() + ": " + std::strerror(errno));
  const int folder = open(config_->state_folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && fsync(folder) == 0;
  if (folder >= 0) close(folder);
  return synced ? Status() : fail("keyring " + keyring_path() + ": its folder could not be synced; restart posternd and unlock it");
}

Result<std::string> Posternd::unlock(const control::Unlock& ask, const std::string& actor) {
  if (vault_) return std::string();
  Result<Custody::Opened> opened = custody_.take(ask, config_->unlock_credential);
  if (!opened) {
    log::warning("vault.unlock-failed", "by {}: {}", actor, opened.what());
    return fail(opened.what());
  }
  if (!opened->ring) {
    log::info("vault.unlock-waits", "by {}: {}", actor, opened->needed);
    return opened->needed;
  }
  if (const Status open = open_vault(std::move(*opened->ring), {actor, opened->how, opened->custodians, /*fresh=*/false}); !open) return fail(open.what());
  return std::string();
}

Status Posternd::open_vault(Keyring ring, const Opening& opening) {
  const std::size_t store_keys = ring.versions(Purpose::store).size();
  const std::uint16_t old_store_key = ring.versions(Purpose::store).front().number;
  if (!opening.fresh)
    // The store opens under the key it has; only its renewal waits.
    if (const Status settled = settle_store_key(ring, keyring_path(), config_->state_folder + "/postern.db"); !settled) log::error("keys.store-not-rewritten", "{}", settled.what());
  const bool rekeyed = ring.versions(Purpose::store).size() < store_keys;
  const std::optional<vault::Consent> consent = two_persons_.complete(steady_ms());
  Result<std::unique_ptr<vault::Vault>> opened = vault::Vault::open(config_, ring, config_->state_folder, vault::Clock::system(),
                                                                     opening.fresh ? vault::Vault::Opening::fresh : vault::Vault::Opening::existing,
                                                                     consent ? &*consent : nullptr);
  if (!opened && opened.what().starts_with(store::kRolledBack)) {
    two_persons_.found(opened.what().substr(store::kRolledBack.size()));
    why_locked_ = opened.what();
    return fail(opened.what() + "; if this is meant (a backup was restored), two administrators say 'postern rollback accept " + two_persons_.code() + "' each, then unlock again");
  }
  if (!opened) return fail(opened.what());
  two_persons_.clear();
  const bool recovered = !opening.fresh && (*opened)->ended_badly();
  const int failed_before = custody_.failures();
  const Status told = (*opened)->turn([&](vault::Turn& t) {
    if (recovered) t.leaf(EventType::recovered, {});
    if (failed_before > 0) t.leaf(EventType::unlock_failed, {{audit::Field::count, std::to_string(failed_before)}});
    t.leaf(EventType::started, {{audit::Field::text, std::string("posternd ") + POSTERN_VERSION}});
    for (const std::string& custodian : opening.custodians) t.leaf(EventType::custodian_share, {{audit::Field::object, custodian}});
    t.leaf(EventType::unlocked, {{audit::Field::actor, opening.actor}, {audit::Field::text, opening.how}});
    if (rekeyed) t.leaf(EventType::key_destroyed, {{audit::Field::object, "store"}, {audit::Field::count, std::to_string(old_store_key)}});
    t.leaf(EventType::config_loaded, vault::loaded_body(*config_));
  });
  if (!told) return told;
  if (opening.fresh) {
    // With its name the keyring says that all else stands: the anchor too.
    if (const Status published = (*opened)->publish(); !published) return published;
    if (const Status named = finish_keyring(); !named) return named;
  }
  vault_ = std::move(*opened);
  log::info("vault.open", "unlocked by {}, {}; profile {}: {}; {} messages wait", opening.actor, opening.how, name_of(ring.profile()), ring.suite().provider(),
            vault_->context().metrics.waiting);
  custody_.adopt(std::move(ring));
  look_at_disk();
  bus_.serve(vault_.get());
  every_second();
  keep_up();
  turn_soon();
  return {};
}

Status Posternd::leaf(EventType type, const audit::Body& body) {
  if (!vault_) return fail("the vault is locked");
  const Status told = vault_->turn([&](vault::Turn& t) { t.leaf(type, body); });
  after_turn(told);
  return told;
}

void Posternd::lock(const std::string& actor, const std::string& why) {
  if (!vault_) return custody_.lock();
  // It is locked in any case; that a leaf of it is missing must be known.
  if (const Status told = vault_->turn([&](vault::Turn& t) { t.leaf(EventType::locked, {{audit::Field::actor, actor}, {audit::Field::text, why}}); }); !told)
    log::error("store.commit-failed", "while locking: {}", told.what());
  else if (const Status published = vault_->publish(); !published) log::error("audit.publish-failed", "while locking: {}", published.what());
  bus_.serve(nullptr);
  wake_.stop();
  publish_.stop();
  keep_up_.stop();
  end_backup("the vault was locked");
  rehearsals_.drop();
  vault_.reset();
  custody_.lock();
  why_locked_ = "locked by " + actor + (why.empty() ? "" : ": " + why);
  log::info("vault.locked", "by {}", actor);
}

Status Posternd::reload(const std::string& actor) {
  Result<std::shared_ptr<const config::Config>> fresh = config::load(config_path_);
  if (!fresh) return fail(fresh.what());
  if ((*fresh)->state_folder != config_->state_folder || (*fresh)->bus_socket != config_->bus_socket ||
      (*fresh)->control_socket != config_->control_socket || (*fresh)->audit_origin != config_->audit_origin)
    return fail("state, bus, control and audit_origin change only with a restart; nothing was changed");
  if (vault_)
    if (const Status taken = vault_->reload(*fresh); !taken) return taken;
  config_ = *fresh;
  log::info("config.loaded", "by {}: {}", actor, config_->sha256);
  return {};
}

void Posternd::reload_from_signal() {
  if (const Status taken = reload("signal"); !taken) log::error("config.refused", "{}", taken.what());
}

void Posternd::turn_soon() {
  if (std::exchange(turn_due_, true)) return;
  loop_.defer([this] { turn(); });
}

void Posternd::turn() {
  turn_due_ = false;
  if (!vault_) return;
  // At full speed a second writes more than the reserve's quarter.
  if (++turns_ % kTurnsForALook == 0) look_at_disk();
  const auto begun = std::chrono::steady_clock::now();
  after_turn(vault_->turn());
  in_turns_ += std::chrono::steady_clock::now() - begun;
}

void Posternd::after_turn(const Status& committed) {
  if (!committed) {
    // Nothing of the turn is true. Connectors come back and say again what was not committed.
    log::error("store.commit-failed", "{}", committed.what());
    if (!vault_->usable()) {
      // A failed sync is never tried again: start anew and read what the disk really holds.
      failed_ = true;
      return loop_.stop();
    }
    bus_.drop_all("the store could not commit");
    // What was accepted goes on from the reserve; nothing new is.
    const bool more_room = vault_->disk_full() && spend_reserve();
    if (vault_->disk_full()) vault_->context().accepting = false;
    retry_.start(more_room ? 0s : 1s);
    return;
  }
  bus_.flush();
  // Through the loop, so that sockets are served between two turns.
  if (vault_->more()) return wake_.start(0ms);
  const TimeMs wake = vault_->next_wake();
  if (wake != 0) wake_.start(std::chrono::milliseconds(std::clamp<TimeMs>(wake - vault_->now(), 0, 3'600'000)));
}

void Posternd::published(Status done) {
  if (!done && reserve_.free_now() < kMiB && spend_reserve()) done = vault_->publish();
  if (!done) log::error("audit.publish-failed", "{}", done.what());
}

bool Posternd::spend_reserve() {
  if (!reserve_.spend()) return false;
  log::error("disk.reserve-spent", "the disk of {} is full: the reserve is given up, nothing is accepted; free space", config_->state_folder);
  return true;
}

void Posternd::every_second() {
  if (!vault_) return;
  published(vault_->publish_beside());
  look_at_disk();
  if (!vault_->upkeep().busy()) keep_up();
  publish_.start(kPublishEvery);
}

// A piece of what the store needs now and then, and then four times as long for everything else: of the time that turns leave. So it
// takes a fifth of an idle thread and little of a busy one, and comes to its end all the same.
void Posternd::keep_up() {
  if (!vault_) return;
  vault::Upkeep& upkeep = vault_->upkeep();
  const auto begun = std::chrono::steady_clock::now();
  const std::chrono::duration<double> since = begun - std::exchange(kept_up_, begun), in_turns = std::exchange(in_turns_, {});
  const double idle = std::clamp(1 - in_turns / since, kLeastIdle, 1.0);
  upkeep.look(vault_->now());
  const Status kept = upkeep.step(vault_->now(), [this](const std::function<void(vault::Turn&)>& work) {
    const Status done = vault_->turn(work);
    after_turn(done);
    return done;
  });
  if (!kept) {
    // Nothing is sent from a store that somebody else has written to.
    log::error("store.altered", "{}", kept.what());
    return loop_.defer([this, why = kept.what()] { lock("posternd", why); });
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  if (upkeep.busy()) keep_up_.start(std::max<std::chrono::microseconds>(std::chrono::duration_cast<std::chrono::microseconds>(4 * took / idle), 1ms));
}

void Posternd::look_at_disk() {
  const bool enough = reserve_.look() == Reserve::Room::enough;
  vault_->context().accepting = enough;
  if (enough == told_enough_) return;
  const std::string text = std::to_string(reserve_.free() / kMiB) + " MiB free beside a reserve of " + std::to_string(reserve_.held() / kMiB) + " MiB";
  if (enough) log::info("disk.recovered", "{}: messages are accepted again", text);
  else log::error("disk.low", "{} in {}: nothing is accepted until there is more; what was accepted goes on", text, config_->state_folder);
  if (leaf(enough ? EventType::disk_recovered : EventType::disk_low, {{audit::Field::text, text}})) told_enough_ = enough;
}

void Posternd::answer(const std::string& actor, control::Request& request, control::Reply& reply) {
  const auto say = [&reply](const Status& status) {
    if (!status) reply.set_error(status.what());
  };
  switch (request.ask_case()) {
    case control::Request::kInit: return say(init(request.init(), actor));
    case control::Request::kUnlock: {
      const Result<std::string> needed = unlock(request.unlock(), actor);
      return needed ? reply.set_needed(*needed) : reply.set_error(needed.what());
    }
    case control::Request::kKeys: return say(custody_.answer(request.keys(), actor, *reply.mutable_keys()));
    case control::Request::kLock: return lock(actor);
    case control::Request::kStatus: return fill_status(*reply.mutable_status());
    case control::Request::kReload: return say(reload(actor));
    case control::Request::kRollback: return say(rollback(request.rollback(), actor, *reply.mutable_rollback()));
    case control::Request::kTrace:
    case control::Request::kFind:
    case control::Request::kAudit:
    case control::Request::kConnectors:
    case control::Request::kNumbers:
    case control::Request::kMetrics:
    case control::Request::kNumber:
    case control::Request::kCheckpoint:
    case control::Request::kBackup:
    case control::Request::kStore:
    case control::Request::kErase:
    case control::Request::kHalt:
    case control::Request::kRecipient:
    case control::Request::kCertificate:
    case control::Request::kCheckText:
    case control::Request::kExplain:
    case control::Request::kPolicyRehearsal:
    case control::Request::kReport:
    case control::Request::ASK_NOT_SET: break;
  }
  if (!vault_) return reply.set_error(custody_.initialised() ? "the vault is locked; run 'postern unlock'" : "this gateway is not initialised; run 'postern init'");
  answer_open(actor, request, reply);
}

void Posternd::answer_open(const std::string& actor, control::Request& request, control::Reply& reply) {
  const auto in_turn = [&](const std::function<void(vault::Turn&)>& work) {
    const Status done = vault_->turn(work);
    if (!done) reply.set_error(done.what());
    after_turn(done);
  };
  vault::Context& context = vault_->context();
  switch (request.ask_case()) {
    case control::Request::kTrace:
      return in_turn([&](vault::Turn& t) { reports::trace(t, context, request.trace(), actor, reply); });
    case control::Request::kFind:
      return in_turn([&](vault::Turn& t) { reports::find(t, context, request.find(), actor, reply); });
    case control::Request::kReport:
      return in_turn([&](vault::Turn& t) { reports::report(t, context, request.report(), actor, reply); });
    case control::Request::kAudit:
    case control::Request::kCheckpoint: {
      if (const Status published = vault_->publish(); !published) return reply.set_error(published.what());
      control::AuditFacts& facts = *reply.mutable_audit();
      facts.set_folder(config_->state_folder + "/audit");
      facts.set_vkey(vault_->verifier_keys());
      facts.set_leaves(context.log.size());
      facts.set_published(vault_->published());
      return;
    }
    case control::Request::kConnectors: return reports::connectors(*vault_, reply);
    case control::Request::kNumbers: {
      const Status taken = take_numbers(request.numbers(), actor);
      if (!taken) return reply.set_error(taken.what());
      if (context.numbers) reports::fill(context.numbers->facts(), *reply.mutable_numbers());
      return;
    }
    case control::Request::kHalt:
      return after_turn(reports::halt(*vault_, request.halt(), actor, reply));
    case control::Request::kRecipient:
      return in_turn([&](vault::Turn& t) { reports::recipient(t, context, request.recipient(), actor, reply); });
    case control::Request::kErase: return erase(request.erase(), actor, reply);
    case control::Request::kBackup: {
      if (const Status done = backup(request.backup(), actor, *reply.mutable_backup()); !done) reply.set_error(done.what());
      return;
    }
    case control::Request::kStore: return store(request.store(), actor, *reply.mutable_store());
    case control::Request::kCertificate: {
      const std::optional<std::string> text = vault_->erasure_certificate(request.certificate().person(), request.certificate().leaf());
      return reply.mutable_erasure()->set_certificate(text.value_or(""));
    }
    case control::Request::kCheckText:
      in_turn([&](vault::Turn& t) { reports::check_text(t, context, request.check_text(), actor, reply); });
      return wipe_text(*request.mutable_check_text()->mutable_text());
    case control::Request::kExplain:
      return in_turn([&](vault::Turn& t) { reports::explain(t, context, request.explain(), actor, reply); });
    case control::Request::kPolicyRehearsal: return rehearse_policy(request.policy_rehearsal(), actor, reply);
    case control::Request::kNumber: return reports::number(context, request.number(), reply);
    case control::Request::kMetrics: return reply.set_metrics(vault_->queries().metrics_text());
    case control::Request::kInit:
    case control::Request::kUnlock:
    case control::Request::kLock:
    case control::Request::kStatus:
    case control::Request::kReload:
    case control::Request::kRollback:
    case control::Request::kKeys:
    case control::Request::ASK_NOT_SET: return;
  }
}

void Posternd::erase(const control::Erase& ask, const std::string& actor, control::Reply& reply) {
  if (ask.reference().empty() == ask.address().empty()) return reply.set_error("name the customer by reference or by address");
  const std::vector<std::uint64_t> numbers = vault::persons_of(vault_->context().keys, ask.reference(), ask.address());
  // Who was known before a rotation of the key has an older number too; the certificate is that of the newest, made last.
  for (std::size_t i = numbers.size(); i-- > 1;) {
    const Result<std::uint64_t> older = vault_->erase(numbers[i], actor);
    after_turn(older ? Status() : Status(std::unexpected(older.error())));
    if (!older) return reply.set_error(older.what());
  }
  const std::uint64_t person = numbers.front();
  const Result<std::uint64_t> leaf = vault_->erase(person, actor);
  after_turn(leaf ? Status() : Status(std::unexpected(leaf.error())));
  if (!leaf) return reply.set_error(leaf.what());
  reply.mutable_erasure()->set_person(person);
  reply.mutable_erasure()->set_leaf(*leaf);
}

void Posternd::rehearse_policy(const control::RehearsalAsk& ask, const std::string& actor, control::Reply& reply) {
  rehearsals_.answer(vault_->context(), vault_->now(), fs::path(config_path_).parent_path().string(), ask, actor,
                     [this](const std::function<void(vault::Turn&)>& work) {
                       const Status done = vault_->turn(work);
                       after_turn(done);
                       return done;
                     },
                     reply);
  if (rehearsals_.busy()) rehearsal_patience_.start(kRehearsalPatience);
  else rehearsal_patience_.stop();
}

Status Posternd::begin_backup(const control::Quorum& recipients, const std::string& actor) {
  if (backup_) return fail("a backup is being made already");
  const Keyring& ring = *custody_.ring();
  const Result<std::vector<NamedPublicKey>> keys = custodians_of(recipients, ring.profile());
  if (!keys) return fail(keys.what());
  Result<std::unique_ptr<Backup>> made = Backup::prepare(*vault_, ring.profile(), recipients.needed(), *keys);
  if (!made) return fail(made.what());
  std::string who = std::to_string(recipients.needed()) + " of";
  for (const NamedPublicKey& key : *keys) who += " " + key.name;
  // Before the instant of the backup, so that it stands in it.
  if (const Status told = leaf(EventType::backup_begun, {{audit::Field::actor, actor}, {audit::Field::object, (*made)->number()}, {audit::Field::text, who},
                                                         {audit::Field::count, std::to_string(vault_->context().store.state().generation)}});
      !told)
    return told;
  if (const Status begun = (*made)->begin(config_->state_folder); !begun) return begun;
  backup_ = std::move(*made);
  log::info("backup.begun", "{} by {}, to be opened by {}", backup_->number(), actor, who);
  return {};
}

Status Posternd::backup(const control::BackupAsk& ask, const std::string& actor, control::BackupFacts& facts) {
  if (ask.ask_case() == control::BackupAsk::kCancel) return end_backup(actor + " gave it up"), Status();
  if (ask.ask_case() == control::BackupAsk::kBegin) {
    if (const Status begun = begin_backup(ask.begin(), actor); !begun) return begun;
  } else {
    if (!backup_) return fail("no backup is being made; begin it again");
    const backup::Kind kind = ask.ask_case() == control::BackupAsk::kKeys ? backup::Kind::keys : backup::Kind::state;
    const Result<Bytes> bytes = backup_->next(kind);
    if (!bytes) {
      end_backup(bytes.what());
      return fail(bytes.what());
    }
    facts.set_data(std::string(as_text(*bytes)));
    facts.set_last(backup_->ended(kind));
  }
  facts.set_number(backup_->number());
  facts.set_size(backup_->size());
  backup_patience_.start(kBackupPatience);
  if (!backup_->ended(backup::Kind::state) || !backup_->ended(backup::Kind::keys)) return {};
  const Status told = leaf(EventType::backup_done, {{audit::Field::actor, actor}, {audit::Field::object, backup_->number()},
                                                    {audit::Field::text, "hash " + to_hex(backup_->hash(backup::Kind::state))}});
  log::info("backup.done", "{} by {}", backup_->number(), actor);
  end_backup({});
  return told;
}

void Posternd::end_backup(const std::string& why) {
  if (!backup_) return;
  if (!why.empty()) log::warning("backup.ended", "{} is not complete: {}", backup_->number(), why);
  backup_.reset();
  backup_patience_.stop();
  turn_soon();   // what waited to be folded
}

void Posternd::store(const control::StoreAsk& ask, const std::string& actor, control::StoreFacts& facts) {
  vault::Upkeep& upkeep = vault_->upkeep();
  if (ask.ask_case() == control::StoreAsk::kScrub) upkeep.scrub_now();
  if (ask.ask_case() == control::StoreAsk::kPurge) upkeep.purge_now(vault_->now());
  if (ask.ask_case() != control::StoreAsk::kShow) {
    log::info("store.upkeep-asked", "{} by {}", ask.ask_case() == control::StoreAsk::kScrub ? "scrub" : "purge", actor);
    keep_up_.start(0ms);
  }
  const vault::Upkeep::Facts now = upkeep.facts();
  std::error_code ignored;
  facts.set_generation(vault_->context().store.state().generation);
  facts.set_file_bytes(fs::file_size(config_->state_folder + "/postern.db", ignored));
  facts.set_scrubbing(now.scrubbing);
  facts.set_purging(now.purging);
  facts.set_scrubbed_ms(now.scrubbed_ms);
  facts.set_purged_ms(now.purged_ms);
  facts.set_rows(now.rows);
  facts.set_bytes(now.bytes);
  facts.set_purged(now.purged);
  facts.set_given_back(now.given_back);
}

Status Posternd::rollback(const control::RollbackAsk& ask, const std::string& actor, control::RollbackFacts& facts) {
  if (!ask.consent().empty()) {
    if (const Status taken = two_persons_.consent(actor, ask.consent(), steady_ms()); !taken) return taken;
    log::warning("rollback.consent", "by {} to: {}", actor, two_persons_.findings());
  }
  facts.set_findings(two_persons_.findings());
  facts.set_code(two_persons_.code());
  for (const std::string& one : two_persons_.actors()) facts.add_consented(one);
  return {};
}

void Posternd::fill_status(control::Status& status) const {
  status.set_state(vault_ ? "open" : custody_.initialised() ? "locked" : "uninitialised");
  status.set_version(POSTERN_VERSION);
  status.set_started_ms(started_ms_);
  status.set_config_sha256(config_->sha256);
  status.set_rss_bytes(resident_bytes());
  std::error_code ignored;
  status.set_free_bytes(fs::space(config_->state_folder, ignored).available);
  if (custody_.initialised())
    if (const Result<std::vector<SlotInfo>> slots = Keyring::slots(keyring_path()))
      for (const SlotInfo& slot : *slots) status.add_slots(slot.name);
  if (!vault_) return status.set_why_locked(why_locked_);
  const vault::Context& context = vault_->context();
  status.set_accepting(context.accepting);
  status.set_reserve_bytes(reserve_.held());
  status.set_waiting(context.metrics.waiting);
  status.set_in_doubt(context.doubts.count());
  status.set_in_doubt_counted(context.doubts.counted());
  std::uint64_t accepted = 0;
  for (const std::uint64_t count : context.metrics.accepted) accepted += count;
  status.set_accepted(accepted);
  status.set_leaves(context.log.size());
  status.set_published(vault_->published());
  if (context.numbers) reports::fill(context.numbers->facts(), *status.mutable_numbers());
}

// The administrator's tool has made and checked the index; here it is written beside the old one,
// checked again, and put in its place when it is whole.
Status Posternd::take_numbers(const control::NumbersChunk& chunk, const std::string& actor) {
  const std::string path = config_->state_folder + "/numbers.idx.new";
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (chunk.offset() == 0 ? O_TRUNC : 0);
  const int fd = open(path.c_str(), flags, 0600);
  if (fd < 0) return fail(path + ": " + std::strerror(errno));
  const off_t end = lseek(fd, 0, SEEK_END);
  const bool fits = end >= 0 && static_cast<std::uint64_t>(end) == chunk.offset() && chunk.offset() + chunk.data().size() <= kMaxIndexFile;
  const bool written = fits && write(fd, chunk.data().data(), chunk.data().size()) == static_cast<ssize_t>(chunk.data().size()) &&
                       (!chunk.last() || fsync(fd) == 0);
  const int error = errno;
  close(fd);
  if (!fits) return fail("the pieces of the portability index do not follow each other; run the import again");
  if (!written) return fail(path + ": " + std::strerror(error));
  return chunk.last() ? vault_->load_numbers(path, actor) : Status();
}

}  // namespace postern
