// SPDX-License-Identifier: Apache-2.0
// The far end of a measurement: an SMS centre that takes everything, notes in the ledger when each message came, and sends a receipt for
// each that asks for one. Made to be cheap: it may never be what is measured (tests/bench/compare shows its headroom). Speaks SMPP 3.4,
// over TLS when it is given certificates. Prints {"port":N}, then on SIGTERM one JSON line of what it saw.
//
//   sms_centre --ledger F [--ca F --cert F --key F --crl F] [--receipt-after-ms 20] [--window 500] [--port 0]
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/channels/smpp/frame.hpp"
#include "connectors/protocol/loop.hpp"
#include "crypto/bytes.hpp"
#include "crypto/tls.hpp"
#include "tests/bench/ledger.hpp"
#include "tests/bench/load_http.hpp"

namespace {

using namespace postern;
using namespace postern::bench;
namespace command = smpp::command;

struct Options {
  std::string ledger;
  TlsFiles tls;
  std::uint64_t receipt_after_us = 20'000;
  std::size_t window = 500;  // receipts without an answer, for each session
  int port = 0;
};

struct Receipt {
  std::uint64_t due_us = 0, id = 0;
  std::string handset, sender;
};

class Centre {
 public:
  Centre(Loop& loop, const Options& options, Ledger& ledger, SSL_CTX* tls) : loop_(loop), options_(options), ledger_(ledger), tls_(tls), due_(loop, [this] { spread(); }) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(options.port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener_ = evconnlistener_new_bind(
        loop.base(), [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* self) { static_cast<Centre*>(self)->accept(fd); }, this,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 64, reinterpret_cast<const sockaddr*>(&at), sizeof at);
    socklen_t size = sizeof at;
    if (listener_ == nullptr || getsockname(evconnlistener_get_fd(listener_), reinterpret_cast<sockaddr*>(&at), &size) != 0)
      std::fprintf(stderr, "sms_centre: no port to listen on\n"), std::exit(2);
    std::printf("{\"port\":%d}\n", ntohs(at.sin_port));
    std::fflush(stdout);
  }
  ~Centre() { evconnlistener_free(listener_); }

  void report() const {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    std::printf("{\"bench\":\"sms-centre\",\"submits\":%lu,\"receipts\":%lu,\"receipts_repeated\":%lu,\"broken\":%lu,\"strange\":%lu,\"cpu_s\":%.2f,\"cpu_us_per_message\":%.1f}\n", submits_, receipts_,
                repeated_, broken_, strange_, cpu, submits_ == 0 ? 0 : cpu * 1e6 / static_cast<double>(submits_));
  }

 private:
  struct Session {
    Centre* owner = nullptr;
    Stream stream;
    bool receives = false, gone = false;
    std::uint32_t sequence = 0;  // of the last deliver_sm
    // Those without an answer, in order of their sequence numbers; an empty handset: answered already.
    std::deque<Receipt> open;
    Bytes out;
  };

  void accept(int fd) {
    auto session = std::make_unique<Session>();
    session->owner = this;
    if (tls_ != nullptr) {
      session->stream.reset(bufferevent_openssl_socket_new(loop_.base(), fd, make_server_ssl(tls_).release(), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE));
      bufferevent_openssl_set_allow_dirty_shutdown(session->stream.get(), 1);
    } else {
      session->stream.reset(bufferevent_socket_new(loop_.base(), fd, BEV_OPT_CLOSE_ON_FREE));
    }
    no_delay(session->stream.get());
    bufferevent_setcb(
        session->stream.get(), [](bufferevent*, void* p) { static_cast<Session*>(p)->owner->read(*static_cast<Session*>(p)); }, nullptr,
        [](bufferevent*, short what, void* p) {
          if ((what & BEV_EVENT_CONNECTED) == 0) static_cast<Session*>(p)->owner->leave(*static_cast<Session*>(p));
        },
        session.get());
    bufferevent_enable(session->stream.get(), EV_READ | EV_WRITE);
    sessions_.push_back(std::move(session));
  }

