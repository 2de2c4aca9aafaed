// SPDX-License-Identifier: Apache-2.0
// Load on a gateway: keep-alive connections, one request under way on each; closed loop, or open loop at a given rate (latency then
// counts from the moment a request was due, so a slow server cannot hide behind a waiting client). Prints one JSON line.
//
//   load_client --port P [--gateway postern|kannel] [--connections 32] [--count 10000 | --seconds 10] [--batch 1] [--rate 0]
//               --ca F --cert F --key F [--category otp] [--scenario sms] [--keys]          postern, over mutual TLS
//               --user U --password P                                                       kannel, without TLS
//               [--prefix 3805] [--people 0]
//               [--ledger F [--first N] [--receipts [--after CURSOR]] [--patience 10]]      until every accepted message has come back
//               [--persist]                                                                 goes on when the gateway is killed
#include <event2/event.h>
#include <openssl/ssl.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "crypto/tls.hpp"
#include "tests/bench/ledger.hpp"
#include "tests/bench/load_http.hpp"
#include "tests/bench/load_receipts.hpp"
#include "tests/bench/load_target.hpp"

namespace {

using namespace postern;
using namespace postern::bench;

constexpr auto kTick = std::chrono::milliseconds(10);
constexpr auto kReopenAfter = std::chrono::milliseconds(20);

struct Options {
  int port = 0, connections = 32, batch = 1;
  std::uint64_t count = 0, first = 0, after = 0;
  double seconds = 0, rate = 0, patience = 10;
  bool receipts = false, persist = false;
  std::string ca, certificate, key, ledger;
  TargetOptions target;
};

std::uint64_t us(double seconds) { return static_cast<std::uint64_t>(seconds * 1e6); }

class Load {
 public:
  Load(Loop& loop, Options& options, SSL_CTX* tls, std::optional<Ledger> ledger)
      : loop_(loop), options_(options), tls_(tls), ledger_(std::move(ledger)), pacer_(loop, [this] { pace(); }), tick_(loop, [this] { look(); }), sent_(options.first) {}

  int run() {
    const auto back = [this](std::uint64_t n, bool good) { arrived(n, good); };
    if (options_.receipts && options_.target.gateway == "kannel") {
      call_backs_.emplace(loop_, back);
      options_.target.call_back = "http://127.0.0.1:" + std::to_string(call_backs_->port());
    } else if (options_.receipts) {
      events_.emplace(loop_, tls_, options_.port, options_.after, back);
    }
    target_ = make_target(options_.target);
    for (int i = 0; i < options_.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(*this));
      open(*connections_.back());
    }
    tick_.start(kTick);
    loop_.run();
    report();
    return accepted_ > 0 ? 0 : 1;
  }

 private:
  struct Connection {
    explicit Connection(Load& owner) : load(owner), reopen(owner.loop_, [this] { load.open(*this); }) {}
    Load& load;
    Stream stream;
    HttpReader reader;
    Timer reopen;
    std::uint64_t due = 0, first = 0, count = 0;
    bool ready = false, busy = false;
  };

  void open(Connection& c) {
    c.reader = {};
    c.stream = make_stream(loop_, tls_, options_.port);
    bufferevent_setcb(
        c.stream.get(), [](bufferevent*, void* p) { static_cast<Connection*>(p)->load.read(*static_cast<Connection*>(p)); }, nullptr,
        [](bufferevent*, short what, void* p) { static_cast<Connection*>(p)->load.changed(*static_cast<Connection*>(p), what); }, &c);
    bufferevent_enable(c.stream.get(), EV_READ | EV_WRITE);
  }

  void changed(Connection& c, short what) {
    if ((what & BEV_EVENT_CONNECTED) != 0) {
      no_delay(c.stream.get());
      c.ready = true;
      if (begun_ != 0) return next(c);
      if (++ready_ == options_.connections) begin();
      return;
    }
    c.ready = false;
    if (std::exchange(c.busy, false)) {
      --under_way_;
      unanswered_ += c.count;
    }
    ++errors_;
    if (options_.persist) return c.reopen.start(kReopenAfter);
    std::fprintf(stderr, "load_client: a connection ended\n");
    loop_.stop();
  }

