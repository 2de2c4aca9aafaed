// SPDX-License-Identifier: Apache-2.0
// The configuration of posternd: a good one is read whole, every fault is told with its file, line and column.
#include "gateway/config/config.hpp"


#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/temp_folder.hpp"

namespace postern::config {
namespace {

constexpr const char* kMain = R"(state = "state"
audit_origin = "bank.example/postern/audit"
scenarios = "scenarios"
templates = "templates"
admins = ["olena"]

[connectors.sms]
user = "postern-smpp"
channel = "sms"
[connectors.api]
user = "postern-https"
[connectors.rows]
user = "postern-sql"
client = "core"
[connectors.hook]
user = "postern-hook"
speaks_for = ["sms"]

[clients.core]
identities = ["spiffe://bank.example/core", "core.bank.example"]
categories = ["otp", "service"]
rate = 500
metrics = true

[categories.otp]
scenario = "sms"
tries = 2
[categories.security]
scenario = "sms"
[categories.transaction]
scenario = "sms"
[categories.service]
scenario = "sms"
[categories.marketing]
scenario = "sms"
in_doubt = "rather-twice"

[[routes]]
channel = "sms"
connector = "sms"
networks = ["25501", "255010"]
[[routes]]
channel = "sms"
connector = "sms"
)";
constexpr const char* kScenario = "name = \"sms\"\ndeadline = \"1h\"\n\n[[steps]]\nchannel = \"sms\"\n";
constexpr const char* kTemplate = R"(name = "otp"
categories = ["otp"]
default_locale = "en"

[placeholders]
code = "digits"

[locales.en]
text = "Your code is {{code}}"
[locales.en.push]
subject = "Code"
text = "{{code}}"
[locales.en.whatsapp]
template = "otp_en"
language = "en"
parameters = ["code"]
)";

class Configuration : public testing::Test {
 protected:
  Configuration() {
    std::filesystem::create_directory(folder / "state");
    std::filesystem::create_directory(folder / "scenarios");
    std::filesystem::create_directory(folder / "templates");
    write_all(folder / "posternd.toml", std::string(kMain));
    write_all(folder / "scenarios/sms.toml", std::string(kScenario));
    write_all(folder / "templates/otp.toml", std::string(kTemplate));
    unsetenv("CREDENTIALS_DIRECTORY");
  }
  Result<std::shared_ptr<const Config>> read() { return load(folder / "posternd.toml"); }
  std::string faults() {
    const auto config = read();
    if (config) return "";
    std::string said = config.what();
    for (std::size_t at = said.find(folder.path()); at != std::string::npos; at = said.find(folder.path())) said.erase(at, folder.path().size() + 1);
    return said;
  }
  // The one file with one text replaced by another.
  std::string with(const std::string& file, const std::string& from, const std::string& to) {
    std::string text(as_text(read_all(folder / file)));
    const std::string before = text;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    write_all(folder / file, text);
    const std::string said = faults();
    write_all(folder / file, before);
    return said;
  }
  TempFolder folder;
};

void expect_part(const std::string& said, const std::string& wanted) {
  EXPECT_NE(said.find(wanted), std::string::npos) << "wanted: " << wanted << "\nsaid: " << said;
}

TEST_F(Configuration, AGoodOneIsReadWhole) {
  const auto config = read();
  ASSERT_TRUE(config.has_value()) << config.what();
  const Config& c = **config;
  EXPECT_EQ(c.state_folder, folder / "state");
  EXPECT_EQ(c.connectors.at("sms").channel, Channel::sms);
  EXPECT_EQ(c.connectors.at("sms").user, "postern-smpp");
  EXPECT_FALSE(c.connectors.at("api").channel.has_value());
  EXPECT_EQ(c.connectors.at("rows").client, "core");
  EXPECT_EQ(c.connectors.at("hook").speaks_for, std::vector<std::string>{"sms"});
  EXPECT_EQ(c.client_of_identity.at("core.bank.example"), "core");
  EXPECT_EQ(c.clients.at("core").rate, 500U);
  EXPECT_TRUE(c.clients.at("core").may_read_metrics);
  EXPECT_FALSE(c.clients.at("core").may_confirm);
  EXPECT_EQ(c.rules(Category::otp).tries, 2);
  EXPECT_EQ(c.rules(Category::otp).in_doubt, InDoubt::rather_twice);
  EXPECT_EQ(c.rules(Category::service).in_doubt, InDoubt::rather_never_twice);
  EXPECT_EQ(c.rules(Category::marketing).in_doubt, InDoubt::rather_twice);
  ASSERT_EQ(c.routes.size(), 2U);
  EXPECT_EQ(c.routes[0].networks, (std::vector<std::string>{"25501", "255010"}));
  EXPECT_EQ(c.scenarios.at("sms").deadline, std::chrono::hours(1));
  EXPECT_EQ(c.scenarios.at("sms").steps.at(0).step.until, Until::delivered);
  EXPECT_EQ(c.templates.at("otp").locales.at("en").size(), 3U);
  EXPECT_EQ(c.sha256.size(), 64U);
}

