// SPDX-License-Identifier: Apache-2.0
// Purpose: space of the state folder's file system that the gateway keeps for itself, as a file that takes it up. While free space is
// low nothing new is accepted; when it is gone the reserve is given up, so that what was accepted still goes its way; when there
// is room again the reserve is made anew. Used by: posternd. Threads: one. Ownership: the file is nobody else's.
// Steps: enough -> low at less than a quarter of the reserve free; -> enough again at half of it free beside a whole reserve.
// Errors: a file system that cannot be asked counts as full.
#pragma once

#include <cstdint>
#include <string>

namespace postern {

class Reserve {
 public:
  // `bytes` 0: no reserve, and room is always enough.
  Reserve(std::string path, std::uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  enum class Room { enough, low };
  // Looks at the file system; a second is a good period.
  Room look();
  // A commit found the disk full. False: there is nothing left to give up.
  bool spend();

  Room room() const { return room_; }
  std::uint64_t held() const { return held_; }   // bytes that the file takes up
  std::uint64_t free() const { return free_; }   // bytes beside it, at the last look
  std::uint64_t free_now() const;

 private:
  std::string path_;
  std::uint64_t bytes_, held_ = 0, free_ = 0;
  Room room_ = Room::enough;
};

}  // namespace postern
