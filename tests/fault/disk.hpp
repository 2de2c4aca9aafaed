// SPDX-License-Identifier: Apache-2.0
// Purpose: a disk with a cache in front of it. It takes what a recorder saw and gives folders as a power cut could leave
// them: only what was synced is certain; of the rest any part may be there, in any order, torn between sectors of 512
// bytes, and names may be newer or older than what stands under them.
// The rules are POSIX's, not those of one file system: fsync of a file makes its bytes durable and says nothing of its
// name; fsync of a folder makes the names in it durable; syncfs makes everything durable.
// Used by: the power-cut test. Threads: one. Ownership: values.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/fault/recorder.hpp"

namespace postern::fault {

using Chance = std::mt19937_64;

// How much of what was not synced survives.
enum class Cut { nothing, everything, prefix, whole_writes, sectors };
inline constexpr Cut kCuts[] = {Cut::nothing, Cut::everything, Cut::prefix, Cut::whole_writes, Cut::sectors};
const char* name_of(Cut cut);

class Disk {
 public:
  void apply(const Op& op);
  // Writes one possible state into `folder`, which is emptied first.
  void cut(Cut how, Chance& chance, const std::string& folder) const;
  // Something is not synced, so that more than one state is possible.
  bool pending() const;

 private:
  struct Change {
    bool truncate = false;
    std::uint64_t at = 0;
    Bytes data;
    std::uint64_t time = 0;
  };
  struct File {
    Bytes durable;
    std::vector<Change> pending;
  };
  // What a change of names leaves under a path: a file, a folder (0), or nothing (-1).
  struct Naming {
    std::vector<std::pair<std::string, int>> names;
    std::vector<std::string> parents;      // to be synced before it is durable
    std::uint64_t time = 0;
  };
  static constexpr int kFolder = 0, kNothing = -1;

  static Bytes content_after(const File& file, Cut how, std::uint64_t moment, Chance& chance);
  void settle(File& file);

  std::map<int, File> files_;
  std::map<std::string, int> names_;       // durable
  std::vector<Naming> pending_names_;
  std::uint64_t time_ = 0;
};

}  // namespace postern::fault
