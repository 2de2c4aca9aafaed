// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/frame_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connectors/protocol/wire.pb.h"
#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

std::string framed(const std::string& body) {
  const std::size_t size = body.size();
  return std::string{static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8), static_cast<char>(size)} + body;
}

class Frames : public testing::Test {
 protected:
  Frames() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    far = ends[1];
    open(ends[0]);
  }
  ~Frames() override { close_far(); }
  void open(int fd, std::size_t limit = 64 * 1024 * 1024) {
    socket = std::make_unique<FrameSocket>(loop, fd,
                                           FrameSocket::Handlers{[this](std::string_view frame) {
                                                                   frames.emplace_back(frame);
                                                                   if (on_frame) on_frame();
                                                                 },
                                                                 [this](const std::string& reason) { closed.push_back(reason); }},
                                           limit);
  }
  void close_far() {
    if (far >= 0) ::close(far);
    far = -1;
  }
  void write(const std::string& bytes) {
    std::size_t at = 0;
    for (int i = 0; at < bytes.size() && i < 100'000; ++i) {
      const ssize_t wrote = ::send(far, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (wrote > 0) at += static_cast<std::size_t>(wrote);
      loop.poll();
    }
    for (int i = 0; i < 4; ++i) loop.poll();
  }
  std::string read_far() {
    std::string all;
    char chunk[65536];
    for (int i = 0; i < 1000; ++i) {
      loop.poll();
      const ssize_t got = ::recv(far, chunk, sizeof chunk, 0);
      if (got <= 0) break;
      all.append(chunk, static_cast<std::size_t>(got));
    }
    return all;
  }
  static wire::ToVault message(std::size_t size) {
    wire::ToVault frame;
    frame.add_reply()->set_text(std::string(size, 'x'));
    return frame;
  }

  Loop loop;
  int far = -1;
  std::unique_ptr<FrameSocket> socket;
  std::vector<std::string> frames, closed;
  std::function<void()> on_frame;
};

TEST_F(Frames, ArriveWholeHoweverTheyAreCut) {
  std::string stream, large(300'000, 'y');
  const std::vector<std::string> bodies{"a", "bb", large, "ccc", std::string(65536, 'z'), "d"};
  for (const std::string& body : bodies) stream += framed(body);
  for (const std::size_t piece : {std::size_t{1} << 30, std::size_t{65536}, std::size_t{4097}, std::size_t{3}}) {
    frames.clear();
    if (piece == 3) stream.resize(4 + 1 + 4 + 2);  // byte by byte for the short ones
    for (std::size_t at = 0; at < stream.size(); at += piece) write(stream.substr(at, piece));
    ASSERT_EQ(frames.size(), piece == 3 ? 2U : bodies.size()) << piece;
    for (std::size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(frames[i], bodies[i]);
  }
}

TEST_F(Frames, OfNoBytesOrTooManyCloseTheSocketOnce) {
  write(framed("good") + std::string(4, '\0') + framed("never"));
  EXPECT_EQ(frames, std::vector<std::string>{"good"});
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_FALSE(socket->open());
}

TEST_F(Frames, TheLargestIsTakenAndOneByteMoreIsNot) {
  write(framed(std::string(kMaxFrame, 'm')));
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].size(), kMaxFrame);
  const std::size_t over = kMaxFrame + 1;
  write({static_cast<char>(over >> 24), static_cast<char>(over >> 16), static_cast<char>(over >> 8), static_cast<char>(over)});
  EXPECT_EQ(closed.size(), 1U);
}

TEST_F(Frames, ThatCameBeforeTheEndStillCount) {
  const std::string last = framed("last words");
  ASSERT_EQ(::send(far, last.data(), last.size(), 0), static_cast<ssize_t>(last.size()));
  close_far();
  for (int i = 0; i < 4; ++i) loop.poll();
  EXPECT_EQ(frames, std::vector<std::string>{"last words"});
  EXPECT_EQ(closed.size(), 1U);
}

TEST_F(Frames, AreNotReadWhilePausedAndAllComeAfterResume) {
  on_frame = [this] { socket->pause(); };
  write(framed("one") + framed("two") + framed("three"));
  EXPECT_EQ(frames.size(), 1U);
  socket->resume();
  for (int i = 0; i < 3; ++i) loop.poll();
  EXPECT_EQ(frames.size(), 2U);
  on_frame = nullptr;
  socket->resume();
  for (int i = 0; i < 3; ++i) loop.poll();
  EXPECT_EQ(frames.size(), 3U);
}

TEST_F(Frames, ThatWaitWhilePausedAreNotLostWhenThePeerGoes) {
  on_frame = [this] { socket->pause(); };
  const std::string both = framed("one") + framed("two");
  ASSERT_EQ(::send(far, both.data(), both.size(), 0), static_cast<ssize_t>(both.size()));
  close_far();
  for (int i = 0; i < 4; ++i) loop.poll();
  EXPECT_EQ(frames.size(), 1U);
  EXPECT_TRUE(closed.empty()) << "whole frames are still to be read";
  on_frame = nullptr;
  socket->resume();
  for (int i = 0; i < 4; ++i) loop.poll();
  EXPECT_EQ(frames.size(), 2U);
  EXPECT_EQ(closed.size(), 1U);
}

