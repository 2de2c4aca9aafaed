// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/dispatch.hpp"

namespace postern::vault {
namespace {

constexpr std::size_t kPage = 500, kUrgentShare = 16;

wire::Category wire_of(Category category) { return static_cast<wire::Category>(static_cast<int>(category)); }

}  // namespace

void Dispatcher::connected(Turn& turn, Peer& peer) {
  Line& line = lines_[peer.connector];
  line.peer = peer.id;
  line.unanswered.clear();
  for (std::uint8_t lane = 0; lane < kLanes; ++lane)
    for (MessageKey after = 0; take_up(turn, line, peer, lane, after);) {
    }
}

// One page of the attempts that the connector was handed before; false when it was the last.
bool Dispatcher::take_up(Turn& turn, Line& line, Peer& peer, std::uint8_t lane, MessageKey& after) {
  Result<std::vector<store::FlightRow>> rows = context_.store.queued({peer.connector, /*handed=*/true}, lane, after, kPage);
  if (!rows) {
    turn.fail_with(rows.what());
    return false;
  }
  for (const store::FlightRow& row : *rows) {
    after = row.key;
    Flight* flight = turn.take(row);
    if (flight == nullptr) return false;
    for (std::size_t i = 0; i < flight->attempts.size(); ++i) {
      const Attempt& attempt = flight->attempts[i];
      if (attempt.state != AttemptState::handed || attempt.connector != peer.connector) continue;
      if (attempt.instance != peer.instance || is_final(flight->state)) {
        // An ended message is never delivered again; should the connector hold it still, it is called back.
        if (attempt.instance == peer.instance) call_back(*flight, i);
        turn.advance(*flight, engine::Lost{i});
        continue;
      }
      line.unanswered.emplace(flight->id.key, static_cast<std::uint32_t>(i + 1));
      deliver(turn, peer, *flight, i);
      // What was halted while the connector was away is called back like the rest of it.
      if (context_.halts.covering(*flight) != nullptr) call_back(*flight, i);
    }
  }
  return rows->size() == kPage;
}

void Dispatcher::disconnected(const Peer& peer) {
  const auto line = lines_.find(peer.connector);
  if (line == lines_.end() || line->second.peer != peer.id) return;
  line->second.peer = 0;
  line->second.unanswered.clear();
}

void Dispatcher::answered(ConnectorId connector, MessageKey key, std::uint32_t attempt) {
  if (const auto line = lines_.find(connector); line != lines_.end()) line->second.unanswered.erase({key, attempt});
}

std::uint32_t Dispatcher::outstanding(ConnectorId connector) const {
  const auto line = lines_.find(connector);
  return line == lines_.end() ? 0 : static_cast<std::uint32_t>(line->second.unanswered.size());
}

bool Dispatcher::reachable(ConnectorId connector) const {
  const auto line = lines_.find(connector);
  if (line == lines_.end() || line->second.peer == 0) return false;
  const auto peer = peers_.find(line->second.peer);
  return peer != peers_.end() && peer->second.up;
}

void Dispatcher::forget() {
  for (auto& [connector, line] : lines_) {
    line.lanes = {};
    line.unanswered.clear();
  }
}

void Dispatcher::Lane::add(MessageKey key) {
  head.insert(key);
  if (head.size() <= kHead) return;
  head.erase(std::prev(head.end()));
  more = true;
}

void Dispatcher::became_ready(const Flight& flight, ConnectorId connector) {
  Lane& lane = lines_[connector].lanes[lane_of(flight.category)];
  const MessageKey key = flight.id.key;
  // While the store holds others beyond the head, only a key below the head's end may join it.
  if (lane.more && (lane.head.empty() || key > *lane.head.rbegin())) lane.fresh.push_back(key);
  else lane.add(key);
}

void Dispatcher::call_back(const Flight& flight, std::size_t attempt) {
  const auto line = lines_.find(flight.attempts[attempt].connector);
  if (line == lines_.end()) return;
  const auto peer = peers_.find(line->second.peer);
  if (peer == peers_.end()) return;
  wire::Attempt& cancel = *peer->second.out.add_cancel();
  cancel.set_message(static_cast<std::uint64_t>(flight.id.key));
  cancel.set_number(static_cast<std::uint32_t>(attempt + 1));
}

std::size_t Dispatcher::call_back_all(Turn& turn, const std::function<bool(const Flight&)>& wanted) {
  std::size_t count = 0;
  for (const auto& [connector, line] : lines_) {
    for (const auto& [key, number] : line.unanswered) {
      const Flight* flight = turn.find(key);
      if (turn.failed()) return count;
      if (flight == nullptr || number == 0 || number > flight->attempts.size() || !wanted(*flight)) continue;
      call_back(*flight, number - 1U);
      ++count;
    }
  }
  return count;
}

// Reads the head of a lane again; false when there is nothing. Once a turn: what this turn has already
// handed still looks ready in the store.
bool Dispatcher::refill(Turn& turn, ConnectorId connector, std::uint8_t number, Lane& lane) {
  if (std::exchange(lane.refilled, true)) {
    more_ = true;
    return false;
  }
  Result<std::vector<store::FlightRow>> rows = context_.store.queued({connector, /*handed=*/false}, number, 0, kHead);
  if (!rows) {
    turn.fail_with(rows.what());
    return false;
  }
  lane.more = rows->size() == kHead;
  for (const store::FlightRow& row : *rows) lane.head.insert(row.key);
  for (const MessageKey key : std::exchange(lane.fresh, {}))
    if (!lane.more || key < *lane.head.rbegin()) lane.add(key);
  return !lane.head.empty();
}

void Dispatcher::run(Turn& turn) {
  more_ = false;
  std::size_t handed = 0;
  for (auto& [connector, line] : lines_) {
    const auto peer = peers_.find(line.peer);
    if (peer != peers_.end() && peer->second.up) fill(turn, connector, line, peer->second, handed);
    if (turn.failed()) return;
  }
  // What is still fresh is found in the store from the next turn on.
  for (auto& [connector, line] : lines_) {
    for (Lane& lane : line.lanes) {
      lane.fresh.clear();
      lane.refilled = false;
    }
  }
}

void Dispatcher::fill(Turn& turn, ConnectorId connector, Line& line, Peer& peer, std::size_t& handed) {
  for (std::uint8_t number = 0; number < kLanes; ++number) {
    Lane& lane = line.lanes[number];
    const std::size_t window = number <= kLastUrgentLane ? peer.window : peer.window - peer.window / kUrgentShare;
    while (line.unanswered.size() < window) {
      if (lane.head.empty() && (!lane.more || !refill(turn, connector, number, lane))) break;
      if (handed >= kTurn) {
        more_ = true;
        return;
      }
      const MessageKey key = *lane.head.begin();
      lane.head.erase(lane.head.begin());
      Flight* flight = turn.find(key);
      if (turn.failed()) return;
      // A key may stay behind when its attempt was withdrawn or went elsewhere.
      const std::optional<std::size_t> attempt = flight == nullptr ? std::nullopt : flight->ready_for(connector);
      if (!attempt) continue;
      ++handed;   // one that a policy stops costs as much
      if (!hand(turn, line, peer, *flight, *attempt)) continue;
      // Two steps that begin together may go the same way.
      if (flight->ready_for(connector)) lane.head.insert(key);
    }
  }
}

bool Dispatcher::hand(Turn& turn, Line& line, Peer& peer, Flight& flight, std::size_t attempt) {
  const Content* content = turn.content(flight);
  if (content == nullptr || flight.plan[flight.attempts[attempt].step].payload >= content->payloads.size()) {
    if (!turn.failed()) turn.advance(flight, engine::Damaged{});
    return false;
  }
  const engine::Outcome outcome = turn.advance(flight, engine::Handed{attempt, peer.instance});
  if (outcome.ignored || flight.attempts[attempt].state != AttemptState::handed) return false;
  line.unanswered.emplace(flight.id.key, static_cast<std::uint32_t>(attempt + 1));
  deliver(turn, peer, flight, attempt);
  return true;
}

void Dispatcher::deliver(Turn& turn, Peer& peer, const Flight& flight, std::size_t attempt) {
  const Attempt& how = flight.attempts[attempt];
  const Step& step = flight.plan[how.step];
  const Content* content = turn.content(flight);
  if (content == nullptr || step.payload >= content->payloads.size()) return;  // hand() has looked already
  const Payload& payload = content->payloads[step.payload];
  wire::Deliver& out = *peer.out.add_deliver();
  out.mutable_attempt()->set_message(static_cast<std::uint64_t>(flight.id.key));
  out.mutable_attempt()->set_number(static_cast<std::uint32_t>(attempt + 1));
  out.set_id(flight.id.text());
  out.set_channel(std::string(name_of(payload.channel)));
  out.set_category(wire_of(flight.category));
  const TimeMs expires = step.validity_ms == 0 ? flight.deadline_ms : std::min(flight.deadline_ms, how.handed_ms + step.validity_ms);
  out.set_expires_ms(static_cast<std::uint64_t>(expires));
  out.set_address(payload.address);
  out.set_platform(payload.platform);
  out.set_sender(payload.sender);
  out.set_text(payload.text);
  out.set_subject(payload.subject);
  out.set_html(payload.html);
  out.set_template_(payload.provider_template);
  out.set_language(payload.provider_language);
  for (const auto& [name, value] : payload.parameters) {
    wire::Variable& parameter = *out.add_parameter();
    parameter.set_name(name);
    parameter.set_value(value);
  }
  out.set_network(flight.network);
}

}  // namespace postern::vault
