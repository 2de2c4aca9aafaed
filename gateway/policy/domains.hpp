// SPDX-License-Identifier: Apache-2.0
// Purpose: the domains to which a bank's links may lead, and names that look like them. Used by: the content guard, the
// configuration (makes the list). Threads: immutable; any. Ownership: values. Errors: which entry is wrong and how it is
// written. Limits: 1,000 domains; names after RFC 1035 section 2.3.4, international ones after RFC 3492.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"

namespace postern::policy {

// A host name as it is compared.
struct Host {
  std::string ascii;        // small letters, international names with xn--, no dot at its end
  std::string look;         // the same for names that look the same
};
// Nothing when these characters are no host name: a label empty or over 63 characters, over 253 in all, odd characters.
std::optional<Host> host_of(std::u32string_view name);

class DomainList {
 public:
  DomainList() = default;
  // "bank.example" is itself alone, "*.bank.example" all below it and not itself. International names in either form.
  static Result<DomainList> make(std::span<const std::string_view> domains);

  bool holds(const Host& host) const;
  // A host that it holds; empty: there is none.
  std::string example() const { return !exact_.ascii.empty() ? exact_.ascii.front() : !below_.ascii.empty() ? "www." + below_.ascii.front() : std::string(); }
  // It is none of the list's, and looks like one of them (or like one below a *. of them).
  bool looks_held(const Host& host) const;
  // Whether the last label is one under which there are sites, as far as this list and the tables know.
  bool is_ending(std::string_view label) const;

 private:
  struct Names {            // sorted
    std::vector<std::string> ascii, look;
  };
  Names exact_, below_;
  std::vector<std::string> endings_;
};

}  // namespace postern::policy
