// SPDX-License-Identifier: Apache-2.0
// The only file that includes libphonenumber.
#include "connectors/sources/phone/phone.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <phonenumbers/phonenumberutil.h>
#pragma GCC diagnostic pop

#include <algorithm>

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

// Asks libphonenumber: about 20 microseconds.
Found look_up(const Written& written, const std::string& region) {
  const PhoneNumberUtil& plan = *PhoneNumberUtil::GetInstance();
  // "ZZ" is libphonenumber's word for no region.
  const bool international = written.plus || region.empty();
  PhoneNumber number;
  const auto outcome = plan.Parse((international ? "+" : "") + written.digits, international ? "ZZ" : region, &number);
  if (outcome != PhoneNumberUtil::NO_PARSING_ERROR)
    return refused(outcome == PhoneNumberUtil::NOT_A_NUMBER ? Refusal::malformed : Refusal::impossible);
  // A number that only works within its area is no address for a gateway: IS_POSSIBLE_LOCAL_ONLY fails too.
  if (plan.IsPossibleNumberWithReason(number) != PhoneNumberUtil::IS_POSSIBLE) return refused(Refusal::impossible);

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
  verdict.in_plan = plan.IsValidNumber(number);
  if (verdict.in_plan && found_region.size() == 2) verdict.region = {found_region[0], found_region[1]};
  const PhoneNumberUtil::PhoneNumberType type = plan.GetNumberType(number);
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
