// SPDX-License-Identifier: Apache-2.0
// Abuse of a TLS port from many loopback addresses, for measuring what a good client feels of it. It works until SIGTERM, then prints one
// JSON line. Only 127.0.0.0/8 is ever connected to.
//   abuse slow  --port P --count N    N connections that send a byte of their handshake now and then; each that is cut is opened again
//   abuse idle  --port P --count N --ca F --cert F --key F   N whole handshakes of a good certificate, then silence
//   abuse flood --port P --rate R     R connections a second that send a hello, wait for the server's answer (which costs it most) and go
// It prints {"open":N} when it has its full weight: all idle ones stand, or it has worked for a second.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "connectors/protocol/loop.hpp"
#include "crypto/tls.hpp"
#include "tests/bench/ledger.hpp"
#include "tests/bench/load_http.hpp"

namespace {

using namespace postern;
using namespace postern::bench;

struct Options {
  std::string kind;
  int port = 0;
  std::size_t count = 0;
  double rate = 0;
  TlsFiles tls;
};

constexpr auto kDrip = std::chrono::milliseconds(500);
constexpr std::size_t kAtOnce = 64;  // handshakes of `idle` under way

// The hello of a client, as a library makes it.
std::string client_hello() {
  const std::unique_ptr<SSL_CTX, SslContextFree> context(SSL_CTX_new(TLS_client_method()));
  const std::unique_ptr<SSL, SslFree> ssl(SSL_new(context.get()));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), in, out);
  SSL_set_connect_state(ssl.get());
  SSL_do_handshake(ssl.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

class Abuse {
 public:
  Abuse(Loop& loop, const Options& options, SSL_CTX* tls) : loop_(loop), options_(options), tls_(tls), hello_(client_hello()), timer_(loop, [this] { tick(); }), begun_(now_us()) { tick(); }

  void report() const {
    std::printf("{\"bench\":\"abuse\",\"kind\":\"%s\",\"opened\":%lu,\"answered\":%lu,\"ended_by_peer\":%lu,\"open\":%zu,\"seconds\":%.1f}\n", options_.kind.c_str(), opened_, answered_, ended_, all_.size(),
                static_cast<double>(now_us() - begun_) / 1e6);
  }

 private:
  struct Connection {
    Abuse* owner = nullptr;
    Stream stream;
    std::size_t sent = 0;
    bool stands = false;
  };

  void tick() {
    if (options_.kind != "idle" && now_us() - begun_ > 1'000'000) tell();
    if (options_.kind == "flood") {
      const auto due = static_cast<std::uint64_t>(static_cast<double>(now_us() - begun_) * options_.rate / 1e6);
      for (; opened_ < due && all_.size() < 4096; ) open();
      return timer_.start(std::chrono::milliseconds(1));
    }
    if (options_.kind == "slow") {
      while (all_.size() < options_.count) open();
      for (auto& [key, connection] : all_) drip(*connection);
      return timer_.start(kDrip);
    }
    while (all_.size() < options_.count && all_.size() - standing_ < kAtOnce) open();
    if (standing_ < options_.count) timer_.start(std::chrono::milliseconds(5));   // afterwards it is as silent as its connections
  }

  void drip(Connection& c) {
    if (!c.stands || c.sent + 1 >= hello_.size()) return;
    bufferevent_write(c.stream.get(), hello_.data() + c.sent++, 1);
  }

  void open() {
    auto c = std::make_unique<Connection>();
    c->owner = this;
    ++opened_;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // From 127.1.0.1 on: as from many hosts, and never the good client's address.
    sockaddr_in from{}, to{};
    from.sin_family = to.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(0x7f010001U + static_cast<std::uint32_t>(opened_ % 200));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) std::fprintf(stderr, "abuse: no socket\n"), std::exit(2);
    if (options_.kind == "idle") {
      Result<SslHandle> ssl = make_client_ssl(tls_, "127.0.0.1");
      if (!ssl) std::exit(2);
      c->stream.reset(bufferevent_openssl_socket_new(loop_.base(), fd, ssl->release(), BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE));
    } else {
      c->stream.reset(bufferevent_socket_new(loop_.base(), fd, BEV_OPT_CLOSE_ON_FREE));
    }
    bufferevent_setcb(
        c->stream.get(), [](bufferevent*, void* p) { static_cast<Connection*>(p)->owner->answered(*static_cast<Connection*>(p)); }, nullptr,
        [](bufferevent*, short what, void* p) { static_cast<Connection*>(p)->owner->changed(*static_cast<Connection*>(p), what); }, c.get());
    bufferevent_enable(c->stream.get(), EV_READ | EV_WRITE);
    bufferevent_socket_connect(c->stream.get(), reinterpret_cast<sockaddr*>(&to), sizeof to);
    Connection* key = c.get();
    all_.emplace(key, std::move(c));
  }

  void changed(Connection& c, short what) {
    if ((what & BEV_EVENT_CONNECTED) == 0) {
      ++ended_;
      if (c.stands) --standing_;
      all_.erase(&c);
      if (options_.kind == "idle") timer_.start(std::chrono::milliseconds(5));
      return;
    }
    c.stands = true;
    ++standing_;
    if (options_.kind == "flood") bufferevent_write(c.stream.get(), hello_.data(), hello_.size());
    if (options_.kind == "idle" && standing_ == options_.count) tell();
  }

  void tell() {
    if (std::exchange(told_, true)) return;
    std::printf("{\"open\":%zu}\n", standing_);
    std::fflush(stdout);
  }

  void answered(Connection& c) {
    if (options_.kind == "idle") {
      evbuffer_drain(bufferevent_get_input(c.stream.get()), static_cast<std::size_t>(-1));
      return;
    }
    ++answered_;
    --standing_;
    all_.erase(&c);
  }

  Loop& loop_;
  const Options& options_;
  SSL_CTX* tls_;
  std::string hello_;
  Timer timer_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> all_;
  std::size_t standing_ = 0;
  std::uint64_t opened_ = 0, answered_ = 0, ended_ = 0, begun_;
  bool told_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.kind = argc > 1 ? argv[1] : "";
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string word = argv[i], value = argv[i + 1];
    if (word == "--port") options.port = std::atoi(value.c_str());
    else if (word == "--count") options.count = std::strtoull(value.c_str(), nullptr, 10);
    else if (word == "--rate") options.rate = std::atof(value.c_str());
    else if (word == "--ca") options.tls.ca = value;
    else if (word == "--cert") options.tls.certificate = value;
    else if (word == "--key") options.tls.key = value;
    else return std::fprintf(stderr, "abuse: unknown argument %s\n", word.c_str()), 2;
  }
  if (options.kind != "slow" && options.kind != "idle" && options.kind != "flood") return std::fprintf(stderr, "usage: abuse slow|idle|flood ...; its file tells more\n"), 2;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  SslContext tls;
  if (options.kind == "idle") {
    Result<SslContext> made = make_tls_client(options.tls);
    if (!made) return std::fprintf(stderr, "abuse: %s\n", made.what().c_str()), 2;
    tls = std::move(*made);
  }
  std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an event of its stream
  Loop loop(Loop::Timers::precise);
  Abuse abuse(loop, options, tls.get());
  const Signal stop(loop, SIGTERM, [&] { loop.stop(); });
  loop.run();
  abuse.report();
  return 0;
}
