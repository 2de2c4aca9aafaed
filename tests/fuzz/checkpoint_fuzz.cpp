// SPDX-License-Identifier: Apache-2.0
// Signed notes and verifier keys: first line the key, the rest the note. What opens has three lines again.
#include <cstdlib>

#include "crypto/note.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  const std::string_view vkey = all.substr(0, end);
  const std::string_view note = end == std::string_view::npos ? std::string_view() : all.substr(end + 1);
  const auto checkpoint = postern::open_checkpoint(note, vkey);
  if (checkpoint && note.find(checkpoint->origin + "\n" + std::to_string(checkpoint->size) + "\n") != 0) std::abort();
  return 0;
}
