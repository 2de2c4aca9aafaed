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

constexpr std::size_t kMaxName = 40;

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
