// SPDX-License-Identifier: Apache-2.0
#include "gateway/bus/bus.hpp"

#include <unistd.h>

namespace postern {
namespace {

constexpr std::uint32_t kVersion = 1, kMaxWindow = 100'000;
constexpr std::size_t kMaxLinks = 256, kFrameSize = 1024 * 1024;
constexpr std::chrono::seconds kHelloPatience{5};

bool facts_or_questions(const wire::ToVault& f) {
  return f.submit_size() + f.result_size() + f.receipt_size() + f.reply_size() + f.query_size() + f.observation_size() > 0 || f.event_cursor() != 0;
}

// Moves items of one kind into frames of their own while they are many.
template <class Items, class Add>
bool send_items(FrameSocket& socket, Items& items, const Add& add) {
  wire::ToConnector frame;
  std::size_t size = 0;
  for (auto& item : items) {
    size += item.ByteSizeLong() + 8;
    add(frame)->Swap(&item);
    if (size < kFrameSize) continue;
    if (!socket.send(frame)) return false;
    frame.Clear();
    size = 0;
  }
  items.Clear();
  return size == 0 || socket.send(frame);
}

// What one turn says to one connector, in frames that are far below the limit of one.
bool send_in_frames(FrameSocket& socket, wire::ToConnector& out) {
  if (out.ByteSizeLong() <= kFrameSize) return socket.send(out);
  if (out.has_welcome()) {
    wire::ToConnector first;
    first.mutable_welcome()->Swap(out.mutable_welcome());
    out.clear_welcome();
    if (!socket.send(first)) return false;
  }
  const bool sent = send_items(socket, *out.mutable_deliver(), [](wire::ToConnector& f) { return f.add_deliver(); }) &&
                    send_items(socket, *out.mutable_verdict(), [](wire::ToConnector& f) { return f.add_verdict(); }) &&
                    send_items(socket, *out.mutable_answer(), [](wire::ToConnector& f) { return f.add_answer(); }) &&
                    send_items(socket, *out.mutable_event(), [](wire::ToConnector& f) { return f.add_event(); });
  // `committed` goes last: it speaks of everything before it.
  return sent && (out.ByteSizeLong() == 0 || socket.send(out));
}

}  // namespace

Bus::Bus(Loop& loop, std::function<void()> said)
    : loop_(loop),
      said_(std::move(said)),
      listener_(loop, [this](int fd, const std::string& user) { on_accept(fd, user); }),
      alive_(std::make_shared<bool>(true)) {}

Bus::~Bus() { *alive_ = false; }

Status Bus::open(const std::string& socket_path) {
  return listener_.open("bus", socket_path);
}

void Bus::serve(vault::Vault* vault) {
  if (vault == nullptr) drop_all("locked");
  vault_ = vault;
}

void Bus::on_accept(int fd, const std::string& user) {
  if (links_.size() >= kMaxLinks) {
    ::close(fd);
    return;
  }
  const std::uint64_t id = ++last_link_;
  links_[id].user = user;
  links_[id].socket = std::make_unique<FrameSocket>(
      loop_, fd, FrameSocket::Handlers{[this, id](std::string_view bytes) { on_frame(id, bytes); },
                                       [this, id](const std::string& reason) { on_closed(id, reason); }});
  // Silent connections must not keep connectors out.
  links_[id].patience = std::make_unique<Timer>(loop_, [this, id] {
    if (links_.at(id).peer == 0) close(id, "no hello");
  });
  links_[id].patience->start(kHelloPatience);
}

void Bus::on_frame(std::uint64_t id, std::string_view bytes) {
  Link& link = links_.at(id);
  wire::ToVault frame;
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return refuse(id, wire::Refusal::PROTOCOL, "a frame cannot be read");
  // Numbers without gaps let `committed` speak of every frame up to it.
  if (frame.frame() != link.last_frame + 1) return refuse(id, wire::Refusal::PROTOCOL, "frame numbers must grow by one");
  link.last_frame = frame.frame();
  if (link.peer == 0) return admit(id, std::move(frame));
  if (frame.has_hello()) return refuse(id, wire::Refusal::PROTOCOL, "a second hello");
  if (frame.has_health() && frame.health().window() > kMaxWindow) return refuse(id, wire::Refusal::PROTOCOL, "the window is over 100000");
  vault_->frame(link.peer, std::move(frame));
  said_();
}

void Bus::admit(std::uint64_t id, wire::ToVault&& frame) {
  if (facts_or_questions(frame)) return refuse(id, wire::Refusal::PROTOCOL, "the first frame holds hello and health only");
  if (!frame.has_hello()) return refuse(id, wire::Refusal::PROTOCOL, "the first frame must say hello");
  const wire::Hello& hello = frame.hello();
  if (vault_ == nullptr) return refuse(id, wire::Refusal::LOCKED, "the vault is locked; an administrator must unlock it");
  if (hello.version() != kVersion) return refuse(id, wire::Refusal::VERSION, "this vault speaks version 1");
  if (hello.instance() == 0 || hello.window() > kMaxWindow) return refuse(id, wire::Refusal::PROTOCOL, "hello needs an instance, and a window up to 100000");
  const auto& connectors = vault_->context().config->connectors;
  const auto connector = connectors.find(hello.connector());
  if (connector == connectors.end()) return refuse(id, wire::Refusal::NOT_CONFIGURED, "no connector of this name is configured in posternd");
  if (links_.at(id).user != connector->second.user)
    return refuse(id, wire::Refusal::WRONG_USER, "this connector must run as user " + connector->second.user);
  // The newest process of a name is the one; a hung older one must not keep it out.
  for (auto& [other, link] : links_) {
    if (link.peer == 0 || vault_->peers().at(link.peer).name != hello.connector()) continue;
    refuse(other, wire::Refusal::REPLACED, "another process took this connector's name");
    break;
  }
  log::info("connector.up", "{} connected ({})", hello.connector(), hello.software().substr(0, 64));
  const vault::PeerId peer = vault_->join(hello.connector(), hello, frame.frame());
  links_.at(id).peer = peer;
  // The hello frame may carry health as well.
  if (frame.has_health()) {
    wire::ToVault rest;
    rest.set_frame(frame.frame());
    *rest.mutable_health() = frame.health();
    vault_->frame(peer, std::move(rest));
  }
  said_();
}

void Bus::refuse(std::uint64_t id, wire::Refusal::Reason reason, const std::string& detail) {
  Link& link = links_.at(id);
  if (reason != wire::Refusal::LOCKED && refusals_.pass()) {
    log::warning("connector.refused", "user {}: {}", link.user, detail);
    if (vault_ != nullptr) vault_->note_refused(link.user, detail);
  }
  wire::ToConnector answer;
  answer.mutable_refusal()->set_reason(reason);
  answer.mutable_refusal()->set_detail(detail);
  link.socket->send(answer);
  close(id, detail);
}

void Bus::close(std::uint64_t id, const std::string& reason) {
  Link& link = links_.at(id);
  if (link.peer != 0 && vault_ != nullptr) {
    vault_->leave(link.peer);
    said_();
  }
  link.peer = 0;
  link.socket->close_after_flush(reason);
}

void Bus::on_closed(std::uint64_t id, const std::string& reason) {
  Link& link = links_.at(id);
  if (link.peer != 0) {
    if (vault_ != nullptr) {
      log::info("connector.down", "{} is gone ({})", vault_->peers().at(link.peer).name, reason);
      vault_->leave(link.peer);
      said_();
    }
    link.peer = 0;
  }
  loop_.defer([this, alive = alive_, id] {
    if (*alive) links_.erase(id);
  });
}

void Bus::flush() {
  if (vault_ == nullptr) return;
  std::vector<std::uint64_t> slow;
  for (auto& [id, link] : links_) {
    if (link.peer == 0) continue;
    wire::ToConnector out;
    out.Swap(&vault_->peers().at(link.peer).out);
    if (out.ByteSizeLong() > 0 && !send_in_frames(*link.socket, out)) slow.push_back(id);
  }
  for (const std::uint64_t id : slow) {
    log::warning("connector.slow", "{} does not read; closing it", vault_->peers().at(links_.at(id).peer).name);
    close(id, "does not read");
  }
}

void Bus::drop_all(const std::string& reason) {
  for (auto& [id, link] : links_)
    if (link.peer != 0 || reason == "locked") close(id, reason);
}

}  // namespace postern
