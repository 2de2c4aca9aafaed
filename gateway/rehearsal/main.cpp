// SPDX-License-Identifier: Apache-2.0
// postern-rehearse: plays days of a bank's traffic against the gateway under the bank's own configuration, and says what became of each kind
// of message and whether the gateway kept its promises. `postern rehearse` runs it. Talks to: nobody. Reads: the configuration. Writes: its
// report. Holds no key of the bank: it makes keys in memory and throws them away.
//
//   postern-rehearse --config FILE [--days N] [--messages N] [--customers N] [--seed N] [--begin YYYY-MM-DD]
//                    [--faults none|usual|heavy] [--jobs N] [--json] | --version
// The report is the same for the same seed, configuration and version, to the byte, whatever --jobs says. How long it took goes to standard
// error. Exit codes: 0 every promise was kept; 1 one was broken, or it could not be played; 2 wrong command line; 3 the configuration is
// faulty.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <thread>

#include "connectors/protocol/log.hpp"
#include "gateway/rehearsal/report.hpp"

namespace {

using namespace postern;
using namespace postern::rehearsal;

constexpr std::uint64_t kMessagesOfAWorld = 125'000;   // worlds are few: each has the gateway's whole life around it
constexpr unsigned kMaxWorlds = 64;

struct Options {
  std::string config;
  Plan plan;
  std::uint64_t customers = 0;   // 0: one for every twenty messages
  std::string faults = "usual";
  unsigned jobs = 0;             // 0: as many as there are processors
  bool json = false;
};

int usage(const std::string& why) {
  std::fprintf(stderr,
               "postern-rehearse: %s\nusage: postern-rehearse --config FILE [--days N] [--messages N] [--customers N] [--seed N] [--begin YYYY-MM-DD]\n"
               "                        [--faults none|usual|heavy] [--jobs N] [--json] | --version\n",
               why.c_str());
  return 2;
}

template <class Number>
bool read_number(std::string_view text, Number least, Number most, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= least && number <= most;
}

bool read_date(std::string_view text, TimeMs& at) {
  int year = 0;
  unsigned month = 0, day = 0;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  if (!read_number(text.substr(0, 4), 2020, 2035, year) || !read_number(text.substr(5, 2), 1U, 12U, month) || !read_number(text.substr(8, 2), 1U, 31U, day)) return false;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return false;
  at = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::sys_days(date).time_since_epoch()).count();
  return true;
}

// Empty: good.
std::string read_word(Options& options, std::string_view word, std::string_view value) {
  if (word == "--config") options.config = value;
  else if (word == "--days") return read_number(value, 1U, 366U, options.plan.days) ? "" : "--days must be 1 to 366";
  else if (word == "--messages") return read_number<std::uint64_t>(value, 1, 100'000'000, options.plan.messages) ? "" : "--messages must be 1 to 100000000";
  else if (word == "--customers") return read_number<std::uint64_t>(value, 1, 99'999'999, options.customers) ? "" : "--customers must be 1 to 99999999";
  else if (word == "--seed") return read_number<std::uint64_t>(value, 0, UINT64_MAX, options.plan.seed) ? "" : "--seed must be a number";
  else if (word == "--begin") return read_date(value, options.plan.begin) ? "" : "--begin must be a day like 2027-03-20";
  else if (word == "--jobs") return read_number(value, 1U, 256U, options.jobs) ? "" : "--jobs must be 1 to 256";
  else if (word == "--faults") {
    const std::optional<Faults> faults = faults_named(value);
    if (!faults) return "--faults must be none, usual or heavy";
    options.plan.faults = *faults;
    options.faults = value;
  } else {
    return "unknown argument " + std::string(word);
  }
  return {};
}

