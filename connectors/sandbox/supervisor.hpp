// SPDX-License-Identifier: Apache-2.0
// Purpose: runs the sandbox bank's processes: starts them in order, starts again what dies, stops them in
// reverse order, and tells in run/status.json how they are. Used by: `postern-sandbox up`, as one process
// of its own. Threads: one, without an event loop: it only waits for signals and for the clock.
// Ownership: its children end with it. Errors: run() says what did not start, with the end of its log.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "connectors/sandbox/bank.hpp"
#include "connectors/sandbox/process.hpp"

namespace postern::sandbox {

// The process that runs the bank, by the lock that it holds; nothing when the bank is down.
std::optional<pid_t> running_supervisor(const Bank& bank);

// Processes that a supervisor which ended badly has left behind, in the order of their stopping.
struct Leftover {
  std::string name;
  Identity process;
};
std::vector<Leftover> leftovers(const Bank& bank);
// Ends them, first gently; true when there were any. Each is identified without doubt before anything is sent to it.
bool end_leftovers(const Bank& bank, const std::function<void(const std::string&)>& tell);

struct Unit {
  std::string name;
  int stage = 0;  // started in this order, stopped in the reverse one
  Command command;
  int stop_signal = 0;
  std::function<Result<bool>(pid_t pid)> ready;  // whether it serves yet; an error ends the start

  Identity process;  // started 0: not running
  unsigned deaths = 0;
  std::int64_t since_ms = 0, again_at_ms = 0, pause_ms = 0;
};

class Supervisor {
 public:
  using Tell = std::function<void(const std::string&)>;
  Supervisor(const Bank& bank, Phones phones) : bank_(bank), phones_(phones) {}

  // Takes the lock, makes what is missing of the bank, starts everything. From a success on the bank is
  // ready; call serve() then. `tell` gets a line for each step.
  Status start(const Tell& tell);
  // Keeps everything running until SIGTERM or SIGINT, then stops it.
  void serve(const Tell& tell);

 private:
  Status take_lock();
  Status list_units();
  Status begin(Unit& unit);
  Status start_stage(int stage, const Tell& tell);
  Status open_vault(const Tell& tell);
  Status wait_until(Unit& unit);
  Result<bool> connector_ready(const std::string& name);
  Finished postern(std::vector<std::string> words) const;

  void wait(std::int64_t most_ms);  // for a signal; reaps and restarts
  void reap();
  void restart_due();
  void stop_all(const Tell& tell);
  void write_status(const char* state);

  const Bank& bank_;
  Phones phones_;
  std::string postern_;  // path of the administrator's tool
  std::vector<Unit> units_;
  int lock_ = -1;
  bool stopping_ = false;
  const char* state_ = "starting";
};

}  // namespace postern::sandbox
