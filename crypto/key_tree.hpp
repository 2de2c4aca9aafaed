// SPDX-License-Identifier: Apache-2.0
// Purpose: a tree of keys, of which one key for each 64-bit number is derived, and from which the key of one number can be taken for good
// while all others stay: a puncturable pseudo-random function after Goldreich, Goldwasser and Micali ("How to construct random functions",
// 1986). So nobody's key needs a row of its own until somebody is erased.
// Used by: posternd only. Threads: one. Ownership: a branch owns its seeds and wipes them.
// Form: 16 levels of 16 children. A branch holds the seeds of those of its children that are whole. A child that is not whole has a branch of
// its own, or nothing below it is left. Format and claims: crypto/DESIGN.md, "Keys of persons".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "crypto/suite.hpp"

namespace postern {

class Branch {
 public:
  // Its place: a one and behind it the digits (of four bits each) that all numbers under it begin with. 1 is the root's.
  using Id = std::uint64_t;
  static constexpr Id kRoot = 1;
  static constexpr unsigned kLevels = 16, kChildren = 16;

  // A new tree: sixteen random seeds.
  static Branch root(const Suite& suite);
  // Nothing for bytes that encode() did not make of a branch at this place, or a place that no branch has.
  static std::optional<Branch> decode(Id id, ByteView bytes);
  Secret encode() const;   // children 2, a bit each | their seeds, in order; to be wrapped
  static constexpr std::size_t kMaxSize = 2 + kChildren * kKeySize;

  Id id() const { return id_; }
  // In what follows `number` lies under this branch.
  // Whether the number's child is whole: its key is derived from here.
  bool holds(std::uint64_t number) const { return is_whole(child_of(number)); }
  // The place of the branch below that may hold it instead; nothing on the last level, where what is not held is gone.
  std::optional<Id> below(std::uint64_t number) const;
  // The number's key; nothing where this does not hold it.
  std::optional<Secret> key_of(const Suite& suite, std::uint64_t number) const;

  // Takes away the key of one number that this holds: returns the branches that stand for the rest of its child. What is left of the tree, all
  // of it, tells nothing about the key.
  std::vector<Branch> puncture(const Suite& suite, std::uint64_t number);

 private:
  Branch(Id id, std::uint16_t whole, Secret seeds) : id_(id), whole_(whole), seeds_(std::move(seeds)) {}
  unsigned level() const;
  unsigned child_of(std::uint64_t number) const;
  bool is_whole(unsigned child) const { return (whole_ >> child & 1U) != 0; }
  ByteView seed(unsigned child) const { return ByteView(seeds_.bytes()).subspan(child * kKeySize, kKeySize); }

  Id id_;
  std::uint16_t whole_;      // a bit for each child
  Secret seeds_;             // of all children; zeros of one that is not whole
};

}  // namespace postern
