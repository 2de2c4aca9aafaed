// SPDX-License-Identifier: Apache-2.0
// Purpose: reads the files of tests/vectors/smpp. Used by: unit tests of postern_smpp.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "crypto/bytes.hpp"

namespace postern::smpp::test {

inline nlohmann::json read_vectors(const std::string& name) {
  std::ifstream in(std::string(POSTERN_VECTORS) + "/smpp/" + name);
  return nlohmann::json::parse(in);
}

inline Bytes octets_of(const nlohmann::json& entry) {
  Bytes bytes;
  EXPECT_TRUE(from_hex(entry.at("hex").get<std::string>(), bytes));
  return bytes;
}

}  // namespace postern::smpp::test
