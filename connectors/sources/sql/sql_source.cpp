// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/sql_source.hpp"

#include <algorithm>
#include <utility>

namespace postern::sql {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kWriteBatch = 500;
constexpr std::size_t kEventBatch = 1000;
// A frame of the connector protocol holds 4 MiB, and the link puts one turn of the loop into one frame.
constexpr std::size_t kBytesATurn = 1024 * 1024;
constexpr std::size_t kRowsATurn = 400;
constexpr std::chrono::milliseconds kFirstBackoff = 200ms, kLastBackoff = 30s;
constexpr std::chrono::milliseconds kConfigPause = 10s;
constexpr std::chrono::milliseconds kDrainLimit = 7s;
constexpr std::chrono::milliseconds kBlankAfter = 250ms;
constexpr std::size_t kBlankMore = 16 * 1024;  // answers of other statements may have stood before the rows

}  // namespace

SqlSource::SqlSource(std::unique_ptr<Settings> settings)
    : settings_(std::move(settings)),
      statements_(statements_for(*settings_->table)),
      mapper_(settings_->default_region, settings_->mobile_only),
      alive_(std::make_shared<bool>(true)),
      backoff_(kFirstBackoff) {}

SqlSource::~SqlSource() { *alive_ = false; }

LinkOptions SqlSource::link_options() const {
  LinkOptions options;
  options.wants_events = true;
  return options;
}

LinkHandlers SqlSource::link_handlers() {
  LinkHandlers handlers;
  handlers.welcome = [this](const wire::Welcome&) {
    // What changed while the vault was away or being greeted has not reached it.
    link_->health(healthy_, health_detail_, 0);
    claim();
  };
  handlers.lost = [this] { release_all(); };
  handlers.verdict = [this](const wire::Verdict& verdict) { on_verdict(verdict); };
  handlers.event = [this](wire::Event&& event) {
    events_.push(
        Told{event.sequence(), event.reference(), event.id(), event.progress(), event.reason(), event.at_ms()});
    flush_soon();
  };
  return handlers;
}

Status SqlSource::start(Loop& loop, Link& link) {
  loop_ = &loop;
  link_ = &link;
  poll_ = std::make_unique<Timer>(loop, [this] { claim(); });
  lapsed_ = std::make_unique<Timer>(loop, [this] { claim_lapsed(); });
  renew_ = std::make_unique<Timer>(loop, [this] { renew(); });
  connect_ = std::make_unique<Timer>(loop, [this] { database_->open(); });
  hold_ = std::make_unique<Timer>(loop, [this] {
    holding_ = false;
    flush();
    claim();
  });
  tell_ = std::make_unique<Timer>(loop, [this] { tell_quarantined(); });
  blank_ = std::make_unique<Timer>(loop, [this] { blank(); });
  drain_limit_ = std::make_unique<Timer>(loop, [this] {
    if (const std::function<void()> done = std::exchange(drained_, {})) done();
  });
  database_ = std::make_unique<Database>(
      loop, settings_->database,
      Database::Handlers{[this] { on_connected(); }, [this](const Failure& why) { on_lost(why); },
                         [this] {
                           more_ = true;
                           claim();
                         }});
  set_health(false, "connecting to the database");
  database_->open();
  return {};
}

void SqlSource::set_health(bool up, const std::string& detail) {
  if (healthy_ == up && health_detail_ == detail) return;
  healthy_ = up;
  health_detail_ = detail;
  link_->health(up, detail, 0);
}

// ---- the database ----

void SqlSource::on_connected() {
  database_->once(statements_.columns, {settings_->table->text()}, [this](Answer&& answer) {
    if (answer.ok()) return check_table(answer);
    on_failure(answer.failure(), "look at the table");
  });
}

void SqlSource::check_table(const Answer& answer) {
  std::vector<Column> columns;
  for (std::size_t i = 0; i < answer.rows(); ++i) {
    const std::string limit(answer.cell(i, 2).value_or("0"));
    columns.push_back(Column{std::string(answer.cell(i, 0).value_or("")), std::string(answer.cell(i, 1).value_or("")),
                             std::atoi(limit.c_str())});
  }
  const std::vector<std::string> faults = faults_of(*settings_->table, columns);
  if (!faults.empty()) {
    for (const std::string& fault : faults) log::error("sql.table", "{}", fault);
    return database_->drop(Failure{FailureClass::config, "", "the table does not fit: " + faults.front()});
  }
  database_->prepare(statements_.served(), [this](Answer&& prepared) {
    if (!prepared.ok()) return on_failure(prepared.failure(), "prepare the statements");
    recover();
  });
}

