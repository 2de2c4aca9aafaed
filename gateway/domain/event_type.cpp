// SPDX-License-Identifier: Apache-2.0
#include "gateway/domain/event_type.hpp"

namespace postern {

std::string_view name_of(EventType type) {
  switch (type) {
    case EventType::started: return "started";
    case EventType::stopped: return "stopped";
    case EventType::unlocked: return "unlocked";
    case EventType::locked: return "locked";
    case EventType::unlock_failed: return "unlock-failed";
    case EventType::initialised: return "initialised";
    case EventType::config_loaded: return "config-loaded";
    case EventType::recovered: return "recovered";
    case EventType::epoch_begun: return "epoch-begun";
    case EventType::clock_jumped: return "clock-jumped";
    case EventType::disk_low: return "disk-low";
    case EventType::disk_recovered: return "disk-recovered";
    case EventType::scrubbed: return "scrubbed";
    case EventType::store_altered: return "store-altered";
    case EventType::rollback_accepted: return "rollback-accepted";
    case EventType::backup_begun: return "backup-begun";
    case EventType::backup_done: return "backup-done";
    case EventType::purged: return "purged";
    case EventType::connector_up: return "connector-up";
    case EventType::connector_down: return "connector-down";
    case EventType::connector_refused: return "connector-refused";
    case EventType::tls_refused: return "tls-refused";
    case EventType::webhook_forged: return "webhook-forged";
    case EventType::row_quarantined: return "row-quarantined";
    case EventType::peer_protocol_error: return "peer-protocol-error";
    case EventType::bound: return "bound";
    case EventType::unbound: return "unbound";
    case EventType::bypassed: return "bypassed";
    case EventType::held: return "held";
    case EventType::moved: return "moved";
    case EventType::accepted: return "accepted";
    case EventType::rejected: return "rejected";
    case EventType::replayed: return "replayed";
    case EventType::key_reused: return "key-reused";
    case EventType::step_begun: return "step";
    case EventType::step_skipped: return "step-skipped";
    case EventType::handed: return "handed";
    case EventType::sent: return "sent";
    case EventType::refused: return "refused";
    case EventType::in_doubt: return "in-doubt";
    case EventType::delivered: return "delivered";
    case EventType::read: return "read";
    case EventType::replied: return "replied";
    case EventType::undelivered: return "undelivered";
    case EventType::step_over: return "step-over";
    case EventType::late: return "late";
    case EventType::double_contact: return "double-contact";
    case EventType::withdrawn: return "withdrawn";
    case EventType::ended: return "ended";
    case EventType::unmatched_receipt: return "unmatched-receipt";
    case EventType::signalled: return "signalled";
    case EventType::consent_changed: return "consent-changed";
    case EventType::recipient_changed: return "recipient-changed";
    case EventType::halted: return "halted";
    case EventType::resumed: return "resumed";
    case EventType::prefix_closed: return "prefix-closed";
    case EventType::prefix_opened: return "prefix-opened";
    case EventType::person_erased: return "person-erased";
    case EventType::ring_rotated: return "ring-rotated";
    case EventType::wrapping_key_destroyed: return "wrapping-key-destroyed";
    case EventType::admin_read: return "admin-read";
    case EventType::admin_change: return "admin-change";
    case EventType::admin_denied: return "admin-denied";
    case EventType::numbers_imported: return "numbers-imported";
    case EventType::key_access_changed: return "key-access-changed";
    case EventType::key_rotated: return "key-rotated";
    case EventType::key_destroyed: return "key-destroyed";
    case EventType::key_change_failed: return "key-change-failed";
    case EventType::custodian_share: return "custodian-share";
  }
  return "?";
}

}  // namespace postern
