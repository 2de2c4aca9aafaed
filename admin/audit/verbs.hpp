// SPDX-License-Identifier: Apache-2.0
// Purpose: the verbs of `postern-audit`, one function and one file each; main.cpp reads the command line and calls
// them. Threads: one.
// Exit codes of every verb: 0 it holds, or it was made; 1 it could not be checked (the error says why); 2 wrong
// command line; 3 it does not hold.
#pragma once

#include <string>
#include <vector>

namespace postern::auditor {

inline constexpr int kHolds = 0, kUnchecked = 1, kUsage = 2, kDoesNotHold = 3;

struct Common {
  std::vector<std::string> vkeys, witnesses;
  bool json = false;
};

struct VerifyOptions {
  std::string folder;
  std::vector<std::string> from;
};
int verify_verb(const Common& common, const VerifyOptions& options);

struct ProveOptions {
  std::string folder, message, checkpoint, out, leaf_out;
  std::uint64_t leaf = 0;
};
int prove_verb(const Common& common, const ProveOptions& options);

struct CheckOptions { std::string file, leaf_data; };
int check_proof_verb(const Common& common, const CheckOptions& options);

struct ConsistencyOptions { std::string folder, old; };
int consistency_verb(const Common& common, const ConsistencyOptions& options);

// "postern-audit: <what>" on standard error; gives kUnchecked.
int unchecked(const std::string& what);
// "does not hold: <what>" or its JSON; gives kDoesNotHold.
int does_not_hold(const Common& common, const std::string& what);

}  // namespace postern::auditor