// A process of this name that was killed holds rows that nobody works on.
void SqlSource::recover() {
  if (recovered_) return serve();
  database_->run(statements_.recover, {settings_->claimed_by}, [this](Answer&& recovered) {
    if (!recovered.ok()) return on_failure(recovered.failure(), "free the rows of an earlier process");
    if (recovered.changed() > 0)
      log::info("sql.recovered", "{} rows that an earlier process had claimed are new again", recovered.changed());
    recovered_ = true;
    serve();
  });
}

void SqlSource::serve() {
  serving_ = true;
  backoff_ = kFirstBackoff;
  last_failure_.clear();
  log::info("sql.up", "connected to {}; reading {}", database_->server(), settings_->table->text());
  set_health(true, "reading " + settings_->table->text());
  flush();
  claim_lapsed();
  claim();
  renew_->start(settings_->lease / 3);
}

void SqlSource::on_lost(const Failure& why) {
  serving_ = false;
  claiming_ = false;
  const std::string said = why.text + (why.state.empty() ? "" : " (SQLSTATE " + why.state + ")");
  if (why.kind == FailureClass::config) backoff_ = std::max(backoff_, kConfigPause);
  if (std::exchange(last_failure_, said) != said)
    log::error("sql.down", "no database: {}; trying again in {} ms", said, backoff_.count());
  set_health(false, said);
  if (draining_) return look_drained();
  connect_->start(backoff_);
  backoff_ = std::min(backoff_ * 2, kLastBackoff);
}

// A statement failed while the connection stands.
void SqlSource::on_failure(const Failure& why, std::string_view what) {
  if (!database_->ready()) return;  // lost: on_lost() has said it
  if (failure_limit_.pass())
    log::error("sql.failed", "could not {}: {} (SQLSTATE {}; {} more such lines held back)", what, why.text, why.state,
               failure_limit_.dropped());
  if (why.kind == FailureClass::reconnect || !serving_) return database_->drop(why);
  if (why.kind == FailureClass::retry) return hold(500ms);
  set_health(false, std::string("could not ") + std::string(what) + " (SQLSTATE " + why.state + ")");
  hold(kConfigPause);
}

void SqlSource::hold(std::chrono::milliseconds pause) {
  if (std::exchange(holding_, true)) return;
  hold_->start(pause);
}

// ---- rows in ----

std::size_t SqlSource::unsettled() const {
  return mapped_.size() + in_flight_.size() + accepted_.size() + rejected_.size() + released_.size();
}

void SqlSource::claim() {
  poll_->start(settings_->poll);
  if (!serving_ || claiming_ || holding_ || draining_ || !link_->up() || steady_ms() < pause_until_ms_) return;
  const std::size_t window = std::min<std::size_t>(settings_->window, link_->submit_window());
  const std::size_t busy = unsettled();
  const std::size_t room = busy < window ? std::min(window - busy, settings_->batch) : 0;
  // Small batches cost as much as large ones: wait until there is room, or nothing else to do.
  if (room == 0 || (busy > 0 && room < std::min(settings_->batch, window) / 2)) {
    more_ = true;
    return;
  }
  claiming_ = true;
  more_ = false;
  database_->run(statements_.claim,
                 {settings_->claimed_by, std::to_string(room), std::to_string(settings_->largest_row)},
                 [this, room](Answer&& answer) {
                   claiming_ = false;
                   if (!answer.ok()) return on_failure(answer.failure(), "claim rows");
                   set_health(true, "reading " + settings_->table->text());
                   on_rows(answer);
                   if (answer.rows() >= room) more_ = true;
                   if (more_) claim();
                 });
}

void SqlSource::claim_lapsed() {
  lapsed_->start(settings_->lease / 4);
  if (!serving_ || claiming_ || holding_ || draining_ || !link_->up()) return;
  const std::size_t busy = unsettled();
  const std::size_t room = busy < settings_->window ? std::min(settings_->window - busy, settings_->batch) : 0;
  if (room == 0) return;
  claiming_ = true;
  database_->run(statements_.claim_lapsed,
                 {settings_->claimed_by, std::to_string(room), std::to_string(settings_->largest_row),
                  std::to_string(settings_->lease.count())},
                 [this, room](Answer&& answer) {
                   claiming_ = false;
                   if (!answer.ok()) return on_failure(answer.failure(), "claim rows whose lease ran out");
                   if (answer.rows() > 0)
                     log::info("sql.lapsed", "{} rows came from a lease that ran out", answer.rows());
                   on_rows(answer);
                   if (answer.rows() >= room) claim_lapsed();
                   claim();
                 });
}

