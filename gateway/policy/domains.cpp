// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/domains.hpp"

#include <algorithm>
#include <limits>

#include "gateway/policy/characters.hpp"

namespace postern::policy {
namespace {

constexpr std::size_t kMaxDomains = 1000, kMaxLabel = 63, kMaxName = 253;

// Of countries (ISO 3166 and those that IANA delegates beside it).
constexpr std::string_view kCountries =
    " ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw "
    "cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in "
    "io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx "
    "my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm sn so sr ss st "
    "su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw ";
// Others: the old ones, and those of the new under which links are sent most, honest and not.
constexpr std::string_view kOthers =
    " com net org info biz name pro mobi tel asia cat jobs travel aero coop museum post edu gov mil int arpa onion "
    "academy agency app art auction band bank banking bar best bet bid bio blog bond boutique business buzz cafe cam capital cards care careers cash casino center "
    "cfd chat cheap church city claims cleaning click clinic clothing cloud club codes coffee community company computer consulting contact cool coupons credit "
    "creditcard cricket cyou dating day deals delivery dental dev digital direct directory discount domains download earth email energy events exchange expert "
    "express fail faith family fans farm fashion finance financial fit fitness flights fm foo forsale foundation fun fund fyi gallery games garden gift gifts "
    "gives global gold gmbh golf group guide guru haus health help holdings holiday homes host hosting house how icu immo inc industries ink institute insure "
    "international investments jetzt kaufen kim kitchen lat lawyer lease legal life lifestyle limited limo link live llc loan loans lol ltd ltda luxury maison "
    "management market marketing mba media men menu mom moda money monster mortgage mov movie network new news ninja one online ooo page partners parts party pay "
    "photo photography photos pics pictures pink pizza place plus poker press productions promo properties pub quest racing recipes red rehab reise reisen rent "
    "rentals repair report rest restaurant review reviews rich rip rocks run sale salon sbs school schule science secure security select services sexy shop "
    "shopping show singles site ski soccer social software solar solutions space sport store stream studio study style supplies supply support surf surgery "
    "systems tattoo tax taxi team tech technology tickets tips tires today tokyo tools top tours town toys trade trading training tube university uno vacations "
    "vegas ventures vet viajes video villas vin vip vision vote voyage wang watch web website wedding wiki win wine work works world wtf xin xxx xyz yoga you zip "
    "zone berlin hamburg koeln london moscow nyc paris wien google goog gle youtube amazon apple microsoft kyiv ";
constexpr std::string_view kInternational = " укр рф бел бг мкд мон срб қаз ею рус дети онлайн сайт орг ком москва католик ελ ευ հայ ";

bool listed(std::string_view words, std::string_view label) {
  if (label.empty()) return false;
  for (std::size_t at = words.find(label); at != std::string_view::npos; at = words.find(label, at + 1))
    if (words[at - 1] == ' ' && words[at + label.size()] == ' ') return true;
  return false;
}

// RFC 3492 section 6.1 and its parameters of section 5.
constexpr std::uint32_t kBase = 36, kTmin = 1, kTmax = 26, kSkew = 38, kDamp = 700, kInitialBias = 72, kInitialN = 128;

std::uint32_t adapted(std::uint32_t delta, std::uint32_t points, bool first) {
  delta = first ? delta / kDamp : delta / 2;
  delta += delta / points;
  std::uint32_t k = 0;
  for (; delta > (kBase - kTmin) * kTmax / 2; k += kBase) delta /= kBase - kTmin;
  return k + (kBase - kTmin + 1) * delta / (delta + kSkew);
}

std::uint32_t threshold(std::uint32_t k, std::uint32_t bias) { return k <= bias ? kTmin : std::min(k - bias, kTmax); }

// Of at most 63 characters; the numbers stay below 2^32: 64 * 0x110000.
std::string punycode(std::u32string_view label) {
  std::string out;
  for (const char32_t c : label)
    if (c < 0x80) out += static_cast<char>(c);
  auto handled = static_cast<std::uint32_t>(out.size());
  const std::uint32_t basic = handled;
  if (basic > 0) out += '-';
  std::uint32_t n = kInitialN, delta = 0, bias = kInitialBias;
  while (handled < label.size()) {
    std::uint32_t next = std::numeric_limits<std::uint32_t>::max();
    for (const char32_t c : label)
      if (c >= n) next = std::min(next, static_cast<std::uint32_t>(c));
    delta += (next - n) * (handled + 1);
    n = next;
    for (const char32_t c : label) {
      if (c < n) ++delta;
      if (c != n) continue;
      std::uint32_t q = delta;
      for (std::uint32_t k = kBase;; k += kBase) {
        const std::uint32_t t = threshold(k, bias), digit = q < t ? q : t + (q - t) % (kBase - t);
        out += static_cast<char>(digit < 26 ? 'a' + digit : '0' + (digit - 26));
        if (q < t) break;
        q = (q - t) / (kBase - t);
      }
      bias = adapted(delta, handled + 1, handled == basic);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++n;
  }
  return out;
}

// RFC 3492 section 6.2; nothing when it is no such label.
std::optional<std::u32string> from_punycode(std::string_view text) {
  std::u32string out;
  if (const std::size_t end = text.rfind('-'); end != std::string_view::npos) {
    for (const char c : text.substr(0, end)) out += static_cast<char32_t>(static_cast<unsigned char>(c));
    text.remove_prefix(end + 1);
  }
  std::uint64_t n = kInitialN, i = 0;
  std::uint32_t bias = kInitialBias;
  while (!text.empty()) {
    const std::uint64_t old = i;
    std::uint64_t weight = 1;
    for (std::uint32_t k = kBase;; k += kBase) {
      if (text.empty()) return std::nullopt;
      const char c = text.front();
      text.remove_prefix(1);
      const std::uint32_t digit = c >= 'a' && c <= 'z' ? static_cast<std::uint32_t>(c - 'a') : c >= '0' &&
          c <= '9' ? static_cast<std::uint32_t>(c - '0') + 26 : kBase;
      if (digit == kBase) return std::nullopt;
      i += digit * weight;
      if (i > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
      const std::uint32_t t = threshold(k, bias);
      if (digit < t) break;
      weight *= kBase - t;
      if (weight > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    }
    const auto points = static_cast<std::uint32_t>(out.size()) + 1;
    bias = adapted(static_cast<std::uint32_t>(i - old), points, old == 0);
    n += i / points;
    i %= points;
    if (n > 0x10ffff) return std::nullopt;
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(i), static_cast<char32_t>(n));
    ++i;
  }
  return out;
}

// What a person sees: marks are lost, letters and digits taken for each other are one, and so are pairs that flow together.
void append_look(std::string& out, std::u32string_view label) {
  for (const char32_t c : label) {
    if (is_mark(c)) continue;
    char32_t look = look_of(c);
    if (look == '0') look = 'o';
    if (look == '1' || look == 'i' || look == '|') look = 'l';
    const char last = out.empty() ? ' ' : out.back();
    if (last == 'r' && look == 'n') out.back() = 'm';
    else if (last == 'v' && look == 'v') out.back() = 'w';
    else append_utf8(out, look);
  }
}

bool has(const std::vector<std::string>& sorted, std::string_view name) {
  return std::ranges::binary_search(sorted, name, {}, [](const std::string& each) { return std::string_view(each); });
}

// Whether a domain above this name is there.
bool has_above(const std::vector<std::string>& sorted, std::string_view name) {
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    if (has(sorted, name)) return true;
  }
  return false;
}

bool is_host_character(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  return !is_space(c);
}

}  // namespace

std::optional<Host> host_of(std::u32string_view name) {
  Host host;
  while (!name.empty() && folded(name.back()) == '.') name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxName) return std::nullopt;
  std::u32string label;
  for (std::size_t i = 0; i <= name.size(); ++i) {
    const char32_t c = i < name.size() ? folded(name[i]) : U'.';
    if (c != '.') {
      if (!is_host_character(c)) return std::nullopt;
      label += c;
      continue;
    }
    if (label.empty() || label.size() > kMaxLabel) return std::nullopt;
    if (!host.ascii.empty()) {
      host.ascii += '.';
      host.look += '.';
    }
    const bool is_ascii = std::ranges::all_of(label, [](char32_t l) { return l < 0x80; });
    const std::string ascii = is_ascii ? std::string(label.begin(), label.end()) : "xn--" + punycode(label);
    if (const auto shown = ascii.starts_with("xn--") &&
        is_ascii ? from_punycode(std::string_view(ascii).substr(4)) : std::nullopt) append_look(host.look, *shown);
    else append_look(host.look, std::u32string_view(name).substr(i - label.size(), label.size()));
    host.ascii += ascii;
    label.clear();
  }
  return host;
}

Result<DomainList> DomainList::make(std::span<const std::string_view> domains) {
  if (domains.size() > kMaxDomains) return fail("there are more than 1,000 domains for links");
  DomainList list;
  for (const std::string_view entry : domains) {
    const auto wrong = [entry] {
      return fail("the domain '" + std::string(entry.substr(0, kMaxName)) + "' for links must look like bank.example or *.bank.example");
    };
    const bool below = entry.starts_with("*.");
    const std::string_view text = below ? entry.substr(2) : entry;
    std::u32string name;
    for (std::size_t at = 0; at < text.size();) {
      const Decoded c = decode(text, at);
      if (!c.valid || hidden_kind(c.code) != Hidden::no) return wrong();
      name += c.code;
      at += c.size;
    }
    const std::optional<Host> host = host_of(name);
    if (!host || host->ascii.find('.') == std::string::npos || host->ascii.find('_') != std::string::npos || text.ends_with('.')) return wrong();
    Names& names = below ? list.below_ : list.exact_;
    names.ascii.push_back(host->ascii);
    names.look.push_back(host->look);
    list.endings_.push_back(host->ascii.substr(host->ascii.rfind('.') + 1));
  }
  for (auto* names : {&list.exact_.ascii, &list.exact_.look, &list.below_.ascii, &list.below_.look, &list.endings_}) std::ranges::sort(*names);
  return list;
}

bool DomainList::holds(const Host& host) const { return has(exact_.ascii, host.ascii) || has_above(below_.ascii, host.ascii); }

bool DomainList::looks_held(const Host& host) const {
  if (holds(host)) return false;
  return has(exact_.look, host.look) || has_above(below_.look, host.look) || (has(below_.look, host.look) && !has(below_.ascii, host.ascii));
}

bool DomainList::is_ending(std::string_view label) const {
  if (label.starts_with("xn--")) {
    // The table has international endings as people read them.
    const auto shown = from_punycode(label.substr(4));
    std::string text;
    for (const char32_t c : shown.value_or(std::u32string())) append_utf8(text, c);
    return !text.empty() && text.find(' ') == std::string::npos && listed(kInternational, text);
  }
  if (label.find(' ') != std::string_view::npos) return false;
  if (listed(kCountries, label) || listed(kOthers, label)) return true;
  return has(endings_, label);
}

}  // namespace postern::policy
