// SPDX-License-Identifier: Apache-2.0
// Purpose: checks an audit log's folder with nothing but a public key: every leaf, every tile, the
// order, the links, the tree, the signature. Used by: `postern audit verify`. Threads: one.
// Ownership: values. Errors: files that cannot be read are an Error; a log that does not hold is a
// Finding, with the first bad leaf.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "crypto/result.hpp"
#include "gateway/audit/leaf.hpp"

namespace postern::audit {

struct Finding {
  std::uint64_t leaf = 0;       // first bad index
  std::string what;
};

struct Verdict {
  std::string origin;
  std::uint64_t leaves = 0;     // under the checkpoint
  std::string root;             // hex
  std::int64_t first_us = 0, last_us = 0;
  std::map<std::string, std::uint64_t> counts;   // event name -> leaves
  std::optional<Finding> bad;
};

// `progress` is told the number of leaves read so far.
Result<Verdict> verify(const std::string& folder, const std::string& vkey, const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

}  // namespace postern::audit