TEST_F(Configuration, ItsHashChangesWithEveryFileAndOnlyThen) {
  const std::string first = (*read())->sha256;
  EXPECT_EQ((*read())->sha256, first);
  for (const char* file : {"posternd.toml", "scenarios/sms.toml", "templates/otp.toml"}) {
    const std::string before(as_text(read_all(folder / file)));
    write_all(folder / file, before + "\n# changed\n");
    EXPECT_NE((*read())->sha256, first) << file;
    write_all(folder / file, before);
  }
  write_all(folder / "scenarios/other.toml", std::string("name = \"other\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"sms\"\n"));
  EXPECT_NE((*read())->sha256, first);
}

TEST_F(Configuration, FaultsOfTheMainFileHaveTheirPlace) {
  expect_part(with("posternd.toml", "admins", "admin"), "posternd.toml:5:1: unknown key 'admin'");
  expect_part(with("posternd.toml", "audit_origin = \"bank.example/postern/audit\"\n", ""), "'audit_origin' is missing");
  expect_part(with("posternd.toml", "bank.example/postern/audit", "bank example"), "posternd.toml:2:1: must be up to 128 characters without '+' and spaces");
  expect_part(with("posternd.toml", "state = \"state\"", "state = \"none\""), "posternd.toml:1:1: 'state': there is no file");
  expect_part(with("posternd.toml", "user = \"postern-smpp\"\n", ""), "posternd.toml:7:1: [connectors.sms] 'user' is missing");
  expect_part(with("posternd.toml", "channel = \"sms\"\n[connectors.api]", "channel = \"fax\"\n[connectors.api]"), "posternd.toml:9:1: 'fax' is no channel");
  expect_part(with("posternd.toml", "rate = 500", "rate = -1"), "'rate' must be a whole number from 0");
  expect_part(with("posternd.toml", "tries = 2", "tries = 11"), "'tries' must be a whole number from 1 to 10");
  expect_part(with("posternd.toml", "\"rather-twice\"", "\"sometimes\""), "'in_doubt' must be one of: rather-twice, rather-never-twice");
  expect_part(with("posternd.toml", "\"otp\", \"service\"", "\"otp\", \"letters\""), "'letters' is no category");
}

TEST_F(Configuration, ReferencesThatLeadNowhereAreRefused) {
  expect_part(with("posternd.toml", "[categories.otp]\nscenario = \"sms\"", "[categories.otp]\nscenario = \"none\""), "there is no scenario 'none'");
  expect_part(with("posternd.toml", "connector = \"sms\"\nnetworks", "connector = \"none\"\nnetworks"), "there is no connector 'none'");
  expect_part(with("posternd.toml", "connector = \"sms\"\nnetworks", "connector = \"api\"\nnetworks"), "connector 'api' does not carry sms");
  expect_part(with("posternd.toml", "client = \"core\"", "client = \"none\""), "submits for client 'none', which is not configured");
  expect_part(with("posternd.toml", "speaks_for = [\"sms\"]", "speaks_for = [\"none\"]"), "speaks for 'none', which is not configured");
  expect_part(with("posternd.toml", "\"25501\", ", "\"2550\", "), "'2550' is not a network");
  expect_part(with("posternd.toml", "[categories.marketing]\nscenario = \"sms\"", "[categories.marketing]"), "[categories.marketing] 'scenario' is missing");
}

TEST_F(Configuration, ACategorysOwnScenarioMustBeForIt) {
  expect_part(with("scenarios/sms.toml", "deadline", "categories = [\"otp\"]\ndeadline"), "scenario 'sms' is not for");
}

TEST_F(Configuration, AnIdentityBelongsToOneClient) {
  expect_part(with("posternd.toml", "[categories.otp]", "[clients.cards]\nidentities = [\"core.bank.example\"]\n[categories.otp]"),
              "identity 'core.bank.example' belongs to client 'core' already");
}

