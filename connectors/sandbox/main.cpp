// SPDX-License-Identifier: Apache-2.0
// postern-sandbox: a small bank and a simulated outside world in one folder, to try, show and test the
// gateway. Never part of a production package.
//
//   postern-sandbox up DIR [--no-phones] [--foreground] | down DIR | status DIR [--json] | phones DIR | help
// Exit codes: 0 done; 1 it could not be done; 2 wrong command line; 3 the bank is not up.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/loop.hpp"
#include "connectors/sandbox/behaviour.hpp"
#include "connectors/sandbox/database.hpp"
#include "connectors/sandbox/files.hpp"
#include "connectors/sandbox/handsets.hpp"
#include "connectors/sandbox/supervisor.hpp"
#include "connectors/sandbox/world.hpp"
#include "connectors/sources/json/document.hpp"

namespace {

using namespace postern;
using namespace postern::sandbox;

constexpr int kDone = 0, kFailed = 1, kUsage = 2, kNo = 3;
constexpr std::int64_t kUpMs = 180'000, kDownMs = 120'000;
constexpr std::size_t kMaxStatus = 256 * 1024;

constexpr std::string_view kUsageText = R"(usage: postern-sandbox up DIR [--no-phones] [--foreground]
       postern-sandbox down DIR
       postern-sandbox status DIR [--json]
       postern-sandbox phones DIR
       postern-sandbox help
)";

struct Line {
  std::string verb, folder;
  bool foreground = false, no_phones = false, json = false;
};

std::optional<Line> parse(int argc, char** argv) {
  Line line;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--foreground")
      line.foreground = true;
    else if (word == "--no-phones")
      line.no_phones = true;
    else if (word == "--json")
      line.json = true;
    else if (word.starts_with("-"))
      return std::nullopt;
    else if (line.verb.empty())
      line.verb = word;
    else if (line.folder.empty())
      line.folder = word;
    else
      return std::nullopt;
  }
  if (line.verb.empty() || (line.folder.empty() && line.verb != "help")) return std::nullopt;
  return line;
}

int failed(const std::string& what) {
  std::fprintf(stderr, "postern-sandbox: %s\n", what.c_str());
  return kFailed;
}

void say(const std::string& what) {
  std::printf("%s\n", what.c_str());
  std::fflush(stdout);
}

void print_ports(const Bank& bank) {
  const Result<Ports> p = bank.ports();
  if (!p) return;
  say(fmt::format("https 127.0.0.1:{}, webhooks :{}, SMS centres :{} :{}, providers :{}, mail :{}, PostgreSQL :{}",
                  p->https, p->hook, p->network_a, p->network_b, p->providers, p->smtp, p->postgres));
  say(fmt::format("control socket {}", bank.path("run/control.sock")));
}

std::string state_of(const Bank& bank) {
  json::Document document;
  const Result<std::string> text = read_file(bank.path("run/status.json"));
  if (!text || document.parse(*text, kMaxStatus)) return {};
  return std::string(document.root().find("state").text());
}

