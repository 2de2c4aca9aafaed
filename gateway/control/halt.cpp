// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/halt.hpp"

#include <algorithm>

#include "gateway/control/reports.hpp"

namespace postern::reports {
namespace {

constexpr std::size_t kScanned = 5000, kMaxReason = 500;

// What is meant, with its number; or why nothing can be.
Result<vault::Halt> halt_of(const vault::Vault& vault, const control::HaltWhat& what) {
  const std::optional<vault::Halt::Kind> kind = vault::halt_kind_named(what.kind());
  if (!kind) return fail("halt a template, a category or a client");
  const std::optional<std::uint16_t> number = vault.number_of(*kind, what.name());
  if (!number) return fail("there is no " + what.kind() + " '" + what.name().substr(0, 64) + "'" + (*kind == vault::Halt::Kind::category ? "" : " of which a message was ever accepted"));
  return vault::Halt{*kind, *number, what.name(), {}, what.reason(), 0};
}

int rank_of(AttemptState state) {
  switch (state) {
    case AttemptState::delivered:
    case AttemptState::read:
    case AttemptState::replied: return 3;
    case AttemptState::sent: return 2;
    case AttemptState::handed:
    case AttemptState::unknown: return 1;
    case AttemptState::ready:
    case AttemptState::refused:
    case AttemptState::withdrawn: return 0;
  }
  return 0;
}

void report(vault::Turn& turn, vault::Context& context, const vault::Halt& halt, const control::HaltReportAsk& ask, const std::string& actor, control::Reply& reply) {
  static constexpr const char* kVerdicts[] = {"", "in-doubt", "sent", "got-it"};
  const Result<std::vector<store::FlightRow>> rows = context.store.scan(ask.after(), kScanned);
  if (!rows) return reply.set_error(rows.what());
  control::HaltFacts& page = *reply.mutable_halt();
  for (const store::FlightRow& row : *rows) {
    const std::optional<Flight> flight = decode_flight(row.key, row.data);
    if (!flight || flight->accepted_ms < ask.since_ms() || !halt.covers(*flight)) continue;
    const Attempt* furthest = nullptr;
    for (const Attempt& attempt : flight->attempts)
      if (rank_of(attempt.state) > (furthest == nullptr ? 0 : rank_of(furthest->state))) furthest = &attempt;
    if (furthest == nullptr) {
      if (!is_final(flight->state)) page.set_waiting(page.waiting() + 1);
      continue;
    }
    control::OutMessage& out = *page.add_out();
    *out.mutable_head() = head_of(context, *flight);
    out.set_verdict(kVerdicts[rank_of(furthest->state)]);
    out.set_channel(std::string(name_of(flight->plan[furthest->step].channel)));
    out.set_connector(context.names.name(furthest->connector).substr(std::string_view("connector:").size()));
    out.set_at_ms(furthest->changed_ms);
  }
  if (rows->size() == kScanned) page.set_after(rows->back().key);
  if (ask.after() == 0) turn.leaf(EventType::admin_read, {{audit::Field::actor, actor}, {audit::Field::text, "halt report " + halt.words()}});
}

}  // namespace

Status halt(vault::Vault& vault, const control::HaltAsk& ask, const std::string& actor, control::Reply& reply) {
  const auto no = [&reply](const std::string& why) {
    reply.set_error(why);
    return Status();
  };
  const vault::Halts& halts = vault.context().halts;
  if (ask.has_list()) {
    reply.mutable_halt();
    for (const vault::Halt& halted : halts.all()) {
      control::HaltLine& line = *reply.mutable_halt()->add_halt();
      line.mutable_what()->set_kind(std::string(vault::name_of(halted.kind)));
      line.mutable_what()->set_name(halted.name);
      line.mutable_what()->set_reason(halted.reason);
      line.set_actor(halted.actor);
      line.set_at_ms(halted.at_ms);
    }
    return {};
  }
  const control::HaltWhat& what = ask.has_begin() ? ask.begin() : ask.has_end() ? ask.end() : ask.report().what();
  Result<vault::Halt> meant = halt_of(vault, what);
  if (!meant) return no(meant.what());
  const bool halted = halts.find(meant->kind, meant->number) != nullptr;
  Status done;
  if (ask.has_begin()) {
    if (what.reason().empty() || what.reason().size() > kMaxReason) return no("say why, in at most 500 bytes: it stands in the audit log");
    if (halted) return no(meant->words() + " is halted already");
    if (halts.all().size() >= vault::KeptHalts::kMost) return no("no more than " + std::to_string(vault::KeptHalts::kMost) + " halts at a time; resume what is over");
    meant->actor = actor;
    meant->at_ms = vault.now();
    const Result<std::size_t> called_back = vault.halt(std::move(*meant));
    if (called_back) reply.mutable_halt()->set_called_back(*called_back);
    else done = fail(called_back.what());
  } else if (ask.has_end()) {
    if (!halted) return no(meant->words() + " is not halted; 'postern halt list' shows what is");
    done = vault.resume(meant->kind, meant->number, actor);
  } else {
    done = vault.turn([&](vault::Turn& turn) { report(turn, vault.context(), *meant, ask.report(), actor, reply); });
  }
  if (!done) reply.set_error(done.what());
  return done;
}

}  // namespace postern::reports
