// SPDX-License-Identifier: Apache-2.0
// Purpose: what conditions of scenarios and categories may ask of a message when it is accepted. Used by: the configuration (its words),
// the vault (its values). Threads: plain values. Errors: none; what a message does not have is not known.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/policy/condition/condition.hpp"

namespace postern::config {

// Texts are the caller's and outlive the facts.
struct MessageFacts {
  std::string_view category, client, template_name, network, locale, time_zone, preferred;
  bool phone = false, email = false, push = false, whatsapp = false;
  std::map<std::string_view, std::string_view> variables;   // of the template
};

policy::Vocabulary message_vocabulary();

// The values for every condition of this vocabulary.
std::vector<policy::Value> values_of(const MessageFacts& facts, const policy::Vocabulary& vocabulary);

}  // namespace postern::config
