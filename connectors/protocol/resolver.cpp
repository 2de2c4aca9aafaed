// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/resolver.hpp"

#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <system_error>
#include <thread>

namespace postern {
namespace {

Result<std::vector<SocketAddress>> ask(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) return fail("the name " + host + " has no address (" + gai_strerror(failed) + ")");
  std::vector<SocketAddress> found;
  for (const addrinfo* item = list; item != nullptr; item = item->ai_next) {
    if (item->ai_addrlen > sizeof(sockaddr_storage)) continue;
    SocketAddress& address = found.emplace_back();
    std::memcpy(&address.storage, item->ai_addr, item->ai_addrlen);
    address.size = item->ai_addrlen;
  }
  freeaddrinfo(list);
  if (found.empty()) return fail("the name " + host + " has no address");
  return found;
}

}  // namespace

// What the thread and the loop both hold; the write to `ready` orders their accesses to `answer`.
struct Lookup::Shared {
  Shared() : ready(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Shared() {
    if (ready >= 0) close(ready);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  int ready;
  Result<std::vector<SocketAddress>> answer = fail("no answer");
};

Lookup::Lookup(Loop& loop, const std::string& host, std::uint16_t port, Found found)
    : shared_(std::make_shared<Shared>()), alive_(std::make_shared<bool>(true)) {
  const auto tell = [shared = shared_, alive = alive_, found = std::move(found)] {
    if (*alive) found(std::move(shared->answer));
  };
  shared_->answer = ask(host, port, AI_NUMERICHOST);
  if (shared_->answer || shared_->ready < 0) {
    loop.defer(tell);
    return;
  }
  watch_ = std::make_unique<Watch>(loop, shared_->ready, Watch::For::read, [this, tell] {
    watch_->stop();
    tell();
  });
  watch_->start();
  try {
    std::thread([shared = shared_, host, port] {
      shared->answer = ask(host, port, 0);
      const std::uint64_t one = 1;
      (void)!write(shared->ready, &one, sizeof one);
    }).detach();
  } catch (const std::system_error&) {
    shared_->answer = fail("no thread could be started for the lookup of " + host);
    watch_.reset();
    loop.defer(tell);
  }
}

Lookup::~Lookup() { *alive_ = false; }

}  // namespace postern
