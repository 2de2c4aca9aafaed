// SPDX-License-Identifier: Apache-2.0
// Signed notes and verifier keys: first line the key, the rest the note. What opens says its three lines again, and a
// key that is read is written the same way but for the case of its hash.
#include <cstdlib>

#include "crypto/note.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  const std::string_view vkey = all.substr(0, end);
  const std::string_view text = end == std::string_view::npos ? std::string_view() : all.substr(end + 1);
  const auto key = postern::parse_verifier(vkey);
  if (key && (postern::verifier_key(*key).size() != vkey.size() || !postern::parse_verifier(postern::verifier_key(*key)))) std::abort();
  const auto note = postern::read_checkpoint(text);
  if (note && (postern::checkpoint_text(note->checkpoint) != note->text || !text.starts_with(note->text) || note->lines.empty())) std::abort();
  const bool opened = postern::open_checkpoint(text, vkey).has_value();
  if (opened != (note && key && postern::signed_by(*note, *key))) std::abort();
  return 0;
}
