// SPDX-License-Identifier: Apache-2.0
// The verb doctor: looks at everything an administrator would look at first, and says what to do.
#include <sys/resource.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"
#include "gateway/config/config.hpp"

namespace postern::cli {
namespace {

struct Check {
  const char* name;
  bool good;
  std::string text;       // what was found, and what to do when it is not good
};

constexpr std::uint64_t kLowDisk = 1024ULL * 1024 * 1024;

Check swap_check() {
  std::ifstream in("/proc/swaps");
  std::string line;
  int lines = 0;
  while (std::getline(in, line)) ++lines;
  return {"swap", lines <= 1, lines <= 1 ? "none" : "swap is on: keys are locked into memory, message texts are not; use encrypted swap or none"};
}

Check anchor_check(const config::Config& config) {
  const bool apart = !config.anchor.starts_with(config.state_folder + "/");
  return {"anchor", apart, apart ? config.anchor : config.anchor + " lies in the state folder, so that a copy of it takes the anchor along: set 'anchor' to another place, best another disk"};
}

Check clock_check() {
  const bool synced = std::filesystem::exists("/run/systemd/timesync/synchronized") || std::filesystem::exists("/run/chrony") || std::filesystem::exists("/run/ntpd.pid");
  return {"clock", synced, synced ? "synchronised by this host's time service" : "no time service was found: deadlines and signatures need a right clock; install chrony"};
}

std::vector<Check> look(const Common& common, const DoctorOptions& options) {
  std::vector<Check> checks;
  const auto config = config::load(options.file);
  checks.push_back({"configuration", config.has_value(), config ? options.file + " is good" : config.what()});
  if (config) checks.push_back(anchor_check(**config));
  control::Request ask_status;
  ask_status.set_status(true);
  const Result<control::Reply> status = ask(common.socket, ask_status);
  checks.push_back({"posternd", status.has_value(), status ? "answers, version " + status->status().version() : status.what()});
  if (status) {
    const control::Status& s = status->status();
    checks.push_back({"keys", s.state() == "open", s.state() == "open" ? "unlocked" : s.state() + ": " + s.why_locked()});
    checks.push_back({"unlock slots", s.slots_size() > 1, std::to_string(s.slots_size()) + (s.slots_size() > 1 ? " slots" : " slot: if it is lost, everything is; add a second")});
    const bool accepting = s.accepting() || s.state() != "open";
    checks.push_back({"disk", s.free_bytes() > kLowDisk && accepting,
                      bytes_text(s.free_bytes()) + " free" + (!accepting ? ": messages are refused; free some" : s.free_bytes() > kLowDisk ? "" : ": under 1 GiB; free some before messages are refused")});
    checks.push_back({"portability", s.numbers().ranges() + s.numbers().ported() > 0,
                      s.numbers().ranges() + s.numbers().ported() > 0 ? std::to_string(s.numbers().ported()) + " ported numbers" : "no table: run 'postern numbers import FILE'"});
  }
  control::Request ask_connectors;
  ask_connectors.set_connectors(true);
  if (const Result<control::Reply> reply = ask(common.socket, ask_connectors)) {
    for (const control::ConnectorFacts& c : reply->connector())
      if (!c.connected() || !c.up()) checks.push_back({"connector", false, c.name() + " is " + (c.connected() ? "down: " + c.detail() : "not connected; see its unit's log")});
  }
  checks.push_back(swap_check());
  checks.push_back(clock_check());
  return checks;
}

}  // namespace

int doctor(const Common& common, const DoctorOptions& options) {
  const std::vector<Check> checks = look(common, options);
  bool good = true;
  Json json;
  json.object().array("checks");
  for (const Check& check : checks) {
    good = good && check.good;
    if (common.json) json.object().field("name", check.name).field("good", check.good).field("text", check.text).end();
    else std::printf("%-4s %-14s %s\n", check.good ? "ok" : "LOOK", check.name, check.text.c_str());
  }
  if (common.json) json.print();
  return good ? kDone : kNo;
}

}  // namespace postern::cli
