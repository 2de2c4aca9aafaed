// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

namespace postern::rehearsal {
namespace {

constexpr std::array kChannels{Channel::push, Channel::sms, Channel::whatsapp, Channel::viber, Channel::telegram, Channel::email, Channel::voice};
constexpr std::array<const char*, static_cast<std::size_t>(Count::end)> kCounts{
    "accepted", "reached", "failed", "expired", "cancelled", "suppressed", "attempts", "in_doubt", "double_contacts", "steps_skipped", "held", "bypassed"};

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string money(std::int64_t millionths) {
  // Messages that cost next to nothing cost something.
  if (millionths < 1'000'000) return fmt::format("0.{:04}", millionths / 100);
  return fmt::format("{}.{:02}", grouped(static_cast<std::uint64_t>(millionths / 1'000'000)), millionths / 10'000 % 100);
}

std::string time_text(TimeMs ms) {
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 2 * kMinute) return fmt::format("{}.{} s", ms / 1000, ms / 100 % 10);
  if (ms < 2 * kHour) return fmt::format("{} min", ms / kMinute);
  if (ms < 2 * kDay) return fmt::format("{} h", ms / kHour);
  return fmt::format("{} d", ms / kDay);
}

// 2027-01-04, of a time in Unix milliseconds.
std::string date_text(TimeMs at) {
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(at)));
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::string share(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? "-" : fmt::format("{}.{} %", part * 100 / all, part * 1000 / all % 10);
}

std::int64_t sum_of(const std::array<std::int64_t, 8>& costs) {
  std::int64_t sum = 0;
  for (const std::int64_t cost : costs) sum += cost;
  return sum;
}

// Rows added up by one of the four words of their key.
std::map<std::string, Row> by(const Tally& tally, std::size_t word) {
  std::map<std::string, Row> found;
  for (const auto& [key, row] : tally.rows) found[key[word]].add(row);
  return found;
}

Row all_of(const Tally& tally) {
  Row all;
  for (const auto& [key, row] : tally.rows) all.add(row);
  return all;
}

class Text {
 public:
  template <class... Args>
  void line(fmt::format_string<Args...> text, Args&&... args) {
    fmt::vformat_to(std::back_inserter(out_), text, fmt::make_format_args(args...));
    out_ += '\n';
  }
  void part(const char* title) { out_ += fmt::format("\n{}\n", title); }

  void table(const char* what, const std::map<std::string, Row>& rows) {
    std::size_t wide = std::string_view(what).size();
    for (const auto& [name, row] : rows) wide = std::max(wide, name.size());
    line("  {:<{}}  {:>9} {:>9} {:>8} {:>8} {:>8} {:>9} {:>10}  {:>8} {:>8} {:>8}  {:>8} {:>8}", what, wide, "accepted", "reached", "", "failed", "expired", "cancelled",
         "suppressed", "p50", "p95", "p99", "in doubt", "twice");
    for (const auto& [name, row] : rows) {
      const auto within = [&row = row](std::uint64_t share) { return row.to_reach.count() == 0 ? std::string("-") : time_text(row.to_reach.within(share)); };
      line("  {:<{}}  {:>9} {:>9} {:>8} {:>8} {:>8} {:>9} {:>10}  {:>8} {:>8} {:>8}  {:>8} {:>8}", name, wide, grouped(row[Count::accepted]), grouped(row[Count::reached]),
           share(row[Count::reached], row[Count::accepted]), grouped(row[Count::failed]), grouped(row[Count::expired]), grouped(row[Count::cancelled]),
           grouped(row[Count::suppressed]), within(500), within(950), within(990), grouped(row[Count::in_doubt]), grouped(row[Count::double_contact]));
    }
  }

  void channels(const std::map<std::string, Row>& rows) {
    for (const auto& [name, row] : rows) {
      std::string ways;
      for (const Channel channel : kChannels) {
        const auto at = static_cast<std::size_t>(channel);
        if (row.sent_by[at] == 0 && row.reached_by[at] == 0) continue;
        ways += fmt::format("{}{} {} of {}", ways.empty() ? "" : ", ", name_of(channel), grouped(row.reached_by[at]), grouped(row.sent_by[at]));
        if (row.cost[at] != 0) ways += fmt::format(" for {}", money(row.cost[at]));
      }
      if (!ways.empty()) line("  {:<12} {}", name, ways);
    }
  }

  void counts(const std::map<std::string, std::uint64_t>& counts) {
    for (const auto& [name, count] : counts) line("  {:>11}  {}", grouped(count), name);
  }

  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// JSON, as far as it is needed here.
class Json {
 public:
  void open(const char* key = nullptr) { begin(key), out_ += '{', first_ = true; }
  void close() { out_ += '}', first_ = false; }
  void text(const char* key, std::string_view value) { begin(key), quoted(value); }
  void number(const char* key, std::int64_t value) { begin(key), out_ += std::to_string(value); }
  void number(const std::string& key, std::uint64_t value) { begin(key.c_str()), out_ += std::to_string(value); }
  void counts(const char* key, const std::map<std::string, std::uint64_t>& counts) {
    open(key);
    for (const auto& [name, count] : counts) number(name, count);
    close();
  }
  void list(const char* key, const std::vector<std::string>& words) {
    begin(key);
    out_ += '[';
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i > 0) out_ += ',';
      quoted(words[i]);
    }
    out_ += ']';
  }
  std::string take() { return std::move(out_); }

