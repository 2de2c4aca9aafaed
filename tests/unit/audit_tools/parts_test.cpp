// SPDX-License-Identifier: Apache-2.0
// The parts of the verifier alone: leaf, names of tiles, links, keys.
#include <random>

#include "admin/audit/folder.hpp"
#include "admin/audit/links.hpp"
#include "gateway/domain/event_type.hpp"
#include "tests/unit/audit_tools/support.hpp"

namespace postern::auditor {
namespace {

made::MadeLeaf full_leaf() {
  made::MadeLeaf leaf;
  leaf.type = 50;
  leaf.sequence = 0x0102030405060708ULL;
  leaf.epoch = 9;
  leaf.utc_us = 1'800'000'000'000'001;
  leaf.steady_us = 77;
  leaf.message.fill(0xab);
  leaf.before = 12;
  leaf.client = 3;
  leaf.connector = 4;
  leaf.attempt = 2;
  leaf.state = 20;
  leaf.previous.fill(0xcd);
  leaf.kind = 2;
  leaf.body = {1, 2, 3};
  return leaf;
}

// The bytes of crypto/DESIGN.md, "Audit leaf", field by field.
TEST(AuditorLeaf, ReadsEveryFieldFromItsPlace) {
  Bytes bytes;
  ASSERT_TRUE(from_hex("01" "0032" "0102030405060708" "00000009" "0006651728988001" "000000000000004d"
                       "abababababababababababababababab" "000000000000000c" "0003" "0004" "02" "14"
                       "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd" "02" "0003" "010203", bytes));
  EXPECT_EQ(bytes, made::encode(full_leaf()));
  const std::optional<Leaf> leaf = read_leaf(bytes);
  ASSERT_TRUE(leaf.has_value());
  EXPECT_EQ(leaf->type, 50);
  EXPECT_EQ(leaf->sequence, 0x0102030405060708ULL);
  EXPECT_EQ(leaf->epoch, 9U);
  EXPECT_EQ(leaf->utc_us, 1'800'000'000'000'001);
  EXPECT_EQ(leaf->steady_us, 77U);
  EXPECT_EQ(message_text(leaf->message), "abababab-abab-abab-abab-abababababab");
  EXPECT_EQ(leaf->before, 12U);
  EXPECT_EQ(leaf->client, 3);
  EXPECT_EQ(leaf->connector, 4);
  EXPECT_EQ(leaf->attempt, 2);
  EXPECT_EQ(leaf->state, 20);
  EXPECT_EQ(leaf->previous[31], 0xcd);
  EXPECT_EQ(leaf->kind, BodyKind::sealed);
  EXPECT_EQ(leaf->body.size(), 3U);
}

TEST(AuditorLeaf, IsNothingAtEveryTruncationWithBytesAddedOrOversized) {
  Bytes bytes = made::encode(full_leaf());
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_leaf(ByteView(bytes).first(size)).has_value()) << size;
  bytes.push_back(0);
  EXPECT_FALSE(read_leaf(bytes).has_value());
  made::MadeLeaf large = full_leaf();
  large.body.resize(kMaxLeaf - 96);
  EXPECT_TRUE(read_leaf(made::encode(large)).has_value());
  large.body.resize(kMaxLeaf - 95);
  EXPECT_FALSE(read_leaf(made::encode(large)).has_value()) << "8,193 bytes";
}

TEST(AuditorLeaf, KindAndBodyGoTogether) {
  for (unsigned kind = 0; kind < 256; ++kind) {
    for (const bool empty : {true, false}) {
      made::MadeLeaf leaf = full_leaf();
      leaf.kind = static_cast<std::uint8_t>(kind);
      leaf.body = empty ? Bytes() : made::open_body({{5, {'x'}}});
      EXPECT_EQ(read_leaf(made::encode(leaf)).has_value(), kind == 0 ? empty : kind <= 3 && !empty) << kind;
    }
  }
}

TEST(AuditorLeaf, AnOpenBodyIsAListOfFieldsOfTheirSizes) {
  const Bytes good = made::open_body({{1, {}}, {200, Bytes(300, 7)}, {11, Bytes(32)}, {12, Bytes(8)}, {13, Bytes(8)}});
  ASSERT_TRUE(read_open_body(good).has_value());
  EXPECT_EQ(read_open_body(good)->size(), 5U);
  const auto shorter = [&](std::size_t size) { return read_open_body(ByteView(good).first(size)).has_value(); };
  for (std::size_t size = 1; size < good.size(); ++size) {
    const bool between = size == 3 || size == 306 || size == 341 || size == 352;
    EXPECT_EQ(shorter(size), between) << size;
  }
  for (const auto& [number, size] : {std::pair{11, 31}, {11, 33}, {11, 0}, {12, 7}, {12, 9}, {13, 7}, {13, 0}})
    EXPECT_FALSE(read_open_body(made::open_body({{static_cast<std::uint8_t>(number), Bytes(static_cast<std::size_t>(size))}})).has_value()) << number << " " << size;
}

// The auditor has names of his own for what the gateway writes: a type that it learns must be added to both.
TEST(AuditorLeaf, NamesEveryEventAsTheGatewayDoes) {
  for (unsigned type = 0; type < 300; ++type) {
    const std::string_view theirs = name_of(static_cast<EventType>(type));
    if (theirs == "?") continue;
    EXPECT_EQ(event_name(static_cast<std::uint16_t>(type)), theirs);
  }
  EXPECT_EQ(event_name(9), "epoch-begun");
  EXPECT_EQ(event_name(777), "type-777");
}

TEST(AuditorLeaf, MessageIdsHaveOneForm) {
  const std::optional<MessageId> id = parse_message("019ab0c2-3f5e-7a10-8c4d-5e6f70819203");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(message_text(*id), "019ab0c2-3f5e-7a10-8c4d-5e6f70819203");
  for (const char* bad : {"", "019ab0c2", "019ab0c2-3f5e-7a10-8c4d-5e6f7081920", "019ab0c2-3f5e-7a10-8c4d-5e6f708192033", "019ab0c23f5e-7a10-8c4d-5e6f-70819203",
                          "g19ab0c2-3f5e-7a10-8c4d-5e6f70819203", "00000000-0000-0000-0000-000000000000", "----------------------------------- "})
    EXPECT_FALSE(parse_message(bad).has_value()) << bad;
}

TEST(TileName, IsWrittenAndReadOneWayOnly) {
  for (const auto& [name, path] : std::vector<std::pair<TileName, std::string>>{
           {{false, 0, 0, 256}, "tile/0/000"}, {{false, 0, 999, 256}, "tile/0/999"}, {{false, 1, 1000, 256}, "tile/1/x001/000"},
           {{false, 7, 1234067, 8}, "tile/7/x001/x234/067.p/8"}, {{true, 0, 67, 255}, "tile/entries/067.p/255"},
           {{true, 0, ~0ULL, 256}, "tile/entries/x018/x446/x744/x073/x709/x551/615"}}) {
    EXPECT_EQ(name.path(), path);
    ASSERT_TRUE(parse_tile_name(path).has_value()) << path;
    EXPECT_EQ(*parse_tile_name(path), name);
  }
  for (const char* bad : {"tile/0/00", "tile/0/0000", "tile/00/000", "tile/8/000", "tile/-1/000", "tile/0/x000/001", "tile/0/001/000", "tile/0/x001", "tile/0/000.p/0",
                          "tile/0/000.p/256", "tile/0/000.p/007", "tile/0/000.p/", "tile/0/000.p", "tile/0/abc", "tile/0/", "tile/0", "tile/", "checkpoint", "",
                          "tile/entries/x018/x446/x744/x073/x709/x551/616", "tile/entries/00a", "tile/data/000", "/tile/0/000", "tile/0/+01"})
    EXPECT_FALSE(parse_tile_name(bad).has_value()) << bad;
}

Leaf of(std::uint64_t sequence, std::uint8_t message, std::uint64_t before) {
  Leaf leaf;
  leaf.sequence = sequence;
  leaf.before = before;
  leaf.message[0] = message;
  return leaf;
}

TEST(Links, EachLeafMustNameItsMessagesLastOne) {
  using enum MessageLinks::Answer;
  MessageLinks links;
  EXPECT_EQ(links.take(of(0, 0, 0)), whole);
  EXPECT_EQ(links.take(of(1, 7, 0)), whole);
  EXPECT_EQ(links.take(of(2, 8, 0)), whole);
  EXPECT_EQ(links.take(of(3, 7, 2)), whole);
  EXPECT_EQ(links.take(of(4, 7, 4)), whole);
  for (const std::uint64_t before : {0U, 2U, 4U, 6U, 7U}) {
    MessageLinks again = links;
    EXPECT_EQ(again.take(of(5, 7, before)), broken) << before;
  }
  EXPECT_EQ(MessageLinks(links).take(of(5, 7, 5)), whole);
  EXPECT_EQ(MessageLinks(links).take(of(5, 0, 1)), broken) << "of no message";
  EXPECT_EQ(MessageLinks(links).take(of(5, 9, 1)), broken) << "a new message has no leaf before";
}

TEST(Links, AForgottenMessageIsLookedUp) {
  using enum MessageLinks::Answer;
  MessageLinks links(2);
  std::uint64_t at = 0;
  for (; at < 5; ++at) EXPECT_EQ(links.take(of(at, static_cast<std::uint8_t>(at + 1), 0)), whole);
  EXPECT_EQ(links.take(of(5, 5, 5)), whole) << "fresh ones are remembered";
  EXPECT_EQ(links.take(of(6, 3, 3)), whole) << "and those of a while ago";
  EXPECT_EQ(links.take(of(7, 1, 1)), look);
  EXPECT_EQ(links.take(of(8, 1, 8)), whole) << "from then on it is remembered again";
}

TEST(Trust, TakesKeysAsTextAndInFilesAndRefusesOthers) {
  const TempFolder folder;
  const made::Log log({});
  write_all(folder / "vkey", log.vkey());
  const std::string identity = verifier_key(log.identity().verifier()), witness = verifier_key(log.witness().verifier());
  const Result<Trust> both = read_trust({folder / "vkey"}, {witness});
  ASSERT_TRUE(both.has_value()) << both.what();
  EXPECT_EQ(both->keys.size(), 2U);
  EXPECT_NE(both->identity("bank.example/postern/audit"), nullptr);
  EXPECT_NE(both->epoch("bank.example/postern/audit", 0), nullptr);
  EXPECT_EQ(both->epoch("bank.example/postern/audit", 1), nullptr);
  EXPECT_EQ(both->identity("elsewhere"), nullptr);
  EXPECT_TRUE(read_trust({identity, identity}, {}).has_value()) << "twice the same";
  const made::Log other({.seed = 2});
  EXPECT_FALSE(read_trust({identity, verifier_key(other.identity().verifier())}, {}).has_value()) << "two keys of one name";
  EXPECT_FALSE(read_trust({witness}, {}).has_value());
  EXPECT_FALSE(read_trust({identity}, {identity}).has_value());
  EXPECT_FALSE(read_trust({"nonsense"}, {}).has_value());
  write_all(folder / "empty", std::string("\n\n"));
  EXPECT_FALSE(read_trust({folder / "empty"}, {}).has_value());
}

}  // namespace
}  // namespace postern::auditor
