// SPDX-License-Identifier: Apache-2.0
#include <random>

#include "tests/unit/audit/support.hpp"

namespace postern::audit {
namespace {

Leaf full_leaf() {
  Leaf leaf;
  leaf.sequence = 0x0102030405060708ULL;
  leaf.epoch = 9;
  leaf.utc_us = 1'800'000'000'000'001;
  leaf.steady_us = 77;
  leaf.type = EventType::delivered;
  leaf.message = {1'800'000'000'000LL << 20 | 5, 0x3fffffffffffff};
  leaf.before = 12;
  leaf.client = 3;
  leaf.connector = 4;
  leaf.attempt = 2;
  leaf.state = MessageState::reached;
  leaf.previous.fill(0xcd);
  leaf.body_kind = BodyKind::log;
  leaf.body = {1, 2, 3};
  return leaf;
}

TEST(Leaf, GivesBackEveryField) {
  const Leaf leaf = full_leaf();
  const std::optional<Leaf> back = decode_leaf(encode(leaf));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->sequence, leaf.sequence);
  EXPECT_EQ(back->epoch, leaf.epoch);
  EXPECT_EQ(back->utc_us, leaf.utc_us);
  EXPECT_EQ(back->steady_us, leaf.steady_us);
  EXPECT_EQ(back->type, leaf.type);
  EXPECT_EQ(back->message, leaf.message);
  EXPECT_EQ(back->before, leaf.before);
  EXPECT_EQ(back->client, leaf.client);
  EXPECT_EQ(back->connector, leaf.connector);
  EXPECT_EQ(back->attempt, leaf.attempt);
  EXPECT_EQ(back->state, leaf.state);
  EXPECT_EQ(back->previous, leaf.previous);
  EXPECT_EQ(back->body_kind, leaf.body_kind);
  EXPECT_EQ(back->body, leaf.body);
}

// The bytes of crypto/DESIGN.md, "Audit leaf". They are frozen: a verifier of another year reads them.
TEST(Leaf, StandsByteByByteAsTheDesignSays) {
  EXPECT_EQ(to_hex(encode(full_leaf())),
            "01"                                  // version
            "0032"                                // type
            "0102030405060708"                    // sequence
            "00000009"                            // epoch
            "00066517289880" "01"                 // utc_us
            "000000000000004d"                    // steady_us
            "01a3185c5000700081" "7fffffffffffff" // message id
            "000000000000000c"                    // before
            "0003" "0004" "02" "14"               // client, connector, attempt, state
            "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
            "02" "0003" "010203");                // body: its kind, length, bytes
}

TEST(Leaf, OfNoMessageHasSixteenZeros) {
  Leaf leaf = full_leaf();
  leaf.message = {};
  const std::optional<Leaf> back = decode_leaf(encode(leaf));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->message.key, 0);
}

TEST(Leaf, IsNothingAtEveryTruncationWithBytesAddedOrOversized) {
  Bytes bytes = encode(full_leaf());
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_leaf(ByteView(bytes).first(size)).has_value());
  bytes.push_back(0);
  EXPECT_FALSE(decode_leaf(bytes).has_value());
  Leaf large = full_leaf();
  large.body.resize(kMaxLeaf);
  EXPECT_FALSE(decode_leaf(encode(large)).has_value());
}

TEST(Leaf, SurvivesEveryFlippedBit) {
  const Bytes bytes = encode(full_leaf());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = bytes;
      bad[at] ^= static_cast<std::uint8_t>(1U << bit);
      if (const std::optional<Leaf> leaf = decode_leaf(bad)) {
        EXPECT_EQ(encode(*leaf), bad) << "one leaf, one form";
      }
    }
  }
}

TEST(Body, GivesBackItsFieldsAndRefusesCutOnes) {
  const Body body{{Field::reason, "smsc-0x0b"}, {Field::text, ""}, {Field::provider_id, std::string(1024, 'x')}};
  const Bytes bytes = encode(body);
  EXPECT_EQ(*decode_body(bytes), body);
  for (const std::size_t size : {1U, 2U, 5U, 11U}) EXPECT_FALSE(decode_body(ByteView(bytes).first(size)).has_value()) << size;
  EXPECT_TRUE(decode_body({})->empty());
}

