// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/control.hpp"

#include <unistd.h>

#include "connectors/protocol/log.hpp"
#include "crypto/secret.hpp"

namespace postern {
namespace {

constexpr std::size_t kMaxClients = 32;

// A passphrase must not stay in the memory of a request that is over.
void wipe_secrets(control::Request& request) {
  if (request.has_init()) {
    wipe_text(*request.mutable_init()->mutable_passphrase());
    wipe_text(*request.mutable_init()->mutable_key_file());
  }
  if (request.has_unlock()) {
    control::Unlock& unlock = *request.mutable_unlock();
    wipe_text(*unlock.mutable_passphrase());
    wipe_text(*unlock.mutable_key_file());
    wipe_text(*unlock.mutable_token_secret());
    if (unlock.has_share()) wipe_text(*unlock.mutable_share()->mutable_value());
  }
  if (request.has_keys() && request.keys().has_add_slot()) {
    control::SlotAdd& slot = *request.mutable_keys()->mutable_add_slot();
    wipe_text(*slot.mutable_passphrase());
    wipe_text(*slot.mutable_key_file());
    wipe_text(*slot.mutable_token_secret());
  }
}

}  // namespace

ControlServer::ControlServer(Loop& loop, Allowed allowed, Answer answer)
    : loop_(loop),
      allowed_(std::move(allowed)),
      answer_(std::move(answer)),
      listener_(loop, [this](int fd, const std::string& user) { on_accept(fd, user); }),
      alive_(std::make_shared<bool>(true)) {}

ControlServer::~ControlServer() { *alive_ = false; }

Status ControlServer::open(const std::string& socket_path) { return listener_.open("control", socket_path); }

void ControlServer::on_accept(int fd, const std::string& user) {
  if (clients_.size() >= kMaxClients) {
    close(fd);
    return;
  }
  const std::uint64_t id = ++last_;
  clients_[id].user = user;
  clients_[id].socket = std::make_unique<FrameSocket>(
      loop_, fd, FrameSocket::Handlers{[this, id](std::string_view bytes) { on_frame(id, bytes); },
                                       [this, id](const std::string&) {
                                         loop_.defer([this, alive = alive_, id] {
                                           if (*alive) clients_.erase(id);
                                         });
                                       }});
}

void ControlServer::on_frame(std::uint64_t id, std::string_view bytes) {
  FrameSocket& client = *clients_.at(id).socket;
  const std::string user = clients_.at(id).user;
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
