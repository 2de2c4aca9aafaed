// SPDX-License-Identifier: Apache-2.0
// Purpose: signed checkpoints of the audit log in the C2SP formats signed-note (Ed25519, ECDSA P-256), tlog-checkpoint and
// tlog-cosignature (Ed25519), and verifier keys ("name+hash+key"). The one place where keys and signatures of 32 and 64 bytes
// become what these formats say. Used by: posternd (signs), the verifiers, the witness. Threads: plain values.
// Errors: text that is not exactly of the format is refused; lines of unknown keys are skipped, as
// signed-note demands; a false signature under a known name and hash discards the whole note.
// Limits: a note has at most 64 KiB and 64 signature lines; a checkpoint has its three lines and no more.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/merkle.hpp"
#include "crypto/public_key.hpp"
#include "crypto/result.hpp"

namespace postern {

// The public side of a key with its name.
struct Verifier {
  std::string name;
  KeyType type = KeyType::ed25519;
  PublicKey key{};
  bool operator==(const Verifier&) const = default;
};

// Whether the bytes can be a key of the type at all: half of all x have no point on P-256. Of Ed25519 its verification tells.
bool is_key(const Verifier& verifier);

// The key as text: NAME+HASH+BASE64. The name holds no '+', space or control character.
std::string verifier_key(const Verifier& verifier);
// Errors: text of another form or type; a hash that does not belong to the key; a point of P-256 whose y is odd.
Result<Verifier> parse_verifier(std::string_view vkey);

struct Checkpoint {
  std::string origin;   // "bank.example/postern/audit"
  std::uint64_t size = 0;
  Hash root{};
  bool operator==(const Checkpoint&) const = default;
};

// The three lines that are signed, each with its newline.
std::string checkpoint_text(const Checkpoint& checkpoint);

// One that signs: `sign` gives the signature of the bytes it gets, of P-256 the one with the lower s.
struct Signer {
  Verifier verifier;
  std::function<Signature(std::string_view)> sign;
};

// Any text that ends in a line break and holds no empty line, with a signature line of each.
std::string sign_note(std::string_view text, const std::vector<Signer>& signers);
// The checkpoint with one signature line for each signer, in their order. Signers are of any type but cosigner.
std::string sign_checkpoint(const Checkpoint& checkpoint, const std::vector<Signer>& signers);

// The line that a witness adds to a checkpoint: "— NAME BASE64(id | time | signature)\n". `time_s` is Unix
// seconds, not 0. The signer is of type cosigner.
std::string cosignature_line(std::string_view checkpoint_text, const Signer& witness, std::uint64_t time_s);

// A note that was read and of which no signature has been checked yet.
struct SignedNote {
  struct Line {
    std::string name;
    Bytes signature;    // key hash 4 | what the key's type says
  };
  std::string text;     // what is signed
  std::vector<Line> lines;
};
struct SignedCheckpoint : SignedNote {
  Checkpoint checkpoint;
};
Result<SignedNote> read_note(std::string_view note);
Result<SignedCheckpoint> read_checkpoint(std::string_view note);

// The time of this key's good signature: a cosigner's in Unix seconds, else 0. Nothing when no line has this
// key's name and hash. Errors: such a line is false (also beside a good one).
Result<std::optional<std::uint64_t>> find_signature(const SignedNote& note, const Verifier& key);
// The same where the signature must be there: its absence is an Error too.
Result<std::uint64_t> signed_by(const SignedNote& note, const Verifier& key);

// What is signed in a note whose signature by the key is good: its text, or the checkpoint that it is.
Result<std::string> open_note(std::string_view note, const Verifier& key);
Result<Checkpoint> open_checkpoint(std::string_view note, const Verifier& key);
Result<Checkpoint> open_checkpoint(std::string_view note, std::string_view vkey);

// Names of epochs: "000007", at least six digits, and "ORIGIN/epoch/000007", the name of that epoch's key.
std::string epoch_digits(std::uint32_t epoch);
std::string epoch_key_name(std::string_view origin, std::uint32_t epoch);

// A decimal number as C2SP writes it: digits only, no leading zero, at most 2^64-1.
bool read_decimal(std::string_view text, std::uint64_t& out);

}  // namespace postern
