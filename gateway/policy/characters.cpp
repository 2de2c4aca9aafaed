// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/characters.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace postern::policy {
namespace {

constexpr bool in(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

// The zeros of all decimal digits (category Nd); nine more follow each.
constexpr std::array<char32_t, 66> kZeros{
    0x30,    0x660,   0x6F0,   0x7C0,   0x966,   0x9E6,   0xA66,   0xAE6,   0xB66,   0xBE6,   0xC66,   0xCE6,   0xD66,   0xDE6,   0xE50,   0xED0,   0xF20,
    0x1040,  0x1090,  0x17E0,  0x1810,  0x1946,  0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,  0xA8D0,  0xA900,  0xA9D0,  0xA9F0,
    0xAA50,  0xABF0,  0xFF10,  0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950,
    0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0};

// The letter below the marks of Latin letters (by decomposition, and of those with a stroke or hook by look); ?: none.
constexpr std::string_view kLatin00C0 =
    "aaaaaaaceeeeiiiidnooooo?ouuuuypbaaaaaaaceeeeiiiidnooooo?ouuuuypyaaaaaaccccccccddddeeeeeeeeeegggggggg"
    "hhhhiiiiiiiiiiiijjkkkllllllllllnnnnnn?nnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzsbbbb??cc"
    "cdd???e??ffg???ikkl?mnnooo??pp?22?lttttuu?vyyzz?????55??l??ldddlllnnnaaiioouuuuuuuuuueaaaaaaggggkkoo"
    "oo??jdddgg??nnaaaaooaaaaeeeeiiiioooorrrruuuusstt33hhnd??zzaaeeooooooooyylntj??accltsz??bu?eejjqqrryy";
constexpr std::string_view kLatin1E00 =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrrrrrrssss"
    "ssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwyas??b?aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeee"
    "iiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy??????";
static_assert(kLatin00C0.size() == 0x24F - 0xC0 + 1 && kLatin1E00.size() == 256);

// Letters of other scripts by their look; sorted.
constexpr std::pair<char32_t, char> kLooks[] = {
    {0x131, 'i'},  {0x251, 'a'},  {0x261, 'g'},  {0x269, 'i'},  {0x26A, 'i'},  {0x28F, 'y'},
    // Greek, capitals and small ones
    {0x37F, 'j'},  {0x391, 'a'},  {0x392, 'b'},  {0x395, 'e'},  {0x396, 'z'},  {0x397, 'h'},  {0x399, 'i'},  {0x39A, 'k'},  {0x39C, 'm'},  {0x39D, 'n'},
    {0x39F, 'o'},  {0x3A1, 'p'},  {0x3A4, 't'},  {0x3A5, 'y'},  {0x3A7, 'x'},  {0x3AC, 'a'},  {0x3AD, 'e'},  {0x3AE, 'n'},  {0x3AF, 'i'},  {0x3B1, 'a'},
    {0x3B2, 'b'},  {0x3B3, 'y'},  {0x3B5, 'e'},  {0x3B7, 'n'},  {0x3B9, 'i'},  {0x3BA, 'k'},  {0x3BD, 'v'},  {0x3BF, 'o'},  {0x3C1, 'p'},  {0x3C3, 'o'},
    {0x3C4, 't'},  {0x3C5, 'u'},  {0x3C7, 'x'},  {0x3C9, 'w'},  {0x3CA, 'i'},  {0x3CC, 'o'},  {0x3CD, 'u'},  {0x3CE, 'w'},  {0x3F2, 'c'},  {0x3F3, 'j'},
    {0x3F9, 'c'},
    // Cyrillic, capitals and small ones
    {0x400, 'e'},  {0x401, 'e'},  {0x405, 's'},  {0x406, 'i'},  {0x407, 'i'},  {0x408, 'j'},  {0x410, 'a'},  {0x412, 'b'},  {0x415, 'e'},  {0x417, '3'},
    {0x41A, 'k'},  {0x41C, 'm'},  {0x41D, 'h'},  {0x41E, 'o'},  {0x420, 'p'},  {0x421, 'c'},  {0x422, 't'},  {0x423, 'y'},  {0x425, 'x'},  {0x42C, 'b'},
    {0x430, 'a'},  {0x432, 'b'},  {0x433, 'r'},  {0x435, 'e'},  {0x437, '3'},  {0x438, 'u'},  {0x43A, 'k'},  {0x43C, 'm'},  {0x43D, 'h'},  {0x43E, 'o'},
    {0x43F, 'n'},  {0x440, 'p'},  {0x441, 'c'},  {0x442, 't'},  {0x443, 'y'},  {0x445, 'x'},  {0x448, 'w'},  {0x44C, 'b'},  {0x450, 'e'},  {0x451, 'e'},
    {0x455, 's'},  {0x456, 'i'},  {0x457, 'i'},  {0x458, 'j'},  {0x474, 'v'},  {0x475, 'v'},  {0x4AE, 'y'},  {0x4AF, 'y'},  {0x4BA, 'h'},  {0x4BB, 'h'},
    {0x4C0, 'i'},  {0x4CF, 'l'},  {0x501, 'd'},  {0x51A, 'q'},  {0x51B, 'q'},  {0x51C, 'w'},  {0x51D, 'w'},
    // Armenian
    {0x555, 'o'},  {0x561, 'w'},  {0x570, 'h'},  {0x578, 'n'},  {0x57D, 'u'},  {0x581, 'g'},  {0x584, 'f'},  {0x585, 'o'}};
static_assert(std::ranges::is_sorted(kLooks, {}, [](const auto& look) { return look.first; }));

}  // namespace

Decoded decode(std::string_view text, std::size_t offset) {
  const auto byte = [text, offset](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::uint8_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - offset < size) return {0xfffd, 1, false};
  char32_t code = first & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0xfffd, 1, false};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || code > 0x10ffff || in(code, 0xd800, 0xdfff)) return {0xfffd, 1, false};
  return {code, size, true};
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

