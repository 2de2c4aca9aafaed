// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/turn.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

namespace postern::vault {
namespace {

// What the client that sent the message is told of. The rest is between the gateway and its auditors.
bool client_hears(EventType type, bool ended_here) {
  return ended_here || type == EventType::sent || type == EventType::delivered || type == EventType::read || type == EventType::replied;
}

Place content_place(MessageKey key) { return {"content", "sealed", static_cast<std::uint64_t>(key), 1}; }
Place content_key_place(MessageKey key) { return {"content_key", "wrapped", static_cast<std::uint64_t>(key), 1}; }

// A one-time code is nobody's business once it has arrived or expired: its content has a key of its own,
// which is destroyed then.
bool has_own_key(Category category) { return category == Category::otp; }

}  // namespace

void Turn::open(TimeMs now_ms, std::int64_t utc_us, std::uint64_t steady_us) {
  now_ms_ = now_ms;
  utc_us_ = utc_us;
  steady_us_ = steady_us;
  mark_before_ = context_.log.mark();
  ids_before_ = context_.ids;
  waiting_before_ = context_.metrics.waiting;
}

Flight* Turn::find(MessageKey key) {
  if (const auto found = flights_.find(key); found != flights_.end()) return &found->second.flight;
  Result<std::optional<store::FlightRow>> row = context_.store.load(key);
  if (!row) {
    fail_with(row.what());
    return nullptr;
  }
  return *row ? take(**row) : nullptr;
}

Flight* Turn::take(const store::FlightRow& row) {
  // What this turn or the cache knows is newer than, or the same as, what the store gave.
  if (const auto found = flights_.find(row.key); found != flights_.end()) return &found->second.flight;
  std::optional<Flight> flight = decode_flight(row.key, row.data);
  if (!flight) {
    fail_with(fmt::format("the state of message key {} is damaged in the store", row.key));
    return nullptr;
  }
  age_.push_back(row.key);
  std::vector<Queue> placed = flight->other_queues();
  return &flights_.emplace(row.key, Slot{std::move(*flight), std::move(placed), false, false, nullptr}).first->second.flight;
}

Flight& Turn::accept(Flight flight, Content content, const audit::Body& body) {
  const MessageKey key = flight.id.key;
  age_.push_back(key);
  Slot& slot = flights_.emplace(key, Slot{std::move(flight), {}, false, true, std::make_unique<Content>(std::move(content))}).first->second;
  batch_.contents.push_back({key, seal(slot.flight, *slot.content)});
  with_content_.push_back(key);
  touch(slot);
  leaf(EventType::accepted, body, &slot.flight);
  if (slot.flight.is_journey()) batch_.journeys.push_back({slot.flight.person, key});
  ++context_.metrics.accepted[lane_of(slot.flight.category)];
  ++context_.metrics.waiting;
  advance(slot.flight, engine::Begin{});
  return slot.flight;
}

Bytes Turn::seal(const Flight& flight, const Content& content) {
  const FieldKey* person = context_.persons.find_or_make(flight.person, batch_);
  if (person == nullptr) {
    fail_with(context_.persons.failure());
    return {};
  }
  const MessageKey key = flight.id.key;
  Bytes plain = encode(content);
  Bytes sealed;
  if (has_own_key(flight.category)) {
    const FieldKey own = FieldKey::create(context_.keys, static_cast<std::uint64_t>(key));
    sealed = own.seal(context_.keys, Purpose::content, content_place(key), plain);
    batch_.content_keys.push_back({key, person->seal(context_.keys, Purpose::content, content_key_place(key), own.key().bytes())});
  } else {
    sealed = person->seal(context_.keys, Purpose::content, content_place(key), plain);
  }
  wipe(plain.data(), plain.size());
  return sealed;
}

// Nothing when it is damaged, or nobody may read it any more.
std::optional<Bytes> Turn::opened(MessageKey key, ByteView sealed) {
  const std::optional<std::uint64_t> holder = FieldKey::holder_of(context_.keys, sealed);
  if (!holder) return std::nullopt;
  Bytes plain;
  if (*holder != static_cast<std::uint64_t>(key)) {
    const FieldKey* person = context_.persons.find(*holder);
    if (person == nullptr || !person->open(context_.keys, Purpose::content, content_place(key), sealed, plain)) return std::nullopt;
    return plain;
  }
  const Result<std::optional<Bytes>> wrapped = context_.store.content_key(key);
  if (!wrapped || !*wrapped) return std::nullopt;
  const std::optional<std::uint64_t> of = FieldKey::holder_of(context_.keys, **wrapped);
  const FieldKey* person = of ? context_.persons.find(*of) : nullptr;
  if (person == nullptr || !person->open(context_.keys, Purpose::content, content_key_place(key), **wrapped, plain)) return std::nullopt;
  const FieldKey own(*holder, Secret(std::span<const std::uint8_t>(plain)));
  wipe(plain.data(), plain.size());
  if (!own.open(context_.keys, Purpose::content, content_place(key), sealed, plain)) return std::nullopt;
  return plain;
}

void Turn::purge(MessageKey key) {
  batch_.purged.push_back(key);
  // Should the turn fail, it is read from the store again. Its key stays in `age_`, which trim() does not mind.
  if (const auto slot = flights_.find(key); slot != flights_.end() && !slot->second.dirty) flights_.erase(slot);
}

void Turn::erase_traces(Flight& flight) {
  drop_content(flight);
  flight.person = flight.recipient = 0;
  flight.network.clear();
  flight.reference.clear();
  touch(flights_.at(flight.id.key));
}

std::optional<audit::Body> Turn::body_of(const audit::Leaf& leaf) {
  const std::optional<std::uint64_t> person = context_.log.person_of(leaf);
  if (!person) return context_.log.open(leaf);
  const FieldKey* key = context_.persons.find(*person);
  // Who was erased and then written to again has another key: what was before stays lost.
  return key == nullptr ? audit::Body{} : context_.log.open(leaf, *key).value_or(audit::Body{});
}

// What a leaf tells of a message is sealed to the person; of one who was erased it tells nothing. What an
// administrator did stays readable.
std::uint64_t Turn::append(audit::Leaf&& leaf, const audit::Body& body, const Flight& flight) {
  if (leaf.type >= EventType::admin_read) return context_.log.append(std::move(leaf), body, utc_us_, steady_us_);
  const FieldKey* person = body.empty() ? nullptr : context_.persons.find(flight.person);
  return context_.log.append(std::move(leaf), person == nullptr ? audit::Body{} : body, utc_us_, steady_us_, person);
}

void Turn::touch(Slot& slot) {
  if (std::exchange(slot.dirty, true)) return;
  dirty_.push_back(slot.flight.id.key);
}

engine::Outcome Turn::advance(Flight& flight, const engine::Input& input, audit::Body extra) {
  const config::CategoryRules& category = context_.config->rules(flight.category);
  const engine::Rules rules{category.in_doubt, category.tries, 1000};
  const std::size_t attempts_before = flight.attempts.size();
  std::uint64_t doubted = 0;   // attempts in doubt, a bit each
  for (std::size_t i = 0; i < attempts_before; ++i)
    if (flight.attempts[i].state == AttemptState::unknown) doubted |= 1ULL << i;
  const std::uint64_t doubts_before = Doubts::of(flight);
  engine::Outcome outcome = engine::advance(flight, input, now_ms_, rules, route_, gate_);
  if (outcome.ignored) return outcome;
  context_.doubts.changed(flight, doubts_before);
  touch(flights_.at(flight.id.key));
  for (std::size_t i = 0; i < outcome.happened.size(); ++i) {
    // The leaf that ends the message is the last one, and says so.
    const bool ends = outcome.ended && i + 1 == outcome.happened.size();
    note(flight, outcome.happened[i], ends, i == 0 ? std::move(extra) : audit::Body{});
  }
  if (outcome.ended) {
    ended_.push_back(flight.id.key);
    if (has_own_key(flight.category)) drop_content(flight);
    if (flight.is_journey()) batch_.dropped_journeys.push_back({flight.person, flight.id.key});
    ++context_.metrics.ended[{std::string(name_of(flight.category)), std::string(name_of(flight.state))}];
    --context_.metrics.waiting;
  }
  for (std::size_t i = 0; i < attempts_before && doubted != 0; ++i)
    if ((doubted & (1ULL << i)) != 0 && flight.attempts[i].state != AttemptState::unknown)
      ++context_.metrics.settled[{std::string(name_of(flight.category)), std::string(name_of(flight.attempts[i].state))}];
  for (const engine::Happened& what : outcome.happened)
    if (what.type == EventType::handed) reach_out(flight, flight.plan[flight.attempts[static_cast<std::size_t>(what.attempt)].step]);
  for (std::size_t i = attempts_before; i < flight.attempts.size(); ++i)
    if (flight.attempts[i].state == AttemptState::ready) queues_.became_ready(flight, flight.attempts[i].connector);
  for (const std::size_t attempt : outcome.call_back) queues_.call_back(flight, attempt);
  return outcome;
}

// It counts in the caps of its person, and as said to them, from now on.
void Turn::reach_out(const Flight& flight, const Step& step) {
  const std::int64_t memory_ms = context_.config->policy.memory_ms(flight.category);
  if (memory_ms == 0) return;
  Bytes digest;
  if (context_.config->policy.duplicate_ms(flight.category) > 0)
    if (const Content* said = content(flight); said != nullptr && step.payload < said->payloads.size())
      digest = digests_of(context_.keys, flight.person, said->payloads[step.payload]).front();
  context_.sightings.add({flight.person, flight.id.key, now_ms_, flight.category, flight.client, context_.weight_of(flight.client), std::move(digest)}, memory_ms, batch_);
  if (const std::string& why = context_.sightings.failure(); !why.empty()) fail_with(why);
}

void Turn::note(Flight& flight, const engine::Happened& what, bool ended_here, audit::Body&& extra) {
  audit::Body body = std::move(extra);
  if (!what.reason.empty()) body.emplace_back(audit::Field::reason, what.reason);
  if (!what.basis.empty()) body.emplace_back(audit::Field::consent, what.basis);
  if (!what.facts.empty()) body.emplace_back(audit::Field::facts, what.facts);
  if (what.type == EventType::double_contact) body.emplace_back(audit::Field::text, price_text(count_twice(flight)));
  audit::Leaf entry;
  entry.type = what.type;
  entry.message = flight.id;
  entry.before = flight.last_leaf;
  entry.client = flight.client;
  if (what.attempt >= 0) {
    entry.attempt = static_cast<std::uint8_t>(what.attempt + 1);
    entry.connector = flight.attempts[static_cast<std::size_t>(what.attempt)].connector;
  }
  if (ended_here) {
    entry.state = flight.state;
    // One leaf says both what happened and how the message ended by it. What its type says already needs no sealed word.
    if (what.type != EventType::ended && flight.reason != name_of(what.type)) body.emplace_back(audit::Field::text, flight.reason);
  }
  const std::uint8_t attempt = entry.attempt;
  flight.last_leaf = append(std::move(entry), body, flight) + 1;
  if (what.type == EventType::in_doubt) ++context_.metrics.in_doubt;
  if (client_hears(what.type, ended_here)) tell_client({flight.client, flight.last_leaf, flight.id.key, 0, what.type, attempt, ended_here ? std::optional(flight.state) : std::nullopt, what.reason});
}

// What the second contact has cost: the price of the last attempt that the customer has.
std::int64_t Turn::count_twice(const Flight& flight) {
  const auto last = std::find_if(flight.attempts.rbegin(), flight.attempts.rend(), [](const Attempt& a) {
    return a.state == AttemptState::delivered || a.state == AttemptState::read || a.state == AttemptState::replied;
  });
  std::int64_t cost = 0;
  if (last != flight.attempts.rend()) {
    const std::string_view connector = context_.connector_name(last->connector);
    const auto route = std::ranges::find_if(context_.config->routes, [&](const config::Route& r) {
      return r.connector == connector && r.carries(flight.plan[last->step].channel, flight.network, flight.category);
    });
    if (route != context_.config->routes.end()) cost = route->price;
  }
  Metrics::Twice& twice = context_.metrics.twice[std::string(name_of(flight.category))];
  ++twice.count;
  twice.cost += cost;
  ++context_.metrics.double_contacts;
  return cost;
}

void Turn::tell_client(News news) {
  batch_.events.emplace_back(news.client, news.cursor);
  news.at_ms = context_.log.mark().utc_us / 1000;
  news_.push_back(std::move(news));
}

const Content* Turn::content(const Flight& flight) {
  Slot& slot = flights_.at(flight.id.key);
  if (slot.content) return slot.content.get();
  std::optional<Content> content = read_content(flight);
  if (!content) return nullptr;
  slot.content = std::make_unique<Content>(std::move(*content));
  with_content_.push_back(flight.id.key);
  return slot.content.get();
}

std::optional<Content> Turn::read_content(const Flight& flight) {
  const Result<std::optional<Bytes>> sealed = context_.store.content(flight.id.key);
  if (!sealed) {
    fail_with(sealed.what());
    return std::nullopt;
  }
  std::optional<Bytes> plain = *sealed ? opened(flight.id.key, **sealed) : std::nullopt;
  if (const std::string& why = context_.persons.failure(); !why.empty()) fail_with(why);
  std::optional<Content> content = plain ? decode_content(*plain) : std::nullopt;
  if (plain) wipe(plain->data(), plain->size());
  return content;
}

std::uint64_t Turn::leaf(EventType type, const audit::Body& body, const Flight* flight, ClientId client, ConnectorId connector) {
  audit::Leaf entry;
  entry.type = type;
  entry.client = client;
  entry.connector = connector;
  if (flight == nullptr) return context_.log.append(std::move(entry), body, utc_us_, steady_us_);
  Slot& slot = flights_.at(flight->id.key);
  entry.message = flight->id;
  entry.before = flight->last_leaf;
  entry.client = flight->client;
  const std::uint64_t sequence = append(std::move(entry), body, slot.flight);
  slot.flight.last_leaf = sequence + 1;
  touch(slot);
  return sequence;
}

std::uint64_t Turn::leaf_of(std::uint64_t person, EventType type, const audit::Body& body, ClientId client) {
  audit::Leaf entry;
  entry.type = type;
  entry.client = client;
  const FieldKey* key = context_.persons.find_or_make(person, batch_);
  if (key == nullptr) fail_with(context_.persons.failure());
  return context_.log.append(std::move(entry), key == nullptr ? audit::Body{} : body, utc_us_, steady_us_, key);
}

std::uint64_t Turn::open_leaf(EventType type, const audit::Body& body) {
  audit::Leaf entry;
  entry.type = type;
  return context_.log.append_open(std::move(entry), body, utc_us_, steady_us_);
}

std::uint16_t Turn::number_of(const std::string& name) {
  bool fresh = false;
  const std::uint16_t id = context_.names.number(name, fresh);
  if (fresh) {
    batch_.names.emplace_back(id, name);
    fresh_names_.push_back(id);
  }
  return id;
}

Status Turn::commit() {
  if (!failure_.empty()) return fail(failure_);
  for (const MessageKey key : dirty_) {
    Slot& slot = flights_.at(key);
    place(slot);
    (slot.fresh ? batch_.inserts : batch_.updates)
        .push_back({key, slot.flight.queue(), lane_of(slot.flight.category), slot.flight.wake_ms(), encode(slot.flight)});
  }
  const std::vector<audit::Entry>& entries = context_.log.fresh();
  for (const audit::Entry& entry : entries) batch_.leaves.push_back({entry.sequence, &entry.leaf});
  if (!entries.empty()) batch_.audit_mark = audit::encode(context_.log.mark());
  if (batch_.empty()) {
    context_.persons.turn_over(/*committed=*/true);
    context_.sightings.turn_over();
    context_.recipients.turn_over();
    context_.halts.turn_over(/*committed=*/true);
    context_.doubts.turn_over(/*committed=*/true);
    drop_contents();
    trim();
    return {};
  }

  const auto begun = std::chrono::steady_clock::now();
  if (const Status written = context_.store.commit(batch_); !written) {
    ++context_.metrics.commit_failures;
    return written;
  }
  context_.metrics.commit_us.add(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun).count()));
  ++context_.metrics.commits;
  context_.metrics.leaves += entries.size();
  for (const MessageKey key : dirty_) {
    Slot& slot = flights_.at(key);
    slot.dirty = slot.fresh = false;
  }
  drop_contents();
  context_.persons.turn_over(/*committed=*/true);
  context_.sightings.turn_over();
  context_.recipients.turn_over();
  context_.halts.turn_over(/*committed=*/true);
  context_.doubts.turn_over(/*committed=*/true);
  dirty_.clear();
  batch_.clear();
  fresh_names_.clear();
  trim();
  return {};
}