TEST_F(Configuration, AScenarioNeedsARouteForEachOfItsChannels) {
  expect_part(with("scenarios/sms.toml", "channel = \"sms\"", "channel = \"viber\""), "scenario 'sms' uses viber, for which there is no route");
}

TEST_F(Configuration, WithoutConnectorsNothingWorksAndItSaysSo) {
  std::string text(kMain);
  text.erase(text.find("[connectors.sms]"), text.find("[clients.core]") - text.find("[connectors.sms]"));
  write_all(folder / "posternd.toml", text);
  expect_part(faults(), "no connector is configured");
}

TEST_F(Configuration, FaultsOfAScenarioHaveTheirPlace) {
  expect_part(with("scenarios/sms.toml", "name = \"sms\"", "nam = \"sms\""), "scenarios/sms.toml:1:1: unknown key 'nam'");
  expect_part(with("scenarios/sms.toml", "\"1h\"", "\"0s\""), "'deadline' must be a duration");
  expect_part(with("scenarios/sms.toml", "\n[[steps]]\nchannel = \"sms\"\n", ""), "a scenario needs at least one [[steps]]");
  expect_part(with("scenarios/sms.toml", "channel = \"sms\"\n", "channel = \"sms\"\n[[steps]]\nchannel = \"sms\"\n"), "sms.toml:4:1: a step that has a next one needs 'wait'");
  expect_part(with("scenarios/sms.toml", "channel = \"sms\"\n", "channel = \"sms\"\nwait = \"2h\"\n"), "the waits up to here are longer than the scenario's deadline");
  expect_part(with("scenarios/sms.toml", "channel = \"sms\"\n", "channel = \"sms\"\nuntil = \"seen\"\n"), "'until' must be one of: sent, delivered, read, replied, event");
  expect_part(with("scenarios/sms.toml", "channel = \"sms\"\n", "channel = \"sms\"\nsender = \"" + std::string(65, 's') + "\"\n"), "must have at most 64 characters");
  std::string steps;
  for (int i = 0; i < 17; ++i) steps += "[[steps]]\nchannel = \"sms\"\nwait = \"1s\"\n";
  expect_part(with("scenarios/sms.toml", "[[steps]]\nchannel = \"sms\"\n", steps), "a scenario has at most 16 steps");
}

