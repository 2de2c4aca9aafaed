// SPDX-License-Identifier: Apache-2.0
// What can be tried in the sandbox bank: the portability table, customers, and requests to post. The last
// two digits of a number, and the first word of a token, choose what becomes of a message (behaviour.hpp).
#include "connectors/sandbox/bank.hpp"

namespace postern::sandbox {
namespace {

constexpr std::string_view kNumbers = R"(kind,number,network,date
# Ranges of Ukraine; 25501 and 25503 have an SMS centre here.
range,38050,25501,
range,38066,25501,
range,38095,25501,
range,38099,25501,
range,38067,25503,
range,38068,25503,
range,38096,25503,
range,38097,25503,
range,38098,25503,
range,38063,25506,
range,38073,25506,
range,38093,25506,
# Numbers that their owners took to another network.
ported,380501000004,25503,2025-03-14
ported,380661000020,25503,2024-11-02
ported,380671000021,25501,2026-01-30
ported,380631000022,25501,2023-06-17
)";

constexpr std::string_view kCustomers = R"([
  {"reference": "C-1001", "name": "Olena", "locale": "uk-UA", "phone": "+380671000001", "email": "olena@customer.example", "push": "olena-phone",
   "note": "push arrives"},
  {"reference": "C-1002", "name": "Taras", "locale": "uk-UA", "phone": "+380671000002", "push": "dead-taras",
   "note": "removed the app; WhatsApp arrives"},
  {"reference": "C-1003", "name": "Iryna", "locale": "uk-UA", "phone": "+380501000010", "push": "dead-iryna",
   "note": "removed the app, has no WhatsApp; SMS arrives"},
  {"reference": "C-1004", "name": "Andriy", "locale": "en", "phone": "+380501000004",
   "note": "took the number from network 25501 to 25503"},
  {"reference": "C-1005", "name": "Kateryna", "locale": "uk-UA", "phone": "+380671000005",
   "note": "an ordinary number"},
  {"reference": "C-1006", "name": "Zofia", "locale": "pl-PL", "phone": "+380671000006", "email": "zofia@customer.example",
   "note": "reads Polish"},
  {"reference": "C-1007", "name": "Marta", "locale": "en", "phone": "+380671000016",
   "note": "reads everything and answers YES"},
  {"reference": "C-1008", "name": "Petro", "locale": "en", "phone": "+380671000017",
   "note": "the handset is off"}
]
)";

constexpr std::string_view kPush = R"({
  "category": "transaction", "template": "payment", "reference": "try-push",
  "recipient": {"reference": "C-1001", "phone": "+380671000001", "locale": "uk-UA",
                "push": [{"token": "olena-phone", "platform": "fcm"}]},
  "variables": {"amount": "1 250,00 UAH", "payee": "Kyivvodokanal", "balance": "8 430,15 UAH", "date": "22.11.2026"}
}
)";

constexpr std::string_view kDeadPush = R"({
  "category": "transaction", "template": "payment", "reference": "try-dead-push",
  "recipient": {"reference": "C-1002", "phone": "+380671000002", "locale": "uk-UA",
                "push": [{"token": "dead-taras", "platform": "fcm"}]},
  "variables": {"amount": "310,00 UAH", "payee": "Nova Poshta", "balance": "2 114,80 UAH", "date": "22.11.2026"}
}
)";

constexpr std::string_view kUnreachable = R"({
  "category": "transaction", "template": "payment", "reference": "try-no-whatsapp",
  "recipient": {"reference": "C-1003", "phone": "+380501000010", "locale": "en",
                "push": [{"token": "dead-iryna", "platform": "fcm"}]},
  "variables": {"amount": "75.00 UAH", "payee": "Silpo", "balance": "640.20 UAH", "date": "2026-11-22"}
}
)";

constexpr std::string_view kPorted = R"({
  "category": "transaction", "template": "payment", "scenario": "sms", "reference": "try-ported",
  "recipient": {"reference": "C-1004", "phone": "+380501000004", "locale": "en"},
  "variables": {"amount": "20.00 UAH", "payee": "Metro", "balance": "199.00 UAH", "date": "2026-11-22"}
}
)";

constexpr std::string_view kLong = R"({
  "category": "transaction", "template": "payment", "scenario": "sms", "reference": "try-long",
  "recipient": {"reference": "C-1005", "phone": "+380671000005", "locale": "uk-UA"},
  "variables": {"amount": "4 999,00 UAH", "payee": "Книгарня Є", "balance": "12 050,40 UAH", "date": "22.11.2026"}
}
)";

constexpr std::string_view kMail = R"({
  "category": "service", "template": "statement", "reference": "try-email",
  "recipient": {"reference": "C-1006", "email": "zofia@customer.example", "locale": "pl-PL"},
  "variables": {"name": "Zofia", "month": "październik", "link": "https://bank.example/s/2026-10"}
}
)";

constexpr std::string_view kAlert = R"({
  "category": "security", "template": "card-alert", "reference": "try-alert",
  "recipient": {"reference": "C-1007", "phone": "+380671000016", "locale": "en"},
  "variables": {"card": "4512", "amount": "12 400,00 UAH", "merchant": "Electronics Online"}
}
)";

constexpr std::string_view kOtp = R"({
  "category": "otp", "template": "otp", "scenario": "sms", "reference": "try-otp", "deadline": "5m",
  "recipient": {"reference": "C-1005", "phone": "+380671000005", "locale": "uk-UA"},
  "variables": {"code": "481516", "minutes": "5"}
}
)";

// A campaign: one message a line, to ordinary numbers of network 25503.
std::string campaign() {
  std::string out;
  for (int i = 0; i < 120; ++i) {
    const std::string number = std::to_string(380672000000LL + i * 100 + 30 + i % 60);
    out += R"({"category": "marketing", "template": "offer", "reference": "try-campaign-)" + std::to_string(i + 1) +
           R"(", "recipient": {"phone": "+)" + number +
           R"(", "locale": "uk-UA"}, "variables": {"rate": "15,5", "link": "https://bank.example/d"}})" + "\n";
  }
  return out;
}

}  // namespace

std::vector<BankFile> example_files() {
  const auto file = [](const char* path, std::string_view content) { return BankFile{path, std::string(content)}; };
  return {file("numbers.csv", kNumbers),
          file("customers.json", kCustomers),
          file("requests/push.json", kPush),
          file("requests/dead-push.json", kDeadPush),
          file("requests/no-whatsapp.json", kUnreachable),
          file("requests/ported.json", kPorted),
          file("requests/long-sms.json", kLong),
          file("requests/email.json", kMail),
          file("requests/alert.json", kAlert),
          file("requests/otp.json", kOtp),
          {"requests/campaign.ndjson", campaign()}};
}

}  // namespace postern::sandbox