// Most messages stand in one queue at a time, which their row holds.
void Turn::place(Slot& slot) {
  std::vector<Queue> now = slot.flight.other_queues();
  if (now == slot.placed) return;
  const std::uint8_t lane = lane_of(slot.flight.category);
  const auto add = [&](std::vector<store::Batch::Place>& to, const std::vector<Queue>& all, const std::vector<Queue>& other) {
    for (const Queue& queue : all)
      if (std::ranges::find(other, queue) == other.end()) to.push_back({slot.flight.id.key, queue, lane});
  };
  add(batch_.dropped_places, slot.placed, now);
  add(batch_.places, now, slot.placed);
  slot.placed = std::move(now);
}

void Turn::forget() {
  flights_.clear();
  age_.clear();
  ended_.clear();
  dirty_.clear();
  with_content_.clear();
  batch_.clear();
  news_.clear();
  failure_.clear();
}

void Turn::abandon() {
  forget();
  context_.persons.turn_over(/*committed=*/false);
  context_.sightings.turn_over();
  context_.recipients.turn_over();
  context_.halts.turn_over(/*committed=*/false);
  context_.doubts.turn_over(/*committed=*/false);
  for (const std::uint16_t id : fresh_names_) context_.names.forget(id);
  fresh_names_.clear();
  context_.log.put_back(std::move(mark_before_));
  context_.ids = ids_before_;
  context_.metrics.waiting = waiting_before_;
}

void Turn::drop_contents() {
  for (const MessageKey key : with_content_) flights_.at(key).content.reset();
  with_content_.clear();
}

void Turn::trim() {
  const auto keep = [this](std::deque<MessageKey>& keys, std::size_t count) {
    while (keys.size() > count) {
      flights_.erase(keys.front());
      keys.pop_front();
    }
  };
  keep(age_, kCache);
  keep(ended_, kEnded);
}

}  // namespace postern::vault