TEST_F(Configuration, AScenarioOfEveryKindIsRead) {
  write_all(folder / "scenarios/sms.toml",
            std::string("name = \"sms\"\ndeadline = \"30d\"\nstop_on = [\"upload\"]\n[[steps]]\npause = \"3d\"\n[[steps]]\nchannel = \"sms\"\nwait = \"1d\"\n"
                        "validity = \"2m\"\nwhen = 'param.amount >= 1000'\n[[steps]]\nchannel = \"sms\"\ntogether = true\n"));
  const auto config = read();
  ASSERT_TRUE(config.has_value()) << config.what();
  const Scenario& s = (*config)->scenarios.at("sms");
  ASSERT_EQ(s.steps.size(), 3U);
  EXPECT_EQ(s.stop_on, std::vector<std::string>{"upload"});
  EXPECT_TRUE(s.steps[0].step.pause);
  EXPECT_EQ(s.steps[0].step.wait_ms, 3U * 24 * 3600 * 1000);
  EXPECT_EQ(s.steps[1].step.until, Until::event) << "what ends a journey is its event";
  EXPECT_EQ(s.steps[1].step.validity_ms, 120'000U);
  EXPECT_TRUE(s.steps[1].when.has_value());
  EXPECT_TRUE(s.steps[2].step.together);
}

TEST_F(Configuration, FaultsOfScenariosOfEveryKindHaveTheirPlace) {
  const auto scenario = [this](const std::string& text) {
    write_all(folder / "scenarios/sms.toml", "name = \"sms\"\ndeadline = \"1h\"\n" + text);
    return faults();
  };
  const std::string sms = "[[steps]]\nchannel = \"sms\"\n";
  expect_part(scenario(sms + "together = true\n"), "sms.toml:5:1: there is no step before it that it could begin with");
  expect_part(scenario(sms + "wait = \"1m\"\n" + sms + "together = true\nwait = \"1m\"\n"), "sms.toml:9:1: steps that begin together have one 'wait'");
  expect_part(scenario(sms + sms + "together = true\n" + sms), "sms.toml:3:1: a step that has a next one needs 'wait'");
  expect_part(scenario(sms + "wait = \"1m\"\n[[steps]]\npause = \"1m\"\n"), "sms.toml:7:1: nothing follows this pause");
  expect_part(scenario("[[steps]]\npause = \"2h\"\n" + sms), "sms.toml:4:1: the waits up to here are longer than the scenario's deadline");
  expect_part(scenario("[[steps]]\npause = \"1m\"\nsender = \"x\"\n" + sms), "sms.toml:5:1: a pause sends nothing: 'sender' belongs to a step with a channel");
  expect_part(scenario("order = \"cheapest\"\n" + sms), "sms.toml:4:1: any step may come first in this order, so each needs 'wait'");
  expect_part(scenario("escalate = true\n" + sms + "until = \"read\"\n"), "sms.toml:6:1: an escalation goes on until the customer answers");
  expect_part(scenario(sms + "until = \"event\"\n"), "sms.toml:5:1: waits for an event, and the scenario names none");
  expect_part(scenario(sms + "when = 'param.amount >'\n"), "sms.toml:5:1: 'when' at character 15: ");
  expect_part(scenario(sms + "when = 'amout > 5'\n"), "sms.toml:5:1: 'when' at character 1: ");
  expect_part(scenario(sms + "unless = [\"push.delivered\"]\n"), "sms.toml:5:1: no step before this one goes by push: there is no news of it");
  expect_part(scenario(sms + "wait = \"1m\"\n" + sms + "unless = [\"sms.seen\"]\n"), "sms.toml:8:1: 'sms.seen' is no news of a channel");
  expect_part(scenario(sms + "wait = \"1m\"\n" + sms + "only_if = [\"sms\"]\n"), "sms.toml:8:1: 'sms' is no news of a channel");
  expect_part(scenario("[[steps]]\npause = \"1m\"\nunless = [\"sms.sent\"]\n" + sms), "sms.toml:5:1: a pause sends nothing: 'unless'");
  EXPECT_EQ(scenario(sms + "wait = \"1m\"\n" + sms + "only_if = [\"sms.sent\", \"sms.read\"]\nunless = [\"sms.replied\"]\n"), "");
  expect_part(scenario("start_on = [\"transaction\"]\n" + sms), "sms.toml:1:1: 'start_by' is missing; add start_by");
  expect_part(scenario("start_by = \"3d\"\n" + sms), "sms.toml:3:1: goes with start_on");
  expect_part(scenario("start_on = [\"transaction\"]\nstart_by = \"91d\"\n" + sms), "sms.toml:4:1: ");
  expect_part(scenario("stop_on = [\"paid\"]\nstart_on = [\"paid\"]\nstart_by = \"3d\"\n" + sms), "sms.toml:4:1: 'paid' is in stop_on too");
  EXPECT_EQ(scenario("start_on = [\"transaction\"]\nstart_by = \"3d\"\n" + sms), "");
  expect_part(scenario("stop_on = [\"\"]\n" + sms), "sms.toml:3:1: an event's name has 1 to 64 characters");
}

TEST_F(Configuration, ACategoryChoosesAmongScenarios) {
  const std::string choose = "[[categories.service.choose]]\nwhen = 'param.amount > 5'\nscenario = \"sms\"\n";
  EXPECT_EQ(with("posternd.toml", "[categories.marketing]", choose + "[categories.marketing]"), "");
  expect_part(with("posternd.toml", "[categories.marketing]", "[[categories.service.choose]]\nscenario = \"sms\"\n[categories.marketing]"), "a choice needs 'when'");
  expect_part(with("posternd.toml", "[categories.marketing]", "[[categories.service.choose]]\nwhen = 'category == \"otp\"'\nscenario = \"none\"\n[categories.marketing]"),
              "there is no scenario 'none'");
}

TEST_F(Configuration, TheHealthOfRoutesIsMeasuredByItsRules) {
  const auto health = [this](const std::string& lines) { return with("posternd.toml", "[[routes]]", "[routes_health]\n" + lines + "\n[[routes]]"); };
  EXPECT_EQ(health("window = \"1m\"\nfailed = 100\nslowest = \"30s\"\nreceipts = [\"sms\", \"whatsapp\"]"), "");
  EXPECT_EQ(health("measured = false"), "");
  expect_part(health("window = \"1s\""), "posternd.toml:39:1: 'window' must be a duration");
  expect_part(health("failed = 0"), "posternd.toml:39:1: 'failed' must be a whole number from 1");
  expect_part(health("slowest = \"2h\""), "posternd.toml:39:1: 'slowest' must be a duration");
  expect_part(health("hold = \"1h\"\nlongest_hold = \"1m\""), "posternd.toml:40:1: route health: the longest hold must be the hold to 7 days");
  expect_part(health("receipts = [\"letters\"]"), "posternd.toml:39:1: 'letters' is no channel");
}

TEST_F(Configuration, AClientsTemplatesAndSendersExist) {
  const auto client = [this](const std::string& line) { return with("posternd.toml", "rate = 500", line); };
  EXPECT_EQ(client("templates = [\"otp\"]\nfree_text = false"), "");
  EXPECT_EQ(client("templates = [\"o*\", \"*tp\", \"*\", \"o*p\"]"), "");
  expect_part(client("templates = [\"otp2\"]"), "posternd.toml:22:1: there is no template 'otp2'");
  expect_part(client("templates = [\"x*\"]"), "posternd.toml:22:1: there is no template 'x*'");
  expect_part(client("senders = [\"MyBank\"]"), "posternd.toml:22:1: no step of a scenario has the sender 'MyBank'");
  expect_part(client("free_text = \"no\""), "posternd.toml:22:1: ");
}

TEST_F(Configuration, ASenderOfCodesNeverCarriesAnOffer) {
  const auto sender = [this](const std::string& categories) {
    return with("posternd.toml", "[[routes]]", "[[senders]]\nname = \"MyBank\"\n" + categories + "[[routes]]");
  };
  expect_part(sender("categories = [\"otp\"]\n"), "posternd.toml:39:1: no step of a scenario has the sender 'MyBank'");
  write_all(folder / "scenarios/sms.toml", std::string(kScenario) + "sender = \"MyBank\"\n");
  EXPECT_EQ(sender("categories = [\"otp\", \"security\", \"transaction\", \"service\", \"marketing\"]\n"), "");
  expect_part(sender("categories = [\"otp\", \"security\", \"transaction\", \"service\"]\n"),
              "scenarios/sms.toml:6:1: sender 'MyBank' may not carry marketing, which goes by this scenario");
  expect_part(sender("categories = []\n"), "posternd.toml:40:1: name what this sender may carry");
  expect_part(sender("categories = [\"letters\"]\n"), "posternd.toml:40:1: 'letters' is no category");
  // Only by the choice of a category.
  write_all(folder / "scenarios/sms.toml", std::string(kScenario));
  write_all(folder / "scenarios/bank.toml", std::string("name = \"bank\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"sms\"\nsender = \"MyBank\"\n"));
  EXPECT_EQ(sender("categories = [\"otp\"]\n"), "");
  write_all(folder / "posternd.toml", std::string(kMain) + "[[categories.marketing.choose]]\nwhen = 'category == \"marketing\"'\nscenario = \"bank\"\n");
  expect_part(sender("categories = [\"otp\"]\n"), "scenarios/bank.toml:5:1: sender 'MyBank' may not carry marketing");
}

TEST_F(Configuration, LabelsAreOfFourWordsAndATemplateMustHaveATextForAChannel) {
  const auto trust = [this](const std::string& lines) { return with("posternd.toml", "[[routes]]", "[confidentiality]\n" + lines + "[[routes]]"); };
  EXPECT_EQ(trust("sms = \"internal\"\n"), "");
  expect_part(trust(""), "posternd.toml:38:1: say how confidential a text may be on sms, for which there is a route");
  expect_part(trust("sms = \"open\"\n"), "posternd.toml:39:1: 'sms' must be one of: public, internal, confidential, secret");
  expect_part(trust("sms = \"public\"\nletters = \"public\"\n"), "posternd.toml:40:1: unknown key 'letters'");
  expect_part(with("posternd.toml", "tries = 2", "label = \"high\""), "posternd.toml:27:1: 'label' must be one of: public, internal, confidential, secret");
  expect_part(with("templates/otp.toml", "default_locale", "label = \"high\"\ndefault_locale"), "otp.toml:3:1: 'label' must be one of");
  write_all(folder / "templates/otp.toml", "label = \"secret\"\n" + std::string(kTemplate));
  expect_part(trust("sms = \"confidential\"\n"), "otp.toml:2:1: no text of template 'otp' is low enough for a channel of a scenario of otp");
  write_all(folder / "templates/otp.toml", "label = \"secret\"\n" + std::string(kTemplate) + "[locales.en.plain]\ntext = \"See the app\"\nlabel = \"public\"\n");
  EXPECT_EQ(trust("sms = \"confidential\"\n"), "");
}

TEST_F(Configuration, TheTemplateOfTheManualIsGood) {
  const std::string manual(as_text(read_all(std::string(POSTERN_SOURCE_DIR) + "/gateway/config/README.md")));
  const std::size_t begin = manual.find("```toml\n", manual.find("## Templates")) + 8;
  write_all(folder / "templates/manual.toml", manual.substr(begin, manual.find("```", begin) - begin));
  EXPECT_EQ(faults(), "");
}

TEST_F(Configuration, PricesAreRead) {
  EXPECT_EQ(with("posternd.toml", "networks = [", "price = \"0.045\"\nnetworks = ["), "");
  for (const char* bad : {"0,045", "-1", ".5", "1.", "0.0000001", "1234567"})
    expect_part(with("posternd.toml", "networks = [", "price = \"" + std::string(bad) + "\"\nnetworks = ["), "must be a price in your currency");
}

constexpr const char* kPolicy = R"(time_zone = "Europe/Kyiv"
[quiet_hours]
spans = ["21:00-08:00", "sat,sun 00:00-10:00"]
categories = ["service", "marketing"]
[[caps]]
name = "offers"
categories = ["marketing"]
limit = 3
period = "week"
[[lists]]
name = "objected"
kind = "never"
file = "objected.txt"
[content]
domains = ["bank.example"]
[[velocity]]
limit = 50
confirmed = 100
confirmed_by = "code-used"
[[velocity]]
digits = 0
[[duplicates]]
window = "1h"
[[speeds]]
name = "spring"
templates = ["otp"]
clients = ["core"]
rate = "1000/min"
)";

