// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/levers.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace postern::rehearsal {
namespace {

constexpr const char* kWording = "Yes, write to me of this.";
constexpr TimeMs kTellsAfter = 2 * kHour;
constexpr const char* kSource = "rehearsal";

std::string words_of(const Levers::Stop& stop) { return vault::Halt{stop.kind, 0, stop.name, {}, {}, 0}.words(); }

bool among(policy::CategoryMask mask, Category category) { return (mask & policy::mask_of(category)) != 0; }

}  // namespace

Levers::Levers(const Plan& plan, unsigned world, const Traffic& traffic, const Customers& customers, Witness& witness) : rules_(plan.config->policy.consent), witness_(witness) {
  for (const auto& [name, client] : plan.config->clients)
    if (client.may_keep_recipients && voice_.source.empty()) voice_ = traffic.voice_of(client);
  if (rules_.required == 0 && rules_.stops == 0) voice_ = {};
  if (!voice_.source.empty()) draw_statements(mixed(plan.seed, 400 + world), customers, plan);
  draw_stops(mixed(plan.seed, 5), traffic, plan);
}

// Most customers have agreed long ago, some for one channel alone; a few do so later. A few take it back through the bank, and some of those
// agree again.
void Levers::draw_statements(std::uint64_t seed, const Customers& customers, const Plan& plan) {
  const TimeMs begin = plan.begin, length = plan.days * kDay;
  for (std::uint64_t customer = 0; customer < customers.count(); ++customer) {
    for (const Category purpose : kCategories) {
      const bool required = among(rules_.required, purpose);
      if (!required && !among(rules_.stops, purpose)) continue;
      Chance chance(mixed(seed, customer * kLanes + lane_of(purpose)));
      const auto channel = [&](unsigned of_hundred) {
        return chance.percent(of_hundred) ? std::optional(chance.one_of({Channel::push, Channel::sms, Channel::whatsapp, Channel::email})) : std::nullopt;
      };
      if (required && chance.percent(80)) statements_.push_back({begin - chance.from_to(kDay, 300 * kDay), customer, purpose, channel(10), true});
      else if (required && chance.percent(25)) statements_.push_back({begin + chance.from_to(0, length - 1), customer, purpose, channel(10), true});
      if (!chance.percent(3)) continue;
      const TimeMs ended = begin + chance.from_to(0, length - 1);
      statements_.push_back({ended, customer, purpose, channel(20), false});
      if (chance.percent(25)) statements_.push_back({chance.from_to(ended, begin + length), customer, purpose, std::nullopt, true});
    }
  }
  std::ranges::stable_sort(statements_, {}, &Statement::at);
}

// Of each kind something that is sent at all, for minutes or hours.
void Levers::draw_stops(std::uint64_t seed, const Traffic& traffic, const Plan& plan) {
  Chance chance(seed);
  for (const vault::Halt::Kind kind : {vault::Halt::Kind::template_, vault::Halt::Kind::category, vault::Halt::Kind::client}) {
    std::vector<std::string> names;
    for (const Kind& sent : traffic.kinds()) {
      if (kind == vault::Halt::Kind::template_ && sent.text == nullptr) continue;
      std::string name = kind == vault::Halt::Kind::template_ ? sent.text->name : kind == vault::Halt::Kind::category ? std::string(name_of(sent.category)) : sent.client->name;
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
    for (unsigned i = (level_of(plan.faults).halts * plan.days + 29) / 30; i > 0 && !names.empty(); --i) {
      const TimeMs at = plan.begin + chance.from_to(0, plan.days * kDay - 1);
      stops_.push_back({at, at + chance.from_to(5 * kMinute, 2 * kHour), kind, names[chance.below(names.size())]});
    }
  }
}

// A consent has its own time, so that its hash is known: hours ago, for the gateway's clock may go back before it hears of it. What is taken back
// is taken back now.
wire::Query Levers::told(std::size_t statement, std::uint64_t tag, TimeMs wall) {
  const Statement& says = statements_[statement];
  const ConsentRecord record{says.purpose, says.channel, says.given, says.given ? std::min(says.at, wall) - kTellsAfter : 0, kSource, says.given ? kWording : "No more of this."};
  wire::Query query;
  query.set_tag(tag);
  query.set_identity(voice_.identity);
  query.mutable_recipient()->set_reference(Customers::reference_of(says.customer));
  wire::ConsentView& consent = *query.mutable_recipient()->mutable_consent();
  consent.set_purpose(static_cast<wire::Category>(static_cast<int>(record.purpose)));
  if (record.channel) consent.set_channel(std::string(name_of(*record.channel)));
  consent.set_given(record.given);
  consent.set_source(record.source);
  consent.set_wording(record.wording);
  consent.set_at_ms(static_cast<std::uint64_t>(record.at_ms));
  asked_.emplace(tag, witness_.said(says.customer, record, /*by_number=*/false));
  return query;
}

void Levers::answered(const wire::Answer& answer) {
  const auto asked = asked_.find(answer.tag());
  if (asked == asked_.end()) return;
  if (answer.outcome() == wire::Answer::OK) witness_.heard(asked->second);
  else witness_.break_promise(fmt::format("what a customer said of being written to was refused: {}", answer.problem_size() > 0 ? answer.problem(0).code() : "no reason"));
  asked_.erase(asked);
}

bool Levers::ends_it(Category category, Chance& chance) const { return among(rules_.stops, category) && chance.percent(2); }

// As people write it.
std::string Levers::stop_word(std::uint64_t number) const {
  const std::string& word = rules_.stop_words[number % rules_.stop_words.size()];
  return number % 3 == 0 ? word : number % 3 == 1 ? " " + word + "." : word + "!";
}

void Levers::replied(const std::string& id, std::uint64_t customer) {
  std::vector<Witness::Word>& words = replies_[id];
  for (const Category purpose : kCategories)
    if (among(rules_.stops, purpose)) words.push_back(witness_.said(customer, {purpose, std::nullopt, false, 0, {}, {}}, /*by_number=*/true));
}

void Levers::took(const wire::Reply& reply) {
  const auto found = replies_.find(reply.provider_id());
  if (found == replies_.end()) return;
  for (const Witness::Word& word : found->second) witness_.heard(word);
  replies_.erase(found);
}

void Levers::work(Gateway& gateway, vault::Turn& turn) {
  done_.clear();
  for (const auto& [stop, halted] : wanted_) {
    // What nobody has sent yet has no number, and nothing of it can be halted.
    const std::optional<std::uint16_t> number = vault::number_of(gateway.context(), stops_[stop].kind, stops_[stop].name);
    if (!number) continue;
    if (halted) gateway.halt(turn, {stops_[stop].kind, *number, stops_[stop].name, "administrator", "a rehearsal", turn.now()});
    else gateway.resume(turn, stops_[stop].kind, *number, "administrator");
    done_.emplace_back(stop, halted);
  }
}

void Levers::turn_over(bool committed) {
  if (!committed) return;
  for (const auto& [stop, halted] : done_) witness_.told_halted(words_of(stops_[stop]), halted);
  done_.clear();
  wanted_.clear();
}

}  // namespace postern::rehearsal
