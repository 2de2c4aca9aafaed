// SPDX-License-Identifier: Apache-2.0
// A settings file of any bytes: read with every getter, and every fault has a place.
#include <cstdlib>

#include "connectors/protocol/settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern;
  using namespace std::chrono_literals;
  auto file = SettingsFile::parse(std::string(reinterpret_cast<const char*>(data), size), "f");
  if (!file) {
    if (!file.what().starts_with("f:")) std::abort();
    return 0;
  }
  Section root = (*file)->root();
  (void)root.text("name", "");
  (void)root.integer("count", 1, 0, 100);
  (void)root.boolean("flag", false);
  (void)root.duration("wait", 1s, 0s, 10s);
  (void)root.texts("list");
  (void)root.choice<int>("pick", 1, {{"one", 1}, {"two", 2}});
  for (Section& item : root.sections("item")) (void)item.all_texts();
  for (auto& [name, part] : root.named_sections("part")) {
    (void)part.table_names();
    (void)part.section("inner").text("x", "");
  }
  const Status done = (*file)->finish();
  if (!done && !done.what().starts_with("f:")) std::abort();
  return 0;
}
