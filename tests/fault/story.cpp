// SPDX-License-Identifier: Apache-2.0
#include "tests/fault/story.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "admin/audit/verify.hpp"

namespace postern::fault {
namespace {

using vault::House;
using vault::PeerId;

// A step of the story itself that fails without a fault is a fault of the test.
void must(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "the story does not go on: %s\n", what.c_str());
  std::abort();
}

struct Armed {
  explicit Armed(bool on) { recorder::arm(on); }
  ~Armed() { recorder::arm(false); }
};

}  // namespace

Story::Story(std::uint64_t seed, bool faults) : chance_(seed), faults_(faults) {
  // Some lives have large turns, so that tiles of the audit log become full; some are long, so that the WAL is folded in.
  batch_ = below(4) == 0 ? 40 : 1 + below(6);
  api_ = house_.join("api");
  sms_ = house_.join("sms", instance_);
  first_ = recorder::ops().size();
}

void Story::tell(Told told) {
  told.after = recorder::ops().size();
  told_.push_back(std::move(told));
}

void Story::live() {
  const std::uint64_t steps = below(5) == 0 ? 40 + below(60) : 4 + below(14);
  for (std::uint64_t step = 0; step < steps; ++step) {
    const std::uint64_t lot = below(100);
    try {
      step_of(lot);
    } catch (const House::Fell& fell) {
      // A sync that nobody waited for has failed, and the next commit says so.
      must(recorder::struck() && !house_.vault().usable(), fell.what());
      come_back();
    }
  }
}

void Story::step_of(std::uint64_t lot) {
  if (lot < 35) submit();
  else if (lot < 60) answer();
  else if (lot < 75) confirm();
  else if (lot < 90) publish();
  else if (lot < 93) reopen();
  else if (lot < 96) another_instance();
  else {
    // Sometimes long enough for the log's epoch to end.
    house_.now += below(3) == 0 ? 16 * 60'000 : 3000;
    turn();
  }
}

bool Story::turn() {
  for (int i = 0; i < 1000; ++i) {
    Status done;
    {
      const Armed armed(faults_);
      done = house_.turn_once();
    }
    if (!done) {
      must(recorder::struck(), done.what());
      // What it cannot sync it does not try again: the process ends, as posternd does.
      if (!house_.vault().usable()) {
        must(!house_.turn_once() || house_.vault().context().log.fresh().empty(), "a store that is broken has taken a turn");
        must(!house_.vault().usable(), "a store that is broken is usable again");
      }
      come_back();
      return false;
    }
    collect();
    if (!house_.vault().more()) return true;
  }
  must(false, "the vault asks for turns for ever");
  return false;
}

// After a failed turn every link is closed and connectors come back; after a failed sync the process is another one.
void Story::come_back() {
  if (house_.vault().usable()) {
    house_.leave(api_);
    house_.leave(sms_);
  } else {
    house_.reopen();
  }
  api_ = house_.join("api");
  sms_ = house_.join("sms", instance_);
  collect();
}

// What the vault has said is true from now on.
void Story::collect() {
  for (const wire::Verdict& verdict : house_.verdicts(api_)) {
    const std::string key = "k" + std::to_string(verdict.tag());
    must(verdict.outcome() == wire::Verdict::STORED, "verdict " + std::to_string(verdict.outcome()));
    tell({Told::What::accepted, 0, verdict.id(), key, 0, {}, 0});
  }
  for (wire::Deliver& deliver : house_.deliveries(sms_)) {
    const bool known = std::ranges::any_of(open_, [&](const Open& o) {
      return o.deliver.attempt().message() == deliver.attempt().message() && o.deliver.attempt().number() == deliver.attempt().number();
    });
    if (known) continue;
    tell({Told::What::handed, 0, deliver.id(), {}, deliver.attempt().number(), {}, 0});
    open_.push_back({std::move(deliver), {}, std::nullopt, false});
  }
}

void Story::submit() {
  wire::ToVault frame;
  for (std::uint64_t many = 1 + below(batch_); many > 0; --many) {
    wire::Submit& submit = *frame.add_submit();
    submit = House::submit("sms", "38067" + std::to_string(1'000'000 + number_), below(2) == 0 ? wire::OTP : wire::TRANSACTION);
    submit.set_tag(++number_);
    submit.set_idempotency_key("k" + std::to_string(number_));
    submit.set_fingerprint(std::string(32, 'f'));
    submit.set_text(std::string(20 + below(below(10) == 0 ? 3000 : 200), 't'));
  }
  house_.say(api_, std::move(frame));
  turn();
}

