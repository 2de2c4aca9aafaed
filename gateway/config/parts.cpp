// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/parts.hpp"

#include <algorithm>

namespace postern::config {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kLongestWait = 24h * 45;   // 32 bits of milliseconds hold 49 days
constexpr std::array kProgress{AttemptState::sent, AttemptState::delivered, AttemptState::read, AttemptState::replied};
constexpr std::size_t kMaxName = 64, kMaxProviderName = 512, kMaxParameters = 100;

// "3d", then the next step.
ScenarioStep read_pause(Section& section) {
  ScenarioStep step;
  step.step.pause = true;
  step.step.wait_ms = static_cast<std::uint32_t>(section.duration("pause", std::nullopt, 1s, kLongestWait).count());
  for (const char* other : {"channel", "wait", "until", "together", "validity", "when", "text", "sender"})
    if (section.has(other)) {
      (void)section.text(other, "");
      section.fault(other, "a pause sends nothing: '" + std::string(other) + "' belongs to a step with a channel");
    }
  for (const char* other : {"only_if", "unless"})
    if (!section.texts(other).empty()) section.fault(other, "a pause sends nothing: '" + std::string(other) + "' belongs to a step with a channel");
  return step;
}

// "push.delivered": what must be known, or must not be, when the step begins.
std::uint32_t read_news(Section& section, std::string_view key, const Scenario& scenario) {
  std::uint32_t news = 0;
  for (const std::string& text : section.texts(key)) {
    const std::size_t dot = text.find('.');
    const std::optional<Channel> channel = channel_named(text.substr(0, dot));
    const std::string_view word = dot == std::string::npos ? std::string_view() : std::string_view(text).substr(dot + 1);
    const auto progress = std::ranges::find(kProgress, word, [](AttemptState state) { return name_of(state); });
    if (!channel || progress == kProgress.end()) {
      section.fault(key, "'" + text + "' is no news of a channel; write it as push.sent, push.delivered, push.read or push.replied");
      continue;
    }
    const bool before = std::ranges::any_of(scenario.steps, [&](const ScenarioStep& s) { return !s.step.pause && s.step.channel == *channel; });
    if (!before && scenario.order == Order::as_written) section.fault(key, "no step before this one goes by " + std::string(name_of(*channel)) + ": there is no news of it");
    news |= news_bit(*channel, *progress);
  }
  return news;
}

ScenarioStep read_step(Section& section, const Scenario& scenario, policy::Vocabulary& vocabulary) {
  if (section.has("pause")) return read_pause(section);
  ScenarioStep step;
  step.step.channel = read_channel(section, "channel").value_or(Channel::sms);
  const Until usual = scenario.escalate ? Until::replied : scenario.stop_on.empty() ? Until::delivered : Until::event;
  step.step.until = section.choice<Until>(
      "until", usual,
      {{"sent", Until::sent}, {"delivered", Until::delivered}, {"read", Until::read}, {"replied", Until::replied}, {"event", Until::event}});
  if (step.step.until == Until::event && scenario.stop_on.empty())
    section.fault("until", "waits for an event, and the scenario names none; give stop_on = [\"...\"] above the steps");
  if (scenario.escalate && step.step.until != Until::replied && step.step.until != Until::event)
    section.fault("until", "an escalation goes on until the customer answers: leave 'until' out");
  step.step.wait_ms = static_cast<std::uint32_t>(section.duration("wait", 0ms, 0ms, kLongestWait).count());
  step.step.validity_ms = static_cast<std::uint32_t>(section.duration("validity", 0ms, 0ms, kLongestWait).count());
  step.step.together = section.boolean("together", false);
  step.when = read_condition(section, "when", vocabulary);
  step.step.only_if = read_news(section, "only_if", scenario);
  step.step.unless = read_news(section, "unless", scenario);
  step.text = section.text("text", "");
  step.sender = section.text("sender", "");
  step.where = section.where(section.has("sender") ? "sender" : "channel");
  if (step.sender.size() > 64) section.fault("sender", "must have at most 64 characters");
  return step;
}

std::vector<std::string> read_events(Section& root, std::string_view key) {
  std::vector<std::string> events = root.texts(key);
  if (events.size() > kMaxEvents) root.fault(key, "at most 8 events can be named here");
  for (const std::string& event : events)
    if (event.empty() || event.size() > kMaxEventName) root.fault(key, "an event's name has 1 to 64 characters");
  return events;
}

void check_steps(std::vector<Section>& steps, const Scenario& scenario) {
  std::chrono::milliseconds waits{0};
  const std::size_t count = scenario.steps.size();
  std::size_t first = 0;   // of the stage
  for (std::size_t i = 0; i < count; ++i) {
    const Step& step = scenario.steps[i].step;
    if (step.together) {
      if (i == 0) steps[i].fault("together", "there is no step before it that it could begin with");
      else if (scenario.steps[i - 1].step.pause) steps[i].fault("together", "a pause is over when the next step begins: leave 'together' out");
      if (step.wait_ms != 0) steps[i].fault("wait", "steps that begin together have one 'wait': at the first of them");
    } else {
      first = i;
    }
    waits += std::chrono::milliseconds(step.wait_ms);
    const bool stage_ends = i + 1 == count || !scenario.steps[i + 1].step.together;
    const bool needs_wait = i + 1 < count || scenario.order != Order::as_written;
    if (step.pause && i + 1 == count) steps[i].fault("pause", "nothing follows this pause; take it out, or add the step that it waits for");
    else if (step.pause && scenario.order != Order::as_written) steps[i].fault("pause", "a pause has its place: use order = \"as-written\", or take it out");
    else if (stage_ends && needs_wait && scenario.steps[first].step.wait_ms == 0)
      steps[first].fault("wait", scenario.order == Order::as_written ? "a step that has a next one needs 'wait': how long it may take before the next one starts"
                                                                     : "any step may come first in this order, so each needs 'wait': how long it may take");
    else if (waits > scenario.deadline)
      steps[i].fault(step.pause ? "pause" : "wait", "the waits up to here are longer than the scenario's deadline: the rest would never be sent");
  }
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
  part.label = read_label(section, "label");
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

std::optional<Label> read_label(Section& section, std::string_view key) {
  if (!section.has(key)) return std::nullopt;
  const std::string text = section.text(key);
  const auto label = std::ranges::find_if(kLabels, [&](Label l) { return name_of(l) == text; });
  if (label != kLabels.end()) return *label;
  section.fault(key, "'" + std::string(key) + "' must be one of: public, internal, confidential, secret");
  return std::nullopt;
}

std::optional<policy::Condition> read_condition(Section& section, std::string_view key, policy::Vocabulary& vocabulary) {
  const std::string text = section.text(key, "");
  if (text.empty()) return std::nullopt;
  std::expected<policy::Condition, policy::Fault> condition = policy::Condition::parse(text, vocabulary);
  if (condition) return std::move(*condition);
  section.fault(key, "'" + std::string(key) + "' at character " + std::to_string(condition.error().offset + 1) + ": " + condition.error().what);
  return std::nullopt;
}

std::int64_t read_price(Section& section, std::string_view key) {
  const std::string text = section.text(key, "");
  if (text.empty()) return 0;
  constexpr std::size_t kWhole = 6, kFraction = 6;
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string whole = text.substr(0, point);
  std::string fraction = point == text.size() ? "" : text.substr(point + 1);
  const auto digits = [](const std::string& s) { return std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; }); };
  if (whole.empty() || whole.size() > kWhole || fraction.size() > kFraction || !digits(whole) || !digits(fraction) || (point != text.size() && fraction.empty())) {
    section.fault(key, "must be a price in your currency with at most six decimals, in quotes, such as \"0.045\"");
    return 0;
  }
  fraction.resize(kFraction, '0');
  return std::stoll(whole) * 1'000'000 + std::stoll(fraction);
}

