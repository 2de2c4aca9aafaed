// SPDX-License-Identifier: Apache-2.0
// Purpose: a custodian's key pair: a file that his passphrase protects, and the public key as a line of text that he hands in.
// Used by: `postern keys custodian`, `postern unlock --custodian` and the tools that quorums serve. Threads: plain functions.
// Format: crypto/DESIGN.md, "Custodian file". Errors: a wrong passphrase and a damaged file cannot be told apart where the file's
// sealed part is concerned; each error names the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/suite.hpp"

namespace postern {

struct CustodianKey {
  Profile profile = Profile::modern;
  Suite::BoxKey key;
};

struct CustodianPublic {
  Profile profile = Profile::modern;
  Bytes public_key;
};

// Makes a key pair and its file (mode 0600); a file that exists is never written over.
// Errors: a passphrase under 12 bytes; the file.
Result<CustodianPublic> make_custodian(const std::string& path, Profile profile, const Secret& passphrase, std::int64_t now_ms, PassphraseCost cost = {});

Result<CustodianKey> open_custodian(const std::string& path, const Secret& passphrase);
// The public side, which needs no passphrase and is authenticated only by open_custodian().
Result<CustodianPublic> read_custodian(const std::string& path);

// "postern-custodian-modern:" and base64.
std::string custodian_text(const CustodianPublic& key);
Result<CustodianPublic> parse_custodian(std::string_view text);

}  // namespace postern
