// SPDX-License-Identifier: Apache-2.0
#include "crypto/unlocking.hpp"

#include <algorithm>

#include "crypto/shamir.hpp"

namespace postern {
namespace {

constexpr std::size_t kCandidates = 4;

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

}  // namespace

Status Unlocking::offer(const KeyringFile& file, SlotKind kind, const std::string& slot, const Secret& given) {
  bool any = false;
  std::vector<std::pair<std::string, Secret>> made;
  for (const KeyringFile::Slot& candidate : file.slots) {
    if (candidate.info.kind != kind || (!slot.empty() && candidate.info.name != slot)) continue;
    any = true;
    if (given.empty()) continue;
    if (kind == SlotKind::token) {
      if (given.size() != kKeySize) return fail("the token gave no secret of 32 bytes");
      made.emplace_back(candidate.info.name, given.clone());
      continue;
    }
    Result<Secret> secret = slot_secret(file.profile, candidate.info, given);
    if (!secret) return fail(secret.what());
    made.emplace_back(candidate.info.name, std::move(*secret));
  }
  if (!any)
    return fail(slot.empty() ? "keyring: has no " + std::string(name_of(kind)) + " slot; unlock it another way"
                             : "keyring: has no " + std::string(name_of(kind)) + " slot '" + slot + "'");
  last_kind_ = name_of(kind);
  if (made.empty()) return fail("wrong " + last_kind_);
  for (auto& [name, secret] : made) {
    std::vector<Given>& candidates = given_[name];
    if (candidates.size() >= kCandidates) candidates.erase(candidates.begin());
    candidates.push_back({std::move(secret), offers_ + 1});
  }
  ++offers_;
  return {};
}

Status Unlocking::offer_share(const KeyringFile& file, const std::string& slot, std::uint8_t number, const Secret& share) {
  const KeyringFile::Slot* found = file.slot(slot);
  if (found == nullptr || found->info.kind != SlotKind::quorum) return fail("keyring: has no quorum slot '" + slot + "'");
  const SlotInfo& info = found->info;
  if (number == 0 || number > info.custodians.size()) return fail("quorum '" + slot + "' has no share of this number");
  const Custodian& custodian = info.custodians[number - 1U];
  if (share.size() != kKeySize || share_check(file.profile, info, number, share) != custodian.check)
    return fail("the share of custodian '" + custodian.name + "' is wrong or damaged; what others gave is kept");
  std::map<std::uint8_t, Secret>& shares = shares_[slot];
  const auto missing = [&] { return shares.size() >= info.needed ? 0 : info.needed - shares.size(); };
  if (shares.contains(number))
    return fail("the share of custodian '" + custodian.name + "' is here already; " + std::to_string(missing()) + " more of other custodians are needed");
  shares.emplace(number, share.clone());
  custodians_.push_back(slot + "/" + custodian.name);
  last_kind_ = "quorum";
  if (missing() > 0) return {};
  std::vector<shamir::Share> complete;
  for (const auto& [n, value] : shares)
    if (complete.size() < info.needed) complete.push_back({n, value.clone()});
  Result<Secret> secret = shamir::combine(complete);
  if (!secret) return fail("quorum '" + slot + "': " + secret.what());
  given_[slot].clear();
  given_[slot].push_back({std::move(*secret), ++offers_});
  return {};
}

// Every combination of the candidates of the way's slots; recursion is as deep as the way has slots, 8 at most.
void Unlocking::combine(const KeyringFile& file, const KeyringFile::Way& way, std::vector<const Given*>& chosen, Attempt& attempt) const {
  if (chosen.size() == way.info.slots.size()) {
    std::vector<const Secret*> secrets;
    for (const Given* given : chosen) secrets.push_back(&given->secret);
    Secret master(kKeySize);
    attempt.tried = true;
    if (Suite::of(file.profile).unwrap(way_key(file.profile, secrets).bytes(), bound_of(file.profile, way, file.slots), way.wrapped, master.writable()))
      attempt.master = std::move(master);
    return;
  }
  const auto candidates = given_.find(way.info.slots[chosen.size()]);
  if (candidates == given_.end()) return;
  for (const Given& given : candidates->second) {
    if (std::ranges::any_of(chosen, [&](const Given* other) { return other->offer == given.offer; })) continue;
    chosen.push_back(&given);
    combine(file, way, chosen, attempt);
    chosen.pop_back();
    if (attempt.master) return;
  }
}

Unlocking::Attempt Unlocking::try_way(const KeyringFile& file, const KeyringFile::Way& way) const {
  Attempt attempt;
  std::vector<const Given*> chosen;
  combine(file, way, chosen, attempt);
  return attempt;
}

bool Unlocking::has_fresh(const KeyringFile::Way& way) const {
  return std::ranges::any_of(way.info.slots, [&](const std::string& slot) {
    const auto found = given_.find(slot);
    return found != given_.end() && std::ranges::any_of(found->second, &Given::fresh);
  });
}

Result<Unlocking::Outcome> Unlocking::open(const KeyringFile& file) {
  std::vector<std::string> wrong_together;
  bool wrong_alone = false, waits = false;
  // Ways of one slot first: what fails alone is wrong for every other way too.
  for (const bool alone : {true, false}) {
    for (const KeyringFile::Way& way : file.ways) {
      if ((way.info.slots.size() == 1) != alone || !has_fresh(way)) continue;
      Attempt attempt = try_way(file, way);
      if (attempt.master) {
        Result<Keyring> ring = Keyring::open(file, std::move(*attempt.master));
        if (!ring) return fail(ring.what());
        return Outcome{std::move(*ring), way.info.name, {}};
      }
      if (!attempt.tried) {
        waits = true;
      } else if (alone) {
        wrong_alone = true;
        std::erase_if(given_[way.info.slots.front()], &Given::fresh);
      } else {
        wrong_together.push_back(way.info.name);
      }
    }
  }
  for (auto& [slot, candidates] : given_)
    for (Given& given : candidates) given.fresh = false;
  if (!wrong_together.empty()) {
    // Nobody can tell which of them is wrong. What a quorum gave was checked and stays.
    for (const std::string& name : wrong_together)
      for (const std::string& slot : file.way(name)->info.slots)
        if (file.slot(slot)->info.kind != SlotKind::quorum) given_.erase(slot);
    return fail("way '" + joined(wrong_together, "', '") + "': what was given together does not open it; at least one of it is wrong, give each again");
  }
  if (wrong_alone && !waits) return fail("wrong " + last_kind_);
  return Outcome{std::nullopt, {}, needed(file)};
}

std::string Unlocking::needed(const KeyringFile& file) const {
  std::vector<std::string> ways;
  for (const KeyringFile::Way& way : file.ways) {
    std::vector<std::string> missing;
    bool begun = false;
    for (const std::string& name : way.info.slots) {
      const SlotInfo& slot = file.slot(name)->info;
      const auto candidates = given_.find(name);
      const auto shares = shares_.find(name);
      begun = begun || (candidates != given_.end() && !candidates->second.empty()) || shares != shares_.end();
      if (candidates != given_.end() && !candidates->second.empty()) continue;
      if (slot.kind != SlotKind::quorum) {
        missing.push_back(std::string(name_of(slot.kind)) + " '" + name + "'");
        continue;
      }
      const std::size_t have = shares == shares_.end() ? 0 : shares->second.size();
      missing.push_back(std::to_string(slot.needed - have) + " of the other custodians of quorum '" + name + "'");
    }
    if (begun) ways.push_back("way '" + way.info.name + "' still needs " + (missing.empty() ? "what another person gives" : joined(missing, " and ")));
  }
  return ways.empty() ? "what was given belongs to no way; see 'postern keys slots'" : "not open yet: " + joined(ways, "; or ");
}

void Unlocking::clear() {
  given_.clear();
  shares_.clear();
  custodians_.clear();
  last_kind_.clear();
}

}  // namespace postern
