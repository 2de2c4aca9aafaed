// SPDX-License-Identifier: Apache-2.0
// Purpose: what a provider's webhook is to postern-hook: how it proves itself and what its bodies say.
// One implementation a provider, listed in kinds.cpp. Used by: HookSource. Threads: one.
// Ownership: a kind owns its secrets. Errors: read() fails for bytes that are no document of the
// provider at all; an item inside that is not understood is counted and never fails the others.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/protocol/settings.hpp"
#include "connectors/protocol/wire.pb.h"
#include "connectors/sources/http/request_parser.hpp"
#include "connectors/sources/http/response.hpp"

namespace postern::hook {

// What one body tells. `connector` of each fact is filled in by the source.
struct HookFacts {
  std::vector<wire::Receipt> receipts;
  std::vector<wire::Reply> replies;
  unsigned unknown = 0;  // items of a sort that we do not use or do not know
};

enum class Proof { good, missing, bad };

class HookKind {
 public:
  virtual ~HookKind() = default;

  // The answer to a GET, with which the provider asks whether we are who the bank says.
  virtual http::Response challenge(const http::Request& request) const = 0;
  // Whether the provider sent exactly this body. Called before anything looks into it.
  virtual Proof proof(const http::Request& request) const = 0;
  virtual Result<HookFacts> read(std::string_view body) const = 0;
};

// A kind of webhook as the settings name it; `make` reads its own keys from its [[hook]] table.
struct HookKindEntry {
  std::string_view name;
  std::unique_ptr<HookKind> (*make)(Section& section);
};
const HookKindEntry* find_hook_kind(std::string_view name);
std::string hook_kind_names();  // "whatsapp", for people

}  // namespace postern::hook
