// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/traffic.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "gateway/policy/zone.hpp"

namespace postern::rehearsal {
namespace {

// Of a thousand messages of a bank: codes and account news most of all.
constexpr std::array<std::uint32_t, kLanes> kShare{280, 50, 430, 140, 100};

// When messages are sent, of a thousand, by the hour: codes and account news follow the customers' day, the rest is working hours.
constexpr std::array<std::uint32_t, 24> kAwake{12, 8, 6, 5, 6, 10, 22, 40, 55, 62, 64, 64, 66, 62, 60, 60, 62, 66, 68, 62, 52, 40, 28, 20};
constexpr std::array<std::uint32_t, 24> kWorking{4, 4, 4, 4, 4, 6, 12, 30, 70, 100, 110, 100, 80, 80, 100, 100, 80, 50, 24, 14, 10, 6, 4, 4};

template <std::size_t N>
std::size_t pick(const std::array<std::uint32_t, N>& weights, Chance& chance) {
  std::uint64_t sum = 0;
  for (const std::uint32_t weight : weights) sum += weight;
  std::uint64_t at = chance.below(sum);
  std::size_t i = 0;
  while (at >= weights[i]) at -= weights[i++];
  return i;
}

// A folder that is gone with its owner.
class PassingFolder {
 public:
  PassingFolder() : path_((std::filesystem::temp_directory_path() / "postern-rehearse-XXXXXX").string()) { made_ = mkdtemp(path_.data()) != nullptr; }
  ~PassingFolder() {
    std::error_code ignored;
    if (made_) std::filesystem::remove_all(path_, ignored);
  }
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;
  bool made() const { return made_; }
  std::string operator/(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  bool made_ = false;
};

}  // namespace

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) { return Chance(a ^ (b * 0xd6e8feb86659fd93ULL)).next(); }

Customers::Customers(std::uint64_t seed, std::uint64_t count, const config::Config& config) : seed_(mixed(seed, 1)), count_(std::max<std::uint64_t>(count, 1)), policy_(config.policy) {
  std::set<std::string> networks, locales;
  for (const config::Route& route : config.routes) networks.insert(route.networks.begin(), route.networks.end());
  networks.insert("99999");
  networks_.assign(networks.begin(), networks.end());
  for (const auto& [name, text] : config.templates)
    for (const auto& [locale, parts] : text.locales) locales.insert(locale);
  locales_.assign(locales.begin(), locales.end());
  for (const char* zone : {"Europe/Kyiv", "Europe/London", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"})
    if (policy::Zone::find(zone)) zones_.emplace_back(zone);
}

Customer Customers::at(std::uint64_t number) const {
  Chance chance(mixed(seed_, number));
  Customer c;
  c.number = number;
  c.reference = reference_of(number);
  const std::size_t network = chance.below(networks_.size() + 1);   // the last: in no range
  if (chance.percent(99)) c.phone = fmt::format("999{:02}{:08}", network, number);
  if (chance.percent(65) || c.phone.empty()) c.email = fmt::format("c{}@customer.example", number);
  if (chance.percent(60)) {
    c.token = fmt::format("token-{}", number);
    c.platform = chance.percent(60) ? "fcm" : chance.percent(80) ? "apns" : "hms";
  }
  if (!locales_.empty()) c.locale = locales_[chance.below(locales_.size())];
  if (!zones_.empty() && chance.percent(15)) c.time_zone = zones_[chance.below(zones_.size())];
  if (chance.percent(30)) c.preferred = std::string(name_of(chance.one_of({Channel::push, Channel::sms, Channel::whatsapp, Channel::email})));
  // Some stand on the bank's lists; where a list is of those alone who are written to, half of them.
  for (const policy::ListRule& rule : policy_.lists) {
    const std::string listed = chance.percent(rule.kind == policy::ListRule::Kind::only ? 50 : 3) ? rule.list.sample(chance.next()) : std::string();
    if (!listed.empty()) (listed.find('@') == std::string::npos ? c.phone : c.email) = listed;
  }
  c.on_whatsapp = chance.percent(60);
  c.app_lives = chance.percent(90);
  c.mail_lives = chance.percent(98);
  c.answers = chance.percent(70);
  c.reads = chance.percent(75);
  return c;
}

Result<std::shared_ptr<const numbers::PortabilityIndex>> Customers::networks() const {
  std::string csv = "kind,number,network,date\n";
  for (std::size_t i = 0; i < networks_.size(); ++i) csv += fmt::format("range,999{:02},{},\n", i, networks_[i]);
  // An index is made from a file and mapped from one; what is mapped outlives the files.
  const PassingFolder folder;
  if (!folder.made()) return fail("no temporary folder can be made: set TMPDIR to one that can be written to");
  if (std::ofstream table(folder / "numbers.csv"); !(table << csv << std::flush)) return fail("the table of networks cannot be written to " + (folder / "numbers.csv"));
  if (const Result<numbers::IndexFacts> made = numbers::import_csv(folder / "numbers.csv", folder / "numbers.idx"); !made) return fail(made.what());
  return numbers::PortabilityIndex::open(folder / "numbers.idx");
}

std::string Kind::name() const {
  return fmt::format("{} / {} / {} / {}", client->name, name_of(category), text == nullptr ? "plain words" : text->name, scenario.empty() ? "as configured" : scenario);
}

Traffic::Traffic(std::uint64_t seed, const config::Config& config, const Customers& customers, TimeMs begin, unsigned days, std::uint64_t messages)
    : seed_(mixed(seed, 2)), config_(config), customers_(customers), begin_(begin), days_(days), messages_(messages) {
  for (const auto& [name, client] : config.clients) {
    if (client.categories.empty()) continue;
    const Voice voice = voice_of(client);
    if (voice.source.empty()) mute_.push_back(name);
    else add_kinds(client, voice);
  }
}

// Sources that anybody's certificate may come through, and those of one client.
Voice Traffic::voice_of(const config::Client& client) const {
  if (!client.identities.empty())
    for (const auto& [name, connector] : config_.connectors)
      if (!connector.channel && connector.client.empty() && connector.speaks_for.empty()) return {name, client.identities.front()};
  const auto pull = std::ranges::find_if(config_.connectors, [&client](const auto& c) { return c.second.client == client.name; });
  return pull == config_.connectors.end() ? Voice() : Voice{pull->first, ""};
}

void Traffic::add_kinds(const config::Client& client, const Voice& voice) {
  for (const Category category : client.categories) {
    std::vector<const templates::Template*> texts;
    for (const auto& [name, text] : config_.templates)
      if (std::ranges::find(text.categories, category) != text.categories.end()) texts.push_back(&text);
    if (texts.empty()) texts.push_back(nullptr);
    std::vector<std::string> scenarios{""};
    for (const auto& [name, scenario] : config_.scenarios)
      if (name != config_.rules(category).scenario && (scenario.categories.empty() || std::ranges::find(scenario.categories, category) != scenario.categories.end()))
        scenarios.push_back(name);
    for (const templates::Template* text : texts)
      for (const std::string& scenario : scenarios) kinds_.push_back({&client, voice.source, voice.identity, category, text, scenario, scenario.empty() ? 20U : 1U});
  }
}

// The days are alike, but for what chance adds; a number beyond the last whole day's share falls on the last day.
std::vector<std::pair<TimeMs, std::uint64_t>> Traffic::day(unsigned day) const {
  const std::uint64_t first = messages_ * day / days_, end = messages_ * (day + 1) / days_;
  std::vector<std::pair<TimeMs, std::uint64_t>> found;
  found.reserve(end - first);
  for (std::uint64_t number = first; number < end; ++number) found.emplace_back(order(number).at, number);
  std::ranges::sort(found);
  return found;
}

Order Traffic::order(std::uint64_t number) const {
  Chance chance(mixed(seed_, number));
  Order order;
  // A category, of those that anybody may send; then one of its kinds.
  std::array<std::uint32_t, kLanes> shares{};
  for (const Kind& kind : kinds_)
    if (kind.weight > 0) shares[lane_of(kind.category)] = kShare[lane_of(kind.category)];
  const std::size_t lane = pick(shares, chance);
  std::uint64_t sum = 0;
  for (const Kind& kind : kinds_)
    if (lane_of(kind.category) == lane) sum += kind.weight;
  std::uint64_t at = chance.below(sum);
  for (const Kind& kind : kinds_) {
    if (lane_of(kind.category) != lane) continue;
    if (at < kind.weight) {
      order.kind = &kind;
      break;
    }
    at -= kind.weight;
  }
  order.customer = chance.below(customers_.count());
  const bool working = order.kind->category == Category::service || order.kind->category == Category::marketing;
  const auto hour = static_cast<TimeMs>(pick(working ? kWorking : kAwake, chance));
  std::uint64_t day = 0;
  while (messages_ * (day + 1) / days_ <= number) ++day;
  order.at = begin_ + static_cast<TimeMs>(day) * kDay + hour * kHour + chance.from_to(0, kHour - 1);
  const std::uint64_t habit = chance.below(1000);
  order.twice = habit < 4;
  order.takes_back = habit >= 4 && habit < 10;
  order.moves = habit >= 10 && habit < 14;
  return order;
}

wire::Submit Traffic::submit(std::uint64_t number, const Order& order) const {
  Chance chance(mixed(seed_ + 1, number));
  wire::Submit submit;
  submit.set_tag(number + 1);
  submit.set_idempotency_key(fmt::format("rehearsal-{}", number));
  std::string fingerprint(32, '\0');
  for (int i = 0; i < 8; ++i) fingerprint[static_cast<std::size_t>(i)] = static_cast<char>(number >> i * 8);
  submit.set_fingerprint(fingerprint);
  submit.set_reference(fmt::format("m{}", number));
  // A few wait for a time of their own.
  const bool later = order.moves || order.takes_back || (order.kind->category == Category::marketing && chance.percent(10));
  if (later) submit.set_send_at_ms(static_cast<std::uint64_t>(order.at + chance.from_to(kMinute, 12 * kHour)));
  fill(submit, *order.kind, customers_.at(order.customer), chance);
  return submit;
}

wire::Submit Traffic::example(const Kind& kind) const {
  Chance chance(1);
  wire::Submit submit;
  Customer everything = customers_.at(0);
  everything.phone = "9990000000000";
  everything.email = "c@customer.example";
  everything.token = "token", everything.platform = "fcm";
  submit.set_validate_only(true);
  fill(submit, kind, everything, chance);
  return submit;
}

void Traffic::fill(wire::Submit& submit, const Kind& kind, const Customer& customer, Chance& chance) const {
  submit.set_identity(kind.identity);
  submit.set_category(static_cast<wire::Category>(static_cast<int>(kind.category)));
  submit.set_scenario(kind.scenario);
  wire::Recipient& r = *submit.mutable_recipient();
  r.set_reference(customer.reference);
  r.set_phone(customer.phone);
  r.set_email(customer.email);
  r.set_locale(customer.locale);
  r.set_time_zone(customer.time_zone);
  r.set_preferred(customer.preferred);
  if (!customer.token.empty()) {
    wire::PushToken& token = *r.add_push();
    token.set_token(customer.token);
    token.set_platform(customer.platform);
  }
  if (kind.text == nullptr) {
    submit.set_text("A word from your bank.");
    submit.set_subject("Your bank");
    return;
  }
  submit.set_template_(kind.text->name);
  for (const templates::Placeholder& placeholder : kind.text->placeholders) {
    wire::Variable& variable = *submit.add_variable();
    variable.set_name(placeholder.name);
    variable.set_value(value_for(placeholder.kind, chance));
  }
}

std::string Traffic::value_for(templates::Kind kind, Chance& chance) const {
  switch (kind) {
    case templates::Kind::text: return "a rehearsed word";
    case templates::Kind::digits: return std::to_string(chance.from_to(1000, 9999));
    case templates::Kind::amount: {
      // Small ones most of all.
      std::int64_t limit = 10;
      for (std::int64_t i = chance.from_to(0, 4); i > 0; --i) limit *= 10;
      return std::to_string(chance.from_to(limit / 10, limit));
    }
    case templates::Kind::date: return "2026-11-22";
    case templates::Kind::url: {
      const std::string domain = config_.policy.content.domains.example();
      return "https://" + (domain.empty() ? "bank.example" : domain) + "/rehearsal";
    }
  }
  return {};
}

}  // namespace postern::rehearsal
