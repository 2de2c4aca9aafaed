// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/explain.hpp"

#include <optional>

#include "connectors/protocol/log.hpp"
#include "gateway/config/policy_change.hpp"
#include "gateway/config/policy_part.hpp"
#include "gateway/control/reports.hpp"
#include "gateway/policy/decided.hpp"

namespace postern::reports {
namespace {

constexpr int kMaxChanges = 16;

// The policy in force with all changes made.
Result<config::PolicyFile> changed(const config::PolicySource& source, const control::ExplainAsk& ask) {
  if (source.path.empty()) return fail("there is no policy in force to change; posternd.toml names one with policy = \"policy.toml\"");
  if (ask.what_if_size() > kMaxChanges) return fail("at most 16 changes at once");
  std::string text = source.text;
  for (const std::string& change : ask.what_if()) {
    Result<std::string> next = config::change_policy(text, change);
    if (!next) return fail(next.what());
    text = std::move(*next);
  }
  Result<config::PolicyFile> policy = config::load_policy(text, source.path);
  if (!policy) return fail("the changed policy is refused:\n" + policy.what());
  return policy;
}

void fill(const policy::Decided& facts, const policy::Answer& answer, control::Verdict& out) {
  switch (answer.kind) {
    case policy::Answer::Kind::go: out.set_kind("go"); break;
    case policy::Answer::Kind::hold: out.set_kind(facts.fits(answer) ? "wait" : "leave-out"); break;
    case policy::Answer::Kind::skip: out.set_kind("leave-out"); break;
  }
  out.set_rule(answer.rule);
  out.set_until_ms(answer.until_ms);
  for (const std::string& rule : answer.passed) out.add_passed(rule);
}

std::string version_text(std::uint64_t version) {
  Bytes bytes;
  ByteWriter(bytes).u64(version);
  return to_hex(bytes);
}

class Explainer {
 public:
  Explainer(vault::Turn& turn, vault::Context& context, const Flight& flight, const policy::Policy* what_if)
      : context_(context), flight_(flight), what_if_(what_if), content_(turn.content(flight)) {}

  void fill_decision(const policy::Decided& facts, control::Decision& out) {
    const policy::Policy& policy = context_.config->policy;
    const std::string address = address_of(facts);
    const policy::Zone* own = facts.zone.empty() ? nullptr : context_.zones.find(facts.zone);
    const policy::Zone* zone = own != nullptr ? own : policy.zone ? &*policy.zone : nullptr;
    out.set_policy(version_text(facts.policy));
    out.set_same_policy(facts.policy == context_.config->policy_source.version);
    out.set_step(facts.step + 1U);
    out.set_channel(std::string(name_of(facts.channel)));
    if (!address.empty()) out.set_address(log::masked(address));
    out.set_at_ms(facts.now);
    if (zone != nullptr) {
      out.set_zone(zone->name());
      out.set_own_zone(own != nullptr);
      out.set_local_ms(zone->local_of(facts.now).ms);
    }
    out.set_weight(facts.weight);
    out.set_counted(facts.counted);
    for (const policy::Sighting& one : facts.sent) {
      control::SightingFacts& seen = *out.add_sent();
      seen.set_at_ms(one.at_ms);
      seen.set_category(std::string(name_of(one.category)));
      seen.set_client(name_after_colon(context_.names.name(one.client)));
      seen.set_weight(one.weight);
    }
    out.set_sent_cut(facts.sent_cut);
    if (facts.consent != policy::ConsentState::none) out.set_consent(facts.consent == policy::ConsentState::given ? "given" : "withdrawn");
    out.set_speed(facts.speed);
    out.set_turn_ms(facts.turn_ms);
    out.set_same_ms(facts.same_ms.value_or(0));
    out.set_deadline_ms(facts.deadline_ms);
    out.set_stage_end_ms(facts.stage_end_ms);
    if (zone != nullptr) fill_caps(facts, *zone, out);
    fill(facts, facts.answer, *out.mutable_said());
    // A list said no, and there is no address to ask it of again.
    if (address.empty() && facts.answer.rule.starts_with("list-")) return;
    policy::Question question = facts.question(address, own);
    question.address_known = !address.empty();
    fill(facts, policy::ask(policy, question), *out.mutable_now());
    if (what_if_ != nullptr) fill(facts, policy::ask(*what_if_, question), *out.mutable_what_if());
  }

 private:
  std::string address_of(const policy::Decided& facts) const {
    if (content_ == nullptr || facts.step >= flight_.plan.size()) return {};
    const std::size_t payload = flight_.plan[facts.step].payload;
    return payload < content_->payloads.size() ? content_->payloads[payload].address : std::string();
  }

  void fill_caps(const policy::Decided& facts, const policy::Zone& zone, control::Decision& out) const {
    for (const policy::Cap& cap : context_.config->policy.caps) {
      if ((cap.categories & policy::mask_of(facts.category)) == 0) continue;
      const policy::Verdict use = policy::allowed_at(cap, facts.sent, facts.category, facts.weight, facts.now, zone);
      control::CapFacts& shown = *out.add_cap();
      shown.set_name(cap.name);
      shown.set_used(use.used);
      shown.set_limit(use.limit);
    }
  }

  vault::Context& context_;
  const Flight& flight_;
  const policy::Policy* what_if_;
  const Content* content_;   // of this turn; null: not kept any more
};

}  // namespace

void explain(vault::Turn& turn, vault::Context& context, const control::ExplainAsk& ask, const std::string& actor, control::Reply& reply) {
  const Result<const Flight*> found = flight_of(turn, ask.id());
  if (!found) return reply.set_error(found.what());
  const Flight* flight = *found;
  std::optional<config::PolicyFile> what_if;
  if (ask.what_if_size() > 0) {
    Result<config::PolicyFile> policy = changed(context.config->policy_source, ask);
    if (!policy) return reply.set_error(policy.what());
    what_if = std::move(*policy);
    reply.mutable_explanation()->set_what_if(what_if->sha256);
  }
  const Result<std::vector<audit::Leaf>> leaves = leaves_of(context, *flight);
  if (!leaves) return reply.set_error(leaves.what());
  reply.mutable_explanation()->set_policy(context.config->policy_source.sha256);
  *reply.mutable_head() = head_of(context, *flight);
  Explainer explainer(turn, context, *flight, what_if ? &what_if->policy : nullptr);
  for (const audit::Leaf& leaf : *leaves) {
    control::TraceLine& line = *reply.add_trace();
    line = line_of(turn, context, *flight, leaf);
    for (const auto& [field, text] : turn.body_of(leaf).value_or(audit::Body{}))
      if (const std::optional<policy::Decided> facts = field == audit::Field::facts ? policy::decode_decided(as_bytes(text)) : std::nullopt)
        explainer.fill_decision(*facts, *line.mutable_decision());
  }
  turn.leaf(EventType::admin_read, {{audit::Field::actor, actor}, {audit::Field::text, "explain"}}, flight);
}

}  // namespace postern::reports
