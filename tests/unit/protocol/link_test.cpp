// SPDX-License-Identifier: Apache-2.0
// The connector's side of the protocol against a vault played here: what is said, repeated, and forgotten.
#include "connectors/protocol/link.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connectors/protocol/log.hpp"
#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

class Linked : public testing::Test {
 protected:
  Linked() {
    log::open("link", log::Level::error);
    listen();
    LinkOptions options;
    options.socket = path;
    options.connector = "sms";
    options.window = 10;
    options.software = "test 1";
    LinkHandlers handlers;
    handlers.welcome = [this](const wire::Welcome&) { ++welcomes; };
    handlers.refused = [this](const wire::Refusal& refusal) { refusals.push_back(refusal.reason()); };
    handlers.lost = [this] { ++losses; };
    handlers.deliver = [this](wire::Deliver&& deliver) { deliveries.push_back(deliver.attempt().message()); };
    handlers.cancel = [this](const wire::Attempt& attempt) { cancels.push_back(attempt.message()); };
    handlers.verdict = [this](wire::Verdict&& verdict) { verdicts.push_back(verdict.tag()); };
    handlers.answer = [this](wire::Answer&& answer) { answers.push_back(answer.tag()); };
    handlers.event = [this](wire::Event&& event) { events.push_back(event.sequence()); };
    handlers.drain = [this] { ++drains; };
    link = std::make_unique<Link>(loop, options, std::move(handlers));
  }
  ~Linked() override {
    link.reset();
    close_listener();
  }

  // ---- the vault ----
  void listen() {
    const Result<int> fd = FrameSocket::listen(path);
    ASSERT_TRUE(fd.has_value()) << fd.what();
    listener = *fd;
    accept = std::make_unique<Watch>(loop, listener, Watch::For::read, [this] {
      const int peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (peer < 0) return;
      ++connections;
      vault = std::make_unique<FrameSocket>(loop, peer, FrameSocket::Handlers{[this](std::string_view bytes) {
                                                                               wire::ToVault frame;
                                                                               EXPECT_TRUE(frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
                                                                               sizes.push_back(bytes.size());
                                                                               frames.push_back(frame);
                                                                             },
                                                                             [this](const std::string&) { gone = true; }});
      frames.clear();
      gone = false;
    });
    accept->start();
  }
  void close_listener() {
    accept.reset();
    if (listener >= 0) ::close(listener);
    listener = -1;
  }
  void say(const wire::ToConnector& frame) { EXPECT_TRUE(vault->send(frame)); }
  void welcome(std::uint64_t committed = 1) {
    wire::ToConnector frame;
    frame.mutable_welcome()->set_version(1);
    frame.mutable_welcome()->set_submit_window(100);
    frame.set_committed(committed);
    const int before = welcomes;
    say(frame);
    until([&] { return welcomes > before; });
  }
  void commit(std::uint64_t number) {
    wire::ToConnector frame;
    frame.set_committed(number);
    say(frame);
    settle();
  }
  void lose() {
    vault.reset();
    until([this] { return !link->up(); });
  }
  void begin() {
    link->start();
    until([this] { return !frames.empty(); });
    welcome();
  }
  // Waits for the link to come back and say hello again.
  void come_back(std::size_t hellos = 1) {
    until([&] { return vault && !frames.empty() && frames[0].has_hello(); });
    EXPECT_GE(frames.size(), hellos);
  }

  void until(const std::function<bool()>& done) {
    bool late = false;
    Timer guard(loop, [&] {
      late = true;
      loop.stop();
    });
    guard.start(std::chrono::seconds(10));
    while (!done() && !late) loop.run_once();
    EXPECT_FALSE(late) << "waited ten seconds";
  }
  void settle() {
    for (int i = 0; i < 6; ++i) loop.poll();
  }
  static wire::Result result(std::uint64_t message, std::uint32_t number = 1) {
    wire::Result r;
    r.mutable_attempt()->set_message(message);
    r.mutable_attempt()->set_number(number);
    r.set_kind(wire::Result::SENT);
    return r;
  }
  static wire::Receipt receipt(const std::string& id) {
    wire::Receipt r;
    r.set_provider_id(id);
    r.set_progress(wire::DELIVERED);
    return r;
  }
  std::vector<std::string> said() const {
    std::vector<std::string> all;
    for (const wire::ToVault& frame : frames) {
      for (const wire::Result& r : frame.result()) all.push_back("result " + std::to_string(r.attempt().message()));
      for (const wire::Receipt& r : frame.receipt()) all.push_back("receipt " + r.provider_id());
      for (const wire::Reply& r : frame.reply()) all.push_back("reply " + r.provider_id());
      for (const wire::Observation& o : frame.observation()) all.push_back("observation " + o.reason());
    }
    return all;
  }

  TempFolder folder;
  std::string path = folder / "bus.sock";
  Loop loop;
  int listener = -1, connections = 0;
  std::unique_ptr<Watch> accept;
  std::unique_ptr<FrameSocket> vault;
  std::vector<wire::ToVault> frames;   // of the running connection
  std::vector<std::size_t> sizes;
  bool gone = false;

  std::unique_ptr<Link> link;
  int welcomes = 0, losses = 0, drains = 0;
  std::vector<wire::Refusal::Reason> refusals;
  std::vector<std::uint64_t> deliveries, cancels, verdicts, answers, events;
};

TEST_F(Linked, SaysHelloFirst) {
  link->start();
  until([this] { return !frames.empty(); });
  ASSERT_TRUE(frames[0].has_hello());
  EXPECT_EQ(frames[0].frame(), 1U);
  EXPECT_EQ(frames[0].hello().version(), 1U);
  EXPECT_EQ(frames[0].hello().connector(), "sms");
  EXPECT_EQ(frames[0].hello().window(), 10U);
  EXPECT_EQ(frames[0].hello().instance(), link->instance());
  EXPECT_NE(link->instance(), 0U);
  EXPECT_FALSE(link->up());
  welcome();
  EXPECT_TRUE(link->up());
  EXPECT_EQ(link->submit_window(), 100U);
}

TEST_F(Linked, SaysNothingBetweenHelloAndWelcome) {
  link->start();
  link->result(result(1));
  link->health(true, "x", 5);
  until([this] { return !frames.empty(); });
  settle();
  EXPECT_EQ(frames.size(), 1U);
  welcome();
  until([this] { return said().size() == 1; });
}

TEST_F(Linked, WhatOneTurnSaysIsOneFrame) {
  begin();
  loop.defer([this] {
    for (std::uint64_t i = 1; i <= 5; ++i) link->result(result(i));
    link->receipt(receipt("a"));
    wire::Submit submit;
    submit.set_tag(9);
    EXPECT_TRUE(link->submit(std::move(submit)));
    link->health(true, "fine", 4);
  });
  until([this] { return frames.size() == 2; });
  settle();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].frame(), 2U);
  EXPECT_EQ(frames[1].result_size(), 5);
  EXPECT_EQ(frames[1].receipt_size(), 1);
  EXPECT_EQ(frames[1].submit_size(), 1);
  EXPECT_EQ(frames[1].health().window(), 4U);
}

