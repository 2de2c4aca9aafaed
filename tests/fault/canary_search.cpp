// SPDX-License-Identifier: Apache-2.0
// Looks for byte strings in files and in the memory of other processes, many strings at once. Used by: canaries_test.py.
//
// Standard input, line by line: `needle HEX` (at least 4 bytes each; numbered from 0 in their order), then `file PATH` and
// `pid PID` in any number. Nothing stands in an argument. Standard output, one line a hit:
//   file NEEDLE OFFSET PATH
//   pid NEEDLE ADDRESS PID FLAGS NAME     FLAGS: of the mapping, as in /proc/PID/smaps ("lo" locked, "dd" not in core dumps)
// and for each target `read BYTES PATH` or `read BYTES PID`, so that a search that saw nothing does not look like a clean one.
// Of a process every mapping is read that can be written or has pages of its own: heap, stacks, data, also what was made read-only.
// It must be root, and a target must not change meanwhile: the test stops it.
// Exit code: 0 when every target was read.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kHead = 4, kPiece = 4 * 1024 * 1024, kBits = 22;

// Needles by a hash of their first four bytes; a bitmap says at once that no needle begins here.
class Needles {
 public:
  bool add(const std::string& hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    if (bytes.size() < kHead) return false;
    longest_ = std::max(longest_, bytes.size());
    const std::size_t at = slot(bytes.data());
    begins_[at] = true;
    by_slot_.emplace_back(at, all_.size());
    all_.push_back(std::move(bytes));
    return true;
  }
  void close() { std::ranges::sort(by_slot_); }
  std::size_t longest() const { return longest_; }

  template <class Found>
  void search(std::string_view data, const Found& found) const {
    for (std::size_t i = 0; i + kHead <= data.size(); ++i) {
      const std::size_t at = slot(data.data() + i);
      if (!begins_[at]) continue;
      for (auto one = std::ranges::lower_bound(by_slot_, std::pair(at, std::size_t{0})); one != by_slot_.end() && one->first == at; ++one)
        if (data.substr(i).starts_with(all_[one->second])) found(one->second, i, all_[one->second].size());
    }
  }

 private:
  static std::size_t slot(const char* at) {
    std::uint32_t head = 0;
    std::memcpy(&head, at, kHead);
    return (head * 0x9e3779b1U) >> (32 - kBits);
  }
  std::vector<std::string> all_;
  std::vector<bool> begins_ = std::vector<bool>(std::size_t{1} << kBits);
  std::vector<std::pair<std::size_t, std::size_t>> by_slot_;
  std::size_t longest_ = kHead;
};

// Reads [begin, end) in pieces that overlap by a needle's length; pages that cannot be read are passed over one by one.
std::uint64_t read_range(int fd, std::uint64_t begin, std::uint64_t end, const Needles& needles, const std::function<void(std::size_t, std::uint64_t)>& found) {
  std::vector<char> buffer(kPiece + needles.longest());
  std::size_t kept = 0;
  std::uint64_t total = 0;
  for (std::uint64_t at = begin; at < end;) {
    const ssize_t got = pread(fd, buffer.data() + kept, std::min<std::uint64_t>(kPiece, end - at), static_cast<off_t>(at));
    if (got == 0) break;  // the end of a file
    if (got < 0) {
      kept = 0;
      at = (at / 4096 + 1) * 4096;
      continue;
    }
    const std::size_t size = kept + static_cast<std::size_t>(got), seen = kept;
    const std::uint64_t first = at - kept;
    needles.search({buffer.data(), size}, [&](std::size_t needle, std::size_t offset, std::size_t length) {
      if (offset + length > seen) found(needle, first + offset);  // else it was found in the piece before
    });
    at += static_cast<std::uint64_t>(got);
    total += static_cast<std::uint64_t>(got);
    kept = std::min(size, needles.longest() - 1);
    std::memmove(buffer.data(), buffer.data() + size - kept, kept);
  }
  return total;
}

bool search_file(const std::string& path, const Needles& needles) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  const std::uint64_t total = read_range(fd, 0, INT64_MAX, needles, [&](std::size_t needle, std::uint64_t at) { std::printf("file %zu %llu %s\n", needle, static_cast<unsigned long long>(at), path.c_str()); });
  close(fd);
  std::printf("read %llu %s\n", static_cast<unsigned long long>(total), path.c_str());
  return true;
}

struct Mapping {
  std::uint64_t begin = 0, end = 0;
  std::string permissions, name, flags;
  bool own = false;  // has pages that are this process's alone
};

std::vector<Mapping> mappings_of(const std::string& pid) {
  std::vector<Mapping> all;
  std::ifstream smaps("/proc/" + pid + "/smaps");
  for (std::string line; std::getline(smaps, line);) {
    unsigned long long begin = 0, end = 0, kib = 0;
    std::array<char, 8> permissions{};
    int after = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %7s %*s %*s %*s %n", &begin, &end, permissions.data(), &after) == 3) {
      all.push_back({begin, end, permissions.data(), line.substr(std::min(line.size(), static_cast<std::size_t>(after))), "", false});
      if (all.back().name.empty()) all.back().name = "[anonymous]";
    } else if (!all.empty() && std::sscanf(line.c_str(), "Anonymous: %llu kB", &kib) == 1) {
      all.back().own = kib > 0;
    } else if (!all.empty() && line.starts_with("VmFlags:")) {
      std::istringstream words(line.substr(8));
      for (std::string word; words >> word;) all.back().flags += (all.back().flags.empty() ? "" : ",") + word;
    }
  }
  return all;
}

bool search_process(const std::string& pid, const Needles& needles) {
  const int fd = open(("/proc/" + pid + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  const std::vector<Mapping> all = mappings_of(pid);
  if (fd < 0 || all.empty()) return false;
  std::uint64_t total = 0;
  for (const Mapping& one : all) {
    if ((!one.own && one.permissions.find('w') == std::string::npos) || one.name.starts_with("[v")) continue;  // not the kernel's own pages
    total += read_range(fd, one.begin, one.end, needles, [&](std::size_t needle, std::uint64_t at) {
      std::printf("pid %zu %llx %s %s %s\n", needle, static_cast<unsigned long long>(at), pid.c_str(), one.flags.c_str(), one.name.c_str());
    });
  }
  close(fd);
  std::printf("read %llu %s\n", static_cast<unsigned long long>(total), pid.c_str());
  return true;
}

}  // namespace

int main() {
  Needles needles;
  bool closed = false, good = true;
  for (std::string line; std::getline(std::cin, line);) {
    const std::size_t space = line.find(' ');
    const std::string word = line.substr(0, space), rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (word == "needle") {
      if (closed || !needles.add(rest)) return std::fprintf(stderr, "canary_search: a needle of fewer than 4 bytes, or after a target\n"), 2;
      continue;
    }
    if (!closed) needles.close();
    closed = true;
    const bool read = word == "file" ? search_file(rest, needles) : word == "pid" && search_process(rest, needles);
    if (!read) std::printf("unread %s\n", rest.c_str());
    good = good && read;
  }
  return good ? 0 : 1;
}
