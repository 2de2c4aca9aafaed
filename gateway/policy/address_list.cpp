// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/address_list.hpp"

#include <algorithm>
#include <limits>
#include <set>

namespace postern::policy {
namespace {

constexpr std::size_t kMaxText = 256U * 1024 * 1024, kMaxLine = 320, kMaxEntries = 5'000'000, kMaxPatterns = 1000, kFaultsShown = 20;
// ITU-T E.164 section 6: at most 15 digits, none of them leading zeros.
constexpr std::size_t kLeastDigits = 7, kMostDigits = 15;
constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_word(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }

// Of digits alone, 15 at most.
std::uint64_t value_of(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  return value;
}

struct Wrong {
  std::size_t at;       // offset in the entry
  std::string why;
};

std::string_view without_plus(std::string_view text) { return text.starts_with('+') ? text.substr(1) : text; }

// Where in `text` something is no number in full; nothing when it is one.
std::optional<Wrong> no_number(std::string_view text) {
  const std::string_view digits = without_plus(text);
  const std::size_t sign = text.size() - digits.size();
  for (std::size_t i = 0; i < digits.size(); ++i)
    if (!is_digit(digits[i])) return Wrong{sign + i, "a number is digits alone, such as +380671234567"};
  if (digits.starts_with('0')) return Wrong{sign, "a number begins with its country's code, such as +380671234567, not with 0"};
  if (digits.size() < kLeastDigits || digits.size() > kMostDigits) return Wrong{0, "a number has 7 to 15 digits, with its country's code"};
  return std::nullopt;
}

std::optional<Wrong> no_domain(std::string_view domain) {
  std::size_t label = 0;
  if (domain.empty() || domain.size() > 253) return Wrong{0, "after the @ a domain must follow, such as bank.example"};
  for (std::size_t i = 0; i <= domain.size(); ++i) {
    if (i == domain.size() || domain[i] == '.') {
      if (i == label || i - label > 63) return Wrong{std::min(i, domain.size() - 1), "a domain is names of 1 to 63 letters with single dots between"};
      label = i + 1;
    } else if (!is_word(domain[i]) && domain[i] != '-') {
      return Wrong{i, "a domain is letters, digits, hyphens and dots; an international one is written in its form with xn--"};
    }
  }
  return std::nullopt;
}

}  // namespace

class AddressList::Loader {
 public:
  void line(std::uint32_t number, std::string_view text) {
    line_ = number;
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.size() > kMaxLine) return fault(kMaxLine, "the line is longer than 320 characters");
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '#' && (i == 0 || is_space(text[i - 1]))) text = text.substr(0, i);
    std::size_t begin = 0;
    while (begin < text.size() && is_space(text[begin])) ++begin;
    while (text.size() > begin && is_space(text.back())) text.remove_suffix(1);
    text.remove_prefix(begin);
    if (text.empty()) return;
    if (++list_.entries_ > kMaxEntries) {
      if (list_.entries_ == kMaxEntries + 1) fault(0, "there are more than 5,000,000 entries");
      return;
    }
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] <= ' ' || text[i] > '~') return fault(begin + i, "an entry holds no spaces and no letters but a to z; a comment begins with #");
    const std::optional<Wrong> wrong = text.find('@') != std::string_view::npos ? address(text) : number_like(text);
    if (wrong) fault(begin + wrong->at, wrong->why);
  }

  Result<AddressList> finish() {
    if (faults_ > kFaultsShown) report_ += "\n... and " + std::to_string(faults_ - kFaultsShown) + " more";
    if (faults_ > 0) return fail("nothing was loaded: " + std::to_string(faults_) + " bad line" + (faults_ == 1 ? "" : "s") + report_);
    sort(list_.numbers_);
    for (std::vector<Number>& prefixes : list_.prefixes_) sort(prefixes);
    sort(list_.addresses_);
    sort(list_.domains_);
    cut_ranges();
    return std::move(list_);
  }

 private:
  void fault(std::size_t at, const std::string& why) {
    if (++faults_ <= kFaultsShown) report_ += "\nline " + std::to_string(line_) + ", column " + std::to_string(at + 1) + ": " + why;
  }

  std::optional<Wrong> address(std::string_view text) {
    const std::size_t sign = text.find('@');
    const std::string_view local = text.substr(0, sign), domain = text.substr(sign + 1);
    if (local.empty()) return Wrong{0, "before the @ a name must stand, or * for every name"};
    if (local.size() > 64) return Wrong{0, "the name before the @ is longer than 64 characters"};
    if (local != "*" && local.find_first_of("*?") != std::string_view::npos)
      return Wrong{local.find_first_of("*?"), "in an e-mail address * stands for the whole name before the @, and ? for nothing"};
    if (std::optional<Wrong> wrong = no_domain(domain)) return Wrong{sign + 1 + wrong->at, wrong->why};
    const std::string_view kept = local == "*" ? domain : text;
    (local == "*" ? list_.domains_ : list_.addresses_)
        .push_back({static_cast<std::uint32_t>(list_.names_.size()), static_cast<std::uint32_t>(kept.size()), line_});
    std::ranges::transform(kept, std::back_inserter(list_.names_), lower);
    return std::nullopt;
  }

  std::optional<Wrong> number_like(std::string_view text) {
    if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) return range(text.substr(0, dash), text.substr(dash + 1));
    if (text.find_first_of("*?") != std::string_view::npos) return pattern(text);
    if (std::optional<Wrong> wrong = no_number(text)) return wrong;
    list_.numbers_.push_back({value_of(without_plus(text)), line_});
    return std::nullopt;
  }

  std::optional<Wrong> range(std::string_view first, std::string_view last) {
    if (std::optional<Wrong> wrong = no_number(first)) return wrong;
    if (std::optional<Wrong> wrong = no_number(last)) return Wrong{first.size() + 1 + wrong->at, wrong->why};
    if (without_plus(first).size() != without_plus(last).size()) return Wrong{first.size() + 1, "both ends of a range have as many digits"};
    const std::uint64_t from = value_of(without_plus(first)), to = value_of(without_plus(last));
    if (from > to) return Wrong{first.size() + 1, "a range ends at a number that is not below its first"};
    list_.ranges_.push_back({from, to, line_});
    return std::nullopt;
  }

  std::optional<Wrong> pattern(std::string_view text) {
    std::string_view digits = without_plus(text);
    const std::size_t sign = text.size() - digits.size();
    const bool open = digits.ends_with('*');
    if (open) digits.remove_suffix(1);
    for (std::size_t i = 0; i < digits.size(); ++i) {
      if (digits[i] == '*') return Wrong{sign + i, "* stands at the end of a number only; ? is one digit"};
      if (!is_digit(digits[i]) && digits[i] != '?') return Wrong{sign + i, "a pattern of numbers is digits, ? for one digit, and * at the end"};
    }
    if (digits.starts_with('0')) return Wrong{sign, "a number begins with its country's code, such as +38067*, not with 0"};
    if (digits.empty() || digits.front() == '?') return Wrong{sign, "a pattern begins with a digit, such as +38067*; it cannot stand for every country"};
    if (digits.size() > kMostDigits || (!open && digits.size() < kLeastDigits)) return Wrong{0, "a number has 7 to 15 digits, with its country's code"};
    if (digits.find('?') == std::string_view::npos) {
      list_.prefixes_[digits.size()].push_back({value_of(digits), line_});
      return std::nullopt;
    }
    if (list_.patterns_.size() == kMaxPatterns) return Wrong{0, "there are more than 1,000 patterns with ?; a range or * is found faster"};
    list_.patterns_.push_back({std::string(digits), line_, open});
    return std::nullopt;
  }

  static void sort(std::vector<Number>& numbers) {
    std::ranges::sort(numbers, [](const Number& a, const Number& b) { return a.number != b.number ? a.number < b.number : a.line < b.line; });
    const auto same = std::ranges::unique(numbers, {}, &Number::number);
    numbers.erase(same.begin(), same.end());
    numbers.shrink_to_fit();
  }

  void sort(std::vector<Name>& names) {
    const auto text = [this](const Name& name) { return list_.text_of(name); };
    std::ranges::sort(names, [&](const Name& a, const Name& b) { return text(a) != text(b) ? text(a) < text(b) : a.line < b.line; });
    const auto same = std::ranges::unique(names, {}, text);
    names.erase(same.begin(), same.end());
    names.shrink_to_fit();
  }

  // Ranges that overlap are cut where one begins or ends, so that a look-up sees one.
  void cut_ranges() {
    struct Edge {
      std::uint64_t at;
      std::uint32_t line;
      bool begins;
    };
    std::vector<Edge> edges;
    for (const Range& range : list_.ranges_) {
      edges.push_back({range.first, range.line, true});
      edges.push_back({range.last + 1, range.line, false});
    }
    std::ranges::sort(edges, {}, &Edge::at);
    list_.ranges_.clear();
    std::set<std::uint32_t> open;
    std::uint64_t from = 0;
    for (const Edge& edge : edges) {
      if (!open.empty() && from < edge.at) list_.ranges_.push_back({from, edge.at - 1, *open.begin()});
      if (edge.begins) open.insert(edge.line);
      else open.erase(edge.line);
      from = edge.at;
    }
    list_.ranges_.shrink_to_fit();
  }

  AddressList list_;
  std::uint32_t line_ = 0;
  std::size_t faults_ = 0;
  std::string report_;
};

