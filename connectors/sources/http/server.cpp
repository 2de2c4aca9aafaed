// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "connectors/sources/http/connection.hpp"
#include "connectors/sources/http/core.hpp"
#include "connectors/sources/http/listener.hpp"
#include "connectors/sources/http/recheck.hpp"

namespace postern::http {
namespace {

// Bounds on the work of one turn of the loop, so that nobody waits for somebody else's flood.
constexpr int kAcceptsPerTurn = 16;
constexpr std::size_t kWaiting = 512;
constexpr int kLooksPerTurn = 64, kLooksForACheck = 8;
constexpr std::chrono::milliseconds kAcceptPause{100};

std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  const std::string_view written = text.data();
  constexpr std::string_view kMapped = "::ffff:";
  const bool mapped = written.starts_with(kMapped) && written.find('.') != std::string_view::npos;
  return std::string(mapped ? written.substr(kMapped.size()) : written);
}

// While it waited: whoever gave up costs no handshake.
bool has_left(int fd) {
  pollfd facts{fd, POLLRDHUP, 0};
  return ::poll(&facts, 1, 0) == 1 && (facts.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

Server::Core::Core(Loop& loop, ServerOptions options, ServerHandlers handlers)
    : loop_(loop),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      accept_pause_(loop,
                    [this] {
                      if (accept_) accept_->start();
                    }),
      room_(kWaiting),
      begin_pace_(loop, [this] { begin_some(); }),
      file_watch_(loop, [this] { look_at_files(); }),
      recheck_(loop, [this] { recheck_all(); }),
      recheck_step_(loop, [this] { recheck_some(); }),
      hangup_(loop, SIGHUP, [this] {
        if (const Status read = reload(); !read)
          log::error("tls.reload-failed", "{}; the old files stay in use", read.what());
      }) {}

Server::Core::~Core() {
  *alive_ = false;
  accept_.reset();
  if (listener_ >= 0) ::close(listener_);
}

Result<SslContext> Server::Core::make_context() const {
  return options_.client_certificates ? make_tls_server(options_.tls) : make_tls_open_server(options_.tls);
}

Status Server::Core::start() {
  seen_files_ = stamps();
  Result<SslContext> context = make_context();
  if (!context) return fail(context.what());
  context_ = std::move(*context);
  const Result<int> fd = open_listener(options_.listen);
  if (!fd) return fail(fd.what());
  listener_ = *fd;
  const Result<std::uint16_t> port = bound_port(listener_);
  if (!port) return fail(port.what());
  port_ = *port;
  accept_ = std::make_unique<Watch>(loop_, listener_, Watch::For::read, [this] { accept_some(); });
  accept_->start();
  file_watch_.start(options_.limits.watch);
  recheck_.start(options_.limits.recheck);
  return {};
}

// A handshake costs a millisecond of the one thread that everybody shares. Up to kAtOnce may follow each other, as when a system of
// the bank comes back; then they are begun at their pace.
bool Server::Core::may_begin_handshake() {
  constexpr double kAtOnce = 64;
  const double rate = options_.limits.handshakes_per_second;
  const std::int64_t now = steady_ms();
  handshakes_left_ = counted_ms_ == 0 ? kAtOnce : std::min(kAtOnce, handshakes_left_ + rate * static_cast<double>(now - counted_ms_) / 1000);
  counted_ms_ = now;
  if (handshakes_left_ >= 1) {
    --handshakes_left_;
    return true;
  }
  begin_pace_.start(std::chrono::milliseconds(static_cast<std::int64_t>((1 - handshakes_left_) * 1000 / rate) + 1));
  return false;
}

// Whoever means it is through in a few milliseconds: the oldest is the one that keeps its place for nothing.
std::shared_ptr<Connection> Server::Core::oldest_handshake() {
  for (; !begun_.empty(); begun_.pop_front())
    if (std::shared_ptr<Connection> oldest = begun_.front().lock(); oldest && oldest->handshaking()) return oldest;
  return nullptr;
}

void Server::Core::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int fd = accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (accept_log_.pass())
          log::error("http.accept", "no connection can be accepted: {}; raise LimitNOFILE", std::strerror(errno));
        accept_->stop();
        accept_pause_.start(kAcceptPause);
      }
      break;
    }
    let_in({fd, address_text(from)});
  }
  begin_some();
}

void Server::Core::let_in(Newcomer newcomer) {
  std::uint32_t& of_peer = per_peer_[newcomer.address];
  const ServerLimits& limits = options_.limits;
  ++of_peer;
  if (connections_.size() + room_.size() >= limits.connections || of_peer > limits.connections_per_peer) return turn_away(newcomer);
  if (const std::optional<Newcomer> leaves = room_.add(std::move(newcomer))) turn_away(*leaves);
}

void Server::Core::turn_away(const Newcomer& newcomer) {
  ++counts.over_limit;
  if (cap_log_.pass())
    log::warning("http.over-limit", "a connection from {} was closed at once: {} open, {} in handshake, {} waiting for one, {} of this peer", newcomer.address,
                 connections_.size(), handshaking_, room_.size(), per_peer_[newcomer.address]);
  ::close(newcomer.fd);
  one_less_of(newcomer.address);
}

