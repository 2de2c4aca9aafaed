// SPDX-License-Identifier: Apache-2.0
// Purpose: the pull source for PostgreSQL: claims rows of the outbox table, submits them, writes back what
// became of them. Used by: postern-sql. Threads: the loop's.
// Ownership: of a row under way only its id is kept; its content lives in the database until the vault
// has it.
// Crash at any point: the row is claimed again when its lease has run out, or at the restart of the same
// connector, and its key makes the second submit the same message.
// Errors: a lost database or vault stops the claiming; what was claimed is given back or written when
// the database is there again.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/program.hpp"
#include "connectors/sources/sql/database.hpp"
#include "connectors/sources/sql/row.hpp"
#include "connectors/sources/sql/settings.hpp"
#include "connectors/sources/sql/write_back.hpp"

namespace postern::sql {

class SqlSource final : public Connector {
 public:
  explicit SqlSource(std::unique_ptr<Settings> settings);
  ~SqlSource() override;

  LinkOptions link_options() const override;
  LinkHandlers link_handlers() override;
  Status start(Loop& loop, Link& link) override;
  void drain(std::function<void()> done) override;

 private:
  // The database
  void on_connected();
  void on_lost(const Failure& why);
  void check_table(const Answer& answer);
  void recover();
  void serve();
  void on_failure(const Failure& why, std::string_view what);
  void hold(std::chrono::milliseconds pause);

  // Rows in
  void claim();
  void claim_lapsed();
  void on_rows(const Answer& answer);
  void feed();
  void quarantine(std::int64_t id, const Quarantine& fault);
  void on_verdict(const wire::Verdict& verdict);
  void release_all();
  void blank();
  std::size_t unsettled() const;

  // Answers back
  void flush_soon();
  void flush();
  void write_accepted();
  void write_rejected();
  void write_released();
  void write_events();
  void renew();
  void tell_quarantined();
  void look_drained();
  void set_health(bool up, const std::string& detail);

  std::unique_ptr<Settings> settings_;
  Statements statements_;
  RowMapper mapper_;
  Loop* loop_ = nullptr;
  Link* link_ = nullptr;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Timer> poll_, lapsed_, renew_, connect_, hold_, tell_, blank_, drain_limit_;

  bool serving_ = false;    // connected, and the table fits
  bool recovered_ = false;  // what an earlier process had claimed is free again
  bool more_ = false;       // the table probably holds more new rows than the last claim took
  bool claiming_ = false, flush_due_ = false, feeding_ = false, holding_ = false, draining_ = false;
  std::size_t unread_ = 0;  // bytes of rows that may still lie in libpq's buffer
  std::int64_t pause_until_ms_ = 0;  // monotonic; nothing is claimed before
  std::chrono::milliseconds backoff_;
  std::string last_failure_, health_detail_;
  bool healthy_ = false;

  std::deque<wire::Submit> mapped_;             // claimed, not yet said to the vault
  std::unordered_set<std::int64_t> in_flight_;  // said, no verdict yet
  WriteQueue<Accepted> accepted_;
  WriteQueue<Rejected> rejected_;
  WriteQueue<std::int64_t> released_;
  WriteQueue<Told> events_;

  struct Seen {
    std::uint32_t count = 0;
    std::int64_t first_id = 0;
  };
  std::map<std::string, Seen> quarantined_;  // by code, since the last observation
  log::LogLimit failure_limit_;
  std::function<void()> drained_;
};

}  // namespace postern::sql
