// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/control.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/protocol/log.hpp"
#include "crypto/secret.hpp"

namespace postern {
namespace {

constexpr std::size_t kMaxClients = 32;

std::string user_of(unsigned uid) {
  const passwd* entry = getpwuid(uid);
  return entry == nullptr ? "uid " + std::to_string(uid) : entry->pw_name;
}

// A passphrase must not stay in the memory of a request that is over.
void wipe_secrets(control::Request& request) {
  if (request.has_init()) {
    wipe_text(*request.mutable_init()->mutable_passphrase());
    wipe_text(*request.mutable_init()->mutable_key_file());
  }
  if (request.has_unlock()) {
    wipe_text(*request.mutable_unlock()->mutable_passphrase());
    wipe_text(*request.mutable_unlock()->mutable_key_file());
  }
}

}  // namespace

ControlServer::ControlServer(Loop& loop, Allowed allowed, Answer answer)
    : loop_(loop), allowed_(std::move(allowed)), answer_(std::move(answer)), alive_(std::make_shared<bool>(true)) {}

ControlServer::~ControlServer() {
  *alive_ = false;
  accept_.reset();
  if (listen_fd_ >= 0) {
    close(listen_fd_);
    unlink(path_.c_str());
  }
}

Status ControlServer::open(const std::string& socket_path) {
  Result<int> fd = FrameSocket::listen(socket_path);
  if (!fd) return fail(fd.what());
  listen_fd_ = *fd;
  path_ = socket_path;
  accept_ = std::make_unique<Watch>(loop_, listen_fd_, Watch::For::read, [this] { on_accept(); });
  accept_->start();
  return {};
}

void ControlServer::on_accept() {
  const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (clients_.size() >= kMaxClients) {
    close(fd);
    return;
  }
  const std::uint64_t id = ++last_;
  clients_[id] = std::make_unique<FrameSocket>(
      loop_, fd, FrameSocket::Handlers{[this, id](std::string_view bytes) { on_frame(id, bytes); },
                                       [this, id](const std::string&) {
                                         loop_.defer([this, alive = alive_, id] {
                                           if (*alive) clients_.erase(id);
                                         });
                                       }});
}

void ControlServer::on_frame(std::uint64_t id, std::string_view bytes) {
  FrameSocket& client = *clients_.at(id);
  const std::string user = user_of(client.peer().uid);
  control::Reply reply;
  control::Request request;
  if (!allowed_(user)) {
    log::warning("admin.denied", "user {} is not an administrator of this gateway", user);
    reply.set_error("user " + user + " is not an administrator of this gateway; add it to 'admins' in the configuration");
    client.send(reply);
    return client.close_after_flush("denied");
  }
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || request.ask_case() == control::Request::ASK_NOT_SET) {
    reply.set_error("the request cannot be read; use a postern of the same version as posternd");
    client.send(reply);
    return client.close_after_flush("unreadable");
  }
  reply.set_done(true);
  answer_(user, request, reply);
  wipe_secrets(request);
  if (!client.send(reply)) {
    reply.Clear();
    reply.set_error("the answer is too long for one reply");
    client.send(reply);
  }
}

}  // namespace postern
