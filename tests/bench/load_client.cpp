// SPDX-License-Identifier: Apache-2.0
// Load on the HTTPS API over mutual TLS: keep-alive connections, one request under way on each; closed
// loop, or open loop at a given rate (latency then counts from the moment a request was due, so a slow
// server cannot hide behind a waiting client). Prints one JSON line.
//
//   load_client --port P --ca F --cert F --key F [--connections 32] [--count 10000 | --seconds 10]
//               [--batch 1] [--rate 0] [--category otp] [--scenario sms] [--keys] [--prefix 3805]
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "crypto/tls.hpp"

namespace {

using namespace postern;

struct Options {
  int port = 0, connections = 32, batch = 1;
  long count = 0;
  double seconds = 0, rate = 0;
  bool keys = false;
  std::string ca, certificate, key, category = "otp", scenario, prefix = "3805", run = std::to_string(wall_ms());
};

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Numbers that the sandbox always delivers to: endings 20..99.
std::string phone_of(const Options& options, long n) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%06ld%02ld", n / 80 % 1000000, 20 + n % 80);
  return options.prefix + digits;
}

class Load {
 public:
  Load(Loop& loop, const Options& options, SSL_CTX* tls) : loop_(loop), options_(options), tls_(tls), pacer_(loop, [this] { pace(); }), end_(loop, [this] { loop_.stop(); }) {}

  int run() {
    for (int i = 0; i < options_.connections; ++i) open(i);
    if (options_.seconds > 0) end_.start(std::chrono::microseconds(static_cast<std::int64_t>(options_.seconds * 1e6) + 30'000'000));
    loop_.run();
    report();
    return accepted_ > 0 ? 0 : 1;
  }

 private:
  struct Connection {
    bufferevent* stream = nullptr;
    std::int64_t begun = 0;
    bool ready = false, busy = false;
    std::size_t body_left = 0;
    int status = 0;
    Load* load = nullptr;
  };

