// SPDX-License-Identifier: Apache-2.0
// What is around the gateway of a played world: clients and what they do next, connectors and what providers and customers tell through them.
#include "gateway/rehearsal/played_world.hpp"

#include <algorithm>

namespace postern::rehearsal {

void World::tell(std::size_t statement) {
  wire::ToVault frame;
  *frame.add_query() = levers_.told(statement, ++tag_, wall());
  say(places_.find(levers_.source())->second, std::move(frame));
}

void World::submit_next() {
  const std::uint64_t number = today_[place_].second;
  order_now(number);
  if (++place_ < today_.size()) return add({.at = today_[place_].first, .what = What::submit});
  next_day();
  progress_(number);
}

void World::order_now(std::uint64_t number) {
  const Order order = traffic_.order(number);
  wire::ToVault frame;
  *frame.add_submit() = traffic_.submit(number, order);
  say(places_.at(order.kind->source), std::move(frame));
}

void World::hear(const wire::Verdict& verdict) {
  std::string word = verdict_word(verdict.outcome());
  for (const wire::Problem& problem : verdict.problem()) word += fmt::format("{}{} {}", &problem == &verdict.problem(0) ? ": " : ", ", problem.pointer(), problem.code());
  if (asking_) {
    if (verdict.outcome() == wire::Verdict::VALID) return;
    traffic_.weigh(verdict.tag(), 0);
    if (first_world_) tally_.submits[fmt::format("never sent: {}: {}", traffic_.kinds()[verdict.tag()].name(), word)] = 1;
    return;
  }
  const std::uint64_t number = verdict.tag() - 1;
  ++tally_.submits[word];
  if (verdict.outcome() == wire::Verdict::STORED || verdict.outcome() == wire::Verdict::REPLAYED) return witness_.told_stored(number, verdict.id());
  if (verdict.outcome() != wire::Verdict::BUSY && verdict.outcome() != wire::Verdict::UNAVAILABLE) return;
  add({.at = now_ + std::max<TimeMs>(verdict.retry_after_ms(), kSecond), .what = What::again, .number = number});
}

// What is known of a message once it is accepted: what its client does next.
void World::follow_fresh() {
  for (const MessageKey key : witness_.take_fresh()) {
    Letter& letter = *witness_.find(key);
    const Order& order = letter.order;
    if (order.twice) add({.at = now_ + chance_.delay(kMinute), .what = What::again, .key = key, .number = letter.number});
    if (order.takes_back) add({.at = now_ + chance_.delay(5 * kMinute), .what = What::cancel, .key = key});
    if (order.moves) add({.at = now_ + chance_.delay(5 * kMinute), .what = What::move, .key = key});
    if (!letter.events_heard.empty() && chance_.percent(60))
      add({.at = now_ + chance_.from_to(0, std::max<TimeMs>(letter.deadline - wall(), 1)), .what = What::signal, .key = key, .number = chance_.next()});
  }
}

void World::ask(const Event& event) {
  const Letter* letter = witness_.find(event.key);
  if (letter == nullptr) return;
  const Kind& asks = event.what == What::app ? *app_ : *letter->order.kind;
  wire::ToVault frame;
  wire::Query& query = *frame.add_query();
  query.set_tag(++tag_);
  query.set_identity(asks.identity);
  const std::string id = letter->id.text();
  if (event.what == What::cancel) {
    query.set_cancel(id);
    cancels_.emplace(tag_, event.key);
  } else if (event.what == What::move) {
    query.mutable_move()->set_id(id);
    query.mutable_move()->set_send_at_ms(static_cast<std::uint64_t>(wall() + kHour));
  } else if (event.what == What::signal) {
    query.mutable_signal()->set_event(letter->events_heard[event.number % letter->events_heard.size()]);
    query.mutable_signal()->set_id(id);
  } else {
    query.mutable_app_receipt()->set_id(id);
    query.mutable_app_receipt()->set_progress(static_cast<wire::Progress>(event.detail));
  }
  say(places_.at(asks.source), std::move(frame));
}

void World::take(std::size_t i, const wire::Deliver& deliver) {
  Process& p = processes_[i];
  const auto key = static_cast<MessageKey>(deliver.attempt().message());
  Letter* letter = witness_.find(key);
  if (letter == nullptr) return witness_.break_promise(fmt::format("connector {} was given message key {}, which nobody knows", p.name, key));
  const Customer customer = customers_.at(letter->order.customer);
  const std::pair attempt(deliver.attempt().message(), deliver.attempt().number());
  // Whoever has answered for what it is given again has room for another.
  if (!p.answered.contains(attempt)) p.unanswered.insert(attempt);
  if (witness_.delivered(deliver, p.instance, customer)) return;   // repeated after its connection was gone
  const std::optional<Channel> channel = channel_named(deliver.channel());
  if (!channel) return witness_.break_promise(fmt::format("connector {} was given message {} for a channel without a name", p.name, letter->id.text()));
  const bool asked = letter->escalate || std::ranges::any_of(letter->plan, [&](const Step& s) { return s.channel == *channel && s.until == Until::replied; });
  const Fate fate = fate_of(*channel, customer, level_, asked, chance_);
  if (fate.kind != wire::Result::SENT) ++tally_.faults[fmt::format("{} answers: {}", deliver.channel(), fate.reason)];
  const std::uint64_t number = ++last_id_;
  const auto who = static_cast<std::uint16_t>(i);
  Event answer{.at = now_ + fate.after, .what = What::answer, .detail = static_cast<std::uint8_t>(fate.kind), .who = who, .attempt = deliver.attempt().number(),
               .retry = fate.retry_after_ms, .key = key, .number = fate.taken ? number : 0, .instance = p.instance, .reason = fate.reason};
  add(answer);
  // Its own late answer to a doubt, most times.
  if (fate.kind == wire::Result::UNKNOWN && chance_.percent(70)) {
    answer.at += chance_.delay(10 * kMinute);
    answer.detail = static_cast<std::uint8_t>(fate.taken ? wire::Result::SENT : wire::Result::REFUSED);
    add(answer);
  }
  if (chance_.below(100'000) < level_.lies) {
    ++tally_.faults["a provider tells what is not so"];
    add({.at = now_ + chance_.delay(kHour), .what = What::receipt, .detail = static_cast<std::uint8_t>(chance_.one_of({wire::SENT, wire::DELIVERED, wire::READ, wire::REFUSED})),
         .who = who, .attempt = static_cast<std::uint32_t>(chance_.below(4)), .key = key});
  }
  if (!fate.taken) return;
  Row& row = *letter->row;
  ++row.sent_by[static_cast<std::size_t>(*channel)];
  row.cost[static_cast<std::size_t>(*channel)] += price_of(*channel, p.name, deliver.network(), letter->category);
  plan_receipts(who, *channel, letter->category, deliver, fate, number);
}

std::int64_t World::price_of(Channel channel, const std::string& connector, const std::string& network, Category category) const {
  for (const config::Route& route : config_.routes)
    if (route.connector == connector && route.carries(channel, network, category)) return route.price;
  return 0;
}

void World::plan_receipts(std::uint16_t who, Channel channel, Category category, const wire::Deliver& deliver, const Fate& fate, std::uint64_t number) {
  const std::string& name = processes_[who].name;
  const auto speaker = speaker_.find(name);
  const TimeMs answered = now_ + fate.after;
  Event event{.who = speaker == speaker_.end() ? who : static_cast<std::uint16_t>(speaker->second), .attempt = deliver.attempt().number(),
              .key = static_cast<MessageKey>(deliver.attempt().message()), .number = number, .instance = who};
  const auto progress = [&](TimeMs when, wire::Progress what) {
    event.at = when;
    event.detail = static_cast<std::uint8_t>(what);
    add(event);
  };
  if (channel == Channel::push) {
    event.what = What::app;
    if (app_ == nullptr || fate.fails) return;
    if (chance_.below(100'000) < level_.lost) return lost();
    if (fate.delivered != 0) progress(answered + fate.delivered, wire::DELIVERED);
    if (fate.read != 0) progress(answered + fate.read, wire::READ);
    return;
  }
  if (!fate.receipts) return;
  event.what = What::receipt;
  TimeMs delivered = answered + fate.delivered;
  const auto falls = [this](unsigned share) { return chance_.below(100'000) < share; };
  if (falls(level_.early)) delivered = now_ + 1, ++tally_.faults["a receipt comes before the answer"];
  if (falls(level_.late)) delivered += chance_.from_to(kMinute, 6 * kHour), ++tally_.faults["a receipt comes late"];
  // The provider gives up when the message is not to be sent any more.
  const auto expires = static_cast<TimeMs>(deliver.expires_ms()) - skew_;
  const bool expired = delivered >= expires;
  if (fate.fails) ++tally_.faults["a provider tells that it could not deliver"];
  if (falls(level_.lost)) {
    lost();
  } else {
    progress(expired ? expires : delivered, fate.fails || expired ? wire::REFUSED : wire::DELIVERED);
    if (falls(level_.doubled)) progress(delivered + chance_.delay(kMinute), fate.fails || expired ? wire::REFUSED : wire::DELIVERED), ++tally_.faults["a receipt comes twice"];
  }
  if (expired || fate.fails) return;
  if (fate.read != 0) progress(falls(level_.early) ? answered + 1 : answered + fate.read, wire::READ);
  if (levers_.ends_it(category, chance_)) {
    event.what = What::stop_word;
    progress(answered + fate.delivered + chance_.delay(kHour), wire::REPLIED);
  }
  if (fate.replied == 0) return;
  event.what = What::reply;
  progress(answered + fate.replied, wire::REPLIED);
}

void World::answer(const Event& event) {
  Process& p = processes_[event.who];
  if (p.instance != event.instance) return;   // whoever was given it is gone
  wire::ToVault frame;
  wire::Result& result = *frame.add_result();
  result.mutable_attempt()->set_message(static_cast<std::uint64_t>(event.key));
  result.mutable_attempt()->set_number(event.attempt);
  result.set_kind(static_cast<wire::Result::Kind>(event.detail));
  result.set_reason(std::string(event.reason));
  result.set_retry_after_ms(event.retry);
  if (result.kind() == wire::Result::SENT) {
    result.add_provider_id(id_of(event.who, event.number));
    const config::Connector& own = config_.connectors.find(p.name)->second;
    result.set_receipts(own.channel != Channel::email && (own.channel != Channel::push || app_ != nullptr));
  }
  say(event.who, std::move(frame));
}

void World::receipt(const Event& event) {
  wire::ToVault frame;
  const auto about = [&](wire::Attempt& attempt) {
    attempt.set_message(static_cast<std::uint64_t>(event.key));
    attempt.set_number(event.attempt);
  };
  const auto channel = static_cast<std::uint16_t>(event.instance);   // of whose message it speaks
  if (event.what == What::stop_word) {
    // A word that comes from a phone names no message; an answer in a messenger names the one that it answers.
    const Letter* letter = witness_.find(event.key);
    if (letter == nullptr) return;
    wire::Reply& reply = *frame.add_reply();
    const Channel way = *config_.connectors.find(processes_[channel].name)->second.channel;
    if (channel != event.who) reply.set_connector(processes_[channel].name);
    reply.set_provider_id(fmt::format("stop-{}", event.number));
    if (way != Channel::sms) reply.set_context_id(id_of(channel, event.number));
    reply.set_channel(std::string(name_of(way)));
    reply.set_from(customers_.at(letter->order.customer).phone);
    reply.set_text(levers_.stop_word(event.number));
    levers_.replied(reply.provider_id(), letter->order.customer);
  } else if (event.what == What::reply) {
    wire::Reply& reply = *frame.add_reply();
    if (channel != event.who) reply.set_connector(processes_[channel].name);
    reply.set_provider_id(fmt::format("in-{}", event.number));
    about(*reply.mutable_attempt());
    reply.set_text("yes");
  } else {
    wire::Receipt& receipt = *frame.add_receipt();
    // A lie has no id.
    if (event.number == 0 || event.number % 2 == 0) about(*receipt.mutable_attempt());
    else receipt.set_provider_id(id_of(channel, event.number));
    if (event.number != 0 && channel != event.who) receipt.set_connector(processes_[channel].name);
    receipt.set_progress(static_cast<wire::Progress>(event.detail));
  }
  say(event.who, std::move(frame));
}

}  // namespace postern::rehearsal
