// SPDX-License-Identifier: Apache-2.0
// Purpose: the vault's side of the connector protocol: listens on the bus socket, admits a process only
// under the Unix user that its name is configured for, reads frames and sends what turns have said.
// Used by: posternd. Threads: one. Ownership: owns the sockets; borrows the vault while it is unlocked.
// Errors: any fault of a peer closes that peer alone; its reason is logged and audited.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "connectors/protocol/frame_socket.hpp"
#include "connectors/protocol/log.hpp"
#include "connectors/protocol/unix_listener.hpp"
#include "gateway/vault/vault.hpp"

namespace postern {

class Bus {
 public:
  // `said` is called when a peer has said something that a turn must look at.
  Bus(Loop& loop, std::function<void()> said);
  ~Bus();

  // Serves the sockets that systemd passed as "bus.USER", else one that it makes at this path.
  Status open(const std::string& socket_path);

  // Null while locked: peers are then told so and closed.
  void serve(vault::Vault* vault);

  // Sends what the last turn said. Call after a committed turn.
  void flush();

  // The turn could not be committed: peers come back and say again what was not committed.
  void drop_all(const std::string& reason);

 private:
  struct Link {
    std::unique_ptr<FrameSocket> socket;
    std::string user;              // Unix user behind it
    vault::PeerId peer = 0;        // 0: has not said hello
    std::uint64_t last_frame = 0;
    std::unique_ptr<Timer> patience;  // until the hello
  };

  void on_accept(int fd, const std::string& user);
  void on_frame(std::uint64_t link, std::string_view bytes);
  void on_closed(std::uint64_t link, const std::string& reason);
  void admit(std::uint64_t link, wire::ToVault&& frame);
  void refuse(std::uint64_t link, wire::Refusal::Reason reason, const std::string& detail);
  void close(std::uint64_t link, const std::string& reason);

  Loop& loop_;
  std::function<void()> said_;
  UnixListener listener_;
  vault::Vault* vault_ = nullptr;
  std::uint64_t last_link_ = 0;
  std::map<std::uint64_t, Link> links_;
  log::LogLimit refusals_;
  std::shared_ptr<bool> alive_;
};

}  // namespace postern
