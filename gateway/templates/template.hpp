// SPDX-License-Identifier: Apache-2.0
// Purpose: message templates: texts with named, typed placeholders, per locale, per channel, and the
// strict renderer. A variable that is missing, unknown or of the wrong type refuses the message; nothing is
// ever rendered as empty. Used by: the configuration (loads), the vault (renders).
// Threads: immutable after loading. Errors: faults with a JSON pointer into the submit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"
#include "gateway/domain/content.hpp"
#include "gateway/domain/words.hpp"

namespace postern::templates {

// What a placeholder may hold.
enum class Kind : std::uint8_t {
  text,     // up to 500 bytes, no control characters
  digits,   // 1..20 digits: codes
  amount,   // digits with . , or space groups, an optional sign, an optional currency word: "-1 250,00 UAH"
  date,     // 2026-11-22, 22.11.2026, with an optional hh:mm
  url,      // https:// only, no space or control character, up to 500 bytes
};

struct Placeholder {
  std::string name;
  Kind kind = Kind::text;
};

struct Fault {
  std::string pointer;   // "/variables/amount"
  std::string code;      // "missing-variable"
  std::string detail;
};

using Variables = std::vector<std::pair<std::string_view, std::string_view>>;

// A text cut into what stands and what is filled in, at load time.
class Text {
 public:
  // "Hello {{name}}". Errors: an unclosed brace, an undeclared placeholder, over 64 KiB.
  static Result<Text> parse(std::string_view source, const std::vector<Placeholder>& placeholders);
  bool empty() const { return pieces_.empty(); }

  enum class Escape { none, html };
  std::string render(const std::vector<std::string_view>& values, Escape escape) const;

 private:
  struct Piece {
    std::string literal;
    int placeholder = -1;   // index, or -1 for a literal
  };
  std::vector<Piece> pieces_;
};

// What one locale says on one channel (or in one named variant).
struct Part {
  Text subject, text, html;
  std::string provider_template, provider_language;
  std::vector<std::size_t> parameters;      // indexes of placeholders, in the provider's order
  std::optional<Label> label;               // nothing: the template's own
};

struct Template {
  std::string name;
  std::vector<Category> categories;         // for which it may be used
  std::vector<Placeholder> placeholders;
  std::string default_locale;
  std::optional<Label> label;               // nothing: its category's
  std::string where;                        // its place in the file
  // locale -> name of channel or variant -> part; the name "" holds what every text channel uses
  std::map<std::string, std::map<std::string, Part, std::less<>>, std::less<>> locales;

  // Values in the order of the placeholders; appends a fault for each that is missing, unknown or wrong.
  std::vector<std::string_view> check(const Variables& variables, std::vector<Fault>& faults) const;

  // The part for a step: the variant, else the channel's own, else the general one; locale "uk-UA",
  // then "uk", then the default. Nothing when the template has no text for this channel.
  // Of a text without a label and a template without one, `usual` is the label. A text above `most` is passed over; where none of these
  // is low enough, the highest of the locale's other texts that is.
  const Part* part(std::string_view locale, Channel channel, std::string_view variant, Label most = Label::secret, Label usual = Label::open) const;
  Label label_of(const Part& part, Label usual) const { return part.label.value_or(label.value_or(usual)); }
  // Whether the channel can carry such a text at all: WhatsApp takes the bank's words only as a template that it has approved.
  static bool fits(const Part& part, Channel channel);

  // Fills subject, text, html and provider fields of the payload.
  void render(const Part& part, const std::vector<std::string_view>& values, Payload& payload) const;
};

// Whether a value may stand where a placeholder of this kind stands; says why not.
std::optional<std::string> refusal(Kind kind, std::string_view value);
std::optional<Kind> kind_named(std::string_view name);

}  // namespace postern::templates
