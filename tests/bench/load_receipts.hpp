// SPDX-License-Identifier: Apache-2.0
// Purpose: the way back: receipts as a client of a gateway gets them. Kannel calls a URL of the client's for each message; ours answers a
// long poll with the events since the last one.
// Used by: the load client. Threads: one loop. Ownership: ends with its owner; the loop outlives it.
// Errors: a lost connection is opened again, from the last cursor; a port that cannot be listened on ends the program.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "tests/bench/load_http.hpp"

struct evconnlistener;

namespace postern::bench {

// A message has come to its customer, or to another end; told once or more.
using Arrived = std::function<void(std::uint64_t n, bool good)>;

class CallBacks {
 public:
  CallBacks(Loop& loop, Arrived arrived);
  ~CallBacks();
  CallBacks(const CallBacks&) = delete;
  CallBacks& operator=(const CallBacks&) = delete;
  int port() const { return port_; }

 private:
  struct Caller {
    CallBacks* owner = nullptr;
    Stream stream;
    HttpReader reader;
  };
  void accept(int fd);
  void read(Caller& caller);

  Loop& loop_;
  Arrived arrived_;
  evconnlistener* listener_ = nullptr;
  int port_ = 0;
  std::unordered_map<Caller*, std::unique_ptr<Caller>> callers_;
};

class EventStream {
 public:
  // `after`: the first cursor.
  EventStream(Loop& loop, SSL_CTX* tls, int port, std::uint64_t after, Arrived arrived);
  // Message n has this id: before or after its events have come.
  void know(std::string_view id, std::uint64_t n);
  std::uint64_t cursor() const { return cursor_; }
  // The ids of all known messages.
  void each(const std::function<void(std::uint64_t n, const std::string& id)>& visit) const;

 private:
  struct Id {
    std::uint64_t high, low;
    bool operator==(const Id&) const = default;
  };
  struct IdHash {
    std::size_t operator()(const Id& id) const { return id.high * 0x9e3779b97f4a7c15U ^ id.low; }
  };
  static constexpr std::uint64_t kUnknownGood = ~0ULL, kUnknownBad = ~1ULL;

  void open();
  void poll();
  void read();
  void told(std::string_view id, bool good);
  static Id id_of(std::string_view text);

  Loop& loop_;
  SSL_CTX* tls_;
  int port_;
  std::uint64_t cursor_;
  Arrived arrived_;
  Stream stream_;
  HttpReader reader_;
  Timer again_;
  std::unordered_map<Id, std::uint64_t, IdHash> known_;  // kUnknown...: its end came before its number
};

}  // namespace postern::bench
