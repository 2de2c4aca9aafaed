// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/encoding.hpp"

#include <gtest/gtest.h>

#include <random>

#include "connectors/channels/smpp/gsm_tables.hpp"
#include "vectors.hpp"

namespace postern::smpp {
namespace {

using nlohmann::json;

// Test texts are built from code points.
std::string utf8(const std::u32string& characters) {
  std::string out;
  for (const char32_t c : characters) {
    const auto put = [&](char32_t value) { out.push_back(static_cast<char>(static_cast<unsigned char>(value))); };
    if (c < 0x80) {
      put(c);
    } else if (c < 0x800) {
      put(0xc0 | (c >> 6));
      put(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      put(0xe0 | (c >> 12));
      put(0x80 | ((c >> 6) & 0x3f));
      put(0x80 | (c & 0x3f));
    } else {
      put(0xf0 | (c >> 18));
      put(0x80 | ((c >> 12) & 0x3f));
      put(0x80 | ((c >> 6) & 0x3f));
      put(0x80 | (c & 0x3f));
    }
  }
  return out;
}

std::string repeat(std::string_view piece, std::size_t count) {
  std::string out;
  while (count-- > 0) out += piece;
  return out;
}

Encoded encoded(const std::string& text, EncodeOptions options = {}) {
  auto result = encode(text, options);
  EXPECT_TRUE(result) << reason_word(result.error());
  return result ? *result : Encoded{};
}

// The octets of a part without its header.
ByteView body(const Encoded& whole, std::size_t part) {
  const ByteView octets = whole.parts.at(part);
  return whole.udhi ? octets.subspan(read_header(octets)->size) : octets;
}

std::string joined(const Encoded& whole) {
  Bytes octets;
  for (std::size_t i = 0; i < whole.parts.size(); ++i) {
    const ByteView part = body(whole, i);
    octets.insert(octets.end(), part.begin(), part.end());
  }
  const std::uint8_t coding = whole.alphabet == Alphabet::gsm7 ? 0 : 8;
  return decode_text(octets, {.data_coding = coding}).value_or("(binary)");
}

char32_t code_point(const json& name) {
  return static_cast<char32_t>(std::stoul(name.get<std::string>().substr(2), nullptr, 16));
}

TEST(SmppEncoding, HasTheStandardsDefaultTableBothWays) {
  const json tables = test::read_vectors("gsm0338.json");
  const json& base = tables.at("locking").at("0_default");
  ASSERT_EQ(base.size(), 128U);
  for (std::uint8_t septet = 0; septet < 128; ++septet) {
    if (base[septet].is_null()) continue;
    const char32_t character = code_point(base[septet]);
    EXPECT_EQ(gsm::septet_of(character), septet);
    const Encoded whole = encoded(utf8({character}));
    EXPECT_EQ(whole.parts.at(0), Bytes{septet});
    EXPECT_EQ(joined(whole), utf8({character}));
  }
  for (const auto& [key, name] : tables.at("single").at("0_default").items()) {
    const auto septet = static_cast<std::uint8_t>(std::stoul(key, nullptr, 16));
    const Encoded whole = encoded(utf8({code_point(name)}));
    EXPECT_EQ(whole.parts.at(0), (Bytes{0x1b, septet}));
    EXPECT_EQ(joined(whole), utf8({code_point(name)}));
  }
}

TEST(SmppEncoding, ReadsTheNationalTables) {
  const json tables = test::read_vectors("gsm0338.json");
  for (const auto& [name, table] : tables.at("locking").items()) {
    const auto language = static_cast<std::uint8_t>(name[0] - '0');
    for (std::uint8_t septet = 0; septet < 128; ++septet) {
      if (table[septet].is_null()) continue;
      EXPECT_EQ(decode_text(Bytes{septet}, {.locking_shift = language}), utf8({code_point(table[septet])})) << name;
    }
  }
  for (const auto& [name, table] : tables.at("single").items()) {
    const auto language = static_cast<std::uint8_t>(name[0] - '0');
    for (const auto& [key, character] : table.items()) {
      const auto septet = static_cast<std::uint8_t>(std::stoul(key, nullptr, 16));
      EXPECT_EQ(decode_text(Bytes{0x1b, septet}, {.single_shift = language}), utf8({code_point(character)})) << name;
    }
  }
}

TEST(SmppEncoding, ChoosesUcs2ForOneCharacterOutsideTheAlphabet) {
  EXPECT_EQ(encoded("Kod: 123456 {€}").alphabet, Alphabet::gsm7);
  for (const char* text : {"Привет", "naïve", "ó", "tab\there", "“quoted”", "😀", "`"})
    EXPECT_EQ(encoded(text).alphabet, Alphabet::ucs2) << text;
}

TEST(SmppEncoding, CutsOnlyWhatDoesNotFitOneMessage) {
  EXPECT_EQ(encoded(repeat("a", 160)).parts.size(), 1U);
  EXPECT_FALSE(encoded(repeat("a", 160)).udhi);
  const Encoded two = encoded(repeat("a", 161));
  ASSERT_EQ(two.parts.size(), 2U);
  EXPECT_TRUE(two.udhi);
  EXPECT_EQ(body(two, 0).size(), 153U);
  EXPECT_EQ(encoded(repeat("a", 306)).parts.size(), 2U);
  EXPECT_EQ(encoded(repeat("a", 307)).parts.size(), 3U);
  EXPECT_EQ(encoded(repeat("€", 80)).parts.size(), 1U);
  EXPECT_EQ(encoded(repeat("€", 81)).parts.size(), 2U);
  EXPECT_EQ(encoded(repeat("Ж", 70)).parts.size(), 1U);
  EXPECT_EQ(encoded(repeat("Ж", 71)).parts.size(), 2U);
  EXPECT_EQ(body(encoded(repeat("Ж", 71)), 0).size(), 134U);
}

TEST(SmppEncoding, NumbersThePartsUnderOneReference) {
  EncodeOptions options{.long_messages = LongMessages::udh16, .reference = 0x1234};
  const Encoded wide = encoded(repeat("Ж", 140), options);
  ASSERT_EQ(wide.parts.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto header = read_header(wide.parts[i]);
    ASSERT_TRUE(header && header->concatenation);
    EXPECT_EQ(header->concatenation->reference, 0x1234);
    EXPECT_EQ(header->concatenation->total, 3);
    EXPECT_EQ(header->concatenation->part, i + 1);
  }
  options.long_messages = LongMessages::udh8;
  EXPECT_EQ(read_header(encoded(repeat("Ж", 140), options).parts[2])->concatenation->reference, 0x34);
  options.long_messages = LongMessages::sar;
  EXPECT_FALSE(encoded(repeat("Ж", 140), options).udhi);
  EXPECT_EQ(encoded(repeat("Ж", 140), options).parts.size(), 3U);
  options.long_messages = LongMessages::payload;
  const Encoded payload = encoded(repeat("Ж", 140), options);
  EXPECT_TRUE(payload.payload);
  ASSERT_EQ(payload.parts.size(), 1U);
  EXPECT_EQ(payload.parts[0].size(), 280U);
}

TEST(SmppEncoding, NeverCutsAnEscapePair) {
  // The escape would be the 153rd septet.
  const std::string text = repeat("a", 152) + "€" + repeat("b", 20);
  const Encoded whole = encoded(text);
  ASSERT_EQ(whole.parts.size(), 2U);
  EXPECT_EQ(body(whole, 0).size(), 152U);
  EXPECT_EQ(body(whole, 1)[0], 0x1b);
  EXPECT_EQ(joined(whole), text);
}

TEST(SmppEncoding, NeverCutsASurrogatePair) {
  const std::string text = repeat("Ж", 66) + "😀" + repeat("Ж", 20);
  const Encoded whole = encoded(text);
  ASSERT_EQ(whole.parts.size(), 2U);
  EXPECT_EQ(body(whole, 0).size(), 132U);
  EXPECT_EQ(joined(whole), text);
}

TEST(SmppEncoding, KeepsWhatAReaderSeesAsOneCharacterTogether) {
  const std::u32string family = {0x1f468, 0x200d, 0x1f469, 0x200d, 0x1f467};
  const std::u32string flag = {0x1f1fa, 0x1f1e6};
  const std::u32string accented = {0x435, 0x301};
  const std::u32string thumb = {0x1f44d, 0x1f3fd};
  const std::u32string keycap = {'1', 0xfe0f, 0x20e3};
  for (const std::u32string& cluster : {family, flag, accented, thumb, keycap}) {
    for (std::size_t before = 58; before <= 67; ++before) {
      const std::string text = utf8(std::u32string(before, U'Ж') + cluster + std::u32string(50, U'Ж'));
      const Encoded whole = encoded(text);
      ASSERT_EQ(whole.parts.size(), 2U);
      const std::string first = decode_text(body(whole, 0), {.data_coding = 8}).value_or("");
      const bool kept_whole = first.ends_with("Ж") || first.ends_with(utf8(cluster));
      EXPECT_TRUE(kept_whole) << before << ": " << first;
      EXPECT_EQ(joined(whole), text);
    }
  }
  // Two flags side by side may part between them.
  const std::string flags = utf8(std::u32string(63, U'Ж') + flag + flag + std::u32string(9, U'Ж'));
  EXPECT_EQ(body(encoded(flags), 0).size(), 134U);
}

TEST(SmppEncoding, CutsAClusterThatIsLongerThanAPart) {
  const std::string text = utf8(std::u32string(1, U'e') + std::u32string(200, char32_t{0x301}));
  const Encoded whole = encoded(text);
  EXPECT_EQ(whole.parts.size(), 3U);
  EXPECT_EQ(joined(whole), text);
}

TEST(SmppEncoding, KeepsEveryPropertyForRandomTexts) {
  std::minstd_rand random(42);
  const std::u32string pool = {'a',    'Z',   '9',    ' ',    '{',     '|',     0x20ac,  0xe9,    0x3a9,
                               0x416,  0x301, 0x200d, 0xfe0f, 0x1f600, 0x1f3fd, 0x1f1fa, 0x1f1e6, 0x10ffff,
                               0xfffd, 0x939, 0x94d,  0xe33,  '\n',    '@',     0};
  for (int round = 0; round < 3000; ++round) {
    const std::size_t kinds = 1 + random() % pool.size();
    std::u32string characters;
    for (std::size_t i = 1 + random() % 700; i > 0; --i) characters.push_back(pool[random() % kinds]);
    std::erase(characters, U'\0');
    if (characters.empty()) continue;
    const std::string text = utf8(characters);
    const auto mode = static_cast<LongMessages>(random() % 3);
    const Encoded whole = encoded(text, {.long_messages = mode, .max_parts = 255, .reference = 7});
    EXPECT_EQ(joined(whole), text);
    const std::size_t unit = whole.alphabet == Alphabet::gsm7 ? 1 : 2;
    const std::size_t room = whole.parts.size() == 1 ? room_single(whole.alphabet) : room_part(whole.alphabet, mode);
    for (std::size_t i = 0; i < whole.parts.size(); ++i) {
      const ByteView part = body(whole, i);
      EXPECT_LE(part.size(), room * unit);
      EXPECT_LE(whole.parts[i].size(), 160U);
      ASSERT_FALSE(part.empty());
      if (whole.alphabet == Alphabet::gsm7) {
        // An escape at the end stands for a pair cut in two; one in front of it is a character of its own.
        std::size_t escapes = 0;
        while (escapes < part.size() && part[part.size() - 1 - escapes] == gsm::kEscape) ++escapes;
        EXPECT_EQ(escapes, 0U);
      } else {
        EXPECT_EQ(part.size() % 2, 0U);
        EXPECT_NE(part[part.size() - 2] & 0xfc, 0xd8);  // a high surrogate last
        EXPECT_NE(part[0] & 0xfc, 0xdc);                // a low surrogate first
      }
    }
  }
}

TEST(SmppEncoding, RefusesWhatItCannotSend) {
  const auto fault = [](std::string_view text, EncodeOptions options = {}) {
    const auto result = encode(text, options);
    return result ? "" : reason_word(result.error());
  };
  EXPECT_EQ(fault(""), "text-empty");
  for (const char* bad : {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"})
    EXPECT_EQ(fault(bad), "text-not-utf8");
  EXPECT_EQ(fault(repeat("a", 153 * 6)), "");
  EXPECT_EQ(fault(repeat("a", 153 * 6 + 1)), "text-too-long");
  EXPECT_EQ(fault(repeat("a", 161), {.max_parts = 1}), "text-too-long");
  EXPECT_EQ(fault(repeat("a", 1000), {.long_messages = LongMessages::payload, .max_parts = 6}), "text-too-long");
  EXPECT_EQ(fault(repeat("a", 153 * 300), {.max_parts = 1000}), "text-too-long");
}

TEST(SmppEncoding, WritesASmsCentresOwnSingleOctetSet) {
  const Encoded latin = encoded("@ à Ä_{}", {.default_alphabet = DefaultAlphabet::latin1});
  EXPECT_EQ(latin.parts.at(0), (Bytes{'@', ' ', 0xe0, ' ', 0xc4, '_', '{', '}'}));
  EXPECT_EQ(encoded("€", {.default_alphabet = DefaultAlphabet::latin1}).alphabet, Alphabet::ucs2);
  EXPECT_EQ(encoded("à", {.default_alphabet = DefaultAlphabet::ascii}).alphabet, Alphabet::ucs2);
  // Braces take two septets on the radio whatever set the SMS centre reads.
  EXPECT_EQ(encoded(repeat("{", 81), {.default_alphabet = DefaultAlphabet::latin1}).parts.size(), 2U);
}

TEST(SmppEncoding, DecodesWhateverCodingAPeerClaims) {
  EXPECT_EQ(decode_text(as_bytes("A\xe9"), {.data_coding = 3}), "Aé");
  EXPECT_EQ(decode_text(as_bytes("A\xe9"), {.data_coding = 1}), "A\xef\xbf\xbd");
  EXPECT_EQ(decode_text(as_bytes("A\xe9"), {.default_alphabet = DefaultAlphabet::latin1}), "Aé");
  EXPECT_EQ(decode_text(as_bytes("x"), {.data_coding = 0xf0}), "x");
  EXPECT_EQ(decode_text(Bytes{0x04, 0x16}, {.data_coding = 0x18}), "Ж");
  EXPECT_EQ(decode_text(as_bytes("x"), {.data_coding = 4}), std::nullopt);
  EXPECT_EQ(decode_text(as_bytes("x"), {.data_coding = 0xf4}), std::nullopt);
  EXPECT_EQ(decode_text(Bytes{0xd8, 0x3d}, {.data_coding = 8}), "\xef\xbf\xbd");
  EXPECT_EQ(decode_text(Bytes{0x00, 'a', 0x00}, {.data_coding = 8}), "a\xef\xbf\xbd");
  EXPECT_EQ(decode_text(Bytes{0x1b, 0x1b, 0x1b, 'A', 0x1b}, {}), " A");
  for (int coding = 0; coding < 256; ++coding) {
    const Bytes octets = {0xff, 0x00, 0x1b};
    decode_text(octets, {.data_coding = static_cast<std::uint8_t>(coding), .single_shift = 9, .locking_shift = 200});
  }
}

TEST(SmppEncoding, ReadsOnlyHeadersThatFitTheirMessage) {
  EXPECT_FALSE(read_header(Bytes{}));
  EXPECT_FALSE(read_header(Bytes{5}));
  EXPECT_FALSE(read_header(Bytes{0, 'a'}));
  EXPECT_FALSE(read_header(Bytes{5, 0, 3, 1, 2}));
  EXPECT_FALSE(read_header(Bytes{3, 0, 3, 1, 2}));  // the element is longer than the header
  const auto both = read_header(Bytes{9, 0x24, 1, 1, 0x08, 4, 0, 9, 2, 1, 'x'});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->single_shift, 1);
  EXPECT_EQ(both->concatenation->reference, 9);
  EXPECT_EQ(both->size, 10U);
}

}  // namespace
}  // namespace postern::smpp
