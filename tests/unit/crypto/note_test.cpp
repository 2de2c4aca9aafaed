// SPDX-License-Identifier: Apache-2.0
#include "crypto/note.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <cstring>
#include <optional>

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

class SeveralSignatures : public Note {
 protected:
  static Signer signer_of(const Keys& of, const std::string& name, KeyType type = KeyType::ed25519) {
    return {{name, type, of.log_public_key()}, [&of](std::string_view t) { return of.sign(t); }};
  }
  Keys second{Keyring::create(2)}, third{Keyring::create(3)};
  Signer epoch = signer_of(second, epoch_key_name(checkpoint.origin, 7));
  Signer witness = signer_of(third, "witness.example/w", KeyType::cosigner);
  std::string both = sign_checkpoint(checkpoint, {signer_of(keys, checkpoint.origin), epoch});
  std::string cosigned = both + cosignature_line(checkpoint_text(checkpoint), witness, 1'800'000'000);
};

TEST_F(SeveralSignatures, AreEachFoundUnderTheirKeys) {
  const Result<SignedCheckpoint> note = read_checkpoint(cosigned);
  ASSERT_TRUE(note.has_value()) << note.what();
  EXPECT_EQ(note->checkpoint, checkpoint);
  EXPECT_EQ(note->text, checkpoint_text(checkpoint));
  ASSERT_EQ(note->lines.size(), 3U);
  EXPECT_EQ(note->lines[1].name, "bank.example/postern/audit/epoch/000007");
  EXPECT_EQ(signed_by(*note, *parse_verifier(vkey)).value_or(9), 0U);
  EXPECT_EQ(signed_by(*note, epoch.verifier).value_or(9), 0U);
  EXPECT_EQ(signed_by(*note, witness.verifier).value_or(9), 1'800'000'000U);
  EXPECT_FALSE(signed_by(*read_checkpoint(both), witness.verifier).has_value());
  const Result<std::optional<std::uint64_t>> absent = find_signature(*read_checkpoint(both), witness.verifier);
  ASSERT_TRUE(absent.has_value());
  EXPECT_FALSE(absent->has_value());
}

TEST_F(SeveralSignatures, EveryFlippedBitSpoilsOneOfThem) {
  for (std::size_t at = 0; at < cosigned.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bad = cosigned;
      bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1U << bit));
      const Result<SignedCheckpoint> note = read_checkpoint(bad);
      EXPECT_FALSE(note && signed_by(*note, *parse_verifier(vkey)) && signed_by(*note, epoch.verifier) && signed_by(*note, witness.verifier)) << at << " " << bit;
    }
  }
}

TEST_F(SeveralSignatures, AKeyOfOneTypeIsNotOneOfTheOther) {
  const Result<SignedCheckpoint> note = read_checkpoint(cosigned);
  Verifier as_log = witness.verifier, as_witness = epoch.verifier;
  as_log.type = KeyType::ed25519;
  as_witness.type = KeyType::cosigner;
  EXPECT_FALSE(signed_by(*note, as_log).has_value());
  EXPECT_FALSE(signed_by(*note, as_witness).has_value());
  // A witness's signature over the plain text, under its own name and hash: it lacks the time.
  Bytes plain;
  ByteWriter out(plain);
  out.raw(ByteView(note->lines[2].signature).first(4));
  out.raw(third.sign(note->text));
  SignedCheckpoint forged = *note;
  forged.lines[2].signature = plain;
  EXPECT_FALSE(find_signature(forged, witness.verifier).has_value());
}

TEST_F(SeveralSignatures, ACosignatureHasATime) {
  for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}})
    EXPECT_FALSE(signed_by(*read_checkpoint(both + cosignature_line(checkpoint_text(checkpoint), witness, time)), witness.verifier).has_value()) << time;
  const std::string twice = cosigned + cosignature_line(checkpoint_text(checkpoint), witness, 1'900'000'000);
  EXPECT_EQ(*signed_by(*read_checkpoint(twice), witness.verifier), 1'900'000'000U) << "the latest of several";
}

TEST_F(SeveralSignatures, AreBoundedAndOfOneForm) {
  const std::string line = cosigned.substr(cosigned.find("\n\n") + 2);
  std::string many = both;
  for (int i = 0; i < 15; ++i) many += cosignature_line(checkpoint_text(checkpoint), witness, 1'800'000'000);
  EXPECT_TRUE(read_checkpoint(many).has_value()) << "signed-note: at least 16";
  for (int i = 0; i < 60; ++i) many += cosignature_line(checkpoint_text(checkpoint), witness, 1'800'000'000);
  EXPECT_FALSE(read_checkpoint(many).has_value());
  EXPECT_FALSE(read_checkpoint(checkpoint_text(checkpoint) + "\n").has_value()) << "no signature at all";
  for (const std::string bad : {"\xe2\x80\x94 name\n", "\xe2\x80\x94  AAAAAAAA\n", "\xe2\x80\x94 na me AAAAAAAA\n", "\xe2\x80\x94 na+me AAAAAAAA\n", "- name AAAAAAAA\n",
                                "\xe2\x80\x94 name AAAAAA==\n", "\xe2\x80\x94 name AAAAAAAA\n\n", "\xe2\x80\x94 na\tme AAAAAAAA\n", "\xe2\x80\x94 na\xff" "me AAAAAAAA\n"})
    EXPECT_FALSE(read_checkpoint(both + bad).has_value()) << bad;
  EXPECT_TRUE(read_checkpoint(both + "\xe2\x80\x94 n\xc3\xa4me AAAAAAAA\n").has_value());
}

TEST(EpochNames, HaveSixDigitsOrMore) {
  EXPECT_EQ(epoch_digits(0), "000000");
  EXPECT_EQ(epoch_digits(999'999), "999999");
  EXPECT_EQ(epoch_digits(4'294'967'295), "4294967295");
  EXPECT_EQ(epoch_key_name("o", 12), "o/epoch/000012");
}

// The examples of C2SP signed-note and of Go's sumdb/note. They are no checkpoints, so their text is put in place.
TEST(SignedNote, TheExamplesOfOthersVerify) {
  const auto verifies = [](const std::string& text, const std::string& key, const std::string& base64) {
    const Result<Verifier> verifier = parse_verifier(key);
    SignedCheckpoint note;
    note.text = text;
    note.lines.push_back({key.substr(0, key.find('+')), {}});
    return verifier && from_base64(base64, note.lines[0].signature) && signed_by(note, *verifier).has_value();
  };
  const std::string message = "This is an example message.\n";
  const std::string key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  const std::string signature = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=";
  EXPECT_TRUE(verifies(message, key, signature));
  EXPECT_FALSE(verifies("This is another message.\n", key, signature));
  const std::string go = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  EXPECT_TRUE(verifies(go, kPeterKey, "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="));
  EXPECT_TRUE(verifies(go, "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
                       "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ="));
}

TEST(ReadDecimal, TakesOneFormOnly) {
  std::uint64_t value = 0;
  for (const auto& [text, number] : {std::pair<const char*, std::uint64_t>{"0", 0}, {"7", 7}, {"18446744073709551615", ~0ULL}}) {
    EXPECT_TRUE(read_decimal(text, value)) << text;
    EXPECT_EQ(value, number);
  }
  for (const char* bad : {"", "00", "07", "+7", "-1", " 7", "7 ", "7a", "0x7", "18446744073709551616"}) EXPECT_FALSE(read_decimal(bad, value)) << bad;
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
