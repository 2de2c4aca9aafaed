// SPDX-License-Identifier: Apache-2.0
// Any decision can be asked "why", and "what if"; a policy is rehearsed over what was decided before it comes into force.
#include "gateway/control/explain.hpp"

#include <gtest/gtest.h>

#include "gateway/control/rehearsals.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

// kMorning is 2027-01-15 08:00 UTC, a Friday: 10:00 in Kyiv, 13:45 in Kathmandu.
constexpr TimeMs kHour = 3'600'000;
constexpr const char* kPolicy = R"(time_zone = "Europe/Kyiv"
[quiet_hours]
spans = ["12:00-16:00"]
categories = ["marketing"]
[[caps]]
name = "daily"
limit = 2
period = "24h"
categories = ["marketing"]
[[lists]]
name = "objected"
kind = "never"
file = "never.txt"
)";

const std::map<std::string, std::string> kScenarios{
    {"long", "name = \"long\"\ndeadline = \"10d\"\n[[steps]]\nchannel = \"sms\"\n"},
    {"both", "name = \"both\"\ndeadline = \"2d\"\n[[steps]]\nchannel = \"email\"\nwait = \"1h\"\n[[steps]]\nchannel = \"sms\"\n"},
};

class WhyAndWhatIf : public testing::Test {
 protected:
  void open(const std::string& policy, const std::string& extra = {}) {
    house = std::make_unique<House>(extra, kScenarios, std::map<std::string, std::string>{}, std::nullopt, false, policy);
    api = house->join("api");
    sms = house->join("sms");
    mail = house->join("mail");
  }
  std::string send(wire::Category category, const std::string& phone = "380671234567", const std::string& zone = {}, const std::string& scenario = "long") {
    wire::Submit submit = House::submit(scenario, phone, category);
    submit.mutable_recipient()->set_time_zone(zone);
    if (scenario == "both") submit.mutable_recipient()->set_email("anna@bank.example");
    const wire::Verdict verdict = house->send(api, std::move(submit));
    EXPECT_EQ(verdict.outcome(), wire::Verdict::STORED) << (verdict.problem_size() > 0 ? verdict.problem(0).detail() : "");
    for (const PeerId peer : {sms, mail})
      for (const wire::Deliver& deliver : house->deliveries(peer)) house->result(peer, deliver.attempt(), wire::Result::SENT, {"id-" + std::to_string(++ids)}, false);
    return verdict.id();
  }
  control::Reply explain(const std::string& id, const std::vector<std::string>& what_if = {}) {
    control::ExplainAsk ask;
    ask.set_id(id);
    for (const std::string& change : what_if) ask.add_what_if(change);
    control::Reply reply;
    EXPECT_TRUE(house->vault().turn([&](Turn& t) { reports::explain(t, house->vault().context(), ask, "ann", reply); }));
    return reply;
  }
  static std::vector<control::Decision> decisions(const control::Reply& reply) {
    std::vector<control::Decision> all;
    for (const control::TraceLine& line : reply.trace())
      if (line.has_decision()) all.push_back(line.decision());
    return all;
  }
  // Asks until it is done.
  control::Reply rehearse(const std::string& candidate, std::uint32_t days = 30) {
    const auto in_turn = [this](const std::function<void(Turn&)>& work) { return house->vault().turn(work); };
    control::RehearsalAsk ask;
    ask.mutable_begin()->set_text(candidate);
    ask.mutable_begin()->set_name("/home/ann/candidate.toml");
    ask.mutable_begin()->set_days(days);
    for (int pieces = 0; pieces < 100'000; ++pieces) {
      control::Reply reply;
      rehearsals.answer(house->vault().context(), house->now, "/nowhere", ask, "ann", in_turn, reply);
      if (!reply.error().empty() || reply.policy_rehearsal().done()) return reply;
      ask.set_next(reply.policy_rehearsal().number());
    }
    ADD_FAILURE() << "the rehearsal does not end";
    return {};
  }
  static const control::RehearsalRow* row(const control::Reply& reply, const std::string& category, const std::string& rule) {
    for (const control::RehearsalRow& row : reply.policy_rehearsal().row())
      if (row.category() == category && row.rule() == rule) return &row;
    return nullptr;
  }

  std::unique_ptr<House> house;
  Rehearsals rehearsals;
  PeerId api = 0, sms = 0, mail = 0;
  int ids = 0;
};

