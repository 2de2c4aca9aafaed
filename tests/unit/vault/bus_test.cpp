// SPDX-License-Identifier: Apache-2.0
// The vault's side of the socket: who is let in, what a broken frame does, and that what a turn says arrives
// whole, however much it is.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "gateway/bus/bus.hpp"
#include "tests/support/house.hpp"

namespace postern {
namespace {

using vault::House;

// A connector's end of a connection: blocking writes, frames read while the loop is served.
class End {
 public:
  explicit End(Loop& loop, const std::string& path) : loop_(loop) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~End() { end(); }
  void end() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void raw(const std::string& bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
      const ssize_t wrote = ::send(fd_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (wrote > 0) at += static_cast<std::size_t>(wrote);
      else if (errno != EAGAIN) return;
      loop_.poll();
    }
    loop_.poll();
  }
  void say(wire::ToVault frame, std::uint64_t number = 0) {
    frame.set_frame(number != 0 ? number : ++last_);
    if (number != 0) last_ = number;
    const std::string bytes = frame.SerializeAsString();
    raw(head(bytes.size()) + bytes);
  }
  static std::string head(std::size_t size) {
    return {static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8), static_cast<char>(size)};
  }
  void hello(const std::string& name, std::uint64_t instance = 1, std::uint32_t window = 100, std::uint32_t version = 1) {
    wire::ToVault frame;
    frame.mutable_hello()->set_version(version);
    frame.mutable_hello()->set_connector(name);
    frame.mutable_hello()->set_instance(instance);
    frame.mutable_hello()->set_window(window);
    say(std::move(frame));
  }
  // Serves the loop until `wanted` is true of all frames read so far; false when the socket ended first.
  bool read_until(const std::function<bool()>& wanted) {
    for (int i = 0; i < 20'000; ++i) {
      loop_.poll();
      char chunk[65536];
      for (;;) {
        const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
        if (got == 0) closed = true;
        if (got <= 0) break;
        buffer_.append(chunk, static_cast<std::size_t>(got));
      }
      while (buffer_.size() >= 4) {
        std::size_t size = 0;
        for (std::size_t k = 0; k < 4; ++k) size = size << 8 | static_cast<std::uint8_t>(buffer_[k]);
        largest = std::max(largest, size);
        if (buffer_.size() < 4 + size) break;
        wire::ToConnector frame;
        EXPECT_TRUE(frame.ParseFromArray(buffer_.data() + 4, static_cast<int>(size)));
        // What is committed must have been said before: nothing of an earlier frame may still be to come.
        heard.MergeFrom(frame);
        buffer_.erase(0, 4 + size);
      }
      if (wanted()) return true;
      if (closed) return false;
      usleep(100);
    }
    return false;
  }
  bool refused(wire::Refusal::Reason reason) {
    read_until([this] { return closed; });
    EXPECT_TRUE(closed);
    return heard.refusal().reason() == reason;
  }

  wire::ToConnector heard;
  bool closed = false;
  std::size_t largest = 0;

 private:
  Loop& loop_;
  int fd_ = -1;
  std::uint64_t last_ = 0;
  std::string buffer_;
};

class BusTest : public testing::Test {
 protected:
  BusTest() {
    log::open("bus", log::Level::error);
    EXPECT_TRUE(bus.open(path).has_value());
    bus.serve(&house.vault());
  }
  void turn() {
    const Status done = house.vault().turn();
    if (done) bus.flush();
    else bus.drop_all("the store could not commit");
    if (done && house.vault().more()) loop.defer([this] { turn(); });
  }
  bool welcomed(End& end) {
    return end.read_until([&end] { return end.heard.has_welcome(); });
  }

