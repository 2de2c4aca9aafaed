// SPDX-License-Identifier: Apache-2.0
// Purpose: the settings of postern-hook; README.md explains each key. Used by: HookSource. Threads: one.
// Errors: noted in the Section.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "connectors/protocol/settings.hpp"
#include "connectors/sources/hook/hook_kind.hpp"
#include "connectors/sources/http/server.hpp"

namespace postern::hook {

struct HookRoute {
  std::string path;
  std::string connector;  // on whose behalf its facts are
  std::unique_ptr<HookKind> kind;
};

struct HookSettings {
  http::ServerOptions server;
  std::size_t body_limit = 0;
  std::chrono::milliseconds answer_within{0};
  std::vector<HookRoute> routes;
};

HookSettings read_hook_settings(Section& root);

}  // namespace postern::hook