TEST_F(WhyAndWhatIf, AHoldIsShownWithWhatItWasDecidedFrom) {
  open(kPolicy);
  send(wire::MARKETING);
  house->pass(kHour / 2);
  send(wire::MARKETING);
  house->pass(kHour / 2);
  const std::string id = send(wire::MARKETING);
  const std::vector<control::Decision> why = decisions(explain(id));
  ASSERT_EQ(why.size(), 1U);
  const control::Decision& held = why[0];
  EXPECT_EQ(held.said().kind(), "wait");
  EXPECT_EQ(held.said().rule(), "cap-daily");
  EXPECT_EQ(held.said().until_ms(), kMorning + 24 * kHour);
  EXPECT_TRUE(held.same_policy());
  EXPECT_EQ(held.now().rule(), held.said().rule());
  EXPECT_EQ(held.now().until_ms(), held.said().until_ms());
  EXPECT_EQ(held.address(), "38067***567") << "never whole";
  EXPECT_EQ(held.zone(), "Europe/Kyiv");
  EXPECT_FALSE(held.own_zone());
  ASSERT_EQ(held.sent_size(), 2);
  EXPECT_EQ(held.sent(0).at_ms(), kMorning + kHour / 2) << "newest first";
  EXPECT_EQ(held.sent(1).client(), "core");
  ASSERT_EQ(held.cap_size(), 1);
  EXPECT_EQ(held.cap(0).used(), 2U);
  EXPECT_EQ(held.cap(0).limit(), 2U);
}

TEST_F(WhyAndWhatIf, WhatIfTheCapWereHigherAndTheNightShorter) {
  open(kPolicy);
  send(wire::MARKETING);
  send(wire::MARKETING);
  const std::string capped = send(wire::MARKETING);
  EXPECT_EQ(decisions(explain(capped, {"caps.daily.limit=3"}))[0].what_if().kind(), "go");
  EXPECT_EQ(decisions(explain(capped, {"caps.daily.limit=1"}))[0].what_if().kind(), "wait");
  const std::string quiet = send(wire::MARKETING, "380671234568", "Asia/Kathmandu");
  const control::Decision why = decisions(explain(quiet, {"quiet_hours.spans=[\"14:00-15:00\"]"}))[0];
  EXPECT_EQ(why.said().rule(), "quiet-hours");
  EXPECT_TRUE(why.own_zone());
  EXPECT_EQ(why.local_ms() - why.at_ms(), 5 * kHour + kHour * 3 / 4);
  EXPECT_EQ(why.what_if().kind(), "go");
  EXPECT_EQ(house->view(api, quiet).state(), wire::ACCEPTED) << "a question changes nothing";
}

TEST_F(WhyAndWhatIf, WhatWentIsExplainedToo) {
  open(kPolicy);
  const std::string offer = send(wire::MARKETING), code = send(wire::OTP, "380671234567", "Asia/Kathmandu");
  const std::vector<control::Decision> why = decisions(explain(offer, {"caps.daily.limit=1"}));
  ASSERT_EQ(why.size(), 1U);
  EXPECT_EQ(why[0].said().kind(), "go");
  EXPECT_EQ(why[0].what_if().kind(), "go") << "one is within one";
  const std::vector<control::Decision> passed = decisions(explain(code, {"quiet_hours.categories=[\"otp\"]"}));
  ASSERT_EQ(passed.size(), 1U);
  EXPECT_EQ(passed[0].address(), "") << "it went with the code's content";
  ASSERT_EQ(passed[0].what_if().passed_size(), 1);
  EXPECT_EQ(passed[0].what_if().passed(0), "quiet-hours");
}

TEST_F(WhyAndWhatIf, AListedAddressIsAskedAgainAndWithoutTheListItWouldGo) {
  open(kPolicy);
  const std::string id = send(wire::SERVICE, "380670000001");
  const control::Decision why = decisions(explain(id, {"lists.objected.categories=[\"marketing\"]"})).at(0);
  EXPECT_EQ(why.said().kind(), "leave-out");
  EXPECT_EQ(why.now().rule(), "list-objected");
  EXPECT_EQ(why.what_if().kind(), "go");
}

