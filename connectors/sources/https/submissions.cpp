// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/submissions.hpp"

#include <algorithm>
#include <utility>

#include "crypto/secret.hpp"

namespace postern::https {
namespace {

// Lines of batches read in one turn of the loop: about half a millisecond.
constexpr int kLinesPerTurn = 64;

constexpr std::string_view kInDoubt =
    "The vault did not answer; whether the message was accepted is not known. Repeat it with the same idempotency key.";

}  // namespace

struct Submissions::Batch {
  explicit Batch(Reply r) : reply(std::move(r)) {}
  ~Batch() { wipe_text(body); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  Reply reply;
  std::string identity;
  std::string body;
  std::vector<std::string_view> lines;
  std::vector<std::string> results;
  std::size_t next = 0;  // line to be read
  std::size_t done = 0;  // lines with a result
};

Submissions::Submissions(Loop& loop, Link& link, ReaderOptions reader, SubmissionLimits limits)
    : loop_(loop), link_(link), reader_(std::move(reader)), limits_(limits), pump_(loop_, [this] { pump(); }) {}

Submissions::~Submissions() = default;

void Submissions::submit(std::string_view identity, std::string_view body, std::string_view key, Purpose purpose,
                         Reply reply) {
  if (waiting_.size() >= link_.submit_window())
    return reply.send(
        to_response(unavailable("window", "The vault has as much as it can take at once; try again.", 1)));
  wire::Submit submit;
  if (auto refusal = reader_.read(body, Form::single, wall_ms(), submit))
    return reply.send(to_response(outcome_of(std::move(*refusal))));
  submit.set_validate_only(purpose == Purpose::validate);
  submit.set_idempotency_key(key.data(), key.size());
  send(std::move(submit), identity, {std::make_unique<Reply>(std::move(reply)), nullptr, 0});
}

void Submissions::submit_batch(std::string_view identity, std::string_view body, Reply reply) {
  if (batches_.size() >= limits_.batches)
    return reply.send(to_response(
        unavailable("batches", "As many batches as can be worked on at once are under way; try again.", 1)));
  if (body.ends_with('\n')) body.remove_suffix(1);
  const auto lines = static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n')) + 1;
  if (body.empty() || lines > kMaxBatchLines)
    return reply.send(http::problem(
        422, "batch-size", "A batch has 1 to 1000 lines, each one JSON object; nothing of this one was taken."));

  const auto batch = std::make_shared<Batch>(std::move(reply));
  batch->identity = identity;
  batch->body = body;
  batch->results.resize(lines);
  std::string_view rest = batch->body;
  for (std::size_t i = 0; i < lines; ++i) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    batch->lines.push_back(line);
    if (end != std::string_view::npos) rest.remove_prefix(end + 1);
  }
  batches_.push_back(batch);
  pump();
}

bool Submissions::send(wire::Submit&& submit, std::string_view identity, Waiting&& waiting) {
  const std::uint64_t tag = next_tag_++;
  submit.set_tag(tag);
  submit.set_identity(identity.data(), identity.size());
  if (!link_.submit(std::move(submit))) {
    settle(std::move(waiting),
           unavailable("no-vault", "The vault is away; the message was not accepted. Try again.", 1));
    return false;
  }
  waiting_.emplace(tag, std::move(waiting));
  by_deadline_.emplace_back(steady_ms() + limits_.verdict.count(), tag);
  return true;
}

void Submissions::settle(Waiting&& waiting, const Outcome& outcome) {
  if (waiting.single) return waiting.single->send(to_response(outcome));
  finish_line(waiting.batch, waiting.line, outcome);
}

void Submissions::on_verdict(const wire::Verdict& verdict) {
  const auto found = waiting_.find(verdict.tag());
  if (found == waiting_.end()) return;  // too late: it has been answered 503
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  while (!by_deadline_.empty() && !waiting_.contains(by_deadline_.front().second)) by_deadline_.pop_front();
  settle(std::move(waiting), outcome_of(verdict));
  if (!batches_.empty()) pump_.start(std::chrono::microseconds(0));
}

void Submissions::on_lost() {
  auto lost = std::exchange(waiting_, {});
  by_deadline_.clear();
  for (auto& [tag, waiting] : lost) settle(std::move(waiting), unavailable("in-doubt", kInDoubt, 1));
  if (!batches_.empty()) pump_.start(std::chrono::microseconds(0));
}

void Submissions::on_time(std::int64_t now_ms) {
  while (!by_deadline_.empty() && by_deadline_.front().first <= now_ms) {
    const auto found = waiting_.find(by_deadline_.front().second);
    by_deadline_.pop_front();
    if (found == waiting_.end()) continue;
    Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    settle(std::move(waiting), unavailable("in-doubt", kInDoubt, 5));
  }
  if (!batches_.empty()) pump_.start(std::chrono::microseconds(0));
}

// Takes lines of all batches in turn until the share of the window, or of this turn, is used up.
void Submissions::pump() {
  int budget = kLinesPerTurn;
  std::size_t idle = 0;  // batches in a row that had nothing to give
  while (budget > 0 && idle < batches_.size()) {
    turn_ %= batches_.size();
    const std::size_t before = batches_.size();
    const std::shared_ptr<Batch> batch = batches_[turn_];
    if (pump_one(batch)) {
      --budget;
      idle = 0;
    } else {
      ++idle;
    }
    if (batches_.size() == before) ++turn_;
  }
  if (budget == 0 && !batches_.empty()) pump_.start(std::chrono::microseconds(0));
}

bool Submissions::pump_one(const std::shared_ptr<Batch>& batch) {
  if (batch->next >= batch->lines.size()) return false;
  const std::size_t share = std::max<std::size_t>(1, link_.submit_window() * std::size_t{3} / 4);
  if (link_.up() && waiting_.size() >= share) return false;
  const std::size_t line = batch->next++;
  // The client has gone and will repeat what it has no answer for: no new message is begun for it.
  if (!batch->reply.wanted()) {
    finish_line(batch, line, unavailable("client-gone", "The client has gone.", 1));
    return true;
  }
  wire::Submit submit;
  if (auto refusal = reader_.read(batch->lines[line], Form::line, wall_ms(), submit))
    finish_line(batch, line, outcome_of(std::move(*refusal)));
  else
    send(std::move(submit), batch->identity, {nullptr, batch, line});
  return true;
}

void Submissions::finish_line(const std::shared_ptr<Batch>& batch, std::size_t line, const Outcome& outcome) {
  batch->results[line] = to_line(line, outcome);
  if (++batch->done < batch->lines.size()) return;
  http::Response response;
  response.type = http::kNdjson;
  std::size_t size = 0;
  for (const std::string& result : batch->results) size += result.size();
  response.body.reserve(size);
  for (const std::string& result : batch->results) response.body += result;
  std::erase(batches_, batch);
  batch->reply.send(std::move(response));
}

}  // namespace postern::https