void SqlSource::on_rows(const Answer& answer) {
  const std::int64_t now = wall_ms();
  if (answer.rows() > 0) {
    if (unread_ == 0) blank_->start(kBlankAfter);
    unread_ = std::max(unread_, answer.size());
  }
  for (std::size_t i = 0; i < answer.rows(); ++i) {
    Row row;
    for (std::size_t column = 0; column < kCells; ++column) row[column] = answer.cell(i, column);
    std::optional<Mapped> mapped = mapper_.map(row, now);
    if (!mapped || in_flight_.contains(mapped->id)) continue;
    if (const Quarantine* fault = std::get_if<Quarantine>(&mapped->what))
      quarantine(mapped->id, *fault);
    else
      mapped_.push_back(std::move(std::get<wire::Submit>(mapped->what)));
  }
  feed();
  flush_soon();
}

// libpq reads into one buffer that it keeps, so rows lie there until something else is read over them: as many blanks.
void SqlSource::blank() {
  const std::size_t size = std::exchange(unread_, 0);
  if (!serving_ || size == 0) return;  // without a connection there is no buffer
  database_->run(statements_.blank, {std::to_string(size + kBlankMore)}, [this](Answer&& answer) {
    if (!answer.ok()) return on_failure(answer.failure(), "read blanks over the rows");
    flush_soon();
  });
}

// Says to the vault what one frame holds, the rest in the next turn of the loop.
void SqlSource::feed() {
  if (feeding_) return;
  std::size_t bytes = 0, rows = 0;
  while (!mapped_.empty() && bytes < kBytesATurn && rows < kRowsATurn) {
    wire::Submit submit = std::move(mapped_.front());
    mapped_.pop_front();
    bytes += submit.ByteSizeLong();
    ++rows;
    const auto id = static_cast<std::int64_t>(submit.tag());
    if (link_->submit(std::move(submit)))
      in_flight_.insert(id);
    else
      released_.push(id);
  }
  if (mapped_.empty()) return;
  feeding_ = true;
  loop_->defer([this, alive = alive_] {
    if (!*alive) return;
    feeding_ = false;
    feed();
  });
}

void SqlSource::quarantine(std::int64_t id, const Quarantine& fault) {
  rejected_.push(Rejected{id, cut(fault.code + ": " + fault.detail, kErrorLimit)});
  if (fault.code == "expired") return;  // late, not wrong
  Seen& seen = quarantined_[fault.code];
  if (quarantined_.size() == 1 && seen.count == 0) tell_->start(1s);
  if (seen.count++ == 0) seen.first_id = id;
}

void SqlSource::tell_quarantined() {
  for (const auto& [code, seen] : std::exchange(quarantined_, {})) {
    log::warning("sql.quarantine", "{} rows rejected as {}; the first has id {}", seen.count, code, seen.first_id);
    wire::Observation observation;
    observation.set_kind(wire::Observation::ROW_QUARANTINED);
    observation.set_reason(code);
    observation.set_object("row " + std::to_string(seen.first_id));
    observation.set_count(seen.count);
    link_->observe(std::move(observation));
  }
}

void SqlSource::on_verdict(const wire::Verdict& verdict) {
  const auto id = static_cast<std::int64_t>(verdict.tag());
  if (in_flight_.erase(id) == 0) return;
  const auto give_back = [&](std::chrono::milliseconds pause) {
    released_.push(id);
    pause_until_ms_ = std::max(pause_until_ms_, steady_ms() + pause.count());
    poll_->start(pause);
  };
  const wire::Verdict::Outcome outcome = verdict.outcome();
  if ((outcome == wire::Verdict::STORED || outcome == wire::Verdict::REPLAYED) && is_uuid(verdict.id())) {
    accepted_.push(Accepted{id, verdict.id()});
  } else if (outcome == wire::Verdict::INVALID || outcome == wire::Verdict::KEY_REUSED ||
             outcome == wire::Verdict::FORBIDDEN || outcome == wire::Verdict::CLOSED) {
    // Closed is closed for this row alone: all others would wait with it.
    rejected_.push(Rejected{id, error_of(verdict)});
  } else if (outcome == wire::Verdict::CLIENT_UNKNOWN) {
    if (failure_limit_.pass())
      log::error("sql.client-unknown", "the vault's configuration names no client for this connector; rows wait");
    give_back(kConfigPause);
  } else {
    give_back(std::max<std::chrono::milliseconds>(std::chrono::milliseconds(verdict.retry_after_ms()), 100ms));
  }
  flush_soon();
}

// The vault's session ended: it answers none of these any more.
void SqlSource::release_all() {
  for (const wire::Submit& submit : std::exchange(mapped_, {})) released_.push(static_cast<std::int64_t>(submit.tag()));
  for (const std::int64_t id : std::exchange(in_flight_, {})) released_.push(id);
  flush_soon();
}

// ---- answers back ----

void SqlSource::flush_soon() {
  if (std::exchange(flush_due_, true)) return;
  loop_->defer([this, alive = alive_] {
    if (!*alive) return;
    flush_due_ = false;
    flush();
  });
}

