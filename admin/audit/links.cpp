// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/links.hpp"

#include <cstring>
#include <utility>

namespace postern::auditor {

std::size_t MessageLinks::IdHash::operator()(const MessageId& id) const {
  std::uint64_t high = 0, low = 0;
  std::memcpy(&high, id.data(), sizeof high);
  std::memcpy(&low, id.data() + sizeof high, sizeof low);
  return static_cast<std::size_t>((high ^ low * 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL);
}

MessageLinks::Answer MessageLinks::take(const Leaf& leaf) {
  if (!of_message(leaf)) return leaf.before == 0 ? Answer::whole : Answer::broken;
  if (leaf.before > leaf.sequence) return Answer::broken;
  Answer answer = Answer::whole;
  if (const auto found = young_.find(leaf.message); found != young_.end()) {
    if (leaf.before != found->second) return Answer::broken;
    found->second = leaf.sequence + 1;
    return answer;
  }
  if (const auto found = old_.find(leaf.message); found != old_.end()) {
    if (leaf.before != found->second) return Answer::broken;
  } else if (leaf.before != 0) {
    if (!forgot_) return Answer::broken;
    answer = Answer::look;
  }
  if (young_.size() >= remembered_) {
    forgot_ = forgot_ || !old_.empty();
    old_ = std::exchange(young_, {});
  }
  young_[leaf.message] = leaf.sequence + 1;
  return answer;
}

}  // namespace postern::auditor
