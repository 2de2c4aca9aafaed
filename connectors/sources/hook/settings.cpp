// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/settings.hpp"

#include <algorithm>

namespace postern::hook {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kBodyLimit = 1024 * 1024;

HookRoute read_route(Section& section) {
  HookRoute route;
  route.path = section.text("path");
  if (!route.path.empty() && !http::normal_path(route.path))
    section.fault("path", "'path' must begin with '/' and hold plain segments: \"/hooks/whatsapp\"");
  route.connector = section.text("connector");
  const std::string name = section.text("kind");
  const HookKindEntry* kind = find_hook_kind(name);
  if (kind != nullptr)
    route.kind = kind->make(section);
  else if (!name.empty())
    section.fault("kind", "'kind' must be one of: " + hook_kind_names());
  return route;
}

}  // namespace

HookSettings read_hook_settings(Section& root) {
  HookSettings settings;
  settings.server.listen = root.text("listen");
  settings.server.client_certificates = root.boolean("client_certificates", false);
  settings.server.tls.certificate = root.path("certificate");
  settings.server.tls.key = root.path("key");
  settings.server.tls.allow_tls12 = root.boolean("tls12", false);
  settings.server.tls.ca = root.path("ca", "");
  settings.server.tls.crl = root.path("crl", "");
  settings.server.tls.crl_optional = settings.server.tls.crl.empty();
  if (settings.server.client_certificates && settings.server.tls.ca.empty())
    root.fault("client_certificates", "client certificates are demanded, so 'ca' is needed: the root that issued them");
  settings.body_limit = static_cast<std::size_t>(root.integer("body_limit", kBodyLimit, 1024, 4 * kBodyLimit));
  settings.answer_within =
      root.duration("answer_within", milliseconds(seconds(8)), milliseconds(100), milliseconds(seconds(60)));
  for (Section& section : root.sections("hook")) {
    HookRoute route = read_route(section);
    if (std::ranges::any_of(settings.routes, [&](const HookRoute& r) { return r.path == route.path; }))
      section.fault("path", "'path' stands in another [[hook]] already");
    settings.routes.push_back(std::move(route));
  }
  if (settings.routes.empty()) root.fault("hook", "there is no [[hook]] table; add one for each webhook");
  return settings;
}

}  // namespace postern::hook
