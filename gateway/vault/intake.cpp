// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/intake.hpp"

#include <sodium.h>

#include <algorithm>
#include <limits>

#include "gateway/config/message_facts.hpp"
#include "gateway/numbers/number.hpp"

namespace postern::vault {
namespace {

constexpr std::size_t kMaxKey = 128, kMaxText = 32 * 1024, kMaxSubject = 500, kMaxAddress = 320, kMaxToken = 4096;
constexpr std::size_t kMaxPushTokens = 10, kMaxVariables = 100;
constexpr std::size_t kFingerprint = 32;
constexpr std::size_t kMaxName = 64, kMaxRendered = 128 * 1024;
constexpr std::uint32_t kDiskPatienceMs = 10'000;

bool is_email(std::string_view text) {
  const std::size_t at = text.find('@');
  return text.size() <= kMaxAddress && at != std::string_view::npos && at > 0 && at + 1 < text.size() && text.find('@', at + 1) == std::string_view::npos &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == ','; });
}

std::string_view outcome_word(wire::Verdict::Outcome outcome) {
  switch (outcome) {
    case wire::Verdict::STORED: return "stored";
    case wire::Verdict::VALID: return "valid";
    case wire::Verdict::REPLAYED: return "replayed";
    case wire::Verdict::INVALID: return "invalid";
    case wire::Verdict::KEY_REUSED: return "key-reused";
    case wire::Verdict::CLIENT_UNKNOWN: return "client-unknown";
    case wire::Verdict::FORBIDDEN: return "forbidden";
    case wire::Verdict::BUSY: return "busy";
    case wire::Verdict::UNAVAILABLE: return "unavailable";
    case wire::Verdict::CLOSED: return "closed";
    case wire::Verdict::OUTCOME_UNSET:
    case wire::Verdict_Outcome_Verdict_Outcome_INT_MIN_SENTINEL_DO_NOT_USE_:
    case wire::Verdict_Outcome_Verdict_Outcome_INT_MAX_SENTINEL_DO_NOT_USE_: break;
  }
  return "?";
}

void add_problem(wire::Verdict& verdict, const std::string& pointer, const std::string& code, const std::string& detail) {
  wire::Problem& problem = *verdict.add_problem();
  problem.set_pointer(pointer);
  problem.set_code(code);
  problem.set_detail(detail);
}

std::string hex16(std::uint64_t value) {
  Bytes bytes;
  ByteWriter(bytes).u64(value);
  return to_hex(bytes);
}

// The numbers to which it may go.
PrefixGuard::Numbers numbers_of(const Content& content) {
  PrefixGuard::Numbers numbers;
  for (const Payload& payload : content.payloads)
    if (payload.channel != Channel::push && payload.channel != Channel::email && std::ranges::find(numbers, payload.address) == numbers.end()) numbers.push_back(payload.address);
  return numbers;
}

}  // namespace

std::vector<std::string> commitments_of(const Keys& keys, const MessageId& id, std::string_view text) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.raw(id.bytes());
  out.raw(text);
  std::vector<std::string> found;
  for (const Mac& mac : keys.macs(Purpose::otp_commitment, bytes)) found.push_back(to_hex(ByteView(mac).first(16)));
  wipe(bytes.data(), bytes.size());
  return found;
}

// What is known of a submit while it is checked.
struct Intake::Draft {
  std::vector<templates::Fault> faults;
  Category category = Category::service;
  const config::Scenario* scenario = nullptr;
  const templates::Template* text = nullptr;   // null: plain content
  std::vector<std::string_view> values;
  TimeMs deadline_ms = 0, send_at_ms = 0;
  std::string network;
  std::vector<policy::Value> facts;            // for conditions; empty while nobody has asked
  std::vector<Step> steps;
  Content content;
  bool forbidden = false;

  void fault(std::string pointer, std::string code, std::string detail) {
    faults.push_back({std::move(pointer), std::move(code), std::move(detail)});
  }
};

