// SPDX-License-Identifier: Apache-2.0
#include "crypto/note.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <cstring>
#include <optional>

#include "crypto/p256.hpp"
#include "crypto/seal.hpp"

namespace postern {
namespace {

// The example of Go's sumdb/note package, from which C2SP signed-note comes: a note of two lines and its
// verifier key. It is no checkpoint, so only its signature line and key are of use here.
constexpr const char* kPeterKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

Signer signer_of(const Keys& keys, const std::string& name) {
  return {{name, keys.suite().key_type(), keys.log_public_key()}, [&keys](std::string_view t) { return keys.sign(t); }};
}
std::string vkey_of(const Keys& keys, const std::string& name) { return verifier_key(signer_of(keys, name).verifier); }

class Note : public testing::TestWithParam<Profile> {
 protected:
  Keys keys{Keyring::create(1, GetParam())};
  Checkpoint checkpoint{"bank.example/postern/audit", 123, sha256(as_bytes("root"))};
  std::string vkey = vkey_of(keys, checkpoint.origin);
  std::string text = sign_checkpoint(checkpoint, {signer_of(keys, checkpoint.origin)});
};
std::string profile_name(const testing::TestParamInfo<Profile>& one) { return std::string(name_of(one.param)); }
INSTANTIATE_TEST_SUITE_P(Profiles, Note, testing::Values(Profile::modern, Profile::fips), profile_name);

TEST_P(Note, SaysItsThreeLinesAnEmptyOneAndASignature) {
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

TEST_P(Note, OpensUnderItsKey) {
  const Result<Checkpoint> opened = open_checkpoint(text, vkey);
  ASSERT_TRUE(opened.has_value()) << opened.what();
  EXPECT_EQ(opened->origin, checkpoint.origin);
  EXPECT_EQ(opened->size, 123U);
  EXPECT_EQ(opened->root, checkpoint.root);
}

TEST_P(Note, DoesNotOpenUnderAnotherKeyOrName) {
  for (const Profile profile : {Profile::modern, Profile::fips})
    EXPECT_FALSE(open_checkpoint(text, vkey_of(Keys(Keyring::create(1, profile)), checkpoint.origin)).has_value()) << name_of(profile);
  EXPECT_FALSE(open_checkpoint(text, vkey_of(keys, "bank.example/other")).has_value());
}

TEST_P(Note, IsRefusedAtEveryFlippedBit) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bad = text;
      bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1U << bit));
      EXPECT_FALSE(open_checkpoint(bad, vkey).has_value()) << at << " " << bit;
    }
  }
}

TEST_P(Note, IsRefusedUnderItsVerifierKeyWithAnyBitFlipped) {
  // Of its hash's digits both cases are taken, and a flip of 0x20 goes from one to the other.
  const std::size_t hash = vkey.find('+') + 1;
  for (std::size_t at = 0; at < vkey.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (bit == 5 && at >= hash && at < hash + 8 && vkey[at] >= 'a') continue;
      std::string bad = vkey;
      bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1U << bit));
      EXPECT_FALSE(open_checkpoint(text, bad).has_value()) << at << " " << bit;
    }
  }
}