  void open(int index) {
    auto& c = connections_.emplace_back(std::make_unique<Connection>());
    (void)index;
    c->load = this;
    Result<SslHandle> ssl = make_client_ssl(tls_, "127.0.0.1");
    if (!ssl) std::exit(2);
    c->stream = bufferevent_openssl_socket_new(loop_.base(), -1, ssl->release(), BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(c->stream, [](bufferevent*, void* p) { static_cast<Connection*>(p)->load->on_read(*static_cast<Connection*>(p)); }, nullptr,
                      [](bufferevent*, short what, void* p) { static_cast<Connection*>(p)->load->on_event(*static_cast<Connection*>(p), what); }, c.get());
    bufferevent_enable(c->stream, EV_READ | EV_WRITE);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bufferevent_socket_connect(c->stream, reinterpret_cast<sockaddr*>(&to), sizeof to);
  }

  void on_event(Connection& c, short what) {
    if ((what & BEV_EVENT_CONNECTED) != 0) {
      const int one = 1;
      setsockopt(bufferevent_getfd(c.stream), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      c.ready = true;
      if (++ready_ == options_.connections) begin();
      return;
    }
    ++errors_;
    std::fprintf(stderr, "load_client: a connection ended\n");
    loop_.stop();
  }

  void begin() {
    begun_ = now_us();
    if (options_.rate > 0) return pace();
    for (auto& c : connections_) send(*c, now_us());
  }

  bool over() const {
    return (options_.count > 0 && sent_ >= options_.count) || (options_.seconds > 0 && static_cast<double>(now_us() - begun_) > options_.seconds * 1e6);
  }

  // Open loop: requests fall due on a fixed grid; those that find no free connection wait in order.
  void pace() {
    const std::int64_t now = now_us();
    while (!over_ && static_cast<double>(now - begun_) * options_.rate / 1e6 >= static_cast<double>(due_)) {
      waiting_.push_back(begun_ + static_cast<std::int64_t>(static_cast<double>(due_++) * 1e6 / options_.rate));
      if (options_.count > 0 && due_ * options_.batch >= options_.count) over_ = true;
      if (options_.seconds > 0 && static_cast<double>(now - begun_) > options_.seconds * 1e6) over_ = true;
    }
    for (auto& c : connections_) {
      if (next_waiting_ == waiting_.size()) break;
      if (!c->busy) send(*c, waiting_[next_waiting_++]);
    }
    if (over_ && next_waiting_ == waiting_.size() && under_way_ == 0) return loop_.stop();
    pacer_.start(std::chrono::microseconds(500));
  }

  std::string message(long n) const {
    std::string body = "{\"category\":\"" + options_.category + "\",\"text\":\"Your code is 123456. Do not tell it to anybody.\",\"recipient\":{\"phone\":\"+" + phone_of(options_, n) + "\"}";
    if (!options_.scenario.empty()) body += ",\"scenario\":\"" + options_.scenario + "\"";
    if (options_.keys && options_.batch > 1) body += ",\"idempotency_key\":\"" + options_.run + "-" + std::to_string(n) + "\"";
    return body + "}";
  }

  void send(Connection& c, std::int64_t due) {
    std::string body;
    const long first = sent_;
    for (int i = 0; i < options_.batch; ++i) body += message(sent_++) + (options_.batch > 1 ? "\n" : "");
    std::string request = options_.batch > 1 ? "POST /v1/messages:batch HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n" : "POST /v1/messages HTTP/1.1\r\nContent-Type: application/json\r\n";
    request += "Host: 127.0.0.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    if (options_.keys && options_.batch == 1) request += "Idempotency-Key: \"" + options_.run + "-" + std::to_string(first) + "\"\r\n";
    request += "\r\n" + body;
    c.begun = due;
    c.busy = true;
    ++under_way_;
    bufferevent_write(c.stream, request.data(), request.size());
  }

  void on_read(Connection& c) {
    evbuffer* in = bufferevent_get_input(c.stream);
    for (;;) {
      if (c.status == 0) {
        const evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, nullptr);
        if (end.pos < 0) return;
        std::string head(static_cast<std::size_t>(end.pos) + 4, '\0');
        evbuffer_remove(in, head.data(), head.size());
        c.status = std::atoi(head.c_str() + 9);
        const char* length = strcasestr(head.c_str(), "content-length:");
        c.body_left = length == nullptr ? 0 : static_cast<std::size_t>(std::atol(length + 15));
      }
      const std::size_t have = evbuffer_get_length(in);
      if (have < c.body_left) return;
      std::string body(c.body_left, '\0');
      evbuffer_remove(in, body.data(), body.size());
      answered(c, body);
      if (!c.busy) return;
    }
  }

  void answered(Connection& c, const std::string& body) {
    const bool good = c.status == 202 || c.status == 200;
    long taken = good ? 1 : 0;
    if (good && options_.batch > 1) {
      taken = 0;
      for (std::size_t at = body.find("\"status\":202"); at != std::string::npos; at = body.find("\"status\":202", at + 1)) ++taken;
    }
    accepted_ += taken;
    if (!good) ++statuses_[c.status];
    latencies_.push_back(static_cast<std::uint32_t>(now_us() - c.begun));
    last_ = now_us();
    c.status = 0;
    c.busy = false;
    --under_way_;
    if (options_.rate > 0) {
      if (next_waiting_ < waiting_.size()) send(c, waiting_[next_waiting_++]);
      return;
    }
    if (!over()) return send(c, now_us());
    if (under_way_ == 0) loop_.stop();
  }

  void report() {
    std::ranges::sort(latencies_);
    const auto at = [&](double share) {
      return latencies_.empty() ? 0.0 : latencies_[std::min(latencies_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(latencies_.size())))] / 1000.0;
    };
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    const double seconds = static_cast<double>(last_ - begun_) / 1e6;
    std::printf("{\"bench\":\"accept\",\"connections\":%d,\"batch\":%d,\"rate\":%.0f,\"idempotency_keys\":%s,\"accepted\":%ld,\"seconds\":%.3f,\"per_second\":%.0f,"
                "\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"p999_ms\":%.2f,\"max_ms\":%.2f,\"client_cpu_s\":%.2f,\"errors\":%ld,\"refused\":{",
                options_.connections, options_.batch, options_.rate, options_.keys ? "true" : "false", accepted_, seconds, seconds > 0 ? static_cast<double>(accepted_) / seconds : 0,
                at(0.5), at(0.99), at(0.999), at(1), cpu, errors_);
    const char* comma = "";
    for (const auto& [status, count] : statuses_) {
      std::printf("%s\"%d\":%ld", comma, status, count);
      comma = ",";
    }
    std::printf("}}\n");
  }

  Loop& loop_;
  const Options& options_;
  SSL_CTX* tls_;
  Timer pacer_, end_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::int64_t> waiting_;
  std::size_t next_waiting_ = 0;
  std::vector<std::uint32_t> latencies_;
  std::map<int, long> statuses_;
  long sent_ = 0, accepted_ = 0, errors_ = 0, due_ = 0;
  int ready_ = 0, under_way_ = 0;
  bool over_ = false;
  std::int64_t begun_ = 0, last_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto next = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (word == "--port") options.port = std::atoi(next().c_str());
    else if (word == "--ca") options.ca = next();
    else if (word == "--cert") options.certificate = next();
    else if (word == "--key") options.key = next();
    else if (word == "--connections") options.connections = std::atoi(next().c_str());
    else if (word == "--count") options.count = std::atol(next().c_str());
    else if (word == "--seconds") options.seconds = std::atof(next().c_str());
    else if (word == "--batch") options.batch = std::atoi(next().c_str());
    else if (word == "--rate") options.rate = std::atof(next().c_str());
    else if (word == "--category") options.category = next();
    else if (word == "--scenario") options.scenario = next();
    else if (word == "--prefix") options.prefix = next();
    else if (word == "--keys") options.keys = true;
    else return std::fprintf(stderr, "load_client: unknown argument %s\n", word.c_str()), 2;
  }
  if (options.count == 0 && options.seconds <= 0) options.count = 10'000;
  TlsFiles files;
  files.ca = options.ca;
  files.certificate = options.certificate;
  files.key = options.key;
  Result<SslContext> tls = make_tls_client(files);
  if (!tls) return std::fprintf(stderr, "load_client: %s\n", tls.what().c_str()), 2;
  Loop loop;
  return Load(loop, options, tls->get()).run();
}