TEST_F(WhyAndWhatIf, AMissingConsentIsToldAndWithoutTheRuleItWouldGo) {
  open("[consent]\nrequired = [\"marketing\"]\n");
  const std::string id = send(wire::MARKETING);
  const control::Decision why = decisions(explain(id, {"consent.required=[\"service\"]"})).at(0);
  EXPECT_EQ(why.said().rule(), "no-consent");
  EXPECT_EQ(why.consent(), "") << "the customer had said nothing";
  EXPECT_EQ(why.now().rule(), "no-consent");
  EXPECT_EQ(why.what_if().kind(), "go");
}

TEST_F(WhyAndWhatIf, WhoAsksIsInTheLogAndNeitherTextNorNumberIs) {
  open(kPolicy);
  const std::string id = send(wire::MARKETING);
  const std::size_t before = house->leaves().size();
  (void)explain(id);
  const std::vector<audit::Leaf> leaves = house->leaves();
  ASSERT_EQ(leaves.size(), before + 1);
  EXPECT_EQ(leaves.back().type, EventType::admin_read);
}

TEST_F(WhyAndWhatIf, WrongQuestionsGetClearAnswers) {
  open(kPolicy);
  const std::string id = send(wire::MARKETING);
  EXPECT_NE(explain("nonsense").error().find("is not a message id"), std::string::npos);
  EXPECT_NE(explain("019ab0c2-3f5e-7a10-8c4d-5e6f70819203").error().find("there is no message of this id"), std::string::npos);
  EXPECT_NE(explain(id, {"caps.dayly.limit=4"}).error().find("there are: daily"), std::string::npos);
  const std::string unknown = explain(id, {"caps.daily.limmit=4"}).error();
  EXPECT_NE(unknown.find("policy.toml:6:1: unknown key 'limmit'"), std::string::npos) << unknown;
  open("");
  EXPECT_NE(explain(send(wire::MARKETING), {"caps.daily.limit=4"}).error().find("no policy in force"), std::string::npos);
}

TEST_F(WhyAndWhatIf, AStricterPolicyIsRehearsedMessageByMessage) {
  open(kPolicy);
  for (int i = 0; i < 2; ++i) send(wire::MARKETING);
  send(wire::MARKETING, "380671234568");
  send(wire::SERVICE);
  send(wire::OTP);
  const std::string listed = send(wire::SERVICE, "380670000001");
  std::string stricter = kPolicy;
  stricter.replace(stricter.find("limit = 2"), 9, "limit = 1");
  const control::Reply reply = rehearse(stricter);
  ASSERT_EQ(reply.error(), "");
  const control::RehearsalFacts& facts = reply.policy_rehearsal();
  EXPECT_EQ(facts.messages(), 6U);
  ASSERT_NE(row(reply, "marketing", "cap-daily"), nullptr);
  EXPECT_EQ(row(reply, "marketing", "cap-daily")->delayed(), 1U);
  EXPECT_EQ(row(reply, "marketing", "")->unchanged(), 2U);
  EXPECT_EQ(row(reply, "service", "")->unchanged(), 1U);
  EXPECT_EQ(row(reply, "service", "list-objected")->unchanged(), 1U);
  EXPECT_EQ(row(reply, "otp", "")->unchanged(), 1U);
  ASSERT_EQ(facts.example_size(), 1);
  EXPECT_EQ(facts.example(0).would_ms(), kMorning + 24 * kHour);
  EXPECT_EQ(facts.candidate().size(), 64U);
  EXPECT_NE(facts.candidate(), facts.policy());
  EXPECT_EQ(facts.policy(), house->config()->policy_source.sha256);
}

TEST_F(WhyAndWhatIf, ThePolicyInForceChangesNothing) {
  open(kPolicy);
  for (int i = 0; i < 4; ++i) send(wire::MARKETING);
  send(wire::MARKETING, "380671234568", "Asia/Kathmandu");
  house->pass(30 * kHour);
  for (const wire::Deliver& deliver : house->deliveries(sms)) house->result(sms, deliver.attempt(), wire::Result::SENT, {"late-" + std::to_string(++ids)}, false);
  const control::Reply reply = rehearse(kPolicy);
  ASSERT_EQ(reply.error(), "");
  EXPECT_EQ(reply.policy_rehearsal().candidate(), reply.policy_rehearsal().policy());
  EXPECT_EQ(reply.policy_rehearsal().messages(), 5U);
  for (const control::RehearsalRow& row : reply.policy_rehearsal().row()) {
    EXPECT_EQ(row.delayed() + row.sooner() + row.dropped() + row.no_longer_dropped() + row.other_way(), 0U) << row.rule();
    EXPECT_EQ(row.cost_micro(), 0);
  }
}