TEST_F(Frames, BackPressureReachesAWriterWhoseReaderIsPaused) {
  socket->pause();
  std::size_t taken = 0;
  const std::string chunk(65536, 'x');
  for (int i = 0; i < 1000; ++i) {
    const ssize_t wrote = ::send(far, chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (wrote < 0) break;
    taken += static_cast<std::size_t>(wrote);
    loop.poll();
  }
  EXPECT_LT(taken, 8U * 1024 * 1024);
}

TEST_F(Frames, AfterACloseNothingMoreIsHandedOut) {
  on_frame = [this] { socket->close_after_flush("enough"); };
  write(framed("one") + framed("two"));
  EXPECT_EQ(frames.size(), 1U);
  EXPECT_EQ(closed, std::vector<std::string>{"enough"});
}

TEST_F(Frames, AreWrittenBeforeTheSocketCloses) {
  EXPECT_TRUE(socket->send(message(1'000'000)));
  socket->close_after_flush("done");
  std::string all;
  for (int i = 0; i < 1000 && closed.empty(); ++i) all += read_far();
  all += read_far();
  EXPECT_GT(all.size(), 1'000'000U);
  EXPECT_EQ(closed, std::vector<std::string>{"done"});
}

TEST_F(Frames, OverTheLimitAreNotSentAndTheSocketStays) {
  EXPECT_FALSE(socket->send(message(kMaxFrame)));
  EXPECT_FALSE(socket->send(wire::ToVault())) << "an empty message has no frame";
  EXPECT_TRUE(socket->open());
  EXPECT_TRUE(socket->send(message(10)));
}

TEST_F(Frames, ForAPeerThatDoesNotReadEndTheSocketAtTheLimit) {
  socket.reset();
  close_far();
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  far = ends[1];
  open(ends[0], 1024 * 1024);
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) {
    const bool sent = socket->send(message(100'000));
    refused = !sent;
    EXPECT_TRUE(closed.empty()) << "never from inside send()";
    EXPECT_LE(socket->unsent(), 1024U * 1024);
  }
  EXPECT_TRUE(refused);
  loop.poll();
  EXPECT_EQ(closed.size(), 1U);
}

TEST_F(Frames, ToAPeerThatWentEndTheSocketAfterTheCall) {
  close_far();
  socket->send(message(100));
  EXPECT_TRUE(closed.empty());
  for (int i = 0; i < 3; ++i) loop.poll();
  EXPECT_EQ(closed.size(), 1U);
  EXPECT_FALSE(socket->send(message(1)));
}

TEST_F(Frames, AHandlerMayDestroyItsSocket) {
  on_frame = [this] { socket.reset(); };
  const std::string both = framed("one") + framed("two");
  ASSERT_EQ(::send(far, both.data(), both.size(), 0), static_cast<ssize_t>(both.size()));
  for (int i = 0; i < 3; ++i) loop.poll();
  EXPECT_EQ(frames.size(), 1U);
}

TEST(SocketFile, IsGroupsAloneReplacesAStaleOneAndRefusesALiveOne) {
  TempFolder folder;
  const std::string path = folder / "bus.sock";
  const Result<int> first = FrameSocket::listen(path);
  ASSERT_TRUE(first.has_value()) << first.what();
  struct stat facts {};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0660U);
  EXPECT_FALSE(FrameSocket::listen(path).has_value()) << "somebody serves it";
  ::close(*first);
  const Result<int> second = FrameSocket::listen(path);
  ASSERT_TRUE(second.has_value()) << "nobody serves it any more";
  ::close(*second);
}

TEST(SocketFile, OfAnImpossiblePathIsAnError) {
  TempFolder folder;
  EXPECT_FALSE(FrameSocket::listen("").has_value());
  EXPECT_FALSE(FrameSocket::listen(folder / std::string(120, 'x')).has_value());
  EXPECT_FALSE(FrameSocket::listen(folder / "no/such/folder").has_value());
  EXPECT_FALSE(FrameSocket::connect(folder / "none").has_value());
}

TEST(LoopTest, WorkThatDefersItselfDoesNotKeepSocketsFromBeingServed) {
  Loop loop;
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  bool served = false;
  int rounds = 0;
  Watch watch(loop, ends[0], Watch::For::read, [&] {
    served = true;
    loop.stop();
  });
  watch.start();
  std::function<void()> again = [&] {
    if (++rounds == 1) {
      EXPECT_EQ(::send(ends[1], "x", 1, 0), 1);
    }
    if (rounds < 10'000 && !served) loop.defer(again);
    else loop.stop();
  };
  loop.defer(again);
  loop.run();
  EXPECT_TRUE(served) << "after " << rounds << " rounds";
  EXPECT_LT(rounds, 10'000);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace postern