void SqlSource::flush() {
  if (serving_ && !holding_) {
    write_accepted();
    write_rejected();
    write_released();
    write_events();
  }
  if (draining_) return look_drained();
  if (more_) claim();
}

void SqlSource::write_accepted() {
  const std::vector<Accepted>& batch = accepted_.start(kWriteBatch);
  if (batch.empty()) return;
  std::vector<std::string> ids, messages;
  for (const Accepted& one : batch) {
    ids.push_back(std::to_string(one.id));
    messages.push_back(one.message_id);
  }
  database_->run(statements_.accept, {array_of(ids), array_of(messages)}, [this](Answer&& answer) {
    answer.ok() ? accepted_.written() : accepted_.failed();
    if (!answer.ok()) return on_failure(answer.failure(), "write accepted rows");
    flush_soon();
  });
}

void SqlSource::write_rejected() {
  const std::vector<Rejected>& batch = rejected_.start(kWriteBatch);
  if (batch.empty()) return;
  std::vector<std::string> ids, errors;
  for (const Rejected& one : batch) {
    ids.push_back(std::to_string(one.id));
    errors.push_back(one.error);
  }
  database_->run(statements_.reject, {array_of(ids), array_of(errors)}, [this](Answer&& answer) {
    answer.ok() ? rejected_.written() : rejected_.failed();
    if (!answer.ok()) return on_failure(answer.failure(), "write rejected rows");
    flush_soon();
  });
}

void SqlSource::write_released() {
  const std::vector<std::int64_t>& batch = released_.start(kWriteBatch);
  if (batch.empty()) return;
  std::vector<std::string> ids;
  for (const std::int64_t id : batch) ids.push_back(std::to_string(id));
  database_->run(statements_.release, {array_of(ids), settings_->claimed_by}, [this](Answer&& answer) {
    answer.ok() ? released_.written() : released_.failed();
    if (!answer.ok()) return on_failure(answer.failure(), "give rows back");
    flush_soon();
  });
}

// The cursor moves only behind the commit of every row that the events up to it speak of.
void SqlSource::write_events() {
  if (events_.size() == 0 || events_.writing()) return;
  const EventBatch batch = batch_of(events_.start(kEventBatch), settings_->write_progress);
  const auto settle = [this, cursor = batch.cursor](bool good) {
    good ? events_.written() : events_.failed();
    if (good) link_->acknowledge_events(cursor);
    flush_soon();
  };
  const bool any_step = !batch.progressed.keys.empty(), any_final = !batch.finished.keys.empty();
  if (!any_step && !any_final) return settle(true);
  auto step_good = std::make_shared<bool>(true);
  if (any_step) {
    database_->run(statements_.progress,
                   {array_of(batch.progressed.keys), array_of(batch.progressed.message_ids),
                    array_of(batch.progressed.words), array_of(batch.progressed.times)},
                   [this, step_good, any_final, settle](Answer&& answer) {
                     *step_good = answer.ok();
                     if (!any_final) settle(answer.ok());
                     if (!answer.ok()) on_failure(answer.failure(), "write how far messages have come");
                   });
  }
  if (any_final) {
    database_->run(
        statements_.finish,
        {array_of(batch.finished.keys), array_of(batch.finished.message_ids), array_of(batch.finished.outcomes),
         array_of(batch.finished.reasons), array_of(batch.finished.times)},
        [this, step_good, settle](Answer&& answer) {
          settle(answer.ok() && *step_good);
          if (!answer.ok()) on_failure(answer.failure(), "write final states");
        });
  }
}

// Rows that the vault thinks about for long stay ours.
void SqlSource::renew() {
  renew_->start(settings_->lease / 3);
  if (!serving_ || in_flight_.empty()) return;
  std::vector<std::string> ids;
  for (const std::int64_t id : in_flight_) ids.push_back(std::to_string(id));
  database_->run(statements_.renew, {array_of(ids), settings_->claimed_by}, [this](Answer&& answer) {
    if (!answer.ok()) on_failure(answer.failure(), "renew the lease");
  });
}

void SqlSource::drain(std::function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  tell_quarantined();
  if (!link_->up()) release_all();
  drain_limit_->start(kDrainLimit);
  flush_soon();
}

// Done when every claimed row has its verdict and every verdict is written. With the database away there
// is nothing to wait for: the leases run out by themselves.
void SqlSource::look_drained() {
  const bool settled = unsettled() == 0 && !claiming_ && database_->pending() == 0;
  if (serving_ && !settled) return;
  drain_limit_->stop();
  if (const std::function<void()> done = std::exchange(drained_, {})) done();
}

}  // namespace postern::sql
