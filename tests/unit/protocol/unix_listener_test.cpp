// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/unix_listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "connectors/protocol/frame_socket.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

class Listening : public testing::Test {
 protected:
  Listening() { forget(); }
  ~Listening() override {
    forget();
    for (const int fd : accepted) ::close(fd);
  }
  static void forget() {
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  }
  std::unique_ptr<UnixListener> listener() {
    return std::make_unique<UnixListener>(loop, [this](int fd, const std::string& user) {
      accepted.push_back(fd);
      users.push_back(user);
    });
  }
  TempFolder folder;
  std::string path = folder / "bus.sock";
  Loop loop;
  std::vector<int> accepted;
  std::vector<std::string> users;
};

TEST_F(Listening, TellsThePeersUserByTheKernelsWord) {
  const auto it = listener();
  ASSERT_TRUE(it->open("bus", path).has_value());
  const Result<int> client = FrameSocket::connect(path);
  ASSERT_TRUE(client.has_value());
  loop.poll();
  EXPECT_EQ(users, std::vector<std::string>{own_user_name()});
  ::close(*client);
}

TEST_F(Listening, ItsSocketIsTheGroupsAndGoesWithIt) {
  auto it = listener();
  ASSERT_TRUE(it->open("bus", path).has_value());
  struct stat facts {};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0660U);
  it.reset();
  EXPECT_NE(::stat(path.c_str(), &facts), 0);
}

TEST_F(Listening, ASecondOneOnALivePathIsRefused) {
  const auto one = listener(), two = listener();
  ASSERT_TRUE(one->open("bus", path).has_value());
  EXPECT_FALSE(two->open("bus", path).has_value());
}

TEST_F(Listening, WithSocketsFromSystemdTheSocketTellsTheUser) {
  // In a child, as a service is started: descriptor 3 and the names that systemd gives.
  const auto work = [&]() -> int {
    const Result<int> made = FrameSocket::listen(path);
    if (!made || dup2(*made, 3) != 3) return 2;
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_FDNAMES", "bus.postern-smpp", 1);
    Loop fresh;  // the fixture's own may have had descriptor 3
    std::vector<std::string> seen;
    UnixListener it(fresh, [&](int, const std::string& user) { seen.push_back(user); });
    if (!it.open("bus", folder / "own.sock")) return 3;
    const Result<int> client = FrameSocket::connect(path);
    if (!client) return 4;
    fresh.poll();
    if (std::filesystem::exists(folder / "own.sock")) return 5;
    return seen == std::vector<std::string>{"postern-smpp"} ? 0 : 6;
  };
  EXPECT_EXIT(::_exit(work()), testing::ExitedWithCode(0), "");
}

TEST(UserName, OfAnUnknownUserIsItsNumber) {
  EXPECT_EQ(user_name(4'000'000'000U), "uid 4000000000");
  EXPECT_EQ(user_name(0), "root");
}

}  // namespace
}  // namespace postern
