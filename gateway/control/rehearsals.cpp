// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/rehearsals.hpp"

#include <chrono>
#include <filesystem>

#include "gateway/config/policy_part.hpp"

namespace postern {
namespace {

using Change = policy::Trial::Change;

constexpr std::chrono::milliseconds kPiece{3};
constexpr std::uint32_t kMaxDays = 3660;
constexpr TimeMs kDay = 24LL * 3600 * 1000;

// What the candidate's reader said, with the name that the administrator knows the file by.
std::string named(std::string text, const std::string& path, const std::string& name) {
  for (std::size_t at = text.find(path + ":"); at != std::string::npos; at = text.find(path + ":", at + name.size())) text.replace(at, path.size(), name);
  return text;
}

void fill(const std::pair<Category, std::string>& key, const policy::Trial::Row& row, control::RehearsalRow& out) {
  const auto count = [&row](Change change) {
    const auto found = row.messages.find(change);
    return found == row.messages.end() ? std::uint64_t{0} : found->second;
  };
  out.set_category(std::string(name_of(key.first)));
  out.set_rule(key.second);
  out.set_unchanged(count(Change::unchanged));
  out.set_delayed(count(Change::delayed));
  out.set_sooner(count(Change::sooner));
  out.set_dropped(count(Change::dropped));
  out.set_no_longer_dropped(count(Change::no_longer_dropped));
  out.set_other_way(count(Change::other_way));
  out.set_delay_p50_ms(row.delays.at(50));
  out.set_delay_p95_ms(row.delays.at(95));
  out.set_sooner_p50_ms(row.gains.at(50));
  out.set_cost_micro(row.cost);
}

void fill(const vault::PolicyRehearsal& rehearsal, control::RehearsalFacts& out) {
  const policy::Trial& trial = rehearsal.trial();
  out.set_from_ms(rehearsal.from_ms());
  out.set_to_ms(rehearsal.to_ms());
  for (const auto& [key, row] : trial.rows()) fill(key, row, *out.add_row());
  for (const policy::Trial::Example& example : trial.examples()) {
    control::RehearsalExample& shown = *out.add_example();
    shown.set_id(example.id.text());
    shown.set_category(std::string(name_of(example.category)));
    shown.set_what(std::string(name_of(example.change)));
    shown.set_rule(example.rule);
    shown.set_was_ms(example.was_ms);
    shown.set_would_ms(example.would_ms);
  }
  out.set_messages(trial.messages());
  out.set_erased(rehearsal.erased());
  out.set_gone(rehearsal.gone());
  out.set_without_address(rehearsal.without_address());
  out.set_cut(trial.cut());
}

}  // namespace

void Rehearsals::answer(vault::Context& context, TimeMs now, const std::string& folder, const control::RehearsalAsk& ask, const std::string& actor, const InTurn& in_turn,
                        control::Reply& reply) {
  if (ask.ask_case() == control::RehearsalAsk::kBegin) return begin(context, now, folder, ask.begin(), actor, in_turn, reply);
  const std::uint64_t number = ask.ask_case() == control::RehearsalAsk::kNext ? ask.next() : ask.cancel();
  if (!rehearsal_ || number != number_) return reply.set_error("this rehearsal is not under way any more; begin it again");
  if (ask.ask_case() == control::RehearsalAsk::kCancel) return drop();
  next(in_turn, reply);
}

void Rehearsals::begin(vault::Context& context, TimeMs now, const std::string& folder, const control::RehearsalBegin& ask, const std::string& actor, const InTurn& in_turn,
                       control::Reply& reply) {
  if (rehearsal_ && actor != actor_) return reply.set_error("a rehearsal by " + actor_ + " is under way; wait until it is done, or until ten seconds after its tool has gone");
  if (ask.days() == 0 || ask.days() > kMaxDays) return reply.set_error("give the days to look at as 1d to 3660d");
  const config::PolicySource& source = context.config->policy_source;
  const std::filesystem::path place = source.path.empty() ? std::filesystem::path(folder) : std::filesystem::path(source.path).parent_path();
  const std::string path = (place / std::filesystem::path(ask.name()).filename()).string();
  Result<config::PolicyFile> candidate = config::load_policy(ask.text(), path);
  if (!candidate) return reply.set_error("the candidate is refused:\n" + named(candidate.what(), path, ask.name()));
  const Status told = in_turn([&](vault::Turn& turn) {
    turn.leaf(EventType::admin_read, {{audit::Field::actor, actor}, {audit::Field::object, candidate->sha256}, {audit::Field::text, "policy rehearse"}});
  });
  if (!told) return reply.set_error(told.what());
  rehearsal_ = std::make_unique<vault::PolicyRehearsal>(context, std::move(candidate->policy), now, static_cast<TimeMs>(ask.days()) * kDay);
  actor_ = actor;
  candidate_ = candidate->sha256;
  policy_ = source.sha256;
  ++number_;
  next(in_turn, reply);
}

void Rehearsals::next(const InTurn& in_turn, control::Reply& reply) {
  const auto begun = std::chrono::steady_clock::now();
  Status walked;
  const Status done = in_turn([&](vault::Turn& turn) { walked = rehearsal_->step(turn, kPiece); });
  if (!done || !walked) {
    drop();
    return reply.set_error(done ? walked.what() : done.what());
  }
  control::RehearsalFacts& facts = *reply.mutable_policy_rehearsal();
  facts.set_number(number_);
  facts.set_candidate(candidate_);
  facts.set_policy(policy_);
  facts.set_leaves(rehearsal_->leaves());
  facts.set_walked(rehearsal_->walked());
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun);
  facts.set_rest_us(static_cast<std::uint64_t>(took.count()));
  if (!rehearsal_->done()) return;
  fill(*rehearsal_, facts);
  facts.set_done(true);
  drop();
}

}  // namespace postern
