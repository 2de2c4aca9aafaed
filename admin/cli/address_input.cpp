// SPDX-License-Identifier: Apache-2.0
#include "admin/cli/address_input.hpp"

#include <unistd.h>

#include <cstdio>

namespace postern::cli {
namespace {

constexpr std::size_t kMaxAddress = 4096;

}  // namespace

Result<std::string> read_address(const std::string& prompt) {
  if (isatty(STDIN_FILENO) == 1) std::fprintf(stderr, "%s: ", prompt.c_str());
  std::string address;
  for (char c = 0; read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) {
    if (address.size() == kMaxAddress) return fail("standard input: the line has more than 4096 bytes; give one number, address or token");
    address += c;
  }
  if (address.empty()) return fail("give the number, address or token on standard input, not in an argument: others can read those");
  return address;
}

}  // namespace postern::cli
