// SPDX-License-Identifier: Apache-2.0
// Purpose: the kinds of audit leaves. Numbers are frozen: a verifier of another year reads them.
// Used by: posternd, the verifiers. Threads: plain values.
#pragma once

#include <cstdint>
#include <string_view>

namespace postern {

enum class EventType : std::uint16_t {
  // the gateway itself
  started = 1,             // the log was opened; `text` is the software version
  stopped = 2,
  unlocked = 3,
  locked = 4,
  unlock_failed = 5,
  initialised = 6,         // first leaf of every log
  config_loaded = 7,       // `text` is the SHA-256 of the configuration
  recovered = 8,           // the last run ended without `stopped`
  epoch_begun = 9,         // closes an epoch of the signing key: open body with the next one's public key, and what the store says
                           // of itself: `count` its generation, `object` its keyed sum
  clock_jumped = 11,       // the system's clock went back; leaves keep the later time until it has caught up
  disk_low = 12,           // free space is under the reserve: nothing new is accepted, what was accepted goes on
  disk_recovered = 13,
  scrubbed = 14,           // everything in the store was read again and is as it was written: `count` rows
  store_altered = 15,      // it is not: `text` says what was found; the vault locks itself
  rollback_accepted = 16,  // two administrators let an older or altered state go on: `actor` both, `text` what was found
  backup_begun = 17,       // `object` is its number, `text` who can open it, `count` the store's generation in it
  backup_done = 18,        // `object` is its number, `text` the SHA-256 of the file
  purged = 19,             // messages whose time of keeping is over were deleted: `count`, and `text` how many of each category
  // edges
  connector_up = 20,
  connector_down = 21,
  connector_refused = 22,
  tls_refused = 23,
  webhook_forged = 24,
  row_quarantined = 25,
  peer_protocol_error = 26,
  bound = 27,
  unbound = 28,
  // a message
  bypassed = 37,           // a rule would have stopped it, and its category passes: `reason` is the rule
  held = 38,               // a policy lets a step wait: `reason` is its channel and the rule
  moved = 39,              // it begins at another time
  accepted = 40,
  rejected = 41,
  replayed = 42,           // the same idempotency key again
  key_reused = 43,
  step_begun = 44,
  step_skipped = 45,       // no route or no address: `text` says which
  handed = 46,
  sent = 47,
  refused = 48,            // the connector or provider would not take it
  in_doubt = 49,
  delivered = 50,
  read = 51,
  replied = 52,
  undelivered = 53,        // a receipt said failed
  step_over = 54,          // the step's wait ended without what it waited for
  late = 55,               // a receipt or result after the message had ended
  double_contact = 56,     // two attempts reached the customer
  withdrawn = 57,          // an attempt was called back before it was handed
  ended = 58,              // expired, cancelled, failed without another event
  unmatched_receipt = 59,  // a receipt that belongs to no attempt
  signalled = 63,          // a bank's system told of an event: `reason` which
  prefix_closed = 64,      // too many codes were asked for to numbers that begin with `reason`: submits to them are refused
  prefix_opened = 65,      // and now they are taken again: `reason` is the prefix
  consent_changed = 66,    // a person agreed or opted out: `consent` its hash, `reason` what it says, `object` where, `text` in which words
  recipient_changed = 67,  // addresses or preferences of a person were kept or dropped
  halted = 68,             // `actor` stopped all messages of `object`; `text` is why
  resumed = 69,            // and let them go on
  // persons
  person_erased = 60,      // the person's key is destroyed; `recipient` is the person
  ring_rotated = 61,       // what was wrapped is wrapped anew; `count` keys, `text` the wrapping key's number
  wrapping_key_destroyed = 62,
  // administration
  admin_read = 80,
  admin_change = 81,
  admin_denied = 82,
  numbers_imported = 83,
  // keys: told before they take effect
  key_access_changed = 84, // a slot or way was added or removed: `object` which, `text` what
  key_rotated = 85,        // `object` is the key, `count` its new version
  key_destroyed = 86,      // `object` is the key, `count` the version: what it sealed is gone
  key_change_failed = 87,  // what the leaf before announced was not done: `reason`
  custodian_share = 88,    // a custodian's share served to unlock: `object` is quorum/custodian
};

std::string_view name_of(EventType type);

}  // namespace postern
