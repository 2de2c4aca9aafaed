// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/waiting_room.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace postern::http {

WaitingRoom::~WaitingRoom() {
  for (const auto& [address, descriptors] : waiting_)
    for (const int fd : descriptors) ::close(fd);
}

std::optional<Newcomer> WaitingRoom::add(Newcomer newcomer) {
  const auto [own, first] = waiting_.try_emplace(newcomer.address);
  if (first) turns_.push_back(newcomer.address);
  own->second.push_back(newcomer.fd);
  if (++size_ <= places_) return std::nullopt;
  const auto most = std::ranges::max_element(waiting_, {}, [](const auto& each) { return each.second.size(); });
  Newcomer leaves{most->second.back(), most->first};
  most->second.pop_back();
  --size_;
  if (most->second.empty()) {
    std::erase(turns_, most->first);
    waiting_.erase(most);
  }
  return leaves;
}

std::optional<Newcomer> WaitingRoom::next() {
  if (turns_.empty()) return std::nullopt;
  Newcomer first{-1, std::move(turns_.front())};
  turns_.pop_front();
  const auto own = waiting_.find(first.address);
  first.fd = own->second.front();
  own->second.pop_front();
  --size_;
  if (own->second.empty()) waiting_.erase(own);
  else turns_.push_back(first.address);
  return first;
}

}  // namespace postern::http
