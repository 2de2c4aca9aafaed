// SPDX-License-Identifier: Apache-2.0
#include "crypto/purpose.hpp"

namespace postern {

std::string_view name_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::store: return "store";
    case Purpose::content: return "content";
    case Purpose::audit_body: return "audit_body";
    case Purpose::pseudonym: return "pseudonym";
    case Purpose::idempotency: return "idempotency";
    case Purpose::ring: return "ring";
    case Purpose::epoch: return "epoch";
    case Purpose::otp_commitment: return "otp_commitment";
    case Purpose::anchor: return "anchor";
    case Purpose::state_sum: return "state_sum";
    case Purpose::backup: return "backup";
    case Purpose::holder_mask: return "holder_mask";
  }
  return "?";
}

std::optional<Purpose> purpose_of(std::string_view name) {
  for (const Purpose purpose : kPurposes)
    if (name_of(purpose) == name) return purpose;
  return std::nullopt;
}

std::optional<Purpose> purpose_of(std::uint8_t number) {
  for (const Purpose purpose : kPurposes)
    if (static_cast<std::uint8_t>(purpose) == number) return purpose;
  return std::nullopt;
}

Use use_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::store: return Use::store;
    case Purpose::content:
    case Purpose::audit_body:
    case Purpose::ring:
    case Purpose::epoch:
    case Purpose::backup: return Use::seal;
    case Purpose::pseudonym:
    case Purpose::idempotency:
    case Purpose::otp_commitment:
    case Purpose::anchor:
    case Purpose::state_sum:
    case Purpose::holder_mask: return Use::hash;
  }
  return Use::hash;
}

unsigned period_days(Purpose purpose) {
  switch (purpose) {
    case Purpose::store:
    case Purpose::content:
    case Purpose::audit_body:
    case Purpose::idempotency:
    case Purpose::otp_commitment:
    case Purpose::anchor:
    case Purpose::backup:
    case Purpose::holder_mask:
    case Purpose::ring:
    case Purpose::epoch: return 365;
    // What these have made stands in rows that nobody makes anew: a customer's number (a second one would be missed by an erasure),
    // and a sum over the whole store. They live as long as the store.
    case Purpose::pseudonym:
    case Purpose::state_sum: return 0;
  }
  return 0;
}

}  // namespace postern