bool is_mark(char32_t code) {
  return in(code, 0x300, 0x36f) || in(code, 0x483, 0x489) || in(code, 0x1ab0, 0x1aff) || in(code, 0x1dc0, 0x1dff) || in(code, 0x20d0, 0x20ff) ||
         in(code, 0x2de0, 0x2dff) || in(code, 0xa66f, 0xa67d) || in(code, 0xfe20, 0xfe2f);
}

bool is_space(char32_t code) {
  return in(code, 0x09, 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 || in(code, 0x2000, 0x200a) || code == 0x2028 ||
         code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool is_dash(char32_t code) {
  return code == '-' || in(code, 0x2010, 0x2015) || code == 0x2043 || code == 0x2212 || code == 0x2796 || code == 0xfe58 || code == 0xfe63 ||
         code == 0xff0d || code == 0x58a;
}

bool is_symbol(char32_t code) {
  return code == 0xa9 || code == 0xae || code == 0x203c || code == 0x2049 || code == 0x20e3 || code == 0x2122 || code == 0x2139 || in(code, 0x2190, 0x2bff) ||
         code == 0x3030 || code == 0x303d || code == 0x3297 || code == 0x3299 || in(code, 0x1f000, 0x1faff);
}

bool is_styled(char32_t code) {
  return in(code, 0x1d400, 0x1d7cb) || in(code, 0x249c, 0x24e9) || in(code, 0x1f110, 0x1f12b) || in(code, 0x1f130, 0x1f149) || in(code, 0x1f150, 0x1f169) ||
         (in(code, 0x1f170, 0x1f189) && code != 0x1f170 && code != 0x1f171 && code != 0x1f17e && code != 0x1f17f);
}

bool is_right_to_left(char32_t code) {
  return in(code, 0x590, 0x8ff) || in(code, 0xfb1d, 0xfdff) || in(code, 0xfe70, 0xfefc) || in(code, 0x10800, 0x10fff) || in(code, 0x1e800, 0x1eeff);
}

Script script_of(char32_t code) {
  if (in(code, 'a', 'z') || in(code, 'A', 'Z')) return Script::latin;
  if (code < 0xaa) return Script::none;
  if (code == 0xaa || code == 0xba || (in(code, 0xc0, 0x2af) && code != 0xd7 && code != 0xf7) || in(code, 0x1d00, 0x1d25) || in(code, 0x1d2c, 0x1d5c) ||
      in(code, 0x1d62, 0x1d65) || in(code, 0x1d6b, 0x1dbf) || in(code, 0x1e00, 0x1eff) || in(code, 0x212a, 0x212b) || in(code, 0x2c60, 0x2c7f) ||
      in(code, 0xa722, 0xa7ff) || in(code, 0xab30, 0xab64) || in(code, 0xfb00, 0xfb06) || in(code, 0xff21, 0xff3a) || in(code, 0xff41, 0xff5a))
    return Script::latin;
  if (is_mark(code)) return Script::none;
  if ((in(code, 0x370, 0x3ff) && code != 0x37e && code != 0x387 && code != 0x375) || in(code, 0x1f00, 0x1fff)) return Script::greek;
  if (in(code, 0x400, 0x52f) || in(code, 0x1c80, 0x1c8f) || in(code, 0xa640, 0xa69f)) return Script::cyrillic;
  if (in(code, 0x531, 0x556) || in(code, 0x560, 0x588)) return Script::armenian;
  if (code < 0x2b0 || is_space(code) || is_dash(code) || is_symbol(code) || digit_of(code) >= 0) return Script::none;
  if (in(code, 0x2b0, 0x2ff) || in(code, 0x2000, 0x206f) || in(code, 0x2070, 0x218f) || in(code, 0x3000, 0x3004) || in(code, 0x3008, 0x3020) ||
      in(code, 0xd800, 0xf8ff) || in(code, 0xfe00, 0xfe6f) || in(code, 0xff00, 0xff20) || in(code, 0xff3b, 0xff40) || in(code, 0xff5b, 0xff65) ||
      in(code, 0xffe0, 0xffff) || in(code, 0x1d400, 0x1d7ff) || code >= 0xe0000)
    return Script::none;
  return Script::other;
}

int digit_of(char32_t code) {
  if (code < 0x80) return in(code, '0', '9') ? static_cast<int>(code - '0') : -1;
  const auto after = std::ranges::upper_bound(kZeros, code);
  if (const char32_t past = code - *std::prev(after); past < 10) return static_cast<int>(past);
  if (code == 0xb9) return 1;
  if (code == 0xb2 || code == 0xb3) return static_cast<int>(code - 0xb0);
  if (code == 0x2070 || in(code, 0x2074, 0x2079)) return static_cast<int>(code - 0x2070);
  if (in(code, 0x2080, 0x2089)) return static_cast<int>(code - 0x2080);
  if (in(code, 0x2460, 0x2468)) return static_cast<int>(code - 0x245f);
  if (code == 0x24ea || code == 0x24ff) return 0;
  if (in(code, 0x24f5, 0x24fd)) return static_cast<int>(code - 0x24f4);
  for (const char32_t one : {char32_t{0x2776}, char32_t{0x2780}, char32_t{0x278a}})
    if (in(code, one, one + 8)) return static_cast<int>(code - one + 1);
  return -1;
}

Hidden hidden_kind(char32_t code) {
  if (code < 0x20) return code == '\n' || code == '\r' || code == '\t' ? Hidden::no : Hidden::control;
  if (code < 0x7f) return Hidden::no;
  if (in(code, 0x7f, 0x9f) && code != 0x85) return Hidden::control;
  if (in(code, 0x202a, 0x202e) || in(code, 0x2066, 0x2069)) return Hidden::override_;
  if (code == 0x200e || code == 0x200f || code == 0x61c) return Hidden::mark;
  if (code == 0x200c || code == 0x200d) return Hidden::joiner;
  if (in(code, 0xfe00, 0xfe0f)) return Hidden::selector;
  if (code == 0xad || code == 0x34f || code == 0x115f || code == 0x1160 || code == 0x17b4 || code == 0x17b5 || in(code, 0x180b, 0x180f) || code == 0x200b ||
      in(code, 0x2060, 0x2065) || in(code, 0x206a, 0x206f) || code == 0x2800 || code == 0x3164 || code == 0xfeff || code == 0xffa0 ||
      in(code, 0xfff0, 0xfffb) || in(code, 0x1d173, 0x1d17a) || in(code, 0xe0000, 0xe0fff))
    return Hidden::invisible;
  return Hidden::no;
}

char32_t folded(char32_t code) {
  if (in(code, 0xff01, 0xff5e)) code -= 0xff01 - 0x21;
  if (in(code, 'A', 'Z')) return code + 0x20;
  if (code < 0x80) return code;
  if (code == 0x3002 || code == 0xff61) return '.';
  if (in(code, 0xc0, 0xde) && code != 0xd7) return code + 0x20;
  if ((in(code, 0x100, 0x137) || in(code, 0x14a, 0x177) || in(code, 0x1e00, 0x1e95) || in(code, 0x1ea0, 0x1eff)) && code != 0x130 && code != 0x131)
    return code | 1;
  if ((in(code, 0x139, 0x148) || in(code, 0x179, 0x17e)) && code % 2 == 1) return code + 1;
  if (code == 0x178) return 0xff;
  if (in(code, 0x391, 0x3ab) && code != 0x3a2) return code + 0x20;
  if (in(code, 0x400, 0x40f)) return code + 0x50;
  if (in(code, 0x410, 0x42f)) return code + 0x20;
  if (in(code, 0x460, 0x481) || in(code, 0x48a, 0x4bf) || in(code, 0x4d0, 0x52f)) return code | 1;
  if (in(code, 0x4c1, 0x4ce) && code % 2 == 1) return code + 1;
  if (in(code, 0x531, 0x556)) return code + 0x30;
  return code;
}

char32_t look_of(char32_t code) {
  const auto found = std::ranges::lower_bound(kLooks, code, {}, [](const auto& look) { return look.first; });
  if (found != std::end(kLooks) && found->first == code) return static_cast<char32_t>(found->second);
  char base = '?';
  if (in(code, 0xc0, 0x24f)) base = kLatin00C0[code - 0xc0];
  if (in(code, 0x1e00, 0x1eff)) base = kLatin1E00[code - 0x1e00];
  if (base != '?') return static_cast<char32_t>(base);
  if (code >= 0x80)
    if (const int digit = digit_of(code); digit >= 0) return static_cast<char32_t>('0' + digit);
  // Mathematics has thirteen alphabets of 52 letters one behind the other.
  if (in(code, 0x1d400, 0x1d6a3)) return static_cast<char32_t>('a' + (code - 0x1d400) % 26);
  if (in(code, 0x24b6, 0x24e9)) return static_cast<char32_t>('a' + (code - 0x24b6) % 26);
  return folded(code);
}

}  // namespace postern::policy
