// SPDX-License-Identifier: Apache-2.0
// Purpose: gathers what persons, tokens and custodians give, until one way of the keyring is complete and opens it.
// Used by: posternd. Threads: one. Ownership: holds the secrets it was given until clear() or its end; nothing of them is written.
// A secret for a slot that is only part of a way cannot be judged before the way is complete: that is what makes a slot alone worth
// nothing to a thief. Shares of a quorum have checks of their own and are judged one by one.
// Limits: the last 4 secrets for each slot.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/keyring.hpp"

namespace postern {

class Unlocking {
 public:
  // What was given for slots of the kind: passphrase, content of the key file, or the 32 bytes that a token decrypted. An empty
  // `slot` means every slot of the kind. Errors: no such slot; an absurd cost.
  Status offer(const KeyringFile& file, SlotKind kind, const std::string& slot, const Secret& given);

  // One custodian's opened share. Errors: no such slot or custodian; a wrong or damaged share; one that is here already. After an
  // error everything that was gathered is as before.
  Status offer_share(const KeyringFile& file, const std::string& slot, std::uint8_t number, const Secret& share);

  struct Outcome {
    std::optional<Keyring> ring;
    std::string way;       // that opened
    std::string needed;    // not open yet: a sentence on what is missing
  };
  // Tries every way that is complete with something new. Errors: what was given last is wrong (it is forgotten, shares are kept);
  // the keyring is damaged.
  Result<Outcome> open(const KeyringFile& file);

  bool empty() const { return given_.empty() && shares_.empty(); }
  void clear();

  // Custodians whose shares were taken, for the audit log: "slot/name".
  const std::vector<std::string>& custodians() const { return custodians_; }

 private:
  struct Given {
    Secret secret;
    unsigned offer = 0;    // one thing that was given serves one slot of a way, not two
    bool fresh = true;     // not yet tried
  };
  struct Attempt {
    std::optional<Secret> master;
    bool tried = false;    // there was something for every slot
  };
  Attempt try_way(const KeyringFile& file, const KeyringFile::Way& way) const;
  void combine(const KeyringFile& file, const KeyringFile::Way& way, std::vector<const Given*>& chosen, Attempt& attempt) const;
  bool has_fresh(const KeyringFile::Way& way) const;
  std::string needed(const KeyringFile& file) const;

  std::map<std::string, std::vector<Given>> given_;                          // slot -> candidates for its secret
  std::map<std::string, std::map<std::uint8_t, Secret>> shares_;             // slot -> number -> share
  std::vector<std::string> custodians_;
  unsigned offers_ = 0;
  std::string last_kind_;                                                    // for the error: what was given last
};

}  // namespace postern
