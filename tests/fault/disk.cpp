// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/disk.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace postern::fault {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kSector = 512;

std::string parent_of(const std::string& path) { return fs::path(path).parent_path().string(); }

std::uint64_t below(Chance& chance, std::uint64_t limit) { return limit == 0 ? 0 : chance() % limit; }

void put(Bytes& content, std::uint64_t at, ByteView data) {
  if (content.size() < at + data.size()) content.resize(at + data.size());
  std::ranges::copy(data, content.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

const char* name_of(Cut cut) {
  switch (cut) {
    case Cut::nothing: return "nothing that was not synced";
    case Cut::everything: return "everything";
    case Cut::prefix: return "a prefix";
    case Cut::whole_writes: return "some writes";
    case Cut::sectors: return "some sectors";
  }
  return "?";
}

void Disk::settle(File& file) {
  for (const Change& change : file.pending) {
    if (change.truncate) file.durable.resize(change.at);
    else put(file.durable, change.at, change.data);
  }
  file.pending.clear();
}

void Disk::apply(const Op& op) {
  ++time_;
  const auto naming = [this](std::vector<std::pair<std::string, int>> names) {
    std::vector<std::string> parents;
    for (const auto& [path, what] : names)
      if (std::ranges::find(parents, parent_of(path)) == parents.end()) parents.push_back(parent_of(path));
    pending_names_.push_back({std::move(names), std::move(parents), time_});
  };
  switch (op.kind) {
    case Op::Kind::create:
      files_[op.inode];
      return naming({{op.path, op.inode}});
    case Op::Kind::folder: return naming({{op.path, kFolder}});
    case Op::Kind::write: return files_[op.inode].pending.push_back({false, op.at, op.data, time_});
    case Op::Kind::truncate: return files_[op.inode].pending.push_back({true, op.at, {}, time_});
    case Op::Kind::rename: return naming({{op.path, kNothing}, {op.to, op.inode}});
    case Op::Kind::exchange: {
      int other = kNothing;
      for (const auto& [path, what] : names_)
        if (path == op.to) other = what;
      for (const Naming& each : pending_names_)
        for (const auto& [path, what] : each.names)
          if (path == op.to) other = what;
      return naming({{op.path, other}, {op.to, op.inode}});
    }
    case Op::Kind::unlink: return naming({{op.path, kNothing}});
    case Op::Kind::sync_file: return settle(files_[op.inode]);
    case Op::Kind::sync_folder: {
      // A change of two folders is durable with either: file systems make a rename durable as one.
      std::vector<Naming> kept;
      for (Naming& each : pending_names_) {
        if (std::ranges::find(each.parents, op.path) == each.parents.end()) {
          kept.push_back(std::move(each));
          continue;
        }
        for (const auto& [path, what] : each.names) names_[path] = what;
      }
      pending_names_ = std::move(kept);
      return;
    }
    case Op::Kind::failed_sync:
      for (auto& [inode, file] : files_)
        if (op.inode == 0 || op.inode == inode) file.pending.clear();
      return;
    case Op::Kind::sync_all:
      for (auto& [inode, file] : files_) settle(file);
      for (const Naming& each : pending_names_)
        for (const auto& [path, what] : each.names) names_[path] = what;
      return pending_names_.clear();
  }
}

bool Disk::pending() const {
  return !pending_names_.empty() || std::ranges::any_of(files_, [](const auto& each) { return !each.second.pending.empty(); });
}

// Each sector holds what it held at some moment since the last sync: a cache writes a sector as it is when its turn comes.
Bytes Disk::content_after(const File& file, Cut how, std::uint64_t moment, Chance& chance) {
  const std::vector<Change>& all = file.pending;
  // Only one truncation counts: what was before it is cut off (all ours cut to nothing or to a whole page).
  std::size_t first = 0, end = all.size();
  switch (how) {
    case Cut::nothing: end = 0; break;
    case Cut::everything: break;
    case Cut::prefix:
      end = static_cast<std::size_t>(std::ranges::find_if(all, [&](const Change& c) { return c.time > moment; }) - all.begin());
      break;
    case Cut::whole_writes:
    case Cut::sectors: end = below(chance, all.size() + 1); break;
  }
  Bytes content = file.durable;
  for (std::size_t i = 0; i < end; ++i)
    if (all[i].truncate) first = i + 1;
  for (std::size_t i = 0; i < first; ++i) {
    if (all[i].truncate) content.resize(all[i].at);
    else put(content, all[i].at, all[i].data);
  }
  if (how != Cut::whole_writes && how != Cut::sectors) {
    for (std::size_t i = first; i < end; ++i) put(content, all[i].at, all[i].data);
    return content;
  }
  // Writes after the first of them that cuts the file belong to another moment.
  std::size_t last = first;
  while (last < all.size() && !all[last].truncate) ++last;
  std::map<std::uint64_t, std::size_t> version;   // sector -> how many of the writes it has seen
  for (std::size_t i = first; i < last; ++i) {
    if (how == Cut::whole_writes) {
      if (below(chance, 2) == 1) put(content, all[i].at, all[i].data);
      continue;
    }
    for (std::uint64_t sector = all[i].at / kSector; sector * kSector < all[i].at + all[i].data.size(); ++sector)
      if (!version.contains(sector)) version[sector] = first + below(chance, last - first + 1);
  }
  if (how == Cut::whole_writes) return content;
  for (std::size_t i = first; i < last; ++i) {
    const std::uint64_t begin = all[i].at, finish = begin + all[i].data.size();
    for (std::uint64_t sector = begin / kSector; sector * kSector < finish; ++sector) {
      if (version[sector] <= i) continue;
      const std::uint64_t from = std::max(begin, sector * kSector), to = std::min(finish, (sector + 1) * kSector);
      put(content, from, ByteView(all[i].data).subspan(from - begin, to - from));
    }
  }
  return content;
}

void Disk::cut(Cut how, Chance& chance, const std::string& folder) const {
  const std::uint64_t moment = how == Cut::prefix ? below(chance, time_ + 1) : time_;
  std::map<std::string, int> names = names_;
  for (const Naming& each : pending_names_) {
    const bool there = how == Cut::everything || (how == Cut::prefix && each.time <= moment) ||
                       ((how == Cut::whole_writes || how == Cut::sectors) && below(chance, 2) == 1);
    if (!there) continue;
    for (const auto& [path, what] : each.names) names[path] = what;
  }
  fs::remove_all(folder);
  fs::create_directories(folder);
  // A name is reachable only through folders that are there. Names sort before those below them.
  for (const auto& [path, what] : names) {
    const fs::path full = fs::path(folder) / path;
    if (what == kNothing || !fs::is_directory(full.parent_path())) continue;
    if (what == kFolder) {
      fs::create_directory(full);
      continue;
    }
    const Bytes content = content_after(files_.at(what), how, moment, chance);
    std::ofstream out(full, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  }
}

}  // namespace postern::fault
