// SPDX-License-Identifier: Apache-2.0
// Purpose: the product's words as types. Used by: everything in posternd. Threads: plain values.
// Numbers of these enums stand in the store and in audit leaves: they are never reused or changed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern {

using TimeMs = std::int64_t;  // Unix milliseconds; 0: none

// Fixes priority lane, in-doubt policy and the default scenario. Smaller goes first.
enum class Category : std::uint8_t { otp = 1, security = 2, transaction = 3, service = 4, marketing = 5 };
inline constexpr std::array kCategories{Category::otp, Category::security, Category::transaction, Category::service, Category::marketing};

enum class Channel : std::uint8_t { push = 1, sms = 2, whatsapp = 3, viber = 4, telegram = 5, email = 6, voice = 7 };

// How far an attempt has come. Order is meaning from `handed` to `replied`: it only grows.
enum class AttemptState : std::uint8_t {
  ready = 1,      // waits for its connector
  handed = 2,     // committed as given to the connector; no answer yet
  sent = 3,       // the provider took it
  delivered = 4,
  read = 5,
  replied = 6,
  refused = 10,   // ended without reaching: refused, or a receipt said failed
  unknown = 11,   // in doubt: handed, and whether the provider has it cannot be known
  withdrawn = 12, // never handed: a receipt, a cancel or the deadline came first
};

enum class MessageState : std::uint8_t {
  scheduled = 1,  // waits for its send-at time
  active = 2,     // on its way through its scenario
  reached = 20,
  failed = 21,
  expired = 22,
  cancelled = 23,
  suppressed = 24,
};
inline bool is_final(MessageState state) { return static_cast<std::uint8_t>(state) >= 20; }

// What a step waits for. `event`: one of the scenario's `stop_on`, which the bank's systems tell; nothing of the message itself.
enum class Until : std::uint8_t { sent = 3, delivered = 4, read = 5, replied = 6, event = 7 };

// What a category does with an attempt in doubt.
enum class InDoubt : std::uint8_t { rather_twice = 1, rather_never_twice = 2 };

// How confidential a text is, and how confidential a text may be on a channel.
enum class Label : std::uint8_t { open = 1, internal = 2, confidential = 3, secret = 4 };
inline constexpr std::array kLabels{Label::open, Label::internal, Label::confidential, Label::secret};

std::string_view name_of(Category category);
std::string_view name_of(Channel channel);
std::string_view name_of(AttemptState state);
std::string_view name_of(MessageState state);
std::string_view name_of(Until until);
std::string_view name_of(Label label);  // "public", "internal", "confidential", "secret"
std::optional<Category> category_named(std::string_view name);
std::optional<Channel> channel_named(std::string_view name);

// Lane 0 goes first.
inline constexpr std::size_t kLanes = 5;
// Lanes up to this one are those of codes and warnings, which somebody waits for: room and speed are kept for them.
inline constexpr std::uint8_t kLastUrgentLane = 1;
inline std::uint8_t lane_of(Category category) { return static_cast<std::uint8_t>(static_cast<std::uint8_t>(category) - 1); }

}  // namespace postern
