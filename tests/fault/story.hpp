// SPDX-License-Identifier: Apache-2.0
// Purpose: a stretch of a gateway's life drawn from a seed, with a ledger: what was told to whom, and after which change of
// a file. And the check that a folder holds what had been told until then.
// Used by: the power-cut and fault tests. Threads: one. Ownership: owns the house.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/fault/disk.hpp"
#include "tests/support/house.hpp"

namespace postern::fault {

struct Told {
  enum class What { accepted, handed, result, receipt, published } what{};
  std::size_t after = 0;               // changes of files that came before
  std::string id, key;                 // of the message; its idempotency key
  std::uint32_t attempt = 0;
  wire::Result::Kind result{};
  std::uint64_t leaves = 0;            // under a checkpoint
};

class Story {
 public:
  // Recording must have begun. With `faults` the recorder's fault may strike wherever the vault works.
  Story(std::uint64_t seed, bool faults);
  void live();

  std::size_t first() const { return first_; }           // changes until the first thing was told
  const std::vector<Told>& told() const { return told_; }
  vault::House& house() { return house_; }

  // Opens what is in the house's state folder and holds it against what was told until `after`. Nothing: it is as it
  // must be; else the first thing that is not.
  std::optional<std::string> check(std::size_t after);

 private:
  struct Open {
    wire::Deliver deliver;
    std::string provider_id;
    std::optional<wire::Result::Kind> decided{};   // a fact that was not committed is said again as it was
    bool sent = false;
  };
  void step_of(std::uint64_t lot);
  bool turn();                         // false: it failed, and everybody has come back
  void come_back();
  void collect();
  void submit();
  void answer();
  void confirm();
  void publish();
  void reopen();
  void another_instance();
  void tell(Told told);
  std::optional<std::string> look(std::size_t after);
  std::optional<std::string> check_messages(std::size_t after, vault::PeerId api);
  std::optional<std::string> check_store();

  std::uint64_t below(std::uint64_t limit) { return chance_() % limit; }

  Chance chance_;
  bool faults_;
  vault::House house_;
  vault::PeerId api_ = 0, sms_ = 0;
  std::uint64_t instance_ = 1, number_ = 0;
  std::size_t first_ = 0, batch_ = 1;
  std::vector<Open> open_;
  std::vector<Told> told_;
};

}  // namespace postern::fault
