// SPDX-License-Identifier: Apache-2.0
#include "gateway/templates/template.hpp"

#include <algorithm>

namespace postern::templates {
namespace {

constexpr std::size_t kMaxText = 64 * 1024, kMaxValue = 500;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void append_html(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
}

bool is_amount(std::string_view v) {
  if (!v.empty() && (v.front() == '-' || v.front() == '+')) v.remove_prefix(1);
  bool digits = false;
  while (!v.empty() && (is_digit(v.front()) || v.front() == '.' || v.front() == ',' || v.front() == ' ' || v.front() == '\'')) {
    digits = digits || is_digit(v.front());
    v.remove_prefix(1);
  }
  // What follows is a currency: a word or a sign, without digits.
  return digits && v.size() <= 12 && std::ranges::none_of(v, is_digit);
}

bool is_date(std::string_view v) {
  const std::size_t date = v.find_first_of(" T");
  const std::string_view day = v.substr(0, date);
  const auto fits = [](std::string_view text, std::string_view form) {
    return text.size() == form.size() &&
           std::ranges::equal(text, form, [](char c, char f) { return f == '0' ? is_digit(c) : c == f; });
  };
  const bool day_good = fits(day, "0000-00-00") || fits(day, "00.00.0000");
  return day_good && (date == std::string_view::npos || fits(v.substr(date + 1), "00:00") || fits(v.substr(date + 1), "00:00:00"));
}

// RFC 6901 section 3.
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') out += "~0";
    else if (c == '/') out += "~1";
    else out += c;
  }
  return out;
}

// "{{" name "}}" inside: letters, digits and underscores.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

}  // namespace

std::optional<Kind> kind_named(std::string_view name) {
  if (name == "text") return Kind::text;
  if (name == "digits") return Kind::digits;
  if (name == "amount") return Kind::amount;
  if (name == "date") return Kind::date;
  if (name == "url") return Kind::url;
  return std::nullopt;
}

std::optional<std::string> refusal(Kind kind, std::string_view value) {
  if (value.empty()) return "is empty";
  if (value.size() > kMaxValue) return "is longer than 500 bytes";
  if (has_control(value)) return "holds a control character";
  switch (kind) {
    case Kind::text: return std::nullopt;
    case Kind::digits:
      if (value.size() > 20 || !std::ranges::all_of(value, is_digit)) return "must be 1 to 20 digits";
      return std::nullopt;
    case Kind::amount:
      if (!is_amount(value)) return "must be an amount such as 1250.00 or -12,50 UAH";
      return std::nullopt;
    case Kind::date:
      if (!is_date(value)) return "must be a date such as 2026-11-22 or 22.11.2026 14:30";
      return std::nullopt;
    case Kind::url:
      if (!value.starts_with("https://") || value.size() < 12 || value.find(' ') != std::string_view::npos) return "must be a link that begins with https://";
      return std::nullopt;
  }
  return std::nullopt;
}

Result<Text> Text::parse(std::string_view source, const std::vector<Placeholder>& placeholders) {
  if (source.size() > kMaxText) return fail("is longer than 64 KiB");
  Text text;
  while (!source.empty()) {
    const std::size_t open = source.find("{{");
    if (const std::string_view literal = source.substr(0, open); !literal.empty()) text.pieces_.push_back({std::string(literal), -1});
    if (open == std::string_view::npos) break;
    const std::size_t close = source.find("}}", open);
    if (close == std::string_view::npos) return fail("has '{{' without '}}'");
    const std::string_view name = source.substr(open + 2, close - open - 2);
    const auto found = std::ranges::find(placeholders, name, &Placeholder::name);
    if (!is_name(name)) return fail("has a placeholder that is not letters, digits and underscores");
    if (found == placeholders.end()) return fail("uses {{" + std::string(name) + "}}, which [placeholders] does not declare");
    text.pieces_.push_back({{}, static_cast<int>(found - placeholders.begin())});
    source.remove_prefix(close + 2);
  }
  return text;
}

std::string Text::render(const std::vector<std::string_view>& values, Escape escape) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    if (piece.placeholder < 0) out += piece.literal;
    else if (escape == Escape::html) append_html(out, values[static_cast<std::size_t>(piece.placeholder)]);
    else out += values[static_cast<std::size_t>(piece.placeholder)];
  }
  return out;
}

std::vector<std::string_view> Template::check(const Variables& variables, std::vector<Fault>& faults) const {
  std::vector<std::string_view> values(placeholders.size());
  std::vector<bool> given(placeholders.size());
  for (const auto& [variable, value] : variables) {
    const auto found = std::ranges::find(placeholders, variable, &Placeholder::name);
    const std::string pointer = "/variables/" + escaped(variable);
    if (found == placeholders.end()) {
      faults.push_back({pointer, "unknown-variable", "the template '" + name + "' has no placeholder of this name"});
      continue;
    }
    const auto at = static_cast<std::size_t>(found - placeholders.begin());
    if (const std::optional<std::string> why = refusal(found->kind, value)) faults.push_back({pointer, "invalid-variable", *why});
    given[at] = true;
    values[at] = value;
  }
  for (std::size_t i = 0; i < placeholders.size(); ++i)
    if (!given[i])
      faults.push_back({"/variables/" + placeholders[i].name, "missing-variable", "the template '" + name + "' needs this variable"});
  return values;
}

bool Template::fits(const Part& part, Channel channel) {
  if (channel == Channel::whatsapp) return !part.provider_template.empty();
  return channel == Channel::viber || !part.text.empty() || !part.html.empty();
}

const Part* Template::part(std::string_view locale, Channel channel, std::string_view variant, Label most, Label usual) const {
  const std::string_view language = locale.substr(0, locale.find_first_of("-_"));
  for (const std::string_view wanted : {locale, language, std::string_view(default_locale)}) {
    const auto texts = locales.find(wanted);
    if (texts == locales.end()) continue;
    const auto& parts = texts->second;
    const Part* too_high = nullptr;
    // A named variant that this locale lacks falls to the channel's own text, not to another language.
    for (const std::string_view key : {variant.empty() ? name_of(channel) : variant, name_of(channel), std::string_view()}) {
      const auto own = parts.find(key);
      if (own == parts.end()) continue;
      if (label_of(own->second, usual) <= most) return &own->second;
      too_high = &own->second;
    }
    if (too_high == nullptr) continue;
    const Part* lower = nullptr;
    for (const auto& [key, other] : parts)
      if (!channel_named(key) && fits(other, channel) && label_of(other, usual) <= most && (lower == nullptr || label_of(other, usual) > label_of(*lower, usual)))
        lower = &other;
    if (lower != nullptr) return lower;
  }
  return nullptr;
}

void Template::render(const Part& part, const std::vector<std::string_view>& values, Payload& payload) const {
  payload.subject = part.subject.render(values, Text::Escape::none);
  payload.text = part.text.render(values, Text::Escape::none);
  payload.html = part.html.render(values, Text::Escape::html);
  payload.provider_template = part.provider_template;
  payload.provider_language = part.provider_language;
  for (const std::size_t at : part.parameters) payload.parameters.emplace_back(placeholders[at].name, std::string(values[at]));
}

}  // namespace postern::templates