TEST_F(Configuration, APolicyIsRead) {
  write_all(folder / "policy.toml", std::string(kPolicy));
  write_all(folder / "objected.txt", std::string("+380671234567\n"));
  EXPECT_EQ(with("posternd.toml", "admins", "policy = \"policy.toml\"\nadmins"), "");
}

TEST_F(Configuration, FaultsOfAPolicyHaveTheirPlace) {
  write_all(folder / "objected.txt", std::string("+380671234567\n"));
  write_all(folder / "posternd.toml", "policy = \"policy.toml\"\n" + std::string(kMain));
  const auto policy = [this](const std::string& from, const std::string& to) {
    std::string text(kPolicy);
    text.replace(text.find(from), from.size(), to);
    write_all(folder / "policy.toml", text);
    return faults();
  };
  expect_part(policy("Europe/Kyiv", "Europe/Kyif"), "policy.toml:1:1: there is no time zone 'Europe/Kyif'");
  expect_part(policy("time_zone = \"Europe/Kyiv\"", ""), "quiet hours and caps need the zone of recipients");
  expect_part(policy("21:00-08:00", "21:00-25:00"), "policy.toml:3:1: ");
  expect_part(policy("limit = 3", "limit = 0"), "'limit' must be a whole number from 1");
  expect_part(policy("\"week\"", "\"fortnight\""), "'period' must be a duration");
  expect_part(policy("\"week\"", "\"60d\""), "cap 'offers' looks back further than messages of marketing are kept");
  expect_part(policy("name = \"offers\"", "name = \"Offers of the month\""), "must be a word of small letters");
  expect_part(policy("kind = \"never\"", "kind = \"black\""), "'kind' must be one of: never, only");
  expect_part(policy("kind = \"never\"", "kind = \"only\""), "a list of kind \"only\" would stop otp for every customer who is not on it");
  expect_part(policy("objected.txt", "none.txt"), "there is no file");
  expect_part(policy("limit = 50", "limit = 0"), "policy.toml:17:1: 'limit' must be a whole number from 1");
  expect_part(policy("limit = 50", "factor = 50"), "policy.toml:17:1: 'factor' must be a whole number from 100");
  expect_part(policy("limit = 50", "categories = [\"code\"]"), "policy.toml:17:1: 'code' is no category");
  expect_part(policy("confirmed_by = \"code-used\"", ""), "policy.toml:18:1: which codes were used is told by an event");
  expect_part(policy("limit = 50", "window = \"1h\"\nusual = \"5h\""), "policy.toml:17:1: velocity: what is usual must be learned over 10 windows");
  expect_part(policy("limit = 50", "window = \"1m\"\nanswer = \"2m\""), "policy.toml:17:1: velocity: the time to answer must be shorter");
  expect_part(policy("window = \"1h\"", "window = \"1h\"\ncategories = [\"service\", \"otp\"]"), "policy.toml:24:1: a second otp message with the same words is no mistake");
  expect_part(policy("window = \"1h\"", "window = \"0s\""), "policy.toml:23:1: 'window' must be a duration");
  expect_part(policy("window = \"1h\"", "window = \"60d\""), "a window of duplicates looks back further than messages of transaction are kept");
  for (const char* bad : {"1000", "1000/day", "/s", "0/s", "10001/s", "1e3/s", "-1/s", "12345678/h", "5 /s"})
    expect_part(policy("1000/min", bad), "policy.toml:28:1: must be so many messages in so long");
  expect_part(policy("templates = [\"otp\"]", "categories = [\"security\"]"), "policy.toml:26:1: security waits for no campaign");
  expect_part(policy("templates = [\"otp\"]", "templates = [\"none\"]"), "policy.toml:26:1: there is no template 'none'");
  expect_part(policy("clients = [\"core\"]", "clients = [\"none\"]"), "policy.toml:27:1: there is no client 'none'");
  expect_part(policy("digits = 0", "digits = 3"), "policy.toml:21:1: there is a guard with prefixes of this length already");
  write_all(folder / "objected.txt", std::string("+380671234567\n+38o67\n"));
  expect_part(policy("Europe/Kyiv", "Europe/Kyiv"), "line 2, column 4: a number is digits alone");
}

