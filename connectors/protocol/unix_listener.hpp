// SPDX-License-Identifier: Apache-2.0
// Purpose: accepts connections on Unix sockets and tells which Unix user is behind each. Used by:
// posternd, for its bus and its control socket. Threads: one loop.
// Two ways to know the user. Under systemd each user has a socket of its own (FileDescriptorName=
// "PREFIX.USER", mode 0600): the kernel lets nobody else through it, and the process needs neither the
// right to open sockets nor a view of other users. Otherwise one socket serves all, and the kernel's word
// on the peer (SO_PEERCRED) tells the user.
// Ownership: owns its sockets; the accepted descriptor is the callback's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connectors/protocol/loop.hpp"
#include "crypto/result.hpp"

namespace postern {

class UnixListener {
 public:
  using Accepted = std::function<void(int fd, const std::string& user)>;
  UnixListener(Loop& loop, Accepted accepted) : loop_(loop), accepted_(std::move(accepted)) {}
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  // Serves every socket that systemd passed as "PREFIX.USER"; where there is none, one of its own at
  // `path` (mode 0660).
  Status open(const std::string& prefix, const std::string& path);

 private:
  struct Socket {
    int fd;
    std::string user;      // empty: ask the kernel about each peer
    std::unique_ptr<Watch> ready;
  };
  void add(int fd, std::string user);

  Loop& loop_;
  Accepted accepted_;
  std::string own_path_;   // empty: the sockets are systemd's
  std::vector<Socket> sockets_;
};

// The name of a Unix user, or "uid N".
std::string user_name(unsigned uid);
// The user that this process runs as.
std::string own_user_name();

}  // namespace postern