void Story::answer() {
  wire::ToVault frame;
  std::vector<Told> then;
  for (Open& open : open_) {
    if (open.sent || below(3) == 0) continue;
    const std::uint64_t lot = below(20);
    if (!open.decided)
      open.decided = lot == 0   ? wire::Result::RETRY
                     : lot == 1 ? wire::Result::REFUSED
                     : lot == 2 ? wire::Result::UNKNOWN
                                : wire::Result::SENT;
    const wire::Result::Kind kind = *open.decided;
    open.provider_id = "p" + std::to_string(open.deliver.attempt().message()) + "-" + std::to_string(open.deliver.attempt().number());
    frame.MergeFrom(House::result_frame(open.deliver.attempt(), kind, kind == wire::Result::SENT ? std::vector{open.provider_id} : std::vector<std::string>{}));
    then.push_back({Told::What::result, 0, open.deliver.id(), {}, open.deliver.attempt().number(), kind, 0});
  }
  if (then.empty()) return;
  house_.say(sms_, std::move(frame));
  // A fact that was not committed is said again; here the next answer() does so.
  if (!turn()) return;
  for (Told& each : then) {
    for (Open& open : open_)
      if (open.deliver.id() == each.id && open.deliver.attempt().number() == each.attempt) open.sent = true;
    tell(std::move(each));
  }
  std::erase_if(open_, [&](const Open& open) {
    return std::ranges::any_of(told_, [&](const Told& t) {
      return t.what == Told::What::result && t.result != wire::Result::SENT && t.id == open.deliver.id() && t.attempt == open.deliver.attempt().number();
    });
  });
}

void Story::confirm() {
  wire::ToVault frame;
  std::vector<Told> then;
  for (const Open& open : open_) {
    if (!open.sent || below(2) == 0) continue;
    wire::Receipt& receipt = *frame.add_receipt();
    receipt.set_provider_id(open.provider_id);
    receipt.set_progress(wire::DELIVERED);
    then.push_back({Told::What::receipt, 0, open.deliver.id(), {}, open.deliver.attempt().number(), {}, 0});
  }
  if (then.empty()) return;
  house_.say(sms_, std::move(frame));
  if (!turn()) return;
  for (Told& each : then) {
    std::erase_if(open_, [&](const Open& open) { return open.deliver.id() == each.id && open.deliver.attempt().number() == each.attempt; });
    tell(std::move(each));
  }
}

void Story::publish() {
  Status done;
  {
    const Armed armed(faults_);
    done = house_.vault().publish();
  }
  if (!done) {
    must(recorder::struck(), done.what());
    if (!house_.vault().usable()) come_back();
    return;
  }
  tell({Told::What::published, 0, {}, {}, 0, {}, house_.vault().published()});
}

void Story::reopen() {
  house_.close();
  Status opened;
  {
    const Armed armed(faults_);
    opened = house_.try_open(vault::Vault::Opening::existing);
  }
  if (!opened) {
    must(recorder::struck(), opened.what());
    house_.reopen();
  }
  api_ = house_.join("api");
  sms_ = house_.join("sms", instance_);
  collect();
}

void Story::another_instance() {
  house_.leave(sms_);
  open_.clear();
  sms_ = house_.join("sms", ++instance_);
  collect();
}

// ---- after a cut ----

std::optional<std::string> Story::check(std::size_t after) {
  try {
    return look(after);
  } catch (const House::Fell& fell) {
    return fell.what();
  }
}

std::optional<std::string> Story::look(std::size_t after) {
  if (const Status opened = house_.try_open(vault::Vault::Opening::existing); !opened) return "does not open: " + opened.what();
  if (std::optional<std::string> bad = check_store()) return bad;
  const PeerId api = house_.join("api");
  if (std::optional<std::string> bad = check_messages(after, api)) return bad;
  if (house_.send(api, House::submit()).outcome() != wire::Verdict::STORED) return "takes no message any more";
  if (const Status published = house_.vault().publish(); !published) return "cannot publish: " + published.what();
  const std::string folder = house_.state() + "/audit";
  Result<auditor::Trust> trust = auditor::read_trust({folder + "/vkey"}, {});
  if (!trust) return "the log's keys cannot be read: " + trust.what();
  const Result<auditor::Verdict> verdict = auditor::verify({folder, std::move(*trust), {}, {}});
  if (!verdict) return "the audit log cannot be read: " + verdict.what();
  if (verdict->bad) return "the audit log does not verify: leaf " + std::to_string(verdict->bad->leaf) + ": " + verdict->bad->what;
  return std::nullopt;
}

