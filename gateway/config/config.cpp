// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/config.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "connectors/protocol/settings.hpp"
#include "crypto/bytes.hpp"
#include "crypto/merkle.hpp"
#include "gateway/config/parts.hpp"
#include "gateway/config/policy_part.hpp"
#include "gateway/policy/decided.hpp"

namespace postern::config {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// GDPR article 25: what is not needed is not kept. A day is the least: a client must be able to repeat its idempotency key.
constexpr std::chrono::hours kKeep = 30 * 24h, kShortestKeep = 24h, kLongestKeep = 10 * 366 * 24h;
constexpr std::int64_t kMiB = 1024 * 1024;
constexpr std::size_t kMaxPolicy = 4 * kMiB;

class Faults {
 public:
  void add(const std::string& text) { all_ += (all_.empty() ? "" : "\n") + text; }
  void add(const Status& status) {
    if (!status) add(status.what());
  }
  bool none() const { return all_.empty(); }
  std::string take() { return std::move(all_); }

 private:
  std::string all_;
};

void read_connectors(Section& root, Config& config) {
  for (auto& [name, section] : root.named_sections("connectors")) {
    Connector connector;
    connector.name = name;
    connector.user = section.text("user");
    if (section.has("channel")) connector.channel = read_channel(section, "channel");
    connector.client = section.text("client", "");
    connector.speaks_for = section.texts("speaks_for");
    config.connectors.emplace(name, std::move(connector));
  }
  for (const auto& [name, connector] : config.connectors)
    for (const std::string& other : connector.speaks_for)
      if (!config.connectors.contains(other)) root.fault("connectors", "connector '" + name + "' speaks for '" + other + "', which is not configured");
  if (config.connectors.empty()) root.fault("connectors", "no connector is configured; add [connectors.NAME] with its user");
}

// '*' stands for any characters.
bool matches(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  name.remove_prefix(star);
  pattern.remove_prefix(star + 1);
  for (;; name.remove_prefix(1)) {
    if (matches(pattern, name)) return true;
    if (name.empty()) return false;
  }
}

bool is_sender_of_a_step(const Config& config, std::string_view sender) {
  return std::ranges::any_of(config.scenarios, [&](const auto& scenario) {
    return std::ranges::find(scenario.second.steps, sender, &ScenarioStep::sender) != scenario.second.steps.end();
  });
}

void read_clients(Section& root, Config& config) {
  for (auto& [name, section] : root.named_sections("clients")) {
    Client client;
    client.name = name;
    client.identities = section.texts("identities");
    client.categories = read_categories(section, "categories");
    client.rate = static_cast<std::uint32_t>(section.integer("rate", 0, 0, 1'000'000));
    client.weight = static_cast<std::uint32_t>(section.integer("weight", 1, 0, 1000));
    client.may_read_metrics = section.boolean("metrics", false);
    client.may_keep_recipients = section.boolean("recipients", false);
    client.may_confirm = section.boolean("confirm", false);
    client.templates = section.texts("templates");
    client.senders = section.texts("senders");
    client.free_text = section.boolean("free_text", true);
    for (const std::string& pattern : client.templates)
      if (std::ranges::none_of(config.templates, [&](const auto& t) { return matches(pattern, t.first); }))
        section.fault("templates", "there is no template '" + pattern + "'; its file would be in the templates folder");
    for (const std::string& sender : client.senders)
      if (!is_sender_of_a_step(config, sender)) section.fault("senders", "no step of a scenario has the sender '" + sender + "'");
    for (const std::string& identity : client.identities)
      if (!config.client_of_identity.emplace(identity, name).second)
        section.fault("identities", "identity '" + identity + "' belongs to client '" + config.client_of_identity[identity] + "' already");
    config.clients.emplace(name, std::move(client));
  }
}

void check_scenario(Section& section, const std::string& name, Category category, const Config& config) {
  if (name.empty()) return;
  const auto found = config.scenarios.find(name);
  if (found == config.scenarios.end()) return section.fault("scenario", "there is no scenario '" + name + "'; its file would be in the scenarios folder");
  const std::vector<Category>& allowed = found->second.categories;
  if (!allowed.empty() && std::ranges::find(allowed, category) == allowed.end())
    section.fault("scenario", "scenario '" + name + "' is not for " + std::string(name_of(category)) + "; add it to the scenario's 'categories'");
}

void read_category_rules(Section& root, Config& config) {
  Section all = root.section("categories");
  for (const Category category : kCategories) {
    Section section = all.section(name_of(category));
    CategoryRules rules;
    rules.scenario = section.text("scenario");
    const InDoubt usual = category == Category::otp || category == Category::security ? InDoubt::rather_twice : InDoubt::rather_never_twice;
    rules.in_doubt = section.choice<InDoubt>("in_doubt", usual, {{"rather-twice", InDoubt::rather_twice}, {"rather-never-twice", InDoubt::rather_never_twice}});
    rules.tries = static_cast<std::uint8_t>(section.integer("tries", 3, 1, 10));
    rules.keep = section.duration("keep", kKeep, kShortestKeep, kLongestKeep);
    rules.label = read_label(section, "label").value_or(Label::open);
    check_scenario(section, rules.scenario, category, config);
    for (Section& choice : section.sections("choose")) {
      std::optional<policy::Condition> when = read_condition(choice, "when", *config.vocabulary);
      const std::string scenario = choice.text("scenario");
      check_scenario(choice, scenario, category, config);
      if (when) rules.choices.push_back({std::move(*when), scenario});
      else if (!choice.has("when")) choice.fault("when", "a choice needs 'when': the condition that a message must meet");
    }
    config.categories.emplace(category, std::move(rules));
  }
}

void read_routes(Section& root, Config& config) {
  for (Section& section : root.sections("routes")) {
    Route route;
    const std::optional<Channel> channel = read_channel(section, "channel");
    route.channel = channel.value_or(Channel::sms);
    route.connector = section.text("connector");
    route.networks = section.texts("networks");
    for (const std::string& network : route.networks)
      if ((network.size() != 5 && network.size() != 6) || network.find_first_not_of("0123456789") != std::string::npos)
        section.fault("networks", "'" + network + "' is not a network: give MCC and MNC as 5 or 6 digits in quotes");
    route.categories = read_categories(section, "categories");
    route.price = read_price(section, "price");
    const auto connector = config.connectors.find(route.connector);
    if (connector == config.connectors.end()) section.fault("connector", "there is no connector '" + route.connector + "'");
    else if (channel && connector->second.channel != channel)
      section.fault("connector", "connector '" + route.connector + "' does not carry " + std::string(name_of(*channel)));
    config.routes.push_back(std::move(route));
  }
}

void read_trust(Section& root, Config& config) {
  if (!root.has("confidentiality")) return;
  Section section = root.section("confidentiality");
  for (const Channel channel : {Channel::push, Channel::sms, Channel::whatsapp, Channel::viber, Channel::telegram, Channel::email, Channel::voice}) {
    const std::string_view name = name_of(channel);
    if (const std::optional<Label> label = read_label(section, name)) config.trust.emplace(channel, *label);
    else if (!section.has(name) && std::ranges::find(config.routes, channel, &Route::channel) != config.routes.end())
      section.fault(name, "say how confidential a text may be on " + std::string(name) + ", for which there is a route: public, internal, confidential or secret");
  }
}

// A template of which one of its categories could send nothing by any of its scenarios.
void check_labels(const Config& config, Faults& faults) {
  for (const auto& [name, t] : config.templates)
    for (const Category category : t.categories) {
      if (config.trust.empty() || !config.categories.contains(category)) continue;
      bool asked = false, sent = false;
      for (const auto& [scenario_name, scenario] : config.scenarios) {
        if (!config.serves(scenario, category)) continue;
        for (const ScenarioStep& step : scenario.steps)
          for (const auto& [locale, parts] : t.locales) {
            if (step.step.pause || sent) continue;
            asked = true;
            const templates::Part* part = t.part(locale, step.step.channel, step.text, config.trust_of(step.step.channel), config.rules(category).label);
            sent = part != nullptr && templates::Template::fits(*part, step.step.channel);
          }
      }
      if (asked && !sent)
        faults.add(t.where + ": no text of template '" + name + "' is low enough for a channel of a scenario of " + std::string(name_of(category)) +
                   "; add a text with a lower label, or a step on a channel with more trust");
    }
}

void read_senders(Section& root, Config& config) {
  for (Section& section : root.sections("senders")) {
    const std::string name = section.text("name");
    std::vector<Category> categories = read_categories(section, "categories");
    if (categories.empty()) section.fault("categories", "name what this sender may carry, such as [\"otp\", \"security\"]");
    if (!name.empty() && !is_sender_of_a_step(config, name)) section.fault("name", "no step of a scenario has the sender '" + name + "'");
    if (!config.senders.emplace(name, std::move(categories)).second) section.fault("name", "there is a sender '" + name + "' already");
  }
}

void read_routes_health(Section section, Config& config) {
  RoutesHealth& health = config.routes_health;
  policy::RouteRules& rules = health.rules;
  const auto span = [&](std::string_view key, std::int64_t usual_ms, std::chrono::milliseconds least, std::chrono::milliseconds most) {
    return section.duration(key, std::chrono::milliseconds(usual_ms), least, most).count();
  };
  health.measured = section.boolean("measured", true);
  rules.window_ms = span("window", rules.window_ms, 10s, 24h);
  rules.most_failed = static_cast<std::uint16_t>(section.integer("failed", rules.most_failed, 1, 1000));
  rules.slowest_p90_ms = span("slowest", rules.slowest_p90_ms, 0s, 59min);
  rules.least_samples = static_cast<std::uint32_t>(section.integer("samples", rules.least_samples, 1, 1'000'000));
  rules.least_probes = static_cast<std::uint32_t>(section.integer("probes", rules.least_probes, 1, 1'000'000));
  rules.hold_ms = span("hold", rules.hold_ms, 1s, 24h);
  rules.longest_hold_ms = span("longest_hold", std::max(rules.hold_ms, rules.longest_hold_ms), 1s, 7 * 24h);
  if (const Result<policy::RouteHealth> made = policy::RouteHealth::make(rules); !made) section.fault("longest_hold", made.what());
  if (!section.has("receipts")) return;
  health.receipts.clear();
  for (const std::string& name : section.texts("receipts")) {
    if (const std::optional<Channel> channel = channel_named(name)) health.receipts.push_back(*channel);
    else section.fault("receipts", "'" + name + "' is no channel; there are push, sms, whatsapp, viber, telegram, email, voice");
  }
}

// What has reached whom is forgotten with the message.
void check_caps_within_keep(Section& root, const Config& config) {
  for (const policy::Cap& cap : config.policy.caps)
    for (const Category category : kCategories)
      if ((cap.categories & policy::mask_of(category)) != 0 && cap.period == policy::Period::rolling && cap.rolling_ms > config.rules(category).keep.count())
        root.fault("policy", "cap '" + cap.name + "' looks back further than messages of " + std::string(name_of(category)) +
                                 " are kept; shorten its period, or lengthen 'keep' of [categories." + std::string(name_of(category)) + "]");
}

void check_duplicates_within_keep(Section& root, const Config& config) {
  for (const Category category : kCategories)
    if (config.policy.duplicate_ms(category) > config.rules(category).keep.count())
      root.fault("policy", "a window of duplicates looks back further than messages of " + std::string(name_of(category)) +
                               " are kept; shorten it, or lengthen 'keep' of [categories." + std::string(name_of(category)) + "]");
}

// A sender of codes never carries an offer: neither by mistake in a scenario nor in a category's choice of one.
void check_senders(const Config& config, Faults& faults) {
  for (const auto& [name, scenario] : config.scenarios)
    for (const ScenarioStep& step : scenario.steps)
      for (const Category category : kCategories)
        if (!step.sender.empty() && config.serves(scenario, category) && !config.may_carry(step.sender, category))
          faults.add(step.where + ": sender '" + step.sender + "' may not carry " + std::string(name_of(category)) +
                     ", which goes by this scenario; give the step another sender, or " + std::string(name_of(category)) + " another scenario");
}

void check_pull_clients(Section& root, const Config& config) {
  for (const auto& [name, connector] : config.connectors)
    if (!connector.client.empty() && !config.clients.contains(connector.client))
      root.fault("connectors", "connector '" + name + "' submits for client '" + connector.client + "', which is not configured");
}

void check_scenarios_have_routes(Section& root, const Config& config) {
  for (const auto& [name, scenario] : config.scenarios)
    for (const ScenarioStep& step : scenario.steps)
      if (!step.step.pause && std::ranges::none_of(config.routes, [&](const Route& route) { return route.channel == step.step.channel; }))
        root.fault("routes", "scenario '" + name + "' uses " + std::string(name_of(step.step.channel)) +
                                 ", for which there is no route; add [[routes]] with that channel");
}

// Every *.toml of a folder, in name order, so that faults and hashes are stable.
std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".toml") files.push_back(entry.path().string());
  std::ranges::sort(files);
  return files;
}

