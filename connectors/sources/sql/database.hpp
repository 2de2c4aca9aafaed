// SPDX-License-Identifier: Apache-2.0
// Purpose: one PostgreSQL connection on the loop: libpq, non-blocking and in pipeline mode, behind one
// .cpp. Used by: postern-sql. Threads: the loop's. Ownership: owns the connection; an Answer owns its
// rows. Callbacks must not destroy the Database that calls them.
// Errors: every statement is answered exactly once, also when the connection is lost before. The server's
// certificate and name are always verified; there is no other mode.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/protocol/resolver.hpp"
#include "connectors/protocol/loop.hpp"
#include "connectors/sources/sql/sqlstate.hpp"
#include "connectors/sources/sql/table.hpp"
#include "crypto/secret.hpp"

struct pg_conn;
struct pg_result;

namespace postern::sql {

struct DatabaseOptions {
  std::vector<std::string> hosts;
  std::uint16_t port = 5432;
  std::string database, user, application_name;
  const Secret* password = nullptr;       // outlives the Database; empty: none
  std::string ca, certificate, key, crl;  // files; all but the CA may be empty
  bool allow_tls12 = false;
  std::chrono::milliseconds connect_timeout{5'000}, statement_timeout{10'000};
  std::string channel;  // to LISTEN on; empty: none
};

class Answer {
 public:
  explicit Answer(pg_result* result) : result_(result) {}
  explicit Answer(Failure failure) : failure_(std::move(failure)) {}
  bool ok() const { return !failure_.has_value(); }
  const Failure& failure() const { return *failure_; }
  std::size_t rows() const;
  // At least the bytes that came from the server for it.
  std::size_t size() const;
  // Rows changed by an UPDATE.
  std::size_t changed() const;
  // Nothing for NULL.
  std::optional<std::string_view> cell(std::size_t row, std::size_t column) const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
  std::optional<Failure> failure_;
};

class Database {
 public:
  using Done = std::function<void(Answer&&)>;
  using Parameter = std::optional<std::string>;
  struct Handlers {
    std::function<void()> connected;           // statements may be run
    std::function<void(const Failure&)> lost;  // the attempt failed, or the connection ended
    std::function<void()> notified;            // something was inserted
  };

  Database(Loop& loop, DatabaseOptions options, Handlers handlers);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Connects and listens. Not while connecting or connected.
  void open();
  bool ready() const { return phase_ == Phase::ready; }
  // Statements sent and not answered.
  std::size_t pending() const { return pending_.size(); }

  // Prepares statements for run(); `done` has the first failure, or success. Only while ready().
  void prepare(const std::vector<Statement>& statements, Done done);

  // Runs one statement as a transaction of its own, prepared or (once()) not. Only while ready().
  void run(const Statement& statement, std::vector<Parameter> parameters, Done done);
  void once(const Statement& statement, std::vector<Parameter> parameters, Done done);

  // Ends the connection; what is pending is answered with `reconnect`, lost() is told.
  void drop(Failure why);

  std::string server() const;  // "db1.bank.example 15.20 TLSv1.3", for the log

 private:
  enum class Phase { closed, resolving, connecting, opening, ready };
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  struct Pending {
    Done done;
    std::optional<Answer> answer;
  };

  void resolve_next();
  void begin();
  void on_connecting();
  void watch_socket(bool want_write);
  void begin_session();
  void forget_secrets();
  void sent(bool good, Done done);
  void on_readable();
  void on_writable();
  void flush();
  void take_results();
  void arm();
  Failure connection_failure() const;

  Loop& loop_;
  DatabaseOptions options_;
  Handlers handlers_;
  Phase phase_ = Phase::closed;
  std::unique_ptr<pg_conn, Finish> connection_;
  std::unique_ptr<Lookup> lookup_;
  std::size_t resolving_ = 0, turn_ = 0;  // host being looked up; host that comes first
  std::string hosts_, addresses_;         // parallel lists, separated by commas
  std::unique_ptr<Watch> read_, write_;
  bool writing_ = false;
  Timer timeout_;
  std::deque<Pending> pending_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern::sql