TEST_F(Configuration, TheSameNameTwiceIsRefused) {
  write_all(folder / "scenarios/zz.toml", std::string(kScenario));
  expect_part(faults(), "scenarios/zz.toml:1:1: 'sms' is the name of another file's already");
}

TEST_F(Configuration, FaultsOfATemplateHaveTheirPlace) {
  expect_part(with("templates/otp.toml", "{{code}}\"", "{{kode}}\""), "otp.toml:9:1: 'text' uses {{kode}}, which [placeholders] does not declare");
  expect_part(with("templates/otp.toml", "is {{code}}", "is {{code"), "has '{{' without '}}'");
  expect_part(with("templates/otp.toml", "code = \"digits\"", "code = \"number\""), "otp.toml:6:1: 'number' is no type");
  expect_part(with("templates/otp.toml", "default_locale = \"en\"", "default_locale = \"uk\""), "otp.toml:3:1: there is no [locales.uk]");
  expect_part(with("templates/otp.toml", "categories = [\"otp\"]\n", ""), "name the categories that may use this template");
  expect_part(with("templates/otp.toml", "parameters = [\"code\"]", "parameters = [\"who\"]"), "'who' is not among [placeholders]");
  expect_part(with("templates/otp.toml", "language = \"en\"\n", ""), "'template' and 'language' belong together");
  expect_part(with("templates/otp.toml", "[locales.en.push]\nsubject = \"Code\"\ntext = \"{{code}}\"\n", "[locales.en.push]\nsubject = \"Code\"\n"), "[locales.en.push] says nothing");
  expect_part(with("templates/otp.toml", "text = \"Your code is {{code}}\"", "txt = \"x\""), "otp.toml:9:1: unknown key 'txt'");
  expect_part(with("templates/otp.toml", "name = \"otp\"", "name = \"" + std::string(201, 'n') + "\""), "must have at most 200 characters");
}