TEST_P(Note, IsRefusedAtEveryTruncationAndWithBytesAdded) {
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(open_checkpoint(text.substr(0, size), vkey).has_value()) << size;
  EXPECT_FALSE(open_checkpoint(text + "x", vkey).has_value());
  EXPECT_FALSE(open_checkpoint("\n" + text, vkey).has_value());
  EXPECT_FALSE(open_checkpoint(std::string(70'000, 'x') + text, vkey).has_value());
}

TEST_P(Note, LinesOfUnknownKeysAreSkipped) {
  const Keys witness(Keyring::create(2));
  const std::string cosigned = sign_checkpoint({"witness.example", 123, checkpoint.root}, {signer_of(witness, "witness.example")});
  const std::string line = cosigned.substr(cosigned.find("\n\n") + 2);
  EXPECT_TRUE(open_checkpoint(text + line, vkey).has_value());
  const std::size_t split = text.find("\n\n") + 2;
  EXPECT_TRUE(open_checkpoint(text.substr(0, split) + line + text.substr(split), vkey).has_value());
  // Alone it proves nothing.
  EXPECT_FALSE(open_checkpoint(text.substr(0, split) + line, vkey).has_value());
}

TEST_P(Note, AFalseSignatureUnderTheRightNameAndHashIsRefusedBesideAGoodOne) {
  const std::size_t split = text.find("\n\n") + 2;
  const std::string good = text.substr(split);
  std::string bad = good;
  bad[bad.size() - 10] = bad[bad.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(open_checkpoint(text.substr(0, split) + bad + good, vkey).has_value());
}

TEST_P(Note, ASizeWithALeadingZeroASignOrSpacesIsRefused) {
  for (const std::string size : {"0123", "+123", "-1", " 123", "123 ", "", "18446744073709551616", "0x7b"}) {
    const std::string body = checkpoint.origin + "\n" + size + "\n" + to_base64(checkpoint.root) + "\n";
    EXPECT_FALSE(open_checkpoint(sign_note(body, {signer_of(keys, checkpoint.origin)}), vkey).has_value()) << "'" << size << "'";
  }
}

TEST_P(Note, TheLargestSizeIsTaken) {
  checkpoint.size = UINT64_MAX;
  text = sign_checkpoint(checkpoint, {signer_of(keys, checkpoint.origin)});
  EXPECT_EQ(open_checkpoint(text, vkey)->size, UINT64_MAX);
}

class SeveralSignatures : public Note {
 protected:
  static Signer witness_of(const Keys& of) {
    Signer witness = signer_of(of, "witness.example/w");
    witness.verifier.type = KeyType::cosigner;
    return witness;
  }
  Keys second{Keyring::create(2, GetParam())}, third{Keyring::create(3)};
  Signer epoch = signer_of(second, epoch_key_name(checkpoint.origin, 7));
  Signer witness = witness_of(third);
  std::string both = sign_checkpoint(checkpoint, {signer_of(keys, checkpoint.origin), epoch});
  std::string cosigned = both + cosignature_line(checkpoint_text(checkpoint), witness, 1'800'000'000);
};

INSTANTIATE_TEST_SUITE_P(Profiles, SeveralSignatures, testing::Values(Profile::modern, Profile::fips), profile_name);

TEST_P(SeveralSignatures, AreEachFoundUnderTheirKeys) {
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

TEST_P(SeveralSignatures, EveryFlippedBitSpoilsOneOfThem) {
  for (std::size_t at = 0; at < cosigned.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bad = cosigned;
      bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1U << bit));
      const Result<SignedCheckpoint> note = read_checkpoint(bad);
      EXPECT_FALSE(note && signed_by(*note, *parse_verifier(vkey)) && signed_by(*note, epoch.verifier) && signed_by(*note, witness.verifier)) << at << " " << bit;
    }
  }
}

TEST_P(SeveralSignatures, AKeyOfOneTypeIsNotOneOfTheOther) {
  const Result<SignedCheckpoint> note = read_checkpoint(cosigned);
  Verifier as_log = witness.verifier, as_witness = epoch.verifier;
  as_witness.type = KeyType::cosigner;
  EXPECT_FALSE(signed_by(*note, as_witness).has_value());
  for (const KeyType type : {KeyType::ed25519, KeyType::ecdsa_p256}) {
    as_log.type = type;
    EXPECT_FALSE(signed_by(*note, as_log).has_value());
  }
  // A witness's signature over the plain text, under its own name and hash: it lacks the time.
  Bytes plain;
  ByteWriter out(plain);
  out.raw(ByteView(note->lines[2].signature).first(4));
  out.raw(third.sign(note->text));
  SignedCheckpoint forged = *note;
  forged.lines[2].signature = plain;
  EXPECT_FALSE(find_signature(forged, witness.verifier).has_value());
}

TEST_P(SeveralSignatures, ACosignatureHasATime) {
  for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}})
    EXPECT_FALSE(signed_by(*read_checkpoint(both + cosignature_line(checkpoint_text(checkpoint), witness, time)), witness.verifier).has_value()) << time;
  const std::string twice = cosigned + cosignature_line(checkpoint_text(checkpoint), witness, 1'900'000'000);
  EXPECT_EQ(*signed_by(*read_checkpoint(twice), witness.verifier), 1'900'000'000U) << "the latest of several";
}

TEST_P(SeveralSignatures, AreBoundedAndOfOneForm) {
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
  EXPECT_EQ(verifier_key({"PeterNeumann", KeyType::ed25519, raw}), peter);
}

TEST_P(Note, AVerifierKeyOfAnotherFormIsRefused) {
  const std::string good = vkey_of(keys, "name");
  const std::string note = sign_checkpoint({"name", 1, {}}, {signer_of(keys, "name")});
  ASSERT_TRUE(open_checkpoint(note, good).has_value());
  for (const std::string& bad : {std::string(), std::string("name"), std::string("name+00000000+"), good.substr(0, good.size() - 4), good + "A",
                                "+" + good.substr(good.find('+') + 1), "na me" + good.substr(4), std::string("name+00000000") + good.substr(13)})
    EXPECT_FALSE(open_checkpoint(note, bad).has_value()) << bad;
}

// ---- ECDSA, where one value could be written in several ways ----

// What C2SP signed-note says of type 2: the hash is of the key alone, which stands as SubjectPublicKeyInfo, and the signature is DER.
class EcdsaNote : public testing::Test {
 protected:
  static std::string vkey_with(ByteView material, std::uint8_t type = 2) {
    Bytes key{type};
    key.insert(key.end(), material.begin(), material.end());
    const Hash hash = sha256(material);
    return "name+" + to_hex(ByteView(hash).first(4)) + "+" + to_base64(key);
  }
  std::string note_with(ByteView written) const {
    const Hash hash = sha256(spki);
    Bytes line(hash.begin(), hash.begin() + 4);
    line.insert(line.end(), written.begin(), written.end());
    return checkpoint_text(checkpoint) + "\n\xe2\x80\x94 name " + to_base64(line) + "\n";
  }
  bool opens(ByteView written) const { return open_checkpoint(note_with(written), vkey).has_value(); }

  Keys keys{Keyring::create(1, Profile::fips)};
  Checkpoint checkpoint{"name", 5, sha256(as_bytes("root"))};
  p256::Spki spki = *p256::spki_of(p256::even_point(keys.log_public_key()));
  std::string vkey = vkey_of(keys, "name");
  Signature signature = keys.sign(checkpoint_text(checkpoint));
  Bytes der = p256::der_of(signature);
};

TEST_F(EcdsaNote, IsFormedAsSignedNoteSays) {
  EXPECT_EQ(vkey, vkey_with(spki));
  EXPECT_TRUE(opens(der));
  const std::string note = sign_checkpoint(checkpoint, {signer_of(keys, "name")});
  EXPECT_EQ(note.substr(0, note.rfind(' ') + 1 + 5), note_with(der).substr(0, note.rfind(' ') + 1 + 5)) << "up to the key's hash";
}

TEST_F(EcdsaNote, AKeyInAnotherFormIsRefused) {
  ASSERT_TRUE(parse_verifier(vkey_with(spki)).has_value());
  const p256::Point point = p256::even_point(keys.log_public_key());
  Bytes compressed;
  ASSERT_TRUE(from_hex("3039301306072a8648ce3d020106082a8648ce3d030107032200", compressed));
  compressed.insert(compressed.end(), point.begin(), point.end());
  Bytes hybrid(spki.begin(), spki.end()), longer = hybrid, secp256k1 = hybrid;
  hybrid[26] = 6;
  longer.push_back(0);
  secp256k1[22] = 0x0a;
  const ByteView whole(spki), x = ByteView(point).subspan(1);
  for (const ByteView bad : {ByteView(compressed), ByteView(hybrid), ByteView(longer), ByteView(secp256k1), ByteView(point), x, whole.last(65),
                             whole.last(64), whole.first(90), ByteView{}})
    EXPECT_FALSE(parse_verifier(vkey_with(bad)).has_value()) << to_hex(bad);
  // As a key of another type, and under the hash of Ed25519's rule.
  for (const unsigned type : {0U, 1U, 3U, 4U, 5U, 255U}) EXPECT_FALSE(parse_verifier(vkey_with(spki, static_cast<std::uint8_t>(type))).has_value()) << type;
  Bytes hashed;
  ByteWriter out(hashed);
  out.raw(std::string_view("name\n\x02"));
  out.raw(spki);
  EXPECT_FALSE(parse_verifier("name+" + to_hex(ByteView(sha256(hashed)).first(4)) + vkey.substr(13)).has_value());
}

TEST_F(EcdsaNote, AKeyWhoseYIsOddIsRefusedByName) {
  p256::Point odd = p256::even_point(keys.log_public_key());
  odd[0] = 3;
  const Result<Verifier> read = parse_verifier(vkey_with(*p256::spki_of(odd)));
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.what().find("odd"), std::string::npos) << read.what();
}

TEST_F(EcdsaNote, ASignatureInAnotherFormIsRefused) {
  Bytes raw(signature.begin(), signature.end());
  EXPECT_FALSE(opens(raw)) << "r and s as they are inside the program";
  Bytes long_length{0x30, 0x81, der[1]};
  long_length.insert(long_length.end(), der.begin() + 2, der.end());
  EXPECT_FALSE(opens(long_length)) << "BER writes lengths in several ways";
  Bytes indefinite{0x30, 0x80};
  indefinite.insert(indefinite.end(), der.begin() + 2, der.end());
  indefinite.insert(indefinite.end(), {0, 0});
  EXPECT_FALSE(opens(indefinite));
  Bytes padded = der;
  padded[1] = static_cast<std::uint8_t>(padded[1] + 1);
  padded[3] = static_cast<std::uint8_t>(padded[3] + 1);
  padded.insert(padded.begin() + 4, 0);
  EXPECT_FALSE(opens(padded)) << "a zero more in front of r";
  for (const unsigned more : {0U, 1U, 255U}) {
    Bytes tail = der;
    tail.push_back(static_cast<std::uint8_t>(more));
    EXPECT_FALSE(opens(tail)) << "bytes behind it";
    ++tail[1];
    EXPECT_FALSE(opens(tail)) << "and within it";
  }
}

// Whoever holds no key could make a second good signature of every first one.
TEST_F(EcdsaNote, TheSecondSignatureOfANonceIsRefused) {
  const Bytes order = [] {
    Bytes n;
    EXPECT_TRUE(from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", n));
    return n;
  }();
  Signature high = signature;
  int borrow = 0;
  for (std::size_t i = 32; i-- > 0;) {
    const int digit = order[i] - signature[32 + i] - borrow;
    borrow = digit < 0;
    high[32 + i] = static_cast<std::uint8_t>(digit & 0xff);
  }
  EXPECT_FALSE(opens(p256::der_of(high)));
  EXPECT_TRUE(opens(p256::der_of(p256::with_low_s(high))));
}

TEST_F(EcdsaNote, NumbersOutsideTheOrderAreRefused) {
  Signature bad = signature;
  std::fill(bad.begin(), bad.begin() + 32, std::uint8_t{0});
  EXPECT_FALSE(opens(p256::der_of(bad)));
  std::fill(bad.begin(), bad.begin() + 32, std::uint8_t{0xff});
  EXPECT_FALSE(opens(p256::der_of(bad)));
  bad = signature;
  std::fill(bad.begin() + 32, bad.end(), std::uint8_t{0});
  EXPECT_FALSE(opens(p256::der_of(bad)));
}

TEST_F(EcdsaNote, BytesWithoutAPointAreNoKey) {
  std::size_t without = 0;
  for (std::uint8_t i = 0; i < 64; ++i) {
    Verifier verifier{"name", KeyType::ecdsa_p256, {}};
    verifier.key[31] = i;
    if (is_key(verifier)) continue;
    ++without;
    EXPECT_FALSE(parse_verifier(verifier_key(verifier)).has_value());
    const Result<std::optional<std::uint64_t>> found = find_signature(*read_checkpoint(note_with(der)), verifier);
    EXPECT_FALSE(found && *found);
  }
  EXPECT_GT(without, 16U);
  EXPECT_LT(without, 48U);
}

}  // namespace
}  // namespace postern
