// SPDX-License-Identifier: Apache-2.0
// Purpose: host names to addresses without blocking the loop: the system's resolver on a thread of its
// own for each lookup. Used by: connectors that dial out. Threads: call it on the loop's thread; the callback comes
// there too. Ownership: a Lookup that ends early forgets its callback.
// Errors: an unknown host, or no answer, as a sentence. Address literals are answered without a thread.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "crypto/result.hpp"

namespace postern {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

class Lookup {
 public:
  using Found = std::function<void(Result<std::vector<SocketAddress>>)>;
  Lookup(Loop& loop, const std::string& host, std::uint16_t port, Found found);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace postern
