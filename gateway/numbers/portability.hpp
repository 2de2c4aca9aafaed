// SPDX-License-Identifier: Apache-2.0
// Purpose: the portability index: for a number, the network that serves it now and the one its range
// was given to. One file, made by import_csv, mapped read-only by posternd; a look-up touches a few
// cache lines. Used by: posternd (look-up), postern (import). Threads: a mapped index may be read by any.
// Ownership: the index owns its mapping. Limits: 16,383 networks, 500 million ported numbers.
// File: crypto/DESIGN.md does not cover it: it holds public operator data and no customer's; its SHA-256 is checked
// when it is opened and stands in the audit log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/result.hpp"

namespace postern::numbers {

struct Network {
  std::string current;    // MCCMNC, text: leading zeros and 2- or 3-digit MNC matter
  std::string original;   // of the range; equal to current when not ported; empty when no range is known
  bool ported = false;
};

struct IndexFacts {
  std::uint64_t ranges = 0, ported = 0;
  std::uint32_t networks = 0;
  std::string sha256;     // hex, of the file
};

class PortabilityIndex {
 public:
  // Maps and verifies the file. Errors: missing, truncated, damaged, unsorted.
  static Result<std::shared_ptr<const PortabilityIndex>> open(const std::string& path);
  ~PortabilityIndex();
  PortabilityIndex(const PortabilityIndex&) = delete;
  PortabilityIndex& operator=(const PortabilityIndex&) = delete;

  std::optional<Network> find(std::string_view e164_digits) const;
  const IndexFacts& facts() const { return facts_; }

 private:
  PortabilityIndex() = default;
  const void* map_ = nullptr;
  std::size_t size_ = 0;
  const std::uint64_t* ported_ = nullptr;                       // number << 14 | network, sorted
  std::vector<std::string> networks_;
  std::vector<std::pair<std::string, std::uint16_t>> ranges_;   // prefix -> network, sorted by prefix
  IndexFacts facts_;
};

// CSV, UTF-8, with this header and no other columns:
//   kind,number,network,date
//   range,38067,25503,             numbers beginning with 38067 belong to 25503
//   ported,380671234567,25501,2026-05-02
// The same number twice: the later date holds; equal dates with different networks are a fault.
// All or nothing: any bad line refuses the whole file, and the error names the first 20 bad lines with
// their numbers. `progress` is told the bytes read so far.
Result<IndexFacts> import_csv(const std::string& csv_path, const std::string& index_path,
                              const std::function<void(std::uint64_t)>& progress = {});

}  // namespace postern::numbers