  // Receipts that this one never answered go to another, as a real centre sends them again.
  void leave(Session& session) {
    if (std::exchange(session.gone, true)) return;
    for (Receipt& receipt : session.open) {
      if (receipt.handset.empty()) continue;
      ++repeated_;
      waiting_.push_front(std::move(receipt));
    }
    loop_.defer([this] {
      std::erase_if(sessions_, [](const auto& each) { return each->gone; });
      spread();
    });
  }

  void read(Session& session) {
    evbuffer* in = bufferevent_get_input(session.stream.get());
    const ByteView stream(evbuffer_pullup(in, -1), evbuffer_get_length(in));
    std::size_t taken = 0;
    for (;;) {
      const smpp::Cut cut = smpp::cut_frame(stream.subspan(taken));
      if (cut.kind == smpp::Cut::Kind::need_more) break;
      const auto pdu = cut.kind == smpp::Cut::Kind::frame ? smpp::decode(stream.subspan(taken, cut.length)) : std::unexpected(smpp::Fault{});
      if (!pdu) {
        ++broken_;
        return leave(session);
      }
      taken += cut.length;
      on_pdu(session, *pdu);
    }
    evbuffer_drain(in, taken);
    spread();
    flush(session);
  }

  void on_pdu(Session& session, const smpp::Pdu& pdu) {
    switch (pdu.header.command) {
      case command::kSubmitSm:
        return on_submit(session, pdu);
      case command::kDeliverSm | command::kResponse:
        return on_answer(session, pdu);
      case command::kBindTransceiver:
      case command::kBindReceiver:
        session.receives = true;
        [[fallthrough]];
      case command::kBindTransmitter:
        begin(session, pdu.header.command | command::kResponse, pdu.header.sequence);
        text(session, "centre");
        return end(session);
      case command::kUnbind:
        session.receives = false;
        [[fallthrough]];
      case command::kEnquireLink:
        begin(session, pdu.header.command | command::kResponse, pdu.header.sequence);
        return end(session);
      default:
        return;
    }
  }

  void on_submit(Session& session, const smpp::Pdu& pdu) {
    ++submits_;
    if (const auto n = number_in(as_text(pdu.content()))) ledger_.came_to_centre(*n);
    else ++strange_;
    const std::uint64_t id = ++last_id_;
    begin(session, command::kSubmitSm | command::kResponse, pdu.header.sequence);
    text(session, id_text(id));
    end(session);
    if ((pdu.registered_delivery & 3U) != 1) return;
    waiting_.push_back({now_us() + options_.receipt_after_us, id, std::string(pdu.destination.value), std::string(pdu.source.value)});
    if (waiting_.size() == 1) due_.start(std::chrono::microseconds(options_.receipt_after_us));
  }

  void on_answer(Session& session, const smpp::Pdu& pdu) {
    const std::uint32_t back = session.sequence - pdu.header.sequence;  // 0: the last one
    if (back >= session.open.size()) return;
    Receipt& receipt = session.open[session.open.size() - 1 - back];
    if (pdu.header.status != 0) {
      ++repeated_;
      receipt.due_us = now_us() + 1'000'000;
      waiting_.push_back(receipt);
    } else {
      ++receipts_;
    }
    receipt.handset.clear();
    while (!session.open.empty() && session.open.front().handset.empty()) session.open.pop_front();
  }

  // Hands what is due to the sessions that have room, in turn: a receipt may come over any of them.
  void spread() {
    const std::uint64_t now = now_us();
    std::size_t full = 0;
    while (!waiting_.empty() && waiting_.front().due_us <= now && full < sessions_.size()) {
      Session& session = *sessions_[turn_++ % sessions_.size()];
      if (!session.receives || session.gone || session.open.size() >= options_.window) {
        ++full;
        continue;
      }
      full = 0;
      deliver(session, std::move(waiting_.front()));
      waiting_.pop_front();
    }
    for (const auto& session : sessions_) flush(*session);
    if (!waiting_.empty() && waiting_.front().due_us > now) due_.start(std::chrono::microseconds(waiting_.front().due_us - now));
  }