  void begin() {
    begun_ = last_ = progress_ = now_us();
    if (options_.rate > 0) return pace();
    for (const auto& c : connections_) next(*c);
  }

  bool over() const {
    return (options_.count > 0 && sent_ >= options_.first + options_.count) || (options_.seconds > 0 && now_us() - begun_ > us(options_.seconds));
  }

  // Open loop: requests fall due on a fixed grid; those that find no free connection wait in order.
  void pace() {
    const std::uint64_t now = now_us();
    while (!paced_ && static_cast<double>(now - begun_) * options_.rate / 1e6 >= static_cast<double>(due_)) {
      waiting_.push_back(begun_ + us(static_cast<double>(due_++) / options_.rate));
      paced_ = (options_.count > 0 && due_ * static_cast<std::uint64_t>(options_.batch) >= options_.count) || (options_.seconds > 0 && now - begun_ > us(options_.seconds));
    }
    for (const auto& c : connections_) {
      if (next_waiting_ == waiting_.size()) break;
      next(*c);
    }
    if (paced_) return;
    const std::uint64_t at = begun_ + us(static_cast<double>(due_) / options_.rate), then = now_us();
    pacer_.start(std::chrono::microseconds(at > then ? at - then : 0));
  }

  // What this connection has to do now, if anything.
  void next(Connection& c) {
    if (c.busy || !c.ready) return;
    if (options_.rate > 0) {
      if (next_waiting_ < waiting_.size()) send(c, waiting_[next_waiting_++]);
    } else if (!over()) {
      send(c, now_us());
    }
  }

  void send(Connection& c, std::uint64_t due) {
    c.due = due;
    c.first = sent_;
    c.count = static_cast<std::uint64_t>(options_.batch);
    c.busy = true;
    ++under_way_;
    sent_ += c.count;
    for (std::uint64_t n = c.first; ledger_ && n < c.first + c.count; ++n)
      if (Entry* entry = ledger_->find(n)) entry->due_us = due;
    request_.clear();
    target_->ask(request_, c.first, c.count);
    bufferevent_write(c.stream.get(), request_.data(), request_.size());
  }

  void read(Connection& c) {
    while (c.busy && c.reader.take(bufferevent_get_input(c.stream.get()))) answered(c);
  }

  void answered(Connection& c) {
    const int status = c.reader.status();
    const std::uint64_t now = now_us();
    target_->answered(status, c.reader.body, c.first, c.count, [&](std::uint64_t n, std::string_view id) {
      ++accepted_;
      if (Entry* entry = ledger_ ? ledger_->find(n) : nullptr) entry->accepted_us = now;
      if (events_) events_->know(id, n);
    });
    if (status != 202 && status != 200) ++statuses_[status];
    latencies_.push_back(static_cast<std::uint32_t>(now - c.due));
    last_ = progress_ = now;
    c.busy = false;
    --under_way_;
    next(c);
  }

  void arrived(std::uint64_t n, bool good) {
    Entry* entry = ledger_ ? ledger_->find(n) : nullptr;
    if (entry == nullptr || n < options_.first || n >= sent_) return;
    if (!good) ++entry->failures;
    else if (++entry->receipts == 1) entry->receipt_us = progress_ = now_us();
  }

  // Ends when all is answered, and with a ledger when every accepted message has come to the centre and back, or nothing moves any more.
  void look() {
    tick_.start(kTick);
    if (begun_ == 0 || under_way_ > 0 || (options_.rate > 0 ? !paced_ || next_waiting_ < waiting_.size() : !over())) return;
    if (!ledger_) return loop_.stop();
    for (; settled_ < sent_ - options_.first; ++settled_) {
      const Entry* entry = ledger_->find(options_.first + settled_);
      if (entry != nullptr && entry->accepted_us != 0 && entry->failures == 0 && (entry->pdus == 0 || (options_.receipts && entry->receipts == 0))) break;
    }
    if (std::exchange(at_centre_, ledger_->at_centre()) != ledger_->at_centre()) progress_ = now_us();
    if (settled_ == sent_ - options_.first || now_us() - progress_ > us(options_.patience)) loop_.stop();
  }

