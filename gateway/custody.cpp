// SPDX-License-Identifier: Apache-2.0
#include "gateway/custody.hpp"

#include <algorithm>
#include <filesystem>

#include "connectors/protocol/log.hpp"
#include "crypto/custodian.hpp"
#include "crypto/keyring_io.hpp"
#include "crypto/seal.hpp"
#include "gateway/store/embedded.hpp"
#include "gateway/store/rekey.hpp"

namespace postern {
namespace {

constexpr std::size_t kMaxKeyFile = 4096;
constexpr std::int64_t kDayMs = 86'400'000;

Secret secret_of(const std::string& bytes) { return Secret(std::string_view(bytes)); }

}  // namespace

Result<std::vector<NamedPublicKey>> custodians_of(const control::Quorum& quorum, Profile profile) {
  std::vector<NamedPublicKey> found;
  for (const control::NamedKey& one : quorum.custodian()) {
    Result<CustodianPublic> key = parse_custodian(one.key());
    if (!key) return fail("custodian '" + one.name() + "': " + key.what());
    if (key->profile != profile)
      return fail("the key of custodian '" + one.name() + "' is of profile " + std::string(name_of(key->profile)) + "; this keyring needs 'postern keys custodian new FILE --profile " +
                  std::string(name_of(profile)) + "'");
    found.push_back({one.name(), std::move(key->public_key)});
  }
  return found;
}

namespace {

void fill(const TokenFacts& token, control::TokenSlot& out) {
  out.set_token(token.token);
  out.set_serial(token.serial);
  out.set_key(token.key);
  out.set_mechanism(token.mechanism);
  out.set_encrypted(std::string(as_text(token.encrypted)));
}

TokenFacts token_of(const control::TokenSlot& slot) {
  const ByteView encrypted = as_bytes(slot.encrypted());
  return {slot.token(), slot.serial(), slot.key(), static_cast<std::uint8_t>(slot.mechanism()), Bytes(encrypted.begin(), encrypted.end())};
}

std::string joined(const auto& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string provider_text(const Suite& suite) { return suite.provider(); }

}  // namespace

Custody::Custody(Loop& loop, std::string keyring_path, Vault vault, std::chrono::milliseconds patience)
    : path_(std::move(keyring_path)), vault_(std::move(vault)), patience_(patience), forget_(loop, [this] {
        if (gathered_.empty()) return;
        gathered_.clear();
        log::warning("keys.gathering-over", "what was given towards unlocking was forgotten: the rest did not come in time; start again");
      }) {}

bool Custody::initialised() const {
  std::error_code ignored;
  return std::filesystem::exists(path_, ignored);
}

Result<Keyring> Custody::make(const control::Init& ask) const {
  if (initialised()) return fail("this gateway is initialised already; its keyring will not be replaced");
  const std::optional<Profile> profile = ask.profile().empty() ? Profile::modern : profile_of(ask.profile());
  if (!profile) return fail("there is no profile '" + ask.profile() + "'; there are modern and fips");
  if (ask.passphrase().empty() && ask.key_file().empty() && !ask.has_quorum())
    return fail("give a passphrase, a key file or custodians: without one of them nobody could unlock it");
  Keyring ring = Keyring::create(wall_ms(), *profile);
  if (!ask.passphrase().empty())
    if (const Status added = ring.add_slot(SlotKind::passphrase, "passphrase", secret_of(ask.passphrase()), wall_ms()); !added) return fail(added.what());
  if (!ask.key_file().empty())
    if (const Status added = ring.add_slot(SlotKind::key_file, "key-file", secret_of(ask.key_file()), wall_ms()); !added) return fail(added.what());
  if (ask.has_quorum()) {
    const Result<std::vector<NamedPublicKey>> custodians = custodians_of(ask.quorum(), *profile);
    if (!custodians) return fail(custodians.what());
    if (const Status added = ring.add_quorum_slot("quorum", ask.quorum().needed(), *custodians, wall_ms()); !added) return fail(added.what());
  }
  return ring;
}

Result<Secret> Custody::read_given(const control::Unlock& ask, const std::string& credential, SlotKind& kind) const {
  if (ask.credential()) {
    if (credential.empty()) return fail("no 'unlock_key' is configured; unlock with a passphrase");
    kind = SlotKind::key_file;
    return read_secret_file(credential.c_str(), kMaxKeyFile);
  }
  if (!ask.passphrase().empty()) kind = SlotKind::passphrase;
  else if (!ask.token_secret().empty()) kind = SlotKind::token;
  else kind = SlotKind::key_file;
  return secret_of(kind == SlotKind::passphrase ? ask.passphrase() : kind == SlotKind::token ? ask.token_secret() : ask.key_file());
}

Result<Custody::Opened> Custody::take(const control::Unlock& ask, const std::string& credential) {
  if (!initialised()) return fail("this gateway is not initialised; run 'postern init'");
  if (const std::int64_t wait = next_attempt_ms_ - steady_ms(); wait > 0) return fail("too many failed attempts; wait " + std::to_string(wait / 1000 + 1) + " s");
  const auto count_failure = [this] {
    ++failures_;
    next_attempt_ms_ = steady_ms() + std::min(60'000, 250 << std::min(failed_in_a_row_++, 8));
  };
  const Result<KeyringFile> file = read_keyring(path_);
  if (!file) return fail(file.what());
  Status taken;
  if (ask.has_share()) {
    taken = gathered_.offer_share(*file, ask.share().slot(), static_cast<std::uint8_t>(std::min(ask.share().number(), 255U)), secret_of(ask.share().value()));
  } else {
    SlotKind kind{};
    const Result<Secret> given = read_given(ask, credential, kind);
    if (!given) return fail(given.what());
    taken = gathered_.offer(*file, kind, ask.slot(), *given);
  }
  Result<Unlocking::Outcome> outcome = taken ? gathered_.open(*file) : fail(taken.what());
  if (!outcome) {
    count_failure();
    return fail(outcome.what());
  }
  if (!outcome->ring) {
    forget_.start(patience_);
    return Opened{std::nullopt, {}, {}, outcome->needed};
  }
  Opened opened{std::move(outcome->ring), "way " + outcome->way, gathered_.custodians(), {}};
  gathered_.clear();
  forget_.stop();
  failed_in_a_row_ = 0;
  // What an interrupted save left may be a keyring with a slot that was removed.
  erase_file(path_ + ".new");
  return opened;
}

void Custody::lock() {
  ring_.reset();
  gathered_.clear();
  forget_.stop();
}

// ---- answers and changes ----

Status Custody::answer(const control::KeysAsk& ask, const std::string& actor, control::KeysFacts& facts) {
  if (!initialised()) return fail("this gateway is not initialised; run 'postern init'");
  if (ask.ask_case() == control::KeysAsk::kSlots && !ring_) {
    const Result<KeyringFile> file = read_keyring(path_);
    if (!file) return fail(file.what());
    fill_access(file->slots, file->ways, file->profile, facts);
    return {};
  }
  if (!ring_) return fail("the vault is locked; run 'postern unlock'");
  const std::int64_t now = wall_ms();
  Status done;
  switch (ask.ask_case()) {
    case control::KeysAsk::kSlots: break;
    case control::KeysAsk::kStatus: fill_keys(facts); break;
    case control::KeysAsk::kRotate: done = rotate(ask.rotate(), actor, facts); break;
    case control::KeysAsk::kRemoveSlot:
      done = change(actor, EventType::key_access_changed, ask.remove_slot(), "slot removed", [&](Keyring& r) { return r.remove_slot(ask.remove_slot()); });
      break;
    case control::KeysAsk::kRemoveWay:
      done = change(actor, EventType::key_access_changed, ask.remove_way(), "way removed", [&](Keyring& r) { return r.remove_way(ask.remove_way()); });
      break;
    case control::KeysAsk::kAddWay: {
      const std::vector<std::string> slots(ask.add_way().slot().begin(), ask.add_way().slot().end());
      done = change(actor, EventType::key_access_changed, ask.add_way().name(), "way added, of slots " + joined(slots),
                    [&](Keyring& r) { return r.add_way(ask.add_way().name(), slots); });
      break;
    }
    case control::KeysAsk::kAddSlot: {
      const control::SlotAdd& slot = ask.add_slot();
      const Keyring::Opens opens = slot.part() ? Keyring::Opens::part : Keyring::Opens::alone;
      const std::string kind = slot.has_quorum() ? "quorum" : slot.has_token() ? "token" : slot.passphrase().empty() ? "key file" : "passphrase";
      done = change(actor, EventType::key_access_changed, slot.name(), "slot added, " + kind + (slot.part() ? ", as part of ways" : ", opens alone"), [&](Keyring& r) -> Status {
        if (slot.has_token()) return r.add_token_slot(slot.name(), token_of(slot.token()), secret_of(slot.token_secret()), now, opens);
        if (slot.has_quorum()) {
          const Result<std::vector<NamedPublicKey>> custodians = custodians_of(slot.quorum(), r.profile());
          return custodians ? r.add_quorum_slot(slot.name(), slot.quorum().needed(), *custodians, now, opens) : fail(custodians.what());
        }
        if (!slot.passphrase().empty()) return r.add_slot(SlotKind::passphrase, slot.name(), secret_of(slot.passphrase()), now, {}, opens);
        return r.add_slot(SlotKind::key_file, slot.name(), secret_of(slot.key_file()), now, {}, opens);
      });
      break;
    }
    case control::KeysAsk::ASK_NOT_SET: return fail("the request says nothing");
  }
  if (!done) return done;
  fill_access(ring_->own_slots(), ring_->own_ways(), ring_->profile(), facts);
  facts.set_generation(ring_->generation());
  return {};
}

Status Custody::change(const std::string& actor, EventType type, const std::string& object, const std::string& text, const std::function<Status(Keyring&)>& work) {
  Keyring next = ring_->clone();
  if (const Status possible = work(next); !possible) return possible;
  const std::string_view shown = cut_utf8(object, 64);
  if (const Status told = vault_.leaf(type, {{audit::Field::actor, actor}, {audit::Field::object, std::string(shown)},
                                             {type == EventType::key_rotated ? audit::Field::count : audit::Field::text, text}});
      !told)
    return fail("nothing was changed, because the audit log could not be written: " + told.what());
  if (const Status saved = next.save(path_, Keyring::Replace::yes); !saved) {
    (void)vault_.leaf(EventType::key_change_failed, {{audit::Field::actor, actor}, {audit::Field::object, std::string(shown)}, {audit::Field::reason, "keyring-not-saved"}});
    return saved;
  }
  ring_ = std::move(next);
  vault_.renewed(*ring_);
  log::info("keys.changed", "by {}: {} {}", actor, shown, text);
  return {};
}

Status Custody::rotate(const std::string& what, const std::string& actor, control::KeysFacts& facts) {
  const bool all = what == "all";
  std::vector<std::string> done;
  if (!all && what != "master" && !purpose_of(what)) return fail("there is no key '" + what + "'; 'postern keys status' lists them, and there are master and all");
  for (const Purpose purpose : kPurposes) {
    const std::string name(name_of(purpose));
    if (what != name && !all) continue;
    if (period_days(purpose) == 0) {
      if (all) continue;
      return fail("key '" + name + "' lives as long as the store: what it made stands in rows that are not made anew");
    }
    if (purpose == Purpose::store && ring_->versions(purpose).size() > 1) {
      if (all) continue;
      return fail("a new version of key 'store' waits for the next unlock already");
    }
    const std::string version = std::to_string(ring_->versions(purpose).back().number + 1);
    if (const Status rotated = change(actor, EventType::key_rotated, name, version, [&](Keyring& r) -> Status {
          const Result<std::uint16_t> made = r.rotate(purpose, wall_ms());
          return made ? Status() : fail(made.what());
        });
        !rotated)
      return fail(rotated.what() + (done.empty() ? "" : "; done before: " + joined(done)));
    done.push_back(name + " (version " + version + ")");
  }
  if (what == "master" || all) {
    const auto renew = [](Keyring& r) {
      r.rotate_master(wall_ms());
      return Status();
    };
    if (const Status rotated = change(actor, EventType::key_rotated, "master", std::to_string(ring_->generation() + 1), renew); !rotated) return rotated;
    done.push_back("master");
  }
  std::string told = "rotated: " + joined(done);
  if (ring_->versions(Purpose::store).size() > 1)
    told += ". The store is written anew under its new key at the next unlock (lock and unlock when it suits): that takes some seconds a GiB, in which nothing is accepted";
  facts.set_done(told);
  return {};
}

void Custody::fill_access(const std::vector<KeyringFile::Slot>& slots, const std::vector<KeyringFile::Way>& ways, Profile profile, control::KeysFacts& facts) const {
  facts.set_profile(std::string(name_of(profile)));
  facts.set_provider(provider_text(Suite::of(profile)));
  for (const KeyringFile::Slot& slot : slots) {
    control::SlotFacts& out = *facts.add_slot();
    out.set_name(slot.info.name);
    out.set_kind(std::string(name_of(slot.info.kind)));
    out.set_created_ms(slot.info.created_ms);
    if (slot.info.kind == SlotKind::token) fill(slot.info.token, *out.mutable_token());
    out.set_needed(slot.info.needed);
    for (const Custodian& custodian : slot.info.custodians) {
      control::CustodianFacts& one = *out.add_custodian();
      one.set_name(custodian.name);
      one.set_public_key(std::string(as_text(custodian.public_key)));
      one.set_share(std::string(as_text(custodian.share)));
    }
  }
  for (const KeyringFile::Way& way : ways) {
    control::Way& out = *facts.add_way();
    out.set_name(way.info.name);
    for (const std::string& slot : way.info.slots) out.add_slot(slot);
  }
}

void Custody::fill_keys(control::KeysFacts& facts) const {
  const auto add = [&](std::string_view name, unsigned version, std::int64_t created, unsigned days, std::string_view use, ByteView check) {
    control::KeyFacts& key = *facts.add_key();
    key.set_name(std::string(name));
    key.set_version(version);
    key.set_created_ms(created);
    key.set_due_ms(days == 0 ? 0 : created + days * kDayMs);
    key.set_use(std::string(use));
    key.set_check(to_hex(check));
  };
  add("master", 0, ring_->master_created_ms(), kMasterPeriodDays, "in use", {});
  add("log", 0, ring_->created_ms(), 0, "in use: the audit log's identity", {});
  for (const Purpose purpose : kPurposes) {
    const std::vector<KeyVersion>& versions = ring_->versions(purpose);
    for (const KeyVersion& version : versions) {
      const bool newest = &version == &versions.back(), only = versions.size() == 1;
      const std::string_view use = purpose == Purpose::store && !only ? (newest ? "waits for the next unlock" : "in use until the next unlock")
                                   : newest                           ? "in use"
                                                                      : "opens what is older";
      add(name_of(purpose), version.number, version.created_ms, newest ? period_days(purpose) : 0, use, version.check);
    }
  }
}

Status settle_store_key(Keyring& ring, const std::string& keyring_path, const std::string& store_path) {
  if (ring.versions(Purpose::store).size() < 2) return {};
  const Suite& suite = ring.suite();
  const Secret old_key = store_key_of(suite, ring.versions(Purpose::store).front().key), new_key = store_key_of(suite, ring.versions(Purpose::store).back().key);
  Result<bool> old_opens = store::opens_with(store_path, old_key);
  if (!old_opens) return fail(old_opens.what());
  if (*old_opens) {
    const std::int64_t began = steady_ms();
    // After a crash its newest commits stand in the redo log alone.
    if (const Result<std::unique_ptr<store::Store>> whole = store::open_embedded(store_path, suite, old_key, Keys(ring).sum_key()); !whole) return fail(whole.what());
    if (const Status written = store::reencrypt(store_path, old_key, new_key); !written) return written;
    log::info("keys.store-rewritten", "the store is under version {} of its key, after {} ms", ring.versions(Purpose::store).back().number, steady_ms() - began);
  } else if (const Result<bool> new_opens = store::opens_with(store_path, new_key); !new_opens || !*new_opens) {
    return fail("store " + store_path + ": opens neither with its key nor with the next one");
  }
  // Here the file is under the new key, also after a crash between its rename and this save.
  while (ring.versions(Purpose::store).size() > 1)
    if (const Status gone = ring.destroy(Purpose::store, ring.versions(Purpose::store).front().number); !gone) return gone;
  return ring.save(keyring_path, Keyring::Replace::yes);
}

}  // namespace postern