  void deliver(Session& session, Receipt&& receipt) {
    begin(session, command::kDeliverSm, ++session.sequence);
    ByteWriter out(session.out);
    text(session, "");
    out.u16(0x0101);
    text(session, receipt.handset);
    out.u16(0x0501);
    text(session, receipt.sender);
    out.u8(smpp::esm::kReceipt);
    for (int i = 0; i < 8; ++i) out.u8(0);  // protocol, priority, schedule, validity, registered, replace, coding, default message
    const std::string id = id_text(receipt.id);
    // SMPP 3.4 Appendix B.
    const std::string& at = minute();
    out.text8("id:" + id + " sub:001 dlvrd:001 submit date:" + at + " done date:" + at + " stat:DELIVRD err:000 text:");
    out.u16(smpp::tag::kReceiptedMessageId);
    out.u16(static_cast<std::uint16_t>(id.size() + 1));
    text(session, id);
    out.u16(smpp::tag::kMessageState);
    out.u16(1);
    out.u8(2);
    end(session);
    session.open.push_back(std::move(receipt));
  }

  const std::string& minute() {
    if (const std::time_t now = std::time(nullptr) / 60; now != minute_of_) {
      minute_of_ = now;
      const std::time_t seconds = now * 60;
      std::tm utc{};
      gmtime_r(&seconds, &utc);
      char text[64];
      std::snprintf(text, sizeof text, "%02d%02d%02d%02d%02d", utc.tm_year % 100, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min);
      minute_ = text;
    }
    return minute_;
  }

  static std::string id_text(std::uint64_t id) {
    char text[20];
    std::snprintf(text, sizeof text, "%08lX", id);
    return text;
  }
  void begin(Session& session, std::uint32_t id, std::uint32_t sequence) {
    start_ = session.out.size();
    ByteWriter out(session.out);
    out.u32(0);
    out.u32(id);
    out.u32(0);
    out.u32(sequence);
  }
  void end(Session& session) {
    const std::size_t length = session.out.size() - start_;
    for (std::size_t i = 0; i < 4; ++i) session.out[start_ + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  }
  static void text(Session& session, std::string_view value) {
    ByteWriter out(session.out);
    out.raw(value);
    out.u8(0);
  }
  static void flush(Session& session) {
    if (session.out.empty() || session.gone) return;
    bufferevent_write(session.stream.get(), session.out.data(), session.out.size());
    session.out.clear();
  }

  Loop& loop_;
  const Options& options_;
  Ledger& ledger_;
  SSL_CTX* tls_;
  evconnlistener* listener_ = nullptr;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::deque<Receipt> waiting_;  // in the order in which they are due
  Timer due_;
  std::size_t turn_ = 0, start_ = 0;
  std::uint64_t last_id_ = static_cast<std::uint64_t>(wall_ms()) << 8, submits_ = 0, receipts_ = 0, repeated_ = 0, broken_ = 0, strange_ = 0;
  std::string minute_;
  std::time_t minute_of_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i], value = argv[i + 1];
    if (word == "--ledger") options.ledger = value;
    else if (word == "--ca") options.tls.ca = value;
    else if (word == "--cert") options.tls.certificate = value;
    else if (word == "--key") options.tls.key = value;
    else if (word == "--crl") options.tls.crl = value;
    else if (word == "--receipt-after-ms") options.receipt_after_us = std::strtoull(value.c_str(), nullptr, 10) * 1000;
    else if (word == "--window") options.window = std::strtoull(value.c_str(), nullptr, 10);
    else if (word == "--port") options.port = std::atoi(value.c_str());
    else return std::fprintf(stderr, "sms_centre: unknown argument %s\n", word.c_str()), 2;
  }
  Result<Ledger> ledger = Ledger::open(options.ledger);
  if (!ledger) return std::fprintf(stderr, "sms_centre: %s\n", ledger.what().c_str()), 2;
  SslContext tls;
  if (!options.tls.certificate.empty()) {
    Result<SslContext> made = make_tls_server(options.tls);
    if (!made) return std::fprintf(stderr, "sms_centre: %s\n", made.what().c_str()), 2;
    tls = std::move(*made);
  }
  std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an event of its stream
  Loop loop;
  Centre centre(loop, options, *ledger, tls.get());
  const Signal stop(loop, SIGTERM, [&] { loop.stop(); });
  loop.run();
  centre.report();
  return 0;
}