// Everything a pipe gives.
Bytes drain(int fd) {
  Bytes all;
  std::array<std::uint8_t, 65'536> some{};
  for (;;) {
    const ssize_t got = read(fd, some.data(), some.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return all;
    all.insert(all.end(), some.begin(), some.begin() + got);
  }
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return true;
}

// A process of its own for every job, which plays each jobs-th world and tells what came of them. Keys are made in it.
int work(const Plan& plan, unsigned job, unsigned jobs, int out, bool shows) {
  if (const Status hard = harden_process(); !hard) return std::fprintf(stderr, "postern-rehearse: %s\n", hard.what().c_str()), 1;
  const Ground ground(plan.begin);
  for (unsigned world = job; world < plan.worlds; world += jobs) {
    const auto progress = [&](std::uint64_t sent) {
      if (shows) std::fprintf(stderr, "\rworld %u of %u: %llu messages sent ", world + 1, plan.worlds, static_cast<unsigned long long>(sent));
    };
    const Result<Tally> tally = play(plan, world, ground, progress);
    if (!tally) return std::fprintf(stderr, "postern-rehearse: %s\n", tally.what().c_str()), 1;
    const Bytes bytes = encode(*tally);
    Bytes head;
    ByteWriter(head).u32(static_cast<std::uint32_t>(bytes.size()));
    if (!write_all(out, head) || !write_all(out, bytes)) return 1;
  }
  return 0;
}

// Plays all worlds and adds them up in their order.
Result<Tally> play_all(const Plan& plan, unsigned jobs) {
  struct Job {
    pid_t process;
    int in;
  };
  std::vector<Job> running;
  std::fflush(nullptr);
  for (unsigned job = 0; job < jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) return fail("no pipe can be made");
    const pid_t process = fork();
    if (process < 0) return fail("no process can be made");
    if (process == 0) {
      close(ends[0]);
      for (const Job& other : running) close(other.in);
      _exit(work(plan, job, jobs, ends[1], job == 0 && isatty(2) == 1));
    }
    close(ends[1]);
    running.push_back({process, ends[0]});
  }
  std::vector<std::vector<Tally>> told(jobs);
  std::string why;
  // One after the other: a job that is done waits in its pipe until it is heard.
  std::vector<std::thread> readers;
  std::vector<Bytes> bytes(jobs);
  for (unsigned job = 0; job < jobs; ++job) readers.emplace_back([&, job] { bytes[job] = drain(running[job].in); });
  for (std::thread& reader : readers) reader.join();
  for (unsigned job = 0; job < jobs; ++job) {
    close(running[job].in);
    int status = 0;
    while (waitpid(running[job].process, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) why = "a world could not be played to its end";
    for (ByteReader in(bytes[job]); in.left() > 0;) {
      const ByteView one = in.view32(64U << 20U);
      std::optional<Tally> tally = in.ok() ? decode_tally(one) : std::nullopt;
      if (!tally) return fail("what a world tells cannot be read");
      told[job].push_back(std::move(*tally));
    }
  }
  if (!why.empty()) return fail(why);
  Tally all;
  for (unsigned world = 0; world < plan.worlds; ++world) {
    if (told[world % jobs].size() <= world / jobs) return fail("a world told nothing");
    all.add(told[world % jobs][world / jobs]);
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.plan.messages = 100'000;
  read_date("2027-01-04", options.plan.begin);
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--version") return std::printf("postern-rehearse %s\n", POSTERN_VERSION) > 0 ? 0 : 1;
    if (word == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == argc) return usage(std::string(word) + " needs a value, or is unknown");
    if (const std::string why = read_word(options, word, argv[++i]); !why.empty()) return usage(why);
  }
  if (options.config.empty()) return usage("--config FILE is missing");
  log::open("postern-rehearse", log::Level::error);
  Result<std::shared_ptr<const config::Config>> config = config::load(options.config);
  if (!config) return std::fprintf(stderr, "%s\n", config.what().c_str()), 3;
  Plan& plan = options.plan;
  plan.config = *config;
  plan.worlds = static_cast<unsigned>(std::clamp<std::uint64_t>((plan.messages + kMessagesOfAWorld - 1) / kMessagesOfAWorld, 1, kMaxWorlds));
  plan.customers = options.customers != 0 ? options.customers : std::max<std::uint64_t>(plan.messages / 20, 10);
  const unsigned processors = options.jobs != 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency());

  const auto begun = std::chrono::steady_clock::now();
  const Result<Tally> tally = play_all(plan, std::min(processors, plan.worlds));
  if (!tally) return std::fprintf(stderr, "postern-rehearse: %s\n", tally.what().c_str()), 1;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const Heading heading{POSTERN_VERSION, options.config, options.faults};
  const std::string report = options.json ? json_of(heading, plan, *tally) : text_of(heading, plan, *tally);
  if (std::fwrite(report.data(), 1, report.size(), stdout) != report.size() || std::fflush(stdout) != 0) return 1;
  std::fprintf(stderr, "%s%.1f s, %.0f messages/s\n", isatty(2) == 1 ? "\r" : "", seconds, static_cast<double>(plan.messages) / seconds);
  return tally->broken.empty() ? 0 : 1;
}