TEST_F(WhyAndWhatIf, TheFirstPolicyOfABankIsRehearsedOverWhatWasSentWithoutOne) {
  open("");
  for (int i = 0; i < 3; ++i) send(wire::MARKETING);
  const control::Reply reply = rehearse("time_zone = \"Europe/Kyiv\"\n[[caps]]\nname = \"one\"\nlimit = 1\nperiod = \"30d\"\ncategories = [\"marketing\"]\n");
  ASSERT_EQ(reply.error(), "");
  EXPECT_EQ(reply.policy_rehearsal().policy(), "");
  ASSERT_NE(row(reply, "marketing", "cap-one"), nullptr);
  EXPECT_EQ(row(reply, "marketing", "cap-one")->dropped(), 2U) << "thirty days are more than its deadline";
}

TEST_F(WhyAndWhatIf, AListThatIsNotThereIsLookedForBesideThePolicyInForce) {
  open("");
  const std::string list = "[[lists]]\nname = \"numbers\"\nkind = \"only\"\nfile = \"never.txt\"\ncategories = [\"marketing\"]\n";
  EXPECT_NE(rehearse(list).error().find("there is no file /nowhere/never.txt"), std::string::npos);
  open(kPolicy);
  send(wire::MARKETING, "380671234567", {}, "both");
  const control::Reply reply = rehearse(list);
  ASSERT_EQ(reply.error(), "");
  ASSERT_NE(row(reply, "marketing", "list-numbers"), nullptr);
  EXPECT_EQ(row(reply, "marketing", "list-numbers")->dropped(), 1U) << "neither its e-mail address nor its number is on the list";
}

TEST_F(WhyAndWhatIf, AFaultyCandidateIsRefusedByItsPlace) {
  open(kPolicy);
  const std::string fault = rehearse("time_zone = \"Europe/Kyiv\"\n[[caps]]\nname = \"daily\"\nlimit = 0\n").error();
  EXPECT_NE(fault.find("the candidate is refused:\n/home/ann/candidate.toml:4:"), std::string::npos) << fault;
  EXPECT_NE(rehearse("rules = 1\n").error().find("/home/ann/candidate.toml:1:1: unknown key 'rules'"), std::string::npos);
  EXPECT_NE(rehearse(kPolicy, 0).error().find("1d to 3660d"), std::string::npos);
}

TEST_F(WhyAndWhatIf, OneRehearsalAtATimeAndNoneThatIsOver) {
  open(kPolicy);
  for (int i = 0; i < 1500; ++i) send(wire::SERVICE, "38067" + std::to_string(2'000'000 + i));
  const auto in_turn = [this](const std::function<void(Turn&)>& work) { return house->vault().turn(work); };
  const auto say = [&](const control::RehearsalAsk& ask, const std::string& actor) {
    control::Reply reply;
    rehearsals.answer(house->vault().context(), house->now, "/nowhere", ask, actor, in_turn, reply);
    return reply;
  };
  control::RehearsalAsk next;
  next.set_next(1);
  EXPECT_NE(say(next, "ann").error().find("not under way"), std::string::npos);
  control::RehearsalAsk begin;
  begin.mutable_begin()->set_text(kPolicy);
  begin.mutable_begin()->set_name("candidate.toml");
  begin.mutable_begin()->set_days(1);
  const control::Reply first = say(begin, "ann");
  ASSERT_FALSE(first.policy_rehearsal().done()) << "fifteen hundred messages in one piece of three milliseconds";
  EXPECT_NE(say(begin, "ben").error().find("by ann is under way"), std::string::npos);
  const control::Reply second = say(begin, "ann");
  EXPECT_EQ(second.policy_rehearsal().number(), first.policy_rehearsal().number() + 1) << "her first one is given up";
  rehearsals.drop();
  next.set_next(second.policy_rehearsal().number());
  EXPECT_NE(say(next, "ann").error().find("not under way"), std::string::npos);
}

}  // namespace
}  // namespace postern::vault