Scenario read_scenario(Section& root, policy::Vocabulary& vocabulary) {
  Scenario scenario;
  scenario.name = root.text("name");
  scenario.categories = read_categories(root, "categories");
  scenario.deadline = root.duration("deadline", std::nullopt, 1s, 24h * 365);
  scenario.order = root.choice<Order>("order", Order::as_written, {{"as-written", Order::as_written}, {"cheapest", Order::cheapest}, {"preferred", Order::preferred}});
  scenario.escalate = root.boolean("escalate", false);
  scenario.stop_on = read_events(root, "stop_on");
  scenario.start_on = read_events(root, "start_on");
  if (scenario.start_on.empty()) {
    if (root.has("start_by")) root.fault("start_by", "goes with start_on = [\"...\"], the events that it would wait for; without them leave it out");
  } else {
    scenario.start_by = root.duration("start_by", std::nullopt, 1s, 24h * 90);
    for (const std::string& event : scenario.start_on)
      if (std::ranges::find(scenario.stop_on, event) != scenario.stop_on.end())
        root.fault("start_on", "'" + event + "' is in stop_on too, which comes first: it would never begin anything");
  }
  std::vector<Section> steps = root.sections("steps");
  for (Section& section : steps) scenario.steps.push_back(read_step(section, scenario, vocabulary));
  check_steps(steps, scenario);
  if (steps.empty()) root.fault("steps", "a scenario needs at least one [[steps]]");
  if (steps.size() > kMaxSteps) root.fault("steps", "a scenario has at most 16 steps");
  return scenario;
}

templates::Template read_template(Section& root) {
  templates::Template t;
  t.name = root.text("name");
  if (t.name.size() > 200) root.fault("name", "must have at most 200 characters");
  t.categories = read_categories(root, "categories");
  if (t.categories.empty()) root.fault("categories", "name the categories that may use this template: categories = [\"service\"]");
  t.default_locale = root.text("default_locale");
  t.label = read_label(root, "label");
  t.where = root.where("name");
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
