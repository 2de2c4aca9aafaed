// SPDX-License-Identifier: Apache-2.0
// Template texts and variable values: the first line is a value, the rest a template. Rendering never grows
// beyond its pieces, and a value is never read as a template.
#include <cstdlib>

#include "gateway/templates/template.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern::templates;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  const std::string_view value = all.substr(0, end), source = end == std::string_view::npos ? std::string_view() : all.substr(end + 1);
  for (const Kind kind : {Kind::text, Kind::digits, Kind::amount, Kind::date, Kind::url}) {
    const auto why = refusal(kind, value);
    if (!why && (value.empty() || value.size() > 500)) std::abort();
  }
  const std::vector<Placeholder> placeholders{{"a", Kind::text}, {"b_1", Kind::digits}};
  const auto text = Text::parse(source, placeholders);
  if (!text) return 0;
  const std::string plain = text->render({value, "7"}, Text::Escape::none);
  const std::string html = text->render({value, "7"}, Text::Escape::html);
  if (html.size() < plain.size()) std::abort();
  if (source.find("{{") == std::string_view::npos && plain != source) std::abort();
  return 0;
}
