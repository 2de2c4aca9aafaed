// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/witness.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace postern::rehearsal {
namespace {

constexpr const char* kStored = "what a client is told is stored is stored, and the same key is the same message";
constexpr const char* kOneEnd = "every message has one end, with a reason, and its client is told";
constexpr const char* kInTime = "nothing is handed at or after the deadline, or after the end";
constexpr const char* kOnce = "no attempt is handed twice, and none to a second process";
constexpr const char* kRecorded = "no connector sees an attempt before its record is durable";
constexpr const char* kNeverTwice = "'rather never twice': nothing is handed while another attempt is in doubt";
constexpr const char* kPolicy = "the policy allows what connectors are given";
constexpr const char* kConsent = "where a consent is needed each hand-over cites one, and after an opt-out there is none";
constexpr const char* kHalted = "nothing of what is halted is handed on before it is let go";
constexpr const char* kWindow = "no connector holds more than its window";
constexpr const char* kChain = "the audit log is one chain, and its tree has the root that the gateway says";
constexpr const char* kAllEnded = "every accepted message has ended, and the store holds none of them";

std::string field_of(const audit::Body& body, audit::Field wanted) {
  for (const auto& [field, text] : body)
    if (field == wanted) return text;
  return {};
}

// The first step of the stage that a step belongs to.
std::size_t stage_of(const std::vector<Step>& plan, std::size_t step) {
  while (step > 0 && plan[step].together) --step;
  return step;
}

}  // namespace

void Witness::break_promise(const std::string& what) {
  if (broken_.empty()) broken_ = what;
}

Letter* Witness::find(MessageKey key) {
  const auto found = letters_.find(key);
  return found == letters_.end() ? nullptr : &found->second;
}

std::optional<Flight> Witness::flight_of(const store::Batch& batch, MessageKey key) const {
  for (const auto* rows : {&batch.updates, &batch.inserts}) {
    const auto row = std::ranges::find(*rows, key, &store::FlightRow::key);
    if (row != rows->end()) return decode_flight(key, row->data);
  }
  return std::nullopt;
}

void Witness::committed(const store::Batch& batch) {
  accepted(batch);
  for (const store::Batch::LeafRow& row : batch.leaves) leaf(batch, row);
  for (const store::ProviderRow& row : batch.providers)
    if (Letter* letter = find(row.key)) letter->ids.emplace_back(row.connector, row.id);
  for (const store::IdempotencyRow& row : batch.idempotency)
    if (Letter* letter = find(row.key)) letter->hashes.push_back(row.hash);
}

void Witness::accepted(const store::Batch& batch) {
  for (const store::FlightRow& row : batch.inserts) {
    const std::optional<Flight> flight = decode_flight(row.key, row.data);
    if (!flight) return break_promise(fmt::format("the row of message {} cannot be read", row.key));
    Letter letter;
    letter.id = flight->id;
    letter.client = flight->client;
    letter.category = flight->category;
    std::from_chars(flight->reference.data() + 1, flight->reference.data() + flight->reference.size(), letter.number);
    letter.order = traffic_.order(letter.number);
    letter.accepted = now_;
    letter.deadline = flight->deadline_ms;
    letter.plan = flight->plan;
    letter.events_heard = flight->stop_on;
    letter.events_heard.insert(letter.events_heard.end(), flight->start_on.begin(), flight->start_on.end());
    letter.escalate = flight->escalate;
    if (!letters_.emplace(row.key, std::move(letter)).second) return break_promise(fmt::format("message key {} was given twice", row.key));
    newest_ = std::max(newest_, row.key);
    fresh_.push_back(row.key);
  }
}

void Witness::leaf(const store::Batch& batch, const store::Batch::LeafRow& row) {
  const std::optional<audit::Leaf> leaf = audit::decode_leaf(*row.data);
  if (!leaf || leaf->sequence != tree_.size() || leaf->previous != last_leaf_)
    return break_promise(fmt::format("audit leaf {} is not the one after leaf {}", row.sequence, tree_.size()));
  last_leaf_ = leaf_hash(*row.data);
  tree_.append(last_leaf_);
  kept(kChain);
  if (leaf->type == EventType::halted || leaf->type == EventType::resumed) return halts(*leaf);
  if (leaf->message.key == 0) return;
  if (Letter* letter = find(leaf->message.key)) of_letter(batch, *leaf, *letter);
}

