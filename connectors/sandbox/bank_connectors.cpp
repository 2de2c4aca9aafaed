// SPDX-License-Identifier: Apache-2.0
// The connectors' settings of the sandbox bank.
#include <fmt/core.h>

#include "connectors/sandbox/bank.hpp"

namespace postern::sandbox {
namespace {

std::string head(const Bank& bank, std::string_view name) {
  return fmt::format(
      "# SPDX-License-Identifier: Apache-2.0\n# Written by the sandbox; written anew when its ports are taken.\nname = "
      "\"{}\"\nvault = \"{}/run/bus.sock\"\n",
      name, bank.folder());
}

std::string https(const Bank& bank, const Ports& ports) {
  return head(bank, "https") + fmt::format(R"(listen = "127.0.0.1:{0}"
default_region = "UA"

[tls]
certificate = "{1}/pki/https.pem"
key = "{1}/pki/https.key"
ca = "{1}/pki/ca.pem"
crl = "{1}/pki/crl.pem"
)",
                                           ports.https, bank.folder());
}

std::string hook(const Bank& bank, const Ports& ports) {
  return head(bank, "hook") + fmt::format(R"(listen = "127.0.0.1:{0}"
certificate = "{1}/pki/hook.pem"
key = "{1}/pki/hook.key"

[[hook]]
kind = "whatsapp"
path = "/hooks/whatsapp"
connector = "whatsapp"
app_secret = "{1}/secrets/whatsapp.app-secret"
verify_token = "{1}/secrets/whatsapp.verify-token"
)",
                                          ports.hook, bank.folder());
}

// Forty a second: slow enough to watch a batch being overtaken.
std::string smpp(const Bank& bank, std::string_view name, std::uint16_t port, std::string_view password) {
  return head(bank, name) + fmt::format(R"(hosts = ["127.0.0.1"]
port = {0}
ca = "{1}/pki/ca.pem"
certificate = "{1}/pki/postern.pem"
key = "{1}/pki/postern.key"
system_id = "{2}"
password = "{1}/secrets/{3}"
sender = "SandboxBank"
rate = 40
window = 10
)",
                                        port, bank.folder(), kSmscAccount, password);
}

std::string push(const Bank& bank, const Ports& ports) {
  return head(bank, "push") + fmt::format(R"(service_account = "{1}/secrets/fcm-service-account.json"
ca = "{1}/pki/ca.pem"
base_url = "https://127.0.0.1:{0}"
probe_pause = "1s"
)",
                                          ports.providers, bank.folder());
}

std::string whatsapp(const Bank& bank, const Ports& ports) {
  return head(bank, "whatsapp") + fmt::format(R"(phone_number_id = "{2}"
token = "{1}/secrets/whatsapp.token"
ca = "{1}/pki/ca.pem"
base_url = "https://127.0.0.1:{0}/v24.0"
probe_pause = "1s"
)",
                                              ports.providers, bank.folder(), kPhoneNumberId);
}

std::string email(const Bank& bank, const Ports& ports) {
  return head(bank, "email") + fmt::format(R"(hosts = ["127.0.0.1"]
port = {0}
ca = "{1}/pki/ca.pem"
hello = "postern.{2}"
user = "{3}"
password = "{1}/secrets/smtp.password"
sender = "Sandbox Bank <info@{2}>"
return_path = "bounces@{2}"
probe = "1s"
)",
                                           ports.smtp, bank.folder(), kMailDomain, kMailAccount);
}

std::string sql(const Bank& bank, const Ports& ports) {
  return head(bank, "sql") + fmt::format(R"(hosts = ["127.0.0.1"]
port = {0}
database = "{2}"
user = "{3}"
password = "{1}/secrets/postgres.password"
ca = "{1}/pki/ca.pem"
table = "{4}"
default_region = "UA"
)",
                                         ports.postgres, bank.folder(), kDatabase, kDatabaseReader, kOutbox);
}

}  // namespace

std::vector<BankFile> connector_files(const Bank& bank, const Ports& ports) {
  return {{"etc/connectors/https.toml", https(bank, ports)},
          {"etc/connectors/hook.toml", hook(bank, ports)},
          {"etc/connectors/network-a.toml", smpp(bank, "network-a", ports.network_a, "smsc-a.password")},
          {"etc/connectors/network-b.toml", smpp(bank, "network-b", ports.network_b, "smsc-b.password")},
          {"etc/connectors/push.toml", push(bank, ports)},
          {"etc/connectors/whatsapp.toml", whatsapp(bank, ports)},
          {"etc/connectors/email.toml", email(bank, ports)},
          {"etc/connectors/sql.toml", sql(bank, ports)}};
}

}  // namespace postern::sandbox
