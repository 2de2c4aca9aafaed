// SPDX-License-Identifier: Apache-2.0
#include "gateway/two_persons.hpp"

#include <algorithm>

namespace postern {
namespace {

constexpr std::size_t kNeeded = 2, kCodeBytes = 4;
constexpr std::int64_t kPatienceMs = 15 * 60'000;

}  // namespace

void TwoPersons::found(const std::string& findings) {
  if (findings == findings_) return;
  clear();
  findings_ = findings;
  code_ = to_hex(ByteView(sha256(as_bytes(findings))).first(kCodeBytes));
}

void TwoPersons::clear() { *this = {}; }

void TwoPersons::forget_late(std::int64_t now_ms) {
  if (!actors_.empty() && now_ms - first_ms_ > kPatienceMs) actors_.clear();
}

Status TwoPersons::consent(const std::string& actor, const std::string& code, std::int64_t now_ms) {
  forget_late(now_ms);
  if (findings_.empty()) return fail("nothing waits for a consent; 'postern unlock' tells whether something does");
  if (code != code_) return fail("the code " + code + " is not that of what was found; 'postern rollback show' tells it");
  if (std::ranges::find(actors_, actor) != actors_.end()) return fail(actor + " has consented already; it takes another administrator");
  if (actors_.empty()) first_ms_ = now_ms;
  actors_.push_back(actor);
  return {};
}

std::optional<vault::Consent> TwoPersons::complete(std::int64_t now_ms) {
  forget_late(now_ms);
  if (actors_.size() < kNeeded) return std::nullopt;
  return vault::Consent{actors_[0] + ", " + actors_[1], findings_};
}

}  // namespace postern
