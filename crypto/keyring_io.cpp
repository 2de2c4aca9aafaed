// SPDX-License-Identifier: Apache-2.0
#include "crypto/keyring_io.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace postern {
namespace {

bool write_synced(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return fsync(fd) == 0;
}

bool sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int dir = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = dir >= 0 && fsync(dir) == 0;
  if (dir >= 0) close(dir);
  return synced;
}

}  // namespace

void erase_file(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0) {
    struct stat facts {};
    if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size > 0)
      (void)write_synced(fd, Bytes(static_cast<std::size_t>(facts.st_size), 0));
    close(fd);
  }
  unlink(path.c_str());
}

Status put_file(const std::string& path, ByteView content, bool replace) {
  const std::string fresh = path + ".new";
  // One that is left from a crash may be an old file in whole.
  erase_file(fresh);
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(fresh + ": " + std::strerror(errno));
  const bool written = write_synced(fd, content);
  int error = errno;
  close(fd);
  if (!written) {
    unlink(fresh.c_str());
    return fail(fresh + ": could not be written: " + std::strerror(error));
  }
  // Atomic both ways: an init can never overwrite keys, a change can never invent a keyring.
  if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), replace ? RENAME_EXCHANGE : RENAME_NOREPLACE) != 0) {
    error = errno;
    unlink(fresh.c_str());
    if (error == EEXIST) return fail(path + ": exists already; it will not be overwritten");
    return fail(path + ": " + std::strerror(error));
  }
  if (sync_folder_of(path)) {
    // Only now is the new file sure to survive a power cut, so only now may the old one go.
    if (replace) erase_file(fresh);
    return {};
  }
  if (replace) (void)renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE);
  unlink(replace ? fresh.c_str() : path.c_str());
  return fail(path + ": its folder could not be synced; nothing was changed");
}

Status put_open_file(const std::string& path, ByteView content) {
  const std::string fresh = path + ".new";
  const auto failed = [&path] { return fail(path + ": " + std::strerror(errno)); };
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed();
  const bool written = write_synced(fd, content);
  const int error = errno;
  close(fd);
  errno = error;
  if (!written || rename(fresh.c_str(), path.c_str()) != 0 || !sync_folder_of(path)) return failed();
  return {};
}

}  // namespace postern