 private:
  void begin(const char* key) {
    if (!std::exchange(first_, false)) out_ += ',';
    if (key == nullptr) return;
    quoted(key);
    out_ += ':';
  }
  void quoted(std::string_view text) {
    out_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') out_ += '\\', out_ += c;
      else if (static_cast<unsigned char>(c) < 0x20) out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
      else out_ += c;
    }
    out_ += '"';
  }
  std::string out_;
  bool first_ = true;
};

void put(Json& json, const std::string& name, const Row& row) {
  json.open(name.c_str());
  for (std::size_t i = 0; i < row.counts.size(); ++i) json.number(kCounts[i], static_cast<std::int64_t>(row.counts[i]));
  json.open("ms_to_reach");
  for (const auto& [word, share] : {std::pair{"p50", 500U}, {"p95", 950U}, {"p99", 990U}}) json.number(word, row.to_reach.within(share));
  json.close();
  json.open("channels");
  for (const Channel channel : kChannels) {
    const auto at = static_cast<std::size_t>(channel);
    if (row.sent_by[at] == 0 && row.reached_by[at] == 0) continue;
    json.open(std::string(name_of(channel)).c_str());
    json.number("sent", static_cast<std::int64_t>(row.sent_by[at]));
    json.number("reached", static_cast<std::int64_t>(row.reached_by[at]));
    json.number("cost_millionths", row.cost[at]);
    json.close();
  }
  json.close();
  json.counts("ends", row.reasons);
  json.counts("rules", row.rules);
  json.close();
}

}  // namespace

std::string text_of(const Heading& heading, const Plan& plan, const Tally& tally) {
  Text out;
  const Row all = all_of(tally);
  out.line("Rehearsal of {}, postern {}", heading.file, heading.version);
  out.line("configuration sha256 {}", plan.config->sha256);
  out.line("seed {}, {} days from {}, {} messages to {} customers in {} world{}, faults: {}", plan.seed, plan.days, date_text(plan.begin), grouped(plan.messages),
           grouped(plan.customers), plan.worlds, plan.worlds == 1 ? "" : "s", heading.faults);

  out.part("What became of the messages, by category (p: so many percent of those reached were reached within; twice: contacts beyond the first)");
  std::map<std::string, Row> categories = by(tally, 1);
  categories["all"] = all;
  out.table("category", categories);
  out.part("By scenario");
  out.table("scenario", by(tally, 3));
  out.part("By client");
  out.table("client", by(tally, 0));
  out.part("Which way they were reached (reached by it, of those that its provider took; cost by the prices of the routes)");
  out.channels(categories);
  if (sum_of(all.cost) != 0) out.line("  cost in all: {}", money(sum_of(all.cost)));
  out.part("How they ended");
  out.counts(all.reasons);
  if (!all.rules.empty()) out.part("What rules did (held: a step waits; skipped: it is not taken; passed: an urgent category goes on)");
  out.counts(all.rules);
  out.part("What clients were answered");
  out.counts(tally.submits);
  if (!tally.said.empty()) out.part("What customers said of being written to, and what came of it");
  out.counts(tally.said);
  if (!tally.faults.empty()) out.part("What was played besides");
  out.counts(tally.faults);
  out.part("The run");
  out.counts(tally.facts);
  out.part(tally.broken.empty() ? "Promises: all were kept (how often each was looked at)" : "Promises: BROKEN (how often each was looked at)");
  out.counts(tally.kept);
  for (const std::string& broken : tally.broken)
    out.line("  BROKEN: {}\n  play it again: the same command with --seed {}", broken, plan.seed);
  return out.take();
}

std::string json_of(const Heading& heading, const Plan& plan, const Tally& tally) {
  Json json;
  json.open();
  json.text("file", heading.file);
  json.text("version", heading.version);
  json.text("configuration_sha256", plan.config->sha256);
  json.number(std::string("seed"), plan.seed);
  json.number("days", static_cast<std::int64_t>(plan.days));
  json.text("from", date_text(plan.begin));
  json.number(std::string("messages"), plan.messages);
  json.number(std::string("customers"), plan.customers);
  json.number("worlds", static_cast<std::int64_t>(plan.worlds));
  json.text("faults", heading.faults);
  put(json, "all", all_of(tally));
  for (const auto& [name, word] : {std::pair{"categories", 1U}, {"clients", 0U}, {"templates", 2U}, {"scenarios", 3U}}) {
    json.open(name);
    for (const auto& [key, row] : by(tally, word)) put(json, key, row);
    json.close();
  }
  json.counts("submits", tally.submits);
  json.counts("said", tally.said);
  json.counts("played", tally.faults);
  json.counts("run", tally.facts);
  json.counts("promises", tally.kept);
  json.list("broken", tally.broken);
  json.close();
  return json.take() + "\n";
}

}  // namespace postern::rehearsal
