// SPDX-License-Identifier: Apache-2.0
// Purpose: questions to the vault: one message, cancel, events, the bank app's receipts, metrics.
// Used by: the API. Threads: one loop. Ownership: owns the replies it owes.
// Errors: every question is answered; 503 when the vault is away, lost or silent.
// Limits: kMaxQueries at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "connectors/protocol/link.hpp"
#include "connectors/sources/https/answers.hpp"
#include "connectors/sources/https/reply.hpp"
#include "connectors/sources/https/routes.hpp"
#include "connectors/sources/json/document.hpp"

namespace postern::https {

inline constexpr std::size_t kMaxQueries = 4096;
inline constexpr std::size_t kMaxReceipts = 1000;

class Queries {
 public:
  Queries(Link& link, std::chrono::milliseconds answer_timeout) : link_(link), timeout_(answer_timeout) {}

  void read(std::string_view identity, std::string_view id, Reply reply);
  void cancel(std::string_view identity, std::string_view id, Reply reply);
  void list(std::string_view identity, const ListQuery& asked, Reply reply);
  // {"send_at": time, "deadline": time}: another time for a message that has not begun.
  void move(std::string_view identity, std::string_view id, std::string_view body, std::size_t limit, Reply reply);
  // {"event": name, "id": message | "recipient": the bank's name of the customer}: it ends the messages that wait for it.
  void signal(std::string_view identity, std::string_view body, std::size_t limit, Reply reply);
  // What the gateway keeps of a customer: shown or forgotten; kept anew; one more statement of the customer,
  // {"purpose", "channel", "given", "source", "wording", "at"}.
  void show_recipient(std::string_view identity, const std::string& reference, Reply reply);
  void forget_recipient(std::string_view identity, const std::string& reference, Reply reply);
  void keep_recipient(std::string_view identity, const std::string& reference, wire::Recipient&& recipient, Reply reply);
  void consent(std::string_view identity, const std::string& reference, std::string_view body, std::size_t limit, Reply reply);
  void events(std::string_view identity, const EventsQuery& asked, Reply reply);
  void receipts(std::string_view identity, std::string_view body, std::size_t limit, Reply reply);
  // `own` is the text of this process's own metrics, which are told even when the vault is away.
  void metrics(std::string_view identity, std::string own, Reply reply);

  void on_answer(const wire::Answer& answer);
  void on_lost();
  void on_time(std::int64_t now_ms);
  // Answers every long poll with no events, so that its connection can end.
  void drain();

 private:
  // Called once: with the answer, or with nothing when there will be none.
  using Finish = std::function<void(const wire::Answer* answer)>;
  struct Waiting {
    Finish finish;
    std::int64_t deadline = 0;
    bool long_poll = false;
  };
  struct Receipts;

  // Asks, and sends what `respond` makes of the answer.
  void answer_with(wire::Query&& query, std::string_view identity, http::Response (*respond)(const wire::Answer&), Reply reply);
  void ask(wire::Query&& query, std::string_view identity, Finish finish, std::chrono::milliseconds wait,
           bool long_poll);
  void finish_receipt(const std::shared_ptr<Receipts>& receipts, std::size_t at, const Outcome& outcome);

  Link& link_;
  std::chrono::milliseconds timeout_;
  std::uint64_t next_tag_ = 1;
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  json::Document document_;
  bool draining_ = false;
};

}  // namespace postern::https
