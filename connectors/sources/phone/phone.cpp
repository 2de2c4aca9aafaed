// SPDX-License-Identifier: Apache-2.0
// The only file of the product that includes libphonenumber.
#include "connectors/sources/phone/phone.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <phonenumbers/phonenumberutil.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cstdlib>
#include <set>

#include "connectors/sources/phone/cache.hpp"

namespace postern::phone {
namespace {

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What was written, without separators. libphonenumber would also read letters as keypad digits, take
// full-width digits and skip what it does not know: for a bank such a text is a mistake.
struct Written {
  std::string digits;
  bool plus = false;
};
std::expected<Written, Refusal> read(std::string_view text) {
  Written written;
  if (text.size() > kMaxText) return std::unexpected(Refusal::malformed);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.starts_with('+')) {
    written.plus = true;
    text.remove_prefix(1);
  }
  for (const char c : text) {
    if (is_digit(c))
      written.digits.push_back(c);
    else if (c != ' ' && c != '-' && c != '(' && c != ')' && c != '.' && c != '/')
      return std::unexpected(Refusal::malformed);
  }
  if (written.digits.empty()) return std::unexpected(Refusal::malformed);
  return written;
}

Kind kind_of(PhoneNumberUtil::PhoneNumberType type) {
  switch (type) {
    case PhoneNumberUtil::MOBILE:
      return Kind::mobile;
    case PhoneNumberUtil::FIXED_LINE:
      return Kind::fixed;
    case PhoneNumberUtil::FIXED_LINE_OR_MOBILE:
    case PhoneNumberUtil::UNKNOWN:
      return Kind::unknown;
    case PhoneNumberUtil::TOLL_FREE:
    case PhoneNumberUtil::PREMIUM_RATE:
    case PhoneNumberUtil::SHARED_COST:
    case PhoneNumberUtil::VOIP:
    case PhoneNumberUtil::PERSONAL_NUMBER:
    case PhoneNumberUtil::PAGER:
    case PhoneNumberUtil::UAN:
    case PhoneNumberUtil::VOICEMAIL:
      return Kind::other;
  }
  return Kind::unknown;
}

struct Found {
  Verdict verdict;
  std::string digits;
};

Found refused(Refusal refusal) {
  Found found;
  found.verdict.refused = true;
  found.verdict.refusal = refusal;
  return found;
}

constexpr std::size_t kLongest = 15;   // digits of a number in E.164

// The country codes, and how many digits may follow each: bit n for n digits.
using Lengths = std::array<std::uint16_t, 1000>;

const Lengths& lengths() {
  static const Lengths all = [] {
    const PhoneNumberUtil& plan = *PhoneNumberUtil::GetInstance();
    Lengths found{};
    std::set<int> codes;
    plan.GetSupportedCallingCodes(&codes);
    for (const int code : codes) {
      if (code < 1 || code >= static_cast<int>(found.size())) continue;
      PhoneNumber number;
      number.set_country_code(code);
      std::uint64_t national = 2;
      for (unsigned digits = 1; digits < kLongest; ++digits, national *= 10) {
        number.set_national_number(national);
        if (plan.IsPossibleNumberWithReason(number) == PhoneNumberUtil::IS_POSSIBLE) found[static_cast<std::size_t>(code)] |= static_cast<std::uint16_t>(1U << digits);
      }
    }
    return found;
  }();
  return all;
}

// A number in E.164 says of itself what Parse() has to find out: which digits are the country's code, and that the others are the
// number. One thing only Parse() knows, which prefixes for calls within the country may stand there too; it leaves them
// out where what remains is still a possible number. So this reads a number of which no shorter end would be possible, as most
// mobile numbers are, and leaves the others to Parse(); plan_test holds the two against each other.
bool read_e164(const std::string& digits, PhoneNumber& number) {
  std::size_t code = 0, at = 0;
  while (at < 3 && at < digits.size() && (code == 0 || lengths()[code] == 0)) code = code * 10 + static_cast<std::size_t>(digits[at++] - '0');
  const std::size_t rest = digits.size() - at;
  if (code == 0 || rest == 0 || digits.size() > kLongest || digits[at] == '0') return false;
  const std::uint32_t possible = lengths()[code], this_long = 1U << rest;
  if ((possible & this_long) == 0 || (possible & (this_long - 1)) != 0) return false;
  number.set_country_code(static_cast<int>(code));
  number.set_national_number(std::strtoull(digits.c_str() + at, nullptr, 10));
  return true;
}

// Asks libphonenumber: about 20 microseconds where it has to parse, 5 where it has not.
Found look_up(const Written& written, const std::string& region) {
  const PhoneNumberUtil& plan = *PhoneNumberUtil::GetInstance();
  // "ZZ" is libphonenumber's word for no region.
  const bool international = written.plus || region.empty();
  PhoneNumber number;
  if (!international || !read_e164(written.digits, number)) {
    const auto outcome = plan.Parse((international ? "+" : "") + written.digits, international ? "ZZ" : region, &number);
    if (outcome != PhoneNumberUtil::NO_PARSING_ERROR)
      return refused(outcome == PhoneNumberUtil::NOT_A_NUMBER ? Refusal::malformed : Refusal::impossible);
    // A number that only works within its area is no address for a gateway: IS_POSSIBLE_LOCAL_ONLY fails too.
    if (plan.IsPossibleNumberWithReason(number) != PhoneNumberUtil::IS_POSSIBLE) return refused(Refusal::impossible);
  }

  std::string formatted;
  plan.Format(number, PhoneNumberUtil::E164, &formatted);
  Found found;
  found.digits = formatted.substr(std::min<std::size_t>(1, formatted.size()));
  if (found.digits.size() < 7 || found.digits.size() > 15 ||
      !std::all_of(found.digits.begin(), found.digits.end(), is_digit))
    return refused(Refusal::impossible);

  Verdict& verdict = found.verdict;
  std::string found_region;
  plan.GetRegionCodeForNumber(number, &found_region);
  // A number that is in the plan has a type there: IsValidNumber() asks for the same.
  const PhoneNumberUtil::PhoneNumberType type = plan.GetNumberType(number);
  verdict.in_plan = type != PhoneNumberUtil::UNKNOWN;
  if (verdict.in_plan && found_region.size() == 2) verdict.region = {found_region[0], found_region[1]};
  verdict.kind = kind_of(type);
  verdict.premium = type == PhoneNumberUtil::PREMIUM_RATE || type == PhoneNumberUtil::SHARED_COST ||
                    type == PhoneNumberUtil::TOLL_FREE;
  verdict.country_code = static_cast<std::uint16_t>(number.country_code());
  return found;
}

std::string change(const Verdict& verdict, std::string_view digits) {
  std::string out;
  if (verdict.country_code != 0) out = std::to_string(verdict.country_code);
  out += digits.substr(std::min<std::size_t>(verdict.drop, digits.size()));
  return out;
}

// Fills `drop` and `country_code` so that change() makes `wanted` of `digits`; false when that change
// is no plain exchange of a prefix (some countries move digits inside the number).
bool find_change(Verdict& verdict, std::string_view digits, std::string_view wanted) {
  const std::uint16_t code = verdict.country_code;
  for (const std::uint16_t front : {std::uint16_t{0}, code}) {
    verdict.country_code = front;
    for (std::uint8_t drop = 0; drop <= 6; ++drop) {
      verdict.drop = drop;
      if (change(verdict, digits) == wanted) return true;
    }
  }
  return false;
}

}  // namespace

