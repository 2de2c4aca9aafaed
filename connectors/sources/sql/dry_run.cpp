// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/dry_run.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <memory>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/loop.hpp"
#include "connectors/sources/sql/database.hpp"
#include "connectors/sources/sql/row.hpp"

namespace postern::sql {
namespace {

void say(const std::string& line) { std::printf("%s\n", line.c_str()); }

class DryRun {
 public:
  explicit DryRun(const Settings& settings)
      : settings_(settings),
        statements_(statements_for(*settings.table)),
        mapper_(settings.default_region, settings.mobile_only) {}

  int run() {
    DatabaseOptions options = settings_.database;
    options.channel.clear();
    Database database(loop_, options,
                      Database::Handlers{[this] { begin(); }, [this](const Failure& why) { end(why); }, [] {}});
    database_ = &database;
    database.open();
    loop_.run();
    return code_;
  }

 private:
  static inline const Statement kReadOnly{"read_only", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"};

  void begin() {
    say("connected to " + database_->server());
    database_->once(kReadOnly, {}, [this](Answer&& answer) {
      if (!answer.ok()) end(answer.failure());
    });
    database_->once(statements_.columns, {settings_.table->text()}, [this](Answer&& answer) {
      if (!answer.ok()) return end(answer.failure());
      std::vector<Column> columns;
      for (std::size_t i = 0; i < answer.rows(); ++i)
        columns.push_back(Column{std::string(answer.cell(i, 0).value_or("")),
                                 std::string(answer.cell(i, 1).value_or("")),
                                 std::atoi(std::string(answer.cell(i, 2).value_or("0")).c_str())});
      const std::vector<std::string> faults = faults_of(*settings_.table, columns);
      for (const std::string& fault : faults) say("table: " + fault);
      if (!faults.empty()) return finish(1);
      say("table: " + settings_.table->text() + " fits");
      count();
    });
  }

  void count() {
    database_->once(statements_.count, {std::to_string(settings_.lease.count())}, [this](Answer&& answer) {
      if (!answer.ok() || answer.rows() != 1) return end(answer.ok() ? Failure{} : answer.failure());
      const auto number = [&](std::size_t column) { return std::string(answer.cell(0, column).value_or("?")); };
      say(fmt::format("rows: {} new, {} claimed ({} with a lease that ran out), {} accepted, {} rejected, {} done",
                      number(0), number(2), number(1), number(3), number(4), number(5)));
      look();
    });
  }

  void look() {
    database_->once(statements_.look, {std::to_string(kShownRows), std::to_string(settings_.largest_row)},
                    [this](Answer&& answer) {
                      if (!answer.ok()) return end(answer.failure());
                      say(answer.rows() == 0 ? "nothing would be claimed now"
                                             : fmt::format("the first {} rows that would be claimed:", answer.rows()));
                      for (std::size_t i = 0; i < answer.rows(); ++i) show(answer, i);
                      finish(0);
                    });
  }

  void show(const Answer& answer, std::size_t index) {
    Row row;
    for (std::size_t column = 0; column < kCells; ++column) row[column] = answer.cell(index, column);
    const std::optional<Mapped> mapped = mapper_.map(row, wall_ms());
    if (!mapped) return say("  a row whose id cannot be read");
    if (const Quarantine* fault = std::get_if<Quarantine>(&mapped->what))
      return say(fmt::format("  {:>10}  would be rejected: {}: {}", mapped->id, fault->code, fault->detail));
    const wire::Submit& submit = std::get<wire::Submit>(mapped->what);
    const wire::Recipient& to = submit.recipient();
    std::string where;
    if (!to.phone().empty()) where += " phone " + log::masked(to.phone());
    if (!to.email().empty()) where += " email " + log::masked(to.email());
    if (to.push_size() > 0) where += " push " + log::masked(to.push(0).token());
    if (where.empty()) where = to.reference().empty() ? " no address" : " the vault's addresses";
    say(fmt::format("  {:>10}  {} {}{}, {} variables", mapped->id, wire::Category_Name(submit.category()),
                    submit.template_(), where, submit.variable_size()));
  }

  void end(const Failure& why) {
    if (ended_) return;
    std::fprintf(stderr, "postern-sql: the database cannot be used: %s%s\n", why.text.c_str(),
                 why.state.empty() ? "" : (" (SQLSTATE " + why.state + ")").c_str());
    finish(1);
  }
  void finish(int code) {
    ended_ = true;
    code_ = code;
    loop_.stop();
  }

  const Settings& settings_;
  Statements statements_;
  RowMapper mapper_;
  Loop loop_;
  Database* database_ = nullptr;
  int code_ = 1;
  bool ended_ = false;
};

}  // namespace

int dry_run(const Settings& settings) { return DryRun(settings).run(); }

}  // namespace postern::sql