void Server::Core::begin_some() {
  while (room_.size() > 0 && may_begin_handshake()) {
    const Newcomer newcomer = *room_.next();
    if (!has_left(newcomer.fd)) {
      begin(newcomer);
      continue;
    }
    ++handshakes_left_;
    ++counts.handshakes_lost;
    ::close(newcomer.fd);
    one_less_of(newcomer.address);
  }
}

void Server::Core::begin(const Newcomer& newcomer) {
  if (const std::shared_ptr<Connection> oldest = oldest_handshake(); oldest && handshaking_ >= options_.limits.handshakes) {
    ++counts.over_limit;
    oldest->drain();
  }
  ++handshaking_;
  ++counts.accepted;
  const auto connection = std::make_shared<Connection>(*this, newcomer.fd, Peer{newcomer.address, std::nullopt});
  connections_.emplace(connection.get(), connection);
  begun_.push_back(connection);
  counts.open = connections_.size();
  connection->start();
}

void Server::Core::one_less_of(const std::string& address) {
  const auto peer = per_peer_.find(address);
  if (peer != per_peer_.end() && --peer->second == 0) per_peer_.erase(peer);
}

void Server::Core::forget(Connection& connection) {
  one_less_of(connection.peer().address);
  if (const auto found = connections_.find(&connection); found != connections_.end()) {
    if (ended_.empty())
      loop_.defer([this, alive = alive_] {
        if (*alive) ended_.clear();
      });
    ended_.push_back(std::move(found->second));
    connections_.erase(found);
  }
  counts.open = connections_.size();
  if (draining_ && connections_.empty() && drained_) loop_.defer(std::exchange(drained_, {}));
}

bool Server::Core::reserve_body(std::uint64_t bytes) {
  if (bytes > options_.limits.body_bytes - body_bytes_) return false;
  body_bytes_ += bytes;
  return true;
}

const std::string& Server::Core::date() {
  const std::int64_t second = wall_ms() / 1000;
  if (second != date_second_) {
    date_second_ = second;
    date_ = http_date(second);
  }
  return date_;
}

std::vector<Server::Core::Stamp> Server::Core::stamps() const {
  std::vector<Stamp> all;
  for (const std::string* path : {&options_.tls.certificate, &options_.tls.key, &options_.tls.ca, &options_.tls.crl}) {
    struct stat info {};
    Stamp stamp;
    if (!path->empty() && ::stat(path->c_str(), &info) == 0)
      stamp = {info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size, info.st_ino};
    all.push_back(stamp);
  }
  return all;
}

void Server::Core::look_at_files() {
  file_watch_.start(options_.limits.watch);
  if (stamps() == seen_files_) return;
  // Certificate and key are replaced one after the other: a set that does not fit together is tried
  // again when the next file changes.
  if (const Status read = reload(); !read)
    log::error("tls.reload-failed", "{}; the old files stay in use until a file changes again", read.what());
}

Status Server::Core::reload() {
  seen_files_ = stamps();
  Result<SslContext> context = make_context();
  if (!context) return fail(context.what());
  context_ = std::move(*context);
  log::info("tls.reloaded", "certificate, key, CA and revocation list were read again");
  recheck_all();
  return {};
}

void Server::Core::recheck_all() {
  recheck_.start(options_.limits.recheck);
  if (!options_.client_certificates) return;
  rechecked_.clear();
  rechecked_to_ = nullptr;
  recheck_some();
}

void Server::Core::recheck_some() {
  // What an idle connection holds has long left the processor's caches, so looking at it costs too.
  for (int looks = 0; looks < kLooksPerTurn; ++looks) {
    const auto next = connections_.upper_bound(rechecked_to_);
    if (next == connections_.end()) {
      rechecked_.clear();
      return;
    }
    const std::shared_ptr<Connection> connection = next->second;
    rechecked_to_ = next->first;
    if (!connection->open() || !connection->peer().identity) continue;
    const auto [known, fresh] = rechecked_.try_emplace(connection->peer().identity->fingerprint);
    if (fresh) {
      known->second = recheck_peer(context_.get(), connection->ssl());
      looks += kLooksForACheck - 1;
    }
    if (!known->second.empty()) connection->cut(known->second);
  }
  recheck_step_.start(std::chrono::milliseconds(0));
}

void Server::Core::drain(std::function<void()> done) {
  if (draining_) return;
  draining_ = true;
  drained_ = std::move(done);
  accept_pause_.stop();
  begin_pace_.stop();
  accept_.reset();
  while (const std::optional<Newcomer> waiting = room_.next()) ::close(waiting->fd);
  ::close(std::exchange(listener_, -1));
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->drain();
  if (connections_.empty() && drained_) loop_.defer(std::exchange(drained_, {}));
}

Server::Server() = default;
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::open(Loop& loop, ServerOptions options, ServerHandlers handlers) {
  std::unique_ptr<Server> server(new Server);
  server->core_ = std::make_unique<Core>(loop, std::move(options), std::move(handlers));
  if (const Status started = server->core_->start(); !started) return fail(started.what());
  return server;
}

std::uint16_t Server::port() const { return core_->port(); }
Status Server::reload() { return core_->reload(); }
void Server::drain(std::function<void()> done) { core_->drain(std::move(done)); }
ServerCounts Server::counts() const { return core_->counts; }

}  // namespace postern::http
