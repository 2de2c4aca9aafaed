// SPDX-License-Identifier: Apache-2.0
#include "crypto/bytes.hpp"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(ByteReader, ReadsWhatTheWriterWrote) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.u16(0x0203);
  out.u32(0x04050607);
  out.u64(0x08090a0b0c0d0e0fULL);
  out.i64(-2);
  out.text8("eight");
  out.text16("sixteen");
  out.view32(as_bytes("thirty-two"));
  EXPECT_EQ(to_hex(ByteView(bytes).first(15)), "0102030405060708090a0b0c0d0e0f");
  ByteReader in(bytes);
  EXPECT_EQ(in.u8(), 1);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0x04050607U);
  EXPECT_EQ(in.u64(), 0x08090a0b0c0d0e0fULL);
  EXPECT_EQ(in.i64(), -2);
  EXPECT_EQ(in.text8(), "eight");
  EXPECT_EQ(in.text16(), "sixteen");
  EXPECT_EQ(as_text(in.view32(100)), "thirty-two");
  EXPECT_TRUE(in.finish());
}

TEST(ByteReader, NeverReadsPastItsEndAndStaysBad) {
  const Bytes bytes{0, 5, 'a', 'b'};
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    ByteReader in(ByteView(bytes).first(cut));
    EXPECT_TRUE(in.view16().empty());
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.u64(), 0U);
    EXPECT_TRUE(in.view(0).empty());
    EXPECT_FALSE(in.finish());
  }
}

TEST(ByteReader, RefusesBytesLeftOver) {
  const Bytes bytes{1, 2};
  ByteReader in(bytes);
  in.u8();
  EXPECT_TRUE(in.ok());
  EXPECT_FALSE(in.finish());
  in.u8();
  EXPECT_TRUE(in.finish());
}

TEST(ByteReader, ALengthOverItsLimitSpoilsTheWhole) {
  Bytes bytes;
  ByteWriter(bytes).text16("hello");
  ByteReader strict(bytes), enough(bytes);
  EXPECT_TRUE(strict.view16(4).empty());
  EXPECT_FALSE(strict.finish());
  EXPECT_EQ(enough.text16(5), "hello");
}

TEST(ByteWriter, ALengthThatDoesNotFitItsPrefixEndsTheProcess) {
  Bytes bytes;
  EXPECT_DEATH(ByteWriter(bytes).text8(std::string(256, 'x')), "did not fit its prefix");
  EXPECT_DEATH(ByteWriter(bytes).text16(std::string(65536, 'x')), "did not fit its prefix");
  ByteWriter(bytes).text8(std::string(255, 'x'));
  EXPECT_EQ(bytes.size(), 256U);
}

TEST(Hex, GoesBothWaysAndRefusesEverythingElse) {
  Bytes bytes;
  ASSERT_TRUE(from_hex("00ff10Ab", bytes));
  EXPECT_EQ(to_hex(bytes), "00ff10ab");
  EXPECT_TRUE(from_hex("", bytes));
  EXPECT_TRUE(bytes.empty());
  for (const char* text : {"0", "0g", "00 11", "0x11", "001", "00\n"}) EXPECT_FALSE(from_hex(text, bytes)) << text;
}

TEST(Base64, FollowsTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    Bytes bytes;
    ASSERT_TRUE(from_base64(encoded, bytes));
    EXPECT_EQ(as_text(bytes), plain);
  }
}

TEST(Base64, AcceptsTheOneFormOnly) {
  Bytes bytes;
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9v\n", " Zm9v", "Zm9v=", "Zm-v", "Zm9\xef", "=", "Z", "Zg==Zg=="})
    EXPECT_FALSE(from_base64(text, bytes)) << text;
}

TEST(CutUtf8, NeverEndsInsideACharacter) {
  const std::string text = "aЖ€😀z";
  for (std::size_t limit = 0; limit <= text.size() + 1; ++limit) {
    const std::string_view cut = cut_utf8(text, limit);
    EXPECT_LE(cut.size(), limit);
    EXPECT_TRUE(text.starts_with(cut));
    EXPECT_TRUE(cut.size() == text.size() || (static_cast<std::uint8_t>(text[cut.size()]) & 0xc0) != 0x80) << limit;
  }
  EXPECT_EQ(cut_utf8(text, 100), text);
}

}  // namespace
}  // namespace postern