const config::Client* Intake::client_of(const Peer& peer, const std::string& identity) const {
  const config::Config& config = *context_.config;
  std::string name;
  if (identity.empty()) {
    const auto connector = config.connectors.find(peer.name);
    if (connector != config.connectors.end()) name = connector->second.client;
  } else if (const auto found = config.client_of_identity.find(identity); found != config.client_of_identity.end()) {
    name = found->second;
  }
  const auto client = config.clients.find(name);
  return client == config.clients.end() ? nullptr : &client->second;
}

void Intake::submit(Turn& turn, Peer& peer, const wire::Submit& submit) {
  wire::Verdict& verdict = *peer.out.add_verdict();
  verdict.set_tag(submit.tag());
  const config::Client* client = client_of(peer, submit.identity());
  if (client == nullptr) return refuse(turn, "", submit, verdict, wire::Verdict::CLIENT_UNKNOWN, "client-unknown");
  if (!within_rate(*client, turn.now())) {
    verdict.set_retry_after_ms(1000);
    verdict.set_outcome(wire::Verdict::BUSY);
    ++context_.metrics.verdicts[{client->name, "busy"}];
    return;
  }
  if (submit.idempotency_key().size() > kMaxKey) {
    add_problem(verdict, "/idempotency_key", "too-long", "must have at most 128 bytes");
    return refuse(turn, client->name, submit, verdict, wire::Verdict::INVALID, "too-long");
  }
  if (!submit.idempotency_key().empty() && submit.fingerprint().size() != kFingerprint) {
    add_problem(verdict, "/idempotency_key", "no-fingerprint", "a key needs the SHA-256 of what it stands for: 32 bytes");
    return refuse(turn, client->name, submit, verdict, wire::Verdict::INVALID, "no-fingerprint");
  }
  if (!submit.validate_only() && !submit.idempotency_key().empty() && settled_by_key(turn, *client, submit, verdict)) return;
  if (!context_.accepting && !submit.validate_only()) {
    verdict.set_retry_after_ms(kDiskPatienceMs);
    verdict.set_outcome(wire::Verdict::UNAVAILABLE);
    ++context_.metrics.verdicts[{client->name, "unavailable"}];
    return;
  }

  Draft draft;
  check_words(*client, submit, draft);
  if (draft.forbidden) {
    for (const templates::Fault& f : draft.faults) add_problem(verdict, f.pointer, f.code, f.detail);
    return refuse(turn, client->name, submit, verdict, wire::Verdict::FORBIDDEN, "forbidden");
  }
  const std::optional<wire::Submit> filled = completed(submit);
  if (const std::string& why = context_.recipients.failure(); !why.empty()) return turn.fail_with(why);
  const wire::Submit& whole = filled ? *filled : submit;
  check_recipient(whole, draft);
  if (draft.faults.empty()) choose_scenario(*client, whole, draft);
  check_times(turn.now(), submit, draft);
  if (draft.faults.empty()) plan(*client, whole, draft);
  if (!draft.faults.empty()) {
    for (const templates::Fault& f : draft.faults) add_problem(verdict, f.pointer, f.code, f.detail);
    const wire::Verdict::Outcome outcome = draft.forbidden ? wire::Verdict::FORBIDDEN : wire::Verdict::INVALID;
    return refuse(turn, client->name, submit, verdict, outcome, draft.faults.front().code);
  }
  if (!prefix_open(turn, *client, whole, draft, verdict)) return;
  if (submit.validate_only()) {
    verdict.set_outcome(wire::Verdict::VALID);
    ++context_.metrics.verdicts[{client->name, "valid"}];
    return;
  }
  accept(turn, *client, whole, draft, verdict);
}

