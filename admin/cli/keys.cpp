// SPDX-License-Identifier: Apache-2.0
// The verbs init, unlock and lock.
#include <cstdio>
#include <optional>

#include "admin/cli/keys_input.hpp"
#include "admin/cli/output.hpp"
#include "crypto/custodian.hpp"
#include "crypto/token.hpp"

namespace postern::cli {
namespace {

// Slots and ways as posternd's keyring file says them.
Result<control::KeysFacts> slots_of(const Common& common) {
  control::Request request;
  request.mutable_keys()->set_slots(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return fail(reply.what());
  return reply->keys();
}

TokenFacts token_of(const control::TokenSlot& slot) {
  const ByteView encrypted = as_bytes(slot.encrypted());
  return {slot.token(), slot.serial(), slot.key(), static_cast<std::uint8_t>(slot.mechanism()), Bytes(encrypted.begin(), encrypted.end())};
}

// The token decrypts here; posternd gets what came out and never loads the vendor's module.
Status give_token(const Common& common, const UnlockOptions& options, control::Unlock& unlock) {
  const Result<control::KeysFacts> facts = slots_of(common);
  if (!facts) return fail(facts.what());
  const control::SlotFacts* chosen = nullptr;
  for (const control::SlotFacts& slot : facts->slot()) {
    if (!slot.has_token() || (!options.slot.empty() && slot.name() != options.slot)) continue;
    if (chosen != nullptr) return fail("there are several token slots; say which with --slot");
    chosen = &slot;
  }
  if (chosen == nullptr) return fail(options.slot.empty() ? "the keyring has no token slot" : "the keyring has no token slot '" + options.slot + "'");
  if (options.module.empty()) return fail("give the token's PKCS#11 module: --module /usr/lib/.../vendor.so");
  const Result<Secret> pin = read_pin(options.pin_file, chosen->token().token());
  if (!pin) return fail(pin.what());
  const Result<Secret> secret = token::decrypt(options.module, token_of(chosen->token()), *pin);
  if (!secret) return fail(secret.what());
  unlock.set_slot(chosen->name());
  put(*unlock.mutable_token_secret(), *secret);
  return {};
}

// The custodian's share is opened here with his key; posternd gets the share and never the key.
Status give_share(const Common& common, const UnlockOptions& options, control::Unlock& unlock) {
  const Result<CustodianPublic> known = read_custodian(options.custodian);
  if (!known) return fail(known.what());
  const Result<control::KeysFacts> facts = slots_of(common);
  if (!facts) return fail(facts.what());
  const control::SlotFacts* slot = nullptr;
  int number = 0;
  for (const control::SlotFacts& candidate : facts->slot())
    for (int i = 0; i < candidate.custodian_size(); ++i)
      if (candidate.custodian(i).public_key() == as_text(known->public_key) && (options.slot.empty() || candidate.name() == options.slot)) {
        if (slot != nullptr) return fail("this custodian is in several quorums; say which with --slot");
        slot = &candidate;
        number = i + 1;
      }
  if (slot == nullptr) return fail("custodian file " + options.custodian + ": is in no quorum of this keyring");
  const Result<Secret> passphrase = read_passphrase("Passphrase of " + options.custodian);
  if (!passphrase) return fail(passphrase.what());
  const Result<CustodianKey> key = open_custodian(options.custodian, *passphrase);
  if (!key) return fail(key.what());
  Secret share(kKeySize);
  if (!Suite::of(key->profile).unbox(key->key, as_bytes(slot->custodian(number - 1).share()), share.writable()))
    return fail("the share in quorum '" + slot->name() + "' does not open with this key; the keyring is damaged: restore it from its backup");
  unlock.mutable_share()->set_slot(slot->name());
  unlock.mutable_share()->set_number(static_cast<std::uint32_t>(number));
  put(*unlock.mutable_share()->mutable_value(), share);
  return {};
}

Status give_secret(const UnlockOptions& options, control::Unlock& unlock) {
  const Result<Secret> secret = options.key_file.empty() ? read_passphrase("Passphrase") : read_secret_file(options.key_file.c_str(), kMaxKeyFile);
  if (!secret) return fail(secret.what());
  put(options.key_file.empty() ? *unlock.mutable_passphrase() : *unlock.mutable_key_file(), *secret);
  return {};
}

}  // namespace

int init(const Common& common, const InitOptions& options) {
  control::Request request;
  control::Init& ask_init = *request.mutable_init();
  ask_init.set_profile(options.profile);
  if (options.passphrase) {
    const Result<Secret> passphrase = new_passphrase("New passphrase");
    if (!passphrase) return failed(passphrase.what());
    put(*ask_init.mutable_passphrase(), *passphrase);
  }
  if (!options.key_file.empty()) {
    const Result<Secret> key = read_secret_file(options.key_file.c_str(), kMaxKeyFile);
    if (!key) return failed(key.what());
    put(*ask_init.mutable_key_file(), *key);
  }
  if (!options.custodians.empty())
    if (const Status given = add_custodians(options.custodians, options.needed, *ask_init.mutable_quorum()); !given) return failed(given.what());
  if (!options.passphrase && options.key_file.empty() && options.custodians.empty()) return failed("give --passphrase, --key-file FILE or --quorum K --custodian NAME=KEY");
  const Result<control::Reply> reply = ask(common.socket, request);
  wipe_text(*ask_init.mutable_passphrase());
  wipe_text(*ask_init.mutable_key_file());
  return report(common, reply, "Initialised and unlocked. Keep what unlocks it apart from this machine: without it nothing can be read.");
}

int unlock(const Common& common, const UnlockOptions& options) {
  control::Request request;
  control::Unlock& ask_unlock = *request.mutable_unlock();
  ask_unlock.set_slot(options.slot);
  Status given;
  if (options.credential) ask_unlock.set_credential(true);
  else if (options.token) given = give_token(common, options, ask_unlock);
  else if (!options.custodian.empty()) given = give_share(common, options, ask_unlock);
  else given = give_secret(options, ask_unlock);
  if (!given) return failed(given.what());
  const Result<control::Reply> reply = ask(common.socket, request);
  wipe_text(*ask_unlock.mutable_passphrase());
  wipe_text(*ask_unlock.mutable_key_file());
  wipe_text(*ask_unlock.mutable_token_secret());
  if (ask_unlock.has_share()) wipe_text(*ask_unlock.mutable_share()->mutable_value());
  if (!reply || reply->needed().empty()) return report(common, reply, "Unlocked.");
  if (common.json) Json().object().field("done", false).field("needed", reply->needed()).print();
  else std::printf("Taken; %s.\n", reply->needed().c_str());
  return kNo;
}

int lock(const Common& common) {
  control::Request request;
  request.set_lock(true);
  return report(common, ask(common.socket, request), "Locked. Nothing is accepted or sent until 'postern unlock'.");
}

}  // namespace postern::cli
