// SPDX-License-Identifier: Apache-2.0
#include "gateway/domain/words.hpp"

namespace postern {

std::string_view name_of(Category category) {
  switch (category) {
    case Category::otp: return "otp";
    case Category::security: return "security";
    case Category::transaction: return "transaction";
    case Category::service: return "service";
    case Category::marketing: return "marketing";
  }
  return "?";
}

std::string_view name_of(Channel channel) {
  switch (channel) {
    case Channel::push: return "push";
    case Channel::sms: return "sms";
    case Channel::whatsapp: return "whatsapp";
    case Channel::viber: return "viber";
    case Channel::telegram: return "telegram";
    case Channel::email: return "email";
    case Channel::voice: return "voice";
  }
  return "?";
}

std::string_view name_of(AttemptState state) {
  switch (state) {
    case AttemptState::ready: return "ready";
    case AttemptState::handed: return "handed";
    case AttemptState::sent: return "sent";
    case AttemptState::delivered: return "delivered";
    case AttemptState::read: return "read";
    case AttemptState::replied: return "replied";
    case AttemptState::refused: return "refused";
    case AttemptState::unknown: return "unknown";
    case AttemptState::withdrawn: return "withdrawn";
  }
  return "?";
}

std::string_view name_of(MessageState state) {
  switch (state) {
    case MessageState::scheduled: return "scheduled";
    case MessageState::active: return "active";
    case MessageState::reached: return "reached";
    case MessageState::failed: return "failed";
    case MessageState::expired: return "expired";
    case MessageState::cancelled: return "cancelled";
    case MessageState::suppressed: return "suppressed";
  }
  return "?";
}

std::string_view name_of(Until until) {
  switch (until) {
    case Until::sent: return "sent";
    case Until::delivered: return "delivered";
    case Until::read: return "read";
    case Until::replied: return "replied";
    case Until::event: return "event";
  }
  return "?";
}

std::string_view name_of(Label label) {
  switch (label) {
    case Label::open: return "public";
    case Label::internal: return "internal";
    case Label::confidential: return "confidential";
    case Label::secret: return "secret";
  }
  return "?";
}

std::optional<Category> category_named(std::string_view name) {
  for (const Category category : kCategories)
    if (name_of(category) == name) return category;
  return std::nullopt;
}

std::optional<Channel> channel_named(std::string_view name) {
  for (std::uint8_t number = 1; number <= 7; ++number)
    if (const auto channel = static_cast<Channel>(number); name_of(channel) == name) return channel;
  return std::nullopt;
}

}  // namespace postern
