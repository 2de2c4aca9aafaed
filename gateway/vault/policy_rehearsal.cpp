// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/policy_rehearsal.hpp"

#include <algorithm>

namespace postern::vault {
namespace {

constexpr std::size_t kLeavesAtOnce = 64, kJudgedAtOnce = 100;

std::optional<policy::Decided> facts_of(const audit::Body& body) {
  for (const auto& [field, text] : body)
    if (field == audit::Field::facts) return policy::decode_decided(as_bytes(text));
  return std::nullopt;
}

Status unreadable(std::uint64_t leaf) { return fail("audit leaf " + std::to_string(leaf) + " cannot be read; run 'postern audit verify'"); }

}  // namespace

PolicyRehearsal::PolicyRehearsal(Context& context, policy::Policy candidate, TimeMs now, TimeMs window_ms, policy::Trial::Limits limits)
    : context_(context), config_(context.config), candidate_(std::move(candidate)), trial_(candidate_, limits), from_ms_(now - window_ms), to_ms_(now) {}

Status PolicyRehearsal::step(Turn& turn, std::chrono::microseconds at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  if (!begun_)
    if (const Status found = find_first(); !found) return found;
  while (next_ < end_ && std::chrono::steady_clock::now() < end) {
    const Result<std::vector<Bytes>> leaves = context_.store.leaves(next_, std::min<std::uint64_t>(kLeavesAtOnce, end_ - next_));
    if (!leaves || leaves->empty()) return unreadable(next_);
    for (const Bytes& bytes : *leaves) {
      const std::optional<audit::Leaf> leaf = audit::decode_leaf(bytes);
      if (!leaf) return unreadable(next_);
      if (leaf->message.key != 0) take(turn, *leaf);
      ++next_;
      if (turn.failed() || std::chrono::steady_clock::now() >= end) return {};
    }
  }
  while (next_ == end_ && !done_ && std::chrono::steady_clock::now() < end) done_ = trial_.finish(kJudgedAtOnce);
  return {};
}

// Times of leaves never go back: the first of the window by halving.
Status PolicyRehearsal::find_first() {
  std::uint64_t low = 0, high = context_.log.size();
  end_ = high;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const Result<std::vector<Bytes>> bytes = context_.store.leaves(middle, 1);
    const std::optional<audit::Leaf> leaf = bytes && !bytes->empty() ? audit::decode_leaf(bytes->front()) : std::nullopt;
    if (!leaf) return unreadable(middle);
    if (leaf->utc_us / 1000 < from_ms_) low = middle + 1;
    else high = middle;
  }
  first_ = next_ = low;
  begun_ = true;
  return {};
}

void PolicyRehearsal::take(Turn& turn, const audit::Leaf& leaf) {
  if (leaf.type == EventType::handed || leaf.type == EventType::held || leaf.type == EventType::step_skipped || leaf.type == EventType::ended) decided(turn, leaf);
  if (is_final(leaf.state)) trial_.ended(leaf.message.key, leaf.utc_us / 1000);
}

// Of the store, not of the vault's cache: it is for messages under way.
std::optional<Flight> PolicyRehearsal::flight_of(Turn& turn, const audit::Leaf& leaf) {
  const Result<std::optional<store::FlightRow>> row = context_.store.load(leaf.message.key);
  if (!row) turn.fail_with(row.what());
  return row && *row ? decode_flight(leaf.message.key, (*row)->data) : std::nullopt;
}

void PolicyRehearsal::decided(Turn& turn, const audit::Leaf& leaf) {
  const bool handed = leaf.type == EventType::handed;
  std::optional<policy::Decided> facts = facts_of(turn.body_of(leaf).value_or(audit::Body{}));
  // No policy was in force when it was handed over, or one without a say in anything: the leaf alone tells enough.
  if (!facts && !handed) return;
  const std::optional<Flight> flight = flight_of(turn, leaf);
  if (!flight || flight->person == 0) {
    if (handed && leaf.attempt == 1) ++(flight ? erased_ : gone_);
    return;
  }
  if (!trial_.knows(leaf.message.key) && !begin(turn, *flight)) return;
  policy::Recorded recorded;
  recorded.what = handed ? policy::Recorded::What::handed : leaf.type == EventType::held ? policy::Recorded::What::held : policy::Recorded::What::left_out;
  if (facts) {
    recorded.facts = std::move(*facts);
  } else {
    if (leaf.attempt == 0 || leaf.attempt > flight->attempts.size()) return;
    recorded.facts.category = flight->category;
    recorded.facts.step = flight->attempts[leaf.attempt - 1U].step;
    recorded.facts.now = leaf.utc_us / 1000;
    recorded.facts.deadline_ms = flight->deadline_ms;
  }
  if (handed && recorded.facts.step < flight->plan.size())
    recorded.price = price_of(*flight, flight->plan[recorded.facts.step].channel, connector_of(leaf));
  trial_.take(leaf.message.key, recorded);
}

bool PolicyRehearsal::begin(Turn& turn, const Flight& flight) {
  policy::Subject subject;
  subject.id = flight.id;
  subject.person = flight.person;
  subject.category = flight.category;
  subject.client = flight.client;
  subject.weight = context_.weight_of(flight.client);
  subject.deadline_ms = flight.deadline_ms;
  const std::optional<Content> content = turn.read_content(flight);
  if (turn.failed()) return false;
  if (content && !content->time_zone.empty()) subject.zone = context_.zones.find(content->time_zone);
  if (!content) ++without_address_;
  for (std::size_t i = 0; i < flight.plan.size(); ++i) {
    const Step& step = flight.plan[i];
    policy::Way way;
    way.sends = !step.pause;
    way.alone = !step.together && (i + 1 == flight.plan.size() || !flight.plan[i + 1].together);
    if (content && step.payload < content->payloads.size()) way.address = content->payloads[step.payload].address;
    if (way.sends) way.price = price_of(flight, step.channel, {});
    subject.ways.push_back(std::move(way));
  }
  trial_.begin(std::move(subject));
  return true;
}

std::string_view PolicyRehearsal::connector_of(const audit::Leaf& leaf) const {
  constexpr std::string_view kFront = "connector:";
  const std::string_view name = context_.names.name(leaf.connector);
  return name.starts_with(kFront) ? name.substr(kFront.size()) : std::string_view();
}

// Of the route by this connector, or of the first that fits.
std::int64_t PolicyRehearsal::price_of(const Flight& flight, Channel channel, std::string_view connector) const {
  for (const config::Route& route : config_->routes)
    if (route.carries(channel, flight.network, flight.category) && (connector.empty() || route.connector == connector)) return route.price;
  return 0;
}

}  // namespace postern::vault