  House house;
  Loop loop;
  std::string path = house.state() + "/bus.sock";
  Bus bus{loop, [this] { loop.defer([this] { turn(); }); }};
};

TEST_F(BusTest, AConfiguredConnectorUnderItsUserIsWelcomed) {
  End end(loop, path);
  end.hello("sms");
  ASSERT_TRUE(welcomed(end));
  EXPECT_EQ(end.heard.welcome().version(), 1U);
  EXPECT_EQ(end.heard.committed(), 1U);
  EXPECT_GT(end.heard.welcome().submit_window(), 0U);
}

TEST_F(BusTest, AnUnknownNameIsRefused) {
  End end(loop, path);
  end.hello("nobody");
  EXPECT_TRUE(end.refused(wire::Refusal::NOT_CONFIGURED));
}

TEST_F(BusTest, AnotherUserIsRefused) {
  House other("[connectors.guarded]\nuser = \"nobody\"\n");
  bus.serve(nullptr);
  bus.serve(&other.vault());
  End end(loop, path);
  end.hello("guarded");
  EXPECT_TRUE(end.refused(wire::Refusal::WRONG_USER));
  bus.serve(nullptr);
}

TEST_F(BusTest, AnotherVersionAHelloWithoutAnInstanceAndAWideWindowAreRefused) {
  End one(loop, path), two(loop, path), three(loop, path);
  one.hello("sms", 1, 100, 2);
  EXPECT_TRUE(one.refused(wire::Refusal::VERSION));
  two.hello("sms", 0);
  EXPECT_TRUE(two.refused(wire::Refusal::PROTOCOL));
  three.hello("sms", 1, 100'001);
  EXPECT_TRUE(three.refused(wire::Refusal::PROTOCOL));
}

TEST_F(BusTest, ALockedVaultSaysSo) {
  bus.serve(nullptr);
  End end(loop, path);
  end.hello("sms");
  EXPECT_TRUE(end.refused(wire::Refusal::LOCKED));
}

TEST_F(BusTest, LockingClosesEverybody) {
  End end(loop, path);
  end.hello("sms");
  ASSERT_TRUE(welcomed(end));
  bus.serve(nullptr);
  end.read_until([&end] { return end.closed; });
  EXPECT_TRUE(end.closed);
}

TEST_F(BusTest, TheFirstFrameMustSayHelloAndNothingThatWouldBeLost) {
  End none(loop, path), more(loop, path);
  none.say(wire::ToVault());
  EXPECT_TRUE(none.refused(wire::Refusal::PROTOCOL));
  wire::ToVault frame;
  frame.mutable_hello()->set_version(1);
  frame.mutable_hello()->set_connector("sms");
  frame.mutable_hello()->set_instance(1);
  frame.add_receipt()->set_provider_id("x");
  more.say(frame);
  EXPECT_TRUE(more.refused(wire::Refusal::PROTOCOL)) << "a fact in the first frame must not be swallowed";
}

TEST_F(BusTest, HealthMayComeWithTheHello) {
  End end(loop, path);
  wire::ToVault frame;
  frame.mutable_hello()->set_version(1);
  frame.mutable_hello()->set_connector("sms");
  frame.mutable_hello()->set_instance(1);
  frame.mutable_hello()->set_window(5);
  frame.mutable_health()->set_up(false);
  frame.mutable_health()->set_window(5);
  end.say(frame);
  ASSERT_TRUE(welcomed(end));
  loop.poll();
  EXPECT_FALSE(house.vault().peers().begin()->second.up);
}

TEST_F(BusTest, GapsInFrameNumbersASecondHelloAndGarbageAreRefused) {
  End gap(loop, path), twice(loop, path), garbage(loop, path);
  gap.hello("sms");
  ASSERT_TRUE(welcomed(gap));
  wire::ToVault frame;
  frame.mutable_health()->set_up(true);
  gap.say(frame, 5);
  EXPECT_TRUE(gap.refused(wire::Refusal::PROTOCOL));
  twice.hello("sms");
  ASSERT_TRUE(welcomed(twice));
  twice.hello("sms");
  EXPECT_TRUE(twice.refused(wire::Refusal::PROTOCOL));
  garbage.raw(End::head(4) + "\xff\xff\xff\xff");
  EXPECT_TRUE(garbage.refused(wire::Refusal::PROTOCOL));
}

TEST_F(BusTest, AFrameOfNoOrTooManyBytesClosesTheSocket) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{4 * 1024 * 1024 + 1}, std::size_t{0xffffffff}}) {
    End end(loop, path);
    end.raw(End::head(size));
    end.read_until([&end] { return end.closed; });
    EXPECT_TRUE(end.closed) << size;
  }
}

