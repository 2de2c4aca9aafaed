// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/listener.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "connectors/protocol/passed_sockets.hpp"
#include "connectors/sources/http/characters.hpp"

namespace postern::http {
namespace {

constexpr int kBacklog = 1024;

struct AddressFree {
  void operator()(addrinfo* a) const { freeaddrinfo(a); }
};

std::string system_error(const std::string& listen, const char* what) {
  return "listen = \"" + listen + "\": " + what + ": " + std::strerror(errno);
}

Status prepare(int fd, const std::string& listen) {
  const int on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return fail(system_error(listen, "TCP_NODELAY"));
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return fail(system_error(listen, "fcntl"));
  return {};
}

Result<int> passed_by_systemd() {
  const Result<std::vector<PassedSocket>> passed = passed_sockets({});
  if (!passed) return fail("listen = \"systemd\": " + passed.what());
  if (passed->size() > 1)
    return fail("listen = \"systemd\": systemd passed " + std::to_string(passed->size()) +
                " sockets; the .socket unit must have one");
  if (passed->empty())
    return fail(
        "listen = \"systemd\": systemd passed no socket; start this program from its unit with a .socket unit, or "
        "write an address and port");
  const int fd = passed->front().fd;
  if (Status ready = prepare(fd, "systemd"); !ready) return fail(ready.what());
  return fd;
}

}  // namespace

Result<ListenAddress> parse_listen(const std::string& listen) {
  const auto wrong = [&listen] {
    return fail("listen = \"" + listen + "\": write an address and a port, as in \"127.0.0.1:8443\" or \"[::]:8443\"");
  };
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0) return wrong();
  ListenAddress address{listen.substr(0, colon), listen.substr(colon + 1)};
  if (address.port.empty() || address.port.size() > 5 ||
      !std::all_of(address.port.begin(), address.port.end(), is_digit) || std::stoul(address.port) > 65535)
    return wrong();
  const bool bracketed = address.host.front() == '[' && address.host.back() == ']';
  if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty() || (!bracketed && address.host.find(':') != std::string::npos)) return wrong();
  return address;
}

Result<int> open_listener(const std::string& listen) {
  if (listen == "systemd") return passed_by_systemd();
  const Result<ListenAddress> address = parse_listen(listen);
  if (!address) return fail(address.what());
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  // A name would be looked up, and where to listen must not depend on what a name server says.
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int code = getaddrinfo(address->host.c_str(), address->port.c_str(), &hints, &found); code != 0)
    return fail("listen = \"" + listen + "\": " + gai_strerror(code) + "; write a numeric address");
  const std::unique_ptr<addrinfo, AddressFree> owner(found);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(system_error(listen, "socket"));
  const auto give_up = [fd](std::string why) {
    close(fd);
    return fail(std::move(why));
  };
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, found->ai_addr, found->ai_addrlen) != 0) return give_up(system_error(listen, "bind"));
  if (Status ready = prepare(fd, listen); !ready) return give_up(ready.what());
  if (::listen(fd, kBacklog) != 0) return give_up(system_error(listen, "listen"));
  return fd;
}

Result<std::uint16_t> bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail("the listening socket has no address");
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(reinterpret_cast<sockaddr*>(&address), size, nullptr, 0, port.data(), port.size(), NI_NUMERICSERV) !=
      0)
    return fail("the listening socket has no port");
  return static_cast<std::uint16_t>(std::strtoul(port.data(), nullptr, 10));
}

}  // namespace postern::http
