// SPDX-License-Identifier: Apache-2.0
// The portability table as operators send it. What is imported opens, and the facts agree.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gateway/numbers/portability.hpp"

namespace {

struct Folder {
  Folder() {
    std::string pattern = "/tmp/postern-fuzz-csv-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  std::ofstream(folder.path + "/t.csv", std::ios::binary | std::ios::trunc).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto facts = postern::numbers::import_csv(folder.path + "/t.csv", folder.path + "/t.idx");
  if (!facts) return 0;
  const auto index = postern::numbers::PortabilityIndex::open(folder.path + "/t.idx");
  if (!index || (*index)->facts().ported != facts->ported || (*index)->facts().ranges != facts->ranges) std::abort();
  (void)(*index)->find("380671234567");
  return 0;
}
