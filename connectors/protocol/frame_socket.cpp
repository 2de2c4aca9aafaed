// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/frame_socket.hpp"

#include <google/protobuf/message_lite.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "crypto/secret.hpp"

namespace postern {
namespace {

constexpr std::size_t kReadChunk = 64 * 1024;
// One turn reads at most this much from one peer, so that others get theirs.
constexpr std::size_t kReadTurn = 256 * 1024;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail("socket path '" + path + "': must have 1 to 107 characters; choose a shorter one");
  path.copy(address.sun_path, path.size());
  return address;
}

std::string reason_of(int error) { return std::strerror(error); }

// Takes `count` bytes off the front; what was moved leaves nothing where it stood.
void drop_front(std::string& buffer, std::size_t& count) {
  const std::size_t rest = buffer.size() - count;
  std::memmove(buffer.data(), buffer.data() + count, rest);
  wipe(buffer.data() + rest, count);
  buffer.resize(rest);
  count = 0;
}

int connected(const sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

}  // namespace

FrameSocket::FrameSocket(Loop& loop, int fd, Handlers handlers, std::size_t write_limit)
    : loop_(loop),
      fd_(fd),
      handlers_(std::move(handlers)),
      write_limit_(write_limit),
      alive_(std::make_shared<bool>(true)),
      read_(loop, fd, Watch::For::read, [this] { on_readable(); }),
      write_(loop, fd, Watch::For::write, [this] { on_writable(); }) {
  read_.start();
}

FrameSocket::~FrameSocket() {
  *alive_ = false;
  if (fd_ >= 0) {
    read_.stop();
    write_.stop();
    ::close(fd_);
  }
}

bool FrameSocket::send(const google::protobuf::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  if (fd_ < 0 || size == 0 || size > kMaxFrame) return false;
  if (unsent() + size + 4 > write_limit_) {
    loop_.defer([this, alive = alive_] { if (*alive) shut("the peer does not read"); });
    return false;
  }
  if (out_at_ == out_.size()) {
    out_.clear();
    out_at_ = 0;
  }
  const std::size_t at = out_.size();
  out_.resize(at + 4 + size);
  for (std::size_t i = 0; i < 4; ++i) out_[at + i] = static_cast<char>(size >> (24 - 8 * i));
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out_.data() + at + 4));
  flush();
  return true;
}

void FrameSocket::flush() {
  while (out_at_ < out_.size()) {
    const ssize_t wrote = ::send(fd_, out_.data() + out_at_, out_.size() - out_at_, MSG_NOSIGNAL);
    if (wrote > 0) {
      // Frames hold texts and numbers, and the buffer lives as long as the connection.
      wipe(out_.data() + out_at_, static_cast<std::size_t>(wrote));
      out_at_ += static_cast<std::size_t>(wrote);
      continue;
    }
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      loop_.defer([this, alive = alive_, error = errno] { if (*alive) shut(reason_of(error)); });
      return;
    }
    write_.start();
    if (out_at_ > out_.size() / 2 && out_at_ > kReadChunk) drop_front(out_, out_at_);
    return;
  }
  out_.clear();
  out_at_ = 0;
  if (out_.capacity() > kReadTurn) out_.shrink_to_fit();
  write_.stop();
}

void FrameSocket::on_writable() {
  flush();
  if (fd_ >= 0 && !closing_.empty() && unsent() == 0) shut(closing_);
}

void FrameSocket::on_readable() {
  const std::shared_ptr<bool> alive = alive_;
  std::string& ended = ended_;  // why nothing more comes; whole frames that came before it still count
  for (std::size_t turn = 0; turn < kReadTurn && ended.empty();) {
    const std::size_t at = in_.size();
    ssize_t got = 0;
    in_.resize_and_overwrite(at + kReadChunk, [&](char* data, std::size_t) {
      got = ::read(fd_, data + at, kReadChunk);
      return at + static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    });
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) {
      ended = got == 0 ? "the peer closed" : reason_of(errno);
      break;
    }
    turn += static_cast<std::size_t>(got);
    if (static_cast<std::size_t>(got) < kReadChunk) break;
  }
  while (!paused_ && closing_.empty() && in_.size() - in_at_ >= 4) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<std::uint8_t>(in_[in_at_ + i]);
    if (size == 0 || size > kMaxFrame) return shut("a frame of " + std::to_string(size) + " bytes");
    if (in_.size() - in_at_ - 4 < size) break;
    const std::string_view frame(in_.data() + in_at_ + 4, size);
    in_at_ += 4 + size;
    handlers_.frame(frame);
    if (!*alive) return;
    wipe(in_.data() + in_at_ - size, size);
    if (fd_ < 0) return;
  }
  if (!ended.empty() && paused_) return read_.stop();  // the rest waits for resume()
  if (!ended.empty()) return shut(ended);
  if (in_at_ == in_.size() || in_at_ > kReadChunk) drop_front(in_, in_at_);
  if (in_.empty() && in_.capacity() > kReadTurn) in_.shrink_to_fit();
}

void FrameSocket::pause() {
  paused_ = true;
  if (fd_ >= 0) read_.stop();
}

void FrameSocket::resume() {
  if (!paused_ || fd_ < 0) return;
  paused_ = false;
  read_.start();
  // Whole frames may wait in the buffer although the socket has nothing new.
  loop_.defer([this, alive = alive_] { if (*alive && fd_ >= 0 && !paused_) on_readable(); });
}

void FrameSocket::close_after_flush(const std::string& reason) {
  closing_ = reason;
  if (unsent() == 0) loop_.defer([this, alive = alive_] { if (*alive) shut(closing_); });
}

void FrameSocket::shut(const std::string& reason) {
  if (fd_ < 0) return;
  read_.stop();
  write_.stop();
  ::close(fd_);
  fd_ = -1;
  const std::string why = reason;
  if (handlers_.closed) handlers_.closed(why);
}

Result<int> FrameSocket::connect(const std::string& path) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return fail(address.what());
  const int fd = connected(*address);
  if (fd < 0) return fail("cannot reach " + path + ": " + reason_of(errno));
  return fd;
}

Result<int> FrameSocket::listen(const std::string& path) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return fail(address.what());
  if (const int live = connected(*address); live >= 0) {
    ::close(live);
    return fail(path + ": another process already serves this socket; stop it first");
  }
  ::unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail("cannot create " + path + ": " + reason_of(errno));
  const mode_t before = umask(0117);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
  const int bind_error = errno;
  umask(before);
  if (!bound || ::listen(fd, 128) != 0) {
    const int error = bound ? errno : bind_error;
    ::close(fd);
    return fail("cannot listen on " + path + ": " + reason_of(error) + "; check the folder and its owner");
  }
  return fd;
}

}  // namespace postern
