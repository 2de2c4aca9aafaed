// SPDX-License-Identifier: Apache-2.0
// The connector protocol's bytes as a peer sends them: the input goes through a socket into FrameSocket in
// pieces, and every frame it gives is read as both sides read frames.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <google/protobuf/stubs/logging.h>

#include "connectors/protocol/frame_socket.hpp"
#include "connectors/protocol/wire.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern;
  // A peer's odd text is reported by the library on stderr each time; here that is most of the input.
  static const auto quiet = google::protobuf::SetLogHandler(nullptr);
  (void)quiet;
  static Loop loop;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  std::size_t bytes = 0;
  int closed = 0;
  FrameSocket socket(loop, ends[0],
                     {[&](std::string_view frame) {
                        if (frame.empty() || frame.size() > kMaxFrame) std::abort();
                        bytes += frame.size() + 4;
                        wire::ToVault to_vault;
                        wire::ToConnector to_connector;
                        (void)to_vault.ParseFromArray(frame.data(), static_cast<int>(frame.size()));
                        (void)to_connector.ParseFromArray(frame.data(), static_cast<int>(frame.size()));
                      },
                      [&](const std::string&) { ++closed; }});
  const std::size_t step = size == 0 ? 1 : data[0] % 64U + 1;
  for (std::size_t at = 0; at < size && socket.open(); at += step) {
    if (send(ends[1], data + at, std::min(step, size - at), MSG_NOSIGNAL) < 0) break;
    loop.poll();
  }
  close(ends[1]);
  loop.poll();
  loop.poll();
  if (bytes > size || closed > 1) std::abort();
  return 0;
}
