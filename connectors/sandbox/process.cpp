// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/files.hpp"

namespace postern::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxOut = 1024 * 1024, kMaxError = 16 * 1024;

std::vector<char*> c_words(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// In the child, before exec: signals as a fresh process has them.
void fresh_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) std::signal(number, SIG_DFL);
}

[[noreturn]] void become(const std::vector<char*>& words) {
  unsetenv("CREDENTIALS_DIRECTORY");
  unsetenv("NOTIFY_SOCKET");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_PID");
  execv(words.front(), words.data());
  const std::string why = std::string(words.front()) + ": " + std::strerror(errno) + "\n";
  static_cast<void>(!write(STDERR_FILENO, why.data(), why.size()));
  _exit(127);
}

struct Pipe {
  int ends[2] = {-1, -1};
  bool open() { return pipe2(ends, O_CLOEXEC) == 0; }
  void close_end(int which) {
    if (ends[which] >= 0) close(ends[which]);
    ends[which] = -1;
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
};

// True while more may come.
bool take(int fd, std::string& to, std::size_t most) {
  char buffer[4096];
  const ssize_t got = read(fd, buffer, sizeof buffer);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  to.append(buffer, std::min(static_cast<std::size_t>(got), most - std::min(most, to.size())));
  return got > 0;
}

std::string own_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace

Identity identity_of(pid_t pid) {
  if (pid <= 0) return {};
  const Result<std::string> stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return {};
  // proc(5): the name in parentheses may hold anything, so fields are counted after its end; the third
  // is the state, the 22nd the start.
  const std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(stat->substr(name_end + 1));
  std::string state, skipped;
  fields >> state;
  if (state == "Z" || state == "X") return {};
  for (int field = 4; field < 22; ++field) fields >> skipped;
  Identity process{pid, 0};
  fields >> process.started;
  return fields ? process : Identity{};
}

bool is_running(const Identity& process) { return process.started != 0 && identity_of(process.pid) == process; }

std::string boot_id() {
  std::string id = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  while (id.ends_with('\n')) id.pop_back();
  return id;
}

Result<Identity> start(const Command& command) {
  const std::vector<char*> words = c_words(command.words);
  int log = -1;
  if (!command.log.empty()) {
    log = open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return fail(command.log + ": " + std::strerror(errno));
  }
  const pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    fresh_signals();
    setpgid(0, 0);
    if (command.end_with_parent != 0) {
      prctl(PR_SET_PDEATHSIG, command.end_with_parent);
      if (getppid() != parent) _exit(127);  // it ended before the call above
    }
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    if (log >= 0) {
      dup2(log, STDOUT_FILENO);
      dup2(log, STDERR_FILENO);
    }
    become(words);
  }
  const int error = errno;
  if (log >= 0) close(log);
  if (pid < 0) return fail(command.words.front() + ": " + std::strerror(error));
  setpgid(pid, pid);
  return identity_of(pid);
}

Finished run(const std::vector<std::string>& command, std::chrono::milliseconds limit) {
  Finished finished;
  Pipe out, error;
  const std::vector<char*> words = c_words(command);
  if (!out.open() || !error.open()) return {127, {}, std::strerror(errno)};
  const pid_t pid = fork();
  if (pid < 0) return {127, {}, std::strerror(errno)};
  if (pid == 0) {
    fresh_signals();
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(out.ends[1], STDOUT_FILENO);
    dup2(error.ends[1], STDERR_FILENO);
    become(words);
  }
  out.close_end(1);
  error.close_end(1);
  const std::int64_t end = steady_ms() + limit.count();
  bool late = false;
  while (out.ends[0] >= 0 || error.ends[0] >= 0) {
    const std::int64_t left = end - steady_ms();
    if (left <= 0 && !late) {
      late = true;
      kill(pid, SIGKILL);
    }
    pollfd watched[2] = {{out.ends[0], POLLIN, 0}, {error.ends[0], POLLIN, 0}};
    if (poll(watched, 2, late ? 1000 : static_cast<int>(left)) <= 0 && late) break;
    if (watched[0].revents != 0 && !take(out.ends[0], finished.out, kMaxOut)) out.close_end(0);
    if (watched[1].revents != 0 && !take(error.ends[0], finished.error, kMaxError)) error.close_end(0);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  finished.status = late ? 124 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return finished;
}

Result<std::string> find_program(const std::string& folder, const std::string& name) {
  const std::string own = own_folder();
  std::vector<std::string> places;
  if (own.ends_with("/connectors/sandbox"))
    places.push_back(own.substr(0, own.size() - std::string_view("/connectors/sandbox").size()) + "/" + folder);
  places.push_back(own);
  places.insert(places.end(), {"/usr/libexec/postern", "/usr/lib/postern"});
  std::istringstream path(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
  for (std::string part; std::getline(path, part, ':');)
    if (!part.empty()) places.push_back(part);
  for (const std::string& place : places)
    if (const std::string candidate = place + "/" + name; access(candidate.c_str(), X_OK) == 0) return candidate;
  return fail("the program " + name + " is neither beside " + own + " nor in PATH; build it first");
}

}  // namespace postern::sandbox
