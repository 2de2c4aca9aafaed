// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/parts.hpp"

#include <algorithm>

namespace postern::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxName = 64, kMaxProviderName = 512, kMaxParameters = 100;

ScenarioStep read_step(Section& section) {
  ScenarioStep step;
  step.step.channel = read_channel(section, "channel").value_or(Channel::sms);
  step.step.until = section.choice<Until>("until", Until::delivered,
                                          {{"sent", Until::sent}, {"delivered", Until::delivered}, {"read", Until::read}, {"replied", Until::replied}});
  step.step.wait_ms = static_cast<std::uint32_t>(section.duration("wait", 0ms, 0ms, 72h).count());
  step.text = section.text("text", "");
  step.sender = section.text("sender", "");
  if (step.sender.size() > 64) section.fault("sender", "must have at most 64 characters");
  return step;
}

templates::Text read_text(Section& section, std::string_view key, const templates::Template& t) {
  const std::string source = section.text(key, "");
  Result<templates::Text> text = templates::Text::parse(source, t.placeholders);
  if (text) return std::move(*text);
  section.fault(key, "'" + std::string(key) + "' " + text.what());
  return {};
}

templates::Part read_part(Section& section, const templates::Template& t) {
  templates::Part part;
  part.subject = read_text(section, "subject", t);
  part.text = read_text(section, "text", t);
  part.html = read_text(section, "html", t);
  part.provider_template = section.text("template", "");
  part.provider_language = section.text("language", "");
  for (const std::string& name : section.texts("parameters")) {
    const auto found = std::ranges::find(t.placeholders, name, &templates::Placeholder::name);
    if (found == t.placeholders.end()) section.fault("parameters", "'" + name + "' is not among [placeholders]");
    else part.parameters.push_back(static_cast<std::size_t>(found - t.placeholders.begin()));
  }
  if (part.provider_template.size() > kMaxProviderName) section.fault("template", "must have at most 512 characters");
  if (part.provider_language.size() > kMaxName) section.fault("language", "must have at most 64 characters");
  if (part.parameters.size() > kMaxParameters) section.fault("parameters", "there are at most 100 parameters");
  if (part.provider_template.empty() != part.provider_language.empty())
    section.fault("template", "'template' and 'language' belong together: give both or none");
  return part;
}

bool says_something(const templates::Part& part) { return !part.text.empty() || !part.provider_template.empty(); }

}  // namespace

std::optional<Channel> read_channel(Section& section, std::string_view key) {
  const std::string name = section.text(key);
  const std::optional<Channel> channel = channel_named(name);
  if (!channel && !name.empty()) section.fault(key, "'" + name + "' is no channel; there are push, sms, whatsapp, viber, telegram, email, voice");
  return channel;
}

std::vector<Category> read_categories(Section& section, std::string_view key) {
  std::vector<Category> categories;
  for (const std::string& name : section.texts(key)) {
    if (const std::optional<Category> category = category_named(name)) categories.push_back(*category);
    else section.fault(key, "'" + name + "' is no category; there are otp, security, transaction, service, marketing");
  }
  return categories;
}

Scenario read_scenario(Section& root) {
  Scenario scenario;
  scenario.name = root.text("name");
  scenario.categories = read_categories(root, "categories");
  scenario.deadline = root.duration("deadline", std::nullopt, 1s, 24h * 365);
  std::vector<Section> steps = root.sections("steps");
  std::chrono::milliseconds waits{0};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    ScenarioStep step = read_step(steps[i]);
    waits += std::chrono::milliseconds(step.step.wait_ms);
    if (i + 1 < steps.size() && step.step.wait_ms == 0)
      steps[i].fault("wait", "a step that has a next one needs 'wait': how long it may take before the next one starts");
    else if (waits > scenario.deadline)
      steps[i].fault("wait", "the waits up to here are longer than the scenario's deadline: the rest would never be sent");
    scenario.steps.push_back(std::move(step));
  }
  if (steps.empty()) root.fault("steps", "a scenario needs at least one [[steps]]");
  if (steps.size() > kMaxSteps) root.fault("steps", "a scenario has at most 8 steps");
  return scenario;
}

templates::Template read_template(Section& root) {
  templates::Template t;
  t.name = root.text("name");
  if (t.name.size() > 200) root.fault("name", "must have at most 200 characters");
  t.categories = read_categories(root, "categories");
  if (t.categories.empty()) root.fault("categories", "name the categories that may use this template: categories = [\"service\"]");
  t.default_locale = root.text("default_locale");
  Section placeholders = root.section("placeholders");
  for (const auto& [name, kind] : placeholders.all_texts()) {
    const std::optional<templates::Kind> known = templates::kind_named(kind);
    if (!known) placeholders.fault(name, "'" + kind + "' is no type; there are text, digits, amount, date, url");
    if (name.size() > kMaxName) placeholders.fault(name, "a placeholder's name has at most 64 characters");
    t.placeholders.push_back({name, known.value_or(templates::Kind::text)});
  }
  for (auto& [locale, section] : root.named_sections("locales")) {
    auto& parts = t.locales[locale];
    if (templates::Part general = read_part(section, t); says_something(general)) parts.emplace("", std::move(general));
    for (const std::string& name : section.table_names()) {
      Section own = section.section(name);
      templates::Part part = read_part(own, t);
      if (!says_something(part)) own.fault("text", "[locales." + locale + "." + name + "] says nothing; give 'text', or 'template' and 'language'");
      parts.emplace(name, std::move(part));
    }
    if (parts.empty()) section.fault("text", "locale '" + locale + "' says nothing; give 'text'");
  }
  if (!t.locales.contains(t.default_locale))
    root.fault("default_locale", "there is no [locales." + t.default_locale + "]; the default locale must have texts");
  return t;
}

}  // namespace postern::config
