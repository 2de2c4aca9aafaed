// SPDX-License-Identifier: Apache-2.0
// Lists of addresses: the first line is an address to look up, the rest a list. What matches names a line that is there, and
// an entry without a pattern finds itself.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "gateway/policy/address_list.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using postern::policy::AddressList;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  const std::string_view address = all.substr(0, end), text = end == std::string_view::npos ? std::string_view() : all.substr(end + 1);
  const auto list = AddressList::load(text);
  if (list) {
    const auto line = list->find(address);
    if (line && (*line == 0 || *line > static_cast<std::uint32_t>(1 + std::ranges::count(text, '\n')))) std::abort();
  }
  const auto alone = AddressList::load(address);
  if (alone && alone->size() == 1 && address.find_first_of(" \t\r#*?-") == std::string_view::npos && !address.starts_with("\xef\xbb\xbf") && alone->find(address) != 1U)
    std::abort();
  return 0;
}