// What goes to a number costs, and may be what somebody asks for in order to be paid. Refusals are counted and no leaf each: a flood of
// submits is no flood of leaves.
bool Intake::prefix_open(Turn& turn, const config::Client& client, const wire::Submit& submit, const Draft& draft, wire::Verdict& verdict) {
  const PrefixGuard::Numbers numbers = numbers_of(draft.content);
  if (numbers.empty()) return true;
  const std::optional<PrefixGuard::Closed> closed =
      submit.validate_only() ? prefixes_.closed(draft.category, numbers, turn.now()) : prefixes_.submit(turn, draft.category, numbers);
  if (!closed) return true;
  add_problem(verdict, numbers[closed->number] == submit.recipient().phone() ? "/recipient/phone" : "/recipient/whatsapp", "prefix-closed",
              "too much was asked for to numbers that begin like this one; nothing is taken for them until the time that is told");
  verdict.set_retry_after_ms(static_cast<std::uint32_t>(std::min<TimeMs>(closed->until - turn.now(), std::numeric_limits<std::uint32_t>::max())));
  verdict.set_outcome(wire::Verdict::CLOSED);
  ++context_.metrics.verdicts[{client.name, "closed"}];
  return false;
}

bool Intake::within_rate(const config::Client& client, TimeMs now) {
  if (client.rate == 0) return true;
  // One second's worth may come at once.
  Bucket& bucket = buckets_.try_emplace(client.name, Bucket{static_cast<double>(client.rate), now}).first->second;
  const double gained = static_cast<double>(std::max<TimeMs>(now - bucket.filled_ms, 0)) * client.rate / 1000.0;
  bucket.tokens = std::min<double>(client.rate, bucket.tokens + gained);
  bucket.filled_ms = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

bool Intake::settled_by_key(Turn& turn, const config::Client& client, const wire::Submit& submit, wire::Verdict& verdict) {
  std::optional<store::IdempotencyRow> known;
  // A message from before a rotation of the key stands under an older version.
  for (const std::array<std::uint8_t, 16>& hash : context_.keys.idempotency_hashes(client.name, submit.idempotency_key())) {
    if (const auto fresh = fresh_keys_.find(std::string(as_text(hash))); fresh != fresh_keys_.end()) {
      known = fresh->second;
    } else {
      Result<std::optional<store::IdempotencyRow>> row = context_.store.idempotency(turn.number_of_client(client.name), hash);
      if (!row) {
        turn.fail_with(row.what());
        return true;
      }
      known = *row;
    }
    if (known) break;
  }
  if (!known) return false;
  const std::string_view given = std::string_view(submit.fingerprint()).substr(0, known->fingerprint.size());
  if (given != as_text(known->fingerprint)) {
    add_problem(verdict, "/idempotency_key", "key-reused", "this key was used before with another body; use a new key for a new message");
    turn.leaf(EventType::key_reused, {}, nullptr, turn.number_of_client(client.name));
    verdict.set_outcome(wire::Verdict::KEY_REUSED);
  } else {
    verdict.set_id(MessageId{known->key, known->random}.text());
    verdict.set_outcome(wire::Verdict::REPLAYED);
    // An auditor sees each repetition beside the message it stands for.
    if (const Flight* flight = turn.find(known->key)) turn.leaf(EventType::replayed, {}, flight);
  }
  ++context_.metrics.verdicts[{client.name, std::string(outcome_word(verdict.outcome()))}];
  return true;
}

void Intake::check_words(const config::Client& client, const wire::Submit& submit, Draft& draft) const {
  const config::Config& config = *context_.config;
  const int category = submit.category();
  if (category < 1 || category > static_cast<int>(kLanes))
    return draft.fault("/category", "unknown-category", "must be one of otp, security, transaction, service, marketing");
  draft.category = static_cast<Category>(category);
  if (std::ranges::find(client.categories, draft.category) == client.categories.end()) {
    draft.forbidden = true;
    return draft.fault("/category", "category-forbidden", "this client may not send " + std::string(name_of(draft.category)));
  }
  if (submit.reference().size() > kMaxReference) draft.fault("/reference", "too-long", "must have at most 128 bytes");

  if (submit.template_().empty()) {
    if (!client.free_text) {
      draft.forbidden = true;
      return draft.fault("/template", "template-required", "this client sends templates alone");
    }
    if (submit.text().empty()) draft.fault("/template", "no-content", "give a template, or a text");
    if (submit.text().size() > kMaxText) draft.fault("/text", "too-long", "must have at most 32768 bytes");
    if (submit.subject().size() > kMaxSubject) draft.fault("/subject", "too-long", "must have at most 500 bytes");
    if (submit.variable_size() > 0) draft.fault("/variables", "variables-without-template", "variables belong to a template");
    return;
  }
  if (!submit.text().empty()) draft.fault("/text", "text-and-template", "give either a template or a text");
  // Whether there is one that is not for it is none of its business.
  if (!client.may_use(submit.template_())) {
    draft.forbidden = true;
    return draft.fault("/template", "template-forbidden", "this client may not use this template");
  }
  const auto found = config.templates.find(submit.template_());
  if (found == config.templates.end()) return draft.fault("/template", "unknown-template", "there is no template of this name");
  draft.text = &found->second;
  if (std::ranges::find(draft.text->categories, draft.category) == draft.text->categories.end())
    draft.fault("/template", "template-not-for-category", "this template is not for " + std::string(name_of(draft.category)));
  if (static_cast<std::size_t>(submit.variable_size()) > kMaxVariables) return draft.fault("/variables", "too-many", "at most 100 variables");
  templates::Variables variables;
  for (const wire::Variable& variable : submit.variable()) variables.emplace_back(variable.name(), variable.value());
  draft.values = draft.text->check(variables, draft.faults);
}

void check(const wire::Recipient& r, Zones& zones, const std::string& at, std::vector<templates::Fault>& faults) {
  const auto fault = [&](const std::string& what, std::string code, std::string detail) { faults.push_back({at + what, std::move(code), std::move(detail)}); };
  if (!r.phone().empty() && !numbers::is_e164(r.phone())) fault("/phone", "not-e164", "must be an international number, 7 to 15 digits");
  if (!r.whatsapp().empty() && !numbers::is_e164(r.whatsapp())) fault("/whatsapp", "not-e164", "must be an international number, 7 to 15 digits");
  if (!r.email().empty() && !is_email(r.email())) fault("/email", "not-an-address", "must be an e-mail address");
  if (static_cast<std::size_t>(r.push_size()) > kMaxPushTokens) fault("/push", "too-many", "at most 10 tokens");
  for (int i = 0; i < r.push_size(); ++i)
    if (r.push(i).token().empty() || r.push(i).token().size() > kMaxToken) fault("/push/" + std::to_string(i) + "/token", "bad-token", "must have 1 to 4096 bytes");
  for (int i = 0; i < r.push_size(); ++i)
    if (const std::string& p = r.push(i).platform(); p != "fcm" && p != "apns" && p != "hms")
      fault("/push/" + std::to_string(i) + "/platform", "bad-platform", "must be fcm, apns or hms");
  if (r.locale().size() > kMaxName) fault("/locale", "too-long", "must have at most 64 bytes");
  if (r.time_zone().size() > kMaxName) fault("/time_zone", "too-long", "must have at most 64 bytes");
  if (!r.time_zone().empty() && zones.find(r.time_zone()) == nullptr) fault("/time_zone", "unknown-zone", "there is no time zone of this name");
  if (r.reference().size() > kMaxReference) fault("/reference", "too-long", "must have at most 128 bytes");
  if (!r.preferred().empty() && !channel_named(r.preferred())) fault("/preferred", "unknown-channel", "must be one of push, sms, whatsapp, viber, telegram, email, voice");
}

std::optional<wire::Submit> Intake::completed(const wire::Submit& submit) const {
  if (submit.recipient().reference().empty()) return std::nullopt;
  const Recipient* known = context_.recipients.find(submit.recipient().reference(), {});
  if (known == nullptr) return std::nullopt;
  const wire::Recipient& named = submit.recipient();
  const bool own_address = !named.phone().empty() || !named.email().empty() || !named.whatsapp().empty() || named.push_size() > 0;
  const bool adds = (!own_address && known->has_address()) || (named.locale().empty() && !known->locale.empty()) ||
                    (named.time_zone().empty() && !known->time_zone.empty()) || (named.preferred().empty() && !known->preferred.empty());
  if (!adds) return std::nullopt;
  wire::Submit whole = submit;
  wire::Recipient& r = *whole.mutable_recipient();
  // Addresses are taken together: what a client names replaces all that is kept, or a number it withholds would be used after all.
  if (!own_address) {
    r.set_phone(known->phone);
    r.set_email(known->email);
    r.set_whatsapp(known->whatsapp);
    for (const PushAddress& p : known->push) {
      wire::PushToken& token = *r.add_push();
      token.set_token(p.token);
      token.set_platform(p.platform);
    }
  }
  if (r.locale().empty()) r.set_locale(known->locale);
  if (r.time_zone().empty()) r.set_time_zone(known->time_zone);
  if (r.preferred().empty()) r.set_preferred(known->preferred);
  return whole;
}

void Intake::check_recipient(const wire::Submit& submit, Draft& draft) const {
  const wire::Recipient& r = submit.recipient();
  check(r, context_.zones, "/recipient", draft.faults);
  if (r.phone().empty() && r.email().empty() && r.push_size() == 0 && r.whatsapp().empty())
    draft.fault("/recipient", "no-address", r.reference().empty() ? "give at least one of phone, email, push, whatsapp" : "give at least one of phone, email, push, whatsapp; none is kept for this reference");
  if (draft.faults.empty() && !r.phone().empty() && context_.numbers)
    if (const std::optional<numbers::Network> network = context_.numbers->find(r.phone())) draft.network = network->current;
}

bool Intake::holds(const policy::Condition& condition, const config::Client& client, const wire::Submit& submit, Draft& draft) const {
  if (draft.facts.empty()) {
    const wire::Recipient& r = submit.recipient();
    config::MessageFacts facts;
    facts.category = name_of(draft.category);
    facts.client = client.name;
    facts.template_name = submit.template_();
    facts.network = draft.network;
    facts.locale = r.locale();
    facts.time_zone = r.time_zone();
    facts.preferred = r.preferred();
    facts.phone = !r.phone().empty();
    facts.email = !r.email().empty();
    facts.push = r.push_size() > 0;
    facts.whatsapp = !r.whatsapp().empty();
    for (const wire::Variable& variable : submit.variable()) facts.variables.emplace(variable.name(), variable.value());
    draft.facts = config::values_of(facts, *context_.config->vocabulary);
  }
  return condition.evaluate(draft.facts);
}

void Intake::choose_scenario(const config::Client& client, const wire::Submit& submit, Draft& draft) const {
  const config::Config& config = *context_.config;
  const config::CategoryRules& rules = config.rules(draft.category);
  std::string_view wanted = submit.scenario().empty() ? std::string_view(rules.scenario) : submit.scenario();
  if (submit.scenario().empty())
    if (const auto chosen = std::ranges::find_if(rules.choices, [&](const config::Choice& c) { return holds(c.when, client, submit, draft); });
        chosen != rules.choices.end())
      wanted = chosen->scenario;
  const auto scenario = config.scenarios.find(wanted);
  if (scenario == config.scenarios.end()) return draft.fault("/scenario", "unknown-scenario", "there is no scenario of this name");
  draft.scenario = &scenario->second;
  const auto& allowed = draft.scenario->categories;
  if (!allowed.empty() && std::ranges::find(allowed, draft.category) == allowed.end())
    draft.fault("/scenario", "scenario-not-for-category", "this scenario is not for " + std::string(name_of(draft.category)));
}

void Intake::check_times(TimeMs now, const wire::Submit& submit, Draft& draft) const {
  const auto deadline = static_cast<TimeMs>(submit.deadline_ms()), send_at = static_cast<TimeMs>(submit.send_at_ms());
  if (send_at != 0 && (send_at < 0 || send_at > now + kMaxAhead)) draft.fault("/send_at", "too-far", "must be within a year from now");
  else draft.send_at_ms = send_at > now ? send_at : 0;
  // What waits for an event waits no longer than its scenario says, or its client.
  if (draft.send_at_ms == 0 && draft.scenario != nullptr && !draft.scenario->start_on.empty()) draft.send_at_ms = now + draft.scenario->start_by.count();
  const TimeMs begin = std::max(now, draft.send_at_ms);
  if (deadline == 0) {
    draft.deadline_ms = draft.scenario == nullptr ? begin : begin + draft.scenario->deadline.count();
    return;
  }
  if (deadline <= now) draft.fault("/deadline", "deadline-passed", "the deadline has passed: the message would never be sent");
  else if (deadline <= draft.send_at_ms) draft.fault("/deadline", "deadline-before-send-at", "the deadline must be after send_at, or after the time when its scenario begins at the latest (start_by)");
  else if (deadline > now + kMaxAhead) draft.fault("/deadline", "too-far", "must be within a year from now");
  draft.deadline_ms = deadline;
}

// What one step would send; false, and why, when the recipient or the template has nothing for it.
bool Intake::payload_for(const config::ScenarioStep& step, const wire::Submit& submit, const Draft& draft, Payload& payload, std::string& why) const {
  const wire::Recipient& r = submit.recipient();
  const Channel channel = step.step.channel;
  payload.channel = channel;
  payload.sender = step.sender;
  switch (channel) {
    case Channel::push:
      if (r.push_size() > 0) {
        payload.address = r.push(0).token();
        payload.platform = r.push(0).platform();
      }
      break;
    case Channel::email: payload.address = r.email(); break;
    case Channel::whatsapp: payload.address = r.whatsapp().empty() ? r.phone() : r.whatsapp(); break;
    case Channel::sms:
    case Channel::viber:
    case Channel::telegram:
    case Channel::voice: payload.address = r.phone(); break;
  }
  if (payload.address.empty()) {
    why = "no address";
    return false;
  }
  const config::Config& config = *context_.config;
  const Label most = config.trust_of(channel), usual = config.rules(draft.category).label;
  if (draft.text == nullptr) {
    if (usual > most) {
      why = "no text that is low enough";
      return false;
    }
    payload.text = submit.text();
    payload.subject = submit.subject();
    return true;
  }
  const templates::Part* part = draft.text->part(r.locale(), channel, step.text, most, usual);
  if (part == nullptr || !templates::Template::fits(*part, channel)) {
    why = config.trust.empty() ? "no text" : "no text, or none that is low enough";
    return false;
  }
  draft.text->render(*part, draft.values, payload);
  return true;
}

// What may not leave the bank; the fault tells the kind and never the words.
void Intake::check_words_of(const Payload& payload, Draft& draft) const {
  const policy::Policy& policy = context_.config->policy;
  if (!policy.guards_content) return;
  for (const std::string* text : {&payload.subject, &payload.text, &payload.html})
    for (const policy::Finding& finding : policy::check(*text, policy.content)) {
      const std::string kind(policy::name_of(finding.kind));
      draft.fault(draft.text == nullptr ? "/text" : "/variables", "content-" + kind,
                  "the text for " + std::string(name_of(payload.channel)) + " holds what may not leave the bank: " + kind + " at byte " + std::to_string(finding.offset));
    }
}

// What a message that is sent by this way costs on its channel, as far as it is known beforehand.
std::int64_t Intake::price_of(Channel channel, const Draft& draft) const {
  const auto& routes = context_.config->routes;
  const auto route = std::ranges::find_if(routes, [&](const config::Route& r) { return r.carries(channel, draft.network, draft.category); });
  return route == routes.end() ? 0 : route->price;
}

// Steps for which this recipient or this text has nothing are left out; what remains goes in the scenario's order.
void Intake::plan(const config::Client& client, const wire::Submit& submit, Draft& draft) const {
  using Stage = std::vector<Step>;   // steps that begin together
  std::vector<Stage> stages;
  std::string missing;
  const auto leave_out = [&missing](Channel channel, std::string_view why) {
    missing += (missing.empty() ? "" : ", ") + std::string(name_of(channel)) + ": " + std::string(why);
  };
  std::uint32_t wait_ms = 0;
  bool goes_on = false;              // a step of the stage is in already
  for (const config::ScenarioStep& step : draft.scenario->steps) {
    if (!step.step.together) {
      wait_ms = step.step.wait_ms;
      goes_on = false;
    }
    Step planned = step.step;
    if (!planned.pause) {
      if (!context_.config->may_carry(step.sender, draft.category))
        return draft.fault("/scenario", "sender-not-for-category", "a sender of this scenario may not carry " + std::string(name_of(draft.category)));
      if (!client.may_send_as(step.sender)) {
        draft.forbidden = true;
        return draft.fault("/scenario", "sender-forbidden", "this client's messages may not go out by a sender of this scenario");
      }
      Payload payload;
      std::string why;
      if (step.when && !holds(*step.when, client, submit, draft)) {
        leave_out(planned.channel, "its condition does not hold");
        continue;
      }
      if (!payload_for(step, submit, draft, payload, why)) {
        leave_out(planned.channel, why);
        continue;
      }
      if (payload.subject.size() + payload.text.size() + payload.html.size() > kMaxRendered)
        return draft.fault("/variables", "too-long", "the text for " + std::string(name_of(planned.channel)) + " would be longer than 128 KiB");
      planned.payload = static_cast<std::uint8_t>(draft.content.payloads.size());
      check_words_of(payload, draft);
      draft.content.payloads.push_back(std::move(payload));
    }
    // The first that is left carries the wait of those that begin with it.
    planned.together = goes_on;
    planned.wait_ms = goes_on ? 0 : wait_ms;
    if (!goes_on) stages.emplace_back();
    stages.back().push_back(planned);
    goes_on = true;
  }
  if (draft.content.payloads.empty())
    return draft.fault("/recipient", "no-usable-step", "no step of scenario '" + draft.scenario->name + "' can be taken (" + missing + ")");
  while (stages.back().front().pause) stages.pop_back();
  const auto price = [&](const Stage& stage) {
    std::int64_t sum = 0;
    for (const Step& step : stage) sum += price_of(step.channel, draft);
    return sum;
  };
  if (draft.scenario->order == config::Order::cheapest) std::ranges::stable_sort(stages, {}, price);
  if (draft.scenario->order == config::Order::preferred)
    std::ranges::stable_partition(stages, [&](const Stage& stage) {
      return std::ranges::any_of(stage, [&](const Step& step) { return name_of(step.channel) == submit.recipient().preferred(); });
    });
  for (const Stage& stage : stages) draft.steps.insert(draft.steps.end(), stage.begin(), stage.end());
  draft.content.recipient = submit.recipient().reference();
  draft.content.template_name = submit.template_();
  draft.content.time_zone = submit.recipient().time_zone();
}

// Drawn in advance: it is a system call.
std::uint64_t Intake::random_54_bits() {
  if (drawn_.empty()) {
    drawn_.resize(64);
    randombytes_buf(drawn_.data(), drawn_.size() * sizeof drawn_[0]);
  }
  const std::uint64_t value = drawn_.back();
  drawn_.pop_back();
  return value & ((1ULL << 54) - 1);
}

void Intake::accept(Turn& turn, const config::Client& client, const wire::Submit& submit, Draft& draft, wire::Verdict& verdict) {
  Flight flight;
  flight.id = {context_.ids.next(turn.now()), random_54_bits()};
  flight.client = turn.number_of_client(client.name);
  if (!submit.template_().empty()) flight.template_id = turn.number_of_template(submit.template_());
  flight.category = draft.category;
  flight.reference = submit.reference();
  flight.network = draft.network;
  flight.accepted_ms = turn.now();
  flight.deadline_ms = draft.deadline_ms;
  flight.send_at_ms = draft.send_at_ms;
  flight.plan = std::move(draft.steps);
  flight.escalate = draft.scenario->escalate;
  flight.stop_on = draft.scenario->stop_on;
  flight.start_on = draft.scenario->start_on;
  // One person is found by any of the addresses; the phone tells most, then e-mail, then a token.
  const wire::Recipient& r = submit.recipient();
  const std::string& whom = !r.phone().empty() ? r.phone() : !r.email().empty() ? r.email() : draft.content.payloads.front().address;
  flight.recipient = context_.keys.pseudonym(whom);
  flight.person = person_of(context_.keys, r.reference(), whom);

  if (!submit.idempotency_key().empty()) {
    store::IdempotencyRow row;
    row.client = flight.client;
    row.hash = context_.keys.idempotency_hash(client.name, submit.idempotency_key());
    row.key = flight.id.key;
    row.random = flight.id.random;
    std::copy_n(submit.fingerprint().begin(), std::min(submit.fingerprint().size(), row.fingerprint.size()), row.fingerprint.begin());
    fresh_keys_.emplace(std::string(as_text(row.hash)), row);
    turn.batch().idempotency.push_back(row);
  }
  audit::Body body{{audit::Field::recipient, hex16(flight.recipient)}, {audit::Field::scenario, draft.scenario->name}};
  if (!submit.template_().empty()) body.emplace_back(audit::Field::template_name, submit.template_());
  if (!flight.network.empty()) body.emplace_back(audit::Field::network, flight.network);
  // Whoever disputes a one-time code later can have its text checked, though nobody can read it.
  if (flight.category == Category::otp)
    for (const Payload& payload : draft.content.payloads)
      if (!payload.text.empty()) body.emplace_back(audit::Field::commitment, commitments_of(context_.keys, flight.id, payload.text).front());
  const Flight& accepted = turn.accept(std::move(flight), std::move(draft.content), body);
  const Content& content = *turn.content(accepted);
  prefixes_.accepted(accepted.id.key, accepted.category, numbers_of(content), turn.now());
  // Replies come from the address alone: remember which message waits for one.
  for (const Step& step : accepted.plan)
    if (!step.pause && step.until == Until::replied && step.channel != Channel::email && step.channel != Channel::push)
      turn.batch().conversations.emplace_back(context_.keys.pseudonym(content.payloads[step.payload].address), accepted.id.key);
  verdict.set_id(accepted.id.text());
  verdict.set_outcome(wire::Verdict::STORED);
  ++context_.metrics.verdicts[{client.name, "stored"}];
}

void Intake::refuse(Turn& turn, const std::string& client, const wire::Submit& submit, wire::Verdict& verdict, wire::Verdict::Outcome outcome,
                    const std::string& reason) {
  verdict.set_outcome(outcome);
  ++context_.metrics.verdicts[{client, std::string(outcome_word(outcome))}];
  if (submit.validate_only()) return;  // a question stores nothing
  turn.leaf(EventType::rejected, {{audit::Field::reason, reason}}, nullptr, client.empty() ? ClientId{0} : turn.number_of_client(client));
}

}  // namespace postern::vault
