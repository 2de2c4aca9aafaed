// SPDX-License-Identifier: Apache-2.0
// Purpose: signed checkpoints of the audit log in the C2SP formats signed-note and tlog-checkpoint, and
// verifier keys ("name+hash+key"). Used by: posternd (signs) and the verifiers. Threads: plain values.
// Errors: text that is not exactly of the format is refused; lines of unknown keys are skipped, as
// signed-note demands.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "crypto/merkle.hpp"
#include "crypto/result.hpp"

namespace postern {

struct Checkpoint {
  std::string origin;   // "bank.example/postern/audit"
  std::uint64_t size = 0;
  Hash root{};
};

// The key's public side as text. `name` holds no '+', space or control character.
std::string verifier_key(std::string_view name, const std::array<std::uint8_t, 32>& public_key);

// The signed text. `sign` gives the Ed25519 signature of the text it gets.
std::string sign_checkpoint(const Checkpoint& checkpoint, const std::array<std::uint8_t, 32>& public_key,
                            const std::function<std::array<std::uint8_t, 64>(std::string_view)>& sign);

// The checkpoint of a signed text whose signature by `vkey` is good.
Result<Checkpoint> open_checkpoint(std::string_view text, std::string_view vkey);

}  // namespace postern
