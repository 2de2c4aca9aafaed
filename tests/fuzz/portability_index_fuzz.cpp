// SPDX-License-Identifier: Apache-2.0
// The portability index behind its checksum: the fuzzer writes header and sections, this target puts the
// right sum in, so that what stands behind it is reached. An index that opens answers every question.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "crypto/merkle.hpp"
#include "gateway/numbers/index_format.hpp"
#include "gateway/numbers/portability.hpp"

namespace {

const std::string& file() {
  static const std::string path = [] {
    std::string pattern = "/tmp/postern-fuzz-index-XXXXXX";
    const int fd = mkstemp(pattern.data());
    if (fd < 0) std::abort();
    close(fd);
    static const std::string at_exit = pattern;
    std::atexit([] { unlink(at_exit.c_str()); });
    return pattern;
  }();
  return path;
}

void try_open(const postern::Bytes& bytes) {
  const int fd = open(file().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  close(fd);
  const auto index = postern::numbers::PortabilityIndex::open(file());
  if (!index) return;
  for (const char* number : {"380671234567", "12025550123", "9999999", "999999999999999", "48500100200"}) (void)(*index)->find(number);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  postern::Bytes bytes(data, data + size);
  try_open(bytes);
  if (size < postern::numbers::kHeaderSize) return 0;
  // The sum covers the header's other fields and all that follows it.
  constexpr std::size_t kSumAt = 8 + 4 + 4 + 8;
  postern::Bytes covered(bytes.begin(), bytes.begin() + kSumAt);
  covered.insert(covered.end(), bytes.begin() + kSumAt + 32, bytes.end());
  for (const postern::Hash& sum : {postern::sha256(covered), postern::sha256(postern::ByteView(bytes).subspan(postern::numbers::kHeaderSize))}) {
    std::copy(sum.begin(), sum.end(), bytes.begin() + kSumAt);
    try_open(bytes);
  }
  return 0;
}
