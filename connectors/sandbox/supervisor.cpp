// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/supervisor.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/database.hpp"
#include "connectors/sandbox/files.hpp"
#include "connectors/sources/json/document.hpp"
#include "connectors/sources/json/writer.hpp"

namespace postern::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr const char *kLock = "run/supervisor.lock", *kStatus = "run/status.json";
constexpr std::int64_t kStartMs = 90'000, kStopMs = 15'000, kLookMs = 40;
constexpr std::int64_t kFirstPauseMs = 200, kLongestPauseMs = 5'000, kSteadyMs = 300;
constexpr unsigned kDeathsAtStart = 3;
constexpr int kLogLines = 15;
constexpr std::size_t kMaxStatus = 256 * 1024;

// POSIX record locks tell who holds them, end with the process and are not inherited by its children.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

sigset_t awaited() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  return set;
}

std::string how_it_ended(int status) {
  return WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                           : fmt::format("signal {}", WTERMSIG(status));
}

bool gone_within(const Identity& process, std::int64_t limit_ms) {
  for (const std::int64_t end = steady_ms() + limit_ms; is_running(process);) {
    if (steady_ms() >= end) return false;
    usleep(10'000);
  }
  return true;
}

}  // namespace

std::optional<pid_t> running_supervisor(const Bank& bank) {
  const int fd = open(bank.path(kLock).c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct flock lock = whole_file();
  const bool asked = fcntl(fd, F_GETLK, &lock) == 0;
  close(fd);
  if (!asked || lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

std::vector<Leftover> leftovers(const Bank& bank) {
  std::vector<Leftover> left;
  const Result<std::string> text = read_file(bank.path(kStatus));
  json::Document document;
  if (!text || document.parse(*text, kMaxStatus) || document.root().find("boot").text() != boot_id()) return left;
  for (json::Value each = document.root().find("processes").first(); each; each = each.next()) {
    const Identity process{static_cast<pid_t>(each.find("pid").integer().value_or(0)),
                           static_cast<std::uint64_t>(each.find("started").integer().value_or(0))};
    if (is_running(process)) left.insert(left.begin(), {std::string(each.find("name").text()), process});
  }
  return left;
}

bool end_leftovers(const Bank& bank, const std::function<void(const std::string&)>& tell) {
  bool any = false;
  for (const Leftover& each : leftovers(bank)) {
    tell(fmt::format("{} was left behind by a supervisor that ended badly; ending it", each.name));
    any = true;
    kill(each.process.pid, SIGTERM);
    if (!gone_within(each.process, kStopMs) && is_running(each.process)) kill(each.process.pid, SIGKILL);
    static_cast<void>(gone_within(each.process, kStopMs));
  }
  if (!end_left_database(bank)) return any;
  tell("PostgreSQL was left behind; it has been stopped");
  return true;
}

Status Supervisor::take_lock() {
  lock_ = open(bank_.path(kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return fail(bank_.path(kLock) + ": " + std::strerror(errno));
  struct flock lock = whole_file();
  if (fcntl(lock_, F_SETLK, &lock) != 0) return fail("another supervisor runs this bank already");
  return {};
}

Status Supervisor::start(const Tell& tell) {
  const sigset_t set = awaited();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  if (const Status locked = take_lock(); !locked) return locked;
  static_cast<void>(end_leftovers(bank_, tell));
  if (const Status made = bank_.prepare(); !made) return made;
  tell("configuration, certificates and credentials are in place");
  const auto give_up = [&](const Status& why) {
    state_ = "failed";
    stop_all([](const std::string&) {});
    return why;
  };
  if (const Status listed = list_units(); !listed) return give_up(listed);
  for (int stage = 0; stage <= units_.back().stage; ++stage)
    if (const Status started = start_stage(stage, tell); !started) return give_up(started);
  write_status("ready");
  return {};
}

Status Supervisor::start_stage(int stage, const Tell& tell) {
  std::string names;
  for (Unit& unit : units_) {
    if (unit.stage != stage) continue;
    if (const Status begun = begin(unit); !begun) return begun;
    names += (names.empty() ? "" : ", ") + unit.name;
  }
  write_status("starting");
  for (Unit& unit : units_)
    if (unit.stage == stage)
      if (const Status ready = wait_until(unit); !ready) return ready;
  tell(names + (names.find(',') == std::string::npos ? " runs" : " run"));
  const auto vault = std::ranges::find(units_, "posternd", &Unit::name);
  return vault->stage == stage ? open_vault(tell) : Status();
}

Status Supervisor::begin(Unit& unit) {
  const Result<Identity> process = sandbox::start(unit.command);
  if (!process) return fail(unit.name + ": " + process.what());
  unit.process = *process;
  unit.since_ms = wall_ms();
  unit.again_at_ms = 0;
  return {};
}

Status Supervisor::wait_until(Unit& unit) {
  const auto with_log = [&](const std::string& what) {
    return fail(unit.name + " did not start: " + what + "\nthe end of " + unit.command.log + ":\n" +
                last_lines(unit.command.log, kLogLines));
  };
  for (const std::int64_t end = steady_ms() + kStartMs;;) {
    if (stopping_) return fail("stopped while starting");
    if (unit.deaths >= kDeathsAtStart) return with_log("it ends as soon as it starts");
    if (unit.process.started != 0) {
      const Result<bool> ready = unit.ready(unit.process.pid);
      if (!ready) return with_log(ready.what());
      if (*ready) return {};
    }
    if (steady_ms() >= end) return with_log("it did not get ready in time");
    wait(kLookMs);
  }
}

Finished Supervisor::postern(std::vector<std::string> words) const {
  words.insert(words.begin(), {postern_, "--socket", bank_.path("run/control.sock")});
  return run(words, 60s);
}

Status Supervisor::open_vault(const Tell& tell) {
  const std::string key = bank_.path("secrets/unlock.key");
  json::Document status;
  const auto ask = [&] { return !status.parse(postern({"status", "--json"}).out, kMaxStatus); };
  const auto done = [&](const char* what, const Finished& finished) {
    return finished.status == 0 ? Status() : fail(fmt::format("postern {}: {}", what, finished.error));
  };
  if (!ask()) return fail("posternd does not tell its state");
  if (status.root().find("state").text() == "uninitialised") {
    if (const Status made = done("init", postern({"init", "--key-file", key})); !made) return made;
    tell("the vault is initialised; its key file is " + key);
  } else if (status.root().find("state").text() == "locked") {
    if (const Status open = done("unlock", postern({"unlock", "--key-file", key})); !open) return open;
    tell("the vault is unlocked");
  }
  if (!ask()) return fail("posternd does not tell its state");
  if (status.root().find("number_ranges").integer().value_or(0) > 0) return {};
  if (const Status taken = done("numbers import", postern({"numbers", "import", bank_.path("numbers.csv")})); !taken)
    return taken;
  tell("the portability table is imported");
  return {};
}

Result<bool> Supervisor::connector_ready(const std::string& name) {
  const Finished told = postern({"connectors", "--json"});
  json::Document document;
  if (document.parse(told.out, kMaxStatus)) return false;
  for (json::Value each = document.root().find("connectors").first(); each; each = each.next())
    if (each.find("name").text() == name) return each.find("state").text() == "up";
  return fail("the vault's configuration names no connector '" + name + "'");
}

void Supervisor::serve(const Tell& tell) {
  while (!stopping_) {
    std::int64_t pause = 60'000;
    for (const Unit& unit : units_)
      if (unit.again_at_ms != 0) pause = std::min(pause, std::max<std::int64_t>(1, unit.again_at_ms - steady_ms()));
    wait(pause);
  }
  stop_all(tell);
}

void Supervisor::wait(std::int64_t most_ms) {
  const sigset_t set = awaited();
  const timespec limit{most_ms / 1000, most_ms % 1000 * 1'000'000};
  const int caught = sigtimedwait(&set, nullptr, &limit);
  if (caught == SIGTERM || caught == SIGINT) stopping_ = true;
  reap();
  if (!stopping_) restart_due();
}

void Supervisor::reap() {
  int status = 0;
  bool changed = false;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto unit =
        std::ranges::find_if(units_, [pid](const Unit& u) { return u.process.started != 0 && u.process.pid == pid; });
    if (unit == units_.end()) continue;
    changed = true;
    const std::int64_t lived = wall_ms() - unit->since_ms;
    unit->process = {};
    unit->since_ms = wall_ms();
    if (stopping_) continue;
    ++unit->deaths;
    unit->pause_ms =
        lived > kSteadyMs || unit->pause_ms == 0 ? kFirstPauseMs : std::min(unit->pause_ms * 2, kLongestPauseMs);
    unit->again_at_ms = steady_ms() + unit->pause_ms;
    log::warning("sandbox.died", "{} ended ({}); starting it again in {} ms", unit->name, how_it_ended(status),
                 unit->pause_ms);
  }
  if (changed) write_status(state_);
}

void Supervisor::restart_due() {
  for (Unit& unit : units_) {
    if (unit.again_at_ms == 0 || unit.again_at_ms > steady_ms()) continue;
    if (const Status begun = begin(unit); !begun) {
      unit.again_at_ms = steady_ms() + kLongestPauseMs;
      log::error("sandbox.restart", "{}", begun.what());
      continue;
    }
    log::info("sandbox.restarted", "{} runs again as process {}", unit.name, unit.process.pid);
    write_status(state_);
  }
}

void Supervisor::stop_all(const Tell& tell) {
  stopping_ = true;
  const bool failed = std::string_view(state_) == "failed";
  if (!failed) write_status("stopping");
  for (int stage = units_.empty() ? -1 : units_.back().stage; stage >= 0; --stage) {
    const auto running = [&] {
      return std::ranges::any_of(units_, [&](const Unit& u) { return u.stage == stage && u.process.started != 0; });
    };
    std::string names;
    for (const Unit& unit : units_) {
      if (unit.stage != stage || unit.process.started == 0) continue;
      kill(unit.process.pid, unit.stop_signal);
      names += (names.empty() ? "" : ", ") + unit.name;
    }
    for (const std::int64_t end = steady_ms() + kStopMs; running() && steady_ms() < end;) wait(kLookMs);
    for (const Unit& unit : units_) {
      if (unit.stage != stage || unit.process.started == 0) continue;
      log::error("sandbox.killed", "{} did not end within {} s", unit.name, kStopMs / 1000);
      kill(unit.process.pid, SIGKILL);
    }
    for (const std::int64_t end = steady_ms() + kStopMs; running() && steady_ms() < end;) wait(kLookMs);
    if (!names.empty()) tell(names + " stopped");
  }
  write_status(failed ? "failed" : "stopped");
}

void Supervisor::write_status(const char* state) {
  state_ = state;
  std::string text;
  json::Writer w(text);
  w.object().key("state").text(state).key("supervisor").number(std::int64_t{getpid()}).key("boot").text(boot_id());
  w.key("processes").array();
  for (const Unit& unit : units_) {
    const bool runs = unit.process.started != 0;
    w.object().key("name").text(unit.name).key("state").text(runs                    ? "running"
                                                             : unit.again_at_ms != 0 ? "waiting"
                                                                                     : "stopped");
    w.key("pid").number(std::int64_t{unit.process.pid}).key("started").number(unit.process.started);
    w.key("since_ms").number(unit.since_ms).key("deaths").number(std::uint32_t{unit.deaths}).end_object();
  }
  w.end_array().end_object();
  if (const Status written = write_file(bank_.path(kStatus), text + "\n", 0644); !written)
    log::error("sandbox.status", "{}", written.what());
}

}  // namespace postern::sandbox
