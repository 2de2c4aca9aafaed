// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/whatsapp_errors.hpp"

#include <algorithm>
#include <array>

namespace postern::messenger {
namespace {

// In order of the code.
constexpr std::array<WhatsappError, 62> kErrors{{
    {0, WhatsappClass::auth, WhatsappScope::sender},             // AuthException: token invalid
    {1, WhatsappClass::retry, WhatsappScope::sender},            // unknown API error
    {2, WhatsappClass::retry, WhatsappScope::sender},            // API service temporarily unavailable
    {3, WhatsappClass::config, WhatsappScope::sender},           // missing capability/permission
    {4, WhatsappClass::throttle, WhatsappScope::sender},         // app call limit
    {10, WhatsappClass::config, WhatsappScope::sender},          // permission denied
    {33, WhatsappClass::config, WhatsappScope::sender},          // business phone number deleted / bad parameter value
    {100, WhatsappClass::permanent, WhatsappScope::message},     // invalid parameter
    {190, WhatsappClass::auth, WhatsappScope::sender},           // access token expired
    {200, WhatsappClass::config, WhatsappScope::sender},         // 200-299: permission missing
    {368, WhatsappClass::config, WhatsappScope::sender},         // temporarily blocked for policy violations
    {613, WhatsappClass::throttle, WhatsappScope::sender},       // Graph call rate
    {80007, WhatsappClass::throttle, WhatsappScope::sender},     // WABA rate limit
    {130429, WhatsappClass::throttle, WhatsappScope::sender},    // Cloud API throughput (mps)
    {130472, WhatsappClass::failover, WhatsappScope::message},   // recipient in a Meta experiment (marketing)
    {130497, WhatsappClass::config, WhatsappScope::message},     // account may not message this country
    {131000, WhatsappClass::retry, WhatsappScope::sender},       // something went wrong
    {131005, WhatsappClass::config, WhatsappScope::sender},      // access denied
    {131008, WhatsappClass::permanent, WhatsappScope::message},  // required parameter missing
    {131009, WhatsappClass::permanent, WhatsappScope::message},  // parameter value invalid
    {131016, WhatsappClass::retry, WhatsappScope::sender},       // service unavailable
    {131021, WhatsappClass::permanent, WhatsappScope::message},  // recipient is the sender
    {131026, WhatsappClass::failover,
     WhatsappScope::message},  // message undeliverable: not on WhatsApp, old client, terms not accepted
    {131030, WhatsappClass::config, WhatsappScope::message},    // recipient not in the allowed list (test number)
    {131031, WhatsappClass::config, WhatsappScope::sender},     // account locked
    {131037, WhatsappClass::config, WhatsappScope::sender},     // display name needs approval
    {131042, WhatsappClass::config, WhatsappScope::sender},     // payment/eligibility problem: every message fails
    {131045, WhatsappClass::config, WhatsappScope::sender},     // phone number registration/certificate error
    {131047, WhatsappClass::failover, WhatsappScope::message},  // 24 h window closed: resend as template or fail over
    {131048, WhatsappClass::config, WhatsappScope::message},    // spam rate limit: pause marketing, look at quality
    {131049, WhatsappClass::failover,
     WhatsappScope::message},  // Meta chose not to deliver (marketing cap); same template not before 24 h
    {131050, WhatsappClass::failover, WhatsappScope::message},   // user stopped marketing messages: record opt-out
    {131051, WhatsappClass::permanent, WhatsappScope::message},  // unsupported message type
    {131052, WhatsappClass::permanent, WhatsappScope::message},  // media of an inbound message could not be downloaded
    {131053, WhatsappClass::permanent,
     WhatsappScope::message},  // media upload/link fetch failed; one retry after re-upload
    {131055, WhatsappClass::config, WhatsappScope::message},     // method not allowed for this template category
    {131056, WhatsappClass::throttle, WhatsappScope::message},   // pair rate limit business-consumer
    {131057, WhatsappClass::retry, WhatsappScope::sender},       // account in maintenance (e.g. throughput upgrade)
    {132000, WhatsappClass::permanent, WhatsappScope::message},  // template parameter count mismatch
    {132001, WhatsappClass::permanent, WhatsappScope::message},  // template/language does not exist or not approved
    {132005, WhatsappClass::permanent, WhatsappScope::message},  // template text too long after substitution
    {132007, WhatsappClass::permanent, WhatsappScope::message},  // template policy violation
    {132012, WhatsappClass::permanent, WhatsappScope::message},  // template parameter format mismatch
    {132015, WhatsappClass::config, WhatsappScope::message},    // template paused for quality (3 h, 6 h, then disabled)
    {132016, WhatsappClass::config, WhatsappScope::message},    // template disabled for quality: final
    {132068, WhatsappClass::config, WhatsappScope::message},    // flow blocked
    {132069, WhatsappClass::throttle, WhatsappScope::message},  // flow throttled
    {133000, WhatsappClass::config, WhatsappScope::sender},     // deregistration incomplete
    {133004, WhatsappClass::retry, WhatsappScope::sender},      // server temporarily unavailable
    {133005, WhatsappClass::config, WhatsappScope::sender},     // two-step PIN mismatch
    {133006, WhatsappClass::config, WhatsappScope::sender},     // number must be re-verified
    {133008, WhatsappClass::config, WhatsappScope::sender},     // too many PIN guesses
    {133009, WhatsappClass::config, WhatsappScope::sender},     // PIN guessed too fast
    {133010, WhatsappClass::config, WhatsappScope::sender},     // business phone number not registered on Cloud API
    {133015, WhatsappClass::config, WhatsappScope::sender},     // number recently deleted: wait before registering
    {133016, WhatsappClass::config, WhatsappScope::sender},     // register/deregister rate limit (10 per 72 h)
    {134011, WhatsappClass::config, WhatsappScope::sender},     // payments terms not accepted
    {134100, WhatsappClass::config, WhatsappScope::message},    // only marketing messages on this endpoint
    {134101, WhatsappClass::retry, WhatsappScope::message},     // template still syncing
    {134102, WhatsappClass::config, WhatsappScope::message},    // template unavailable
    {135000, WhatsappClass::permanent, WhatsappScope::message},  // generic user error
    {139200, WhatsappClass::config, WhatsappScope::message},     // Direct Send blocked
}};
static_assert(std::ranges::is_sorted(kErrors, {}, &WhatsappError::code));

}  // namespace

std::span<const WhatsappError> whatsapp_errors() { return kErrors; }

WhatsappError whatsapp_error(std::int64_t code) {
  if (code > 200 && code <= 299) code = 200;  // all of them: a permission is missing
  const auto found = std::ranges::lower_bound(kErrors, code, {}, &WhatsappError::code);
  if (found != kErrors.end() && found->code == code) return *found;
  return {code, WhatsappClass::unknown, WhatsappScope::message};
}

}  // namespace postern::messenger
