// SPDX-License-Identifier: Apache-2.0
// The vault's configuration of the sandbox bank: posternd.toml, scenarios and templates.
#include <fmt/core.h>

#include "connectors/sandbox/bank.hpp"

namespace postern::sandbox {
namespace {

constexpr std::string_view kOtpScenario = R"(# SPDX-License-Identifier: Apache-2.0
# A one-time code: quick steps, and nothing after five minutes.
name = "otp"
categories = ["otp"]
deadline = "5m"

[[steps]]
channel = "push"
wait = "5s"

[[steps]]
channel = "whatsapp"
wait = "10s"

[[steps]]
channel = "sms"
text = "short"
)";

constexpr std::string_view kPapersScenario = R"(# SPDX-License-Identifier: Apache-2.0
# Papers that a customer still owes: nothing for three days, then a reminder, another after two days; the upload ends it.
name = "papers"
categories = ["service"]
deadline = "14d"
stop_on = ["upload"]

[[steps]]
pause = "3d"

[[steps]]
channel = "push"
wait = "2d"

[[steps]]
channel = "sms"
)";

constexpr std::string_view kOfferScenario = R"(# SPDX-License-Identifier: Apache-2.0
# What a customer reads best when he is with the bank anyway: just after his next payment by card, in three days at the latest.
name = "offer"
categories = ["service", "marketing"]
deadline = "1d"
start_on = ["card-payment"]
start_by = "3d"

[[steps]]
channel = "push"
wait = "10m"

[[steps]]
channel = "sms"
)";

constexpr std::string_view kAlertScenario = R"(# SPDX-License-Identifier: Apache-2.0
# A suspicious charge: ask, one way after the other, until the customer has answered.
name = "alert"
categories = ["security"]
deadline = "30m"

[[steps]]
channel = "whatsapp"
until = "replied"
wait = "20s"

[[steps]]
channel = "sms"
until = "replied"
)";

constexpr std::string_view kPaymentScenario = R"(# SPDX-License-Identifier: Apache-2.0
# What happened on the account.
name = "payment"
categories = ["transaction"]
deadline = "24h"

[[steps]]
channel = "push"
wait = "5s"

[[steps]]
channel = "whatsapp"
wait = "15s"

[[steps]]
channel = "sms"
)";

constexpr std::string_view kStatementScenario = R"(# SPDX-License-Identifier: Apache-2.0
name = "statement"
categories = ["service"]
deadline = "3d"

[[steps]]
channel = "email"
until = "sent"
)";

constexpr std::string_view kCampaignScenario = R"(# SPDX-License-Identifier: Apache-2.0
name = "campaign"
categories = ["marketing"]
deadline = "24h"

[[steps]]
channel = "sms"
)";

constexpr std::string_view kSmsScenario = R"(# SPDX-License-Identifier: Apache-2.0
# SMS alone, for any category.
name = "sms"
deadline = "24h"

[[steps]]
channel = "sms"
)";

constexpr std::string_view kCarefulScenario = R"(# SPDX-License-Identifier: Apache-2.0
# Three ways one after the other, slowly: a receipt that comes late still stops what is left.
name = "careful"
deadline = "24h"

[[steps]]
channel = "push"
wait = "3s"

[[steps]]
channel = "sms"
wait = "20s"

[[steps]]
channel = "email"
until = "sent"
)";

constexpr std::string_view kOtpTemplate = R"(# SPDX-License-Identifier: Apache-2.0
name = "otp"
categories = ["otp"]
default_locale = "en"

[placeholders]
code = "digits"
minutes = "digits"

[locales.en]
text = "Your confirmation code is {{code}}. It is good for {{minutes}} minutes. Never tell it to anybody, not even to us."
[locales.en.push]
subject = "Confirmation code"
text = "{{code}} is your code for the next {{minutes}} minutes."
[locales.en.whatsapp]
template = "otp_code"
language = "en"
parameters = ["code"]
[locales.en.short]
text = "Code {{code}}, good for {{minutes}} min. Tell nobody."

[locales.uk]
text = "Ваш код підтвердження {{code}}. Він дійсний {{minutes}} хв. Нікому його не кажіть, навіть нам."
[locales.uk.push]
subject = "Код підтвердження"
text = "{{code}}: ваш код на наступні {{minutes}} хв."
[locales.uk.whatsapp]
template = "otp_code"
language = "uk"
parameters = ["code"]
[locales.uk.short]
text = "Код {{code}}, дійсний {{minutes}} хв. Нікому не кажіть."

[locales.pl]
text = "Twój kod potwierdzenia to {{code}}. Jest ważny {{minutes}} min. Nie podawaj go nikomu, nawet nam."
[locales.pl.push]
subject = "Kod potwierdzenia"
text = "{{code}} to Twój kod na najbliższe {{minutes}} min."
[locales.pl.whatsapp]
template = "otp_code"
language = "pl"
parameters = ["code"]
[locales.pl.short]
text = "Kod {{code}}, ważny {{minutes}} min. Nie podawaj go nikomu."
)";