  static double share(const std::vector<std::uint32_t>& sorted, double part) {
    if (sorted.empty()) return 0;
    return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(part * static_cast<double>(sorted.size())))] / 1000.0;
  }

  static void print_latencies(const char* name, std::vector<std::uint32_t>& all) {
    std::ranges::sort(all);
    std::printf("\"%sp50_ms\":%.2f,\"%sp99_ms\":%.2f,\"%sp999_ms\":%.2f,\"%smax_ms\":%.2f,", name, share(all, 0.5), name, share(all, 0.99), name, share(all, 0.999), name, share(all, 1));
  }

  void report() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    const auto rate = [this](std::uint64_t count, std::uint64_t until) { return until > begun_ ? static_cast<double>(count) * 1e6 / static_cast<double>(until - begun_) : 0.0; };
    std::printf("{\"bench\":\"accept\",\"gateway\":\"%s\",\"connections\":%d,\"batch\":%d,\"rate\":%.0f,\"idempotency_keys\":%s,\"sent\":%lu,\"accepted\":%lu,\"seconds\":%.3f,\"per_second\":%.0f,",
                options_.target.gateway.c_str(), options_.connections, options_.batch, options_.rate, options_.target.keys ? "true" : "false", sent_ - options_.first, accepted_,
                static_cast<double>(last_ - begun_) / 1e6, rate(accepted_, last_));
    print_latencies("", latencies_);
    if (ledger_) report_ledger(rate);
    std::printf("\"client_cpu_s\":%.2f,\"errors\":%lu,\"unanswered\":%lu,\"refused\":{", cpu, errors_, unanswered_);
    const char* comma = "";
    for (const auto& [status, count] : statuses_) {
      std::printf("%s\"%d\":%lu", comma, status, count);
      comma = ",";
    }
    std::printf("},\"resent_ids\":[");
    print_ids([](const Entry& entry) { return entry.pdus > 1; });
    std::printf("],\"lost_ids\":[");
    print_ids([](const Entry& entry) { return entry.accepted_us != 0 && entry.pdus == 0 && entry.failures == 0; });
    std::printf("]}\n");
  }

  // Kannel has none.
  template <class Which>
  void print_ids(const Which& which) {
    if (!events_) return;
    const char* comma = "";
    events_->each([&](std::uint64_t n, const std::string& id) {
      const Entry* entry = n >= options_.first ? ledger_->find(n) : nullptr;
      if (entry == nullptr || !which(*entry)) return;
      std::printf("%s\"%s\"", comma, id.c_str());
      comma = ",";
    });
  }

  template <class Rate>
  void report_ledger(const Rate& rate) {
    std::uint64_t delivered = 0, lost = 0, resent = 0, unasked = 0, receipts = 0, without_receipt = 0, told_failed = 0, last_pdu = 0, last_receipt = 0;
    std::vector<std::uint32_t> to_pdu, to_receipt;
    for (std::uint64_t n = options_.first; n < sent_; ++n) {
      const Entry* e = ledger_->find(n);
      if (e == nullptr) break;
      const bool accepted = e->accepted_us != 0;
      delivered += e->pdus > 0;
      lost += accepted && e->pdus == 0 && e->failures == 0;
      told_failed += e->failures > 0;
      resent += e->pdus > 1;
      unasked += !accepted && e->pdus > 0;
      receipts += e->receipts > 0;
      without_receipt += accepted && e->receipts == 0 && e->failures == 0;
      if (e->pdus > 0) to_pdu.push_back(static_cast<std::uint32_t>(e->pdu_us - e->due_us));
      if (e->receipts > 0) to_receipt.push_back(static_cast<std::uint32_t>(e->receipt_us - e->due_us));
      last_pdu = std::max(last_pdu, e->pdu_us);
      last_receipt = std::max(last_receipt, e->receipt_us);
    }
    print_latencies("to_pdu_", to_pdu);
    print_latencies("to_receipt_", to_receipt);
    std::printf("\"delivered\":%lu,\"delivered_per_second\":%.0f,\"lost\":%lu,\"resent\":%lu,\"delivered_but_not_told_accepted\":%lu,\"receipts\":%lu,\"receipts_per_second\":%.0f,"
                "\"without_receipt\":%lu,\"told_failed\":%lu,\"begun_us\":%lu,\"cursor\":%lu,",
                delivered, rate(delivered, last_pdu), lost, resent, unasked, receipts, rate(receipts, last_receipt), options_.receipts ? without_receipt : 0UL, told_failed, begun_, events_ ? events_->cursor() : 0UL);
  }

  Loop& loop_;
  Options& options_;
  SSL_CTX* tls_;
  std::optional<Ledger> ledger_;
  std::unique_ptr<Target> target_;
  std::optional<CallBacks> call_backs_;
  std::optional<EventStream> events_;
  Timer pacer_, tick_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::uint64_t> waiting_;  // when requests fell due
  std::size_t next_waiting_ = 0;
  std::vector<std::uint32_t> latencies_;
  std::map<int, std::uint64_t> statuses_;
  std::string request_;
  std::uint64_t sent_, accepted_ = 0, errors_ = 0, unanswered_ = 0, due_ = 0, settled_ = 0, at_centre_ = 0;
  std::uint64_t begun_ = 0, last_ = 0, progress_ = 0;
  int ready_ = 0, under_way_ = 0;
  bool paced_ = false;
};