TEST_F(Configuration, ValuesThatNoRowCouldHoldAreRefused) {
  expect_part(with("templates/otp.toml", "language = \"en\"", "language = \"" + std::string(256, 'l') + "\""), "templates/otp.toml:15:1");
  std::string many = "parameters = [";
  for (int i = 0; i < 300; ++i) many += "\"code\",";
  expect_part(with("templates/otp.toml", "parameters = [\"code\"]", many + "]"), "parameters");
  expect_part(with("templates/otp.toml", "code = \"digits\"\n", "code = \"digits\"\n" + std::string(300, 'p') + " = \"text\"\n"), "at most 64 characters");
}

TEST_F(Configuration, AllFaultsOfAllFilesAreToldAtOnce) {
  write_all(folder / "scenarios/sms.toml", std::string(kScenario) + "odd = 1\n");
  write_all(folder / "templates/otp.toml", std::string(kTemplate) + "odd = 1\n");
  write_all(folder / "posternd.toml", "odd = 1\n" + std::string(kMain));
  const std::string said = faults();
  for (const char* file : {"scenarios/sms.toml:6:1", "templates/otp.toml:17:1", "posternd.toml:1:1"}) expect_part(said, file);
}

TEST_F(Configuration, AFileWithASyntaxErrorIsNamed) {
  write_all(folder / "templates/broken.toml", std::string("name = \n"));
  expect_part(faults(), "templates/broken.toml:1:");
  EXPECT_FALSE(load(folder / "none.toml").has_value());
}

