// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/gate.hpp"

#include <algorithm>

#include "gateway/policy/decided.hpp"

namespace postern::vault {
namespace {

engine::Decision::Kind kind_of(policy::Answer::Kind kind) {
  switch (kind) {
    case policy::Answer::Kind::go: return engine::Decision::Kind::go;
    case policy::Answer::Kind::hold: return engine::Decision::Kind::hold;
    case policy::Answer::Kind::skip: return engine::Decision::Kind::skip;
  }
  return engine::Decision::Kind::skip;
}

// What was asked and answered, for the leaf that comes of it: of a no, and of a yes where an attempt is handed over. A yes at a step's
// beginning leads to no leaf.
std::string recorded(const Context& context, const Flight& flight, const Step& step, const Content& content, const policy::Question& question,
                     std::vector<policy::Sighting> sent, bool sent_known, const policy::Answer& answer) {
  const auto index = static_cast<std::uint8_t>(&step - flight.plan.data());
  const bool waits = std::ranges::any_of(flight.attempts, [&](const Attempt& a) { return a.step == index && a.state == AttemptState::ready; });
  if (answer.kind == policy::Answer::Kind::go && !waits) return {};
  policy::Decided facts;
  facts.policy = context.config->policy_source.version;
  facts.category = question.category;
  facts.step = index;
  facts.channel = step.channel;
  facts.now = question.now;
  facts.zone = content.time_zone;
  facts.weight = question.weight;
  facts.counted = question.counted;
  facts.consent = question.consent;
  facts.speed = question.speed;
  facts.turn_ms = question.turn_ms;
  facts.same_ms = question.same_ms;
  facts.sent_known = sent_known;
  facts.deadline_ms = flight.deadline_ms;
  facts.stage_end_ms = flight.step_end_ms;
  facts.answer = answer;
  facts.sent = std::move(sent);
  policy::keep_newest(facts.sent, facts.sent_cut);
  return std::string(as_text(policy::encode(facts)));
}

// A message is counted once: before it has anything under way.
bool takes_turn(const Flight& flight) {
  return std::ranges::none_of(flight.attempts, [](const Attempt& a) { return a.handed_ms != 0 || a.state == AttemptState::ready; });
}

}  // namespace

policy::Speed& Gate::speed_of(const policy::SpeedRule& rule) {
  const auto found = speeds_.find(rule.name);
  if (found != speeds_.end() && found->second.is(rule.count, rule.per_ms)) return found->second;
  return speeds_.insert_or_assign(rule.name, policy::Speed(rule.count, rule.per_ms)).first->second;
}

engine::Decision Gate::ask(Turn& turn, const Flight& flight, const Step& step) {
  if (const Halt* halt = context_.halts.covering(flight))
    return {engine::Decision::Kind::hold, 0, "halted-" + std::string(name_of(halt->kind)), {}, {}};
  const policy::Policy& policy = context_.config->policy;
  if (policy.is_empty() && !context_.recipients.any()) return {};
  const Content* content = turn.content(flight);
  if (content == nullptr || step.payload >= content->payloads.size()) return {};
  policy::Question question;
  question.category = flight.category;
  question.address = content->payloads[step.payload].address;
  question.now = turn.now();
  // Checked when the message was accepted; one that the database has lost since is as good as none.
  question.zone = content->time_zone.empty() ? nullptr : context_.zones.find(content->time_zone);
  const ConsentRecord* consent = nullptr;
  if (!policy::passes(flight.category)) {
    consent = context_.recipients.consent(*content, flight.category, step.channel);
    if (const std::string& why = context_.recipients.failure(); !why.empty()) turn.fail_with(why);
    if (consent != nullptr) question.consent = consent->given ? policy::ConsentState::given : policy::ConsentState::withdrawn;
  }
  Sightings::Of sent;
  const bool looks = policy.memory_ms(flight.category) > 0;
  if (looks) {
    sent = context_.sightings.of(flight.person, flight.id.key);
    question.sent = sent.others;
    question.counted = sent.counted;
    question.weight = context_.weight_of(flight.client);
    if (policy.duplicate_ms(flight.category) > 0)
      question.same_ms = context_.sightings.last_same(flight.person, flight.id.key, digests_of(context_.keys, flight.person, content->payloads[step.payload]));
    if (const std::string& why = context_.sightings.failure(); !why.empty()) turn.fail_with(why);
  }
  policy::Answer answer = policy::ask(policy, question);
  if (answer.kind == policy::Answer::Kind::go && takes_turn(flight)) {
    // Last, for a turn is taken by asking: what something else holds back takes none.
    if (const policy::SpeedRule* rule = policy.speed_of(flight.category, content->template_name, context_.client_name(flight.client))) {
      question.speed = rule->name;
      question.turn_ms = speed_of(*rule).ask(turn.now(), step.held ? step.again_ms : 0, flight.deadline_ms);
      answer = policy::ask(policy, question);
    }
  }
  std::string facts = recorded(context_, flight, step, *content, question, std::move(sent.others), looks, answer);
  return {kind_of(answer.kind), answer.until_ms, std::move(answer.rule), std::move(answer.passed), consent == nullptr ? std::string() : hash_of(*consent), std::move(facts)};
}

}  // namespace postern::vault
