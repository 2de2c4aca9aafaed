// SPDX-License-Identifier: Apache-2.0
// Purpose: what played customers say of being written to, and what administrators halt meanwhile: drawn from the seed, put to the gateway as
// a client's question, a customer's reply and an administrator's order, and told to the witness when the gateway has taken it.
// Used by: the played world. Threads: one. Ownership: borrows configuration and witness. Errors: the witness's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/rehearsal/gateway.hpp"
#include "gateway/rehearsal/witness.hpp"
#include "gateway/rehearsal/world.hpp"

namespace postern::rehearsal {

class Levers {
 public:
  // One statement of a customer, which the bank hears and a client tells.
  struct Statement {
    TimeMs at = 0;
    std::uint64_t customer = 0;
    Category purpose = Category::marketing;
    std::optional<Channel> channel;             // nothing: every channel
    bool given = false;
  };
  struct Stop {
    TimeMs at = 0, until = 0;
    vault::Halt::Kind kind = vault::Halt::Kind::category;
    std::string name;
  };

  Levers(const Plan& plan, unsigned world, const Traffic& traffic, const Customers& customers, Witness& witness);

  // ---- what customers say ----
  // The connector that brings what customers told the bank; empty: nobody may tell it, or there is nothing to tell.
  const std::string& source() const { return voice_.source; }
  // The policy asks for what nobody may tell.
  bool nobody_may_tell() const { return rules_.required != 0 && voice_.source.empty(); }
  // In the order of time. Those before the first day are told before it.
  const std::vector<Statement>& statements() const { return statements_; }
  wire::Query told(std::size_t statement, std::uint64_t tag, TimeMs wall);
  // An answer to a question that this told.
  void answered(const wire::Answer& answer);

  // Whether this message makes its customer opt out by a reply, and how it is written.
  bool ends_it(Category category, Chance& chance) const;
  std::string stop_word(std::uint64_t number) const;
  // The customer answers so; `id` is the reply's.
  void replied(const std::string& id, std::uint64_t customer);
  // The gateway has this reply.
  void took(const wire::Reply& reply);

  // ---- what administrators halt: the same in every world ----
  const std::vector<Stop>& stops() const { return stops_; }
  // This is to begin, or to end, with the next turn that happens.
  void want(std::size_t stop, bool halted) { wanted_.emplace_back(stop, halted); }
  bool wants() const { return !wanted_.empty(); }
  void work(Gateway& gateway, vault::Turn& turn);
  void turn_over(bool committed);

 private:
  void draw_statements(std::uint64_t seed, const Customers& customers, const Plan& plan);
  void draw_stops(std::uint64_t seed, const Traffic& traffic, const Plan& plan);

  const policy::ConsentRules& rules_;
  Witness& witness_;
  Voice voice_;
  std::vector<Statement> statements_;
  std::map<std::uint64_t, Witness::Word> asked_;                       // by tag
  std::map<std::string, std::vector<Witness::Word>, std::less<>> replies_;
  std::vector<Stop> stops_;
  std::vector<std::pair<std::size_t, bool>> wanted_, done_;
};

}  // namespace postern::rehearsal
