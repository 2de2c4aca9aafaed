// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/content_guard.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "gateway/policy/characters.hpp"

namespace postern::policy {
namespace {

constexpr std::size_t kMaxText = 64 * 1024, kMaxFindings = 64;
constexpr std::size_t kLeastCard = 13, kMostCard = 19, kMaxBetween = 3;  // separators between two digits of one number
constexpr std::size_t kMostIban = 34;

// What is seen of the text: a character with its place in it.
struct Seen {
  char32_t code, fold;
  std::uint32_t offset;
  std::uint8_t size;
};

bool is_letter(char32_t code) { return script_of(code) != Script::none || is_styled(code); }
bool is_alphanumeric(char32_t code) { return is_letter(code) || digit_of(code) >= 0; }
bool between_digits(char32_t code) { return is_space(code) || is_dash(code); }

// Lengths by country (the IBAN registry of ISO 13616), as CCLL.
constexpr std::string_view kIbanLengths =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23"
    "IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19"
    "SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

std::size_t iban_length(char first, char second) {
  for (std::size_t i = 0; i < kIbanLengths.size(); i += 4)
    if (kIbanLengths[i] == first && kIbanLengths[i + 1] == second)
      return static_cast<std::size_t>((kIbanLengths[i + 2] - '0') * 10 + kIbanLengths[i + 3] - '0');
  return 0;
}

// ISO 7064 MOD 97-10 over the number with its first four characters moved to the end.
bool iban_holds(std::string_view iban) {
  unsigned rest = 0;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    if (c >= '0' && c <= '9') rest = (rest * 10 + static_cast<unsigned>(c - '0')) % 97;
    else rest = (rest * 100 + static_cast<unsigned>(c - 'A') + 10) % 97;
  }
  return rest == 1;
}

// Payment cards begin with 3 to 6; of 2, 8 and 9 only these series are theirs (Mir, Mastercard, RuPay, Uzcard, Troy, Prostir,
// Humo). Numbers with 0, 1 and 7 are of other industries, and those with 20 are mostly dates.
bool is_series(std::string_view digits) {
  const int first = (digits[0] - '0') * 1000 + (digits[1] - '0') * 100 + (digits[2] - '0') * 10 + (digits[3] - '0');
  if (first >= 3000 && first < 7000) return true;
  return (first >= 2200 && first <= 2205) || (first >= 2221 && first <= 2720) || first / 100 == 81 || first / 100 == 82 || first == 8600 ||
         first == 9792 || first == 9804 || first == 9860;
}

// ISO/IEC 7812-1 annex B.
bool card_holds(std::string_view digits) {
  if (!is_series(digits)) return false;
  unsigned sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    unsigned digit = static_cast<unsigned>(digits[digits.size() - 1 - i] - '0');
    if (i % 2 == 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

class Guard {
 public:
  Guard(std::string_view text, const ContentRules& rules) : text_(text.substr(0, kMaxText)), rules_(rules) {
    if (text.size() > kMaxText) add(FindingKind::too_long, kMaxText, text.size() - kMaxText);
  }

  std::vector<Finding> run() {
    read();
    if (rules_.letters) words();
    if (rules_.cards) cards();
    if (rules_.ibans) ibans();
    if (rules_.links) links();
    std::ranges::sort(findings_, [](const Finding& a, const Finding& b) { return a.offset != b.offset ? a.offset < b.offset : a.kind < b.kind; });
    return std::move(findings_);
  }

 private:
  void add(FindingKind kind, std::size_t offset, std::size_t length) {
    if (findings_.size() < kMaxFindings)
      findings_.push_back({kind, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(std::min<std::size_t>(length, UINT32_MAX))});
  }
  void add(FindingKind kind, std::size_t first, std::size_t end, const std::vector<Seen>& seen) {
    add(kind, seen[first].offset, seen[end - 1].offset + seen[end - 1].size - seen[first].offset);
  }

  // Splits the text into characters. What does not show is told here and left out: behind it a number is found all the same.
  void read() {
    bool right_to_left = false;
    for (std::size_t at = 0; at < text_.size();) {
      const Decoded c = decode(text_, at);
      right_to_left = right_to_left || is_right_to_left(c.code);
      at += c.size;
    }
    seen_.reserve(text_.size());
    for (std::size_t at = 0; at < text_.size();) {
      const Decoded c = decode(text_, at);
      const Hidden hidden = hidden_kind(c.code);
      if (!c.valid) add(FindingKind::invalid_utf8, at, 1);
      else if (hidden == Hidden::no) seen_.push_back({c.code, folded(c.code), static_cast<std::uint32_t>(at), c.size});
      else if (rules_.hidden) hide(hidden, c, at, right_to_left);
      if (!c.valid || hidden == Hidden::control) seen_.push_back({0xfffd, 0xfffd, static_cast<std::uint32_t>(at), c.size});
      at += c.size;
    }
  }

  void hide(Hidden hidden, const Decoded& c, std::size_t at, bool right_to_left) {
    const char32_t before = seen_.empty() ? U' ' : seen_.back().code;
    switch (hidden) {
      case Hidden::no: return;
      case Hidden::control: return add(FindingKind::control, at, c.size);
      case Hidden::override_: return add(FindingKind::bidi, at, c.size);
      case Hidden::invisible: break;
      // Marks of direction belong to Hebrew and Arabic texts.
      case Hidden::mark:
        if (right_to_left) return;
        break;
      // Joiners belong between pictures, and into Arabic and Indic words.
      case Hidden::joiner:
        if (is_symbol(before) || (before >= 0x600 && before <= 0xdff)) return;
        break;
      // One of them chooses the picture of a sign, or of a digit on a key.
      case Hidden::selector:
        if (c.code >= 0xfe0e && (is_symbol(before) || before == '#' || before == '*' || (before >= '0' && before <= '9'))) return;
        break;
    }
    add(FindingKind::invisible, at, c.size);
  }

  void words() {
    for (std::size_t i = 0; i < seen_.size();) {
      if (!is_letter(seen_[i].code)) {
        ++i;
        continue;
      }
      const std::size_t first = i;
      unsigned scripts = 0;
      bool styled = false;
      for (; i < seen_.size() && (is_letter(seen_[i].code) || is_mark(seen_[i].code)); ++i) {
        scripts |= static_cast<unsigned>(script_of(seen_[i].code)) & ~static_cast<unsigned>(Script::other);
        styled = styled || is_styled(seen_[i].code);
      }
      if ((scripts & (scripts - 1)) != 0) add(FindingKind::mixed_scripts, first, i, seen_);
      if (styled) add(FindingKind::styled_letters, first, i, seen_);
    }
  }

  // Groups of digits that belong together are tried from each group's beginning to each group's end.
  void cards() {
    struct Group {
      std::size_t first, end;         // in seen_
    };
    std::vector<Group> chain;
    const auto judge = [&] {
      for (std::size_t g = 0; g < chain.size();) {
        std::string digits;
        std::size_t last = chain.size();
        for (std::size_t h = g; h < chain.size() && digits.size() + (chain[h].end - chain[h].first) <= kMostCard; ++h) {
          for (std::size_t i = chain[h].first; i < chain[h].end; ++i) digits += static_cast<char>('0' + digit_of(seen_[i].code));
          if (digits.size() >= kLeastCard && card_holds(digits)) last = h;
        }
        if (last != chain.size()) add(FindingKind::card, chain[g].first, chain[last].end, seen_);
        g = last != chain.size() ? last + 1 : g + 1;
      }
      chain.clear();
    };
    for (std::size_t i = 0; i < seen_.size();) {
      if (digit_of(seen_[i].code) < 0) {
        ++i;
        continue;
      }
      const std::size_t first = i;
      while (i < seen_.size() && digit_of(seen_[i].code) >= 0) ++i;
      chain.push_back({first, i});
      std::size_t next = i;
      while (next < seen_.size() && between_digits(seen_[next].code)) ++next;
      if (next - i > kMaxBetween || next == seen_.size() || digit_of(seen_[next].code) < 0) judge();
      i = next;
    }
  }

  // As it would be read off: capitals and digits of ASCII; 0: neither.
  char iban_character(const Seen& seen) const {
    if (const int digit = digit_of(seen.code); digit >= 0) return static_cast<char>('0' + digit);
    const char32_t look = seen.fold < 0x80 ? seen.fold : look_of(seen.code);
    return look >= 'a' && look <= 'z' ? static_cast<char>(look - 'a' + 'A') : look >= '0' && look <= '9' ? static_cast<char>(look) : '\0';
  }

  void ibans() {
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      if ((i > 0 && is_alphanumeric(seen_[i - 1].code)) || !is_letter(seen_[i].code)) continue;
      std::string iban;
      std::size_t end = i, length = kMostIban;
      for (std::size_t at = i; at < seen_.size() && iban.size() < length;) {
        const char c = iban_character(seen_[at]);
        if (c == '\0') break;
        iban += c;
        if (iban.size() == 4 && (length = iban_length(iban[0], iban[1])) == 0) break;
        if (iban.size() == 3 && (iban[2] < '0' || iban[2] > '9')) break;
        end = ++at;
        while (at < seen_.size() && at - end < kMaxBetween && between_digits(seen_[at].code)) ++at;
      }
      if (iban.size() != length || iban.size() < 15 || (end < seen_.size() && is_alphanumeric(seen_[end].code)) || !iban_holds(iban)) continue;
      add(FindingKind::iban, i, end, seen_);
      i = end - 1;
    }
  }

  bool in_name(std::size_t i) const {
    if (i >= seen_.size()) return false;
    const char32_t c = seen_[i].fold;
    return c == '-' || c == '_' || c == '.' || is_alphanumeric(seen_[i].code) || is_mark(seen_[i].code);
  }
  bool at_scheme(std::size_t i) const { return i + 2 < seen_.size() && seen_[i].fold == ':' && is_slash(i + 1) && is_slash(i + 2); }
  bool is_slash(std::size_t i) const { return i < seen_.size() && (seen_[i].fold == '/' || seen_[i].fold == '\\'); }

  std::u32string codes(std::size_t first, std::size_t end) const {
    std::u32string out;
    for (std::size_t i = first; i < end; ++i) out += seen_[i].code;
    return out;
  }

  void links() {
    for (std::size_t i = 0; i < seen_.size() && findings_.size() < kMaxFindings;) {
      if (at_scheme(i)) {
        i = after_scheme(i, i);
      } else if (in_name(i)) {
        const std::size_t first = i;
        while (in_name(i)) ++i;
        if (at_scheme(i)) i = after_scheme(first, i);
        else bare_names(first, i);
      } else {
        ++i;
      }
    }
  }

  // Where the part with the host ends: at what a browser takes for its end, or what a sentence closes with.
  bool ends_host(std::size_t i) const {
    const char32_t c = seen_[i].fold;
    return is_space(c) || c == '/' || c == '?' || c == '#' || c == '\\' || c == '"' || c == '<' || c == '>' || c == 0xab || c == 0xbb || c == 0x201c ||
           c == 0x201d || c == 0x2018 || c == 0x2019 || c == 0x2026 || c == 0xfffd;
  }

  // "https" is [first, colon). Returns where the search goes on.
  std::size_t after_scheme(std::size_t first, std::size_t colon) {
    std::size_t begin = colon + 1;
    while (is_slash(begin)) ++begin;
    std::size_t end = begin;
    while (end < seen_.size() && !ends_host(end)) ++end;
    const std::size_t resume = end;
    // What closes a sentence is not part of the name: "(see https://bank.example)."
    const auto closes = [this](std::size_t i) {
      return seen_[i].fold < 0x80 && std::u32string_view(U".,;:!)]}'*").find(seen_[i].fold) != std::u32string_view::npos;
    };
    while (end > begin && closes(end - 1)) --end;
    if (end == begin) return resume;
    const auto is_at = [this](std::size_t i) { return seen_[i].fold == '@'; };
    std::size_t host = end;
    while (host > begin && !is_at(host - 1)) --host;
    const bool backslash = resume < seen_.size() && seen_[resume].fold == '\\';
    if (host != begin || backslash) add(FindingKind::link_disguised, first, end, seen_);
    std::size_t host_end = end;
    while (host_end > host && digit_of(seen_[host_end - 1].code) >= 0) --host_end;
    if (host_end > host && seen_[host_end - 1].fold == ':') --host_end;
    else host_end = end;
    judge_host(first, end, host_of(codes(host, host_end)), /*certain=*/true);
    return resume;
  }

  void judge_host(std::size_t first, std::size_t end, const std::optional<Host>& host, bool certain) {
    if (host && rules_.domains.holds(*host)) return;
    if (host && rules_.domains.looks_held(*host)) return add(FindingKind::link_look_alike, first, end, seen_);
    if (certain) add(FindingKind::link, first, end, seen_);
  }

  // Names without a scheme, of which phones make links: separated by what is no name.
  void bare_names(std::size_t first, std::size_t end) {
    const auto is_dot = [this](std::size_t i) { return seen_[i].fold == '.'; };
    const auto odd_end = [&](std::size_t i) { return is_dot(i) || seen_[i].fold == '-' || seen_[i].fold == '_'; };
    while (first < end) {
      // Two dots end a name.
      std::size_t stop = first;
      while (stop < end && !(is_dot(stop) && stop + 1 < end && is_dot(stop + 1))) ++stop;
      const std::size_t resume = std::min(end, stop + 1);
      std::size_t begin = first;
      while (begin < stop && odd_end(begin)) ++begin;
      while (stop > begin && odd_end(stop - 1)) --stop;
      if (begin < stop) bare_name(begin, stop);
      first = resume;
    }
  }

  void bare_name(std::size_t first, std::size_t end) {
    const std::u32string typed = codes(first, end);
    if (std::ranges::none_of(typed, [](char32_t c) { return folded(c) == '.'; })) return;
    const std::optional<Host> host = host_of(typed);
    if (!host) return;
    const std::string_view name = host->ascii, ending = name.substr(name.rfind('.') + 1);
    const bool leads_on = end < seen_.size() && (is_slash(end) || (seen_[end].fold == ':' && end + 1 < seen_.size() && digit_of(seen_[end + 1].code) >= 0));
    const bool lettered = ending.size() >= 2 && std::ranges::none_of(ending, [](char c) { return c >= '0' && c <= '9'; });
    // Nobody writes xn-- but for a machine.
    const bool for_machines = (name.starts_with("xn--") || name.find(".xn--") != std::string_view::npos) &&
                              std::ranges::none_of(typed, [](char32_t c) { return c >= 0x80; });
    judge_host(first, end, host, for_machines || rules_.domains.is_ending(ending) || name.starts_with("www.") || (leads_on && (lettered || is_ipv4(name))));
  }

  static bool is_ipv4(std::string_view name) {
    return std::ranges::count(name, '.') == 3 && name.size() <= 15 && name.find_first_not_of("0123456789.") == std::string_view::npos;
  }

  std::string_view text_;
  const ContentRules& rules_;
  std::vector<Seen> seen_;
  std::vector<Finding> findings_;
};

}  // namespace

std::string_view name_of(FindingKind kind) {
  switch (kind) {
    case FindingKind::card: return "card";
    case FindingKind::iban: return "iban";
    case FindingKind::link: return "link";
    case FindingKind::link_look_alike: return "link-look-alike";
    case FindingKind::link_disguised: return "link-disguised";
    case FindingKind::mixed_scripts: return "mixed-scripts";
    case FindingKind::styled_letters: return "styled-letters";
    case FindingKind::bidi: return "bidi";
    case FindingKind::invisible: return "invisible";
    case FindingKind::control: return "control";
    case FindingKind::invalid_utf8: return "invalid-utf8";
    case FindingKind::too_long: return "too-long";
  }
  return "unknown";
}

std::vector<Finding> check(std::string_view text, const ContentRules& rules) { return Guard(text, rules).run(); }

}  // namespace postern::policy
