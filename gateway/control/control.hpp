// SPDX-License-Identifier: Apache-2.0
// Purpose: the control socket: administrators on this machine, known by their Unix user. Every request
// is checked against the configured administrators before it is read further; reading a message's
// trace and every change leave an audit leaf with the administrator's name.
// Used by: posternd. Threads: one. Errors: a fault of a client closes that client alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "connectors/protocol/frame_socket.hpp"
#include "connectors/protocol/unix_listener.hpp"
#include "gateway/control/control.pb.h"

namespace postern {

class ControlServer {
 public:
  // Answers one request of the named administrator.
  using Answer = std::function<void(const std::string& actor, control::Request& request, control::Reply& reply)>;
  // Whether this Unix user may speak at all.
  using Allowed = std::function<bool(const std::string& user)>;

  ControlServer(Loop& loop, Allowed allowed, Answer answer);
  ~ControlServer();
  // Serves the sockets that systemd passed as "control.USER", else one that it makes at this path.
  Status open(const std::string& socket_path);

 private:
  void on_accept(int fd, const std::string& user);
  void on_frame(std::uint64_t id, std::string_view bytes);

  Loop& loop_;
  Allowed allowed_;
  Answer answer_;
  UnixListener listener_;
  std::uint64_t last_ = 0;
  struct Client {
    std::unique_ptr<FrameSocket> socket;
    std::string user;   // Unix user behind it
  };
  std::map<std::uint64_t, Client> clients_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern
