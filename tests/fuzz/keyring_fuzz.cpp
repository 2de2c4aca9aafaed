// SPDX-License-Identifier: Apache-2.0
// The keyring file: slots and payload of any bytes. A file that unlocks must tell its slots as well.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "crypto/keyring.hpp"

namespace {

// Keyring reads a path, so the input stands in a file of this process.
const std::string& file() {
  static const std::string path = [] {
    std::string pattern = "/tmp/postern-fuzz-keyring-XXXXXX";
    const int fd = mkstemp(pattern.data());
    if (fd < 0) std::abort();
    close(fd);
    static const std::string at_exit = pattern;
    std::atexit([] { unlink(at_exit.c_str()); });
    return pattern;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int fd = open(file().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd < 0 || write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  close(fd);
  static const postern::Secret key(std::string_view("0123456789abcdef0123456789abcdef"));
  const auto slots = postern::Keyring::slots(file());
  const auto ring = postern::Keyring::unlock(file(), postern::SlotKind::key_file, key);
  if (ring && (!slots || ring->master().size() != postern::kKeySize)) std::abort();
  return 0;
}
