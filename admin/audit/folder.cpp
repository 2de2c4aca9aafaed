// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "admin/audit/leaf.hpp"

namespace postern::auditor {
namespace {

namespace fs = std::filesystem;

// tlog-tiles: groups of three digits, all but the last behind an x.
std::string number_path(std::uint64_t number) {
  std::array<char, 8> group{};
  std::snprintf(group.data(), group.size(), "%03u", static_cast<unsigned>(number % 1000));
  std::string path = group.data();
  while ((number /= 1000) > 0) {
    std::snprintf(group.data(), group.size(), "x%03u/", static_cast<unsigned>(number % 1000));
    path.insert(0, group.data());
  }
  return path;
}

bool digits(std::string_view text, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Result<std::optional<Bytes>> read_file(const std::string& path, std::size_t limit) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<Bytes>();
    return fail(path + ": " + std::strerror(errno));
  }
  Bytes content(limit + 1);
  std::size_t done = 0;
  ssize_t got = 1;
  while (done < content.size() && got > 0) {
    got = read(fd, content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) got = 1;
    else if (got > 0) done += static_cast<std::size_t>(got);
  }
  const int error = errno;
  close(fd);
  if (got < 0 && error == EISDIR) return std::optional<Bytes>();
  if (got < 0) return fail(path + ": " + std::strerror(error));
  content.resize(done);
  return std::optional<Bytes>(std::move(content));
}

std::string TileName::path() const {
  std::string path = "tile/" + (entries ? std::string("entries") : std::to_string(level)) + "/" + number_path(number);
  if (width != kTileWidth) path += ".p/" + std::to_string(width);
  return path;
}

std::size_t TileName::limit() const { return static_cast<std::size_t>(width) * (entries ? kMaxLeaf + 2 : sizeof(Hash)); }

std::optional<TileName> parse_tile_name(std::string_view path) {
  TileName name;
  std::string_view rest = path;
  if (!rest.starts_with("tile/")) return std::nullopt;
  rest.remove_prefix(5);
  const std::size_t kind_end = rest.find('/');
  if (kind_end == std::string_view::npos) return std::nullopt;
  const std::string_view kind = rest.substr(0, kind_end);
  rest.remove_prefix(kind_end + 1);
  std::uint64_t level = 0;
  name.entries = kind == "entries";
  if (!name.entries && (!digits(kind, level) || level >= kLevels)) return std::nullopt;
  name.level = static_cast<unsigned>(level);
  if (const std::size_t part = rest.find(".p/"); part != std::string_view::npos) {
    if (!digits(rest.substr(part + 3), name.width) || name.width == 0 || name.width >= kTileWidth) return std::nullopt;
    rest = rest.substr(0, part);
  }
  std::string number;
  std::ranges::copy_if(rest, std::back_inserter(number), [](char c) { return c != 'x' && c != '/'; });
  if (!digits(number, name.number)) return std::nullopt;
  // Whatever was left out or written otherwise shows when the name is written again.
  if (name.path() != path) return std::nullopt;
  return name;
}

std::uint64_t count_at(unsigned level, std::uint64_t size) { return level >= kLevels ? 0 : size >> (8 * level); }

std::vector<Hash> hashes_in(ByteView tile) {
  std::vector<Hash> hashes(tile.size() / sizeof(Hash));
  for (std::size_t i = 0; i < hashes.size(); ++i) std::ranges::copy(tile.subspan(i * sizeof(Hash), sizeof(Hash)), hashes[i].begin());
  return hashes;
}

Result<std::vector<std::string>> files_below(const std::string& folder, const std::string& below) {
  std::vector<std::string> files;
  std::error_code error;
  const fs::path root = fs::path(folder) / below;
  if (!fs::exists(root, error)) return error ? Result<std::vector<std::string>>(fail(root.string() + ": " + error.message())) : files;
  fs::recursive_directory_iterator at(root, error), end;
  for (; !error && at != end; at.increment(error))
    if (!at->is_directory(error)) files.push_back(at->path().lexically_relative(folder).generic_string());
  if (error) return fail(root.string() + ": " + error.message());
  return files;
}

}  // namespace postern::auditor
