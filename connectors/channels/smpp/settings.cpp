// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/settings.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "connectors/protocol/wire.pb.h"

namespace postern::smpp {
namespace {

using namespace std::chrono_literals;

enum class BindMode { transceiver, separate, transmitter, receiver };

std::vector<BindKind> sessions_of(BindMode mode, std::size_t count) {
  switch (mode) {
    case BindMode::transceiver:
      return std::vector(count, BindKind::transceiver);
    case BindMode::transmitter:
      return std::vector(count, BindKind::transmitter);
    case BindMode::receiver:
      return std::vector(count, BindKind::receiver);
    case BindMode::separate:
      break;
  }
  std::vector<BindKind> both(count, BindKind::transmitter);
  both.insert(both.end(), count, BindKind::receiver);
  return both;
}

void refuse(Section& in, std::string_view key, std::string_view what) {
  in.fault(key, "'" + std::string(key) + "' " + std::string(what));
}

// A text that ends up in a C-octet string of the standard's size.
std::string c_octets(Section& in, std::string_view key, std::string value, std::size_t limit) {
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (value.size() > limit)
    refuse(in, key, "is longer than the " + std::to_string(limit) + " characters that SMPP allows");
  if (!printable) refuse(in, key, "holds a character outside printable ASCII");
  return value;
}

void read_connection(Section& root, Settings& settings) {
  settings.hosts = root.texts("hosts");
  if (settings.hosts.empty())
    refuse(root, "hosts", "is missing: give the SMS centre's addresses, hosts = [\"smsc.example\"]");
  settings.port = static_cast<std::uint16_t>(root.integer("port", 2776, 1, 65535));
  settings.tls = root.boolean("tls", true);
  if (settings.tls) {
    settings.tls_files.ca = root.path("ca");
    settings.tls_files.certificate = root.path("certificate", "");
    settings.tls_files.key = root.path("key", "");
    settings.tls_files.crl = root.path("crl", "");
    settings.tls_files.crl_optional = true;
    settings.tls_files.allow_tls12 = root.boolean("tls12", false);
    settings.server_name = root.text("server_name", "");
    if (settings.tls_files.certificate.empty() != settings.tls_files.key.empty())
      refuse(root, "certificate", "needs `key` beside it, and `key` needs `certificate`");
  } else if (!std::all_of(settings.hosts.begin(), settings.hosts.end(), is_loopback)) {
    refuse(root, "tls",
           "may be false only where every host is this machine itself: passwords and texts would cross "
           "the network in the clear");
  }
  settings.system_id = c_octets(root, "system_id", root.text("system_id"), 15);
  settings.password = root.credential("password");
  if (settings.password.size() > 64) refuse(root, "password", "names a password longer than 64 characters");
  settings.system_type = c_octets(root, "system_type", root.text("system_type", ""), 12);
  settings.address_range = c_octets(root, "address_range", root.text("address_range", ""), 40);
  settings.interface_version = root.choice<std::uint8_t>(
      "interface_version", std::uint8_t{0x34},
      {{"3.4", std::uint8_t{0x34}}, {"3.3", std::uint8_t{0x33}}, {"5.0", std::uint8_t{0x50}}});
  const auto mode = root.choice<BindMode>("bind", BindMode::transceiver,
                                          {{"transceiver", BindMode::transceiver},
                                           {"separate", BindMode::separate},
                                           {"transmitter", BindMode::transmitter},
                                           {"receiver", BindMode::receiver}});
  settings.binds = sessions_of(mode, static_cast<std::size_t>(root.integer("binds", 1, 1, 64)));
}

void read_pace(Section& root, Settings& settings) {
  settings.window = static_cast<std::size_t>(root.integer("window", 10, 1, 1000));
  settings.rate = static_cast<std::uint32_t>(root.integer("rate", 100, 1, 100'000));
  settings.enquire_link = root.duration("enquire_link", 30s, 1s, 10min);
  settings.response_timeout = root.duration("response_timeout", 30s, 100ms, 5min);
  settings.bind_timeout = root.duration("bind_timeout", 10s, 100ms, 1min);
  settings.connect_timeout = root.duration("connect_timeout", 10s, 100ms, 1min);
}

void read_messages(Section& root, Settings& settings) {
  settings.service_type = c_octets(root, "service_type", root.text("service_type", ""), 5);
  settings.sender = c_octets(root, "sender", root.text("sender", ""), 20);
  settings.short_code.ton = static_cast<std::uint8_t>(root.integer("short_code_ton", 3, 0, 6));
  settings.short_code.npi = static_cast<std::uint8_t>(root.integer("short_code_npi", 0, 0, 18));
  settings.default_alphabet = root.choice<DefaultAlphabet>(
      "default_alphabet", DefaultAlphabet::gsm7,
      {{"gsm7", DefaultAlphabet::gsm7}, {"latin1", DefaultAlphabet::latin1}, {"ascii", DefaultAlphabet::ascii}});
  settings.ucs2_data_coding = static_cast<std::uint8_t>(root.integer("ucs2_data_coding", 8, 0, 255));
  settings.long_messages = root.choice<LongMessages>("long_messages", LongMessages::udh8,
                                                     {{"udh8", LongMessages::udh8},
                                                      {"udh16", LongMessages::udh16},
                                                      {"sar", LongMessages::sar},
                                                      {"payload", LongMessages::payload}});
  settings.max_parts = static_cast<std::size_t>(root.integer("max_parts", 6, 1, 255));
  settings.validity = root.choice<Validity>(
      "validity", Validity::relative,
      {{"relative", Validity::relative}, {"absolute", Validity::absolute}, {"none", Validity::none}});
  settings.max_validity =
      std::chrono::duration_cast<std::chrono::seconds>(root.duration("max_validity", 72h, 1min, 30 * 24h));

  Section priority = root.section("priority");
  const auto flag = [&](std::string_view key, wire::Category category, std::int64_t otherwise) {
    settings.priority.at(static_cast<std::size_t>(category)) =
        static_cast<std::uint8_t>(priority.integer(key, otherwise, 0, 3));
  };
  flag("otp", wire::OTP, 2);
  flag("security", wire::SECURITY, 2);
  flag("transaction", wire::TRANSACTION, 1);
  flag("service", wire::SERVICE, 0);
  flag("marketing", wire::MARKETING, 0);
}

std::optional<StatusClass> class_of(std::string_view word) {
  static constexpr std::pair<std::string_view, StatusClass> kWords[] = {
      {"number", StatusClass::number}, {"permanent", StatusClass::permanent}, {"config", StatusClass::config},
      {"retry", StatusClass::retry},   {"throttle", StatusClass::throttle},   {"reconnect", StatusClass::reconnect}};
  for (const auto& [name, value] : kWords) {
    if (name == word) return value;
  }
  return std::nullopt;
}

void read_statuses(Section& root, Settings& settings) {
  Section section = root.section("status");
  std::map<std::uint32_t, StatusClass> own;
  for (const auto& [key, word] : section.all_texts()) {
    std::uint32_t value = 0;
    const std::string_view digits = std::string_view(key).substr(key.starts_with("0x") ? 2 : 0);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    const bool number =
        key.starts_with("0x") && error == std::errc{} && end == digits.data() + digits.size() && value != 0;
    const std::optional<StatusClass> meaning = class_of(word);
    if (!number) refuse(section, key, "is no command_status: write it as \"0x0401\"");
    if (!meaning) refuse(section, key, "must be one of number, permanent, config, retry, throttle, reconnect");
    if (number && meaning) own.emplace(value, *meaning);
  }
  settings.statuses = StatusTable(std::move(own));
}

void read_inbound_keys(Section& root, Settings& settings) {
  const std::initializer_list<std::pair<std::string_view, IdFormat>> formats = {
      {"as-is", IdFormat::as_is}, {"hex", IdFormat::hex}, {"dec", IdFormat::dec}};
  settings.id_in_response = root.choice<IdFormat>("id_in_response", IdFormat::as_is, formats);
  settings.receipts.id_format = root.choice<IdFormat>("id_in_receipt", IdFormat::as_is, formats);
  if ((settings.id_in_response == IdFormat::as_is) != (settings.receipts.id_format == IdFormat::as_is))
    refuse(root, "id_in_receipt",
           "and id_in_response must both be \"as-is\" or both name a number base, or ids never meet");
  settings.receipts.offset_s = static_cast<int>(root.integer("receipt_offset_minutes", 0, -12 * 60, 14 * 60)) * 60;
  settings.receipts.accept_plain = root.boolean("accept_plain_receipts", false);
  settings.inbound_window = static_cast<std::size_t>(root.integer("inbound_window", 500, 1, 10'000));
  settings.join_timeout = root.duration("join_timeout", 5min, 1s, 24h);
  settings.max_parameters = static_cast<std::size_t>(root.integer("max_parameters", 128, 16, 4096));
}

}  // namespace

std::size_t Settings::submitting() const {
  return static_cast<std::size_t>(
      std::count_if(binds.begin(), binds.end(), [](BindKind kind) { return kind != BindKind::receiver; }));
}

Settings read_settings(Section root) {
  Settings settings;
  read_connection(root, settings);
  read_pace(root, settings);
  read_messages(root, settings);
  read_statuses(root, settings);
  read_inbound_keys(root, settings);
  return settings;
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace postern::smpp
