// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/unix_listener.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/protocol/frame_socket.hpp"
#include "connectors/protocol/passed_sockets.hpp"

namespace postern {
namespace {

std::string peer_user(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return "unknown";
  return user_name(credentials.uid);
}

}  // namespace

std::string user_name(unsigned uid) {
  const passwd* entry = getpwuid(uid);
  return entry == nullptr ? "uid " + std::to_string(uid) : entry->pw_name;
}

std::string own_user_name() { return user_name(geteuid()); }

UnixListener::~UnixListener() {
  for (Socket& socket : sockets_) {
    socket.ready.reset();
    close(socket.fd);
  }
  if (!own_path_.empty()) unlink(own_path_.c_str());
}

Status UnixListener::open(const std::string& prefix, const std::string& path) {
  Result<std::vector<PassedSocket>> passed = passed_sockets(prefix + ".");
  if (!passed) return fail(passed.what());
  for (PassedSocket& socket : *passed) add(socket.fd, std::move(socket.name));
  if (!passed->empty()) return {};
  const Result<int> fd = FrameSocket::listen(path);
  if (!fd) return fail(fd.what());
  own_path_ = path;
  add(*fd, {});
  return {};
}

void UnixListener::add(int fd, std::string user) {
  auto ready = std::make_unique<Watch>(loop_, fd, Watch::For::read, [this, fd, user] {
    const int peer = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer >= 0) accepted_(peer, user.empty() ? peer_user(peer) : user);
  });
  ready->start();
  sockets_.push_back({fd, std::move(user), std::move(ready)});
}

}  // namespace postern
