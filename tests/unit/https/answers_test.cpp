// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/answers.hpp"

#include <gtest/gtest.h>

#include "connectors/sources/https/refusal_tally.hpp"

namespace postern::https {
namespace {

constexpr const char* kId = "018f3a52-0000-7000-8000-0000000000ff";

wire::Verdict verdict(wire::Verdict::Outcome outcome, std::uint32_t retry_after_ms = 0) {
  wire::Verdict v;
  v.set_outcome(outcome);
  v.set_retry_after_ms(retry_after_ms);
  if (outcome == wire::Verdict::STORED || outcome == wire::Verdict::REPLAYED) v.set_id(kId);
  return v;
}

TEST(Verdict, EveryOutcomeHasItsStatus) {
  const std::vector<std::tuple<wire::Verdict::Outcome, int, std::string>> table = {
      {wire::Verdict::STORED, 202, ""},
      {wire::Verdict::REPLAYED, 202, ""},
      {wire::Verdict::VALID, 200, ""},
      {wire::Verdict::INVALID, 422, "invalid"},
      {wire::Verdict::KEY_REUSED, 422, "idempotency-key-reused"},
      {wire::Verdict::CLIENT_UNKNOWN, 403, "client-unknown"},
      {wire::Verdict::FORBIDDEN, 403, "forbidden"},
      {wire::Verdict::BUSY, 429, "rate"},
      {wire::Verdict::UNAVAILABLE, 503, "unavailable"},
      {wire::Verdict::OUTCOME_UNSET, 503, "unavailable"},
      {static_cast<wire::Verdict::Outcome>(99), 503, "unavailable"}};
  for (const auto& [outcome, status, code] : table) {
    const Outcome got = outcome_of(verdict(outcome));
    EXPECT_EQ(got.status, status) << outcome;
    EXPECT_EQ(got.code, code) << outcome;
    EXPECT_EQ(to_response(got).status, status) << outcome;
    EXPECT_EQ(status >= 400, to_response(got).type == http::kProblemJson) << outcome;
  }
}

TEST(Verdict, AcceptedAndReplayedDifferInOneHeader) {
  const http::Response stored = to_response(outcome_of(verdict(wire::Verdict::STORED)));
  EXPECT_EQ(stored.body, std::string("{\"id\":\"") + kId + "\",\"status\":\"accepted\"}");
  EXPECT_EQ(stored.fields, std::string("Location: /v1/messages/") + kId + "\r\n");
  const http::Response replayed = to_response(outcome_of(verdict(wire::Verdict::REPLAYED)));
  EXPECT_EQ(replayed.body, stored.body);
  EXPECT_EQ(replayed.fields, stored.fields + "Idempotent-Replayed: true\r\n");
}

TEST(Verdict, RetryAfterIsInWholeSecondsRoundedUp) {
  EXPECT_EQ(to_response(outcome_of(verdict(wire::Verdict::BUSY, 2001))).fields, "Retry-After: 3\r\n");
  EXPECT_EQ(to_response(outcome_of(verdict(wire::Verdict::BUSY, 0))).fields, "Retry-After: 1\r\n");
  EXPECT_EQ(to_response(outcome_of(verdict(wire::Verdict::UNAVAILABLE, 1))).fields, "Retry-After: 1\r\n");
}

TEST(BatchLine, CarriesIndexStatusAndProblem) {
  EXPECT_EQ(to_line(3, outcome_of(verdict(wire::Verdict::REPLAYED))),
            std::string("{\"index\":3,\"status\":202,\"id\":\"") + kId + "\",\"replayed\":true}\n");
  wire::Verdict invalid = verdict(wire::Verdict::INVALID);
  wire::Problem& p = *invalid.add_problem();
  p.set_pointer("/template");
  p.set_code("unknown-template");
  p.set_detail("two\nlines");
  const std::string line = to_line(0, outcome_of(invalid));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << "a line stays one line";
  EXPECT_NE(line.find(R"("errors":[{"pointer":"/template","code":"unknown-template","detail":"two\nlines"}])"),
            std::string::npos);
}

TEST(Answer, EveryOutcomeOfAQuestionHasItsStatus) {
  const std::vector<std::pair<wire::Answer::Outcome, int>> table = {
      {wire::Answer::OK, 200},          {wire::Answer::NOT_FOUND, 404},    {wire::Answer::CLIENT_UNKNOWN, 403},
      {wire::Answer::FORBIDDEN, 403},   {wire::Answer::TOO_LATE, 409},     {wire::Answer::BAD_REQUEST, 400},
      {wire::Answer::UNAVAILABLE, 503}, {wire::Answer::OUTCOME_UNSET, 503}};
  for (const auto& [outcome, status] : table) {
    wire::Answer answer;
    answer.set_outcome(outcome);
    EXPECT_EQ(message_response(answer).status, status) << outcome;
    EXPECT_EQ(events_response(answer).status, status) << outcome;
    EXPECT_EQ(query_outcome(answer).status, status == 200 ? 204 : status) << outcome;
  }
}

TEST(Words, EveryStateHasOne) {
  for (const wire::Progress p :
       {wire::ACCEPTED, wire::HANDED, wire::SENT, wire::DELIVERED, wire::READ, wire::REPLIED, wire::REFUSED,
        wire::REACHED, wire::FAILED, wire::EXPIRED, wire::CANCELLED, wire::SUPPRESSED})
    EXPECT_NE(progress_word(p), "unknown");
  EXPECT_EQ(progress_word(wire::UNKNOWN), "unknown");
}

class TallyTest : public testing::Test {
 protected:
  Loop loop_;
  bool ready_ = true;
  std::vector<wire::Observation> told_;
  RefusalTally tally_{loop_, [this] { return ready_; },
                      [this](wire::Observation&& o) { told_.push_back(std::move(o)); }};