TEST_F(BusTest, APeerThatBrokeTheRulesIsNotLetInByItsNextFrame) {
  End end(loop, path);
  wire::ToVault hello;
  hello.set_frame(1);
  hello.mutable_hello()->set_version(1);
  hello.mutable_hello()->set_connector("sms");
  hello.mutable_hello()->set_instance(1);
  wire::ToVault bad;
  bad.set_frame(7);
  const std::string first = bad.SerializeAsString(), second = hello.SerializeAsString();
  end.raw(End::head(first.size()) + first + End::head(second.size()) + second);
  EXPECT_TRUE(end.refused(wire::Refusal::PROTOCOL));
  EXPECT_FALSE(end.heard.has_welcome());
  EXPECT_TRUE(house.vault().peers().empty());
}

TEST_F(BusTest, TheNewestProcessOfANameReplacesTheOlder) {
  End old(loop, path), young(loop, path);
  old.hello("sms", 1);
  ASSERT_TRUE(welcomed(old));
  young.hello("sms", 2);
  ASSERT_TRUE(welcomed(young));
  EXPECT_TRUE(old.refused(wire::Refusal::REPLACED));
  turn();
  ASSERT_EQ(house.vault().peers().size(), 1U);
  EXPECT_EQ(house.vault().peers().begin()->second.instance, 2U);
}

TEST_F(BusTest, AConnectorThatGoesIsForgotten) {
  {
    End end(loop, path);
    end.hello("sms");
    ASSERT_TRUE(welcomed(end));
  }
  for (int i = 0; i < 100 && !house.vault().peers().empty(); ++i) loop.poll();
  EXPECT_TRUE(house.vault().peers().empty());
}

TEST_F(BusTest, AConnectorThatGoesRightAfterItsHelloHarmsNobody) {
  for (int i = 0; i < 20; ++i) {
    End end(loop, path);
    end.hello("sms", static_cast<std::uint64_t>(i + 1));
    end.end();
    loop.poll();
  }
  End end(loop, path);
  end.hello("sms", 99);
  EXPECT_TRUE(welcomed(end));
}

TEST_F(BusTest, ATurnThatSaysMoreThanAFrameHoldsArrivesWhole) {
  const vault::PeerId api = house.join("api");
  constexpr int kCount = 1500;
  for (int round = 0; round < kCount / 100; ++round) {
    wire::ToVault frame;
    for (int i = 0; i < 100; ++i) {
      wire::Submit& submit = *frame.add_submit();
      submit = House::submit();
      submit.set_text(std::string(8000, 'x'));
    }
    house.say(api, std::move(frame));
    house.turn();
  }
  End end(loop, path);
  end.hello("sms", 1, 5000);
  ASSERT_TRUE(end.read_until([&end] { return end.heard.deliver_size() >= kCount; })) << end.heard.deliver_size() << " arrived";
  EXPECT_TRUE(end.heard.has_welcome());
  EXPECT_EQ(end.heard.committed(), 1U);
  EXPECT_LE(end.largest, kMaxFrame);
}

TEST_F(BusTest, APeerThatReadsNothingIsClosedAndTheOthersGoOn) {
  const vault::PeerId api = house.join("api");
  End deaf(loop, path);
  deaf.hello("sms", 1, 100'000);
  loop.poll();
  for (int round = 0; round < 40; ++round) {
    wire::ToVault frame;
    for (int i = 0; i < 100; ++i) {
      wire::Submit& submit = *frame.add_submit();
      submit = House::submit();
      submit.set_text(std::string(32'000, 'x'));
    }
    house.say(api, std::move(frame));
    turn();
    loop.poll();
  }
  EXPECT_TRUE(house.vault().peers().contains(api));
  EXPECT_EQ(house.vault().peers().size(), 1U) << "128 MB wait for a peer that does not read";
  End again(loop, path);
  again.hello("sms", 1, 10);
  EXPECT_TRUE(welcomed(again));
}

}  // namespace
}  // namespace postern
