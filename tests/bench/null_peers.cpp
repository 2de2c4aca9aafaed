// SPDX-License-Identifier: Apache-2.0
// Gateways that do nothing, to see how far the load client and the SMS centre are from being the limit of a measurement.
//
//   null_peers http [--ca F --cert F --key F --crl F]   accepts every request at once; prints {"port":N}, ends on SIGTERM
//   null_peers esme --port P --count N [--window 500] [--ca F --cert F --key F]
//                                                       sends N messages to the SMS centre, answers its receipts; prints one JSON line
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
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

class NullGateway {
 public:
  NullGateway(Loop& loop, SSL_CTX* tls) : loop_(loop), tls_(tls) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener_ = evconnlistener_new_bind(
        loop.base(), [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* self) { static_cast<NullGateway*>(self)->accept(fd); }, this,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 512, reinterpret_cast<const sockaddr*>(&at), sizeof at);
    socklen_t size = sizeof at;
    if (listener_ == nullptr || getsockname(evconnlistener_get_fd(listener_), reinterpret_cast<sockaddr*>(&at), &size) != 0)
      std::fprintf(stderr, "null_peers: no port to listen on\n"), std::exit(2);
    std::printf("{\"port\":%d}\n", ntohs(at.sin_port));
    std::fflush(stdout);
  }
  ~NullGateway() { evconnlistener_free(listener_); }

 private:
  struct Client {
    Stream stream;
    HttpReader reader;
  };

  void accept(int fd) {
    auto& client = clients_.emplace_back(std::make_unique<Client>());
    client->stream.reset(tls_ == nullptr ? bufferevent_socket_new(loop_.base(), fd, BEV_OPT_CLOSE_ON_FREE)
                                         : bufferevent_openssl_socket_new(loop_.base(), fd, make_server_ssl(tls_).release(), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE));
    no_delay(client->stream.get());
    bufferevent_setcb(
        client->stream.get(),
        [](bufferevent* stream, void* p) {
          static const std::string answer = [] {
            const std::string body = R"({"id":"00000000-0000-7000-8000-000000000000","status":"accepted"})";
            return "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
          }();
          while (static_cast<Client*>(p)->reader.take(bufferevent_get_input(stream))) bufferevent_write(stream, answer.data(), answer.size());
        },
        nullptr, [](bufferevent* stream, short what, void*) { if ((what & BEV_EVENT_CONNECTED) == 0) bufferevent_disable(stream, EV_READ | EV_WRITE); }, client.get());
    bufferevent_enable(client->stream.get(), EV_READ | EV_WRITE);
  }

  Loop& loop_;
  SSL_CTX* tls_;
  evconnlistener* listener_ = nullptr;
  std::vector<std::unique_ptr<Client>> clients_;
};

class NullEsme {
 public:
  NullEsme(Loop& loop, SSL_CTX* tls, int port, std::uint64_t count, std::uint64_t window) : loop_(loop), stream_(make_stream(loop, tls, port)), count_(count), window_(window) {
    bufferevent_setcb(
        stream_.get(), [](bufferevent*, void* p) { static_cast<NullEsme*>(p)->read(); }, nullptr,
        [](bufferevent*, short what, void* p) { static_cast<NullEsme*>(p)->changed(what); }, this);
    bufferevent_enable(stream_.get(), EV_READ | EV_WRITE);
  }

  int report() const {
    const double seconds = static_cast<double>(now_us() - begun_) / 1e6;
    std::printf("{\"bench\":\"null-esme\",\"messages\":%lu,\"receipts\":%lu,\"seconds\":%.3f,\"per_second\":%.0f}\n", answered_, receipts_, seconds, static_cast<double>(answered_) / seconds);
    return answered_ == count_ && receipts_ == count_ ? 0 : 1;
  }

 private:
  void changed(short what) {
    if ((what & BEV_EVENT_CONNECTED) == 0) return loop_.stop();
    no_delay(stream_.get());
    ByteWriter out(out_);
    begin(command::kBindTransceiver, 1);
    for (const char* word : {"bench", "bench", ""}) text(word);
    out.u8(0x34);
    out.u16(0);
    text("");
    end();
    flush();
  }

