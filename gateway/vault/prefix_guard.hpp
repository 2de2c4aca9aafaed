// SPDX-License-Identifier: Apache-2.0
// Purpose: asks the guards against SMS pumping at intake, tells the audit log when a prefix closes and when it opens, and keeps what they
// have learned over a restart. Used by: the vault's intake. Threads: one. Ownership: owns the guards; no number in full stays here.
// Errors: what was kept and cannot be read is told in the log and learned anew. A turn that fails may have counted its submits: connectors
// say them again, and they are counted again.
// Limits: each guard keeps VelocityRules::prefixes prefixes; codes whose use is asked for are known for a window, at most kMostRecent.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/vault/turn.hpp"

namespace postern::vault {

struct KeptGuard;

class PrefixGuard {
 public:
  explicit PrefixGuard(Context& context) : context_(context) {}

  using Numbers = std::vector<std::string>;     // to which one message may go: the phone's, and that of a messenger where it is another
  struct Closed {
    TimeMs until = 0;
    std::size_t number = 0;                     // which of them
  };
  // One more message of this category to these numbers; it counts once for each prefix. Nothing: all are open.
  std::optional<Closed> submit(Turn& turn, Category category, const Numbers& numbers);
  // The same as a question, which counts nothing.
  std::optional<Closed> closed(Category category, const Numbers& numbers, TimeMs now);

  // A message that submit() let through was accepted under this key.
  void accepted(MessageKey key, Category category, const Numbers& numbers, TimeMs now);
  // The bank tells an event of a message: where it is the one that says that a code was used, its prefix is trusted for it.
  void told(const std::string& event, MessageKey key, TimeMs now);

  // Opens what has been closed for long enough. Call it once a turn, before submits.
  void run(Turn& turn);
  TimeMs next_wake() const;                     // 0: none
  std::size_t closed_count() const;
  void turn_over(bool committed);

 private:
  static constexpr std::size_t kMostRecent = 100'000;
  struct Guard {
    config::VelocityGuard settings;
    policy::Velocity velocity;
    std::map<std::string, TimeMs> closed;       // prefixes of which the log knows, and until when they are closed
    std::vector<std::string> closing, opening;  // in this turn
  };
  struct Sent {
    TimeMs at_ms = 0;
    Numbers numbers;                            // their prefixes, as long as any guard's
  };

  void configure(TimeMs now);
  std::vector<KeptGuard> learned() const;

  Context& context_;
  std::shared_ptr<const config::Config> of_;    // whose guards these are
  std::vector<Guard> guards_;
  TimeMs keep_ms_ = 0;                          // when what was learned is kept next
  std::unordered_map<MessageKey, Sent> recent_;
  std::deque<MessageKey> recent_order_;
};

// What is kept of all guards: each by how long its prefixes are.
struct KeptGuard {
  std::uint8_t digits = 0;
  bool whole_prefix = false;
  std::vector<policy::Velocity::Usual> usual;
};
Bytes encode(const std::vector<KeptGuard>& guards);
std::optional<std::vector<KeptGuard>> decode_kept_guards(ByteView bytes);

}  // namespace postern::vault
