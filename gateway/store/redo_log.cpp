// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/redo_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "gateway/store/store.hpp"

namespace postern::store {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic{'P', 'S', 'T', 'R'};
constexpr std::size_t kHead = 16, kOverhead = kHead + Suite::kNonceSize + Suite::kTagSize, kLeast = 64 * 1024, kMaxRecord = 1024 * 1024 * 1024;

bool is_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

// 0, or errno.
int write_all(int fd, ByteView bytes, std::size_t at) {
  while (!bytes.empty()) {
    const ssize_t wrote = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    at += static_cast<std::size_t>(wrote);
  }
  return 0;
}

int sync_data(int fd) { return fdatasync(fd) == 0 ? 0 : errno; }

Result<Bytes> read_all(int fd, std::size_t size) {
  Bytes bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(fd, bytes.data() + done, size - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

RedoLog::RedoLog(std::string path, int fd, std::size_t size, const Suite& suite, Secret key)
    : path_(std::move(path)), fd_(fd), size_(size), suite_(&suite), key_(std::move(key)) {}

RedoLog::RedoLog(RedoLog&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_), end_(other.end_), suite_(other.suite_), key_(std::move(other.key_)) {}

RedoLog::~RedoLog() {
  if (fd_ >= 0) close(fd_);
}

Result<RedoLog> RedoLog::open(const std::string& path, const Suite& suite, const Secret& key_and_salt) {
  const auto refused = [&path](int error) { return fail("redo log " + path + ": " + std::strerror(error) + "; check the disk, the file and its owner"); };
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return refused(errno);
  struct stat facts {};
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    const int error = errno;
    close(fd);
    return refused(S_ISREG(facts.st_mode) ? error : EINVAL);
  }
  return RedoLog(path, fd, static_cast<std::size_t>(facts.st_size), suite, suite.derive(Secret(key_and_salt.bytes().first(kKeySize)), "redo-log", 1, kKeySize));
}

// Whether `bytes` begins with a record of ours.
bool RedoLog::open_record(ByteView bytes, std::uint64_t& generation, Bytes& plain) const {
  ByteReader in(bytes);
  if (!std::ranges::equal(in.view(kMagic.size()), kMagic)) return false;
  const std::size_t sealed = in.u32();
  generation = in.u64();
  const ByteView body = in.view(sealed);
  if (!in.ok() || sealed < Suite::kNonceSize + Suite::kTagSize) return false;
  plain.resize(sealed - Suite::kNonceSize - Suite::kTagSize);
  return suite_->unwrap(key_.bytes(), bytes.first(kHead), body, plain);
}

Status RedoLog::read(std::uint64_t after, const Take& take) const {
  const Result<Bytes> all = read_all(fd_, size_);
  if (!all) return fail("redo log " + path_ + ": " + all.what() + "; check the disk");
  ByteView rest = *all;
  std::uint64_t generation = 0, last = 0;
  Bytes plain;
  while (open_record(rest, generation, plain) && (last == 0 || generation == last + 1)) {
    if (generation > after) {
      if (generation != after + 1 && last == 0) return fail(std::string(kRolledBack) + "its redo log goes on with commit " + std::to_string(generation) + " and its file has come to " + std::to_string(after) + ": an old copy was put back; restore both from the same backup");
      if (const Status taken = take(generation, plain); !taken) return taken;
    }
    last = generation;
    rest = rest.subspan(kOverhead + plain.size());
  }
  // A commit is written when the one before it is durable. So behind what cannot be read there is none, unless it was damaged later.
  const std::uint64_t newest = std::max(last, after);
  for (;;) {
    const auto found = std::ranges::search(rest, kMagic);
    if (found.empty()) return {};
    rest = rest.subspan(static_cast<std::size_t>(found.begin() - rest.begin()));
    if (open_record(rest, generation, plain) && generation > newest)
      return fail("redo log " + path_ + " is damaged: commit " + std::to_string(newest + 1) + " cannot be read and " + std::to_string(generation) +
                  " stands behind it; restore the store from a backup");
    rest = rest.subspan(1);
  }
}

// The file has zeros up to a power of two beyond what is written.
int RedoLog::make_room(std::size_t size) {
  if (size <= size_) return 0;
  const std::size_t wanted = std::max(kLeast, std::bit_ceil(size));
  // Page by page: in long pieces the kernel would keep long pieces, and count and write each whole for a few bytes of it.
  for (static constexpr std::array<std::uint8_t, 4096> kZeros{}; size_ < wanted; size_ += kZeros.size())
    if (const int error = write_all(fd_, kZeros, size_); error != 0) return error;
  return 0;
}

RedoLog::Written RedoLog::write(std::uint64_t generation, ByteView record) {
  if (record.size() > kMaxRecord) return Written::full;
  if (const int error = make_room(end_ + kOverhead + record.size()); error != 0) return is_full(error) ? Written::full : Written::failed;
  record_.resize(kOverhead + record.size());
  Bytes head;
  ByteWriter out(head);
  out.raw(ByteView(kMagic));
  out.u32(static_cast<std::uint32_t>(Suite::kNonceSize + record.size() + Suite::kTagSize));
  out.u64(generation);
  std::ranges::copy(head, record_.begin());
  const std::span<std::uint8_t> nonce = std::span(record_).subspan(kHead, Suite::kNonceSize);
  suite_->random(nonce);
  suite_->seal(key_.bytes(), nonce, head, record, std::span(record_).subspan(kHead + Suite::kNonceSize));
  if (const int error = write_all(fd_, record_, end_); error != 0) return is_full(error) ? Written::full : Written::failed;
  if (sync_data(fd_) != 0) return Written::failed;
  end_ += record_.size();
  return Written::durable;
}

Status RedoLog::empty() {
  end_ = size_ = 0;
  return ftruncate(fd_, 0) == 0 ? Status() : fail("redo log " + path_ + ": " + std::strerror(errno));
}

}  // namespace postern::store
