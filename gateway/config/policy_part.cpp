// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/policy_part.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "crypto/merkle.hpp"
#include "gateway/config/parts.hpp"

namespace postern::config {
namespace {

using namespace std::chrono_literals;
using policy::CategoryMask;

constexpr std::size_t kMaxName = 40, kMaxGuards = 4;

CategoryMask read_mask(Section& section, std::string_view key) {
  CategoryMask mask = 0;
  for (const Category category : read_categories(section, key)) mask |= policy::mask_of(category);
  if (section.has(key)) return mask;
  for (const Category category : kCategories) mask |= policy::mask_of(category);
  return mask;
}

// Names stand in reasons and in the audit log.
std::string read_name(Section& section) {
  const std::string name = section.text("name");
  const bool word = std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (name.size() > kMaxName || !word) section.fault("name", "must be a word of small letters, digits and '-', at most 40 characters");
  return name;
}

// Codes and warnings go to whoever needs them: a rule that would stop them is a mistake.
void never_for_urgent(Section& section, std::string_view key, CategoryMask mask, std::string_view what) {
  for (const Category category : kCategories)
    if (policy::passes(category) && (mask & policy::mask_of(category)) != 0)
      section.fault(key, std::string(name_of(category)) + " cannot be among " + std::string(what) + ": it would be blocked; take it out of '" + std::string(key) + "'");
}

void read_consent(Section section, policy::ConsentRules& rules) {
  const auto mask_of_key = [&](std::string_view key) { return section.has(key) ? read_mask(section, key) : CategoryMask{0}; };
  rules.required = mask_of_key("required");
  never_for_urgent(section, "required", rules.required, "what needs a consent");
  rules.stops = mask_of_key("stops");
  never_for_urgent(section, "stops", rules.stops, "what a customer can stop by a reply");
  for (const std::string& text : section.texts("stop_words")) {
    std::string word = policy::folded_word(text);
    if (word.empty() || text.size() > 64) section.fault("stop_words", "a stop word has 1 to 64 bytes and is more than stops and spaces");
    rules.stop_words.push_back(std::move(word));
  }
  if (rules.stop_words.empty() != (rules.stops == 0))
    section.fault(rules.stop_words.empty() ? "stops" : "stop_words", "stop_words and stops belong together: stop_words = [\"STOP\"] and stops = [\"marketing\"]");
}

void read_quiet_hours(Section section, policy::Policy& policy) {
  const std::vector<std::string> texts = section.texts("spans");
  const std::vector<std::string_view> spans(texts.begin(), texts.end());
  Result<policy::QuietHours> quiet = policy::QuietHours::parse(spans);
  if (!quiet) section.fault("spans", quiet.what());
  else policy.quiet = std::move(*quiet);
  policy.quiet_categories = read_mask(section, "categories");
}

void read_cap(Section& section, policy::Policy& policy) {
  policy::Cap cap;
  cap.name = read_name(section);
  cap.categories = read_mask(section, "categories");
  cap.limit = static_cast<std::uint32_t>(section.integer("limit", std::nullopt, 1, 1'000'000));
  const std::string period = section.text("period", "day");
  if (period == "day") cap.period = policy::Period::day;
  else if (period == "week") cap.period = policy::Period::week;
  else {
    cap.period = policy::Period::rolling;
    cap.rolling_ms = section.duration("period", 24h, 1s, 24h * 366).count();
  }
  if (std::ranges::find(policy.caps, cap.name, &policy::Cap::name) != policy.caps.end()) section.fault("name", "there is a cap '" + cap.name + "' already");
  policy.caps.push_back(std::move(cap));
}

void read_list(Section& section, PolicyFile& file, Bytes& hashed) {
  policy::ListRule rule;
  rule.name = read_name(section);
  rule.kind = section.choice<policy::ListRule::Kind>("kind", std::nullopt, {{"never", policy::ListRule::Kind::never}, {"only", policy::ListRule::Kind::only}});
  rule.categories = read_mask(section, "categories");
  for (const Category category : kCategories)
    if (rule.kind == policy::ListRule::Kind::only && policy::passes(category) && (rule.categories & policy::mask_of(category)) != 0)
      section.fault("categories", "a list of kind \"only\" would stop " + std::string(name_of(category)) +
                                      " for every customer who is not on it; name the categories it is for, such as [\"marketing\"]");
  const std::string path = section.path("file");
  if (path.empty()) return;
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  Result<policy::AddressList> list = policy::AddressList::load(text);
  if (!list) section.fault("file", "'" + path + "': " + list.what());
  else rule.list = std::move(*list);
  ByteWriter(hashed).raw(sha256(as_bytes(text)));
  file.files.push_back(path);
  file.policy.lists.push_back(std::move(rule));
}

void read_duplicates(Section& section, policy::Policy& policy) {
  policy::DuplicateRule rule;
  if (section.has("categories")) rule.categories = read_mask(section, "categories");
  else
    for (const Category category : kCategories)
      if (!policy::passes(category)) rule.categories |= policy::mask_of(category);
  for (const Category category : kCategories)
    if (policy::passes(category) && (rule.categories & policy::mask_of(category)) != 0)
      section.fault("categories", "a second " + std::string(name_of(category)) + " message with the same words is no mistake and would be stopped; leave it out");
  rule.window_ms = section.duration("window", std::nullopt, 1s, 24h * 366).count();
  policy.duplicates.push_back(rule);
}

// "1000/min"
bool read_rate(const std::string& text, policy::SpeedRule& rule) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[]{{"s", 1000}, {"min", 60'000}, {"h", 3'600'000}};
  const std::size_t slash = text.find('/');
  const auto unit = std::ranges::find(kUnits, std::string_view(text).substr(slash == std::string::npos ? text.size() : slash + 1), &std::pair<std::string_view, std::int64_t>::first);
  if (slash == 0 || slash == std::string::npos || slash > 7 || unit == std::end(kUnits) || text.find_first_not_of("0123456789") != slash) return false;
  rule.count = std::stoll(text.substr(0, slash));
  rule.per_ms = unit->second;
  return rule.count >= 1 && rule.count <= 1'000'000 && rule.count * 1000 <= 10'000 * rule.per_ms;
}

void read_speed(Section& section, PolicyFile& file) {
  policy::SpeedRule rule;
  rule.name = read_name(section);
  rule.categories = section.has("categories") ? read_mask(section, "categories") : policy::mask_of(Category::marketing);
  rule.templates = section.texts("templates");
  rule.clients = section.texts("clients");
  for (const Category category : kCategories)
    if (policy::passes(category) && (rule.categories & policy::mask_of(category)) != 0)
      section.fault("categories", std::string(name_of(category)) + " waits for no campaign; leave it out");
  const std::string rate = section.text("rate");
  if (!rate.empty() && !read_rate(rate, rule)) section.fault("rate", "must be so many messages in so long, such as \"1000/min\": /s, /min or /h, at most 10000 a second");
  if (std::ranges::find(file.policy.speeds, rule.name, &policy::SpeedRule::name) != file.policy.speeds.end())
    section.fault("name", "there is a speed '" + rule.name + "' already");
  for (const std::string& name : rule.templates) file.templates.emplace_back(section.where("templates"), name);
  for (const std::string& name : rule.clients) file.clients.emplace_back(section.where("clients"), name);
  file.policy.speeds.push_back(std::move(rule));
}

void read_content(Section section, policy::Policy& policy) {
  policy.guards_content = true;
  policy.content.cards = section.boolean("cards", true);
  policy.content.ibans = section.boolean("ibans", true);
  policy.content.links = section.boolean("links", true);
  policy.content.letters = section.boolean("letters", true);
  policy.content.hidden = section.boolean("hidden", true);
  const std::vector<std::string> texts = section.texts("domains");
  const std::vector<std::string_view> domains(texts.begin(), texts.end());
  Result<policy::DomainList> list = policy::DomainList::make(domains);
  if (!list) section.fault("domains", list.what());
  else policy.content.domains = std::move(*list);
}

// Of what is wrong with one setting its own getter tells; what remains is how they fit each other.
void read_velocity(Section& section, PolicyFile& file) {
  const auto seconds = [&](std::string_view key, std::int64_t otherwise_ms, std::chrono::milliseconds least, std::chrono::milliseconds most) {
    return section.duration(key, std::chrono::milliseconds(otherwise_ms), least, most).count();
  };
  constexpr std::chrono::milliseconds kDay = 24h, kYear = 366 * kDay;
  const policy::VelocityRules usual;
  VelocityGuard guard;
  policy::VelocityRules& rules = guard.rules;
  guard.categories = section.has("categories") ? read_mask(section, "categories") : policy::mask_of(Category::otp);
  rules.whole_prefix = section.boolean("whole_prefix", usual.whole_prefix);
  rules.digits = static_cast<std::uint8_t>(section.integer("digits", usual.digits, rules.whole_prefix ? 1 : 0, 15));
  rules.window_ms = seconds("window", usual.window_ms, 12s, 7 * kDay);
  rules.limit = static_cast<std::uint32_t>(section.integer("limit", usual.limit, 1, 1'000'000'000));
  rules.factor_percent = static_cast<std::uint32_t>(section.integer("factor", usual.factor_percent, 100, 10'000));
  rules.usual_ms = seconds("usual", std::max(usual.usual_ms, 10 * rules.window_ms), 2min, kYear);
  rules.cool_down_ms = seconds("cool_down", usual.cool_down_ms, 1s, kYear);
  rules.least_confirmed = static_cast<std::uint16_t>(section.integer("confirmed", 0, 0, 1000));
  rules.least_samples = static_cast<std::uint32_t>(section.integer("samples", usual.least_samples, 1, 1'000'000'000));
  rules.answer_ms = seconds("answer", std::min(usual.answer_ms, rules.window_ms / 2), 0s, 7 * kDay);
  guard.confirmed_by = section.text("confirmed_by", "");
  if (guard.confirmed_by.size() > kMaxEventName) section.fault("confirmed_by", "an event's name has 1 to 64 characters");
  if (rules.least_confirmed > 0 && guard.confirmed_by.empty())
    section.fault("confirmed", "which codes were used is told by an event: name it, such as confirmed_by = \"code-used\"");
  if (const Result<policy::Velocity> made = policy::Velocity::make(rules); !made) section.fault("window", made.what());
  const auto alike = [&](const VelocityGuard& other) { return other.rules.digits == rules.digits && other.rules.whole_prefix == rules.whole_prefix; };
  if (std::ranges::any_of(file.velocity, alike)) section.fault("digits", "there is a guard with prefixes of this length already");
  if (file.velocity.size() == kMaxGuards) section.fault("digits", "there are at most 4 guards");
  else file.velocity.push_back(std::move(guard));
}

}  // namespace

PolicyFile read_policy(Section& root, std::string_view text) {
  PolicyFile file;
  Bytes hashed;
  ByteWriter(hashed).raw(sha256(as_bytes(text)));
  if (const std::string zone = root.text("time_zone", ""); !zone.empty()) {
    Result<policy::Zone> found = policy::Zone::find(zone);
    if (!found) root.fault("time_zone", found.what());
    else file.policy.zone = std::move(*found);
  }
  if (root.has("consent")) read_consent(root.section("consent"), file.policy.consent);
  if (root.has("quiet_hours")) read_quiet_hours(root.section("quiet_hours"), file.policy);
  for (Section& section : root.sections("caps")) read_cap(section, file.policy);
  for (Section& section : root.sections("lists")) read_list(section, file, hashed);
  for (Section& section : root.sections("duplicates")) read_duplicates(section, file.policy);
  for (Section& section : root.sections("speeds")) read_speed(section, file);
  for (Section& section : root.sections("velocity")) read_velocity(section, file);
  if (root.has("content")) read_content(root.section("content"), file.policy);
  const bool needs_zone = root.has("quiet_hours") || !file.policy.caps.empty();
  if (needs_zone && !root.has("time_zone"))
    root.fault("time_zone", "quiet hours and caps need the zone of recipients of whom none is known: time_zone = \"Europe/Kyiv\"");
  file.sha256 = to_hex(sha256(hashed));
  return file;
}

Result<PolicyFile> load_policy(const std::string& text, const std::string& path) {
  Result<std::unique_ptr<SettingsFile>> file = SettingsFile::parse(text, path);
  if (!file) return fail(file.what());
  Section root = (*file)->root();
  PolicyFile policy = read_policy(root, text);
  if (const Status good = (*file)->finish(); !good) return fail(good.what());
  return policy;
}

}  // namespace postern::config
