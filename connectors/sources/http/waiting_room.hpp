// SPDX-License-Identifier: Apache-2.0
// Purpose: where new connections wait for their TLS handshake to begin. Handshakes begin at a pace (ServerLimits), and in the kernel's
// queue one who floods would stand before and instead of everybody else; here addresses take turns, however many connections each has.
// Used by: server.cpp. Threads: one loop. Errors: none.
// Ownership: of the descriptors it holds; add() and next() hand them over to the caller.
// Limits: `places` descriptors.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace postern::http {

struct Newcomer {
  int fd = -1;
  std::string address;  // as Peer::address
};

class WaitingRoom {
 public:
  explicit WaitingRoom(std::size_t places) : places_(places) {}
  ~WaitingRoom();
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  // Who gives way when there is no place: of the address that has most connections here, the one that came last.
  std::optional<Newcomer> add(Newcomer newcomer);
  // Of the address whose turn it is, the one that came first; nothing when nobody waits.
  std::optional<Newcomer> next();

  std::size_t size() const { return size_; }

 private:
  std::size_t places_, size_ = 0;
  std::unordered_map<std::string, std::deque<int>> waiting_;  // descriptors by address, none of them empty
  std::deque<std::string> turns_;  // each address of waiting_ once
};

}  // namespace postern::http
