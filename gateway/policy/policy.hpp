// SPDX-License-Identifier: Apache-2.0
// Purpose: what the bank allows, as one value, and the question whether one step of one message may go now. Pure: the answer depends on
// what is asked alone, so that the running gateway, an explanation and a rehearsal get the same one.
// Used by: the configuration (makes it), the vault (asks). Threads: immutable; any. Errors: none; a fault of the settings is told at load.
// The rules, for the people who set them: gateway/policy/POLICY.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/policy/address_list.hpp"
#include "gateway/policy/budget.hpp"
#include "gateway/policy/content_guard.hpp"
#include "gateway/policy/quiet_hours.hpp"

namespace postern::policy {

// Warnings and codes go at any hour and beyond any budget; each time a rule is passed so, it is said.
inline bool passes(Category category) { return category == Category::otp || category == Category::security; }

struct ListRule {
  enum class Kind : std::uint8_t { never, only };   // what is listed is never written to; alone is written to
  Kind kind = Kind::never;
  std::string name;
  CategoryMask categories = 0;
  AddressList list;
};

// What the customer has said of being written to for this purpose on this channel.
enum class ConsentState : std::uint8_t { none, given, withdrawn };

struct ConsentRules {
  CategoryMask required = 0;           // of which nothing is sent without a consent
  CategoryMask stops = 0;              // what a reply of one of the stop words withdraws
  std::vector<std::string> stop_words; // small letters, as folded() makes them
};

// The same words to the same customer are not sent twice within so long. Never of what passes(): a second code is no mistake.
struct DuplicateRule {
  CategoryMask categories = 0;
  std::int64_t window_ms = 0;
};

// How fast the messages of a campaign go; what is faster waits for its turn. Never what passes().
struct SpeedRule {
  std::string name;
  CategoryMask categories = 0;
  std::vector<std::string> templates, clients;  // empty: any
  std::int64_t count = 1, per_ms = 1000;        // so many messages in so long
};

struct Policy {
  ConsentRules consent;
  std::optional<Zone> zone;            // of recipients of whom none is known; nothing: their hours are not known and never quiet
  QuietHours quiet;
  CategoryMask quiet_categories = 0;
  std::vector<Cap> caps;
  std::vector<ListRule> lists;
  std::vector<DuplicateRule> duplicates;
  std::vector<SpeedRule> speeds;
  ContentRules content;
  bool guards_content = false;

  bool is_empty() const {
    return consent.required == 0 && quiet_categories == 0 && caps.empty() && lists.empty() && duplicates.empty() && speeds.empty();
  }
  // The first that counts such a message; null: none does.
  const SpeedRule* speed_of(Category category, std::string_view template_name, std::string_view client) const;
  // How long the same words count as said: 0 where nobody asks.
  std::int64_t duplicate_ms(Category category) const;
  // How long back somebody must know what was sent: 0 where neither a cap nor a window of duplicates asks.
  std::int64_t memory_ms(Category category) const;
};

// One step of one message.
struct Question {
  Category category = Category::service;
  std::string_view address;            // as the payload has it
  bool address_known = true;           // false: asked again when it is not kept any more; lists are left out
  TimeMs now = 0;
  const Zone* zone = nullptr;          // the recipient's own; null: the bank's
  std::span<const Sighting> sent;      // to the same person, other messages
  std::uint32_t weight = 1;            // of this one
  ConsentState consent = ConsentState::none;
  bool counted = false;                // this message has reached out before: it is in the budget already
  std::string_view speed;              // the rule that counts it, and when it is its turn; empty: none
  TimeMs turn_ms = 0;
  std::optional<TimeMs> same_ms;       // when the same words were last sent to the same person by another message
};

struct Answer {
  enum class Kind : std::uint8_t { go, hold, skip };
  Kind kind = Kind::go;
  TimeMs until_ms = 0;                 // of a hold
  std::string rule;                    // that stops it: "opted-out", "no-consent", "quiet-hours", "cap-NAME", "list-NAME", "duplicate", "speed-NAME"
  std::vector<std::string> passed;     // rules that its category passes
};

// Whether a reply says nothing but one of the stop words: in whatever letters, with whatever stops and spaces around.
bool says_stop(const ConsentRules& rules, std::string_view reply);
// A word as stop words are kept and compared.
std::string folded_word(std::string_view text);

Answer ask(const Policy& policy, const Question& question);

}  // namespace postern::policy
