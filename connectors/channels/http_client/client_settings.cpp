// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/http_client/client_settings.hpp"

#include <algorithm>

namespace postern::http_client {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

bool is_authority_and_path(std::string_view rest) {
  if (rest.empty() || rest.front() == '/' || rest.front() == ':') return false;
  return std::ranges::all_of(rest, [](char c) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter_or_digit || std::string_view("-._~:/[]").find(c) != std::string_view::npos;
  });
}

}  // namespace

bool is_plain_https_url(std::string_view url) {
  return url.starts_with("https://") && is_authority_and_path(url.substr(8));
}

std::string read_https_url(Section& section, std::string_view key, std::string_view otherwise) {
  std::string url = otherwise.empty() ? section.text(key) : section.text(key, otherwise);
  while (url.ends_with('/')) url.pop_back();
  if (!url.empty() && !is_plain_https_url(url))
    section.fault(key, "'" + std::string(key) + "' must look like https://host/path, without user, password or query");
  return url;
}

ChannelSettings read_channel_settings(Section& section, std::int64_t default_rate) {
  ChannelSettings settings;
  settings.client.ca = section.path("ca");
  settings.client.certificate = section.path("certificate", "");
  settings.client.key = section.path("key", "");
  if (settings.client.certificate.empty() != settings.client.key.empty())
    section.fault("certificate", "'certificate' and 'key' belong together; give both or neither");
  settings.client.proxy = section.text("proxy", "");
  if (!settings.client.proxy.empty() &&
      !(settings.client.proxy.starts_with("http://") && is_authority_and_path(settings.client.proxy.substr(7))))
    section.fault("proxy", "'proxy' must look like http://host:port, without user or password");
  settings.client.connections = static_cast<long>(section.integer("connections", 4, 1, 64));
  settings.client.http2 = section.boolean("http2", true);
  settings.client.connect_timeout =
      section.duration("connect_timeout", milliseconds(seconds(5)), milliseconds(100), milliseconds(seconds(60)));
  settings.timeout =
      section.duration("timeout", milliseconds(seconds(15)), milliseconds(200), milliseconds(minutes(2)));
  settings.dispatcher.window = static_cast<std::uint32_t>(section.integer("window", 500, 1, 100'000));
  settings.dispatcher.rate = static_cast<double>(section.integer("rate", default_rate, 1, 100'000));
  settings.dispatcher.breaker_failures = static_cast<unsigned>(section.integer("breaker_failures", 5, 1, 1000));
  settings.dispatcher.probe_pause =
      section.duration("probe_pause", milliseconds(seconds(10)), milliseconds(50), milliseconds(minutes(5)));
  return settings;
}

}  // namespace postern::http_client
