// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/world.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "connectors/protocol/log.hpp"
#include "connectors/sandbox/bank_app.hpp"
#include "connectors/sandbox/files.hpp"
#include "connectors/sandbox/handsets.hpp"
#include "connectors/sandbox/providers.hpp"
#include "connectors/sandbox/smsc.hpp"
#include "connectors/sandbox/smtp_server.hpp"
#include "crypto/secret.hpp"

namespace postern::sandbox {
namespace {

Result<std::string> word_of(const Bank& bank, const char* name) {
  const Result<Secret> word = read_secret_file(bank.path(std::string("secrets/") + name).c_str(), 64 * 1024);
  if (!word) return fail(word.what());
  return std::string(word->text());
}

class World {
 public:
  World(Loop& loop, const Bank& bank) : loop_(loop), bank_(bank) {}

  Status open(Phones phones) {
    const Result<Ports> ports = bank_.ports();
    if (!ports) return fail(ports.what());
    Result<std::unique_ptr<Handsets>> handsets =
        Handsets::open(phones == Phones::recorded ? bank_.path("phones.jsonl") : "", bank_.path("answers.json"));
    if (!handsets) return fail(handsets.what());
    handsets_ = std::move(*handsets);
    if (const Status open = open_smsc(ports->network_a, kNetworkA, "smsc-a.password", network_a_); !open) return open;
    if (const Status open = open_smsc(ports->network_b, kNetworkB, "smsc-b.password", network_b_); !open) return open;
    if (const Status open = open_providers(*ports); !open) return open;
    return open_relay(*ports);
  }

 private:
  Status open_smsc(std::uint16_t port, std::string_view network, const char* password, std::unique_ptr<Smsc>& to) {
    SmscOptions options;
    options.port = port;
    options.tls = {.certificate = bank_.path("pki/smsc.pem"),
                   .key = bank_.path("pki/smsc.key"),
                   .ca = bank_.path("pki/ca.pem"),
                   .crl = bank_.path("pki/crl.pem")};
    options.system_id = kSmscAccount;
    const Result<std::string> word = word_of(bank_, password);
    if (!word) return fail(word.what());
    options.password = *word;
    options.network = network;
    Result<std::unique_ptr<Smsc>> smsc = Smsc::open(loop_, std::move(options), handsets_.get());
    if (!smsc) return fail(smsc.what());
    to = std::move(*smsc);
    return {};
  }

  Status open_providers(const Ports& ports) {
    Result<std::unique_ptr<BankApp>> app = BankApp::make(loop_, bank_, ports.https);
    if (!app) return fail(app.what());
    app_ = std::move(*app);
    ProviderOptions options;
    options.port = ports.providers;
    options.certificate = bank_.path("pki/providers.pem");
    options.key = bank_.path("pki/providers.key");
    for (const auto& [name, to] : {std::pair{"fcm-service-account.json", &options.service_account},
                                   {"whatsapp.token", &options.whatsapp_token},
                                   {"whatsapp.app-secret", &options.app_secret}}) {
      Result<std::string> word = word_of(bank_, name);
      if (!word) return fail(word.what());
      *to = std::move(*word);
    }
    options.phone_number_id = kPhoneNumberId;
    options.hook_url = fmt::format("https://127.0.0.1:{}/hooks/whatsapp", ports.hook);
    options.hook_ca = bank_.path("pki/ca.pem");
    options.app_acknowledges = [this](const std::string& id, const std::string& status) {
      app_->acknowledge(id, status);
    };
    Result<std::unique_ptr<Providers>> providers = Providers::open(loop_, std::move(options), *handsets_);
    if (!providers) return fail(providers.what());
    providers_ = std::move(*providers);
    return {};
  }

  Status open_relay(const Ports& ports);

  Loop& loop_;
  const Bank& bank_;
  std::unique_ptr<Handsets> handsets_;
  std::unique_ptr<Smsc> network_a_, network_b_;
  std::unique_ptr<BankApp> app_;
  std::unique_ptr<Providers> providers_;
  std::unique_ptr<SmtpServer> relay_;
};

Status World::open_relay(const Ports& ports) {
  SmtpServerOptions options;
  options.port = ports.smtp;
  options.tls = {.certificate = bank_.path("pki/smtp.pem"), .key = bank_.path("pki/smtp.key"), .ca = {}, .crl = {}};
  options.user = kMailAccount;
  Result<Secret> password = read_secret_file(bank_.path("secrets/smtp.password").c_str(), 4096);
  if (!password) return fail(password.what());
  options.password = std::move(*password);
  Result<std::unique_ptr<SmtpServer>> relay = SmtpServer::start(loop_, std::move(options), *handsets_);
  if (!relay) return fail(relay.what());
  relay_ = std::move(*relay);
  return {};
}

}  // namespace

Status run_world(const Bank& bank, Phones phones) {
  std::signal(SIGPIPE, SIG_IGN);
  log::open("world");
  Loop loop;
  Signal terminate(loop, SIGTERM, [&] { loop.stop(); });
  Signal interrupt(loop, SIGINT, [&] { loop.stop(); });
  World world(loop, bank);
  if (const Status open = world.open(phones); !open) return open;
  const std::string ready = bank.path(std::string(kWorldReady));
  if (const Status told = write_file(ready, std::to_string(getpid()) + "\n", 0644); !told) return told;
  log::info("sandbox.world", "two SMS centres, push, WhatsApp and the mail relay serve");
  loop.run();
  std::remove(ready.c_str());
  return {};
}

}  // namespace postern::sandbox
