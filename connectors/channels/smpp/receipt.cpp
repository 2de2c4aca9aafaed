// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/receipt.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "connectors/channels/smpp/encoding.hpp"

namespace postern::smpp {
namespace {

// A receipt has seven short fields; a longer text in front of `text:` is not one.
constexpr std::size_t kMaxReceiptText = 1024;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }
bool is_alnum(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0'; }
bool is_visible(char c) { return c > ' ' && c < 0x7f; }
bool is_id(char c) { return is_alnum(c) || c == '.' || c == '_' || c == ':' || c == '-'; }

bool same(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

// Where `key` stands as a field: at the start or behind a blank. Text behind `text:` is cut off before.
std::size_t find_field(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at + key.size() <= text.size(); ++at) {
    if ((at == 0 || is_blank(text[at - 1])) && same(text.substr(at, key.size()), key)) return at;
  }
  return std::string_view::npos;
}

// The value behind `key`: up to the next blank.
std::string_view field(std::string_view text, std::string_view key) {
  const std::size_t at = find_field(text, key);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + key.size());
  return text.substr(0, static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_blank) - text.begin()));
}

// All of `value` when every character fits, else nothing.
std::string_view only(std::string_view value, bool (*fits)(char), std::size_t longest) {
  return value.size() <= longest && std::all_of(value.begin(), value.end(), fits) ? value : std::string_view{};
}

std::optional<MessageState> state_of(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, MessageState>, 30> kWords = {{
      {"DELIVRD", MessageState::delivered},
      {"DELIVERED", MessageState::delivered},
      {"DELIVERD", MessageState::delivered},
      {"EXPIRED", MessageState::expired},
      {"DELETED", MessageState::deleted},
      {"CANCELED", MessageState::deleted},
      {"CANCELLED", MessageState::deleted},
      {"UNDELIV", MessageState::undeliverable},
      {"UNDELIVERED", MessageState::undeliverable},
      {"UNDELIVERABLE", MessageState::undeliverable},
      {"UNDLVRD", MessageState::undeliverable},
      {"FAILED", MessageState::undeliverable},
      {"FAIL", MessageState::undeliverable},
      {"ACCEPTD", MessageState::accepted},
      {"ACCEPTED", MessageState::accepted},
      {"ACKED", MessageState::accepted},
      {"UNKNOWN", MessageState::unknown},
      {"REJECTD", MessageState::rejected},
      {"REJECTED", MessageState::rejected},
      {"BLOCKED", MessageState::rejected},
      {"ENROUTE", MessageState::enroute},
      {"EN_ROUTE", MessageState::enroute},
      {"BUFFRED", MessageState::enroute},
      {"BUFFERED", MessageState::enroute},
      {"SENT", MessageState::enroute},
      {"PENDING", MessageState::enroute},
      {"SCHEDLD", MessageState::scheduled},
      {"SCHEDULED", MessageState::scheduled},
      {"SKIPPED", MessageState::skipped},
      {"UNDELIVRD", MessageState::undeliverable},
  }};
  for (const auto& [name, state] : kWords) {
    if (same(word, name)) return state;
  }
  return std::nullopt;
}

