// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/messenger/whatsapp_message.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "connectors/sources/json/writer.hpp"

namespace postern::messenger {
namespace {

constexpr std::size_t kMaxText = 4096, kMaxParameter = 1024, kMaxCode = 15, kMaxParameters = 64;

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_number(std::string_view text) {
  return text.size() >= 7 && text.size() <= 15 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// A business-scoped user id, of customers who hide their number: "PL.1349...".
bool is_scoped_user(std::string_view text) {
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto word = [&](char c) { return upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return text.size() >= 4 && text.size() <= 128 && upper(text[0]) && upper(text[1]) && text[2] == '.' &&
         std::ranges::all_of(text.substr(3), word);
}

// Why a template's parameter would be refused, or empty.
std::string_view parameter_fault(const wire::Variable& parameter, bool named) {
  const std::string& value = parameter.value();
  if (named && parameter.name().empty()) return "wa-parameter-unnamed";
  if (value.empty()) return "wa-parameter-empty";
  if (characters(value) > kMaxParameter) return "wa-parameter-too-long";
  if (value.find_first_of("\r\n\t") != std::string::npos) return "wa-parameter-line-break";
  if (value.find("    ") != std::string::npos) return "wa-parameter-spaces";
  return {};
}

std::string_view fault_of(const wire::Deliver& deliver, const WhatsappOptions& options) {
  if (!is_number(deliver.address()) && !is_scoped_user(deliver.address())) return "wa-address-malformed";
  if (deliver.template_().empty()) {
    if (!options.free_text) return "wa-no-template";
    if (deliver.text().empty()) return "wa-text-empty";
    return characters(deliver.text()) > kMaxText ? "wa-text-too-long" : "";
  }
  if (deliver.language().empty()) return "wa-template-language-missing";
  if (static_cast<std::size_t>(deliver.parameter_size()) > kMaxParameters) return "wa-parameters-too-many";
  for (const wire::Variable& parameter : deliver.parameter())
    if (const std::string_view fault = parameter_fault(parameter, options.named_parameters); !fault.empty())
      return fault;
  if (deliver.category() == wire::OTP && options.otp_button) {
    if (deliver.parameter().empty()) return "wa-code-missing";
    if (characters(deliver.parameter(0).value()) > kMaxCode) return "wa-code-too-long";
  }
  return {};
}

void write_template(json::Writer& w, const wire::Deliver& deliver, const WhatsappOptions& options) {
  w.key("type").text("template").key("template").object();
  w.key("name").text(deliver.template_());
  w.key("language").object().key("code").text(deliver.language()).end_object();
  if (!deliver.parameter().empty()) {
    w.key("components").array();
    w.object().key("type").text("body").key("parameters").array();
    for (const wire::Variable& parameter : deliver.parameter()) {
      w.object().key("type").text("text");
      if (options.named_parameters) w.key("parameter_name").text(parameter.name());
      w.key("text").text(parameter.value()).end_object();
    }
    w.end_array().end_object();
    if (deliver.category() == wire::OTP && options.otp_button) {
      // Authentication templates: the copy-code or one-tap button carries the code a second time.
      w.object().key("type").text("button").key("sub_type").text("url").key("index").text("0");
      w.key("parameters").array();
      w.object().key("type").text("text").key("text").text(deliver.parameter(0).value()).end_object();
      w.end_array().end_object();
    }
    w.end_array();
  }
  w.end_object();
}

// Enough for every escape, so that the buffer never moves and leaves no copy behind.
std::size_t room_for(const wire::Deliver& deliver) {
  std::size_t content = deliver.text().size() + deliver.template_().size() + deliver.address().size();
  for (const wire::Variable& parameter : deliver.parameter())
    content += 2 * parameter.value().size() + parameter.name().size() + 64;
  return 1024 + content * 6;
}

}  // namespace

std::string echo_of(const wire::Attempt& attempt) {
  return fmt::format("{:016x}-{}", attempt.message(), attempt.number());
}

WhatsappMessage make_whatsapp_message(const wire::Deliver& deliver, const WhatsappOptions& options) {
  WhatsappMessage message;
  message.refused = fault_of(deliver, options);
  if (!message.refused.empty()) return message;
  message.body.reserve(room_for(deliver));
  json::Writer w(message.body);
  w.object().key("messaging_product").text("whatsapp").key("recipient_type").text("individual");
  w.key(is_number(deliver.address()) ? "to" : "recipient").text(deliver.address());
  if (deliver.template_().empty()) {
    w.key("type").text("text").key("text").object();
    w.key("preview_url").boolean(false).key("body").text(deliver.text()).end_object();
  } else {
    write_template(w, deliver, options);
  }
  w.key("biz_opaque_callback_data").text(echo_of(deliver.attempt()));
  w.end_object();
  return message;
}

}  // namespace postern::messenger