TEST_F(Linked, FrameNumbersGrowByOneAndBeginAnewWithEachConnection) {
  begin();
  for (std::uint64_t i = 0; i < 5; ++i) {
    link->result(result(i));
    settle();
  }
  for (std::size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(frames[i].frame(), i + 1);
  lose();
  come_back();
  EXPECT_EQ(frames[0].frame(), 1U);
}

TEST_F(Linked, FactsAreRepeatedInTheirOrderUntilTheyAreDurable) {
  begin();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    link->result(result(i));
    settle();
  }
  wire::Reply reply;
  reply.set_provider_id("r");
  link->reply(std::move(reply));
  wire::Observation observation;
  observation.set_reason("o");
  link->observe(std::move(observation));
  settle();
  commit(2);  // the first result
  lose();
  come_back();
  EXPECT_TRUE(said().empty()) << "not before the welcome";
  welcome();
  until([this] { return said().size() == 4; });
  settle();
  EXPECT_EQ(said(), (std::vector<std::string>{"result 2", "result 3", "reply r", "observation o"}));
  for (std::size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(frames[i].frame(), i + 1);
}

TEST_F(Linked, FactsOfTheTimeWithoutAVaultComeAfterThoseBefore) {
  begin();
  link->result(result(1));
  settle();
  lose();
  link->result(result(2));
  link->receipt(receipt("3"));
  come_back();
  welcome();
  until([this] { return said().size() == 3; });
  EXPECT_EQ(said(), (std::vector<std::string>{"result 1", "result 2", "receipt 3"}));
}

TEST_F(Linked, ADurableFactIsToldOnceAndNeverRepeated) {
  begin();
  int durable = 0;
  link->receipt(receipt("a"), [&] { ++durable; });
  settle();
  EXPECT_EQ(durable, 0);
  EXPECT_FALSE(link->settled());
  commit(2);
  EXPECT_EQ(durable, 1);
  EXPECT_TRUE(link->settled());
  lose();
  come_back();
  welcome();
  settle();
  EXPECT_TRUE(said().empty());
  commit(5);
  EXPECT_EQ(durable, 1);
}

TEST_F(Linked, DurabilityIsToldAlsoOfRepeatedFactsAndNotByOldNumbers) {
  begin();
  int durable = 0;
  for (int i = 0; i < 5; ++i) {
    link->receipt(receipt(std::to_string(i)), [&] { ++durable; });
    settle();
  }
  lose();
  come_back();
  welcome(/*committed=*/1);
  settle();
  EXPECT_EQ(durable, 0) << "numbers of the old connection mean nothing in the new one";
  commit(4);
  EXPECT_EQ(durable, 3);
  commit(6);
  EXPECT_EQ(durable, 5);
}

TEST_F(Linked, SubmitsAndQueriesEndWithTheirConnection) {
  begin();
  wire::Submit submit;
  EXPECT_TRUE(link->submit(std::move(submit)));
  settle();
  lose();
  EXPECT_EQ(losses, 1);
  EXPECT_FALSE(link->submit(wire::Submit()));
  EXPECT_FALSE(link->query(wire::Query()));
  come_back();
  welcome();
  settle();
  for (const wire::ToVault& frame : frames) EXPECT_EQ(frame.submit_size() + frame.query_size(), 0);
}

TEST_F(Linked, LostIsToldOnlyWhenItWasUp) {
  link->start();
  until([this] { return !frames.empty(); });
  vault.reset();
  until([this] { return vault && !frames.empty(); });
  EXPECT_EQ(losses, 0);
  welcome();
  lose();
  EXPECT_EQ(losses, 1);
}

TEST_F(Linked, ADeliveryToldAgainIsNotPassedOnAgain) {
  begin();
  wire::ToConnector frame;
  for (const std::uint64_t message : {7U, 8U}) {
    wire::Attempt& attempt = *frame.add_deliver()->mutable_attempt();
    attempt.set_message(message);
    attempt.set_number(1);
  }
  say(frame);
  until([this] { return deliveries.size() == 2; });
  lose();
  come_back();
  welcome();
  say(frame);
  settle();
  EXPECT_EQ(deliveries.size(), 2U);
  // Said its result, not yet durable: still known.
  link->result(result(7));
  settle();
  say(frame);
  settle();
  EXPECT_EQ(deliveries.size(), 2U);
  // Another attempt of the same message is another one.
  frame.mutable_deliver(0)->mutable_attempt()->set_number(2);
  say(frame);
  until([this] { return deliveries.size() == 3; });
}

TEST_F(Linked, EverythingThatTheVaultSaysArrives) {
  begin();
  wire::ToConnector frame;
  frame.add_verdict()->set_tag(1);
  frame.add_verdict()->set_tag(2);
  frame.add_answer()->set_tag(3);
  frame.add_event()->set_sequence(4);
  frame.add_cancel()->set_message(5);
  frame.set_drain(true);
  say(frame);
  until([this] { return drains == 1; });
  EXPECT_EQ(verdicts, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(answers, std::vector<std::uint64_t>{3});
  EXPECT_EQ(events, std::vector<std::uint64_t>{4});
  EXPECT_EQ(cancels, std::vector<std::uint64_t>{5});
}

TEST_F(Linked, ALockedVaultIsTriedAgainUntilItOpens) {
  link->start();
  until([this] { return !frames.empty(); });
  wire::ToConnector refusal;
  refusal.mutable_refusal()->set_reason(wire::Refusal::LOCKED);
  say(refusal);
  until([this] { return !refusals.empty(); });
  EXPECT_TRUE(link->locked());
  EXPECT_FALSE(link->up());
  vault.reset();
  come_back();
  welcome();
  EXPECT_TRUE(link->up());
  EXPECT_FALSE(link->locked());
  EXPECT_EQ(refusals, std::vector<wire::Refusal::Reason>{wire::Refusal::LOCKED});
}

TEST_F(Linked, ComesBackWhenTheVaultsSocketWasNotThere) {
  close_listener();
  ::unlink(path.c_str());
  link->start();
  settle();
  listen();
  until([this] { return !frames.empty(); });
  welcome();
  EXPECT_TRUE(link->up());
}

TEST_F(Linked, AFrameThatCannotBeReadEndsTheConnectionAndItComesBack) {
  begin();
  const int before = connections;
  // Read as a ToConnector this is a verdict whose id is no UTF-8.
  wire::ToVault odd;
  odd.add_result()->add_provider_id("\xff\xff\xff");
  EXPECT_TRUE(vault->send(odd));
  until([&] { return connections > before; });
  EXPECT_EQ(losses, 1);
}

TEST_F(Linked, TheLastHealthIsSaidAgainWithEachHello) {
  begin();
  link->health(false, "provider is down", 3);
  settle();
  lose();
  come_back();
  EXPECT_EQ(frames[0].health().detail(), "provider is down");
  EXPECT_EQ(frames[0].health().window(), 3U);
  EXPECT_FALSE(frames[0].health().up());
}

TEST_F(Linked, EventsAreAcknowledgedUpToTheHighest) {
  begin();
  loop.defer([this] {
    link->acknowledge_events(5);
    link->acknowledge_events(9);
    link->acknowledge_events(7);
  });
  until([this] { return frames.size() == 2; });
  EXPECT_EQ(frames[1].event_cursor(), 9U);
}

TEST_F(Linked, ALargeTurnIsSplitIntoFramesThatFit) {
  begin();
  loop.defer([this] {
    for (std::uint64_t i = 0; i < 600; ++i) {
      wire::Submit submit;
      submit.set_tag(i);
      submit.set_text(std::string(16 * 1024, 'x'));
      EXPECT_TRUE(link->submit(std::move(submit)));
    }
  });
  std::size_t got = 0;
  until([&] {
    got = 0;
    for (const wire::ToVault& frame : frames) got += static_cast<std::size_t>(frame.submit_size());
    return got == 600;
  });
  EXPECT_TRUE(link->up());
  std::uint64_t tag = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i].frame(), i + 1);
    EXPECT_LE(sizes[sizes.size() - frames.size() + i], kMaxFrame);
    for (const wire::Submit& submit : frames[i].submit()) EXPECT_EQ(submit.tag(), tag++);
  }
}

