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
  Status open(const std::string& socket_path);

 private:
  void on_accept();
  void on_frame(std::uint64_t id, std::string_view bytes);

  Loop& loop_;
  Allowed allowed_;
  Answer answer_;
  int listen_fd_ = -1;
  std::string path_;
  std::unique_ptr<Watch> accept_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, std::unique_ptr<FrameSocket>> clients_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern
