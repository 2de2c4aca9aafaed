// SPDX-License-Identifier: Apache-2.0
// Purpose: what a rehearsal sends: customers, and messages of every kind that the configuration lets its clients send. All of it follows
// from the seed and a number, so that nothing is kept: message 4711 is the same whenever it is asked for.
// Used by: the played world. Threads: one. Ownership: borrows the configuration. Errors: none.
// Numbers of customers begin with 999, which belongs to no country: none of them is anybody's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connectors/protocol/wire.pb.h"
#include "crypto/result.hpp"
#include "gateway/config/config.hpp"
#include "gateway/numbers/portability.hpp"
#include "gateway/rehearsal/chance.hpp"

namespace postern::rehearsal {

inline constexpr TimeMs kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

// A number of its own for each pair.
std::uint64_t mixed(std::uint64_t a, std::uint64_t b);

struct Customer {
  std::uint64_t number = 0;
  std::string reference, phone, email, token, platform, locale, time_zone, preferred;   // empty: has none
  bool on_whatsapp = false, app_lives = false, mail_lives = false, answers = false, reads = false;
};

class Customers {
 public:
  Customers(std::uint64_t seed, std::uint64_t count, const config::Config& config);
  Customer at(std::uint64_t number) const;
  static std::string reference_of(std::uint64_t number) { return "R" + std::to_string(number); }
  std::uint64_t count() const { return count_; }
  // Ranges of numbers for each network that a route names, and for one that none names; some numbers belong to no network.
  Result<std::shared_ptr<const numbers::PortabilityIndex>> networks() const;

 private:
  std::uint64_t seed_, count_;
  const policy::Policy& policy_;
  std::vector<std::string> networks_, locales_, zones_;
};

// How a client speaks: the connector that brings what it says, and the name in its certificate.
struct Voice {
  std::string source, identity;                   // no source: it has no way to
};

// One kind of message that a client may send.
struct Kind {
  const config::Client* client = nullptr;
  std::string source, identity;                   // its voice
  Category category = Category::service;
  const templates::Template* text = nullptr;      // null: plain words
  std::string scenario;                           // empty: the category's own, or as its conditions choose
  std::uint32_t weight = 1;

  std::string name() const;
};

struct Order {
  const Kind* kind = nullptr;
  std::uint64_t customer = 0;
  TimeMs at = 0;                                  // when its client sends it
  bool twice = false, takes_back = false, moves = false;
};

class Traffic {
 public:
  // `world` of `worlds`: each has its own messages and customers.
  Traffic(std::uint64_t seed, const config::Config& config, const Customers& customers, TimeMs begin, unsigned days, std::uint64_t messages);

  const std::vector<Kind>& kinds() const { return kinds_; }
  // Whoever may send and has no way to: by name.
  const std::vector<std::string>& mute() const { return mute_; }
  Voice voice_of(const config::Client& client) const;
  void weigh(std::size_t kind, std::uint32_t weight) { kinds_[kind].weight = weight; }

  // What is sent on one day, in the order of time: message numbers.
  std::vector<std::pair<TimeMs, std::uint64_t>> day(unsigned day) const;
  Order order(std::uint64_t number) const;
  wire::Submit submit(std::uint64_t number, const Order& order) const;
  // One of this kind to a customer who has every address: to ask whether it can be sent at all.
  wire::Submit example(const Kind& kind) const;

 private:
  void fill(wire::Submit& submit, const Kind& kind, const Customer& customer, Chance& chance) const;
  void add_kinds(const config::Client& client, const Voice& voice);
  std::string value_for(templates::Kind kind, Chance& chance) const;

  std::uint64_t seed_;
  const config::Config& config_;
  const Customers& customers_;
  TimeMs begin_;
  unsigned days_;
  std::uint64_t messages_;
  std::vector<Kind> kinds_;
  std::vector<std::string> mute_;
};

}  // namespace postern::rehearsal
