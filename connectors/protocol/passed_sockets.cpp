// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/passed_sockets.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace postern {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr std::size_t kMost = 256;

// The names of the descriptors passed to this very process, in their order; none for others' children.
std::vector<std::string> passed_names() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count_text = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count_text == nullptr || std::to_string(getpid()) != pid) return {};
  const std::string_view digits = count_text;
  std::size_t count = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc{} || count > kMost) return {};
  std::vector<std::string> names(count, "unknown");
  const char* all = std::getenv("LISTEN_FDNAMES");
  std::string_view rest = all == nullptr ? "" : all;
  for (std::size_t i = 0; i < count && !rest.empty(); ++i) {
    const std::size_t colon = rest.find(':');
    names[i] = rest.substr(0, colon);
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return names;
}

}  // namespace

Result<std::vector<PassedSocket>> passed_sockets(std::string_view prefix) {
  std::vector<PassedSocket> passed;
  const std::vector<std::string> names = passed_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].starts_with(prefix)) continue;
    const int fd = kFirst + static_cast<int>(i);
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0)
      return fail("the descriptor '" + names[i] + "' that systemd passed is no listening socket");
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
      return fail("the socket '" + names[i] + "' that systemd passed cannot be prepared");
    passed.push_back({names[i].substr(prefix.size()), fd});
  }
  return passed;
}

}  // namespace postern
