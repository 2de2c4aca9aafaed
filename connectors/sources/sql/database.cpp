// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/database.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <openssl/ssl.h>

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace postern::sql {
namespace {

constexpr std::chrono::milliseconds kResolveTimeout{5'000};
// The server ends a statement at its time-out; one that still does not answer is not there any more.
constexpr std::chrono::milliseconds kGrace{3'000};

std::string text_of(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = address.family() == AF_INET6
                          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(address.get())->sin6_addr)
                          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(address.get())->sin_addr);
  return inet_ntop(address.family(), bytes, text.data(), text.size()) != nullptr ? text.data() : "";
}

// One line of printable ASCII, at most 300 characters.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, text.find('\n'))) {
    if (out.size() >= 300) break;
    out += c >= ' ' && c <= '~' ? c : '?';
  }
  return out;
}

std::vector<const char*> pointers_to(const std::vector<std::optional<std::string>>& parameters) {
  std::vector<const char*> values;
  for (const std::optional<std::string>& parameter : parameters)
    values.push_back(parameter ? parameter->c_str() : nullptr);
  return values;
}

Failure failure_of(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  Failure failure;
  failure.state = state != nullptr ? state : "";
  failure.kind = class_of(failure.state);
  if (text != nullptr && text_is_safe(failure.state)) failure.text = one_line(text);
  return failure;
}

}  // namespace

void Answer::Clear::operator()(pg_result* result) const { PQclear(result); }
void Database::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

std::size_t Answer::rows() const { return result_ ? static_cast<std::size_t>(PQntuples(result_.get())) : 0; }

std::size_t Answer::size() const { return result_ ? PQresultMemorySize(result_.get()) : 0; }

std::size_t Answer::changed() const {
  const std::string_view text = result_ ? PQcmdTuples(result_.get()) : "";
  std::size_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

std::optional<std::string_view> Answer::cell(std::size_t row, std::size_t column) const {
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  if (!result_ || r >= PQntuples(result_.get()) || c >= PQnfields(result_.get()) ||
      PQgetisnull(result_.get(), r, c) == 1)
    return std::nullopt;
  return std::string_view(PQgetvalue(result_.get(), r, c), static_cast<std::size_t>(PQgetlength(result_.get(), r, c)));
}

Database::Database(Loop& loop, DatabaseOptions options, Handlers handlers)
    : loop_(loop),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      timeout_(loop,
               [this] {
                 drop(Failure{FailureClass::reconnect, "",
                              phase_ == Phase::ready ? "no answer in time" : "no connection in time"});
               }),
      alive_(std::make_shared<bool>(true)) {}

Database::~Database() { *alive_ = false; }

void Database::open() {
  if (phase_ != Phase::closed) return;
  phase_ = Phase::resolving;
  resolving_ = 0;
  hosts_.clear();
  addresses_.clear();
  timeout_.start(kResolveTimeout * static_cast<int>(options_.hosts.size()));
  resolve_next();
}

// libpq would look names up while the whole process waits, so it gets addresses; the name stays beside
// each address for the certificate.
void Database::resolve_next() {
  if (resolving_ == options_.hosts.size()) {
    lookup_.reset();
    if (addresses_.empty()) return drop(Failure{FailureClass::reconnect, "", "none of the host names has an address"});
    return begin();
  }
  const std::string host = options_.hosts[(turn_ + resolving_++) % options_.hosts.size()];
  lookup_ = std::make_unique<Lookup>(loop_, host, options_.port,
                                           [this, host](Result<std::vector<SocketAddress>> found) {
                                             if (found) {
                                               for (const SocketAddress& address : *found) {
                                                 hosts_ += (hosts_.empty() ? "" : ",") + host;
                                                 addresses_ += (addresses_.empty() ? "" : ",") + text_of(address);
                                               }
                                             }
                                             loop_.defer([this, alive = alive_] {
                                               if (*alive && phase_ == Phase::resolving) resolve_next();
                                             });
                                           });
}

void Database::begin() {
  phase_ = Phase::connecting;
  const std::string port = std::to_string(options_.port);
  // Names resolve in pg_catalog only: nobody who may create objects elsewhere can put a function of his
  // own under our statements (CVE-2018-1058).
  const std::string session = fmt::format(
      "-c statement_timeout={} -c lock_timeout=3000 -c idle_in_transaction_session_timeout=15000 -c "
      "search_path=pg_catalog",
      options_.statement_timeout.count());
  std::string password(options_.password != nullptr ? options_.password->text() : std::string_view());
  std::vector<std::pair<const char*, const char*>> words = {
      {"host", hosts_.c_str()},
      {"hostaddr", addresses_.c_str()},
      {"port", port.c_str()},
      {"dbname", options_.database.c_str()},
      {"user", options_.user.c_str()},
      {"application_name", options_.application_name.c_str()},
      {"client_encoding", "UTF8"},
      {"options", session.c_str()},
      {"target_session_attrs", "read-write"},
      {"sslmode", "verify-full"},
      {"sslrootcert", options_.ca.c_str()},
      {"ssl_min_protocol_version", options_.allow_tls12 ? "TLSv1.2" : "TLSv1.3"},
      {"sslcompression", "0"},
      {"gssencmode", "disable"},
      {"tcp_user_timeout", "15000"},
      {"keepalives", "1"},
      {"keepalives_idle", "30"},
      {"keepalives_interval", "10"},
      {"keepalives_count", "3"},
      {"passfile", "/dev/null"}};
  if (!options_.certificate.empty())
    words.insert(words.end(), {{"sslcert", options_.certificate.c_str()}, {"sslkey", options_.key.c_str()}});
  if (!options_.crl.empty()) words.emplace_back("sslcrl", options_.crl.c_str());
  if (!password.empty()) {
    // A password leaves only inside SCRAM, bound to this TLS connection: whoever sits between cannot use it.
    words.insert(words.end(), {{"password", password.c_str()}, {"channel_binding", "require"}});
    if (PQlibVersion() >= 160000) words.emplace_back("require_auth", "scram-sha-256");
  }
  std::vector<const char*> keywords, values;
  for (const auto& [keyword, value] : words) {
    keywords.push_back(keyword);
    values.push_back(value);
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(keywords.data(), values.data(), 0));
  wipe_text(password);
  timeout_.start(options_.connect_timeout);
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) return drop(connection_failure());
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);  // notices may quote values
  watch_socket(/*want_write=*/true);
}

