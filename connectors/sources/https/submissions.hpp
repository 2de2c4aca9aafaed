// SPDX-License-Identifier: Apache-2.0
// Purpose: messages on their way into the vault: single ones, validations and batches, each waiting
// for its verdict. Used by: the API. Threads: one loop. Ownership: owns the replies it owes.
// Errors: every message gets an outcome; one whose verdict did not come is answered 503, and the
// client repeats it with the same idempotency key.
// Limits: the vault's submit window over all of them; batches take at most three quarters of it, so
// that a one-time password never waits behind a mailing; `batches` at the same time.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "connectors/protocol/link.hpp"
#include "connectors/sources/https/answers.hpp"
#include "connectors/sources/https/reply.hpp"
#include "connectors/sources/https/submit_reader.hpp"

namespace postern::https {

inline constexpr std::size_t kMaxBatchLines = 1000;

struct SubmissionLimits {
  std::uint32_t batches = 16;
  std::chrono::milliseconds verdict{10'000};
};

class Submissions {
 public:
  Submissions(Loop& loop, Link& link, ReaderOptions reader, SubmissionLimits limits);
  ~Submissions();

  enum class Purpose { store, validate };
  void submit(std::string_view identity, std::string_view body, std::string_view key, Purpose purpose, Reply reply);
  void submit_batch(std::string_view identity, std::string_view body, Reply reply);

  void on_verdict(const wire::Verdict& verdict);
  void on_lost();
  // Answers what has waited too long; called now and then.
  void on_time(std::int64_t now_ms);

  std::size_t outstanding() const { return waiting_.size(); }
  // SubmitReader::read_recipient().
  std::optional<Refusal> read_recipient(std::string_view body, wire::Recipient& out) { return reader_.read_recipient(body, out); }
  std::uint64_t outside_plan() const { return reader_.outside_plan(); }

 private:
  struct Batch;
  struct Waiting {
    std::unique_ptr<Reply> single;
    std::shared_ptr<Batch> batch;
    std::size_t line = 0;
  };

  bool send(wire::Submit&& submit, std::string_view identity, Waiting&& waiting);
  void settle(Waiting&& waiting, const Outcome& outcome);
  void pump();
  bool pump_one(const std::shared_ptr<Batch>& batch);
  void finish_line(const std::shared_ptr<Batch>& batch, std::size_t line, const Outcome& outcome);

  Loop& loop_;
  Link& link_;
  SubmitReader reader_;
  SubmissionLimits limits_;
  std::uint64_t next_tag_ = 1;
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  std::deque<std::pair<std::int64_t, std::uint64_t>> by_deadline_;  // all have the same span, so they are in order
  std::vector<std::shared_ptr<Batch>> batches_;                     // not yet answered
  std::size_t turn_ = 0;                                            // whose line is next
  Timer pump_;
};

}  // namespace postern::https
