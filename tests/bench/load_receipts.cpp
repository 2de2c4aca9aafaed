// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/load_receipts.hpp"

#include <event2/listener.h>
#include <netinet/in.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace postern::bench {
namespace {

constexpr auto kAgainAfter = std::chrono::milliseconds(50);
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

// The number behind `word`, which must be there.
std::uint64_t number_after(std::string_view text, std::string_view word, std::uint64_t otherwise) {
  const std::size_t at = text.rfind(word);
  std::uint64_t n = otherwise;
  if (at != std::string_view::npos) std::from_chars(text.data() + at + word.size(), text.data() + text.size(), n);
  return n;
}

}  // namespace

CallBacks::CallBacks(Loop& loop, Arrived arrived) : loop_(loop), arrived_(std::move(arrived)) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener_ = evconnlistener_new_bind(
      loop.base(), [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* self) { static_cast<CallBacks*>(self)->accept(fd); }, this,
      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 512, reinterpret_cast<const sockaddr*>(&at), sizeof at);
  socklen_t size = sizeof at;
  if (listener_ == nullptr || getsockname(evconnlistener_get_fd(listener_), reinterpret_cast<sockaddr*>(&at), &size) != 0)
    std::fprintf(stderr, "load_client: no port for call-backs\n"), std::exit(2);
  port_ = ntohs(at.sin_port);
}

CallBacks::~CallBacks() { evconnlistener_free(listener_); }

void CallBacks::accept(int fd) {
  auto caller = std::make_unique<Caller>();
  caller->owner = this;
  caller->stream.reset(bufferevent_socket_new(loop_.base(), fd, BEV_OPT_CLOSE_ON_FREE));
  no_delay(caller->stream.get());
  bufferevent_setcb(
      caller->stream.get(), [](bufferevent*, void* p) { static_cast<Caller*>(p)->owner->read(*static_cast<Caller*>(p)); }, nullptr,
      [](bufferevent*, short, void* p) { static_cast<Caller*>(p)->owner->callers_.erase(static_cast<Caller*>(p)); }, caller.get());
  bufferevent_enable(caller->stream.get(), EV_READ | EV_WRITE);
  Caller* key = caller.get();
  callers_.emplace(key, std::move(caller));
}

void CallBacks::read(Caller& caller) {
  evbuffer* in = bufferevent_get_input(caller.stream.get());
  while (caller.reader.take(in)) {
    const std::string_view target = caller.reader.target();
    // d=1: delivered; 2 and 16: not.
    arrived_(number_after(target, "?n=", ~0ULL), number_after(target, "&d=", 0) == 1);
    bufferevent_write(caller.stream.get(), kOk.data(), kOk.size());
  }
}

EventStream::EventStream(Loop& loop, SSL_CTX* tls, int port, std::uint64_t after, Arrived arrived)
    : loop_(loop), tls_(tls), port_(port), cursor_(after), arrived_(std::move(arrived)), again_(loop, [this] { open(); }) {
  known_.reserve(1U << 20);
  open();
}

void EventStream::open() {
  reader_ = {};
  stream_ = make_stream(loop_, tls_, port_);
  bufferevent_setcb(
      stream_.get(), [](bufferevent*, void* p) { static_cast<EventStream*>(p)->read(); }, nullptr,
      [](bufferevent* stream, short what, void* p) {
        auto* self = static_cast<EventStream*>(p);
        if ((what & BEV_EVENT_CONNECTED) == 0) return self->again_.start(kAgainAfter);
        no_delay(stream);
        self->poll();
      },
      this);
  bufferevent_setwatermark(stream_.get(), EV_READ, 0, 0);
  bufferevent_enable(stream_.get(), EV_READ | EV_WRITE);
}

void EventStream::poll() {
  const std::string request = "GET /v1/events?after=" + std::to_string(cursor_) + "&limit=1000&wait=5 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  bufferevent_write(stream_.get(), request.data(), request.size());
}

void EventStream::read() {
  while (reader_.take(bufferevent_get_input(stream_.get()))) {
    if (reader_.status() != 200) return again_.start(kAgainAfter);
    const std::string_view body = reader_.body;
    for (std::size_t at = body.find("\"id\":\""); at != std::string_view::npos; at = body.find("\"id\":\"", at)) {
      const std::string_view id = body.substr(at + 6, 36);
      at = body.find("\"state\":\"", at);
      if (at == std::string_view::npos) break;
      std::string_view state = body.substr(at + 9, 16);
      state = state.substr(0, state.find('"'));
      const bool good = state == "delivered" || state == "reached";
      if (good || state == "failed" || state == "expired" || state == "cancelled" || state == "suppressed") told(id, good);
    }
    cursor_ = number_after(body, "\"cursor\":", cursor_);
    poll();
  }
}

void EventStream::told(std::string_view id, bool good) {
  const auto [at, is_new] = known_.try_emplace(id_of(id), good ? kUnknownGood : kUnknownBad);
  if (!is_new && at->second < kUnknownBad) arrived_(at->second, good);
}

void EventStream::know(std::string_view id, std::uint64_t n) {
  const auto [at, is_new] = known_.try_emplace(id_of(id), n);
  if (is_new) return;
  const bool good = at->second == kUnknownGood;
  if (at->second < kUnknownBad) return;
  at->second = n;
  arrived_(n, good);
}

void EventStream::each(const std::function<void(std::uint64_t n, const std::string& id)>& visit) const {
  for (const auto& [id, n] : known_) {
    if (n >= kUnknownBad) continue;
    char text[40];
    std::snprintf(text, sizeof text, "%08lx-%04lx-%04lx-%04lx-%012lx", id.high >> 32, id.high >> 16 & 0xffff, id.high & 0xffff, id.low >> 48, id.low & 0xffff'ffff'ffff);
    visit(n, text);
  }
}

EventStream::Id EventStream::id_of(std::string_view text) {
  Id id{};
  std::size_t digits = 0;
  for (const char c : text.substr(0, 36)) {
    if (c == '-') continue;
    std::uint64_t& half = digits++ < 16 ? id.high : id.low;
    half = half << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return id;
}

}  // namespace postern::bench