constexpr std::string_view kAlertTemplate = R"(# SPDX-License-Identifier: Apache-2.0
name = "card-alert"
categories = ["security"]
default_locale = "en"

[placeholders]
card = "digits"
amount = "amount"
merchant = "text"

[locales.en]
text = "Card *{{card}}: {{amount}} at {{merchant}}. Was it you? Answer YES or NO."
[locales.en.push]
subject = "Was it you?"
text = "Card *{{card}}: {{amount}} at {{merchant}}."
[locales.en.whatsapp]
template = "card_alert"
language = "en"
parameters = ["card", "amount", "merchant"]
[locales.en.email]
subject = "Was it you?"
text = "Card *{{card}}: {{amount}} at {{merchant}}. If it was not you, call us."

[locales.uk]
text = "Картка *{{card}}: {{amount}}, {{merchant}}. Це були ви? Відповідайте YES або NO."
[locales.uk.push]
subject = "Це були ви?"
text = "Картка *{{card}}: {{amount}}, {{merchant}}."
[locales.uk.whatsapp]
template = "card_alert"
language = "uk"
parameters = ["card", "amount", "merchant"]

[locales.pl]
text = "Karta *{{card}}: {{amount}}, {{merchant}}. Czy to Ty? Odpowiedz YES albo NO."
[locales.pl.whatsapp]
template = "card_alert"
language = "pl"
parameters = ["card", "amount", "merchant"]
)";

constexpr std::string_view kPaymentTemplate = R"(# SPDX-License-Identifier: Apache-2.0
name = "payment"
categories = ["transaction", "service"]
default_locale = "en"

[placeholders]
amount = "amount"
payee = "text"
balance = "amount"
date = "date"

[locales.en]
text = "{{date}}: {{amount}} paid to {{payee}}. Balance {{balance}}."
[locales.en.push]
subject = "Payment {{amount}}"
text = "To {{payee}}. Balance {{balance}}."
[locales.en.whatsapp]
template = "payment"
language = "en"
parameters = ["amount", "payee", "balance"]
[locales.en.email]
subject = "Payment {{amount}}"
text = "{{date}}: {{amount}} paid to {{payee}}. Balance {{balance}}."

[locales.uk]
text = "{{date}}: з вашого рахунку сплачено {{amount}}, отримувач {{payee}}. Залишок на рахунку {{balance}}. Якщо ви не робили цього платежу, негайно зателефонуйте до банку за номером на звороті картки."
[locales.uk.push]
subject = "Платіж {{amount}}"
text = "Отримувач {{payee}}. Залишок {{balance}}."
[locales.uk.whatsapp]
template = "payment"
language = "uk"
parameters = ["amount", "payee", "balance"]

[locales.pl]
text = "{{date}}: zapłacono {{amount}}, odbiorca {{payee}}. Saldo {{balance}}."
[locales.pl.push]
subject = "Płatność {{amount}}"
text = "Odbiorca {{payee}}. Saldo {{balance}}."
[locales.pl.whatsapp]
template = "payment"
language = "pl"
parameters = ["amount", "payee", "balance"]
)";

constexpr std::string_view kStatementTemplate = R"(# SPDX-License-Identifier: Apache-2.0
name = "statement"
categories = ["service"]
default_locale = "en"

[placeholders]
name = "text"
month = "text"
link = "url"

[locales.en]
text = "Dear {{name}}, your statement for {{month}} is ready: {{link}}"
[locales.en.email]
subject = "Your statement for {{month}}"
text = "Dear {{name}},\n\nyour statement for {{month}} is ready:\n{{link}}\n\nYour bank"
html = "<p>Dear {{name}},</p><p>your statement for {{month}} is <a href=\"{{link}}\">ready</a>.</p><p>Your bank</p>"

[locales.uk]
text = "{{name}}, ваша виписка за {{month}} готова: {{link}}"
[locales.uk.email]
subject = "Ваша виписка за {{month}}"
text = "{{name}},\n\nваша виписка за {{month}} готова:\n{{link}}\n\nВаш банк"
html = "<p>{{name}},</p><p>ваша виписка за {{month}} <a href=\"{{link}}\">готова</a>.</p><p>Ваш банк</p>"

[locales.pl]
text = "{{name}}, wyciąg za {{month}} jest gotowy: {{link}}"
[locales.pl.email]
subject = "Wyciąg za {{month}}"
text = "{{name}},\n\nwyciąg za {{month}} jest gotowy:\n{{link}}\n\nTwój bank"
)";

constexpr std::string_view kOfferTemplate = R"(# SPDX-License-Identifier: Apache-2.0
name = "offer"
categories = ["marketing"]
default_locale = "en"

[placeholders]
rate = "amount"
link = "url"

