// SPDX-License-Identifier: Apache-2.0
#include "tests/support/house.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace postern::vault {
namespace {

namespace fs = std::filesystem;

void must(bool good, const std::string& what) {
  if (!good) throw House::Fell("the test's house does not stand: " + what);
}

constexpr const char* kConfig = R"(
state = "state"
bus = "bus.sock"
control = "control.sock"
audit_origin = "bank.example/postern/audit"
scenarios = "scenarios"
templates = "templates"

[connectors.api]
user = "root"
[connectors.hook]
user = "root"
speaks_for = ["wa", "sms"]
[connectors.pull]
user = "root"
client = "core"
[connectors.sms]
user = "root"
channel = "sms"
[connectors.sms2]
user = "root"
channel = "sms"
[connectors.push]
user = "root"
channel = "push"
[connectors.wa]
user = "root"
channel = "whatsapp"
[connectors.mail]
user = "root"
channel = "email"

[clients.core]
identities = ["spiffe://bank.example/core"]
categories = ["otp", "security", "transaction", "service", "marketing"]
metrics = true
recipients = true
[clients.cards]
identities = ["spiffe://bank.example/cards"]
categories = ["service"]
rate = 10
weight = 2
[clients.app]
identities = ["spiffe://bank.example/app"]
categories = []
confirm = true

)";

constexpr const char* kCategoryRules = R"(
[categories.otp]
scenario = "push-sms"
[categories.security]
scenario = "sms"
[categories.transaction]
scenario = "sms"
[categories.service]
scenario = "sms"
[categories.marketing]
scenario = "sms"

)";

constexpr const char* kRoutes = R"(
[[routes]]
channel = "sms"
connector = "sms2"
networks = ["25506"]
[[routes]]
channel = "sms"
connector = "sms"
[[routes]]
channel = "push"
connector = "push"
[[routes]]
channel = "whatsapp"
connector = "wa"
[[routes]]
channel = "email"
connector = "mail"
)";

const std::map<std::string, std::string> kScenarios{
    {"sms", "name = \"sms\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"sms\"\n"},
    {"push-sms", "name = \"push-sms\"\ndeadline = \"5m\"\n[[steps]]\nchannel = \"push\"\nwait = \"10s\"\n[[steps]]\nchannel = \"sms\"\n"},
    {"push-sms-wait", "name = \"push-sms-wait\"\ndeadline = \"5m\"\n[[steps]]\nchannel = \"push\"\nwait = \"10s\"\n[[steps]]\nchannel = \"sms\"\nwait = \"20s\"\n"},
    {"ask", "name = \"ask\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"whatsapp\"\nuntil = \"replied\"\n"},
    {"mail", "name = \"mail\"\ndeadline = \"1h\"\n[[steps]]\nchannel = \"email\"\nuntil = \"sent\"\n"},
    {"otp-only", "name = \"otp-only\"\ncategories = [\"otp\"]\ndeadline = \"5m\"\n[[steps]]\nchannel = \"sms\"\n"},
};

const std::map<std::string, std::string> kTemplates{
    {"code", R"(name = "code"
categories = ["otp", "service"]
default_locale = "en"
[placeholders]
code = "digits"
who = "text"
[locales.en]
text = "Your code is {{code}}, {{who}}"
[locales.en.push]
subject = "Code"
text = "{{code}}"
[locales.en.whatsapp]
template = "otp_en"
language = "en"
parameters = ["code"]
[locales.uk]
text = "Ваш код {{code}}, {{who}}"
)"},
    {"promo", R"(name = "promo"
categories = ["marketing"]
default_locale = "en"
[locales.en]
text = "Hello"
)"},
};

// The same tests run in each profile.
Profile profile_of_run() {
  const char* named = std::getenv("POSTERN_PROFILE");
  const std::optional<Profile> profile = named == nullptr ? Profile::modern : profile_of(named);
  must(profile.has_value(), "POSTERN_PROFILE names no profile");
  return *profile;
}

}  // namespace