// The bank runs already: wait until it is whole.
int join(const Bank& bank) {
  for (const std::int64_t end = steady_ms() + kUpMs; steady_ms() < end; usleep(50'000)) {
    if (!running_supervisor(bank))
      return failed("the bank went down while it was waited for; look into " + bank.path("log/supervisor.log"));
    if (state_of(bank) == "ready") {
      say("the bank is up");
      print_ports(bank);
      return kDone;
    }
  }
  return failed("the bank does not get ready; look at `postern-sandbox status " + bank.folder() + "`");
}

int supervise(const Bank& bank, Phones phones, const Supervisor::Tell& step,
              const std::function<void(const Status&)>& outcome) {
  log::open("sandbox");
  Supervisor supervisor(bank, phones);
  const Status started = supervisor.start(step);
  outcome(started);
  if (!started) {
    log::error("sandbox.start", "{}", started.what());
    return kFailed;
  }
  supervisor.serve([](const std::string& what) { log::info("sandbox.stop", "{}", what); });
  return kDone;
}

// The daemon's side: what it says goes through the pipe to the process that a person waits for. A line
// begins with ' ' for a step, '+' when everything is up, '-' for why not.
[[noreturn]] void become_daemon(const Bank& bank, Phones phones, int to_parent) {
  setsid();
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int log = open(bank.path("log/supervisor.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(null, STDIN_FILENO);
  dup2(log >= 0 ? log : null, STDOUT_FILENO);
  dup2(log >= 0 ? log : null, STDERR_FILENO);
  const auto tell = [to_parent](char kind, const std::string& what) {
    const std::string line = kind + what + "\n";
    static_cast<void>(!write(to_parent, line.data(), line.size()));
  };
  std::signal(SIGPIPE, SIG_IGN);
  const int code = supervise(
      bank, phones, [&](const std::string& what) { tell(' ', what); },
      [&](const Status& started) {
        tell(started ? '+' : '-', started ? "the bank is up" : started.what());
        close(to_parent);
      });
  std::fflush(nullptr);
  _exit(code);
}

int up_in_background(const Bank& bank, Phones phones) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return failed(std::string("pipe: ") + std::strerror(errno));
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return failed(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) {
    close(ends[0]);
    become_daemon(bank, phones, ends[1]);
  }
  close(ends[1]);
  std::FILE* from = fdopen(ends[0], "r");
  char line[4096];
  bool up = false, refused = false;
  while (std::fgets(line, sizeof line, from) != nullptr) {
    line[std::strcspn(line, "\n")] = '\0';
    if (line[0] == '+') up = true;
    if (line[0] == '-') refused = true;
    if (refused)
      std::fprintf(stderr, "%s%s\n", line[0] == '-' ? "postern-sandbox: " : "", line[0] == '-' ? line + 1 : line);
    else
      say(line + 1);
  }
  std::fclose(from);
  if (up)
    print_ports(bank);
  else if (!refused)
    return failed("the supervisor ended without a word; look into " + bank.path("log/supervisor.log"));
  return up ? kDone : kFailed;
}

int up(const Bank& bank, const Line& line) {
  if (const Status taken = bank.claim(); !taken) return failed(taken.what());
  if (running_supervisor(bank)) return join(bank);
  const Phones phones = line.no_phones ? Phones::ignored : Phones::recorded;
  if (!line.foreground) return up_in_background(bank, phones);
  int code = kDone;
  const int ran = supervise(bank, phones, say, [&](const Status& started) {
    if (!started)
      code = failed(started.what());
    else
      say("the bank is up");
    if (started) print_ports(bank);
  });
  return code != kDone ? code : ran;
}

int down(const Bank& bank) {
  if (!bank.exists()) return failed(bank.folder() + " is no sandbox");
  const std::optional<pid_t> supervisor = running_supervisor(bank);
  if (!supervisor) {
    const bool any = end_leftovers(bank, say);
    say(any ? "the bank is down" : "the bank was down already");
    return kDone;
  }
  const Identity process = identity_of(*supervisor);
  kill(*supervisor, SIGTERM);
  for (const std::int64_t end = steady_ms() + kDownMs; is_running(process);) {
    if (steady_ms() >= end) return failed("the bank does not stop; look into " + bank.path("log/supervisor.log"));
    usleep(20'000);
  }
  say("the bank is down");
  return kDone;
}

int status(const Bank& bank, bool as_json) {
  if (!bank.exists()) return failed(bank.folder() + " is no sandbox");
  const bool runs = running_supervisor(bank).has_value();
  const Result<std::string> text = read_file(bank.path("run/status.json"));
  if (as_json) {
    std::printf("%s", runs && text ? text->c_str() : "{\"state\":\"stopped\",\"processes\":[]}\n");
    return runs && state_of(bank) == "ready" ? kDone : kNo;
  }
  say(runs ? state_of(bank) : "down");
  json::Document document;
  if (!runs || !text || document.parse(*text, kMaxStatus)) return kNo;
  for (json::Value each = document.root().find("processes").first(); each; each = each.next())
    say(fmt::format("  {:<12} {:<8} process {:<8} ended unasked {} times", each.find("name").text(),
                    each.find("state").text(), each.find("pid").text(), each.find("deaths").text()));
  print_ports(bank);
  return state_of(bank) == "ready" ? kDone : kNo;
}

int phones(const Bank& bank) {
  const Result<std::string> shown = Handsets::show(bank.path("phones.jsonl"));
  if (!shown) return failed(shown.what());
  std::fputs(shown->c_str(), stdout);
  return kDone;
}

int database(const Bank& bank) {
  const Status ran = run_database(bank);
  return ran ? kDone : failed(ran.what());
}

int world(const Bank& bank, const Line& line) {
  const Status ran = run_world(bank, line.no_phones ? Phones::ignored : Phones::recorded);
  return ran ? kDone : failed(ran.what());
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Line> line = parse(argc, argv);
  if (!line) {
    std::fwrite(kUsageText.data(), 1, kUsageText.size(), stderr);
    return kUsage;
  }
  if (line->verb == "help") {
    say(std::string(kUsageText) + "\n" + std::string(behaviour_table()));
    return kDone;
  }
  const Result<Bank> bank = Bank::at(line->folder);
  if (!bank) return failed(bank.what());
  if (line->verb == "up") return up(*bank, *line);
  if (line->verb == "down") return down(*bank);
  if (line->verb == "status") return status(*bank, line->json);
  if (line->verb == "phones") return phones(*bank);
  // Started by the supervisor.
  if (line->verb == "world") return world(*bank, *line);
  if (line->verb == "database") return database(*bank);
  std::fwrite(kUsageText.data(), 1, kUsageText.size(), stderr);
  return kUsage;
}
