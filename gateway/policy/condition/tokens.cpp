// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/condition/tokens.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace postern::policy {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::unexpected<Fault> refuse(std::size_t offset, std::string what) { return std::unexpected(Fault{offset, std::move(what)}); }

std::optional<std::int64_t> milliseconds_in(std::string_view unit) {
  if (unit == "s") return 1000;
  if (unit == "m") return 60'000;
  if (unit == "h") return 3'600'000;
  if (unit == "d") return 86'400'000;
  if (unit == "w") return 604'800'000;
  return std::nullopt;
}

std::optional<std::int64_t> minutes_of(std::string_view time) {
  if (time.size() != 5 || time[2] != ':' || !is_digit(time[0]) || !is_digit(time[1]) || !is_digit(time[3]) || !is_digit(time[4])) return std::nullopt;
  const int hours = (time[0] - '0') * 10 + (time[1] - '0'), minutes = (time[3] - '0') * 10 + (time[4] - '0');
  if (hours > 23 || minutes > 59) return std::nullopt;
  return hours * 60 + minutes;
}

// What a keyboard, a word processor or another language gives instead.
std::string meant_by(std::string_view rest) {
  for (const std::string_view quote : {"'", "`", "\u201c", "\u201d", "\u201e", "\u2018", "\u2019", "\u00ab", "\u00bb"})
    if (rest.starts_with(quote)) return "a text stands in straight double quotes: \"abc\"";
  if (rest.starts_with("=")) return "to compare, write ==";
  if (rest.starts_with("!")) return "write not, or != to compare";
  if (rest.starts_with("&")) return "write and";
  if (rest.starts_with("|")) return "write or";
  if (rest.starts_with("-") || rest.starts_with("+")) return "a sign stands only directly before the digits of a negative number: -5";
  return "outside of quotes stand only words, numbers and the signs ( ) [ ] , == != < <= > >=";
}

class Cutter {
 public:
  explicit Cutter(std::string_view source) : source_(source) {}

  std::expected<std::vector<Token>, Fault> run() {
    std::vector<Token> all;
    while (true) {
      while (at_ < source_.size() && is_space(source_[at_])) ++at_;
      std::expected<Token, Fault> token = next();
      if (!token) return std::unexpected(std::move(token.error()));
      all.push_back(std::move(*token));
      if (all.back().kind == Token::Kind::end) return all;
    }
  }

 private:
  char peek(std::size_t ahead) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  std::string_view take(std::size_t count) {
    const std::string_view piece = source_.substr(at_, count);
    at_ += piece.size();
    return piece;
  }

  template <class Wanted>
  std::size_t run_of(std::size_t from, const Wanted& wanted) const {
    std::size_t end = from;
    while (end < source_.size() && wanted(source_[end])) ++end;
    return end;
  }

  std::expected<Token, Fault> next() {
    if (at_ == source_.size()) return Token{Token::Kind::end, Type::text, at_, {}, {}, 0};
    const char c = source_[at_];
    if (c == '"') return text();
    if (is_digit(c) || (c == '-' && is_digit(peek(1)))) return number();
    if (is_word(c)) return word();
    const std::size_t offset = at_;
    for (const std::string_view sign : {"==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ","})
      if (source_.substr(at_).starts_with(sign)) return Token{Token::Kind::sign, Type::text, offset, take(sign.size()), {}, 0};
    return refuse(offset, meant_by(source_.substr(at_)));
  }

  std::expected<Token, Fault> text() {
    Token token{Token::Kind::literal, Type::text, at_, {}, {}, 0};
    for (std::size_t i = at_ + 1; i < source_.size(); ++i) {
      const char c = source_[i];
      if (c == '"') {
        token.spelled = take(i + 1 - at_);
        return token;
      }
      if (is_control(c)) return refuse(i, "a text holds no line end, tab or other control character");
      if (c == '\\') {
        ++i;
        if (i == source_.size() || (source_[i] != '"' && source_[i] != '\\')) return refuse(i - 1, "behind \\ in a text stands only \" or \\: write \\\\ for one \\");
      }
      token.text += source_[i];
    }
    return refuse(token.offset, "the text that begins here has no closing \"");
  }

  std::expected<Token, Fault> word() {
    const std::size_t offset = at_;
    const std::string_view name = take(run_of(at_, [](char c) { return is_word(c) || c == '.'; }) - at_);
    if (name == "true" || name == "false") return Token{Token::Kind::literal, Type::boolean, offset, name, {}, name == "true" ? 1 : 0};
    if (const std::size_t dots = name.find(".."); dots != std::string_view::npos || name.back() == '.')
      return refuse(offset + std::min(dots, name.size() - 1), "a name is words joined by single dots: param.amount");
    return Token{Token::Kind::word, Type::text, offset, name, {}, 0};
  }

  // Whatever begins with a digit: 1000, -5, 10s, 09:30.
  std::expected<Token, Fault> number() {
    const std::size_t offset = at_, end = run_of(at_ + 1, [](char c) { return is_word(c) || c == '.' || c == ':'; });
    const std::string_view all = take(end - at_);
    Token token{Token::Kind::literal, Type::integer, offset, all, {}, 0};
    if (all.find(':') != std::string_view::npos) {
      const std::optional<std::int64_t> minutes = minutes_of(all);
      if (!minutes) return refuse(offset, quoted(all) + " is no time of day; write one from 00:00 to 23:59, with two digits each: 09:30");
      token.type = Type::time;
      token.number = *minutes;
      return token;
    }
    if (all.find('.') != std::string_view::npos) return refuse(offset, quoted(all) + " is no whole number; decimals are not read");
    const auto [rest, error] = std::from_chars(all.data(), all.data() + all.size(), token.number);
    if (error != std::errc{}) return refuse(offset, quoted(all) + " is too large; numbers reach from -9223372036854775808 to 9223372036854775807");
    const std::string_view unit = all.substr(static_cast<std::size_t>(rest - all.data()));
    if (unit.empty()) return token;
    const std::optional<std::int64_t> ms = milliseconds_in(unit);
    if (!ms || token.number < 0) return refuse(offset, quoted(all) + " is neither a number nor a duration; a duration is a number and one of s, m, h, d, w: 90m");
    if (token.number > std::numeric_limits<std::int64_t>::max() / *ms) return refuse(offset, quoted(all) + " is too long a duration");
    token.type = Type::duration;
    token.number *= *ms;
    return token;
  }

  std::string_view source_;
  std::size_t at_ = 0;
};

}  // namespace

std::expected<std::vector<Token>, Fault> tokens_of(std::string_view source) { return Cutter(source).run(); }

std::string quoted(std::string_view piece) {
  constexpr std::size_t kShown = 40;
  if (piece.size() <= kShown) return std::string(piece);
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(piece[end]) & 0xc0) == 0x80) --end;  // not within a character
  return std::string(piece.substr(0, end)) + "...";
}

}  // namespace postern::policy