Folder::Folder() {
  std::string pattern = (fs::temp_directory_path() / "postern-test-XXXXXX").string();
  must(mkdtemp(pattern.data()) != nullptr, "no temporary folder");
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void Folder::write(const std::string& name, const std::string& text) const {
  fs::create_directories((path_ / name).parent_path());
  std::ofstream out(path_ / name, std::ios::binary | std::ios::trunc);
  out << text;
  must(out.good(), "cannot write " + name);
}

House::House(const std::string& extra, const std::map<std::string, std::string>& scenarios, const std::map<std::string, std::string>& templates, std::optional<Profile> profile,
             bool own_categories, const std::string& policy)
    : ring_(Keyring::create(kMorning, profile.value_or(profile_of_run()))) {
  fs::create_directories(folder_.path() / "state");
  if (!policy.empty()) folder_.write("policy.toml", policy);
  folder_.write("never.txt", "+380670000001\n");
  folder_.write("posternd.toml", (policy.empty() ? std::string() : "policy = \"policy.toml\"\n") + kConfig + (own_categories ? "" : kCategoryRules) + kRoutes + extra);
  for (const auto* files : {&kScenarios, &scenarios})
    for (const auto& [name, text] : *files) folder_.write("scenarios/" + name + ".toml", text);
  for (const auto* files : {&kTemplates, &templates})
    for (const auto& [name, text] : *files) folder_.write("templates/" + name + ".toml", text);
  Result<std::shared_ptr<const config::Config>> loaded = config::load(folder_ / "posternd.toml");
  must(loaded.has_value(), loaded ? "" : loaded.what());
  config_ = *loaded;
  const Status opened = try_open(Vault::Opening::fresh);
  must(opened.has_value(), opened ? "" : opened.what());
}

House::~House() = default;

Status House::try_open(Vault::Opening opening, const Consent* consent) {
  vault_.reset();
  frames_.clear();
  heard_.clear();
  const Clock clock{[this] { return now * 1000; }, [this] { return static_cast<std::uint64_t>(now * 1000); }};
  Result<std::unique_ptr<Vault>> opened = Vault::open(config_, ring_, state(), clock, opening, consent);
  if (!opened) return fail(opened.what());
  vault_ = std::move(*opened);
  // As posternd does: an init is not done before its anchor stands.
  return opening == Vault::Opening::fresh ? vault_->publish() : Status();
}

void House::reopen() {
  const Status opened = try_open(Vault::Opening::existing);
  must(opened.has_value(), opened ? "" : opened.what());
}

PeerId House::join(const std::string& name, std::uint64_t instance, std::uint32_t window, bool wants_events) {
  wire::Hello hello;
  hello.set_version(1);
  hello.set_connector(name);
  hello.set_instance(instance);
  hello.set_window(window);
  hello.set_wants_events(wants_events);
  hello.set_software("test 1");
  const PeerId peer = vault_->join(name, hello, 1);
  frames_[peer] = 1;
  turn();
  return peer;
}

void House::leave(PeerId peer) { vault_->leave(peer); }

void House::say(PeerId peer, wire::ToVault frame) {
  frame.set_frame(++frames_[peer]);
  vault_->frame(peer, std::move(frame));
}

Status House::turn_once() {
  const Status done = vault_->turn();
  if (!done) return done;
  for (auto& [id, peer] : vault_->peers()) {
    heard_[id].MergeFrom(peer.out);
    peer.out.Clear();
  }
  return done;
}

void House::turn() {
  for (int i = 0; i < 1000; ++i) {
    const Status done = turn_once();
    must(done.has_value(), done ? "" : done.what());
    if (!vault_->more()) return;
  }
  must(false, "the vault asks for a turn for ever");
}

void House::pass(TimeMs ms) {
  const TimeMs end = now + ms;
  for (int i = 0; i < 100'000; ++i) {
    const TimeMs wake = vault_->next_wake();
    if (wake == 0 || wake > end) break;
    now = std::max(now, wake);
    turn();
    must(vault_->next_wake() == 0 || vault_->next_wake() > wake || i < 99'999, "the vault wakes for ever");
  }
  now = end;
  turn();
}

wire::ToConnector House::take(PeerId peer) {
  wire::ToConnector all;
  all.Swap(&heard_[peer]);
  return all;
}

std::vector<wire::Deliver> House::deliveries(PeerId peer) {
  const wire::ToConnector all = take(peer);
  return {all.deliver().begin(), all.deliver().end()};
}

std::vector<wire::Verdict> House::verdicts(PeerId peer) {
  const wire::ToConnector all = take(peer);
  return {all.verdict().begin(), all.verdict().end()};
}

wire::Submit House::submit(const std::string& scenario, const std::string& phone, wire::Category category) {
  wire::Submit submit;
  submit.set_identity(kBankUri);
  submit.set_category(category);
  submit.set_scenario(scenario);
  submit.set_text("The card was used");
  if (!phone.empty()) submit.mutable_recipient()->set_phone(phone);
  wire::PushToken& token = *submit.mutable_recipient()->add_push();
  token.set_token("token-of-the-phone");
  token.set_platform("fcm");
  return submit;
}

wire::Verdict House::send(PeerId source, wire::Submit submit) {
  submit.set_tag(++tag_);
  wire::ToVault frame;
  *frame.add_submit() = std::move(submit);
  say(source, std::move(frame));
  turn();
  wire::Verdict found;
  wire::ToConnector& heard = heard_[source];
  for (const wire::Verdict& verdict : heard.verdict())
    if (verdict.tag() == tag_) found = verdict;
  heard.clear_verdict();
  return found;
}

wire::ToVault House::result_frame(const wire::Attempt& attempt, wire::Result::Kind kind, const std::vector<std::string>& ids, bool receipts) {
  wire::ToVault frame;
  wire::Result& result = *frame.add_result();
  *result.mutable_attempt() = attempt;
  result.set_kind(kind);
  for (const std::string& id : ids) result.add_provider_id(id);
  result.set_receipts(kind == wire::Result::SENT && receipts);
  if (kind != wire::Result::SENT) result.set_reason("test-reason");
  return frame;
}

void House::result(PeerId peer, const wire::Attempt& attempt, wire::Result::Kind kind, const std::vector<std::string>& ids, bool receipts) {
  say(peer, result_frame(attempt, kind, ids, receipts));
  turn();
}

void House::receipt(PeerId peer, const std::string& provider_id, wire::Progress progress, const std::string& connector) {
  wire::ToVault frame;
  wire::Receipt& receipt = *frame.add_receipt();
  receipt.set_connector(connector);
  receipt.set_provider_id(provider_id);
  receipt.set_progress(progress);
  receipt.set_at_ms(static_cast<std::uint64_t>(now));
  say(peer, std::move(frame));
  turn();
}

wire::Answer House::ask(PeerId source, wire::Query query) {
  query.set_tag(++tag_);
  if (query.identity().empty()) query.set_identity(kBankUri);
  wire::ToVault frame;
  *frame.add_query() = std::move(query);
  say(source, std::move(frame));
  turn();
  wire::Answer found;
  wire::ToConnector& heard = heard_[source];
  for (const wire::Answer& answer : heard.answer())
    if (answer.tag() == tag_) found = answer;
  heard.clear_answer();
  return found;
}

wire::MessageView House::view(PeerId source, const std::string& id) {
  wire::Query query;
  query.set_get(id);
  return ask(source, std::move(query)).message();
}

std::vector<wire::Event> House::events(PeerId source, std::uint64_t after) {
  wire::Query query;
  query.mutable_events()->set_after(after);
  query.mutable_events()->set_limit(1000);
  const wire::Answer answer = ask(source, std::move(query));
  return {answer.event().begin(), answer.event().end()};
}

std::vector<audit::Leaf> House::leaves() {
  std::vector<audit::Leaf> all;
  const Result<std::vector<Bytes>> bytes = vault_->context().store.leaves(0, 1'000'000);
  must(bytes.has_value(), bytes ? "" : bytes.what());
  for (const Bytes& leaf : *bytes) {
    const std::optional<audit::Leaf> decoded = audit::decode_leaf(leaf);
    must(decoded.has_value(), "a leaf in the store cannot be read");
    all.push_back(*decoded);
  }
  return all;
}

}  // namespace postern::vault