  void wait_until_told() {
    const std::int64_t end = steady_ms() + 10'000;
    while (told_.empty() && steady_ms() < end) loop_.run_once();
  }
};

TEST_F(TallyTest, TellsEachKindOnceWithItsNumber) {
  for (int i = 0; i < 5; ++i) tally_.count({"revoked", "aa"});
  tally_.count({"revoked", "bb"});
  tally_.count({"expired", "aa"});
  EXPECT_TRUE(told_.empty()) << "not before a second has passed";
  wait_until_told();
  ASSERT_EQ(told_.size(), 3U);
  EXPECT_EQ(told_[1].kind(), wire::Observation::TLS_REFUSED);
  EXPECT_EQ(told_[1].reason(), "revoked");
  EXPECT_EQ(told_[1].object(), "aa");
  EXPECT_EQ(told_[1].count(), 5U);
  EXPECT_EQ(tally_.totals().at("revoked"), 6U);
}

TEST_F(TallyTest, AFloodOfCertificatesStaysBounded) {
  for (int i = 0; i < 100'000; ++i) tally_.count({"unknown-ca", std::to_string(i)});
  wait_until_told();
  EXPECT_LE(told_.size(), RefusalTally::kMaxKinds + 1);
  std::uint64_t sum = 0;
  for (const wire::Observation& o : told_) sum += o.count();
  EXPECT_EQ(sum, 100'000U) << "and none is lost";
}

// A gateway that was told to stop within a second of a refusal left it out of its audit log.
TEST_F(TallyTest, AnEndTellsWhatWasCounted) {
  tally_.finish();
  EXPECT_TRUE(told_.empty()) << "nothing to tell";
  tally_.count({"revoked", "aa"});
  tally_.finish();
  ASSERT_EQ(told_.size(), 1U);
  tally_.count({"revoked", "aa"});
  told_.clear();
  wait_until_told();
  EXPECT_EQ(told_.size(), 1U) << "and it goes on after it";
}

TEST_F(TallyTest, CountsWaitForTheVault) {
  ready_ = false;
  tally_.count({"expired", "aa"});
  const std::int64_t begin = steady_ms();
  while (steady_ms() < begin + 1200) loop_.run_once();
  EXPECT_TRUE(told_.empty());
  ready_ = true;
  wait_until_told();
  ASSERT_EQ(told_.size(), 1U);
}

}  // namespace
}  // namespace postern::https