TEST_F(Linked, LargeFactsComeAgainAfterALossWhole) {
  begin();
  loop.defer([this] {
    for (int i = 0; i < 600; ++i) {
      wire::Reply reply;
      reply.set_provider_id(std::to_string(i));
      reply.set_text(std::string(16 * 1024, 'x'));
      link->reply(std::move(reply));
    }
  });
  until([this] { return said().size() == 600; });
  lose();
  come_back();
  welcome();
  until([this] { return said().size() == 600; });
  EXPECT_EQ(said().front(), "reply 0");
  EXPECT_EQ(said().back(), "reply 599");
}

TEST_F(Linked, AnItemThatNoFrameCouldHoldIsRefusedToItsCaller) {
  begin();
  wire::Submit submit;
  submit.set_text(std::string(kMaxFrame, 'x'));
  EXPECT_FALSE(link->submit(std::move(submit)));
  settle();
  EXPECT_TRUE(link->up());
}

TEST_F(Linked, DrainedIsSaidAfterTheLastFact) {
  begin();
  link->result(result(1));
  settle();
  link->drained();
  settle();
  EXPECT_TRUE(frames.back().drained());
  EXPECT_EQ(frames.back().frame(), 3U);
}

TEST_F(Linked, AHandlerMayDestroyTheLink) {
  begin();
  link->receipt(receipt("a"), [this] { link.reset(); });
  settle();
  wire::ToConnector frame;
  frame.set_committed(2);
  frame.add_verdict()->set_tag(1);
  say(frame);
  until([this] { return link == nullptr; });
  EXPECT_TRUE(verdicts.empty());
}

TEST_F(Linked, AProcessThatWasReplacedDoesNotFightForItsName) {
  begin();
  const int before = connections;
  wire::ToConnector refusal;
  refusal.mutable_refusal()->set_reason(wire::Refusal::REPLACED);
  say(refusal);
  vault->close_after_flush("replaced");
  until([this] { return !refusals.empty() && !link->up(); });
  // Far longer than an ordinary loss takes to come back.
  bool over = false;
  Timer wait(loop, [&] { over = true; });
  wait.start(std::chrono::milliseconds(500));
  while (!over) loop.run_once();
  EXPECT_EQ(connections, before);
}

}  // namespace
}  // namespace postern