[locales.en]
text = "A deposit at {{rate}} percent until the end of the month: {{link}}"
[locales.uk]
text = "Депозит під {{rate}} % до кінця місяця: {{link}}"
[locales.pl]
text = "Lokata {{rate}} procent do końca miesiąca: {{link}}"
)";

std::string connector(std::string_view name, const std::string& user, std::string_view more) {
  return fmt::format("[connectors.{}]\nuser = \"{}\"\n{}\n", name, user, more);
}

std::string client(std::string_view name, std::string_view categories, std::string_view more) {
  return fmt::format("[clients.{0}]\nidentities = [\"spiffe://{1}/{0}\"]\ncategories = [{2}]\n{3}\n", name, kMailDomain,
                     categories, more);
}

std::string route(std::string_view channel, std::string_view connector, std::string_view price, std::string_view networks = {}) {
  return fmt::format("[[routes]]\nchannel = \"{}\"\nconnector = \"{}\"\nprice = \"{}\"\n{}\n", channel, connector, price, networks);
}

std::string posternd_toml(const Bank& bank, const std::string& user) {
  std::string out = fmt::format(R"(# SPDX-License-Identifier: Apache-2.0
# posternd's configuration in the sandbox. `postern config check FILE` says whether it is good,
# `postern config reload` puts changes into force.
state = "{0}/state"
anchor = "{0}/anchor"
bus = "{0}/run/bus.sock"
control = "{0}/run/control.sock"
scenarios = "scenarios"
templates = "templates"
audit_origin = "sandbox.{1}/postern/audit"
reserve_mib = 16
unlock_key = "{0}/secrets/unlock.key"
admins = ["{2}"]

)",
                                bank.folder(), kMailDomain, user);
  out +=
      "# Who may take which name on the bus. In the sandbox all are the same Unix user; a bank gives each its own.\n";
  out += connector("https", user, "") + connector("sql", user, "client = \"core-banking\"\n") +
         connector("hook", user, "speaks_for = [\"whatsapp\"]\n");
  out += connector("network-a", user, "channel = \"sms\"\n") + connector("network-b", user, "channel = \"sms\"\n");
  out += connector("push", user, "channel = \"push\"\n") + connector("whatsapp", user, "channel = \"whatsapp\"\n");
  out += connector("email", user, "channel = \"email\"\n");
  out += "# The bank's systems, known by the names in their certificates.\n";
  out += client("core-banking", R"("otp", "transaction", "service")", "recipients = true\n") +
         client("card-processing", R"("otp", "security")", "");
  out +=
      client("marketing", R"("marketing")", "") + client("mobile-app", R"("otp", "transaction")", "confirm = true\n");
  out += client("monitoring", "", "metrics = true\n");
  out += "# What each category uses unless the submit names another scenario.\n";
  for (const auto& [category, scenario] : {std::pair{"otp", "otp"},
                                           {"security", "alert"},
                                           {"transaction", "payment"},
                                           {"service", "statement"},
                                           {"marketing", "campaign"}})
    out += fmt::format("[categories.{}]\nscenario = \"{}\"\n", category, scenario);
  out += "\n# The first route that fits takes the message. A ported number goes to its new network's SMS centre. Prices are of one message, in the\n"
         "# bank's currency: reports of cost and of double contacts count them.\n";
  out += route("push", "push", "0.0002") + route("whatsapp", "whatsapp", "0.021") + route("email", "email", "0.0009");
  out += route("sms", "network-a", "0.034", fmt::format("networks = [\"{}\"]\n", kNetworkA));
  out += route("sms", "network-b", "0.038", fmt::format("networks = [\"{}\"]\n", kNetworkB));
  out += route("sms", "network-a", "0.052") + route("sms", "network-b", "0.055");
  return out;
}

}  // namespace

std::vector<BankFile> vault_files(const Bank& bank, const std::string& user) {
  const auto file = [](const char* path, std::string_view content) { return BankFile{path, std::string(content)}; };
  return {{"etc/posternd.toml", posternd_toml(bank, user)},
          file("etc/scenarios/otp.toml", kOtpScenario),
          file("etc/scenarios/alert.toml", kAlertScenario),
          file("etc/scenarios/papers.toml", kPapersScenario),
          file("etc/scenarios/offer.toml", kOfferScenario),
          file("etc/scenarios/payment.toml", kPaymentScenario),
          file("etc/scenarios/statement.toml", kStatementScenario),
          file("etc/scenarios/campaign.toml", kCampaignScenario),
          file("etc/scenarios/sms.toml", kSmsScenario),
          file("etc/scenarios/careful.toml", kCarefulScenario),
          file("etc/templates/otp.toml", kOtpTemplate),
          file("etc/templates/card-alert.toml", kAlertTemplate),
          file("etc/templates/payment.toml", kPaymentTemplate),
          file("etc/templates/statement.toml", kStatementTemplate),
          file("etc/templates/offer.toml", kOfferTemplate)};
}

}  // namespace postern::sandbox