template <class Item, class Read>
void read_folder(const std::string& folder, Faults& faults, std::map<std::string, Item, std::less<>>& items, const Read& read,
                 std::vector<std::string>& files) {
  for (const std::string& path : files_of(folder)) {
    files.push_back(path);
    Result<std::unique_ptr<SettingsFile>> file = SettingsFile::read(path);
    if (!file) {
      faults.add(file.what());
      continue;
    }
    Section root = (*file)->root();
    Item item = read(root);
    if (items.contains(item.name)) root.fault("name", "'" + item.name + "' is the name of another file's already");
    faults.add((*file)->finish());
    std::string name = item.name;
    items.emplace(std::move(name), std::move(item));
  }
}

PolicyFile read_policy_file(Section& root, Config& config, Faults& faults, std::vector<std::string>& files) {
  const std::string path = root.path("policy", "");
  if (path.empty()) return {};
  files.push_back(path);
  std::ifstream in(path, std::ios::binary);
  if (!in) return faults.add(path + ": cannot be read; check that it exists and who may read it"), PolicyFile();
  std::string text(kMaxPolicy + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxPolicy) return faults.add(path + ": is larger than 4 MiB"), PolicyFile();
  Result<std::unique_ptr<SettingsFile>> file = SettingsFile::parse(text, path);
  if (!file) return faults.add(file.what()), PolicyFile();
  Section section = (*file)->root();
  PolicyFile policy = read_policy(section, text);
  faults.add((*file)->finish());
  config.policy = std::move(policy.policy);
  config.policy_source = {path, std::move(text), policy.sha256, policy::version_of(policy.sha256)};
  config.velocity = std::move(policy.velocity);
  files.insert(files.end(), policy.files.begin(), policy.files.end());
  return policy;
}

