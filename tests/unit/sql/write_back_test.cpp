// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/write_back.hpp"

#include <gtest/gtest.h>

#include "connectors/sources/sql/table.hpp"

namespace postern::sql {
namespace {

constexpr const char* kId = "01890000-0000-7000-8000-00000000000a";

Told told(std::uint64_t sequence, wire::Progress progress, std::string key = "k", std::string id = kId) {
  return Told{sequence, std::move(key), std::move(id), progress, "why", 1'000 + sequence};
}

TEST(WriteQueue, KeepsWhatIsBeingWrittenUntilItIs) {
  WriteQueue<int> queue;
  for (int i = 0; i < 5; ++i) queue.push(i);
  EXPECT_EQ(queue.start(3), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(queue.size(), 5u);
  EXPECT_TRUE(queue.start(3).empty()) << "one batch at a time";
  queue.failed();
  EXPECT_EQ(queue.start(2), (std::vector<int>{0, 1})) << "what failed comes first again";
  queue.written();
  EXPECT_EQ(queue.start(9), (std::vector<int>{2, 3, 4}));
  queue.written();
  EXPECT_EQ(queue.size(), 0u);
}

TEST(EventBatch, HoldsFinalStatesAndTheCursorOfAll) {
  const EventBatch batch =
      batch_of({told(4, wire::SENT), told(6, wire::REACHED), told(5, wire::DELIVERED)}, /*with_progress=*/false);
  EXPECT_EQ(batch.cursor, 6u);
  EXPECT_EQ(batch.finished.outcomes, (std::vector<std::string>{"reached"}));
  EXPECT_EQ(batch.finished.times, (std::vector<std::string>{"1006"}));
  EXPECT_TRUE(batch.progressed.keys.empty());
}

TEST(EventBatch, KeepsTheFarthestStepOfEachKey) {
  const EventBatch batch = batch_of(
      {told(1, wire::READ), told(2, wire::SENT), told(3, wire::DELIVERED, "other"), told(4, wire::UNKNOWN, "third")},
      /*with_progress=*/true);
  EXPECT_EQ(batch.cursor, 4u);
  EXPECT_EQ(batch.progressed.keys, (std::vector<std::string>{"k", "other"}));
  EXPECT_EQ(batch.progressed.words, (std::vector<std::string>{"read", "delivered"}));
}

TEST(EventBatch, AcknowledgesWhatIsNotOursWithoutWritingIt) {
  const EventBatch batch = batch_of(
      {told(1, wire::REACHED, ""), told(2, wire::REACHED, std::string(65, 'k')), told(3, wire::REACHED, "k", "no uuid"),
       told(4, wire::REACHED, "\xff"), told(5, wire::REACHED, std::string("a\0b", 3))},
      /*with_progress=*/true);
  EXPECT_EQ(batch.cursor, 5u);
  EXPECT_TRUE(batch.finished.keys.empty());
}

TEST(EventBatch, CutsAReasonToItsColumn) {
  Told one = told(1, wire::FAILED);
  one.reason = std::string(100, 'r');
  EXPECT_EQ(batch_of({one}, false).finished.reasons[0].size(), static_cast<std::size_t>(kReasonLimit));
}

TEST(Words, AreThoseOfTheTable) {
  EXPECT_EQ(outcome_word(wire::SUPPRESSED), "suppressed");
  EXPECT_EQ(outcome_word(wire::CANCELLED), "cancelled");
  EXPECT_EQ(outcome_word(wire::REPLIED), "");
  EXPECT_EQ(progress_word(wire::REPLIED), "replied");
  EXPECT_EQ(progress_word(wire::FAILED), "");
}

TEST(ErrorText, NamesPlacesAndCodesOnly) {
  wire::Verdict verdict;
  verdict.set_outcome(wire::Verdict::INVALID);
  wire::Problem& problem = *verdict.add_problem();
  problem.set_pointer("/variables/amount");
  problem.set_code("missing-variable");
  problem.set_detail("a sentence");
  EXPECT_EQ(error_of(verdict), "invalid; /variables/amount missing-variable");
  for (int i = 0; i < 50; ++i) *verdict.add_problem() = problem;
  EXPECT_LE(error_of(verdict).size(), static_cast<std::size_t>(kErrorLimit));
}

TEST(Cut, NeverSplitsACharacter) {
  EXPECT_EQ(cut("абв", 3), "а");
  EXPECT_EQ(cut("абв", 4), "аб");
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("₴", 1), "");
}

}  // namespace
}  // namespace postern::sql
