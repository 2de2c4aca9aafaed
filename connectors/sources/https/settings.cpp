// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/settings.hpp"

#include "connectors/sources/http/listener.hpp"
#include "connectors/sources/https/routes.hpp"
#include "connectors/sources/phone/phone.hpp"

namespace postern::https {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void read_limits(Section limits, http::ServerLimits& out) {
  const auto count = [&limits](std::string_view key, std::uint32_t otherwise, std::int64_t most) {
    return static_cast<std::uint32_t>(limits.integer(key, otherwise, 1, most));
  };
  out.connections = count("connections", out.connections, 100'000);
  out.connections_per_peer = count("connections_per_peer", out.connections_per_peer, 100'000);
  out.handshakes = count("handshakes", out.handshakes, 100'000);
  out.handshakes_per_second = count("handshakes_per_second", out.handshakes_per_second, 100'000);
  out.pipelined = count("pipelined", out.pipelined, 256);
  out.body_bytes = static_cast<std::uint64_t>(
      limits.integer("body_memory", static_cast<std::int64_t>(out.body_bytes), 1024 * 1024, std::int64_t{1} << 40));
  out.parser.head_bytes = static_cast<std::size_t>(
      limits.integer("head", static_cast<std::int64_t>(out.parser.head_bytes), 1024, 64 * 1024));
  out.handshake = limits.duration("handshake_time", out.handshake, milliseconds(100), minutes(1));
  out.head = limits.duration("head_time", out.head, milliseconds(100), minutes(1));
  out.request = limits.duration("request_time", out.request, milliseconds(100), minutes(10));
  out.idle = limits.duration("idle_time", out.idle, milliseconds(100), hours(1));
  out.write = limits.duration("write_time", out.write, milliseconds(100), minutes(10));
  out.recheck = limits.duration("recheck_every", out.recheck, seconds(1), minutes(1));
  out.watch = limits.duration("watch_files_every", out.watch, milliseconds(100), minutes(1));
}

}  // namespace

HttpsSettings read_settings(Section& root) {
  HttpsSettings settings;
  settings.server.listen = root.text("listen");
  if (!settings.server.listen.empty() && settings.server.listen != "systemd") {
    if (const auto address = http::parse_listen(settings.server.listen); !address) root.fault("listen", address.what());
  }
  settings.port_file = root.text("port_file", "");
  settings.default_region = root.text("default_region", "");
  if (!settings.default_region.empty() && !phone::Normaliser::known_region(settings.default_region))
    root.fault("default_region", "default_region = \"" + settings.default_region +
                                     "\": no region of the number plan; write two capital letters, as in \"UA\"");
  settings.allow_fixed_lines = root.boolean("allow_fixed_lines", false);
  settings.body_limit = static_cast<std::size_t>(
      root.integer("body_limit", static_cast<std::int64_t>(settings.body_limit), 1024, 2 * 1024 * 1024));
  settings.batch_limit = static_cast<std::size_t>(
      root.integer("batch_limit", static_cast<std::int64_t>(settings.batch_limit), 1024, 64 * 1024 * 1024));
  settings.batches = static_cast<std::uint32_t>(root.integer("batches", settings.batches, 1, 1000));
  settings.answer_timeout = root.duration("answer_timeout", settings.answer_timeout, milliseconds(100), minutes(1));

  Section tls = root.section("tls");
  TlsFiles& files = settings.server.tls;
  files.certificate = tls.path("certificate");
  files.key = tls.path("key");
  files.ca = tls.path("ca");
  files.crl = tls.path("crl", "");
  files.crl_optional = tls.boolean("crl_optional", false);
  files.allow_tls12 = tls.boolean("allow_tls12", false);
  if (files.crl.empty() && !files.crl_optional)
    tls.fault("crl",
              "the client CA's revocation list is missing; name it, or write crl_optional = true to serve without one");

  read_limits(root.section("limits"), settings.server.limits);
  settings.server.limits.parser.names_below = kOneRecipient;
  return settings;
}

}  // namespace postern::https