// What the policy names and the other files must have.
void check_names_of(const PolicyFile& policy, const Config& config, Faults& faults) {
  for (const auto& [where, name] : policy.templates)
    if (!config.templates.contains(name)) faults.add(where + ": there is no template '" + name + "'");
  for (const auto& [where, name] : policy.clients)
    if (!config.clients.contains(name)) faults.add(where + ": there is no client '" + name + "'");
}

std::string hash_of(const std::vector<std::string>& files) {
  Bytes all;
  ByteWriter out(all);
  for (const std::string& path : files) {
    std::ifstream in(path, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    out.text16(fs::path(path).filename().string());
    out.view32(as_bytes(content));
  }
  return to_hex(sha256(all));
}

}  // namespace

bool Client::may_use(std::string_view template_name) const {
  return templates.empty() || std::ranges::any_of(templates, [&](const std::string& pattern) { return matches(pattern, template_name); });
}

// A step without a sender goes by its connector's own, which the routes give to categories.
bool Client::may_send_as(std::string_view sender) const { return sender.empty() || senders.empty() || std::ranges::find(senders, sender) != senders.end(); }

bool Config::may_carry(std::string_view sender, Category category) const {
  const auto found = senders.find(sender);
  return found == senders.end() || std::ranges::find(found->second, category) != found->second.end();
}

