// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/recipient_query.hpp"

#include <algorithm>

#include "gateway/vault/intake.hpp"

namespace postern::vault {
namespace {

// The clock of who tells of it may be a little ahead of ours: what it calls later than now is said now, lest it outlive an opt-out that follows.
constexpr TimeMs kSlackMs = 10 * 60 * 1000;

void fill(const ConsentRecord& consent, wire::ConsentView& view) {
  view.set_purpose(static_cast<wire::Category>(static_cast<int>(consent.purpose)));
  if (consent.channel) view.set_channel(std::string(name_of(*consent.channel)));
  view.set_given(consent.given);
  view.set_source(consent.source);
  view.set_wording(consent.wording);
  view.set_at_ms(static_cast<std::uint64_t>(consent.at_ms));
  view.set_hash(hash_of(consent));
}

void fill(const std::string& reference, const Recipient& recipient, wire::RecipientView& view) {
  wire::Recipient& out = *view.mutable_recipient();
  out.set_reference(reference);
  out.set_phone(recipient.phone);
  out.set_email(recipient.email);
  out.set_whatsapp(recipient.whatsapp);
  out.set_locale(recipient.locale);
  out.set_time_zone(recipient.time_zone);
  out.set_preferred(recipient.preferred);
  for (const PushAddress& push : recipient.push) {
    wire::PushToken& token = *out.add_push();
    token.set_token(push.token);
    token.set_platform(push.platform);
  }
  for (const ConsentRecord& consent : recipient.consents) fill(consent, *view.add_consent());
}

void take(const wire::Recipient& from, Recipient& to) {
  to.phone = from.phone();
  to.email = from.email();
  to.whatsapp = from.whatsapp();
  to.locale = from.locale();
  to.time_zone = from.time_zone();
  to.preferred = from.preferred();
  to.push.clear();
  for (const wire::PushToken& token : from.push()) to.push.push_back({token.token(), token.platform()});
}

ConsentRecord record_of(const wire::ConsentView& view, TimeMs now, std::vector<templates::Fault>& faults) {
  const auto fault = [&faults](std::string pointer, std::string code, std::string detail) { faults.push_back({std::move(pointer), std::move(code), std::move(detail)}); };
  ConsentRecord record;
  const int purpose = view.purpose();
  if (purpose < 1 || purpose > static_cast<int>(kLanes)) fault("/purpose", "unknown-category", "must be one of transaction, service, marketing");
  else record.purpose = static_cast<Category>(purpose);
  // A promise that nothing keeps would be worse than none.
  if (faults.empty() && policy::passes(record.purpose))
    fault("/purpose", "purpose-always-allowed", "codes and security warnings go without a consent, and nobody can opt out of them");
  if (!view.channel().empty()) {
    record.channel = channel_named(view.channel());
    if (!record.channel) fault("/channel", "unknown-channel", "must be one of push, sms, whatsapp, viber, telegram, email, voice; leave it out for every channel");
  }
  record.given = view.given();
  record.at_ms = view.at_ms() == 0 ? now : static_cast<TimeMs>(view.at_ms());
  if (record.at_ms < 0 || record.at_ms > now + kSlackMs) fault("/at", "in-the-future", "a customer cannot have said this later than now");
  record.at_ms = std::min(record.at_ms, now);
  record.source = view.source();
  record.wording = view.wording();
  if (record.source.empty()) fault("/source", "no-source", "say where the customer said so, such as \"branch-17\" or \"app\"");
  if (record.source.size() > kMaxSource) fault("/source", "too-long", "must have at most 64 bytes");
  if (record.wording.empty()) fault("/wording", "no-wording", "give the words that the customer was shown or wrote: without them the consent proves nothing");
  if (record.wording.size() > kMaxWording) fault("/wording", "too-long", "must have at most 1000 bytes");
  return record;
}

}  // namespace

void answer_recipient(Turn& turn, Context& context, const wire::RecipientAsk& ask, ClientId client, wire::Answer& answer) {
  std::vector<templates::Fault> faults;
  const std::string& reference = ask.reference();
  if (reference.empty() || reference.size() > kMaxReference) faults.push_back({"/reference", "bad-reference", "must have 1 to 128 bytes"});
  const Recipient* known = faults.empty() ? context.recipients.find(reference, {}) : nullptr;
  Recipient recipient = known == nullptr ? Recipient() : *known;
  std::optional<ConsentRecord> consent;
  std::string what;   // of a change of addresses
  switch (ask.ask_case()) {
    case wire::RecipientAsk::kShow: break;
    case wire::RecipientAsk::kKeep:
      check(ask.keep(), context.zones, "", faults);
      if (!ask.keep().reference().empty()) faults.push_back({"/reference", "not-here", "the reference stands in the path"});
      take(ask.keep(), recipient);
      what = "kept";
      break;
    case wire::RecipientAsk::kForget:
      take({}, recipient);
      what = "forgotten";
      break;
    case wire::RecipientAsk::kConsent:
      consent = record_of(ask.consent(), turn.now(), faults);
      // What is said now is said after all that was said before, also where our clock has gone back since.
      if (ask.consent().at_ms() == 0)
        for (const ConsentRecord& before : recipient.consents) consent->at_ms = std::max(consent->at_ms, before.at_ms);
      break;
    case wire::RecipientAsk::ASK_NOT_SET: answer.set_outcome(wire::Answer::BAD_REQUEST); return;
  }
  if (faults.empty() && known == nullptr && (ask.has_show() || ask.has_forget())) return answer.set_outcome(wire::Answer::NOT_FOUND);
  if (!faults.empty()) {
    for (const templates::Fault& f : faults) {
      wire::Problem& problem = *answer.add_problem();
      problem.set_pointer(f.pointer);
      problem.set_code(f.code);
      problem.set_detail(f.detail);
    }
    return answer.set_outcome(wire::Answer::BAD_REQUEST);
  }
  const std::uint64_t person = person_of(context.keys, reference, {});
  if (consent) {
    turn.leaf_of(person, EventType::consent_changed, body_of(*consent), client);
    recipient.add(std::move(*consent));
  }
  if (!what.empty()) turn.leaf_of(person, EventType::recipient_changed, {{audit::Field::reason, what}}, client);
  fill(reference, recipient, *answer.mutable_recipient());
  if (!ask.has_show()) context.recipients.save(reference, {}, std::move(recipient), turn.batch());
  if (const std::string& why = context.recipients.failure(); !why.empty()) turn.fail_with(why);
}

}  // namespace postern::vault
