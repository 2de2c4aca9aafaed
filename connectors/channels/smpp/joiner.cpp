// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/joiner.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace postern::smpp {

void Joiner::add(Part&& part, std::int64_t now, std::vector<Joined>& out) {
  if (part.place.total == 1) {
    Joined& joined = out.emplace_back();
    joined.source = std::move(part.source);
    joined.destination = std::move(part.destination);
    joined.data_coding = part.data_coding;
    joined.single_shift = part.single_shift;
    joined.locking_shift = part.locking_shift;
    joined.octets = std::move(part.octets);
    joined.tags = {part.tag};
    joined.parts = joined.total = 1;
    return;
  }
  Key key{part.source, part.destination, part.place.reference, part.place.total};
  auto at = waiting_.find(key);
  if (at == waiting_.end()) {
    make_room(part.source, out);
    at = waiting_.emplace(std::move(key), Message{}).first;
    at->second.deadline = now + timeout_ms_;
  }
  Message& message = at->second;
  if (message.tags.size() < kMaxTags) message.tags.push_back(part.tag);
  const std::size_t total = part.place.total;
  const std::uint8_t place = part.place.part;
  message.parts.insert_or_assign(place, std::move(part));
  if (message.parts.size() == total) give(at, out);
}

void Joiner::expire(std::int64_t now, std::vector<Joined>& out) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto next = std::next(at);
    if (at->second.deadline <= now) give(at, out);
    at = next;
  }
}

void Joiner::give(Messages::iterator at, std::vector<Joined>& out) {
  Message& message = at->second;
  const Part& first = message.parts.begin()->second;
  Joined& joined = out.emplace_back();
  joined.source = first.source;
  joined.destination = first.destination;
  joined.data_coding = first.data_coding;
  joined.single_shift = first.single_shift;
  joined.locking_shift = first.locking_shift;
  joined.tags = std::move(message.tags);
  joined.parts = message.parts.size();
  joined.total = first.place.total;
  for (const auto& [place, part] : message.parts)
    joined.octets.insert(joined.octets.end(), part.octets.begin(), part.octets.end());
  waiting_.erase(at);
}

void Joiner::make_room(const std::string& source, std::vector<Joined>& out) {
  const auto older = [](const auto& a, const auto& b) { return a.second.deadline < b.second.deadline; };
  // Keys sort by source first, so one source's messages stand side by side.
  const auto begin = waiting_.lower_bound(Key{source, {}, 0, 0});
  auto end = begin;
  std::size_t count = 0;
  for (; end != waiting_.end() && std::get<0>(end->first) == source; ++end) ++count;
  if (count >= kMaxPerSource) return give(std::min_element(begin, end, older), out);
  if (waiting_.size() >= kMaxMessages) give(std::min_element(waiting_.begin(), waiting_.end(), older), out);
}

}  // namespace postern::smpp
