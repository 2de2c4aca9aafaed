// SPDX-License-Identifier: Apache-2.0
// How fast one vault takes messages through their whole life without sockets: accept, deliver, result, receipt,
// each a turn with its own durable commit, in batches, and the audit files once a second. One JSON line for each batch size:
//   vault_bench [--messages N] [--folder DIR] [--batches N,N,...] [--policy]
// With --policy each message is asked about (a cap, quiet hours, a list), and a stricter policy is rehearsed over all of them afterwards.
// `messages_per_s` is wall time with the store's syncs, `cpu_us` this process's CPU time for one message.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "gateway/config/policy_part.hpp"
#include "gateway/vault/policy_rehearsal.hpp"
#include "tests/support/house.hpp"

namespace {

using namespace postern;
using namespace postern::vault;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Phase {
  double wall = 0, cpu = 0;
  std::vector<double> each{};      // wall
};

// Runs `work` and adds what it took.
template <class Work>
void timed(Phase& phase, const Work& work) {
  const auto begun = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  work();
  phase.each.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  phase.wall += phase.each.back();
  phase.cpu += cpu_seconds() - cpu;
}

constexpr const char* kPolicy = R"(time_zone = "Europe/Kyiv"
[quiet_hours]
spans = ["22:00-07:00"]
[[caps]]
name = "daily"
limit = 5
[[lists]]
name = "objected"
kind = "never"
file = "never.txt"
)";

// How fast a candidate walks through what was decided, and how long its longest piece keeps everybody else waiting.
void rehearse(House& house, std::size_t messages) {
  std::string stricter = kPolicy;
  stricter.replace(stricter.find("limit = 5"), 9, "limit = 1");
  const std::string path = house.config()->policy_source.path;
  Result<config::PolicyFile> candidate = config::load_policy(stricter, path);
  if (!candidate) std::exit((std::fprintf(stderr, "%s\n", candidate.what().c_str()), 1));
  PolicyRehearsal rehearsal(house.vault().context(), std::move(candidate->policy), house.now, 24 * 3'600'000);
  double all = 0, longest = 0;
  while (!rehearsal.done()) {
    Phase piece;
    Status walked;
    timed(piece, [&] { (void)house.vault().turn([&](Turn& turn) { walked = rehearsal.step(turn, std::chrono::milliseconds(3)); }); });
    if (!walked) std::exit((std::fprintf(stderr, "%s\n", walked.what().c_str()), 1));
    all += piece.wall;
    longest = std::max(longest, piece.wall);
  }
  if (rehearsal.trial().messages() != messages) std::exit((std::fprintf(stderr, "the rehearsal saw %llu messages\n", static_cast<unsigned long long>(rehearsal.trial().messages())), 1));
  std::printf("{\"bench\":\"policy-rehearsal\",\"messages\":%zu,\"records\":%llu,\"messages_per_s\":%.0f,\"longest_piece_ms\":%.1f}\n", messages,
              static_cast<unsigned long long>(rehearsal.leaves()), static_cast<double>(messages) / all, longest * 1000);
}

