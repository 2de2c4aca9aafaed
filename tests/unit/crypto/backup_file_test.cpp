// SPDX-License-Identifier: Apache-2.0
// The container of a backup: what goes in comes out for those it is sealed to, and nothing else does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "crypto/backup_file.hpp"

namespace postern::backup {
namespace {

class BackupFile : public testing::TestWithParam<Profile> {
 protected:
  const Suite& suite = Suite::of(GetParam());
  std::vector<Suite::BoxKey> custodians;

  Header header(std::uint8_t needed, std::size_t count, Kind kind = Kind::state) {
    Header made{GetParam(), kind, {1, 2, 3}, 1'800'000'000'000, needed, {}};
    custodians.clear();
    for (std::size_t i = 0; i < count; ++i) {
      custodians.push_back(suite.new_box_key());
      made.recipients.push_back({"custodian-" + std::to_string(i), custodians.back().public_key, {}});
    }
    return made;
  }
  // A file with one entry of this size.
  Bytes make(Header head, std::size_t size, const std::string& name = "postern.db") {
    Result<Writer> writer = Writer::begin(std::move(head));
    EXPECT_TRUE(writer.has_value()) << writer.what();
    Bytes plain = encode(Entry{name, size});
    for (std::size_t i = 0; i < size; ++i) plain.push_back(static_cast<std::uint8_t>(i * 7));
    const Bytes end = encode(Entry{});
    plain.insert(plain.end(), end.begin(), end.end());
    Bytes file = writer->header();
    const auto add = [&file](const Bytes& bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); };
    for (std::size_t at = 0; at < plain.size(); at += kPiece)
      add(writer->piece(ByteView(plain).subspan(at, std::min(kPiece, plain.size() - at)), at + kPiece >= plain.size()));
    hash = writer->hash();
    add(Writer::note("a note"));
    return file;
  }
  static Source source(Bytes file) {
    return [file = std::move(file), at = std::size_t{0}](std::span<std::uint8_t> out) mutable -> Result<std::size_t> {
      const std::size_t count = std::min(out.size(), file.size() - at);
      std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
      at += count;
      return count;
    };
  }
  std::vector<shamir::Share> shares(const Header& head, std::initializer_list<std::size_t> who) const {
    std::vector<shamir::Share> opened;
    for (const std::size_t i : who) {
      shamir::Share share{static_cast<std::uint8_t>(i + 1), Secret(kKeySize)};
      if (suite.unbox(custodians[i], head.recipients[i].share, share.value.writable())) opened.push_back(std::move(share));
    }
    return opened;
  }
  // Empty when the whole file opens; what is wrong otherwise.
  std::string opened(const Bytes& file, std::initializer_list<std::size_t> who, std::size_t size) {
    Result<Reader> reader = Reader::begin(source(file));
    if (!reader) return reader.what();
    if (reader->header().recipients.size() != custodians.size()) return "other recipients";
    if (const Status unlocked = reader->unlock(shares(reader->header(), who)); !unlocked) return unlocked.what();
    const Result<Entry> entry = read_entry(*reader);
    if (!entry) return entry.what();
    if (entry->size != size) return "another size";
    Bytes content(size);
    if (const Status read = reader->read(content); !read) return read.what();
    for (std::size_t i = 0; i < size; ++i)
      if (content[i] != static_cast<std::uint8_t>(i * 7)) return "other bytes";
    const Result<Entry> end = read_entry(*reader);
    if (!end) return end.what();
    if (!end->name.empty()) return "another entry";
    const Result<std::string> note = reader->finish();
    if (!note) return note.what();
    return *note == "a note" && reader->hash() == hash ? "" : "another note";
  }
  Hash hash{};
};
INSTANTIATE_TEST_SUITE_P(Profiles, BackupFile, testing::Values(Profile::modern, Profile::fips));

TEST_P(BackupFile, OpensForItsRecipients) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPiece - 20, kPiece, 3 * kPiece + 5}) {
    const Bytes file = make(header(1, 1), size);
    EXPECT_EQ(opened(file, {0}, size), "") << size;
  }
}

TEST_P(BackupFile, NeedsAsManyAsWereSaid) {
  const Bytes file = make(header(2, 3), 1000);
  EXPECT_EQ(opened(file, {0, 1}, 1000), "");
  EXPECT_EQ(opened(file, {2, 0}, 1000), "");
  EXPECT_EQ(opened(file, {0, 1, 2}, 1000), "");
  EXPECT_NE(opened(file, {1}, 1000).find("needs 2"), std::string::npos);
}