TEST_F(Configuration, TheUnlockCredentialComesFromTheUnitOrAPath) {
  expect_part(with("posternd.toml", "admins", "unlock_key = \"unlock\"\nadmins"), "names a credential, but the unit gives none");
  setenv("CREDENTIALS_DIRECTORY", "/run/credentials/posternd", 1);
  EXPECT_EQ(with("posternd.toml", "admins", "unlock_key = \"unlock\"\nadmins"), "");
  unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(with("posternd.toml", "admins", "unlock_key = \"/etc/postern/unlock\"\nadmins"), "");
}

TEST_F(Configuration, TheExampleOfTheManualIsGood) {
  const Bytes bytes = read_all(std::string(POSTERN_SOURCE_DIR) + "/gateway/config/README.md");
  const std::string manual(as_text(bytes));
  const auto example_after = [&manual](const std::string& heading) {
    const std::size_t begin = manual.find("```toml\n", manual.find(heading)) + 8;
    return manual.substr(begin, manual.find("```", begin) - begin);
  };
  std::string example = example_after("# Settings of posternd");
  write_all(folder / "policy.toml", example_after("## Policy"));
  write_all(folder / "objected.txt", std::string());
  const auto replace = [&example](const std::string& from, const std::string& to) {
    const std::size_t at = example.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    example.replace(at, from.size(), to);
  };
  replace("\"/var/lib/postern\"", "\"state\"");
  replace("/var/lib/postern-anchor", folder / "state");
  write_all(folder / "scenarios/otp.toml", std::string("name = \"otp\"\ndeadline = \"5m\"\n[[steps]]\nchannel = \"sms\"\n"));
  const std::string card_blocked = example_after("## Scenarios");
  replace("[[routes]] ", "[[routes]]\nchannel = \"push\"\nconnector = \"push-main\"\n[[routes]]\nchannel = \"email\"\nconnector = \"mail\"\n[[routes]] ");
  replace("[confidentiality] ", "[confidentiality]\npush = \"secret\"\nemail = \"public\"\n#");
  replace("[connectors.hook]", "[connectors.push-main]\nuser = \"p\"\nchannel = \"push\"\n[connectors.mail]\nuser = \"m\"\nchannel = \"email\"\n[connectors.hook]");
  write_all(folder / "scenarios/card-blocked.toml", card_blocked);
  write_all(folder / "scenarios/otp.toml", std::string("name = \"otp\"\ndeadline = \"5m\"\n[[steps]]\nchannel = \"sms\"\n"));
  write_all(folder / "scenarios/own.toml", std::string("name = \"own\"\ndeadline = \"5m\"\n[[steps]]\nchannel = \"sms\"\nsender = \"MyBank\"\n"));
  write_all(folder / "templates/payment.toml", std::string("name = \"payment-made\"\ncategories = [\"transaction\"]\ndefault_locale = \"en\"\n[locales.en]\ntext = \"Paid\"\n"));
  write_all(folder / "posternd.toml", example);
  setenv("CREDENTIALS_DIRECTORY", "/run/credentials/posternd", 1);
  const auto config = read();
  unsetenv("CREDENTIALS_DIRECTORY");
  ASSERT_TRUE(config.has_value()) << config.what();
  EXPECT_EQ((*config)->rules(Category::otp).keep, std::chrono::hours(7 * 24));
  EXPECT_EQ((*config)->rules(Category::marketing).keep, std::chrono::hours(30 * 24));
  EXPECT_EQ((*config)->anchor, folder / "state/anchor");
  EXPECT_EQ((*config)->reserve_bytes, 256U << 20);
}

TEST_F(Configuration, AnAnchorNeedsAFolderAndAReserveItsLimits) {
  expect_part(with("posternd.toml", "admins", "anchor = \"somewhere/anchor\"\nadmins"), "'anchor' must be a whole path in a folder that exists");
  expect_part(with("posternd.toml", "admins", "anchor = \"/no/such/folder/anchor\"\nadmins"), "'anchor' must be a whole path in a folder that exists");
  expect_part(with("posternd.toml", "admins", "reserve_mib = -1\nadmins"), "reserve_mib");
  expect_part(with("posternd.toml", "scenario = \"sms\"", "keep = \"1h\"\nscenario = \"sms\""), "'keep' must be a duration");
}

}  // namespace
}  // namespace postern::config
