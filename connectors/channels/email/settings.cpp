// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/settings.hpp"

#include <algorithm>

namespace postern::email {
namespace {

using namespace std::chrono_literals;

bool is_host(std::string_view name) {
  // As the domain part of a mailbox: letters, digits, hyphens and dots.
  return !needs_utf8(name) && is_mailbox("x@" + std::string(name));
}

std::string host_name(Section& in, std::string_view key, std::string value) {
  if (!value.empty() && !is_host(value))
    in.fault(key, "'" + std::string(key) + "' must be a host name such as \"mail.bank.example\"");
  return value;
}

void read_relay(Section& root, Settings& settings) {
  settings.hosts = root.texts("hosts");
  if (settings.hosts.empty())
    root.fault("hosts", "'hosts' is missing: give the relay's names, hosts = [\"relay.bank.example\"]");
  for (const std::string& host : settings.hosts) {
    const bool six =
        host.find(':') != std::string::npos && host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
    if (!is_host(host) && !six) root.fault("hosts", "'hosts' must hold host names or addresses, without a port");
  }
  settings.session.tls = root.choice<TlsMode>("tls", TlsMode::starttls,
                                              {{"starttls", TlsMode::starttls}, {"implicit", TlsMode::implicit}});
  settings.port =
      static_cast<std::uint16_t>(root.integer("port", settings.session.tls == TlsMode::implicit ? 465 : 587, 1, 65535));
  settings.server_name = host_name(root, "server_name", root.text("server_name", ""));
  settings.session.hello = host_name(root, "hello", root.text("hello"));
  settings.session.user = root.text("user", "");
  if (has_control(settings.session.user)) root.fault("user", "'user' holds a control character");
  if (!settings.session.user.empty())
    settings.password = root.credential("password");
  else if (root.has("password"))
    root.fault("password", "'password' needs `user` beside it");
  if (settings.password.text().find('\0') != std::string_view::npos)
    root.fault("password", "'password' names a credential that holds a NUL");
  settings.session.password = &settings.password;
}

Status read_tls(Section& root, Settings& settings) {
  TlsFiles files;
  files.ca = root.path("ca");
  files.certificate = root.path("certificate", "");
  files.key = root.path("key", "");
  files.crl = root.path("crl", "");
  files.crl_optional = true;
  files.allow_tls12 = root.boolean("tls12", false);
  if (files.certificate.empty() != files.key.empty())
    root.fault("certificate", "'certificate' needs `key` beside it, and `key` needs `certificate`");
  Result<SslContext> context = make_tls_client(files);
  if (!context) return std::unexpected(context.error());
  settings.tls = std::move(*context);
  return {};
}

void read_message(Section& root, Settings& settings) {
  const std::optional<Sender> sender = parse_sender(root.text("sender"));
  if (sender)
    settings.sender = *sender;
  else
    root.fault("sender", "'sender' must be \"info@bank.example\" or \"Bank <info@bank.example>\"");
  settings.return_path = root.text("return_path", "");
  if (!settings.return_path.empty() && !is_mailbox(settings.return_path))
    root.fault("return_path", "'return_path' must be an address such as \"bounces@bank.example\"");
  settings.message_id_domain = host_name(root, "message_id_domain", root.text("message_id_domain", ""));
  for (std::string word : root.texts("notify")) {
    std::transform(word.begin(), word.end(), word.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (word != "SUCCESS" && word != "FAILURE" && word != "DELAY")
      root.fault("notify", "'notify' may hold \"success\", \"failure\" and \"delay\"");
    settings.session.notify.push_back(std::move(word));
  }
  if (root.has("unsubscribe")) {
    Section section = root.section("unsubscribe");
    settings.unsubscribe_url = section.text("url");
    const bool good = settings.unsubscribe_url.starts_with("https://") && !has_control(settings.unsubscribe_url) &&
                      settings.unsubscribe_url.find_first_of("<> ,") == std::string::npos &&
                      settings.unsubscribe_url.size() <= 500;
    if (!good)
      section.fault("url",
                    "'url' must be an https address of at most 500 characters; {id} in it becomes the message's id");
  }
}

void read_dkim(Section& root, Settings& settings) {
  for (Section& section : root.sections("dkim")) {
    std::string domain = host_name(section, "domain", section.text("domain"));
    std::string selector = host_name(section, "selector", section.text("selector"));
    const Secret key = section.credential("key");
    if (key.empty()) continue;
    Result<std::unique_ptr<DkimSigner>> signer = DkimSigner::make(std::move(domain), std::move(selector), key);
    if (!signer)
      section.fault("key", signer.what());
    else
      settings.signers.push_back(std::move(*signer));
  }
}

void read_limits(Section& root, Settings& settings) {
  settings.window = static_cast<std::uint32_t>(root.integer("window", 200, 1, 10'000));
  settings.connections = static_cast<std::size_t>(root.integer("connections", 4, 1, 64));
  settings.messages_per_connection =
      static_cast<std::uint32_t>(root.integer("messages_per_connection", 100, 1, 100'000));
  settings.idle = root.duration("idle", 30s, 1s, 10min);
  settings.probe = root.duration("probe", 60s, 1s, 1h);
  Section section = root.section("timeouts");
  Timeouts& t = settings.session.timeouts;
  t.connect = section.duration("connect", t.connect, 1s, 5min);
  t.greeting = section.duration("greeting", t.greeting, 1s, 10min);
  t.command = section.duration("command", t.command, 1s, 10min);
  t.data_start = section.duration("data_start", t.data_start, 1s, 10min);
  t.data_block = section.duration("data_block", t.data_block, 1s, 10min);
  t.data_end = section.duration("data_end", t.data_end, 1s, 30min);
}

}  // namespace

Result<std::unique_ptr<Settings>> read_settings(Section root) {
  auto settings = std::make_unique<Settings>();
  read_relay(root, *settings);
  const Status tls = read_tls(root, *settings);
  read_message(root, *settings);
  read_dkim(root, *settings);
  read_limits(root, *settings);
  if (!tls) return std::unexpected(tls.error());
  return settings;
}

}  // namespace postern::email
