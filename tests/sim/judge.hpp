// SPDX-License-Identifier: Apache-2.0
// Holds a simulated gateway against its promises. It sees what became durable (each batch, with its rows and audit leaves), what was
// told to connectors, and what connectors told; it keeps its own account of each message and believes no word of the engine that
// the leaves and the outside do not bear out. Which promise each check holds is said where it is checked.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connectors/protocol/wire.pb.h"
#include "gateway/audit/leaf.hpp"
#include "gateway/engine/engine.hpp"
#include "gateway/store/store.hpp"

namespace postern::sim {

// One attempt as its leaves tell of it, and what the outside said about it.
struct Told {
  bool handed = false, answered = false, doubt = false, ever_doubt = false, given_up = false, after_the_end = false;
  AttemptState best = AttemptState::ready;    // how far leaves say it came
  AttemptState heard = AttemptState::ready;   // how far any connector ever said it came
  std::uint64_t instance = 0;                 // of the process that was given it
  TimeMs begun_steady_ms = 0, refused_steady_ms = 0;
  TimeMs begun_ms = 0, refused_ms = 0, pause_ms = -1;       // a retry: when it was told, and the least pause that was asked for
  std::uint64_t refused_in = 0, begun_in = 0; // commits, counted
  std::size_t bypassed = 0;                   // rules that it passed, as leaves name them
};

struct Story {
  Flight flight;                              // as of the last commit
  bool known = false, ended = false, double_contact = false;
  bool cancel_told = false, signal_told = false, stopped_by_gate = false;
  std::vector<Told> attempts;
  std::set<std::pair<ConnectorId, bool>> places;
  TimeMs stage_began = 0;
};

class Judge {
 public:
  using InDoubtOf = std::function<InDoubt(Category)>;
  using PolicyAt = std::function<engine::Decision(const Flight&, const Step&, TimeMs)>;
  Judge(InDoubtOf in_doubt, std::uint8_t tries, PolicyAt policy) : in_doubt_(std::move(in_doubt)), tries_(tries), policy_(std::move(policy)) {}

  const std::string& violation() const { return violation_; }
  void violated(const std::string& what) { if (violation_.empty()) violation_ = what; }

  // ---- before a turn: what it is told ----
  void opens(TimeMs wall, TimeMs steady) { now_ = wall, steady_ = steady, must_end_.clear(), must_begin_.clear(), pauses_.clear(); }
  void told_result(MessageKey key, std::size_t attempt, const wire::Result& result);
  void told_progress(MessageKey key, std::size_t attempt, AttemptState progress, bool certain);
  void told_signal(MessageKey key, const std::string& event);
  void told_cancel(MessageKey key) { stories_[key].cancel_told = true; }

  // ---- what it did ----
  void committed(const store::Batch& batch);
  void delivered(MessageKey key, std::size_t attempt, std::uint64_t instance, std::uint64_t expires_ms, bool called_back);
  // After a turn that committed: everything that was due has been looked at.
  void turn_over(store::Store& store);
  bool was_handed(MessageKey key) const;
  void cancelled(MessageKey key, bool too_late, bool was_handed);
  // Accepted, and its client was told so.
  void accepted(MessageKey key) { accepted_.insert(key); }
  void at_end(store::Store& store);

  const std::map<MessageKey, Story>& stories() const { return stories_; }
  const std::set<MessageKey>& promised() const { return accepted_; }
  const Flight* flight(MessageKey key) const {
    const auto at = stories_.find(key);
    return at == stories_.end() || !at->second.known ? nullptr : &at->second.flight;
  }
  std::uint64_t digest() const { return digest_; }
  void mix(std::uint64_t value);

 private:
  Told& of(Story& story, std::size_t attempt);
  void leaf(const audit::Leaf& leaf, const std::map<MessageKey, Flight>& after);
  void hand(Story& story, std::size_t attempt, const Flight& after);
  void row(const store::FlightRow& row, bool fresh);
  void change(const Story& story, const Flight& now);
  void standing(Story& story);
  void end(const Story& story);
  void check(bool good, const Story& story, const std::string& promise);
  bool same_stage(const Flight& flight, std::size_t a, std::size_t b) const;

  InDoubtOf in_doubt_;
  std::uint8_t tries_;
  PolicyAt policy_;
  TimeMs now_ = 0, steady_ = 0;               // as the gateway's clock says, and as time really goes
  std::map<MessageKey, Story> stories_;
  std::set<MessageKey> accepted_;
  std::vector<MessageKey> must_end_, must_begin_;  // told in this turn what ends them, or begins them
  std::map<std::pair<MessageKey, std::size_t>, std::int64_t> pauses_;
  std::string violation_;
  std::uint64_t digest_ = 0xcbf29ce484222325ULL, leaves_ = 0, commit_ = 0;
};

}  // namespace postern::sim
