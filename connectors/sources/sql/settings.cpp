// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "connectors/sources/phone/phone.hpp"
#include "crypto/tls.hpp"

namespace postern::sql {
namespace {

using namespace std::chrono_literals;

void refuse(Section& in, std::string_view key, std::string_view what) {
  in.fault(key, "'" + std::string(key) + "' " + std::string(what));
}

// A value of the connection string's lists: no comma, which would make two of it, and nothing unseen.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != ',' && c != '\\' && c != '\''; });
}

std::string plain_text(Section& in, std::string_view key, std::string value, std::size_t limit) {
  if (!is_plain(value) || value.size() > limit)
    refuse(in, key,
           "must be at most " + std::to_string(limit) + " printable characters without spaces, commas and quotes");
  return value;
}

std::string own_host() {
  std::array<char, 65> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

void read_server(Section& root, Settings& settings) {
  DatabaseOptions& database = settings.database;
  database.hosts = root.texts("hosts");
  if (database.hosts.empty())
    refuse(root, "hosts", "is missing: give the database servers, hosts = [\"db1.bank.example\"]");
  for (const std::string& host : database.hosts) {
    if (host.starts_with('/') || host.starts_with('@'))
      refuse(root, "hosts", "must hold names or addresses; a socket file has no certificate to verify");
    else if (host.empty() || !is_plain(host))
      refuse(root, "hosts", "must hold host names or addresses, without a port");
  }
  database.port = static_cast<std::uint16_t>(root.integer("port", 5432, 1, 65535));
  database.database = plain_text(root, "database", root.text("database"), 63);
  database.user = plain_text(root, "user", root.text("user"), 63);
  database.application_name = "postern-sql";
  database.connect_timeout = root.duration("connect_timeout", 5s, 1s, 60s);
  database.statement_timeout = root.duration("statement_timeout", 10s, 1s, 5min);

  database.ca = root.path("ca");
  database.certificate = root.path("certificate", "");
  database.key = root.path("key", "");
  database.crl = root.path("crl", "");
  database.allow_tls12 = root.boolean("tls12", false);
  if (database.certificate.empty() != database.key.empty())
    refuse(root, "certificate", "needs `key` beside it, and `key` needs `certificate`");
  if (root.has("password")) settings.password = root.credential("password");
  if (!root.has("password") && database.certificate.empty())
    refuse(root, "password", "is missing: name a credential, or give `certificate` and `key`");
  if (settings.password.text().find('\0') != std::string_view::npos)
    refuse(root, "password", "names a credential that holds a NUL");
  database.password = &settings.password;
  if (!database.key.empty()) {
    if (const Result<Secret> key = read_secret_file(database.key.c_str(), 64 * 1024); !key)
      refuse(root, "key", ": " + key.what());
  }
}

void read_table(Section& root, Settings& settings) {
  const std::string text = root.text("table", "outbox.messages");
  Result<TableName> table = TableName::parse(text);
  if (table)
    settings.table = std::move(*table);
  else
    refuse(root, "table", table.what());
  settings.database.channel = root.text("channel", "postern_outbox");
  if (!is_identifier(settings.database.channel))
    refuse(root, "channel", "must be a lower-case identifier such as postern_outbox");
  const std::string own = (root.has("name") ? root.text("name") : "postern-sql") + "@" + own_host();
  settings.claimed_by =
      plain_text(root, "claimed_by", root.text("claimed_by", own.substr(0, kClaimedByLimit)), kClaimedByLimit);
  settings.write_progress = root.boolean("write_progress", false);
}

void read_limits(Section& root, Settings& settings) {
  settings.batch = static_cast<std::size_t>(root.integer("batch", 250, 1, 1000));
  settings.window = static_cast<std::size_t>(root.integer("window", 2000, 1, 20'000));
  settings.largest_row = static_cast<std::size_t>(root.integer("largest_row", 65'536, 1024, 1'000'000));
  settings.poll = root.duration("poll", 1s, 100ms, 60s);
  settings.lease = root.duration("lease", 60s, 5s, 1h);
  settings.default_region = root.text("default_region", "");
  if (!settings.default_region.empty() && !phone::Normaliser::known_region(settings.default_region))
    refuse(root, "default_region", "must be a region of two letters such as \"UA\"");
  settings.mobile_only = root.boolean("mobile_only", false);
}

}  // namespace

Result<std::unique_ptr<Settings>> read_settings(Section root) {
  auto settings = std::make_unique<Settings>();
  read_server(root, *settings);
  read_table(root, *settings);
  read_limits(root, *settings);
  return settings;
}

}  // namespace postern::sql
