// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/hook/whatsapp.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "connectors/sources/hook/query.hpp"
#include "connectors/sources/hook/signature.hpp"
#include "connectors/sources/json/document.hpp"
#include "crypto/bytes.hpp"

namespace postern::hook {
namespace {

constexpr std::size_t kMaxBody = 4 * 1024 * 1024, kMaxId = 512, kMaxText = 64 * 1024, kMaxChallenge = 256;
constexpr std::string_view kSignature = "x-hub-signature-256";

// Seconds, written as text by this provider; 0 for anything else.
std::uint64_t time_ms(json::Value timestamp) {
  const std::string_view text = timestamp.text();
  std::uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr std::uint64_t year_3000 = 32'503'680'000;
  if (error != std::errc{} || end != text.data() + text.size() || seconds > year_3000) return 0;
  return seconds * 1000;
}

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxId && std::ranges::all_of(id, [](char c) { return c > 0x20 && c < 0x7f; });
}

wire::Progress progress_of(std::string_view status) {
  if (status == "sent") return wire::SENT;
  if (status == "delivered") return wire::DELIVERED;
  if (status == "read" || status == "played") return wire::READ;
  if (status == "failed") return wire::REFUSED;
  return wire::PROGRESS_UNSET;
}

void read_status(json::Value status, HookFacts& facts) {
  const std::string_view id = status.find("id").text();
  const wire::Progress progress = progress_of(status.find("status").text());
  if (!is_id(id) || progress == wire::PROGRESS_UNSET) {
    ++facts.unknown;
    return;
  }
  wire::Receipt& receipt = facts.receipts.emplace_back();
  receipt.set_provider_id(std::string(id));
  receipt.set_progress(progress);
  receipt.set_at_ms(time_ms(status.find("timestamp")));
  wire::Attempt attempt;
  if (read_echo(status.find("biz_opaque_callback_data").text(), attempt)) *receipt.mutable_attempt() = attempt;
  if (progress == wire::REFUSED) {
    const std::optional<std::int64_t> code = status.find("errors").first().find("code").integer();
    receipt.set_reason(code && *code >= 0 ? "wa-" + std::to_string(*code) : "wa-failed");
  }
}

// What the customer said or pressed, by the message's type. False: a type that is no answer to us.
bool read_content(json::Value message, wire::Reply& reply) {
  const std::string_view type = message.find("type").text();
  const json::Value content = message.find(type);
  const auto said = [&](json::Value text, json::Value payload) {
    reply.set_text(std::string(text.text()));
    reply.set_payload(std::string(payload.text()));
    return true;
  };
  if (type == "text") return said(content.find("body"), {});
  if (type == "button") return said(content.find("text"), content.find("payload"));
  if (type == "interactive") {
    const json::Value pressed = content.find(content.find("type").text());
    if (pressed.find("response_json")) return said(pressed.find("body"), pressed.find("response_json"));
    return said(pressed.find("title"), pressed.find("id"));
  }
  if (type == "reaction") {
    reply.set_context_id(std::string(content.find("message_id").text()));
    return said(content.find("emoji"), {});
  }
  constexpr std::array<std::string_view, 7> media{"image",   "video",    "audio",   "document",
                                                  "sticker", "location", "contacts"};
  if (std::ranges::find(media, type) != media.end()) return said(content.find("caption"), {});
  return false;
}

void read_message(json::Value message, HookFacts& facts) {
  wire::Reply reply;
  const std::string_view id = message.find("id").text();
  // A customer who hides the number is known by the business-scoped user id alone.
  std::string_view from = message.find("from").text();
  if (from.empty()) from = message.find("from_user_id").text();
  reply.set_context_id(std::string(message.find("context").find("id").text()));
  if (!is_id(id) || !is_id(from) || !read_content(message, reply) || reply.text().size() > kMaxText ||
      reply.payload().size() > kMaxText || reply.context_id().size() > kMaxId) {
    ++facts.unknown;
    return;
  }
  reply.set_provider_id(std::string(id));
  reply.set_channel("whatsapp");
  reply.set_from(std::string(from));
  reply.set_at_ms(time_ms(message.find("timestamp")));
  facts.replies.push_back(std::move(reply));
}

template <class Read>
void each(json::Value list, HookFacts& facts, Read read) {
  if (!list) return;
  if (!list.is(json::Kind::array)) {
    ++facts.unknown;
    return;
  }
  for (json::Value item = list.first(); item; item = item.next()) read(item);
}

class WhatsappHook final : public HookKind {
 public:
  WhatsappHook(Secret app_secret, Secret previous, Secret verify_token)
      : app_secret_(std::move(app_secret)), previous_(std::move(previous)), verify_token_(std::move(verify_token)) {}

