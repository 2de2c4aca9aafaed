// SPDX-License-Identifier: Apache-2.0
#include "admin/witness/memory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

namespace postern::witness {

Memory::Lock::~Lock() { close(fd); }

std::string Memory::name_of(const std::string& origin) { return to_hex(sha256(as_bytes(origin))); }

Result<Memory> Memory::open(const std::string& folder, const std::vector<Verifier>& logs, const Verifier& self) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail("state folder " + folder + ": " + std::strerror(errno) + "; make it for the witness's user");
  Memory memory;
  memory.folder_ = folder;
  memory.lock_ = std::make_unique<Lock>(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return fail("state folder " + folder + ": another witness is using it");
  for (const Verifier& log : logs) {
    const std::string path = folder + "/" + name_of(log.name);
    std::ifstream in(path, std::ios::binary);
    if (!in) {
      if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) continue;
      return fail(path + ": cannot be read");
    }
    std::string note{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const Result<SignedCheckpoint> read = read_checkpoint(note);
    if (!read || read->checkpoint.origin != log.name || !signed_by(*read, log) || !signed_by(*read, self))
      return fail(path + ": is damaged, or not cosigned by " + self.name + "; restore it from a backup: without it this witness could vouch for a second history of " + log.name);
    memory.notes_[log.name] = std::move(note);
  }
  return memory;
}

const std::string* Memory::last(const std::string& origin) const {
  const auto found = notes_.find(origin);
  return found != notes_.end() ? &found->second : nullptr;
}

Status Memory::keep(const std::string& origin, const std::string& note) {
  const std::string path = folder_ + "/" + name_of(origin), fresh = path + ".new";
  const auto failed = [&] { return fail(path + ": " + std::strerror(errno)); };
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return failed();
  std::size_t done = 0;
  bool good = true;
  while (good && done < note.size()) {
    const ssize_t wrote = write(fd, note.data() + done, note.size() - done);
    if (wrote > 0) done += static_cast<std::size_t>(wrote);
    else good = wrote < 0 && errno == EINTR;
  }
  good = good && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  if (!good || rename(fresh.c_str(), path.c_str()) != 0 || fsync(lock_->fd) != 0) return failed();
  notes_[origin] = note;
  return {};
}

}  // namespace postern::witness