void Witness::of_letter(const store::Batch& batch, const audit::Leaf& leaf, Letter& letter) {
  const std::uint64_t cursor = leaf.sequence + 1;
  if (leaf.attempt > letter.tries.size()) letter.tries.resize(leaf.attempt);
  if (leaf.type == EventType::handed) handed(batch, leaf, letter);
  if (leaf.attempt > 0) letter.tries[leaf.attempt - 1U].last = leaf.type;
  // In the order of the leaves, as they are told.
  const auto told = std::ranges::lower_bound(batch.events, cursor, {}, [](const auto& event) { return event.second; });
  if (told != batch.events.end() && *told == std::pair(letter.client, cursor)) letter.events.push_back(cursor);
  if (leaf.type == EventType::accepted) {
    const std::optional<audit::Body> body = open_(leaf);
    if (!body) return break_promise(fmt::format("audit leaf {} of message {} cannot be opened", leaf.sequence, leaf.message.key));
    const Kind& kind = *letter.order.kind;
    letter.row = &tally_.rows[{kind.client->name, std::string(name_of(letter.category)), kind.text == nullptr ? "plain words" : kind.text->name, field_of(*body, audit::Field::scenario)}];
    ++(*letter.row)[Count::accepted];
  }
  if (leaf.type == EventType::in_doubt && !std::exchange(letter.doubted, true)) ++(*letter.row)[Count::in_doubt];
  if (leaf.type == EventType::double_contact) ++(*letter.row)[Count::double_contact];
  if (leaf.type == EventType::held) rule(leaf, letter, Count::held, "held");
  if (leaf.type == EventType::step_skipped) rule(leaf, letter, Count::skipped, "skipped");
  if (leaf.type == EventType::bypassed) rule(leaf, letter, Count::bypassed, "passed");
  if (is_final(leaf.state)) ended(batch, leaf, letter);
}

void Witness::rule(const audit::Leaf& leaf, Letter& letter, Count count, const char* did) {
  ++(*letter.row)[count];
  const std::optional<audit::Body> body = open_(leaf);
  const std::string reason = body ? field_of(*body, audit::Field::reason) : "?";
  ++letter.row->rules[fmt::format("{}: {}", did, reason)];
  if (reason.ends_with("opted-out") && !std::exchange(letter.opted_out, true)) ++tally_.said["messages of which an opt-out stopped a step or all"];
  if (count == Count::held && reason.find("halted-") != std::string::npos && !std::exchange(letter.halted, true)) ++tally_.facts["messages that a halt held"];
}

void Witness::halts(const audit::Leaf& leaf) {
  const std::optional<audit::Body> body = open_(leaf);
  const std::string what = body ? field_of(*body, audit::Field::object) : std::string();
  if (what.empty()) return break_promise(fmt::format("audit leaf {} does not say what is halted or let go", leaf.sequence));
  if (leaf.type == EventType::halted) halted_.insert(what);
  else halted_.erase(what);
}

void Witness::told_halted(const std::string& what, bool halted) {
  kept(kHalted);
  if (halted_.contains(what) != halted) break_promise(fmt::format("an administrator was told that {} is {}, and the audit log does not say so", what, halted ? "halted" : "let go"));
}

Witness::Word Witness::said(std::uint64_t customer, const ConsentRecord& record, bool by_number) {
  std::vector<Said>& words = words_[customer].words;
  words.push_back({record.purpose, record.channel, record.given, by_number, ++order_, 0, record.given ? record.at_ms : wall_, sha256(encode(record))});
  return {customer, words.size() - 1};
}

void Witness::heard(const Word& word) {
  Customs& customs = words_[word.customer];
  Said& said = customs.words[word.index];
  if (said.heard != 0) return;
  said.heard = ++order_;
  if (!said.given) said.at = std::min(said.at, wall_);
  if (said.given) ++tally_.said[fmt::format("consents to {} that the bank told of", name_of(said.purpose))];
  else if (!std::exchange(customs.opted_out, true)) ++tally_.said[said.by_number ? "customers opted out by a reply" : "customers opted out through the bank"];
}

void Witness::handed(const store::Batch& batch, const audit::Leaf& leaf, Letter& letter) {
  ++(*letter.row)[Count::attempts];
  kept(kInTime);
  if (letter.ended) break_promise(fmt::format("message {} was handed on after its end", leaf.message.text()));
  const std::optional<Flight> flight = flight_of(batch, leaf.message.key);
  if (!flight || leaf.attempt > flight->attempts.size()) return break_promise(fmt::format("message {} was handed on, and its row does not say so", leaf.message.text()));
  if (wall_ >= flight->deadline_ms) break_promise(fmt::format("message {} was handed on {} ms after its deadline", leaf.message.text(), wall_ - flight->deadline_ms));
  agreed(leaf, letter, *flight);
  not_halted(leaf, letter);
  kept(kOnce);
  if (const EventType last = letter.tries[leaf.attempt - 1U].last; last == EventType::handed || last == EventType::sent)
    break_promise(fmt::format("attempt {} of message {} was handed on twice", leaf.attempt, leaf.message.text()));
  if (config_.rules(letter.category).in_doubt != InDoubt::rather_never_twice) return;
  kept(kNeverTwice);
  const std::size_t stage = stage_of(flight->plan, flight->attempts[leaf.attempt - 1U].step);
  for (std::size_t i = 0; i < letter.tries.size() && i < flight->attempts.size(); ++i)
    if (i + 1U != leaf.attempt && letter.tries[i].last == EventType::in_doubt && stage_of(flight->plan, flight->attempts[i].step) != stage)
      break_promise(fmt::format("attempt {} of message {} was handed on while attempt {} was in doubt", leaf.attempt, leaf.message.text(), i + 1));
}