int number(std::string_view digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// YYMMDDhhmm, YYMMDDhhmmss or YYYYMMDDhhmmss; all zeros and anything impossible give nothing.
std::optional<std::int64_t> date(std::string_view digits, int offset_s) {
  if (digits.size() != 10 && digits.size() != 12 && digits.size() != 14) return std::nullopt;
  if (!std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  const std::size_t year_digits = digits.size() == 14 ? 4 : 2;
  const int year = number(digits.substr(0, year_digits)) + (year_digits == 2 ? 2000 : 0);
  digits.remove_prefix(year_digits);
  const auto two = [&](std::size_t at) { return number(digits.substr(at, 2)); };
  const int second = digits.size() == 10 ? two(8) : 0;
  using namespace std::chrono;
  const year_month_day day{std::chrono::year{year}, month{static_cast<unsigned>(two(0))},
                           std::chrono::day{static_cast<unsigned>(two(2))}};
  if (!day.ok() || two(4) > 23 || two(6) > 59 || second > 60) return std::nullopt;
  const sys_seconds instant = sys_days{day} + hours{two(4)} + minutes{two(6)} + seconds{second - offset_s};
  return instant.time_since_epoch().count();
}

// Some SMS centres write receipts in UCS-2.
std::string as_plain(const Pdu& pdu) {
  ByteView content = pdu.content();
  if ((pdu.esm_class & esm::kUdhi) != 0) {
    if (const auto header = read_header(content)) content = content.subspan(header->size);
  }
  content = content.first(std::min(content.size(), kMaxReceiptText));
  if (pdu.data_coding == 0x08) return decode_text(content, {.data_coding = 0x08}).value_or("");
  // Its own words are ASCII in every other coding, but for '_' (0x11 in the GSM alphabet), which may
  // stand in an id.
  std::string text(as_text(content));
  if (pdu.data_coding == 0) std::replace(text.begin(), text.end(), '\x11', '_');
  return text;
}

bool known_state(std::uint64_t value) { return value <= static_cast<std::uint64_t>(MessageState::skipped); }

}  // namespace

bool is_final(MessageState state) {
  switch (state) {
    case MessageState::scheduled:
    case MessageState::enroute:
    case MessageState::accepted:
      return false;
    case MessageState::delivered:
    case MessageState::expired:
    case MessageState::deleted:
    case MessageState::undeliverable:
    case MessageState::unknown:
    case MessageState::rejected:
    case MessageState::skipped:
      return true;
  }
  return false;
}

std::string_view state_word(MessageState state) {
  switch (state) {
    case MessageState::scheduled:
      return "scheduled";
    case MessageState::enroute:
      return "enroute";
    case MessageState::delivered:
      return "delivered";
    case MessageState::expired:
      return "expired";
    case MessageState::deleted:
      return "deleted";
    case MessageState::undeliverable:
      return "undeliverable";
    case MessageState::accepted:
      return "accepted";
    case MessageState::unknown:
      return "unknown";
    case MessageState::rejected:
      return "rejected";
    case MessageState::skipped:
      return "skipped";
  }
  return "";
}

ReceiptText read_receipt_text(std::string_view text, int offset_s) {
  text = text.substr(0, kMaxReceiptText);
  text = text.substr(0, find_field(text, "text:"));
  ReceiptText read;
  read.id = only(field(text, "id:"), is_id, 64);
  read.state = state_of(field(text, "stat:"));
  read.error = only(field(text, "err:"), is_alnum, 8);
  std::string_view done = field(text, "done date:");
  if (done.empty()) done = field(text, "donedate:");
  read.done_s = date(done, offset_s);
  return read;
}

std::string canonical_id(std::string_view id, IdFormat format) {
  const bool hex = format == IdFormat::hex;
  if (format == IdFormat::as_is || id.empty() || id.size() > 16 ||
      !std::all_of(id.begin(), id.end(), hex ? is_hex : is_digit))
    return std::string(id);
  std::uint64_t value = 0;
  std::from_chars(id.data(), id.data() + id.size(), value, hex ? 16 : 10);
  return std::to_string(value);
}

Inbound read_inbound(const Pdu& pdu, const ReceiptOptions& options, DeliveryReceipt& out) {
  const unsigned type = pdu.esm_class & esm::kTypeMask;
  if (type == 0 && !options.accept_plain) return Inbound::message;

  const std::string plain = as_plain(pdu);
  const ReceiptText text = read_receipt_text(plain, options.offset_s);
  const std::optional<std::string_view> id = pdu.tlvs.text(tag::kReceiptedMessageId);
  const std::optional<std::uint64_t> state = pdu.tlvs.number(tag::kMessageState);

  // Without its flag only a whole receipt counts: a customer may well write "id:77".
  const bool whole = (id && state) || (!text.id.empty() && text.state);
  if (type == 0 && !whole) return Inbound::message;

  const std::string_view chosen = id && !id->empty() ? only(*id, is_visible, 64) : text.id;
  out = DeliveryReceipt{};
  out.id = canonical_id(chosen, options.id_format);
  if (state && known_state(*state))
    out.state = static_cast<MessageState>(*state);
  else if (text.state)
    out.state = *text.state;
  else if (type == esm::kIntermediate)
    out.state = MessageState::enroute;
  else
    return Inbound::broken_receipt;
  if (out.id.empty()) return Inbound::broken_receipt;
  out.error = std::string(text.error);
  // network type, then the code; some vendors send a third octet of it.
  const std::optional<ByteView> network = pdu.tlvs.find(tag::kNetworkError);
  if (out.error.empty() && network && (network->size() == 3 || network->size() == 4)) {
    std::uint32_t code = 0;
    for (const std::uint8_t octet : network->subspan(1)) code = (code << 8) | octet;
    out.error = std::to_string(code);
  }
  if (text.done_s) out.done_ms = *text.done_s * 1000;
  return Inbound::receipt;
}

}  // namespace postern::smpp
