// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/epochs.hpp"

#include <limits>

namespace postern::auditor {
namespace {

constexpr std::uint64_t kLongestUs = 86'400'000'000;

}  // namespace

std::optional<std::string> EpochChain::take(const Leaf& leaf) {
  closed_.reset();
  if (begun_ == (leaf.type == kInitialised)) return begun_ ? "a log begins only once" : "the log does not begin with its first word, 'initialised'";
  if (begun_ && leaf.utc_us < last_utc_us_) return "the leaf is older than the one before it";
  if (leaf.epoch != current_) return "the leaf says epoch " + std::to_string(leaf.epoch) + " in epoch " + std::to_string(current_);
  last_utc_us_ = leaf.utc_us;

  const bool opens = leaf.type == kInitialised || leaf.type == kEpochBegun;
  const std::optional<Terms> terms = opens ? read_terms(leaf) : std::nullopt;
  if (opens && !terms) return "the leaf begins an epoch and does not say its key, begin and end";
  if (leaf.type == kEpochBegun) {
    if (current_ == std::numeric_limits<std::uint32_t>::max()) return "there are no epochs left to count";
    if (terms->begins_us != terms_.ends_us) return "the next epoch does not begin where this one ends";
    closed_ = key_of(current_, terms_.key);
    ++current_;
    return begin(*terms);
  }
  if (terms) {
    if (const auto wrong = begin(*terms)) return wrong;
  }
  if (leaf.utc_us < terms_.begins_us || leaf.utc_us >= terms_.ends_us) return "the leaf's time lies outside its epoch";
  return std::nullopt;
}

std::optional<std::string> EpochChain::begin(const Terms& terms) {
  // As unsigned numbers the difference of any two times is right.
  if (terms.ends_us <= terms.begins_us || static_cast<std::uint64_t>(terms.ends_us) - static_cast<std::uint64_t>(terms.begins_us) > kLongestUs)
    return "epoch " + std::to_string(current_) + " must end after it begins and last a day at most";
  const Verifier named = key_of(current_, terms.key), *given = trust_.epoch(origin_, current_);
  if (!is_key(named)) return "the key of epoch " + std::to_string(current_) + " is none";
  if (given != nullptr && *given != named) return "the key of epoch " + std::to_string(current_) + " is not the one that was given";
  terms_ = terms;
  begun_ = true;
  return std::nullopt;
}

Status EpochChain::signed_now(const SignedCheckpoint& note) const {
  std::vector<Verifier> keys;
  if (begun_) keys.push_back(key_of(current_, terms_.key));
  else if (const Verifier* first = trust_.epoch(origin_, 0)) keys.push_back(*first);
  if (closed_) keys.push_back(*closed_);
  bool good = !begun_ && keys.empty();   // of an empty log nobody can know its first epoch's key but from elsewhere
  for (const Verifier& key : keys) {
    const Result<std::optional<std::uint64_t>> found = find_signature(note, key);
    if (!found) return fail("checkpoint: " + found.what());
    good = good || found->has_value();
  }
  if (!good) return fail("checkpoint: carries no signature of epoch " + std::to_string(current_));
  return {};
}

}  // namespace postern::auditor
