// SPDX-License-Identifier: Apache-2.0
// The verifier with public keys alone: what holds, what does not, and what it says of it. Tampering with every bit and
// entry is in tests/functional/audit_test.py and audit_long_test.py, on both verifiers.
#include "tests/unit/audit_tools/support.hpp"

namespace postern::auditor {
namespace {

namespace fs = std::filesystem;

class Verify : public MadeLogTest {
 protected:
  Verify() : MadeLogTest({.leaves = 600, .per_epoch = 110}) {}
};

TEST_F(Verify, AWholeLogHolds) {
  const Result<Verdict> verdict = verify({audit, trust_of(log, true, true), {}, {}});
  ASSERT_TRUE(verdict.has_value());
  EXPECT_FALSE(verdict->bad.has_value()) << verdict->bad->what;
  EXPECT_EQ(verdict->leaves, 600U);
  EXPECT_EQ(verdict->origin, "bank.example/postern/audit");
  EXPECT_EQ(verdict->epochs, log.last_epoch());
  EXPECT_TRUE(verdict->anchored);
  EXPECT_EQ(verdict->root, to_hex(log.root(600)));
  EXPECT_EQ(verdict->counts.at("initialised"), 1U);
  EXPECT_EQ(verdict->counts.at("epoch-begun"), log.last_epoch());
  std::uint64_t all = 0;
  for (const auto& [name, count] : verdict->counts) all += count;
  EXPECT_EQ(all, 600U);
  EXPECT_EQ(verdict->first_us, log.leaves.front().utc_us);
  EXPECT_EQ(verdict->last_us, log.leaves.back().utc_us);
  ASSERT_EQ(verdict->witnessed.size(), 1U);
  EXPECT_EQ(verdict->witnessed[0].size, 600U);
  EXPECT_EQ(verdict->witnessed[0].time_s, 1'800'100'000U);
}

TEST_F(Verify, WithTheIdentityKeyAloneItHoldsAndSaysSo) {
  const Result<Verdict> verdict = verify({audit, trust_of(log, false), {}, {}});
  ASSERT_TRUE(verdict.has_value());
  EXPECT_FALSE(verdict->bad.has_value());
  EXPECT_FALSE(verdict->anchored);
}

TEST_F(Verify, HoldsAtEverySizeAroundFullTilesAndClosedEpochs) {
  for (const std::uint64_t size : {0U, 1U, 2U, 109U, 110U, 111U, 219U, 220U, 221U, 222U, 255U, 256U, 257U, 511U, 512U, 513U}) {
    const made::Log sized({.leaves = size, .per_epoch = 110});
    const std::string place = folder / ("size-" + std::to_string(size));
    made::write_files(place, sized.files());
    EXPECT_EQ(verdict_of(place, trust_of(sized, true, true)), "") << size;
  }
}

TEST_F(Verify, HoldsAcrossTheSecondLevel) {
  for (const std::uint64_t size : {65'535U, 65'536U, 65'900U}) {
    const made::Log sized({.leaves = size, .per_epoch = 9'000});
    const std::string place = folder / ("size-" + std::to_string(size));
    made::write_files(place, sized.files());
    EXPECT_EQ(verdict_of(place, trust_of(sized)), "") << size;
    // The entry of level 1 that covers leaf 512.
    Bytes tile = read_all(place + "/tile/1/000" + (size < 65'536 ? ".p/255" : ""));
    tile[2 * sizeof(Hash)] ^= 1;
    write_all(place + "/tile/1/000" + (size < 65'536 ? ".p/255" : ""), ByteView(tile));
    EXPECT_TRUE(verdict_of(place, trust_of(sized)).starts_with("512: tile/1/000")) << verdict_of(place, trust_of(sized));
  }
}

// After the leaf that closes an epoch either key may have signed: the old one ends with it, the new one begins.
TEST_F(Verify, TheEndOfAnEpochIsSignedByEitherKeyAndByNoOther) {
  const made::Log ended({.leaves = 110, .per_epoch = 110});
  const std::string place = folder / "ended";
  made::write_files(place, ended.files());
  for (const std::uint32_t epoch : {0U, 1U, 2U}) {
    write_all(place + "/checkpoint", ended.checkpoint(110, {ended.identity(), ended.epoch(epoch)}));
    EXPECT_EQ(verdict_of(place, trust_of(ended)).empty(), epoch < 2) << epoch;
  }
  write_all(place + "/checkpoint", ended.checkpoint(110, {ended.identity(), ended.epoch(0), ended.epoch(1)}));
  EXPECT_EQ(verdict_of(place, trust_of(ended)), "");
}

// posternd writes the checkpoint first and the epoch's file second: after a crash between the two the checkpoint is that file.
TEST_F(Verify, TheLastEpochsFileMayBeMissingWhileTheCheckpointSaysTheSame) {
  const made::Log ended({.leaves = 110, .per_epoch = 110});
  const std::string place = folder / "ended";
  made::write_files(place, ended.files());
  fs::remove(place + "/epoch/000000");
  EXPECT_TRUE(verdict_of(place, trust_of(ended)).starts_with("109: epoch/000000 is missing")) << "the next epoch's key says nothing of this one's end";
  const std::string last = ended.checkpoint(110, {ended.identity(), ended.epoch(0)});
  write_all(place + "/checkpoint", last);
  EXPECT_EQ(verdict_of(place, trust_of(ended)), "");
  write_all(place + "/checkpoint", ended.checkpoint(110, {ended.identity(), ended.epoch(2)}));
  EXPECT_TRUE(verdict_of(place, trust_of(ended)).starts_with("109: ")) << "a stranger's";
  // The log went on: now it must be there.
  const made::Log longer({.leaves = 130, .per_epoch = 110});
  made::write_files(place, longer.files());
  fs::remove(place + "/epoch/000000");
  EXPECT_TRUE(verdict_of(place, trust_of(longer)).starts_with("109: epoch/000000 is missing"));
  write_all(place + "/checkpoint", longer.checkpoint(130, {longer.identity(), longer.epoch(1), longer.epoch(0)}));
  EXPECT_TRUE(verdict_of(place, trust_of(longer)).starts_with("109: ")) << "a later checkpoint does not stand for it, whoever signed";
  write_all(place + "/epoch/000000", last);
  EXPECT_EQ(verdict_of(place, trust_of(longer)), "");
}

TEST_F(Verify, LinesOfOtherKeysDoNotDisturb) {
  const std::string note = log.checkpoint(600, {made::Pair("stranger", KeyType::ed25519, 5), log.identity(), log.epoch(log.last_epoch()),
                                                made::Pair(log.identity().verifier().name, KeyType::ed25519, 6)});
  put("checkpoint", as_bytes(note));
  EXPECT_EQ(verdict(), "");
}

TEST_F(Verify, EveryFlawIsFoundAndNamed) {
  const made::Options options;
  const made::Log right(options);
  std::size_t found = 0;
  for (const std::string& flaw : made::flaws()) {
    const std::string place = folder / flaw;
    made::write_files(place, made::flawed(flaw, options));
    EXPECT_NE(verdict_of(place, trust_of(right, true, true)), "") << flaw;
    fs::remove_all(place);
    ++found;
  }
  EXPECT_GT(found, 60U);
}

// With room for few messages the leaf that is named is read again, and must be of the same message.
TEST_F(Verify, AForgottenMessagesLeafIsLookedUp) {
  const auto told = [&](const std::string& place) {
    const Result<Verdict> verdict = verify({place, trust_of(log), {}, {}, /*remembered=*/1});
    return !verdict ? verdict.what() : verdict->bad ? verdict->bad->what : "";
  };
  EXPECT_EQ(told(audit), "");
  std::uint64_t late = 599;
  while (log.leaves[late].before == 0 || late - log.leaves[late].before < 30) --late;
  made::Log bad = log;
  bad.leaves[late].before -= 1;
  bad.link();
  made::write_files(folder / "bad", bad.files());
  EXPECT_EQ(told(folder / "bad"), "the leaf names one of another message as its message's last");
}

// What the identity key alone leaves open, and the key of epoch 0 closes.
TEST_F(Verify, WhoStoleEveryKeyIsFoundByTheKeptEpochKey) {
  const made::Options options;
  const made::Log right(options);
  std::map<std::string, Bytes> forged = made::flawed("own-keys-from-epoch-0", options);
  const std::string place = folder / "forged";
  made::write_files(place, forged);
  EXPECT_TRUE(verdict_of(place, trust_of(right)).starts_with("0: the key of epoch 0")) << verdict_of(place, trust_of(right));
  EXPECT_EQ(verdict_of(place, trust_of(right, false)), "") << "with the identity key alone nobody can tell";
}

TEST_F(Verify, AnOlderCheckpointMustBeContained) {
  const std::string kept = folder / "kept";
  write_all(kept, log.checkpoint(300, {log.identity(), log.epoch(log.leaves[299].epoch)}));
  EXPECT_EQ(verdict_of(audit, trust_of(log), {kept}), "");
  const made::Log fork({.leaves = 600, .per_epoch = 110, .fork = 250});
  write_all(kept, fork.checkpoint(300, {log.identity(), log.epoch(log.leaves[299].epoch)}));
  EXPECT_TRUE(verdict_of(audit, trust_of(log), {kept}).starts_with("299: " + kept + " has seen another history"));
  write_all(kept, fork.checkpoint(240, {log.identity(), log.epoch(log.leaves[239].epoch)}));
  EXPECT_EQ(verdict_of(audit, trust_of(log), {kept}), "") << "before the fork they are one";
  write_all(kept, log.checkpoint(300, {log.identity(), log.epoch(0)}));
  EXPECT_NE(verdict_of(audit, trust_of(log), {kept}), "") << "by the key of an epoch that was over";
  const made::Log longer({.leaves = 700, .per_epoch = 110});
  write_all(kept, longer.checkpoint());
  EXPECT_TRUE(verdict_of(audit, trust_of(log), {kept}).starts_with("600: ")) << "an older log was put back";
  write_all(kept, std::string("nonsense"));
  EXPECT_TRUE(verdict_of(audit, trust_of(log), {kept}).starts_with("unreadable: "));
  EXPECT_TRUE(verdict_of(audit, trust_of(log), {folder / "none"}).starts_with("unreadable: "));
}

TEST_F(Verify, AWitnessThatHasNotCosignedIsMissed) {
  fs::remove_all(audit + "/witness");
  EXPECT_EQ(verdict(), "");
  EXPECT_TRUE(verdict_of(audit, trust_of(log, true, true)).starts_with("600: no checkpoint here carries"));
  fs::create_directory(audit + "/witness");
  put("witness/one", as_bytes(log.checkpoint()));
  EXPECT_NE(verdict_of(audit, trust_of(log, true, true)), "") << "a copy without a cosignature";
  put("witness/one", as_bytes(log.cosigned()));
  EXPECT_EQ(verdict_of(audit, trust_of(log, true, true)), "");
}

TEST_F(Verify, TheFoldersOwnKeysMustBeTheOnesThatWereBrought) {
  const made::Log other({.seed = 2});
  put("vkey", as_bytes(other.vkey()));
  EXPECT_TRUE(verdict().starts_with("0: vkey"));
  put("vkey", as_bytes(log.vkey().substr(0, log.vkey().find('\n') + 1)));
  EXPECT_TRUE(verdict().starts_with("0: vkey"));
  fs::remove(audit + "/vkey");
  EXPECT_TRUE(verdict().starts_with("0: vkey"));
}

TEST_F(Verify, WrongKeysHoldNothing) {
  const made::Log other({.seed = 2}), elsewhere({.origin = "elsewhere"});
  EXPECT_TRUE(verdict_of(audit, trust_of(other)).starts_with("0: "));
  EXPECT_TRUE(verdict_of(audit, trust_of(elsewhere)).starts_with("0: "));
  EXPECT_TRUE(verdict_of(audit, {}).starts_with("0: "));
}

TEST_F(Verify, WhatACrashOrTheNextCheckpointLeavesIsNoFinding) {
  const made::Log before({.leaves = 500, .per_epoch = 110}), after({.leaves = 900, .per_epoch = 110});
  for (const auto& [name, bytes] : before.files())
    if (name.find(".p/") != std::string::npos) files[name] = bytes;
  for (const auto& [name, bytes] : after.files())
    if (name.starts_with("tile/") && !files.contains(name)) files[name] = bytes;
  files["tile/0/002.new"] = {1, 2, 3};
  files["checkpoint.new"] = {1, 2, 3};
  made::write_files(audit, files);
  EXPECT_EQ(verdict(), "");
  Bytes ahead = after.files().at("tile/0/002");
  ahead[5] ^= 1;   // the tile of leaves 512 to 767, of which 88 are under the checkpoint
  put("tile/0/002", ByteView(ahead));
  EXPECT_TRUE(verdict().starts_with("600: tile/0/002 contradicts"));
}

TEST_F(Verify, TheFindingNamesTheFirstBadLeaf) {
  Bytes bundle = files.at("tile/entries/001");
  // Into the body or header of leaf 256 + 44.
  ByteReader in(bundle);
  std::size_t at = 0;
  for (int i = 0; i < 44; ++i) at += 2 + in.view16().size();
  bundle[at + 40] ^= 1;
  put("tile/entries/001", ByteView(bundle));
  EXPECT_TRUE(verdict().starts_with("300: "));
}

TEST_F(Verify, AFolderWithoutALogCannotBeChecked) {
  EXPECT_TRUE(verdict_of(folder / "none", trust_of(log)).starts_with("unreadable: "));
  fs::create_directory(folder / "empty");
  EXPECT_TRUE(verdict_of(folder / "empty", trust_of(log)).starts_with("unreadable: "));
}

TEST_F(Verify, TellsItsProgress) {
  std::uint64_t last = 0, of = 0;
  ASSERT_TRUE(verify({audit, trust_of(log), {}, [&](std::uint64_t at, std::uint64_t size) {
                        last = at;
                        of = size;
                      }}).has_value());
  EXPECT_GT(last, 0U);
  EXPECT_EQ(of, 600U);
}

TEST_F(Verify, TakesUpALogThatGrewMeanwhile) {
  // While the leaves are read, the next checkpoint comes and the old unfinished tiles go.
  const made::Log after({.leaves = 700, .per_epoch = 110});
  bool grown = false;
  const Result<Verdict> verdict = verify({audit, trust_of(log), {}, [&](std::uint64_t, std::uint64_t) {
                                            if (std::exchange(grown, true)) return;
                                            fs::remove_all(audit + "/tile");
                                            made::write_files(audit, after.files());
                                          }});
  ASSERT_TRUE(verdict.has_value());
  EXPECT_FALSE(verdict->bad.has_value()) << verdict->bad->what;
  EXPECT_EQ(verdict->leaves, 700U) << "the files of 600 leaves were not all there any more";
}

}  // namespace
}  // namespace postern::auditor