// The socket may be another one after each step: libpq goes through the hosts by itself.
void Database::watch_socket(bool want_write) {
  read_.reset();
  write_.reset();
  auto& watch = want_write ? write_ : read_;
  watch = std::make_unique<Watch>(loop_, PQsocket(connection_.get()), want_write ? Watch::For::write : Watch::For::read,
                                  [this] { on_connecting(); });
  watch->start();
}

void Database::on_connecting() {
  switch (PQconnectPoll(connection_.get())) {
    case PGRES_POLLING_READING:
      return watch_socket(/*want_write=*/false);
    case PGRES_POLLING_WRITING:
      return watch_socket(/*want_write=*/true);
    case PGRES_POLLING_OK:
      return begin_session();
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
      break;
  }
  drop(connection_failure());
}

Failure Database::connection_failure() const {
  Failure failure{FailureClass::reconnect, "", "no connection"};
  if (connection_) failure.text = one_line(PQerrorMessage(connection_.get()));
  // Before the session stands there is no SQLSTATE to ask for; the words of libpq and of the server's
  // first answer tell what a person must mend.
  for (const std::string_view word :
       {"certificate", "password authentication", "no pg_hba.conf entry", "does not exist", "SSL", "channel binding"}) {
    if (failure.text.find(word) != std::string::npos) failure.kind = FailureClass::config;
  }
  return failure;
}

// What libpq and OpenSSL keep for a connection that stands, as far as they let us.
void Database::forget_secrets() {
  // The password has done its work. libpq gives its own copy to look at; a connection that is lost is made anew from the credential.
  if (char* password = PQpass(connection_.get()); password != nullptr) wipe(password, std::strlen(password));
  if (SSL* ssl = static_cast<SSL*>(PQsslStruct(connection_.get(), "OpenSSL")); ssl != nullptr) {
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);
  }
}

void Database::begin_session() {
  forget_secrets();
  if (PQsetnonblocking(connection_.get(), 1) != 0 || PQenterPipelineMode(connection_.get()) != 1)
    return drop(connection_failure());
  phase_ = Phase::opening;
  read_ = std::make_unique<Watch>(loop_, PQsocket(connection_.get()), Watch::For::read, [this] { on_readable(); });
  write_ = std::make_unique<Watch>(loop_, PQsocket(connection_.get()), Watch::For::write, [this] { on_writable(); });
  writing_ = false;
  read_->start();
  if (!options_.channel.empty()) {
    const std::string listen = "LISTEN " + options_.channel;  // a checked identifier
    const bool good =
        PQsendQueryParams(connection_.get(), listen.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
    sent(good, [this](Answer&& answer) {
      if (!answer.ok()) drop(answer.failure());
    });
  }
  const bool good = PQsendQueryParams(connection_.get(), "SELECT 1", 0, nullptr, nullptr, nullptr, nullptr, 0) == 1;
  sent(good, [this](Answer&& answer) {
    if (!answer.ok()) return drop(answer.failure());
    if (phase_ != Phase::opening) return;
    phase_ = Phase::ready;
    handlers_.connected();
  });
}

void Database::prepare(const std::vector<Statement>& statements, Done done) {
  // The answers come in order: the last one tells for all.
  auto failed = std::make_shared<std::optional<Failure>>();
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const std::string name(statements[i].name);
    const bool good = PQsendPrepare(connection_.get(), name.c_str(), statements[i].sql.c_str(), 0, nullptr) == 1;
    sent(good, [failed, last = i + 1 == statements.size(), done](Answer&& answer) {
      if (!answer.ok() && !*failed) *failed = answer.failure();
      if (last) done(*failed ? Answer(**failed) : std::move(answer));
    });
  }
}

