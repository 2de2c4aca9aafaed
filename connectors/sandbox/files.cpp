// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace postern::sandbox {
namespace {

Status system_fault(const std::string& path, int error) { return fail(path + ": " + std::strerror(error)); }

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t wrote = ::write(fd, content.data(), content.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

}  // namespace

Status write_file(const std::string& path, std::string_view content, mode_t mode) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return system_fault(fresh, errno);
  const bool written = write_all(fd, content) && fchmod(fd, mode) == 0;
  const int error = errno;
  close(fd);
  if (!written) return system_fault(fresh, error);
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return system_fault(path, errno);
  return {};
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(path + ": " + std::strerror(errno));
  return std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
}

Status make_folder(const std::string& path, mode_t mode) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  const std::string above = std::filesystem::path(path).parent_path();
  if (!above.empty() && above != path)
    if (const Status made = make_folder(above, 0755); !made) return made;
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return system_fault(path, errno);
  return {};
}

std::string last_lines(const std::string& path, int lines) {
  constexpr std::streamoff kTail = 64 * 1024;
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const std::streamoff size = in.tellg();
  in.seekg(size > kTail ? size - kTail : 0);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  while (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return {};
  std::size_t begin = text.size();
  for (; lines > 0 && begin != std::string::npos; --lines)
    begin = begin == 0 ? std::string::npos : text.rfind('\n', begin - 1);
  if (begin != std::string::npos) text.erase(0, begin + 1);
  std::string out = "  ";
  for (const char c : text) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out + "\n";
}

}  // namespace postern::sandbox
