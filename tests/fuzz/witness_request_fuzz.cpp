// SPDX-License-Identifier: Apache-2.0
// Requests to a witness. One that is read is written the same way again.
#include <cstdlib>

#include "admin/witness/witness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = postern::witness::read_request(body);
  if (!request) return 0;
  std::string again = "old " + std::to_string(request->old_size) + "\n";
  for (const postern::Hash& hash : request->proof) again += postern::to_base64(hash) + "\n";
  if (again + "\n" + request->note != body || request->proof.size() > 63) std::abort();
  return 0;
}
