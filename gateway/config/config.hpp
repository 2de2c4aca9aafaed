// SPDX-License-Identifier: Apache-2.0
// Purpose: the whole configuration of posternd as one immutable value: read, checked against itself
// and swapped whole on reload. Used by: posternd, `posternd --check`.
// Threads: immutable after load. Errors: every fault of every file, each with file:line:column and what
// to do. Nothing of a faulty configuration is used. No secret stands in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/result.hpp"
#include "gateway/domain/flight.hpp"
#include "gateway/policy/condition/condition.hpp"
#include "gateway/policy/policy.hpp"
#include "gateway/policy/route_health.hpp"
#include "gateway/policy/velocity.hpp"
#include "gateway/templates/template.hpp"

namespace postern::config {

struct Connector {
  std::string name;
  std::string user;                     // Unix user whose process may take this name
  std::optional<Channel> channel;       // channels carry one kind of way; sources and hooks none
  std::string client;                   // pull sources: the client they submit for
  std::vector<std::string> speaks_for;  // webhooks: connectors whose receipts and replies they bring
};

struct Client {
  std::string name;
  std::vector<std::string> identities;  // URI or DNS names of its certificates
  std::vector<Category> categories;     // that it may submit
  std::uint32_t rate = 0;               // messages a second, 0: no limit
  std::uint32_t weight = 1;             // of its messages in the caps of a customer
  bool may_read_metrics = false;
  bool may_keep_recipients = false;     // addresses, preferences and consents of customers
  bool may_confirm = false;             // acknowledge other clients' push messages (the bank's app server)
  std::vector<std::string> templates;   // that it may use; '*' stands for any characters. Empty: all
  std::vector<std::string> senders;     // that may carry its messages; empty: all
  bool free_text = true;                // may send a text of its own

  bool may_use(std::string_view template_name) const;
  bool may_send_as(std::string_view sender) const;
};

struct ScenarioStep {
  Step step;                            // channel, until, wait, pause, together, validity; the payload index is set at acceptance
  std::string text;                     // variant of the template, empty: the channel's own
  std::string sender;
  std::string where;                    // its place in the file
  std::optional<policy::Condition> when;  // for which messages; empty: all
};

// In what order the steps of one message are taken.
enum class Order : std::uint8_t { as_written, cheapest, preferred };

struct Scenario {
  std::string name;
  std::vector<Category> categories;     // empty: any
  std::chrono::milliseconds deadline{};
  Order order = Order::as_written;
  bool escalate = false;                // every step, until the customer answers
  std::vector<std::string> stop_on;     // events of the bank's systems that end it
  std::vector<std::string> start_on;    // and those that begin it
  std::chrono::milliseconds start_by{}; // when it begins without them; 0 where it waits for none
  std::vector<ScenarioStep> steps;
};

// Another scenario than the category's own for the messages of which the condition holds.
struct Choice {
  policy::Condition when;
  std::string scenario;
};

struct CategoryRules {
  std::string scenario;                 // default
  std::vector<Choice> choices;          // in order, before the default
  InDoubt in_doubt = InDoubt::rather_twice;
  std::uint8_t tries = 3;
  std::chrono::milliseconds keep{};     // how long after its end a message stays in the store
  Label label = Label::open;            // of a text without its own
};

struct Route {
  Channel channel = Channel::sms;
  std::string connector;
  std::vector<std::string> networks;    // MCCMNC; empty: any
  std::vector<Category> categories;     // that it carries; empty: any
  std::int64_t price = 0;               // of one message, in millionths of the bank's currency

  bool carries(Channel wanted, const std::string& network, Category category) const;
};

// Where the policy in force came from; all empty where there is none.
struct PolicySource {
  std::string path, text, sha256;
  std::uint64_t version = 0;            // the first 8 bytes of its SHA-256
};

// A guard against SMS pumping.
struct VelocityGuard {
  policy::VelocityRules rules;
  policy::CategoryMask categories = 0;
  std::string confirmed_by;             // event of the bank's systems that says that a code was used; empty: nobody tells
};

// How routes are measured.
struct RoutesHealth {
  bool measured = true;                 // false: the first that fits and is up takes everything
  policy::RouteRules rules;
  std::vector<Channel> receipts{Channel::sms};  // of which receipts tell of the route and not of the customer's phone

  bool operator==(const RoutesHealth&) const = default;
};

struct Config {
  std::string state_folder;             // store, keyring, audit, numbers
  std::string anchor;                   // file of the roll-back anchor; best on another disk
  std::uint64_t reserve_bytes = 0;      // of the state folder's file system, to go on with when it is full; 0: none
  std::string bus_socket, control_socket;
  std::string audit_origin;
  std::string unlock_credential;        // path of the key file, empty: unlocked by an administrator only
  std::vector<std::string> admins;      // Unix users
  std::uint32_t submit_window = 8192;
  std::map<std::string, Connector, std::less<>> connectors;
  std::map<std::string, Client, std::less<>> clients;
  std::map<std::string, std::string, std::less<>> client_of_identity;
  std::map<Category, CategoryRules> categories;
  std::optional<policy::Vocabulary> vocabulary;  // of all conditions
  policy::Policy policy;
  PolicySource policy_source;
  std::vector<VelocityGuard> velocity;  // at intake
  std::vector<Route> routes;            // in order: the first that fits takes the message
  RoutesHealth routes_health;
  std::map<Channel, Label> trust;       // how confidential a text may be on each channel; empty: nobody asks
  std::map<std::string, std::vector<Category>, std::less<>> senders;  // what each may carry; one that is not named: anything
  std::map<std::string, Scenario, std::less<>> scenarios;
  std::map<std::string, templates::Template, std::less<>> templates;
  std::string sha256;                   // over all files, hex

  Label trust_of(Channel channel) const {
    const auto found = trust.find(channel);
    return found == trust.end() ? Label::secret : found->second;
  }
  bool may_carry(std::string_view sender, Category category) const;
  // Whether messages of this category go this way unless a client asks for another: it is the category's own or among its choices, or
  // says itself that it is for it.
  bool serves(const Scenario& scenario, Category category) const;
  const CategoryRules& rules(Category category) const { return categories.at(category); }
};

Result<std::shared_ptr<const Config>> load(const std::string& posternd_toml);

}  // namespace postern::config
