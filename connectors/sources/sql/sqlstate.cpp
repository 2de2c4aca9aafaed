// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/sqlstate.hpp"

#include <algorithm>
#include <array>

namespace postern::sql {
namespace {

bool one_of(std::string_view state, auto list) { return std::find(list.begin(), list.end(), state) != list.end(); }

}  // namespace

// Appendix A of PostgreSQL's manual.
FailureClass class_of(std::string_view state) {
  constexpr std::array<std::string_view, 6> kRetry = {"40001", "40P01", "55P03", "57014", "55006", "58030"};
  constexpr std::array<std::string_view, 6> kReconnect = {"57P01", "57P02", "57P03", "57P05", "25006", "25P03"};
  if (state.empty() || state.starts_with("08") || one_of(state, kReconnect)) return FailureClass::reconnect;
  if (state.starts_with("53") || state.starts_with("40") || one_of(state, kRetry)) return FailureClass::retry;
  if (state.starts_with("22") || state.starts_with("23")) return FailureClass::data;
  return FailureClass::config;
}

bool text_is_safe(std::string_view state) {
  // 42: syntax and names. 28, 3D, 3F: role, database, schema. 08, 25, 40, 53, 55, 57: about the server.
  constexpr std::array<std::string_view, 10> kSafe = {"42", "28", "3D", "3F", "08", "25", "40", "53", "55", "57"};
  return state.size() == 5 && one_of(state.substr(0, 2), kSafe) && state != "42804" && state != "42601";
}

}  // namespace postern::sql