// What its customer has said allows this attempt, and its leaf cites it. Of a consent and an opt-out that were on their way at a time either may
// have come first; and what is known of a number alone is older than a consent from before the clock went back.
void Witness::agreed(const audit::Leaf& leaf, Letter& letter, const Flight& flight) {
  if (policy::passes(letter.category)) return;
  const bool needed = (config_.policy.consent.required & policy::mask_of(letter.category)) != 0;
  const std::vector<Said> none;
  const auto customs = words_.find(letter.order.customer);
  const std::vector<Said>& words = customs == words_.end() ? none : customs->second.words;
  if (!needed && std::ranges::find(words, letter.category, &Said::purpose) == words.end()) return;
  kept(kConsent);
  const std::optional<audit::Body> body = open_(leaf);
  if (!body) return break_promise(fmt::format("audit leaf {} of message {} cannot be opened", leaf.sequence, leaf.message.text()));
  const std::string cited = field_of(*body, audit::Field::consent);
  const Channel channel = flight.plan[flight.attempts[leaf.attempt - 1U].step].channel;
  const bool has_number = std::ranges::any_of(flight.plan, [](const Step& s) { return !s.pause && s.channel != Channel::push && s.channel != Channel::email; });
  const auto speaks = [&](const Said& s) { return s.purpose == letter.category && (!s.channel || *s.channel == channel) && (!s.by_number || has_number); };
  const Said* basis = nullptr;
  for (const Said& s : words)
    if (s.given && speaks(s) && to_hex(s.hash) == cited) basis = &s;
  if (cited.empty() && needed) return break_promise(fmt::format("message {} was handed on without a consent", leaf.message.text()));
  if (!cited.empty() && basis == nullptr) return break_promise(fmt::format("message {} was handed on by a consent that its customer has not given", leaf.message.text()));
  for (const Said& s : words)
    if (!s.given && s.heard != 0 && speaks(s) && (basis == nullptr || (basis->heard != 0 && basis->heard < s.said && (!s.by_number || basis->at <= s.at))))
      return break_promise(fmt::format("message {} was handed on after its customer had opted out", leaf.message.text()));
  if (basis != nullptr) letter.tries[leaf.attempt - 1U].consent = policy::ConsentState::given;
}

void Witness::not_halted(const audit::Leaf& leaf, const Letter& letter) {
  if (halted_.empty()) return;
  kept(kHalted);
  const Kind& kind = *letter.order.kind;
  for (const std::string& what : {"client " + kind.client->name, "category " + std::string(name_of(letter.category)), kind.text == nullptr ? std::string() : "template " + kind.text->name})
    if (halted_.contains(what)) break_promise(fmt::format("message {} was handed on while {} was halted", leaf.message.text(), what));
}

void Witness::ended(const store::Batch& batch, const audit::Leaf& leaf, Letter& letter) {
  kept(kOneEnd);
  if (std::exchange(letter.ended, true)) return break_promise(fmt::format("message {} ended twice", leaf.message.text()));
  const std::optional<Flight> flight = flight_of(batch, leaf.message.key);
  if (!flight || flight->state != leaf.state) return break_promise(fmt::format("message {} ended, and its row does not say so", leaf.message.text()));
  if (flight->reason.empty()) break_promise(fmt::format("message {} ended without a reason", leaf.message.text()));
  if (letter.events.empty() || letter.events.back() != leaf.sequence + 1) break_promise(fmt::format("the client of message {} is not told of its end", leaf.message.text()));
  Row& row = *letter.row;
  const auto which = static_cast<std::uint8_t>(static_cast<std::uint8_t>(Count::reached) + static_cast<std::uint8_t>(flight->state) - static_cast<std::uint8_t>(MessageState::reached));
  ++row[static_cast<Count>(which)];
  ++row.reasons[fmt::format("{}: {}", name_of(flight->state), flight->reason)];
  if (flight->state == MessageState::reached) {
    // From the time at which its client wanted it sent.
    const TimeMs later = std::max<TimeMs>(flight->send_at_ms - flight->accepted_ms, 0);
    row.to_reach.add(now_ - letter.accepted - later);
    if (leaf.attempt > 0 && leaf.attempt <= flight->attempts.size()) ++row.reached_by[static_cast<std::size_t>(flight->plan[flight->attempts[leaf.attempt - 1U].step].channel)];
  }
  if (letter.expected == 0) over_.push_back(leaf.message.key);
}

