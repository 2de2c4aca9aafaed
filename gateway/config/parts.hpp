// SPDX-License-Identifier: Apache-2.0
// Purpose: how a scenario file and a template file are read. Used by: config.cpp. Faults are noted in the
// sections and come out of SettingsFile::finish().
#pragma once

#include "connectors/protocol/settings.hpp"
#include "gateway/config/config.hpp"
#include "gateway/config/message_facts.hpp"

namespace postern::config {

std::optional<Channel> read_channel(Section& section, std::string_view key);
std::vector<Category> read_categories(Section& section, std::string_view key);
// public, internal, confidential, secret. Optional.
std::optional<Label> read_label(Section& section, std::string_view key);
// Optional; its fault points into the text.
std::optional<policy::Condition> read_condition(Section& section, std::string_view key, policy::Vocabulary& vocabulary);
// "0.045": millionths of the bank's currency. Optional.
std::int64_t read_price(Section& section, std::string_view key);

//   name = "otp"
//   categories = ["otp"]            # optional: which may use it
//   deadline = "5m"                 # nothing is sent after it
//   order = "as-written"            # or cheapest, preferred
//   escalate = false                # true: every step, until the customer answers
//   stop_on = ["upload"]            # events of the bank's systems that end it
//   start_on = ["transaction"]      # and those that begin it, while it waits for them
//   start_by = "3d"                 # when it begins without them
//   [[steps]]
//   channel = "push"                # or, instead of everything else: pause = "3d"
//   wait = "10s"                    # then the next step; the last step may leave it out
//   until = "delivered"             # sent, delivered, read, replied, event
//   together = false                # true: begins with the step before it
//   validity = "2m"                 # optional: how long the provider may try
//   when = 'param.amount > 1000'    # optional: for which messages
//   only_if = ["push.sent"]         # optional: left out unless one of these is known when the step begins
//   unless = ["push.delivered"]     # optional: left out when one of these is
//   text = "short"                  # optional: a variant of the template
//   sender = "MyBank"               # optional
Scenario read_scenario(Section& root, policy::Vocabulary& vocabulary);

//   name = "otp"
//   categories = ["otp"]
//   default_locale = "en"
//   label = "internal"              # optional: how confidential its texts are
//   [placeholders]
//   code = "digits"                 # text, digits, amount, date, url
//   [locales.en]
//   text = "Your code is {{code}}"  # every text channel
//   [locales.en.push]               # one channel's own, or a variant that steps name
//   subject = "Code"
//   text = "{{code}}"
//   [locales.en.whatsapp]
//   template = "otp_en"
//   language = "en"
//   parameters = ["code"]
templates::Template read_template(Section& root);

}  // namespace postern::config