void run(std::size_t batch, std::size_t messages, bool with_policy) {
  House house({}, {}, {}, std::nullopt, false, with_policy ? kPolicy : "");
  const PeerId api = house.join("api"), sms = house.join("sms", 1, 100'000);
  const wire::Submit model = House::submit("sms", "380671234567", wire::TRANSACTION);
  Phase accept, result, receipt, publish;
  std::size_t done = 0, number = 0;
  auto published = std::chrono::steady_clock::now();
  while (done < messages) {
    const std::size_t count = std::min(batch, messages - done);
    wire::ToVault submits;
    for (std::size_t i = 0; i < count; ++i) {
      wire::Submit& submit = *submits.add_submit();
      submit = model;
      submit.set_tag(i + 1);
      submit.mutable_recipient()->set_phone("38067" + std::to_string(1'000'000 + number + i));
    }
    timed(accept, [&] {
      house.say(api, std::move(submits));
      house.turn();
    });
    const std::vector<wire::Deliver> deliveries = house.deliveries(sms);
    if (house.verdicts(api).size() != count || deliveries.size() != count) {
      std::fprintf(stderr, "a message was not accepted or not delivered\n");
      std::exit(1);
    }
    wire::ToVault results, receipts;
    for (const wire::Deliver& deliver : deliveries) {
      results.MergeFrom(House::result_frame(deliver.attempt(), wire::Result::SENT, {"smsc-" + std::to_string(number)}));
      wire::Receipt& r = *receipts.add_receipt();
      r.set_provider_id("smsc-" + std::to_string(number++));
      r.set_progress(wire::DELIVERED);
    }
    timed(result, [&] {
      house.say(sms, std::move(results));
      house.turn();
    });
    timed(receipt, [&] {
      house.say(sms, std::move(receipts));
      house.turn();
    });
    if (const auto now = std::chrono::steady_clock::now(); now - published >= std::chrono::seconds(1)) {
      published = now;
      timed(publish, [&] { (void)house.vault().publish(); });
    }
    done += count;
  }
  if (house.vault().context().metrics.waiting != 0) {
    std::fprintf(stderr, "a message did not end\n");
    std::exit(1);
  }
  const auto n = static_cast<double>(messages);
  std::vector<double>& turns = accept.each;
  turns.insert(turns.end(), result.each.begin(), result.each.end());
  turns.insert(turns.end(), receipt.each.begin(), receipt.each.end());
  std::ranges::sort(turns);
  const auto turn_ms = [&turns](double part) { return turns[static_cast<std::size_t>(part * static_cast<double>(turns.size() - 1))] * 1e3; };
  const double wall = accept.wall + result.wall + receipt.wall + publish.wall, cpu = accept.cpu + result.cpu + receipt.cpu + publish.cpu;
  std::printf(
      "{\"bench\":\"vault\",\"policy\":%s,\"batch\":%zu,\"messages\":%zu,\"messages_per_s\":%.0f,\"accepts_per_s\":%.0f,\"cpu_us\":%.1f,"
      "\"cpu_us_accept_deliver\":%.1f,\"cpu_us_result\":%.1f,\"cpu_us_receipt\":%.1f,\"cpu_us_publish\":%.1f,\"turn_ms_p50\":%.2f,\"turn_ms_p99\":%.2f,\"turn_ms_max\":%.2f}\n",
      with_policy ? "true" : "false", batch, messages, n / wall, n / accept.wall, cpu / n * 1e6, accept.cpu / n * 1e6, result.cpu / n * 1e6, receipt.cpu / n * 1e6, publish.cpu / n * 1e6,
      turn_ms(0.5), turn_ms(0.99), turn_ms(1));
  if (with_policy) rehearse(house, messages);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t messages = 20'000;
  std::vector<std::size_t> batches{1, 10, 100, 1000};
  bool with_policy = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--messages") == 0 && i + 1 < argc) messages = std::strtoull(argv[++i], nullptr, 10);
    else if (std::strcmp(argv[i], "--policy") == 0) with_policy = true;
    else if (std::strcmp(argv[i], "--folder") == 0 && i + 1 < argc) setenv("TMPDIR", argv[++i], 1);
    else if (std::strcmp(argv[i], "--batches") == 0 && i + 1 < argc) {
      batches.clear();
      for (char* at = argv[++i]; *at != '\0'; at += *at == ',') batches.push_back(std::max(std::strtoull(at, &at, 10), 1ULL));
    } else {
      std::fprintf(stderr, "usage: vault_bench [--messages N] [--folder DIR] [--batches N,N,...] [--policy]\n");
      return 2;
    }
  }
  for (const std::size_t batch : batches) run(batch, std::max(std::min(messages, batch * 2000), batch), with_policy);
  return 0;
}
