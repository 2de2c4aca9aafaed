// SPDX-License-Identifier: Apache-2.0
// The verbs keys slots, keys slot, keys way, keys custodian and keys token: who can open the vault.
#include <chrono>
#include <cstdio>

#include "admin/cli/keys_input.hpp"
#include "admin/cli/output.hpp"
#include "crypto/custodian.hpp"
#include "crypto/token.hpp"

namespace postern::cli {
namespace {

std::string joined(const auto& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " and ") + word;
  return text;
}

std::string detail_of(const control::SlotFacts& slot) {
  if (slot.has_token()) return "token '" + slot.token().token() + "' (" + slot.token().serial() + "), key '" + slot.token().key() + "'";
  if (slot.custodian_size() == 0) return "";
  std::string names;
  for (const control::CustodianFacts& custodian : slot.custodian()) names += (names.empty() ? "" : ", ") + custodian.name();
  return std::to_string(slot.needed()) + " of " + names;
}

int print_slots(const Common& common, const control::KeysFacts& facts) {
  if (common.json) {
    Json json;
    json.object().field("profile", facts.profile()).field("provider", facts.provider()).field("generation", facts.generation()).array("slots");
    for (const control::SlotFacts& slot : facts.slot()) {
      json.object().field("name", slot.name()).field("kind", slot.kind()).field("created", time_text(slot.created_ms())).field("detail", detail_of(slot)).array("custodians");
      for (const control::CustodianFacts& custodian : slot.custodian()) json.item(custodian.name());
      json.end().field("needed", std::uint64_t{slot.needed()}).end();
    }
    json.end().array("ways");
    for (const control::Way& way : facts.way()) {
      json.object().field("name", way.name()).array("slots");
      for (const std::string& slot : way.slot()) json.item(slot);
      json.end().end();
    }
    json.print();
    return kDone;
  }
  std::printf("%-20s %-11s %-28s %s\n", "SLOT", "KIND", "CREATED", "DETAIL");
  for (const control::SlotFacts& slot : facts.slot())
    std::printf("%-20s %-11s %-28s %s\n", slot.name().c_str(), slot.kind().c_str(), time_text(slot.created_ms()).c_str(), detail_of(slot).c_str());
  std::printf("\n%-20s %s\n", "WAY", "OPENS WITH");
  for (const control::Way& way : facts.way()) std::printf("%-20s %s\n", way.name().c_str(), joined(way.slot()).c_str());
  return kDone;
}

// Sends a change; what was secret in it is wiped.
int change(const Common& common, control::Request& request, const std::string& done) {
  const Result<control::Reply> reply = ask(common.socket, request);
  if (request.keys().has_add_slot()) {
    control::SlotAdd& slot = *request.mutable_keys()->mutable_add_slot();
    wipe_text(*slot.mutable_passphrase());
    wipe_text(*slot.mutable_key_file());
    wipe_text(*slot.mutable_token_secret());
  }
  return report(common, reply, done);
}

Status fill_token(const SlotOptions& options, control::SlotAdd& slot) {
  const Result<Secret> pin = read_pin(options.pin_file, options.token);
  if (!pin) return fail(pin.what());
  const Secret secret = Secret::random(kKeySize);
  const Result<TokenFacts> facts = token::encrypt({options.module, options.token, options.key}, *pin, secret);
  if (!facts) return fail(facts.what());
  control::TokenSlot& out = *slot.mutable_token();
  out.set_token(facts->token);
  out.set_serial(facts->serial);
  out.set_key(facts->key);
  out.set_mechanism(facts->mechanism);
  out.set_encrypted(std::string(as_text(facts->encrypted)));
  put(*slot.mutable_token_secret(), secret);
  return {};
}

Status fill_slot(const std::string& kind, const SlotOptions& options, control::SlotAdd& slot) {
  if (kind == "token") return fill_token(options, slot);
  if (kind == "quorum") return add_custodians(options.custodians, options.needed, *slot.mutable_quorum());
  const Result<Secret> secret = kind == "passphrase" ? new_passphrase("New passphrase") : read_secret_file(options.file.c_str(), kMaxKeyFile);
  if (!secret) return fail(secret.what());
  put(kind == "passphrase" ? *slot.mutable_passphrase() : *slot.mutable_key_file(), *secret);
  return {};
}

}  // namespace

int keys_slots(const Common& common) {
  control::Request request;
  request.mutable_keys()->set_slots(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  return reply ? print_slots(common, reply->keys()) : failed(reply.what());
}

int keys_slot_add(const Common& common, const std::string& kind, const SlotOptions& options) {
  control::Request request;
  control::SlotAdd& slot = *request.mutable_keys()->mutable_add_slot();
  slot.set_name(options.name);
  slot.set_part(options.part);
  if (const Status filled = fill_slot(kind, options, slot); !filled) return failed(filled.what());
  return change(common, request, "Slot '" + options.name + "' is there" + (options.part ? "; 'postern keys way add' makes it open something." : " and opens by itself. Back up the keyring file."));
}

int keys_slot_remove(const Common& common, const SlotOptions& options) {
  control::Request request;
  request.mutable_keys()->set_remove_slot(options.name);
  return change(common, request, "Slot '" + options.name + "' is gone. Old copies of the keyring file still open with it: destroy them, or 'postern keys rotate all'.");
}

int keys_way_add(const Common& common, const WayOptions& options) {
  control::Request request;
  control::Way& way = *request.mutable_keys()->mutable_add_way();
  way.set_name(options.name);
  for (const std::string& slot : options.slots) way.add_slot(slot);
  return change(common, request, "Way '" + options.name + "' opens with " + joined(options.slots) + ".");
}

int keys_way_remove(const Common& common, const WayOptions& options) {
  control::Request request;
  request.mutable_keys()->set_remove_way(options.name);
  return change(common, request, "Way '" + options.name + "' is gone.");
}

int keys_custodian(const Common& common, bool make, const CustodianOptions& options) {
  const std::optional<Profile> profile = profile_of(options.profile);
  if (!profile) return failed("there is no profile '" + options.profile + "'; there are modern and fips");
  Result<CustodianPublic> key = CustodianPublic{};
  if (make) {
    const Result<Secret> passphrase = new_passphrase("New passphrase of " + options.file);
    if (!passphrase) return failed(passphrase.what());
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
    key = make_custodian(options.file, *profile, *passphrase, now.count());
  } else {
    key = read_custodian(options.file);
  }
  if (!key) return failed(key.what());
  if (common.json) Json().object().field("public_key", custodian_text(*key)).field("profile", name_of(key->profile)).field("file", options.file).print();
  else std::printf("%s\n", custodian_text(*key).c_str());
  return kDone;
}

int keys_token_make_key(const Common& common, const SlotOptions& options) {
  const Result<Secret> pin = read_pin(options.pin_file, options.token);
  if (!pin) return failed(pin.what());
  if (const Status made = token::make_key({options.module, options.token, options.key}, *pin); !made) return failed(made.what());
  if (common.json) Json().object().field("done", true).print();
  else std::printf("Key '%s' is on token '%s' and cannot be taken off it.\n", options.key.c_str(), options.token.c_str());
  return kDone;
}

}  // namespace postern::cli
