// SPDX-License-Identifier: Apache-2.0
#include "gateway/config/message_facts.hpp"

namespace postern::config {
namespace {

constexpr std::string_view kFamily = "param.";
enum Index : std::uint16_t { category, client, template_name, network, country, locale, time_zone, preferred, has_phone, has_email, has_push, has_whatsapp };

policy::Value text_or_nothing(std::string_view text) { return text.empty() ? policy::Value() : policy::Value(text); }

}  // namespace

policy::Vocabulary message_vocabulary() {
  using policy::Type;
  return *policy::Vocabulary::of({{"category", Type::text, category},
                                  {"client", Type::text, client},
                                  {"template", Type::text, template_name},
                                  {"network", Type::text, network},
                                  {"country", Type::text, country},
                                  {"recipient.locale", Type::text, locale},
                                  {"recipient.time_zone", Type::text, time_zone},
                                  {"recipient.preferred", Type::text, preferred},
                                  {"recipient.phone", Type::boolean, has_phone},
                                  {"recipient.email", Type::boolean, has_email},
                                  {"recipient.push", Type::boolean, has_push},
                                  {"recipient.whatsapp", Type::boolean, has_whatsapp},
                                  {std::string(kFamily) + "*", Type::text, 0}});
}

std::vector<policy::Value> values_of(const MessageFacts& facts, const policy::Vocabulary& vocabulary) {
  std::vector<policy::Value> values(vocabulary.size());
  values[category] = facts.category;
  values[client] = text_or_nothing(facts.client);
  values[template_name] = text_or_nothing(facts.template_name);
  values[network] = text_or_nothing(facts.network);
  values[country] = text_or_nothing(facts.network.substr(0, 3));
  values[locale] = text_or_nothing(facts.locale);
  values[time_zone] = text_or_nothing(facts.time_zone);
  values[preferred] = text_or_nothing(facts.preferred);
  values[has_phone] = facts.phone;
  values[has_email] = facts.email;
  values[has_push] = facts.push;
  values[has_whatsapp] = facts.whatsapp;
  for (const policy::Member& member : vocabulary.all_members())
    if (const auto found = facts.variables.find(std::string_view(member.name).substr(kFamily.size())); found != facts.variables.end())
      values[member.index] = found->second;
  return values;
}

}  // namespace postern::config