bool read_words(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto next = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    const auto number = [&] { return std::strtoull(next().c_str(), nullptr, 10); };
    if (word == "--port") o.port = std::atoi(next().c_str());
    else if (word == "--gateway") o.target.gateway = next();
    else if (word == "--ca") o.ca = next();
    else if (word == "--cert") o.certificate = next();
    else if (word == "--key") o.key = next();
    else if (word == "--connections") o.connections = std::max(1, std::atoi(next().c_str()));
    else if (word == "--count") o.count = number();
    else if (word == "--seconds") o.seconds = std::atof(next().c_str());
    else if (word == "--batch") o.batch = std::max(1, std::atoi(next().c_str()));
    else if (word == "--rate") o.rate = std::atof(next().c_str());
    else if (word == "--category") o.target.category = next();
    else if (word == "--scenario") o.target.scenario = next();
    else if (word == "--prefix") o.target.prefix = next();
    else if (word == "--people") o.target.people = number();
    else if (word == "--keys") o.target.keys = true;
    else if (word == "--user") o.target.user = next();
    else if (word == "--password") o.target.password = next();
    else if (word == "--ledger") o.ledger = next();
    else if (word == "--first") o.first = number();
    else if (word == "--receipts") o.receipts = true;
    else if (word == "--after") o.after = number();
    else if (word == "--patience") o.patience = std::atof(next().c_str());
    else if (word == "--persist") o.persist = true;
    else {
      std::fprintf(stderr, "load_client: unknown argument %s\n", word.c_str());
      return false;
    }
  }
  if (o.receipts && o.ledger.empty()) {
    std::fprintf(stderr, "load_client: --receipts needs --ledger\n");
    return false;
  }
  if (o.target.gateway == "kannel" && o.batch > 1) {
    std::fprintf(stderr, "load_client: Kannel takes one message with each request\n");
    return false;
  }
  if (o.count == 0 && o.seconds <= 0) o.count = 10'000;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.target.run = std::to_string(wall_ms());
  if (!read_words(argc, argv, options)) return 2;
  std::optional<Ledger> ledger;
  if (!options.ledger.empty()) {
    Result<Ledger> opened = Ledger::open(options.ledger);
    if (!opened) return std::fprintf(stderr, "load_client: %s\n", opened.what().c_str()), 2;
    ledger.emplace(std::move(*opened));
  }
  SslContext tls;
  if (options.target.gateway != "kannel") {
    TlsFiles files;
    files.ca = options.ca;
    files.certificate = options.certificate;
    files.key = options.key;
    Result<SslContext> made = make_tls_client(files);
    if (!made) return std::fprintf(stderr, "load_client: %s\n", made.what().c_str()), 2;
    tls = std::move(*made);
  }
  std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an event of its stream
  Loop loop(Loop::Timers::precise);   // a tick is four times as long as a request lasts
  return Load(loop, options, tls.get(), std::move(ledger)).run();
}