TEST_P(BackupFile, DoesNotOpenForOthers) {
  const Bytes file = make(header(1, 1), 100);
  custodians.clear();
  custodians.push_back(suite.new_box_key());
  EXPECT_NE(opened(file, {0}, 100), "");
}

TEST_P(BackupFile, EveryFlippedBitIsFoundOut) {
  const Bytes file = make(header(2, 2), 150);
  ASSERT_EQ(opened(file, {0, 1}, 150), "");
  const std::size_t note = std::string_view("a note").size();
  for (std::size_t bit = 0; bit < (file.size() - note) * 8; ++bit) {
    Bytes flipped = file;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_NE(opened(flipped, {0, 1}, 150), "") << "bit " << bit;
    // Without a key too: the hash that the note names is another.
    Result<Reader> reader = Reader::begin(source(flipped));
    if (!reader) continue;
    const Result<std::string> skipped = reader->skip();
    EXPECT_TRUE(!skipped || reader->hash() != hash || *skipped != "a note") << "bit " << bit;
  }
}

TEST_P(BackupFile, CutOffOrLongerIsNone) {
  const Bytes file = make(header(1, 1), 3 * kPiece);
  for (std::size_t size = 0; size < file.size(); size += size < 400 ? 1 : 1009) {
    Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_NE(opened(cut, {0}, 3 * kPiece), "") << size;
  }
  Bytes longer = file;
  longer.push_back(0);
  EXPECT_NE(opened(longer, {0}, 3 * kPiece), "");
}

TEST_P(BackupFile, PiecesHaveOnePlace) {
  const std::size_t size = 3 * kPiece, frame = 1 + 4 + kPiece + Suite::kTagSize;
  const Bytes file = make(header(1, 1), size);
  // The header ends where the first whole piece begins.
  const std::array<std::uint8_t, 5> front{1, 0, 1, 0, 16};
  const auto begin = std::search(file.begin(), file.end(), front.begin(), front.end());
  ASSERT_NE(begin, file.end());
  const auto at = [&](std::ptrdiff_t n) { return begin + n * static_cast<std::ptrdiff_t>(frame); };
  Bytes swapped(file.begin(), at(0));
  swapped.insert(swapped.end(), at(1), at(2));
  swapped.insert(swapped.end(), at(0), at(1));
  swapped.insert(swapped.end(), at(2), file.end());
  ASSERT_EQ(swapped.size(), file.size());
  EXPECT_NE(opened(swapped, {0}, size), "");
  Bytes missing(file.begin(), at(1));
  missing.insert(missing.end(), at(2), file.end());
  EXPECT_NE(opened(missing, {0}, size), "");
}

TEST_P(BackupFile, HoldsOnlyWhatBelongsThere) {
  for (const char* name : {"../keyring", "/etc/passwd", "audit/../keyring", "audit/epoch/../../x", "audit/epoch/", "audit/witness/.hidden", "audit/tile/0/000", "ring", "posternd.toml", "audit/witness/a/b"}) {
    EXPECT_FALSE(is_content(Kind::state, name)) << name;
    const Bytes file = make(header(1, 1), 10, name);
    EXPECT_NE(opened(file, {0}, 10).find("does not belong there"), std::string::npos) << name;
  }
  for (const char* name : {"postern.db", "keyring", "audit/vkey", "audit/epoch/000123", "audit/witness/w1.bank.example"}) EXPECT_TRUE(is_content(Kind::state, name)) << name;
  for (const char* name : {"ring", "epoch"}) EXPECT_TRUE(is_content(Kind::keys, name)) << name;
  EXPECT_FALSE(is_content(Kind::keys, "postern.db"));
}

TEST_P(BackupFile, RecipientsMustMakeSense) {
  EXPECT_FALSE(Writer::begin(header(1, 0)).has_value());
  EXPECT_FALSE(Writer::begin(header(3, 2)).has_value());
  EXPECT_FALSE(Writer::begin(header(0, 1)).has_value());
  EXPECT_FALSE(Writer::begin(header(1, 17)).has_value());
  Header twice = header(2, 2);
  twice.recipients[1].public_key = twice.recipients[0].public_key;
  const Result<Writer> refused = Writer::begin(twice);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.what().find("custodian-1"), std::string::npos) << refused.what();
  Header bad = header(1, 1);
  bad.recipients[0].public_key.assign(5, 1);
  EXPECT_FALSE(Writer::begin(bad).has_value());
}

}  // namespace
}  // namespace postern::backup