Result<AddressList> AddressList::load(std::string_view text) {
  if (text.size() > kMaxText) return fail("the list is longer than 256 MiB");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Loader loader;
  for (std::uint32_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    loader.line(line, text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return loader.finish();
}

std::uint32_t AddressList::line_of(const std::vector<Name>& names, std::string_view text) const {
  const auto found = std::ranges::lower_bound(names, text, {}, [this](const Name& name) { return text_of(name); });
  return found != names.end() && text_of(*found) == text ? found->line : kNone;
}

std::optional<std::uint32_t> AddressList::find(std::string_view address) const {
  std::uint32_t line = kNone;
  if (const std::size_t sign = address.rfind('@'); sign != std::string_view::npos) {
    if (address.size() > kMaxLine) return std::nullopt;
    std::string lowered(address);
    std::ranges::transform(lowered, lowered.begin(), lower);
    line = std::min(line_of(addresses_, lowered), line_of(domains_, std::string_view(lowered).substr(sign + 1)));
  } else {
    const std::string_view digits = without_plus(address);
    if (digits.empty() || digits.size() > kMostDigits || digits.front() == '0' || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
    const auto exact = [&line](const std::vector<Number>& numbers, std::uint64_t number) {
      const auto found = std::ranges::lower_bound(numbers, number, {}, &Number::number);
      if (found != numbers.end() && found->number == number) line = std::min(line, found->line);
    };
    const std::uint64_t number = value_of(digits);
    exact(numbers_, number);
    for (std::size_t length = 1; length <= digits.size(); ++length)
      if (!prefixes_[length].empty()) exact(prefixes_[length], value_of(digits.substr(0, length)));
    const auto after = std::ranges::upper_bound(ranges_, number, {}, &Range::first);
    if (after != ranges_.begin() && number <= std::prev(after)->last) line = std::min(line, std::prev(after)->line);
    for (const Pattern& pattern : patterns_) {
      if (pattern.line > line) break;
      if (pattern.open ? digits.size() < pattern.text.size() : digits.size() != pattern.text.size()) continue;
      if (std::ranges::equal(pattern.text, digits.substr(0, pattern.text.size()), [](char p, char d) { return p == '?' || p == d; })) line = pattern.line;
    }
  }
  return line == kNone ? std::nullopt : std::optional(line);
}

std::string AddressList::sample(std::uint64_t n) const {
  // A beginning becomes a number by more digits.
  const auto filled = [](std::string digits) {
    while (digits.size() < 11) digits += '5';
    return digits;
  };
  std::uint64_t all = numbers_.size() + ranges_.size() + patterns_.size() + addresses_.size() + domains_.size();
  for (const std::vector<Number>& prefixes : prefixes_) all += prefixes.size();
  if (all == 0) return {};
  std::uint64_t at = n % all;
  const auto within = [&at](std::size_t size) {
    if (at < size) return true;
    at -= size;
    return false;
  };
  if (within(numbers_.size())) return std::to_string(numbers_[at].number);
  if (within(ranges_.size())) return std::to_string(ranges_[at].first);
  if (within(addresses_.size())) return std::string(text_of(addresses_[at]));
  if (within(domains_.size())) return "c" + std::to_string(n) + "@" + std::string(text_of(domains_[at]));
  for (const std::vector<Number>& prefixes : prefixes_)
    if (within(prefixes.size())) return filled(std::to_string(prefixes[at].number));
  std::string digits = patterns_[at].text;
  std::ranges::replace(digits, '?', '5');
  return patterns_[at].open ? filled(digits) : digits;
}

}  // namespace postern::policy
