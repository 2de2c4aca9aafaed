// SPDX-License-Identifier: Apache-2.0
// Purpose: how the file of the bank's policy is read. Used by: config.cpp, and whoever tries a policy that is not in force.
// Errors: faults are noted in the sections and come out of SettingsFile::finish(); lists that are refused name the list's own lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/protocol/settings.hpp"
#include "gateway/config/config.hpp"

namespace postern::config {

struct PolicyFile {
  policy::Policy policy;
  std::vector<VelocityGuard> velocity;
  std::vector<std::string> files;   // lists that were read
  std::string sha256;               // over the file's text and its lists, whatever their names; hex: the policy's version
  std::vector<std::pair<std::string, std::string>> templates, clients;  // that it names, each with the place: whether there are such
};

// The whole file. Errors: every fault with `path`:line:column; lists are found relative to `path`.
Result<PolicyFile> load_policy(const std::string& text, const std::string& path);

//   time_zone = "Europe/Kyiv"              # of recipients of whom none is known
//   [quiet_hours]
//   spans = ["21:00-08:00", "sat,sun 00:00-10:00"]
//   categories = ["service", "marketing"]  # all unless said; otp and security pass, and each time it is audited
//   [[caps]]
//   name = "offers"
//   categories = ["marketing"]
//   limit = 3
//   period = "day"                         # day, week (of the recipient's calendar), or a duration: the last so long
//   [[lists]]
//   name = "objected"
//   kind = "never"                         # or only
//   file = "objected.txt"
//   categories = ["marketing"]             # all unless said
//   [[duplicates]]                         # the same words to the same customer are not sent twice within so long
//   categories = ["marketing"]             # service, transaction and marketing unless said; otp and security never
//   window = "24h"
//   [[speeds]]                             # how fast a campaign goes
//   name = "spring"
//   categories = ["marketing"]             # as it is unless said; otp and security never
//   templates = ["spring-offer"]           # any unless said
//   clients = ["loans"]                    # any unless said
//   rate = "1000/min"                      # /s, /min, /h
//   [content]
//   domains = ["bank.example"]             # to which links may lead
//   cards = true
//   [[velocity]]                           # a guard against SMS pumping, asked before a message is accepted
//   categories = ["otp"]
//   limit = 100
PolicyFile read_policy(Section& root, std::string_view text);

}  // namespace postern::config