// Each statement is followed by a sync: it is a transaction of its own, and its failure fails no other.
void Database::sent(bool good, Done done) {
  if (phase_ == Phase::closed) return;
  pending_.push_back(Pending{std::move(done), std::nullopt});
  if (!good || PQpipelineSync(connection_.get()) != 1) {
    loop_.defer([this, alive = alive_] {
      if (*alive && phase_ != Phase::closed) drop(connection_failure());
    });
    return;
  }
  if (pending_.size() == 1) arm();
  flush();
}

void Database::run(const Statement& statement, std::vector<Parameter> parameters, Done done) {
  const std::vector<const char*> values = pointers_to(parameters);
  const bool good = PQsendQueryPrepared(connection_.get(), std::string(statement.name).c_str(),
                                        static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0) == 1;
  sent(good, std::move(done));
}

void Database::once(const Statement& statement, std::vector<Parameter> parameters, Done done) {
  const std::vector<const char*> values = pointers_to(parameters);
  const bool good = PQsendQueryParams(connection_.get(), statement.sql.c_str(), static_cast<int>(values.size()),
                                      nullptr, values.data(), nullptr, nullptr, 0) == 1;
  sent(good, std::move(done));
}

void Database::flush() {
  const int left = PQflush(connection_.get());
  if (left < 0) return;  // the socket's end is told by on_readable()
  if (left == 1 && !std::exchange(writing_, true)) write_->start();
  if (left == 0 && std::exchange(writing_, false)) write_->stop();
}

void Database::on_writable() { on_readable(); }

void Database::on_readable() {
  if (phase_ == Phase::closed) return;
  if (PQconsumeInput(connection_.get()) != 1) return drop(connection_failure());
  flush();
  take_results();
  if (phase_ == Phase::closed) return;
  bool told = false;
  while (PGnotify* notify = PQnotifies(connection_.get())) {
    told = true;
    PQfreemem(notify);
  }
  if (told && phase_ == Phase::ready) handlers_.notified();
}

void Database::take_results() {
  bool gap = false;  // one null stands between the results of two statements, two mean that there are none
  while (phase_ != Phase::closed && !pending_.empty() && PQisBusy(connection_.get()) == 0) {
    PGresult* result = PQgetResult(connection_.get());
    if (result == nullptr) {
      if (std::exchange(gap, true)) return;
      continue;
    }
    gap = false;
    switch (PQresultStatus(result)) {
      case PGRES_PIPELINE_SYNC: {
        PQclear(result);
        Pending finished = std::move(pending_.front());
        pending_.pop_front();
        arm();
        if (!finished.answer) finished.answer.emplace(Failure{FailureClass::reconnect, "", "no result"});
        finished.done(std::move(*finished.answer));
        break;
      }
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK: {
        pending_.front().answer.emplace(result);
        break;
      }
      case PGRES_EMPTY_QUERY:
      case PGRES_COPY_OUT:
      case PGRES_COPY_IN:
      case PGRES_BAD_RESPONSE:
      case PGRES_NONFATAL_ERROR:
      case PGRES_FATAL_ERROR:
      case PGRES_COPY_BOTH:
      case PGRES_SINGLE_TUPLE:
      case PGRES_PIPELINE_ABORTED: {
        if (!pending_.front().answer || pending_.front().answer->ok())
          pending_.front().answer.emplace(failure_of(result));
        PQclear(result);
        break;
      }
    }
  }
}

void Database::arm() {
  if (pending_.empty())
    timeout_.stop();
  else
    timeout_.start(options_.statement_timeout + kGrace);
}

void Database::drop(Failure why) {
  if (phase_ == Phase::closed) return;
  // libpq goes on to the next host only when one refuses; one that is silent must not be first again.
  if (phase_ == Phase::connecting) ++turn_;
  phase_ = Phase::closed;
  timeout_.stop();
  read_.reset();
  write_.reset();
  lookup_.reset();
  connection_.reset();
  const Failure gone{FailureClass::reconnect, why.state, why.text};
  for (Pending& pending : std::exchange(pending_, {})) pending.done(Answer(gone));
  handlers_.lost(why);
}

std::string Database::server() const {
  if (!connection_) return "";
  const int version = PQserverVersion(connection_.get());
  const char* host = PQhost(connection_.get());
  const char* protocol = PQsslAttribute(connection_.get(), "protocol");
  return fmt::format("{} PostgreSQL {}.{} {}", host != nullptr ? host : "", version / 10000, version % 10000,
                     protocol != nullptr ? protocol : "");
}

}  // namespace postern::sql
