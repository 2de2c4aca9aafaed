// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/recorder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>

namespace postern::fault {
namespace {

struct State {
  bool recording = false, armed = false, struck = false;
  std::string root, part;
  std::vector<Op> ops;
  std::map<int, std::string> folders;    // open folders, by descriptor
  std::map<int, int> files;              // descriptor -> inode
  std::map<std::string, int> inodes;     // path -> inode
  int last_inode = 0;
  std::uint64_t fail_number = 0, counted = 0;
  int fail_error = 0;
};

State& state() {
  static State instance;
  return instance;
}

[[noreturn]] void lost(const char* what) {
  std::fprintf(stderr, "recorder: cannot follow %s\n", what);
  std::abort();
}

// The path below the watched folder, or nothing. The shared-memory index of a WAL is rebuilt by whoever opens it first.
bool watched(const char* path, std::string& name) {
  const State& s = state();
  if (!s.recording || path == nullptr) return false;
  const std::string_view text(path);
  const std::size_t at = text.find(s.part);
  if (!text.starts_with(s.root) || at == std::string_view::npos || text.ends_with("-shm")) return false;
  const std::string_view rest = text.substr(at + s.part.size());
  if (!rest.empty() && rest.front() != '/') return false;
  name = rest.empty() ? rest : rest.substr(1);
  return true;
}

// One call at a time: a sync that the store does not wait for comes from a thread of its own.
class Alone {
 public:
  Alone() { mutex().lock(); }
  ~Alone() { mutex().unlock(); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex instance;
    return instance;
  }
};

void note(Op op) { state().ops.push_back(std::move(op)); }

// Whether this call is the one that fails; sets errno. A short write is told apart by `error` 0.
bool strikes(bool is_write, bool& is_short) {
  State& s = state();
  is_short = false;
  if (!s.armed || ++s.counted != s.fail_number) return false;
  if (s.fail_error == 0 && !is_write) return false;
  s.struck = true;
  is_short = s.fail_error == 0;
  if (!is_short) errno = s.fail_error;
  return true;
}

bool fails() {
  bool ignored = false;
  return strikes(false, ignored);
}

int result_of(long value) { return static_cast<int>(value); }

int opened(const char* path, int flags, mode_t mode) {
  std::string name;
  const bool ours = watched(path, name);
  if (ours && fails()) return -1;
  bool fresh = false;
  if (ours && (flags & O_CREAT) != 0) {
    struct stat facts {};
    fresh = syscall(SYS_newfstatat, AT_FDCWD, path, &facts, AT_SYMLINK_NOFOLLOW) != 0;
  }
  const int fd = result_of(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if (!ours || fd < 0) return fd;
  State& s = state();
  struct stat facts {};
  if (syscall(SYS_fstat, fd, &facts) == 0 && S_ISDIR(facts.st_mode)) {
    s.folders[fd] = name;
    return fd;
  }
  if (fresh) {
    s.inodes[name] = ++s.last_inode;
    note({Op::Kind::create, s.last_inode, name, {}, 0, {}});
  }
  const auto inode = s.inodes.find(name);
  if (inode == s.inodes.end()) lost(path);
  s.files[fd] = inode->second;
  if (!fresh && (flags & O_TRUNC) != 0) note({Op::Kind::truncate, inode->second, {}, {}, 0, {}});
  return fd;
}

ssize_t written(int fd, const void* data, std::size_t size, off_t at, bool positioned) {
  State& s = state();
  const auto file = s.files.find(fd);
  const auto real = [&](std::size_t count) { return positioned ? syscall(SYS_pwrite64, fd, data, count, at) : syscall(SYS_write, fd, data, count); };
  if (file == s.files.end()) return real(size);
  bool is_short = false;
  if (strikes(true, is_short)) {
    if (!is_short) return -1;
    size = size > 1 ? size / 2 : size;
  }
  if (!positioned) at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
  const ssize_t done = real(size);
  if (done > 0) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    note({Op::Kind::write, file->second, {}, {}, static_cast<std::uint64_t>(at), Bytes(bytes, bytes + done)});
  }
  return done;
}

int synced(int fd, long call) {
  State& s = state();
  const auto file = s.files.find(fd);
  const auto folder = s.folders.find(fd);
  if (file == s.files.end() && folder == s.folders.end()) return result_of(syscall(call, fd));
  if (fails()) {
    // A kernel that could not write says so once and calls the pages clean: a later sync of them says nothing.
    if (file != s.files.end() || call == SYS_syncfs) note({Op::Kind::failed_sync, call == SYS_syncfs ? 0 : file->second, {}, {}, 0, {}});
    return -1;
  }
  if (call == SYS_syncfs) note({Op::Kind::sync_all, 0, {}, {}, 0, {}});
  else if (file != s.files.end()) note({Op::Kind::sync_file, file->second, {}, {}, 0, {}});
  else note({Op::Kind::sync_folder, 0, folder->second, {}, 0, {}});
  return 0;  // a test's folder needs no real sync
}

int renamed(const char* from, const char* to, unsigned flags) {
  std::string old_name, new_name;
  const bool ours = watched(from, old_name) && watched(to, new_name);
  if (ours && fails()) return -1;
  const int done = result_of(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
  if (!ours || done != 0) return done;
  State& s = state();
  const bool exchange = (flags & 2U) != 0;  // RENAME_EXCHANGE
  const int moved = s.inodes.contains(old_name) ? s.inodes[old_name] : (lost(from), 0);
  if (exchange) s.inodes[old_name] = s.inodes[new_name];
  else s.inodes.erase(old_name);
  s.inodes[new_name] = moved;
  note({exchange ? Op::Kind::exchange : Op::Kind::rename, moved, old_name, new_name, 0, {}});
  return done;
}

int unlinked(const char* path, bool folder) {
  std::string name;
  const bool ours = watched(path, name);
  if (ours && fails()) return -1;
  const int done = result_of(syscall(SYS_unlinkat, AT_FDCWD, path, folder ? AT_REMOVEDIR : 0));
  if (!ours || done != 0) return done;
  state().inodes.erase(name);
  note({Op::Kind::unlink, 0, name, {}, 0, {}});
  return done;
}

}  // namespace

namespace recorder {

void begin(const std::string& root, const std::string& part) {
  state() = State{};
  state().root = root;
  state().part = part;
  state().recording = true;
}

void end() {
  state().recording = state().armed = false;
  state().files.clear();
  state().folders.clear();
}

const std::vector<Op>& ops() { return state().ops; }

void fail_at(std::uint64_t number, int error) {
  state().fail_number = number;
  state().fail_error = error;
  state().counted = 0;
  state().struck = false;
}

void arm(bool on) { state().armed = on; }
std::uint64_t counted() { return state().counted; }
bool struck() { return state().struck; }

}  // namespace recorder
}  // namespace postern::fault

// The C library's names, under which every library of this process calls us. They carry other names in this source, because
// the library's own headers declare them with attributes that differ between its versions.
#define POSTERN_STANDS_FOR(name) __asm__(name) __attribute__((visibility("default")))

extern "C" {

int fault_open(const char* path, int flags, ...) POSTERN_STANDS_FOR("open");
int fault_open64(const char* path, int flags, ...) POSTERN_STANDS_FOR("open64");
int fault_close(int fd) POSTERN_STANDS_FOR("close");
ssize_t fault_write(int fd, const void* data, std::size_t size) POSTERN_STANDS_FOR("write");
ssize_t fault_pwrite(int fd, const void* data, std::size_t size, off_t at) POSTERN_STANDS_FOR("pwrite");
ssize_t fault_pwrite64(int fd, const void* data, std::size_t size, off_t at) POSTERN_STANDS_FOR("pwrite64");
int fault_ftruncate(int fd, off_t size) POSTERN_STANDS_FOR("ftruncate");
int fault_ftruncate64(int fd, off_t size) POSTERN_STANDS_FOR("ftruncate64");
int fault_fsync(int fd) POSTERN_STANDS_FOR("fsync");
int fault_fdatasync(int fd) POSTERN_STANDS_FOR("fdatasync");
int fault_syncfs(int fd) POSTERN_STANDS_FOR("syncfs");
int fault_rename(const char* from, const char* to) POSTERN_STANDS_FOR("rename");
int fault_renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) POSTERN_STANDS_FOR("renameat2");
int fault_unlink(const char* path) POSTERN_STANDS_FOR("unlink");
int fault_remove(const char* path) POSTERN_STANDS_FOR("remove");
int fault_mkdir(const char* path, mode_t mode) POSTERN_STANDS_FOR("mkdir");

namespace pf = postern::fault;

int fault_open(const char* path, int flags, ...) {
  const pf::Alone alone;
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(list, unsigned)) : 0;
  va_end(list);
  return pf::opened(path, flags, mode);
}

