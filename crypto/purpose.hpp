// SPDX-License-Identifier: Apache-2.0
// Purpose: the frozen registry of what keys are for. Used by: keyring, seal, the vault, `postern keys`.
// Threads: plain values. A number is bound into everything that is sealed and never changes its meaning.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern {

enum class Purpose : std::uint8_t {
  store = 1,           // SQLCipher raw key and salt
  content = 2,         // message contents in the store
  audit_body = 3,      // bodies of audit leaves
  pseudonym = 4,       // keyed hash of addresses
  idempotency = 5,     // keyed hash of idempotency keys
  ring = 6,            // seals the file of the person keys' ring
  epoch = 7,           // seals the state file of the epoch signing key
  otp_commitment = 8,  // keyed commitment to an OTP's text
  anchor = 9,          // MAC of the roll-back anchor file
  state_sum = 10,      // keyed sum over the store's rows
  backup = 11,         // seals what a backup says of itself
  holder_mask = 12,    // hides whose key opens a field
};

inline constexpr std::array kPurposes{Purpose::store,  Purpose::content, Purpose::audit_body,     Purpose::pseudonym, Purpose::idempotency, Purpose::ring,
                                      Purpose::epoch,  Purpose::otp_commitment, Purpose::anchor, Purpose::state_sum, Purpose::backup,
                                      Purpose::holder_mask};

// "content", as `postern keys` takes and prints it.
std::string_view name_of(Purpose purpose);
std::optional<Purpose> purpose_of(std::string_view name);
std::optional<Purpose> purpose_of(std::uint8_t number);

// What may be done with a key of this purpose.
enum class Use : std::uint8_t { store, seal, hash };
Use use_of(Purpose purpose);

// How long one version of the key is to be used before the next (security policy, not enforced): days; 0: it
// is never replaced.
unsigned period_days(Purpose purpose);
inline constexpr unsigned kMasterPeriodDays = 365;

}  // namespace postern
