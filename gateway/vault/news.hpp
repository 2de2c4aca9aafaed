// SPDX-License-Identifier: Apache-2.0
// Purpose: what clients are told of leaves, and the last of it kept in memory: a client that is not far behind is told without asking the
// store. Holds nothing that is sealed to a person; who tells reads that where it stands.
// Used by: the turn (makes news), the queries (tell them). Threads: one. Limits: kKept news of all clients; the
// oldest go first, so that a client under load may be some seconds behind.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <ranges>
#include <string>
#include <unordered_map>

#include "gateway/domain/event_type.hpp"
#include "gateway/domain/flight.hpp"

namespace postern::vault {

struct News {
  ClientId client = 0;
  std::uint64_t cursor = 0;             // sequence + 1 of the leaf
  MessageKey message = 0;
  TimeMs at_ms = 0;
  EventType type = EventType::started;
  std::uint8_t attempt = 0;             // number from 1, 0: none
  std::optional<MessageState> ended;    // the leaf says how the message ended
  std::string reason;
};

class RecentNews {
 public:
  static constexpr std::size_t kKept = 65'536;

  // What a commit made true, in the order of its leaves.
  void add(News news) {
    const auto [of, first] = clients_.try_emplace(news.client);
    if (first) of->second.complete_after = news.cursor - 1;
    order_.push_back(news.client);
    of->second.news.push_back(std::move(news));
    if (order_.size() <= kKept) return;
    OfClient& oldest = clients_.at(order_.front());
    order_.pop_front();
    oldest.complete_after = oldest.news.front().cursor;
    oldest.news.pop_front();
  }

  // All that the client is told of behind a cursor; nothing when the store knows more.
  std::optional<std::ranges::subrange<std::deque<News>::const_iterator>> after(ClientId client, std::uint64_t cursor) const {
    const auto of = clients_.find(client);
    if (of == clients_.end() || cursor < of->second.complete_after) return std::nullopt;
    const std::deque<News>& news = of->second.news;
    return std::ranges::subrange(std::ranges::upper_bound(news, cursor, {}, &News::cursor), news.end());
  }

 private:
  struct OfClient {
    std::uint64_t complete_after = 0;   // a cursor: everything behind it is here
    std::deque<News> news;
  };
  std::unordered_map<ClientId, OfClient> clients_;
  std::deque<ClientId> order_;          // whose news came, the oldest first
};

}  // namespace postern::vault