TEST(Body, OfALongFieldIsCutBetweenCharacters) {
  std::string text = "x";
  while (text.size() < 3000) text += "Ж";
  const std::string back = decode_body(encode(Body{{Field::text, text}}))->front().second;
  EXPECT_LE(back.size(), 1024U);
  EXPECT_NE(static_cast<unsigned char>(text[back.size()]) & 0xc0, 0x80);
}

TEST(Log, EachLeafFollowsTheOneBefore) {
  Ledger ledger;
  ledger.grow(20);
  Hash previous{};
  for (std::size_t i = 0; i < 20; ++i) {
    const std::optional<Leaf> leaf = decode_leaf(ledger.stored[i]);
    ASSERT_TRUE(leaf.has_value());
    EXPECT_EQ(leaf->sequence, i);
    EXPECT_EQ(leaf->previous, previous);
    previous = leaf_hash(ledger.stored[i]);
  }
  EXPECT_EQ(ledger.log.mark().previous, previous);
}

TEST(Log, BodiesOpenUnderTheirKeysAndSequenceOnly) {
  Ledger ledger;
  ledger.grow(5);
  Leaf leaf = *decode_leaf(ledger.stored[4]);
  ASSERT_FALSE(leaf.body.empty());
  EXPECT_EQ(ledger.log.open(leaf)->front().second, "why-4");
  const Keys other(Keyring::create(2));
  const Log stranger(other, {});
  EXPECT_FALSE(stranger.open(leaf).has_value());
  leaf.sequence = 3;
  EXPECT_FALSE(ledger.log.open(leaf).has_value());
}

TEST(Log, GoesBackToAMarkAsIfNothingHadBeen) {
  Ledger one, two;
  const Keys& keys = one.keys;
  Log straight(keys, {}), detour(keys, {});
  const auto add = [](Log& log) { log.append(Leaf{}, {}, 5, 5); };
  for (int i = 0; i < 7; ++i) add(straight), add(detour);
  const Log::Mark mark = detour.mark();
  (void)detour.take();
  for (int i = 0; i < 4; ++i) add(detour);
  detour.put_back(mark);
  EXPECT_TRUE(detour.fresh().empty());
  EXPECT_EQ(detour.size(), 7U);
  add(straight), add(detour);
  EXPECT_EQ(detour.mark().tree.root(), straight.mark().tree.root());
  EXPECT_EQ(detour.mark().previous, straight.mark().previous);
}

TEST(LogMark, GoesThroughItsBytesAtEverySize) {
  Ledger ledger;
  for (int i = 0; i < 70; ++i) {
    const Bytes bytes = encode(ledger.log.mark());
    std::optional<Log::Mark> mark = decode_mark(bytes);
    ASSERT_TRUE(mark.has_value());
    EXPECT_EQ(mark->tree.size(), ledger.log.size());
    EXPECT_EQ(mark->tree.root(), ledger.log.mark().tree.root());
    for (std::size_t size = 0; size < bytes.size(); size += 5) EXPECT_FALSE(decode_mark(ByteView(bytes).first(size)).has_value());
    ledger.grow(1);
  }
}

TEST(Log, AnOverlongBodyStillMakesALeafThatCanBeRead) {
  Ledger ledger;
  Body body;
  for (int i = 0; i < 100; ++i) body.emplace_back(Field::provider_id, std::string(256, 'x'));
  ledger.log.append(Leaf{}, body, 1, 1);
  const std::vector<Entry> entries = ledger.log.take();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_LE(entries[0].leaf.size(), kMaxLeaf);
  EXPECT_TRUE(decode_leaf(entries[0].leaf).has_value());
}

}  // namespace
}  // namespace postern::audit