  http::Response challenge(const http::Request& request) const override {
    const auto mode = query_value(request.query, "hub.mode");
    const auto token = query_value(request.query, "hub.verify_token");
    const auto answer = query_value(request.query, "hub.challenge");
    const auto plain = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
    };
    // The challenge is given back, so nothing but a plain word may be in it.
    if (!mode || *mode != "subscribe" || !token || !verify_token_.equals(as_bytes(*token)) || !answer ||
        answer->empty() || answer->size() > kMaxChallenge || !std::ranges::all_of(*answer, plain))
      return http::problem(403, "verification-refused", "The mode, the token or the challenge is not as agreed.");
    http::Response response;
    response.type = http::kPlainText;
    response.body = *answer;
    return response;
  }

  Proof proof(const http::Request& request) const override {
    if (!request.has_field(kSignature)) return Proof::missing;
    const std::string_view header = request.field(kSignature);  // the parser has refused a second one
    const bool good = hub_signature_good(app_secret_, header, request.body) ||
                      (!previous_.empty() && hub_signature_good(previous_, header, request.body));
    return good ? Proof::good : Proof::bad;
  }

  Result<HookFacts> read(std::string_view body) const override { return read_whatsapp_webhook(body); }

 private:
  Secret app_secret_, previous_, verify_token_;
};

}  // namespace

bool read_echo(std::string_view text, wire::Attempt& attempt) {
  constexpr std::size_t kHex = 16, kMostDigits = 10;
  if (text.size() < kHex + 2 || text.size() > kHex + 1 + kMostDigits || text[kHex] != '-') return false;
  if (!std::ranges::all_of(text.substr(0, kHex),
                           [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }))
    return false;
  std::uint64_t message = 0;
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + kHex, message, 16);
  const std::string_view digits = text.substr(kHex + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return false;
  if (digits.size() > 1 && digits.front() == '0') return false;  // one attempt has one writing
  attempt.set_message(message);
  attempt.set_number(number);
  return true;
}

Result<HookFacts> read_whatsapp_webhook(std::string_view body) {
  json::Document document;
  if (const auto error = document.parse(body, kMaxBody)) return fail("the body is no JSON document: " + error->code);
  if (!document.root().is(json::Kind::object)) return fail("the body is no JSON object");
  HookFacts facts;
  each(document.root().find("entry"), facts, [&](json::Value entry) {
    each(entry.find("changes"), facts, [&](json::Value change) {
      if (change.find("field").text() != "messages") {
        ++facts.unknown;
        return;
      }
      const json::Value value = change.find("value");
      each(value.find("statuses"), facts, [&](json::Value status) { read_status(status, facts); });
      each(value.find("messages"), facts, [&](json::Value message) { read_message(message, facts); });
    });
  });
  return facts;
}

std::unique_ptr<HookKind> make_whatsapp_hook(Section& section) {
  Secret app_secret = section.credential("app_secret");
  std::optional<Secret> previous = section.optional_credential("app_secret_previous");
  Secret verify_token = section.credential("verify_token");
  // Empty, they would be known to everybody.
  if (section.has("app_secret") && app_secret.empty()) section.fault("app_secret", "'app_secret': the file is empty");
  if (section.has("verify_token") && verify_token.empty())
    section.fault("verify_token", "'verify_token': the file is empty");
  return std::make_unique<WhatsappHook>(std::move(app_secret), previous ? std::move(*previous) : Secret(),
                                        std::move(verify_token));
}

}  // namespace postern::hook
