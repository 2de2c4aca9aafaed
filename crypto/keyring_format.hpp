// SPDX-License-Identifier: Apache-2.0
// Purpose: the keyring file as bytes: what of it can be read without a key (profile, slots, ways), and its sealed payload as it
// stands. Format: crypto/DESIGN.md, "Keyring file". Used by: the keyring; tools that show or open slots.
// Threads: plain values. Errors: any byte that does not fit refuses the file. Nothing here is authenticated before the payload
// opened: whoever can write the file can say anything in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/suite.hpp"

namespace postern {

// What unlocks. Numbers stand in files.
enum class SlotKind : std::uint8_t {
  passphrase = 1,  // what a person types
  key_file = 2,    // 32 or more random bytes in a file, given as a systemd credential
  token = 3,       // 32 random bytes encrypted by a key that does not leave a PKCS#11 token
  quorum = 4,      // 32 random bytes shared out to custodians, k of n
};
std::string_view name_of(SlotKind kind);

// A name of a slot, way, custodian or key: 1 to 64 printable ASCII characters, since tools print them unauthenticated.
bool is_key_name(std::string_view name);

// Where on a token the slot's secret can be decrypted.
struct TokenFacts {
  std::string token, serial, key;      // label and serial of the token, label of the key
  std::uint8_t mechanism = 0;          // see crypto/token.hpp
  Bytes encrypted;                     // 1..1024 bytes
};

struct Custodian {
  std::string name;                    // unique in the slot; custodian i holds share i
  Bytes public_key;
  Bytes check;                         // 16 bytes: tells a right share from a wrong one
  Bytes share;                         // boxed to the public key: 32 bytes
};

struct SlotInfo {
  SlotKind kind{};
  std::string name;                    // unique
  std::int64_t created_ms = 0;
  Bytes salt;                          // 16 bytes
  PassphraseCost cost;                 // passphrase
  TokenFacts token;                    // token
  std::uint8_t needed = 0;             // quorum: k
  std::vector<Custodian> custodians;   // quorum: n
};

// Slots whose secrets together open the keyring.
struct WayInfo {
  std::string name;                    // unique
  std::vector<std::string> slots;      // 1..8 names, none twice
};

inline constexpr std::size_t kMaxSlots = 16, kMaxWays = 16, kMaxSlotsOfWay = 8, kMaxCustodians = 16, kShareCheckSize = 16;

struct KeyringFile {
  struct Slot {
    SlotInfo info;
    Bytes header;                      // as in the file
  };
  struct Way {
    WayInfo info;
    Bytes header;
    Bytes wrapped;                     // the master key under this way's key
  };
  std::string path;                    // where it was read, for error texts
  Profile profile = Profile::modern;
  std::vector<Slot> slots;
  std::vector<Way> ways;
  Bytes bound;                         // everything before the payload: its associated data
  Bytes payload;

  const Slot* slot(std::string_view name) const;
  const Way* way(std::string_view name) const;
};

// Errors: no such file, too large, another version, damaged; each names the file.
Result<KeyringFile> read_keyring(const std::string& path);

Bytes encode(const SlotInfo& slot);
Bytes encode(const WayInfo& way);
// Everything before the payload.
Bytes encode_front(Profile profile, const std::vector<KeyringFile::Slot>& slots, const std::vector<KeyringFile::Way>& ways);
// What a way's wrapped master key is bound to: profile, the way's header and those of all its slots.
Bytes bound_of(Profile profile, const KeyringFile::Way& way, const std::vector<KeyringFile::Slot>& slots);

}  // namespace postern