bool Config::serves(const Scenario& scenario, Category category) const {
  if (std::ranges::find(scenario.categories, category) != scenario.categories.end()) return true;
  const auto found = categories.find(category);
  return found != categories.end() && (found->second.scenario == scenario.name || std::ranges::find(found->second.choices, scenario.name, &Choice::scenario) != found->second.choices.end());
}

bool Route::carries(Channel wanted, const std::string& network, Category category) const {
  return channel == wanted && (networks.empty() || std::ranges::find(networks, network) != networks.end()) &&
         (categories.empty() || std::ranges::find(categories, category) != categories.end());
}

Result<std::shared_ptr<const Config>> load(const std::string& posternd_toml) {
  Result<std::unique_ptr<SettingsFile>> file = SettingsFile::read(posternd_toml);
  if (!file) return fail(file.what());
  auto config = std::make_shared<Config>();
  Faults faults;
  Section root = (*file)->root();

  config->state_folder = root.path("state", "/var/lib/postern");
  config->anchor = root.text("anchor", config->state_folder + "/anchor");
  std::error_code ignored;
  if (root.has("anchor") && (!fs::path(config->anchor).is_absolute() || !fs::is_directory(fs::path(config->anchor).parent_path(), ignored)))
    root.fault("anchor", "'anchor' must be a whole path in a folder that exists, best on another disk than 'state'");
  config->reserve_bytes = static_cast<std::uint64_t>(root.integer("reserve_mib", 256, 0, 1'000'000) * kMiB);
  config->bus_socket = root.text("bus", "/run/postern/bus/socket");
  config->control_socket = root.text("control", "/run/postern/control/socket");
  config->audit_origin = root.text("audit_origin");
  if (config->audit_origin.find_first_of("+ \t\n") != std::string::npos || config->audit_origin.size() > 128)
    root.fault("audit_origin", "must be up to 128 characters without '+' and spaces, such as \"bank.example/postern/audit\"");
  config->admins = root.texts("admins");
  config->submit_window = static_cast<std::uint32_t>(root.integer("submit_window", 8192, 1, 100'000));
  config->unlock_credential = root.text("unlock_key", "");
  if (!config->unlock_credential.empty() && config->unlock_credential.find('/') == std::string::npos) {
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr) root.fault("unlock_key", "names a credential, but the unit gives none; add LoadCredentialEncrypted=, or give a path");
    else config->unlock_credential = std::string(folder) + "/" + config->unlock_credential;
  }
  const std::string scenarios = root.path("scenarios", "scenarios"), templates = root.path("templates", "templates");

  std::vector<std::string> files{posternd_toml};
  config->vocabulary = message_vocabulary();
  read_folder(scenarios, faults, config->scenarios, [&](Section& section) { return read_scenario(section, *config->vocabulary); }, files);
  read_folder(templates, faults, config->templates, read_template, files);
  const PolicyFile policy = read_policy_file(root, *config, faults, files);
  read_connectors(root, *config);
  read_clients(root, *config);
  read_category_rules(root, *config);
  read_routes(root, *config);
  read_trust(root, *config);
  read_senders(root, *config);
  read_routes_health(root.section("routes_health"), *config);
  check_names_of(policy, *config, faults);
  check_caps_within_keep(root, *config);
  check_duplicates_within_keep(root, *config);
  check_senders(*config, faults);
  check_labels(*config, faults);
  check_pull_clients(root, *config);
  check_scenarios_have_routes(root, *config);
  faults.add((*file)->finish());
  if (!faults.none()) return fail(faults.take());
  config->sha256 = hash_of(files);
  return std::shared_ptr<const Config>(std::move(config));
}

}  // namespace postern::config
