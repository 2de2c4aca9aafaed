// SPDX-License-Identifier: Apache-2.0
// Purpose: what administrators have stopped: every message of a template, a category or a client waits where it stands, queue, retries and
// steps to come, until they let it go on. Kept over restarts. When something is let go, or the policy changes, every message that a policy
// holds is looked at again, page by page between other work; a restart begins that anew.
// Used by: gateway/vault. Threads: one. Ownership: the list; borrows the store. Errors: a list that cannot be read is told by open().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/store/store.hpp"

namespace postern::vault {

class Dispatcher;
class Turn;
struct Context;

struct Halt {
  enum class Kind : std::uint8_t { template_ = 1, category = 2, client = 3 };
  Kind kind = Kind::template_;
  std::uint16_t number = 0;     // of the template's or client's name; the category
  std::string name, actor, reason;
  TimeMs at_ms = 0;

  bool covers(const Flight& flight) const;
  std::string words() const;    // "template loan-offer"
};
std::string_view name_of(Halt::Kind kind);   // "template", "category", "client"
std::optional<Halt::Kind> halt_kind_named(std::string_view name);
// The number by which a halt knows what it stops; nothing: there is none of that name.
std::optional<std::uint16_t> number_of(const Context& context, Halt::Kind kind, const std::string& name);

// What is kept of them: the list, and whether messages are still to be looked at. Bounded; nothing for bytes that encode() does not make.
struct KeptHalts {
  static constexpr std::size_t kMost = 200;
  std::vector<Halt> halts;
  bool looking = false;
};
Bytes encode(const KeptHalts& kept);
std::optional<KeptHalts> decode_kept_halts(ByteView bytes);

class Halts {
 public:
  explicit Halts(store::Store& store) : store_(store) {}

  Status open();

  const std::vector<Halt>& all() const { return now_.halts; }
  const Halt* find(Halt::Kind kind, std::uint16_t number) const;
  // The one that stops this message; null: none does.
  const Halt* covering(const Flight& flight) const;

  // Stops it, with its leaf, and calls back what connectors hold of it unsent; returns how many attempts that were. Not while it is halted already.
  std::size_t begin(Turn& turn, Dispatcher& dispatcher, Halt halt);
  // Lets go, with its leaf, and begins to look at what it held. Nothing happens when it is not halted.
  void end(Turn& turn, Halt::Kind kind, std::uint16_t number, const std::string& actor);
  // The policy is another one: what it holds is looked at again.
  void look_again(store::Batch& batch);

  // Looks at the next page of messages, if there is anything to look for.
  void step(Turn& turn);
  bool busy() const { return now_.looking; }
  void turn_over(bool committed);

 private:
  void keep(store::Batch& batch);

  store::Store& store_;
  KeptHalts now_, durable_;
  bool changed_ = false;
  MessageKey after_ = 0, next_ = 0;
};

}  // namespace postern::vault
