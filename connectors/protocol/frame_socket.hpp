// SPDX-License-Identifier: Apache-2.0
// Purpose: length-framed messages over one Unix stream socket; the bottom of the connector protocol
// and of the control protocol, on both sides. Threads: one loop. Ownership: owns the descriptor.
// Frames are wiped from its buffers as soon as they are sent or handled.
// Limits: a frame is 1..kMaxFrame bytes; at most `write_limit` bytes wait to be written, after which
// the peer is too slow and the socket closes.
// Errors: any broken frame closes the socket; closed() is told once, with a reason, and never from
// inside send().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "connectors/protocol/loop.hpp"
#include "crypto/result.hpp"

namespace google::protobuf {
class MessageLite;
}

namespace postern {

inline constexpr std::size_t kMaxFrame = 4 * 1024 * 1024;

class FrameSocket {
 public:
  struct Handlers {
    std::function<void(std::string_view frame)> frame;   // the view ends with the call
    std::function<void(const std::string& reason)> closed;
  };
  FrameSocket(Loop& loop, int fd, Handlers handlers, std::size_t write_limit = 64 * 1024 * 1024);
  ~FrameSocket();
  FrameSocket(const FrameSocket&) = delete;
  FrameSocket& operator=(const FrameSocket&) = delete;

  // Queues one frame and writes what the socket takes now. False when the message is larger than
  // kMaxFrame or the socket is closed.
  bool send(const google::protobuf::MessageLite& message);

  // While paused no frame is read: back-pressure reaches the peer through the socket.
  void pause();
  void resume();
  void close_after_flush(const std::string& reason);
  bool open() const { return fd_ >= 0; }
  std::size_t unsent() const { return out_.size() - out_at_; }

  static Result<int> connect(const std::string& path);
  // Listens with mode 0660; replaces a stale socket file, refuses a live one.
  static Result<int> listen(const std::string& path);

 private:
  void on_readable();
  void on_writable();
  void flush();
  void shut(const std::string& reason);

  Loop& loop_;
  int fd_;
  Handlers handlers_;
  std::size_t write_limit_;
  std::string in_, out_;
  std::size_t in_at_ = 0, out_at_ = 0;
  bool paused_ = false;
  std::string closing_, ended_;
  std::shared_ptr<bool> alive_;
  Watch read_, write_;
};

}  // namespace postern
