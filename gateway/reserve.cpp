// SPDX-License-Identifier: Apache-2.0
#include "gateway/reserve.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

namespace postern {
namespace {

// Whole, or not at all.
bool take_up(const std::string& path, std::uint64_t bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const bool taken = posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0 && ftruncate(fd, static_cast<off_t>(bytes)) == 0;
  close(fd);
  if (!taken) unlink(path.c_str());
  return taken;
}

}  // namespace

std::uint64_t Reserve::free_now() const {
  struct statvfs facts {};
  if (statvfs(std::filesystem::path(path_).parent_path().c_str(), &facts) != 0) return 0;
  return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

Reserve::Room Reserve::look() {
  free_ = free_now();
  if (bytes_ == 0) return room_;
  if (held_ == 0) {
    // One from before counts if it is whole.
    struct stat facts {};
    const bool whole = stat(path_.c_str(), &facts) == 0 && static_cast<std::uint64_t>(facts.st_blocks) * 512 >= bytes_;
    if (whole || (free_ >= bytes_ + bytes_ / 2 && take_up(path_, bytes_))) held_ = bytes_;
    free_ = free_now();
  }
  if (held_ == 0 || free_ < bytes_ / 4) room_ = Room::low;
  else if (free_ >= bytes_ / 2) room_ = Room::enough;
  return room_;
}

bool Reserve::spend() {
  if (bytes_ > 0) room_ = Room::low;
  if (held_ == 0) return false;
  held_ = 0;
  return unlink(path_.c_str()) == 0;
}

}  // namespace postern