void Witness::less(Letter& letter) {
  if (letter.expected > 0) --letter.expected;
  if (letter.expected == 0 && letter.ended) over_.push_back(letter.id.key);
}

void Witness::told_stored(std::uint64_t number, const std::string& id) {
  kept(kStored);
  const std::optional<MessageId> parsed = MessageId::parse(id);
  Letter* letter = parsed ? find(parsed->key) : nullptr;
  if (letter == nullptr || letter->id != *parsed || letter->number != number)
    return break_promise(fmt::format("the client of order {} was told that it is message {}, which the store does not have", number, id));
  letter->answered = true;
}

void Witness::told_cancelled(MessageKey key) {
  kept(kInTime);
  const Letter* letter = find(key);
  if (letter != nullptr && !letter->ended) break_promise(fmt::format("a client was told that message {} is taken back, and it is not", letter->id.text()));
}

bool Witness::delivered(const wire::Deliver& deliver, std::uint64_t instance, const Customer& customer) {
  const auto key = static_cast<MessageKey>(deliver.attempt().message());
  const std::size_t number = deliver.attempt().number();
  Letter* letter = find(key);
  kept(kRecorded);
  if (letter == nullptr || number == 0 || number > letter->tries.size() || letter->tries[number - 1].last == EventType::ended) {
    break_promise(fmt::format("a connector was given attempt {} of message key {}, of which no record is durable", number, key));
    return true;
  }
  std::uint64_t& holder = letter->tries[number - 1].instance;
  kept(kOnce);
  if (holder != 0 && holder != instance) break_promise(fmt::format("attempt {} of message {} was given to a second process", number, letter->id.text()));
  if (std::exchange(holder, instance) != 0) return true;
  ask_policy(*letter, deliver, customer);
  return false;
}

// What this account knows of the customer, put to the policy: it says go, as it did to the gateway.
void Witness::ask_policy(const Letter& letter, const wire::Deliver& deliver, const Customer& customer) {
  const policy::Policy& policy = config_.policy;
  if (policy.is_empty()) return;
  kept(kPolicy);
  policy::Question question;
  question.category = letter.category;
  question.address = deliver.address();
  question.now = wall_;
  question.zone = customer.time_zone.empty() ? nullptr : zones_.find(customer.time_zone);
  question.weight = letter.order.kind->client->weight;
  question.consent = letter.tries[deliver.attempt().number() - 1].consent;
  std::vector<policy::Sighting> others;
  const std::int64_t memory = policy.memory_ms(letter.category);
  if (memory > 0) {
    std::vector<Reach>& all = reached_out_[customer.number];
    std::erase_if(all, [&](const Reach& r) { return r.sighting.at_ms < wall_ - 40 * kDay; });
    for (const Reach& r : all) {
      if (r.key == letter.id.key) question.counted = true;
      else others.push_back(r.sighting);
    }
    question.sent = others;
    if (!question.counted) all.push_back({letter.id.key, {wall_, letter.category, letter.client, question.weight}});
  }
  if (const policy::Answer answer = policy::ask(policy, question); answer.kind != policy::Answer::Kind::go)
    break_promise(fmt::format("a connector was given message {}, which rule {} stops", letter.id.text(), answer.rule));
}

void Witness::window(const std::string& connector, std::size_t held, std::uint32_t window) {
  kept(kWindow);
  if (held > window) break_promise(fmt::format("connector {} holds {} attempts, and its window is {}", connector, held, window));
}

void Witness::at_end(const Hash& root, store::Store& store) {
  if (tree_.root() != root) return break_promise("the root of the audit log's tree is not that of its leaves");
  for (const auto& [key, letter] : letters_)
    if (!letter.ended) return break_promise(fmt::format("nothing happens any more, and message {} has not ended", letter.id.text()));
  const Result<std::vector<store::FlightRow>> rows = store.scan(0, 1000);
  for (const store::FlightRow& row : *rows)
    if (!letters_.contains(row.key)) return break_promise(fmt::format("message key {} is in the store, and nobody knows of it", row.key));
  if (*store.waiting() != 0) return break_promise("a message has ended, and the store still means to look at it");
  store::Store::Recount counted;
  while (!counted.done) counted = *store.recount(1'000'000);
  if (counted.sum != store.state().sum) return break_promise("the rows of the store do not add up to what it says of itself");
  kept(kAllEnded);
}

}  // namespace postern::rehearsal
