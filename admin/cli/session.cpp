// SPDX-License-Identifier: Apache-2.0
#include "admin/cli/session.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "admin/cli/verbs.hpp"
#include "connectors/protocol/unix_listener.hpp"
#include "crypto/secret.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;
constexpr int kPatienceMs = 300'000;

bool send_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(fd, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool receive_all(int fd, char* data, std::size_t size) {
  while (size > 0) {
    pollfd ready{fd, POLLIN, 0};
    const int polled = poll(&ready, 1, kPatienceMs);
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) return false;
    const ssize_t got = ::recv(fd, data, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    data += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

Result<Session> Session::open(const std::string& given) {
  const std::string socket_path = given.empty() ? "/run/postern/control/" + own_user_name() : given;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) return fail("the socket path is too long: " + socket_path);
  socket_path.copy(address.sun_path, socket_path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return Session(fd);
  const int error = errno;
  if (fd >= 0) close(fd);
  std::string what = "cannot reach posternd at " + socket_path + ": " + std::strerror(error);
  if (error == EACCES) what += "; it is another user's socket";
  else what += "; is posternd running, and are you an administrator? (systemctl status posternd 'posternd-control@*', or give --socket)";
  return fail(std::move(what));
}

Session::~Session() {
  if (fd_ >= 0) close(fd_);
}

Result<control::Reply> Session::ask(const control::Request& request) {
  std::string frame(4, '\0');
  if (!request.AppendToString(&frame) || frame.size() - 4 > kMaxFrame) return fail("the request is too large");
  const std::size_t size = frame.size() - 4;
  for (std::size_t i = 0; i < 4; ++i) frame[i] = static_cast<char>(size >> (24 - 8 * i));
  const bool sent = send_all(fd_, frame.data(), frame.size());
  wipe_text(frame);
  std::array<char, 4> head{};
  if (!sent || !receive_all(fd_, head.data(), head.size())) return fail("posternd closed the connection; see its log");
  std::size_t length = 0;
  for (const char byte : head) length = length << 8 | static_cast<std::uint8_t>(byte);
  control::Reply reply;
  std::string body(length <= kMaxFrame ? length : 0, '\0');
  if (length > kMaxFrame || !receive_all(fd_, body.data(), body.size()) || !reply.ParseFromString(body))
    return fail("posternd's answer cannot be read; use a postern of the same version");
  if (!reply.error().empty()) return fail(reply.error());
  return reply;
}

Result<control::Reply> ask(const std::string& socket, const control::Request& request) {
  Result<Session> session = Session::open(socket);
  if (!session) return fail(session.what());
  return session->ask(request);
}

int failed(const std::string& what) {
  std::fprintf(stderr, "postern: %s\n", what.c_str());
  return kFailed;
}

}  // namespace postern::cli
