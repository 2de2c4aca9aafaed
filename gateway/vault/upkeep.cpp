// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/upkeep.hpp"

#include <fmt/core.h>

#include "connectors/protocol/log.hpp"

namespace postern::vault {
namespace {

constexpr TimeMs kPurgeEvery = 3'600'000, kScrubEvery = 24 * kPurgeEvery, kSoon = 60'000;
constexpr std::size_t kGivenBackAtOnce = 256 * 1024;

}  // namespace

void Upkeep::look(TimeMs now) {
  if (next_purge_ == 0) next_purge_ = next_scrub_ = now + kSoon;
  if (!purger_.busy() && now >= next_purge_) {
    next_purge_ = now + kPurgeEvery;
    purger_.begin(now);
  }
  if (!scrubber_.busy() && now >= next_scrub_) {
    next_scrub_ = now + kScrubEvery;
    scrubber_.begin();
  }
}

Status Upkeep::step(TimeMs now, const InTurn& in_turn) {
  if (purger_.busy()) purge(now, in_turn);
  else if (compacting_) compact();
  else if (scrubber_.busy()) return scrub(now, in_turn);
  return {};
}

void Upkeep::purge(TimeMs now, const InTurn& in_turn) {
  const Status done = in_turn([this](Turn& turn) { purger_.step(turn); });
  purger_.turn_over(done.has_value());
  if (!done || purger_.busy()) return;
  purged_ms_ = now;
  compacting_ = true;
  if (purger_.count() > 0) log::info("store.purged", "{} messages whose time of keeping is over", purger_.count());
}

void Upkeep::compact() {
  const Result<store::Store::Compaction> done = context_.store.compact(kGivenBackAtOnce);
  if (!done) log::warning("store.not-compacted", "{}", done.what());
  if (done) given_back_ += done->freed;
  compacting_ = done && done->left > 0;
}

Status Upkeep::scrub(TimeMs now, const InTurn& in_turn) {
  const Result<bool> done = scrubber_.step();
  if (!done) {
    const Status told = in_turn([&](Turn& turn) {
      turn.leaf(EventType::store_altered, {{audit::Field::text, done.what()}});
      turn.batch().suspect = true;
    });
    if (!told) log::error("store.commit-failed", "while telling that the store was altered: {}", told.what());
    return fail(done.what());
  }
  if (!*done) return {};
  scrubbed_ms_ = now;
  const std::string text = fmt::format("{} rows, {} bytes, at generation {}", scrubber_.rows(), scrubber_.bytes(), context_.store.state().generation);
  log::info("store.scrubbed", "{}", text);
  (void)in_turn([&](Turn& turn) { turn.leaf(EventType::scrubbed, {{audit::Field::count, std::to_string(scrubber_.rows())}, {audit::Field::text, text}}); });
  return {};
}

Upkeep::Facts Upkeep::facts() const {
  return {scrubber_.busy(), purger_.busy() || compacting_, scrubbed_ms_, purged_ms_, scrubber_.rows(), scrubber_.bytes(), purger_.count(), given_back_};
}

}  // namespace postern::vault
