// SPDX-License-Identifier: Apache-2.0
// Purpose: what the bank keeps of its customers beside messages: read once a turn, kept true through it, sealed under the person's key.
// A customer is found by the bank's reference; one who answered from a number that no message waits for, by that number alone.
// Used by: gateway/vault. Threads: one. Ownership: the rows of this turn; pointers hold until turn_over() or the next change of that person.
// Errors: a store that cannot be read is told by failure(); a row that does not open is as none.
#pragma once

#include <string>
#include <unordered_map>

#include "gateway/audit/leaf.hpp"
#include "gateway/domain/content.hpp"
#include "gateway/domain/recipient.hpp"
#include "gateway/vault/persons.hpp"

namespace postern::vault {

// The hash by which a message cites a consent: SHA-256 over encode(consent), hex.
std::string hash_of(const ConsentRecord& consent);

// What a leaf consent-changed says of it.
audit::Body body_of(const ConsentRecord& consent);

class Recipients {
 public:
  Recipients(store::Store& store, const Keys& keys, Persons& persons) : store_(store), keys_(keys), persons_(persons) {}

  // Reads whether anybody is known at all: as long as nobody is, no message costs a look.
  void open();
  bool any() const { return any_; }

  // Null when nothing is known. By the bank's reference, or by an address of one who has none.
  const Recipient* find(const std::string& reference, const std::string& address);
  // Written with the turn's batch.
  void save(const std::string& reference, const std::string& address, Recipient recipient, store::Batch& batch);

  // What the customer to whom this content goes said last of this purpose on this channel: under the reference, or from any address that the
  // message or the bank knows.
  const ConsentRecord* consent(const Content& content, Category purpose, Channel channel);

  const std::string& failure() const { return failure_; }
  // After a turn, whether it was committed or not.
  void turn_over() { rows_.clear(), failure_.clear(); }

 private:
  const Recipient* find(std::uint64_t person);

  store::Store& store_;
  const Keys& keys_;
  Persons& persons_;
  bool any_ = false;
  std::unordered_map<std::uint64_t, std::optional<Recipient>> rows_;
  std::string failure_;
};

}  // namespace postern::vault
