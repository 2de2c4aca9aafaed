// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/progress.hpp"

#include <algorithm>

namespace postern::vault {
namespace {

constexpr std::size_t kMaxReason = 64, kMaxProviderId = 256, kMaxReplyText = 700, kIdsInLeaf = 16;
constexpr std::uint64_t kMaxParked = 100'000;
constexpr TimeMs kParkedFor = 24 * 3600 * 1000, kPruneEvery = 3600 * 1000;

// A connector's machine word: printable, short; anything else is cut to what is.
std::string word(const std::string& text) {
  std::string out = text.substr(0, kMaxReason);
  std::ranges::replace_if(out, [](char c) { return c <= ' ' || c > '~'; }, '_');
  return out;
}

std::string_view kind_word(wire::Result::Kind kind) {
  switch (kind) {
    case wire::Result::SENT: return "sent";
    case wire::Result::RETRY: return "retry";
    case wire::Result::REFUSED: return "refused";
    case wire::Result::UNKNOWN: return "unknown";
    case wire::Result::THROTTLED: return "throttled";
    case wire::Result::KIND_UNSET:
    case wire::Result_Kind_Result_Kind_INT_MIN_SENTINEL_DO_NOT_USE_:
    case wire::Result_Kind_Result_Kind_INT_MAX_SENTINEL_DO_NOT_USE_: break;
  }
  return {};
}

engine::Result::Kind engine_kind(wire::Result::Kind kind) {
  if (kind == wire::Result::SENT) return engine::Result::Kind::sent;
  if (kind == wire::Result::RETRY) return engine::Result::Kind::retry;
  if (kind == wire::Result::UNKNOWN) return engine::Result::Kind::unknown;
  if (kind == wire::Result::THROTTLED) return engine::Result::Kind::throttled;
  return engine::Result::Kind::refused;
}

std::optional<AttemptState> state_of(wire::Progress progress) {
  if (progress == wire::SENT) return AttemptState::sent;
  if (progress == wire::DELIVERED) return AttemptState::delivered;
  if (progress == wire::READ) return AttemptState::read;
  if (progress == wire::REPLIED) return AttemptState::replied;
  if (progress == wire::REFUSED) return AttemptState::refused;
  return std::nullopt;
}

EventType event_of(wire::Observation::Kind kind) {
  if (kind == wire::Observation::TLS_REFUSED) return EventType::tls_refused;
  if (kind == wire::Observation::WEBHOOK_FORGED) return EventType::webhook_forged;
  if (kind == wire::Observation::ROW_QUARANTINED) return EventType::row_quarantined;
  if (kind == wire::Observation::BOUND) return EventType::bound;
  if (kind == wire::Observation::UNBOUND) return EventType::unbound;
  return EventType::peer_protocol_error;
}

}  // namespace

void Progress::result(Turn& turn, const Peer& peer, const wire::Result& r) {
  dispatcher_.answered(peer.connector, static_cast<MessageKey>(r.attempt().message()), r.attempt().number());
  const Found found = find(turn, peer.connector, r.attempt());
  const std::string_view kind = kind_word(r.kind());
  if (found.flight == nullptr || kind.empty()) return;
  ++context_.metrics.results[{peer.name, std::string(kind)}];
  audit::Body extra;
  for (const std::string& id : r.provider_id())
    if (extra.size() < kIdsInLeaf) extra.emplace_back(audit::Field::provider_id, cut_utf8(id, kMaxProviderId));

  engine::Result input;
  input.attempt = found.attempt;
  input.kind = engine_kind(r.kind());
  // It was called back in time: nothing was wrong with this way, and it may be taken again.
  if (r.kind() == wire::Result::REFUSED && r.reason() == "cancelled") input.kind = engine::Result::Kind::throttled;
  input.receipts = r.receipts();
  input.parts = static_cast<std::uint8_t>(std::clamp<int>(r.provider_id_size(), 1, kMaxParts));
  input.retry_after_ms = r.retry_after_ms();
  input.reason = word(r.reason());
  routes_.result(*found.flight, found.attempt, input, turn.now());
  turn.advance(*found.flight, input, std::move(extra));

  if (r.kind() != wire::Result::SENT) return;
  for (int part = 0; part < r.provider_id_size() && static_cast<std::size_t>(part) < kMaxParts; ++part) {
    const std::string& id = r.provider_id(part);
    if (id.empty() || id.size() > kMaxProviderId) continue;
    store::ProviderRow row{peer.connector, id, found.flight->id.key, static_cast<std::uint8_t>(found.attempt),
                           static_cast<std::uint8_t>(part), r.provider_id_size() == 1};
    turn.batch().providers.push_back(row);
    fresh_ids_.insert_or_assign({peer.connector, id}, row);
    unpark(turn, peer.connector, id);
  }
}

Progress::Found Progress::find(Turn& turn, ConnectorId connector, const wire::Attempt& attempt) {
  Flight* flight = turn.find(static_cast<MessageKey>(attempt.message()));
  const std::size_t index = attempt.number() - 1U;
  // A connector speaks of its own attempts only.
  if (flight == nullptr || attempt.number() == 0 || index >= flight->attempts.size() || flight->attempts[index].connector != connector) return {};
  return {flight, index, 0, /*all_parts=*/true};
}

Progress::Found Progress::find(Turn& turn, ConnectorId connector, const std::string& provider_id) {
  std::optional<store::ProviderRow> row;
  if (const auto fresh = fresh_ids_.find({connector, provider_id}); fresh != fresh_ids_.end()) {
    row = fresh->second;
  } else {
    Result<std::optional<store::ProviderRow>> stored = context_.store.provider(connector, provider_id);
    if (!stored) {
      turn.fail_with(stored.what());
      return {};
    }
    row = *stored;
  }
  if (!row) return {};
  Flight* flight = turn.find(row->key);
  if (flight == nullptr || row->attempt >= flight->attempts.size()) return {};
  return {flight, row->attempt, row->part, row->all_parts};
}

// A webhook speaks on behalf of a channel's connector; others for themselves.
ConnectorId Progress::spoken_for(Turn& turn, const Peer& peer, const std::string& connector) const {
  if (connector.empty() || connector == peer.name) return peer.connector;
  const auto own = context_.config->connectors.find(peer.name);
  if (own == context_.config->connectors.end()) return 0;
  const std::vector<std::string>& allowed = own->second.speaks_for;
  return std::ranges::find(allowed, connector) == allowed.end() ? ConnectorId{0} : turn.number_of_connector(connector);
}

void Progress::not_spoken_for(const Peer& peer, const std::string& connector) {
  ++context_.metrics.unmatched;
  if (strangers_.pass())
    log::warning("vault.not-spoken-for", "{} brings news of '{}', for which the configuration gives it no right; add it to 'speaks_for' of [connectors.{}]",
                 peer.name, cut_utf8(connector, 64), peer.name);
}

void Progress::receipt(Turn& turn, const Peer& peer, const wire::Receipt& r) {
  const ConnectorId connector = spoken_for(turn, peer, r.connector());
  if (connector == 0) return not_spoken_for(peer, r.connector());
  if (!state_of(r.progress())) return;
  Found found;
  if (r.has_attempt()) found = find(turn, connector, r.attempt());
  if (found.flight == nullptr && !r.provider_id().empty() && r.provider_id().size() <= kMaxProviderId) {
    found = find(turn, connector, r.provider_id());
    if (found.flight == nullptr) {
      ++context_.metrics.unmatched;
      return park(turn, connector, r);
    }
  }
  if (found.flight == nullptr) {
    ++context_.metrics.unmatched;
    return;
  }
  apply(turn, found, r, connector);
}

// A receipt may overtake the result that names its id: it is kept until that comes, for a day. A
// provider that invents receipts must not fill the disk.
void Progress::park(Turn& turn, ConnectorId connector, const wire::Receipt& receipt) {
  if (turn.now() >= next_prune_ms_) {
    next_prune_ms_ = turn.now() + kPruneEvery;
    turn.batch().drop_parked_before = turn.now() - kParkedFor;
    if (const Result<std::uint64_t> count = context_.store.parked_count()) parked_ = *count;
  }
  if (parked_ >= kMaxParked) return;
  ++parked_;
  const std::string text = receipt.SerializeAsString();
  turn.batch().parked.push_back({connector, receipt.provider_id(), turn.now(), Bytes(text.begin(), text.end())});
}

void Progress::apply(Turn& turn, const Found& found, const wire::Receipt& r, ConnectorId connector) {
  const std::optional<AttemptState> progress = state_of(r.progress());
  if (!progress) return;
  ++context_.metrics.receipts[{context_.names.name(connector).substr(10), std::string(name_of(*progress))}];
  engine::Receipt input{found.attempt, *progress, found.part, found.all_parts, word(r.reason())};
  routes_.receipt(*found.flight, found.attempt, *progress, turn.now());
  turn.advance(*found.flight, input);
}

void Progress::unpark(Turn& turn, ConnectorId connector, const std::string& provider_id) {
  if (parked_ == 0) return;
  Result<std::vector<store::ParkedRow>> rows = context_.store.parked(connector, provider_id);
  if (!rows) return turn.fail_with(rows.what());
  // One of this very turn is not in the store yet.
  for (const store::ParkedRow& row : turn.batch().parked)
    if (row.connector == connector && row.id == provider_id) rows->push_back(row);
  std::erase_if(turn.batch().parked, [&](const store::ParkedRow& row) { return row.connector == connector && row.id == provider_id; });
  if (rows->empty()) return;
  parked_ -= std::min<std::uint64_t>(parked_, rows->size());
  turn.batch().unparked.emplace_back(connector, provider_id);
  const Found found = find(turn, connector, provider_id);
  for (const store::ParkedRow& row : *rows) {
    wire::Receipt receipt;
    if (found.flight != nullptr && receipt.ParseFromArray(row.data.data(), static_cast<int>(row.data.size()))) apply(turn, found, receipt, connector);
  }
}

void Progress::reply(Turn& turn, const Peer& peer, const wire::Reply& r) {
  const ConnectorId connector = spoken_for(turn, peer, r.connector());
  if (connector == 0) return not_spoken_for(peer, r.connector());
  if (seen(turn, connector, r.provider_id())) return;
  Found found;
  if (r.has_attempt()) found = find(turn, connector, r.attempt());
  if (found.flight == nullptr && !r.context_id().empty()) found = find(turn, connector, r.context_id());
  if (found.flight == nullptr && !r.from().empty()) {
    // No reference: it answers the last message that waits for an answer from this address.
    std::optional<MessageKey> key;
    for (const std::uint64_t pseudonym : context_.keys.pseudonyms(r.from())) {
      const Result<std::optional<MessageKey>> found_key = context_.store.conversation(pseudonym);
      if (!found_key) return turn.fail_with(found_key.what());
      key = *found_key;
      if (key) break;
    }
    Flight* flight = key ? turn.find(*key) : nullptr;
    for (std::size_t i = flight == nullptr ? 0 : flight->attempts.size(); i-- > 0;) {
      if (flight->attempts[i].connector != connector || flight->attempts[i].state == AttemptState::ready) continue;
      found = {flight, i, 0, /*all_parts=*/true};
      break;
    }
  }
  audit::Body body{{audit::Field::provider_id, std::string(cut_utf8(r.provider_id(), kMaxProviderId))},
                   {audit::Field::text, std::string(cut_utf8(r.payload().empty() ? r.text() : r.payload(), kMaxReplyText))}};
  if (policy::says_stop(context_.config->policy.consent, r.payload().empty() ? r.text() : r.payload())) opt_out(turn, r, found.flight);
  if (found.flight == nullptr) {
    turn.leaf(EventType::replied, body, nullptr, 0, connector);
    return;
  }
  const engine::Outcome outcome = turn.advance(*found.flight, engine::Receipt{found.attempt, AttemptState::replied, 0, /*all_parts=*/true, {}}, body);
  // Another word of the same customer changes no state, but its client hears it.
  if (outcome.ignored) turn.tell_client({found.flight->client, turn.leaf(EventType::replied, body, found.flight, 0, connector) + 1, found.flight->id.key, 0, EventType::replied, 0, {}, {}});
}

// The customer wants no more of this. Kept under the address that the word came from, and under the bank's reference where the message it
// answers tells it: whatever is sent next to either asks for it.
void Progress::opt_out(Turn& turn, const wire::Reply& r, const Flight* flight) {
  const policy::ConsentRules& rules = context_.config->policy.consent;
  const Content* content = flight == nullptr ? nullptr : turn.content(*flight);
  const std::string reference = content == nullptr ? std::string() : content->recipient;
  // It takes back what was agreed to before, also where our clock has gone back since.
  TimeMs at = turn.now();
  const auto not_before = [&](const std::string& known_as, const std::string& address) {
    const Recipient* known = context_.recipients.find(known_as, address);
    if (known == nullptr) return;
    for (const ConsentRecord& before : known->consents) at = std::max(at, before.at_ms);
  };
  const auto withdraw = [&](const std::string& known_as, const std::string& address) {
    const Recipient* known = context_.recipients.find(known_as, address);
    Recipient recipient = known == nullptr ? Recipient() : *known;
    for (const Category purpose : kCategories) {
      if ((rules.stops & policy::mask_of(purpose)) == 0) continue;
      ConsentRecord record{purpose, std::nullopt, false, at, "reply " + std::string(cut_utf8(r.channel(), 32)), std::string(cut_utf8(r.payload().empty() ? r.text() : r.payload(), kMaxWording))};
      turn.leaf_of(person_of(context_.keys, known_as, address), EventType::consent_changed, body_of(record), 0);
      recipient.add(std::move(record));
    }
    context_.recipients.save(known_as, address, std::move(recipient), turn.batch());
  };
  const bool has_address = !r.from().empty() && r.from().size() <= kMaxProviderId;
  if (has_address) not_before({}, r.from());
  if (!reference.empty()) not_before(reference, {});
  if (has_address) withdraw({}, r.from());
  if (!reference.empty()) withdraw(reference, {});
  if (const std::string& why = context_.recipients.failure(); !why.empty()) turn.fail_with(why);
}

// A reply is told until its commit is known; the second telling is recognised by the provider's id.
bool Progress::seen(Turn& turn, ConnectorId connector, const std::string& provider_id) {
  if (provider_id.empty() || provider_id.size() > kMaxProviderId) return false;
  const std::string id = "reply:" + provider_id;
  if (fresh_ids_.contains({connector, id})) return true;
  const Result<std::optional<store::ProviderRow>> stored = context_.store.provider(connector, id);
  if (!stored) turn.fail_with(stored.what());
  if (!stored || *stored) return true;
  // Of no message; its key tells its age, so that it is not forgotten sooner than a message is.
  const store::ProviderRow row{connector, id, turn.now() << 20, 0, 0, true};
  turn.batch().providers.push_back(row);
  fresh_ids_.emplace(std::pair(connector, id), row);
  return false;
}

void Progress::observation(Turn& turn, const Peer& peer, const wire::Observation& o) {
  const EventType type = event_of(o.kind());
  context_.metrics.observations[{peer.name, std::string(name_of(type))}] += std::max<std::uint32_t>(o.count(), 1);
  audit::Body body{{audit::Field::reason, word(o.reason())}};
  if (!o.object().empty()) body.emplace_back(audit::Field::object, cut_utf8(o.object(), 128));
  if (o.count() > 1) body.emplace_back(audit::Field::count, std::to_string(o.count()));
  turn.leaf(type, body, nullptr, 0, peer.connector);
}

// The first route that fits channel and network, whose connector can send now and among whose share the message is; where there is none,
// the healthiest that can send; where none can, the first that fits: the message waits for it.
ConnectorId Progress::route(Turn& turn, const Flight& flight, const Step& step) const {
  ConnectorId first = 0, healthiest = 0;
  for (const config::Route& candidate : context_.config->routes) {
    if (!candidate.carries(step.channel, flight.network, flight.category)) continue;
    const ConnectorId connector = turn.number_of_connector(candidate.connector);
    if (first == 0) first = connector;
    if (!dispatcher_.reachable(connector)) continue;
    if (routes_.takes(connector, flight)) return connector;
    if (healthiest == 0 || routes_.rank(connector, flight) > routes_.rank(healthiest, flight)) healthiest = connector;
  }
  return healthiest != 0 ? healthiest : first;
}

bool Progress::timers(Turn& turn, std::size_t limit) {
  Result<std::vector<store::FlightRow>> rows = context_.store.due(turn.now(), limit);
  if (!rows) {
    turn.fail_with(rows.what());
    return false;
  }
  for (const store::FlightRow& row : *rows) {
    Flight* flight = turn.take(row);
    if (flight == nullptr) return false;
    turn.advance(*flight, engine::Due{});
  }
  return rows->size() == limit;
}

bool Progress::confirm(Turn& turn, Flight& flight, AttemptState progress) {
  for (std::size_t i = flight.attempts.size(); i-- > 0;) {
    const Attempt& attempt = flight.attempts[i];
    if (flight.plan[attempt.step].channel != Channel::push || attempt.state == AttemptState::ready || attempt.state == AttemptState::withdrawn) continue;
    turn.advance(flight, engine::Receipt{i, progress, 0, /*all_parts=*/true, "app"});
    return true;
  }
  return false;
}

}  // namespace postern::vault