  void read() {
    evbuffer* in = bufferevent_get_input(stream_.get());
    const ByteView stream(evbuffer_pullup(in, -1), evbuffer_get_length(in));
    std::size_t taken = 0;
    for (;;) {
      const smpp::Cut cut = smpp::cut_frame(stream.subspan(taken));
      if (cut.kind != smpp::Cut::Kind::frame) break;
      const auto pdu = smpp::decode(stream.subspan(taken, cut.length));
      taken += cut.length;
      if (!pdu) continue;
      if (pdu->header.command == (command::kBindTransceiver | command::kResponse)) begun_ = now_us();
      if (pdu->header.command == (command::kSubmitSm | command::kResponse)) ++answered_;
      if (pdu->header.command == command::kDeliverSm) {
        ++receipts_;
        begin(command::kDeliverSm | command::kResponse, pdu->header.sequence);
        text("");
        end();
      }
    }
    evbuffer_drain(in, taken);
    while (sent_ < count_ && sent_ - answered_ < window_) submit(sent_++);
    flush();
    if (answered_ == count_ && receipts_ == count_) loop_.stop();
  }

  void submit(std::uint64_t n) {
    ByteWriter out(out_);
    begin(command::kSubmitSm, static_cast<std::uint32_t>(n + 2));
    text("");
    out.u16(0x0501);
    text("MyBank");
    out.u16(0x0101);
    text("380500000020");
    for (int i = 0; i < 5; ++i) out.u8(0);  // esm class, protocol, priority, schedule, validity
    out.u8(1);                              // a receipt
    for (int i = 0; i < 3; ++i) out.u8(0);
    out.text8(text_of(n));
    end();
  }

  void begin(std::uint32_t id, std::uint32_t sequence) {
    start_ = out_.size();
    ByteWriter out(out_);
    out.u32(0);
    out.u32(id);
    out.u32(0);
    out.u32(sequence);
  }
  void end() {
    const std::size_t length = out_.size() - start_;
    for (std::size_t i = 0; i < 4; ++i) out_[start_ + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  }
  void text(std::string_view value) {
    ByteWriter out(out_);
    out.raw(value);
    out.u8(0);
  }
  void flush() {
    bufferevent_write(stream_.get(), out_.data(), out_.size());
    out_.clear();
  }

  Loop& loop_;
  Stream stream_;
  std::uint64_t count_, window_, sent_ = 0, answered_ = 0, receipts_ = 0, begun_ = 0;
  std::size_t start_ = 0;
  Bytes out_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "";
  TlsFiles files;
  int port = 0;
  std::uint64_t count = 0, window = 500;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string word = argv[i], value = argv[i + 1];
    if (word == "--ca") files.ca = value;
    else if (word == "--cert") files.certificate = value;
    else if (word == "--key") files.key = value;
    else if (word == "--crl") files.crl = value;
    else if (word == "--port") port = std::atoi(value.c_str());
    else if (word == "--count") count = std::strtoull(value.c_str(), nullptr, 10);
    else if (word == "--window") window = std::strtoull(value.c_str(), nullptr, 10);
    else return std::fprintf(stderr, "null_peers: unknown argument %s\n", word.c_str()), 2;
  }
  SslContext tls;
  if (!files.ca.empty()) {
    Result<SslContext> made = kind == "http" ? make_tls_server(files) : make_tls_client(files);
    if (!made) return std::fprintf(stderr, "null_peers: %s\n", made.what().c_str()), 2;
    tls = std::move(*made);
  }
  std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an event of its stream
  Loop loop;
  const Signal stop(loop, SIGTERM, [&] { loop.stop(); });
  if (kind == "http") {
    const NullGateway gateway(loop, tls.get());
    loop.run();
    return 0;
  }
  if (kind != "esme" || count == 0) return std::fprintf(stderr, "usage: null_peers http|esme ...; its file tells more\n"), 2;
  NullEsme esme(loop, tls.get(), port, count, window);
  loop.run();
  return esme.report();
}
