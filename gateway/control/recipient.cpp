// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/recipient.hpp"

#include <fmt/core.h>

#include "connectors/protocol/log.hpp"
#include "gateway/vault/recipient_query.hpp"

namespace postern::reports {
namespace {

void fill(const wire::RecipientView& view, control::RecipientFacts& facts) {
  const wire::Recipient& r = view.recipient();
  const auto kept = [&facts](const char* what, const std::string& value) {
    if (!value.empty()) facts.add_kept(std::string(what) + " " + value);
  };
  kept("phone", r.phone().empty() ? "" : "+" + log::masked(r.phone()));
  kept("email", r.email().empty() ? "" : log::masked(r.email()));
  kept("whatsapp", r.whatsapp().empty() ? "" : "+" + log::masked(r.whatsapp()));
  for (const wire::PushToken& token : r.push()) kept("push", token.platform());
  kept("locale", r.locale());
  kept("time zone", r.time_zone());
  kept("prefers", r.preferred());
  for (const wire::ConsentView& consent : view.consent()) {
    control::ConsentFacts& out = *facts.add_consent();
    out.set_purpose(std::string(name_of(static_cast<Category>(consent.purpose()))));
    out.set_channel(consent.channel());
    out.set_given(consent.given());
    out.set_source(consent.source());
    out.set_wording(consent.wording());
    out.set_at_ms(static_cast<std::int64_t>(consent.at_ms()));
    out.set_hash(consent.hash());
  }
}

}  // namespace

void recipient(vault::Turn& turn, vault::Context& context, const control::RecipientAsk& ask, const std::string& actor, control::Reply& reply) {
  wire::RecipientAsk wanted;
  wanted.set_reference(ask.reference());
  if (ask.has_show()) wanted.set_show(true);
  if (ask.has_forget()) wanted.set_forget(true);
  if (ask.has_consent()) {
    wire::ConsentView& consent = *wanted.mutable_consent();
    const std::optional<Category> purpose = category_named(ask.consent().purpose());
    if (!purpose) return reply.set_error("the purpose must be transaction, service or marketing");
    consent.set_purpose(static_cast<wire::Category>(static_cast<int>(*purpose)));
    consent.set_channel(ask.consent().channel());
    consent.set_given(ask.consent().given());
    consent.set_source(ask.consent().source());
    consent.set_wording(ask.consent().wording());
    consent.set_at_ms(static_cast<std::uint64_t>(ask.consent().at_ms()));
  }
  wire::Answer answer;
  vault::answer_recipient(turn, context, wanted, 0, answer);
  if (answer.outcome() == wire::Answer::NOT_FOUND) return reply.set_error("nothing is kept of a customer of this reference");
  if (answer.problem_size() > 0) return reply.set_error(answer.problem(0).pointer().substr(1) + ": " + answer.problem(0).detail());
  if (answer.outcome() != wire::Answer::OK && answer.outcome() != wire::Answer::OUTCOME_UNSET) return reply.set_error("the request cannot be taken as it is");
  fill(answer.recipient(), *reply.mutable_recipient());
  const std::string person = fmt::format("{:016x}", vault::person_of(context.keys, ask.reference(), {}));
  turn.leaf(ask.has_show() ? EventType::admin_read : EventType::admin_change,
            {{audit::Field::actor, actor}, {audit::Field::text, ask.has_show() ? "recipient show" : ask.has_forget() ? "recipient forget" : "recipient consent"}, {audit::Field::recipient, person}});
}

}  // namespace postern::reports
