// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "connectors/sources/hook/hook_kind.hpp"
#include "connectors/sources/hook/whatsapp.hpp"

namespace postern::hook {
namespace {

constexpr std::array<HookKindEntry, 1> kKinds{{
    {"whatsapp", make_whatsapp_hook},
}};

}  // namespace

const HookKindEntry* find_hook_kind(std::string_view name) {
  const auto found = std::ranges::find(kKinds, name, &HookKindEntry::name);
  return found == kKinds.end() ? nullptr : &*found;
}

std::string hook_kind_names() {
  std::string names;
  for (const HookKindEntry& kind : kKinds) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

}  // namespace postern::hook
