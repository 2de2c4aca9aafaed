// SPDX-License-Identifier: Apache-2.0
// The encodings of P-256 and its signatures: one way to write each; and checkpoints that others signed.
#include "crypto/p256.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>

#include "crypto/merkle.hpp"

namespace postern::p256 {
namespace {

Bytes hex(std::string_view text) {
  Bytes out;
  EXPECT_TRUE(from_hex(text, out)) << text;
  return out;
}
Bytes base64(std::string_view text) {
  Bytes out;
  EXPECT_TRUE(from_base64(text, out)) << text;
  return out;
}
Signature of(std::string_view r, std::string_view s) {
  Signature signature{};
  const Bytes first = hex(r), second = hex(s);
  std::ranges::copy(first, signature.begin() + 32 - static_cast<std::ptrdiff_t>(first.size()));
  std::ranges::copy(second, signature.end() - static_cast<std::ptrdiff_t>(second.size()));
  return signature;
}

constexpr std::string_view kOrder = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
constexpr std::string_view kHalf = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
constexpr std::string_view kOverHalf = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9";

// Keys and checkpoints of two public logs (Sigstore's Rekor, Pixel 6), as they stand in the tests of the project that defines type 2 of
// signed-note. Their y is odd, which no key of ours is: what is common is the encoding and the signature.
struct Foreign {
  std::string_view key, hash, text, line;
};
constexpr Foreign kForeign[] = {
    {"AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=", "c0d23d6a",
     "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n",
     "wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVClgqq20uDLet7MCoTURUCRdxwWBHHufk="},
    {"AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1yTwvLFI9A4NDdGZcX0aiWVdWM5XJVy0M4VWD3AvyW5Q6Hs9A0mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8=", "91c16e30",
     "DEFAULT\n10\nbsWRucJU5xJPHb5eBdOm6+DM+VelCZBuvtI3sHERJ9Y=\n",
     "kcFuMDBFAiEAhqMAP8P6qf6QxtUJhzMhbN+MbZ9dwfUHzGQJmffJHtoCIGD0cNe47dHWBoPwYdgBCepB06/+g5O1FmYjXl06owL4"},
};

TEST(P256, VerifiesTheCheckpointsOfOtherLogs) {
  for (const Foreign& log : kForeign) {
    const Bytes key = base64(log.key), line = base64(log.line);
    ASSERT_EQ(key.front(), 2U);
    const ByteView spki = ByteView(key).subspan(1), der = ByteView(line).subspan(4);
    EXPECT_EQ(to_hex(ByteView(sha256(spki)).first(4)), log.hash);
    EXPECT_EQ(to_hex(ByteView(line).first(4)), log.hash);
    const std::optional<Point> point = point_in(spki);
    ASSERT_TRUE(point.has_value());
    EXPECT_EQ(point->front(), 3U);
    ASSERT_TRUE(spki_of(*point).has_value());
    EXPECT_TRUE(std::ranges::equal(*spki_of(*point), spki));
    EXPECT_TRUE(verify(*point, as_bytes(log.text), der));
    for (std::size_t bit = 0; bit < 8 * der.size(); ++bit) {
      Bytes bad(der.begin(), der.end());
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      EXPECT_FALSE(verify(*point, as_bytes(log.text), bad)) << bit;
    }
    Point other = *point;
    other[0] ^= 1;
    EXPECT_FALSE(verify(other, as_bytes(log.text), der)) << "the same x with the other y";
    EXPECT_FALSE(verify(*point, as_bytes(log.text.substr(1)), der));
  }
}

TEST(P256, SignaturesHaveOneDer) {
  const std::pair<Signature, std::string_view> known[] = {
      {of("01", "02"), "3006020101020102"},
      {of("7f", "80"), "300702017f02020080"},
      {of("ff", "0100"), "3008020200ff02020100"},
      {Signature{}, "3006020100020100"},
      {of("8000000000000000000000000000000000000000000000000000000000000000", "7000000000000000000000000000000000000000000000000000000000000000"),
       "304502210080000000000000000000000000000000000000000000000000000000000000000220700000000000000000000000000000000000000000000000000000000000" "0000"},
  };
  for (const auto& [signature, der] : known) {
    EXPECT_EQ(to_hex(der_of(signature)), der);
    ASSERT_TRUE(signature_in(hex(der)).has_value()) << der;
    EXPECT_EQ(*signature_in(hex(der)), signature);
  }
  for (const std::string_view bad : {"", "30", "3000", "3006020101020102ff", "300602010102010200", "3005020101020102", "3007020101020102", "3106020101020102",
                                     "3006030101020102", "3006020101030102", "3005020002010200", "30050201010200", "300702020001020102", "300702010102020002",
                                     "3006020181020101", "3006020101020181", "308106020101020102", "30820006020101020102", "30800201010201020000", "30060201010201",
                                     "3003020101", "300702810101020102", "3027022100000000000000000000000000000000000000000000000000000000000000000001020102"})
    EXPECT_FALSE(signature_in(hex(bad)).has_value()) << bad;
  // 33 bytes whose first is not zero.
  Bytes wide{0x30, 38, 0x02, 33, 0x01};
  wide.resize(5 + 32);
  wide.insert(wide.end(), {0x02, 0x01, 0x01});
  EXPECT_FALSE(signature_in(wide).has_value());
}

TEST(P256, OfTwoSignaturesTheOneWithTheLowerSCounts) {
  EXPECT_EQ(with_low_s(of("05", kHalf)), of("05", kHalf));
  EXPECT_EQ(with_low_s(of("05", kOverHalf)), of("05", kHalf));
  EXPECT_EQ(with_low_s(of("05", "01")), of("05", "01"));
  EXPECT_EQ(with_low_s(of("05", "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550")), of("05", "01"));
  EXPECT_EQ(with_low_s(of("05", kOrder)), of("05", kOrder)) << "no s at all";
}

TEST(P256, KeysHaveOneEncodingAndLieOnTheCurve) {
  // The generator (SEC 2): its y is odd; and its negative.
  const std::string x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296", y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
  const std::string head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
  const std::optional<Point> generator = point_in(hex(head + "04" + x + y));
  ASSERT_TRUE(generator.has_value());
  EXPECT_EQ(to_hex(*generator), "03" + x);
  PublicKey key{};
  std::ranges::copy(hex(x), key.begin());
  const Point negative = even_point(key);
  ASSERT_TRUE(spki_of(negative).has_value());
  EXPECT_EQ(to_hex(*spki_of(negative)), head + "04" + x + "b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a");
  EXPECT_EQ(point_in(*spki_of(negative)), negative);
  for (const std::string& bad : {head + "04" + y + x, head + "04" + x + y.substr(2), head + "04" + x + y + "00", head + "07" + x + y, head + "06" + x + y,
                                 head + "03" + x, head + "00", std::string("30"), std::string(), head + "04" + std::string(128, '0'),
                                 // An x over the field's prime: a second way to write a point.
                                 head + "04" + std::string(64, 'f') + y})
    EXPECT_FALSE(point_in(hex(bad)).has_value()) << bad;
  Point beyond{2};
  std::ranges::copy(hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"), beyond.begin() + 1);   // p: the same as 0
  EXPECT_FALSE(spki_of(beyond).has_value());
  EXPECT_TRUE(spki_of(Point{2}).has_value()) << "x = 0 has a point";
  EXPECT_FALSE(spki_of(Point{}).has_value());
}

TEST(P256, WhatItRefusesLeavesNoErrorToOthersInTheThread) {
  ERR_clear_error();
  EXPECT_FALSE(spki_of(Point{4}).has_value());
  EXPECT_FALSE(verify(Point{2, 1}, as_bytes("text"), der_of(of("01", "01"))));
  EXPECT_FALSE(verify(even_point({}), as_bytes("text"), der_of(of("01", "01"))));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace postern::p256