Normaliser::Normaliser(std::string default_region, std::size_t cache_entries)
    : default_region_(std::move(default_region)), cache_(std::make_unique<Table>(cache_entries)) {}
Normaliser::~Normaliser() = default;

std::uint64_t Normaliser::cache_hits() const { return cache_->hits(); }

bool Normaliser::known_region(std::string_view region) {
  return PhoneNumberUtil::GetInstance()->GetCountryCodeForRegion(std::string(region)) != 0;
}

std::expected<Number, Refusal> Normaliser::normalise(std::string_view text, Need need, std::string_view region) {
  const auto written = read(text);
  if (!written) return std::unexpected(written.error());
  const std::string in_region = region.empty() ? default_region_ : std::string(region);
  const std::uint64_t hash =
      cache_->hash(written->digits, written->plus, written->plus ? std::string_view() : in_region);

  Verdict verdict;
  std::string digits;
  if (const Verdict* known = cache_->find(hash)) {
    verdict = *known;
    if (!verdict.refused) digits = change(verdict, written->digits);
  } else {
    Found found = look_up(*written, in_region);
    verdict = found.verdict;
    digits = std::move(found.digits);
    if (verdict.refused || find_change(verdict, written->digits, digits)) cache_->keep(hash, verdict);
  }

  if (verdict.refused) return std::unexpected(verdict.refusal);
  if (verdict.in_plan && verdict.premium) return std::unexpected(Refusal::premium);
  if (need == Need::mobile && verdict.in_plan && verdict.kind == Kind::fixed)
    return std::unexpected(Refusal::fixed_line);
  const std::string_view known_region =
      verdict.region[0] ? std::string_view(verdict.region.data(), 2) : std::string_view();
  return Number{std::move(digits), std::string(known_region), verdict.kind, verdict.in_plan};
}

std::string_view code_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::malformed:
      return "phone-malformed";
    case Refusal::impossible:
      return "phone-impossible";
    case Refusal::fixed_line:
      return "phone-fixed-line";
    case Refusal::premium:
      return "phone-premium";
  }
  return "phone-malformed";
}

std::string_view detail_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::malformed:
      return "This is not a phone number: write digits, with + and the country code in front.";
    case Refusal::impossible:
      return "No phone number has this country code and length: write + and the country code, then the number.";
    case Refusal::fixed_line:
      return "This is a fixed line; a mobile number is needed.";
    case Refusal::premium:
      return "This number charges its callers or is a service line; a customer's number is needed.";
  }
  return "";
}

}  // namespace postern::phone