// Every leaf up to the log's end; a content and an `accepted` leaf for each flight, and a flight for each such leaf.
std::optional<std::string> Story::check_store() {
  store::Store& store = house_.vault().context().store;
  const std::vector<audit::Leaf> leaves = house_.leaves();
  if (leaves.size() != house_.vault().context().log.size())
    return "has " + std::to_string(leaves.size()) + " leaves, its mark says " + std::to_string(house_.vault().context().log.size());
  std::set<MessageKey> accepted;
  for (const audit::Leaf& leaf : leaves)
    if (leaf.type == EventType::accepted) accepted.insert(leaf.message.key);
  const Result<std::vector<store::FlightRow>> rows = store.scan(0, 1'000'000);
  if (!rows) return rows.what();
  for (const store::FlightRow& row : *rows) {
    // What a one-time code says is destroyed when it has arrived.
    const std::optional<Flight> flight = decode_flight(row.key, row.data);
    if (!flight) return "a message that cannot be read";
    const auto content = store.content(row.key);
    if (!content || (!*content && !(is_final(flight->state) && flight->category == Category::otp))) return "a message without its content";
    if (accepted.erase(row.key) != 1) return "a message without its leaf";
  }
  if (!accepted.empty()) return "a leaf of an accepted message that is not there";
  return std::nullopt;
}

std::optional<std::string> Story::check_messages(std::size_t after, PeerId api) {
  std::map<std::string, wire::MessageView> views;
  std::uint64_t published = 0;
  const Told* some = nullptr;
  for (const Told& told : told_) {
    if (told.after > after) break;
    if (told.what == Told::What::published) {
      published = std::max(published, told.leaves);
      continue;
    }
    if (told.what == Told::What::accepted) {
      views[told.id] = house_.view(api, told.id);
      if (views[told.id].id() != told.id) return "message " + told.id + " was accepted and is not there";
      if (some == nullptr || below(3) == 0) some = &told;
      continue;
    }
    // A message may be handed over whose verdict was never heard.
    const auto view = views.try_emplace(told.id).first;
    if (view->second.id().empty()) view->second = house_.view(api, told.id);
    if (static_cast<int>(told.attempt) > view->second.attempt_size()) return "an attempt of " + told.id + " was handed over and is not there";
    const wire::Progress seen = view->second.attempt(static_cast<int>(told.attempt) - 1).progress();
    const bool sent_or_further = seen == wire::SENT || seen == wire::DELIVERED || seen == wire::READ || seen == wire::REPLIED;
    const auto wrong = [&](const char* what) { return std::string(what) + " of " + told.id + " was committed, its attempt says " + std::to_string(seen); };
    if (told.what == Told::What::handed && seen < wire::HANDED) return wrong("a hand-over");
    if (told.what == Told::What::receipt && (!sent_or_further || seen == wire::SENT)) return wrong("a receipt");
    if (told.what != Told::What::result) continue;
    if (told.result == wire::Result::SENT && !sent_or_further) return wrong("a result");
    if (told.result == wire::Result::REFUSED && seen != wire::REFUSED) return wrong("a refusal");
    if (told.result == wire::Result::RETRY && seen != wire::REFUSED) return wrong("a retry");
    if (told.result == wire::Result::UNKNOWN && seen < wire::DELIVERED) return wrong("a doubt");
  }
  if (house_.vault().context().log.size() < published) return "the log is shorter than it was published";
  if (some != nullptr) {
    wire::Submit again = House::submit();
    again.set_idempotency_key(some->key);
    again.set_fingerprint(std::string(32, 'f'));
    const wire::Verdict verdict = house_.send(api, again);
    if (verdict.outcome() != wire::Verdict::REPLAYED || verdict.id() != some->id) return "the key of an accepted message was forgotten";
  }
  return std::nullopt;
}

}  // namespace postern::fault
