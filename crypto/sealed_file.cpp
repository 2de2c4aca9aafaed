// SPDX-License-Identifier: Apache-2.0
#include "crypto/sealed_file.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace postern {
namespace {

constexpr std::size_t kMaxFile = 64 * 1024;

Place place_of(Purpose purpose) { return {"file", "content", static_cast<std::uint64_t>(purpose), 1}; }

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return true;
}

// What stood in a file that has just lost its name. It is gone for everybody but a search of the disk.
void overwrite(int fd) {
  struct stat facts {};
  if (fstat(fd, &facts) != 0 || facts.st_size > static_cast<off_t>(kMaxFile)) return;
  Bytes noise(static_cast<std::size_t>(facts.st_size));
  randombytes_buf(noise.data(), noise.size());
  if (lseek(fd, 0, SEEK_SET) == 0 && write_all(fd, noise)) (void)fsync(fd);
}

}  // namespace

Status save_sealed(const std::string& path, const Keys& keys, Purpose purpose, const Secret& content) {
  const auto failed = [&path] { return fail(path + ": " + std::strerror(errno) + "; mend the disk, nothing was changed"); };
  const std::string fresh = path + ".new";
  const Bytes sealed = keys.seal(purpose, place_of(purpose), content.bytes());
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed();
  const bool written = write_all(fd, sealed) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  if (!written) return failed();

  const int old = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  const bool placed = rename(fresh.c_str(), path.c_str()) == 0;
  const std::string folder = path.substr(0, path.find_last_of('/') + 1);
  const int directory = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool durable = placed && directory >= 0 && fsync(directory) == 0;
  const int why = errno;
  if (directory >= 0) close(directory);
  // Only when the new content cannot be lost any more.
  if (durable && old >= 0) overwrite(old);
  if (old >= 0) close(old);
  errno = why;
  if (!durable) return failed();
  return {};
}

Result<Secret> load_sealed(const std::string& path, const Keys& keys, Purpose purpose) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return fail(path + ": " + std::strerror(errno));
  Bytes sealed(kMaxFile + 1);
  std::size_t size = 0;
  for (ssize_t got = 1; got > 0 && size < sealed.size();) {
    got = read(fd, sealed.data() + size, sealed.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
  }
  close(fd);
  sealed.resize(size);
  Bytes plain;
  if (size > kMaxFile || !keys.open(purpose, place_of(purpose), sealed, plain))
    return fail(path + ": is damaged, or belongs to another gateway; restore it together with the keyring beside it");
  Secret content{std::span<const std::uint8_t>(plain)};
  wipe(plain.data(), plain.size());
  return content;
}

}  // namespace postern
