// SPDX-License-Identifier: Apache-2.0
// Purpose: takes submits: who asks, may they, is the message whole, which way can it go; then accepts
// it or says every fault with its JSON pointer. Used by: the vault. Threads: one.
// Order of the questions: client, rate, idempotency key, category and rights, template and variables,
// recipient, times, route, the guards of prefixes. A refused submit changes nothing but the audit log.
#pragma once

#include <string>
#include <unordered_map>

#include "gateway/vault/peers.hpp"
#include "gateway/vault/prefix_guard.hpp"
#include "gateway/vault/turn.hpp"

namespace postern::vault {

// How far in the future a message may be sent or end; how long the bank's own name of a customer or a message may be.
inline constexpr TimeMs kMaxAhead = 366LL * 24 * 3600 * 1000;
inline constexpr std::size_t kMaxReference = 128;

// Commits to a text that was sent with this message; tells nothing of it without the keys. One for each version of the key, newest
// first: new commitments are the first.
std::vector<std::string> commitments_of(const Keys& keys, const MessageId& id, std::string_view text);

// What is wrong with addresses and preferences; pointers begin with `at`.
void check(const wire::Recipient& recipient, Zones& zones, const std::string& at, std::vector<templates::Fault>& faults);

class Intake {
 public:
  explicit Intake(Context& context) : context_(context), prefixes_(context) {}

  // Appends the verdict to the peer's output.
  void submit(Turn& turn, Peer& peer, const wire::Submit& submit);

  // Keys accepted in the running turn are known before the store knows them; forget them after it.
  void turn_over(bool committed) {
    fresh_keys_.clear();
    prefixes_.turn_over(committed);
  }

  PrefixGuard& prefixes() { return prefixes_; }
  const PrefixGuard& prefixes() const { return prefixes_; }

  // The client an identity stands for; null when none. Pull sources have their client configured.
  const config::Client* client_of(const Peer& peer, const std::string& identity) const;

 private:
  struct Bucket {
    double tokens = 0;
    TimeMs filled_ms = 0;
  };
  struct Draft;

  bool within_rate(const config::Client& client, TimeMs now);
  // True when the key settled the matter: replayed or reused.
  bool settled_by_key(Turn& turn, const config::Client& client, const wire::Submit& submit, wire::Verdict& verdict);
  void check_words(const config::Client& client, const wire::Submit& submit, Draft& draft) const;
  // With what is kept of the customer where the submit leaves it out; nothing where there is nothing to add.
  std::optional<wire::Submit> completed(const wire::Submit& submit) const;
  void check_recipient(const wire::Submit& submit, Draft& draft) const;
  void check_times(TimeMs now, const wire::Submit& submit, Draft& draft) const;
  bool holds(const policy::Condition& condition, const config::Client& client, const wire::Submit& submit, Draft& draft) const;
  void choose_scenario(const config::Client& client, const wire::Submit& submit, Draft& draft) const;
  void check_words_of(const Payload& payload, Draft& draft) const;
  std::int64_t price_of(Channel channel, const Draft& draft) const;
  void plan(const config::Client& client, const wire::Submit& submit, Draft& draft) const;
  bool payload_for(const config::ScenarioStep& step, const wire::Submit& submit, const Draft& draft, Payload& payload, std::string& why) const;
  void accept(Turn& turn, const config::Client& client, const wire::Submit& submit, Draft& draft, wire::Verdict& verdict);
  void refuse(Turn& turn, const std::string& client, const wire::Submit& submit, wire::Verdict& verdict, wire::Verdict::Outcome outcome,
              const std::string& reason);

  // False when the number's prefix is closed: the verdict says so.
  bool prefix_open(Turn& turn, const config::Client& client, const wire::Submit& submit, const Draft& draft, wire::Verdict& verdict);

  std::uint64_t random_54_bits();

  Context& context_;
  PrefixGuard prefixes_;
  std::vector<std::uint64_t> drawn_;   // random, each for one message's id
  std::unordered_map<std::string, Bucket> buckets_;
  std::unordered_map<std::string, store::IdempotencyRow> fresh_keys_;
};

}  // namespace postern::vault