int fault_open64(const char* path, int flags, ...) {
  const pf::Alone alone;
  va_list list;
  va_start(list, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? static_cast<mode_t>(va_arg(list, unsigned)) : 0;
  va_end(list);
  return pf::opened(path, flags, mode);
}

int fault_close(int fd) {
  const pf::Alone alone;
  pf::state().files.erase(fd);
  pf::state().folders.erase(fd);
  return pf::result_of(syscall(SYS_close, fd));
}

ssize_t fault_write(int fd, const void* data, std::size_t size) {
  const pf::Alone alone;
  return pf::written(fd, data, size, 0, false);
}
ssize_t fault_pwrite(int fd, const void* data, std::size_t size, off_t at) {
  const pf::Alone alone;
  return pf::written(fd, data, size, at, true);
}
ssize_t fault_pwrite64(int fd, const void* data, std::size_t size, off_t at) {
  const pf::Alone alone;
  return pf::written(fd, data, size, at, true);
}

int fault_ftruncate(int fd, off_t size) {
  const pf::Alone alone;
  const auto file = pf::state().files.find(fd);
  const bool ours = file != pf::state().files.end();
  if (ours && pf::fails()) return -1;
  const int done = pf::result_of(syscall(SYS_ftruncate, fd, size));
  if (ours && done == 0) pf::note({pf::Op::Kind::truncate, file->second, {}, {}, static_cast<std::uint64_t>(size), {}});
  return done;
}
int fault_ftruncate64(int fd, off_t size) {
  const pf::Alone alone;
  return fault_ftruncate(fd, size);
}

int fault_fsync(int fd) {
  const pf::Alone alone;
  return pf::synced(fd, SYS_fsync);
}
int fault_fdatasync(int fd) {
  const pf::Alone alone;
  return pf::synced(fd, SYS_fdatasync);
}
int fault_syncfs(int fd) {
  const pf::Alone alone;
  return pf::synced(fd, SYS_syncfs);
}

int fault_rename(const char* from, const char* to) {
  const pf::Alone alone;
  return pf::renamed(from, to, 0);
}
int fault_renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  const pf::Alone alone;
  if (from_dir != AT_FDCWD || to_dir != AT_FDCWD) pf::lost("a renameat2 relative to a folder");
  return pf::renamed(from, to, flags);
}
int fault_unlink(const char* path) {
  const pf::Alone alone;
  return pf::unlinked(path, false);
}
int fault_remove(const char* path) {
  const pf::Alone alone;
  struct stat facts {};
  const bool folder = syscall(SYS_newfstatat, AT_FDCWD, path, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode);
  return pf::unlinked(path, folder);
}

int fault_mkdir(const char* path, mode_t mode) {
  const pf::Alone alone;
  std::string name;
  const bool ours = pf::watched(path, name);
  if (ours && pf::fails()) return -1;
  const int done = pf::result_of(syscall(SYS_mkdir, path, mode));
  if (ours && done == 0 && !name.empty()) pf::note({pf::Op::Kind::folder, 0, name, {}, 0, {}});
  return done;
}

}  // extern "C"
