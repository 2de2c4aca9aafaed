// SPDX-License-Identifier: Apache-2.0
// Purpose: gathers the consent of two administrators to a state that is not what the anchor says: an old copy that was put back,
// or a store that was altered. Used by: posternd. Threads: one. Ownership: values, in memory alone: a restart asks anew.
// A consent is to what was found at the last refused start, named by a code; another finding forgets it.
// Errors: sentences for an administrator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/vault/anchor.hpp"

namespace postern {

class TwoPersons {
 public:
  // A start was refused for this reason.
  void found(const std::string& findings);
  // The state is open: there is nothing to consent to any more.
  void clear();

  const std::string& findings() const { return findings_; }
  const std::string& code() const { return code_; }          // 8 hex digits
  const std::vector<std::string>& actors() const { return actors_; }

  // `now_ms` is of the monotonic clock. Errors: nothing was found; another code; the same administrator twice.
  Status consent(const std::string& actor, const std::string& code, std::int64_t now_ms);
  // Nothing until two have consented, within a quarter of an hour.
  std::optional<vault::Consent> complete(std::int64_t now_ms);

 private:
  void forget_late(std::int64_t now_ms);
  std::string findings_, code_;
  std::vector<std::string> actors_;
  std::int64_t first_ms_ = 0;
};

}  // namespace postern
