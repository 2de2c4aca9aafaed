// SPDX-License-Identifier: Apache-2.0
// Purpose: the settings that every channel over HTTP has, read the same way for all of them:
//   ca = "provider-roots.pem"    required: the only roots trusted for this provider
//   certificate, key             optional: our client certificate (PEM files)
//   proxy = "http://host:port"   optional
//   connections = 4              to one host
//   http2 = true                 false: HTTP/1.1 only
//   connect_timeout = "5s"       timeout = "15s"
//   window = 500                 deliveries held without a result
//   rate = 80                    messages a second; the default is the channel's
//   breaker_failures = 5         failures in a row after which the provider counts as down
//   probe_pause = "10s"          first wait before it is tried again; doubles up to 5 min
// Used by: push, messenger. Threads: one. Errors: noted in the Section, as its getters do.
#pragma once

#include <cstdint>
#include <string>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/http_client/dispatcher.hpp"
#include "connectors/protocol/settings.hpp"

namespace postern::http_client {

struct ChannelSettings {
  ClientSettings client;
  DispatcherSettings dispatcher;
  std::chrono::milliseconds timeout{15'000};
};

ChannelSettings read_channel_settings(Section& section, std::int64_t default_rate);

// A base URL without its trailing slash; `otherwise` when the key is absent (empty: required). Notes a
// fault unless it is https://host[:port][/path] without user, password, query or fragment: a URL is
// logged by every proxy on the way, so no credential may ever stand in one.
std::string read_https_url(Section& section, std::string_view key, std::string_view otherwise);

// True for https://host[:port][/path] as above.
bool is_plain_https_url(std::string_view url);

}  // namespace postern::http_client
