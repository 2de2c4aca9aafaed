// SPDX-License-Identifier: Apache-2.0
#include "crypto/note.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <cstring>

#include "crypto/seal.hpp"

namespace postern {
namespace {

// The example of Go's sumdb/note package, from which C2SP signed-note comes: a note of two lines and its
// verifier key. It is no checkpoint, so only its signature line and key are of use here.
constexpr const char* kPeterKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

class Note : public testing::Test {
 protected:
  Keyring ring = Keyring::create(1);
  Keys keys{ring};
  Checkpoint checkpoint{"bank.example/postern/audit", 123, sha256(as_bytes("root"))};
  std::string vkey = verifier_key(checkpoint.origin, keys.log_public_key());
  std::string text = sign_checkpoint(checkpoint, keys.log_public_key(), [this](std::string_view t) { return keys.sign(t); });
};

TEST_F(Note, SaysItsThreeLinesAnEmptyOneAndASignature) {
  std::vector<std::string> lines;
  std::string rest = text;
  for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
    lines.push_back(rest.substr(0, end));
    rest = rest.substr(end + 1);
  }
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(lines[0], checkpoint.origin);
  EXPECT_EQ(lines[1], "123");
  EXPECT_EQ(lines[2], to_base64(checkpoint.root));
  EXPECT_EQ(lines[3], "");
  EXPECT_TRUE(lines[4].starts_with("\xe2\x80\x94 " + checkpoint.origin + " "));
}

TEST_F(Note, OpensUnderItsKey) {
  const Result<Checkpoint> opened = open_checkpoint(text, vkey);
  ASSERT_TRUE(opened.has_value()) << opened.what();
  EXPECT_EQ(opened->origin, checkpoint.origin);
  EXPECT_EQ(opened->size, 123U);
  EXPECT_EQ(opened->root, checkpoint.root);
}

TEST_F(Note, DoesNotOpenUnderAnotherKeyOrName) {
  const Keys other(Keyring::create(1));
  EXPECT_FALSE(open_checkpoint(text, verifier_key(checkpoint.origin, other.log_public_key())).has_value());
  EXPECT_FALSE(open_checkpoint(text, verifier_key("bank.example/other", keys.log_public_key())).has_value());
}

TEST_F(Note, IsRefusedAtEveryFlippedBit) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bad = text;
      bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1U << bit));
      EXPECT_FALSE(open_checkpoint(bad, vkey).has_value()) << at << " " << bit;
    }
  }
}

TEST_F(Note, IsRefusedAtEveryTruncationAndWithBytesAdded) {
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(open_checkpoint(text.substr(0, size), vkey).has_value()) << size;
  EXPECT_FALSE(open_checkpoint(text + "x", vkey).has_value());
  EXPECT_FALSE(open_checkpoint("\n" + text, vkey).has_value());
  EXPECT_FALSE(open_checkpoint(std::string(70'000, 'x') + text, vkey).has_value());
}

TEST_F(Note, LinesOfUnknownKeysAreSkipped) {
  const Keys witness(Keyring::create(2));
  const std::string cosigned = sign_checkpoint({"witness.example", 123, checkpoint.root}, witness.log_public_key(),
                                               [&](std::string_view t) { return witness.sign(t); });
  const std::string line = cosigned.substr(cosigned.find("\n\n") + 2);
  EXPECT_TRUE(open_checkpoint(text + line, vkey).has_value());
  const std::size_t split = text.find("\n\n") + 2;
  EXPECT_TRUE(open_checkpoint(text.substr(0, split) + line + text.substr(split), vkey).has_value());
  // Alone it proves nothing.
  EXPECT_FALSE(open_checkpoint(text.substr(0, split) + line, vkey).has_value());
}

TEST_F(Note, AFalseSignatureUnderTheRightNameAndHashIsRefusedBesideAGoodOne) {
  const std::size_t split = text.find("\n\n") + 2;
  const std::string good = text.substr(split);
  std::string bad = good;
  bad[bad.size() - 10] = bad[bad.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(open_checkpoint(text.substr(0, split) + bad + good, vkey).has_value());
}

TEST_F(Note, ASizeWithALeadingZeroASignOrSpacesIsRefused) {
  for (const std::string size : {"0123", "+123", "-1", " 123", "123 ", "", "18446744073709551616", "0x7b"}) {
    const std::string body = checkpoint.origin + "\n" + size + "\n" + to_base64(checkpoint.root) + "\n";
    Bytes signature;
    Bytes key;
    ASSERT_TRUE(from_hex(vkey.substr(vkey.find('+') + 1, 8), key));
    signature = key;
    const auto signed_bytes = keys.sign(body);
    signature.insert(signature.end(), signed_bytes.begin(), signed_bytes.end());
    const std::string note = body + "\n\xe2\x80\x94 " + checkpoint.origin + " " + to_base64(signature) + "\n";
    EXPECT_FALSE(open_checkpoint(note, vkey).has_value()) << "'" << size << "'";
  }
}

TEST_F(Note, TheLargestSizeIsTaken) {
  checkpoint.size = UINT64_MAX;
  text = sign_checkpoint(checkpoint, keys.log_public_key(), [this](std::string_view t) { return keys.sign(t); });
  EXPECT_EQ(open_checkpoint(text, vkey)->size, UINT64_MAX);
}

TEST(VerifierKey, IsFormedAsSignedNoteSays) {
  const std::string peter = kPeterKey;
  Bytes key;
  ASSERT_TRUE(from_base64(peter.substr(peter.rfind('+', peter.find("ARpc")) + 1), key));
  ASSERT_EQ(key.size(), 33U);
  std::array<std::uint8_t, 32> raw{};
  std::copy(key.begin() + 1, key.end(), raw.begin());
  EXPECT_EQ(verifier_key("PeterNeumann", raw), peter);
}

TEST(VerifierKey, OfAnotherFormIsRefused) {
  const Keys keys(Keyring::create(1));
  const std::string good = verifier_key("name", keys.log_public_key());
  const std::string text = sign_checkpoint({"name", 1, {}}, keys.log_public_key(), [&](std::string_view t) { return keys.sign(t); });
  ASSERT_TRUE(open_checkpoint(text, good).has_value());
  for (const std::string& bad : {std::string(), std::string("name"), good.substr(0, good.size() - 4), good + "A", "+" + good.substr(good.find('+') + 1),
                                "na me" + good.substr(4), std::string("name+00000000") + good.substr(13)})
    EXPECT_FALSE(open_checkpoint(text, bad).has_value()) << bad;
}

}  // namespace
}  // namespace postern
