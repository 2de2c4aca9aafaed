// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/http/waiting_room.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace postern::http {
namespace {

// Numbers that are no descriptors: the room gives them back in every one of these tests.
std::vector<int> all_of(WaitingRoom& room) {
  std::vector<int> order;
  while (const std::optional<Newcomer> next = room.next()) order.push_back(next->fd);
  return order;
}

TEST(WaitingRoom, AddressesTakeTurns) {
  WaitingRoom room(10);
  for (const int fd : {100, 101, 102, 103}) EXPECT_FALSE(room.add({fd, "192.0.2.1"}));
  EXPECT_FALSE(room.add({200, "192.0.2.2"}));
  EXPECT_FALSE(room.add({300, "192.0.2.3"}));
  EXPECT_EQ(room.size(), 6U);
  EXPECT_EQ(all_of(room), (std::vector<int>{100, 200, 300, 101, 102, 103}));
  EXPECT_EQ(room.size(), 0U);
}

TEST(WaitingRoom, WhoHasMostGivesWay) {
  WaitingRoom room(4);
  for (const int fd : {100, 101, 102, 103}) EXPECT_FALSE(room.add({fd, "192.0.2.1"}));
  const std::optional<Newcomer> own = room.add({104, "192.0.2.1"});
  ASSERT_TRUE(own);
  EXPECT_EQ(own->fd, 104);
  const std::optional<Newcomer> others = room.add({200, "192.0.2.2"});
  ASSERT_TRUE(others);
  EXPECT_EQ(others->fd, 103);
  EXPECT_EQ(others->address, "192.0.2.1");
  EXPECT_EQ(all_of(room), (std::vector<int>{100, 200, 101, 102}));
}

// One who comes and has to leave at once is not remembered.
TEST(WaitingRoom, AnAddressWithoutConnectionsHasNoTurn) {
  WaitingRoom room(1);
  EXPECT_FALSE(room.add({100, "192.0.2.1"}));
  const std::optional<Newcomer> left = room.add({200, "192.0.2.2"});
  ASSERT_TRUE(left);
  const int stays = left->fd == 100 ? 200 : 100;
  EXPECT_EQ(room.size(), 1U);
  EXPECT_EQ(all_of(room), std::vector<int>{stays});
}

TEST(WaitingRoom, EndsWithItsDescriptors) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  {
    WaitingRoom room(1);
    EXPECT_FALSE(room.add({ends[1], "192.0.2.1"}));
  }
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);  // the other end is closed
  close(ends[0]);
}

}  // namespace
}  // namespace postern::http
