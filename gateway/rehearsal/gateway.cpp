// SPDX-License-Identifier: Apache-2.0
#include "gateway/rehearsal/gateway.hpp"

namespace postern::rehearsal {
namespace {

constexpr std::size_t kTimersPerTurn = 1000;

audit::Log::Mark mark_of(store::Store& store) {
  const Bytes bytes = *store.audit_mark();
  return bytes.empty() ? audit::Log::Mark() : *audit::decode_mark(bytes);
}

}  // namespace

Gateway::Gateway(std::shared_ptr<const config::Config> config, std::shared_ptr<const numbers::PortabilityIndex> numbers, const Ground& ground,
                 std::shared_ptr<store::Disk> disk, const Route& route, engine::Gate gate)
    : store_(store::open_memory(std::move(disk), ground.sum_key)),
      log_(ground.keys, mark_of(*store_)),
      persons_(*store_, ground.keys, ground.ring),
      sightings_(*store_),
      recipients_(*store_, ground.keys, persons_),
      halts_(*store_),
      context_{std::move(config), std::move(numbers), *store_, ground.keys, log_, persons_, sightings_, recipients_, halts_, vault::Names(*store_->names()),
               KeySource(*store_->newest_key()), {}, {}, true},
      dispatcher_(context_, peers_),
      gate_(context_),
      turn_(context_, dispatcher_,
            route ? engine::Route([this, route](const Flight& flight, const Step& step) { return route(*this, flight, step); })
                  : engine::Route([this](const Flight& flight, const Step& step) { return progress_.route(turn_, flight, step); }),
            gate ? std::move(gate) : engine::Gate([this](const Flight& flight, const Step& step) { return gate_.ask(turn_, flight, step); })),
      intake_(context_),
      progress_(context_, dispatcher_),
      queries_(context_, intake_, progress_, dispatcher_, peers_) {
  context_.metrics.waiting = *store_->waiting();
  progress_.begin_with(*store_->parked_count());
  recipients_.open();
  if (const Status halted = halts_.open(); !halted) why_ = halted.what();
  more_ = halts_.busy();
}

void Gateway::halt(vault::Turn& turn, vault::Halt halt) {
  if (halts_.find(halt.kind, halt.number) == nullptr) halts_.begin(turn, dispatcher_, std::move(halt));
}

vault::PeerId Gateway::join(const std::string& name, std::uint64_t instance, std::uint32_t window) {
  vault::Peer peer;
  peer.id = ++last_peer_;
  peer.name = name;
  peer.instance = instance;
  peer.window = window;
  peers_.emplace(peer.id, std::move(peer));
  wire::ToVault hello;
  hello.set_frame(1);
  inbox_.push_back({last_peer_, Said::What::joined, std::move(hello)});
  return last_peer_;
}

void Gateway::leave(vault::PeerId id) {
  const auto peer = peers_.find(id);
  if (peer == peers_.end() || std::exchange(peer->second.left, true)) return;
  queries_.forget(id);
  if (peer->second.connector != 0) dispatcher_.disconnected(peer->second);
  inbox_.push_back({id, Said::What::left, {}});
}

void Gateway::frame(vault::PeerId peer, wire::ToVault&& frame) { inbox_.push_back({peer, Said::What::frame, std::move(frame)}); }

void Gateway::take(const Said& said) {
  const auto found = peers_.find(said.peer);
  if (found == peers_.end()) return;
  vault::Peer& peer = found->second;
  if (said.what == Said::What::left) {
    if (peer.connector != 0) turn_.leaf(EventType::connector_down, {}, nullptr, 0, peer.connector);
    peers_.erase(found);
    return;
  }
  if (said.what == Said::What::joined && !peer.left) {
    peer.connector = turn_.number_of_connector(peer.name);
    turn_.leaf(EventType::connector_up, {}, nullptr, 0, peer.connector);
    dispatcher_.connected(turn_, peer);
  }
  if (peer.connector == 0) return;
  for (const wire::Result& result : said.frame.result()) progress_.result(turn_, peer, result);
  for (const wire::Receipt& receipt : said.frame.receipt()) progress_.receipt(turn_, peer, receipt);
  for (const wire::Reply& reply : said.frame.reply()) progress_.reply(turn_, peer, reply);
  if (peer.left) return;
  for (const wire::Submit& submit : said.frame.submit()) intake_.submit(turn_, peer, submit);
  for (const wire::Query& query : said.frame.query()) queries_.query(turn_, peer, query);
  peer.out.set_committed(said.frame.frame());
}

bool Gateway::turn(TimeMs wall, TimeMs steady, const std::function<void(vault::Turn&)>& work, Cut cut) {
  turn_.open(wall, wall * 1000, static_cast<std::uint64_t>(steady) * 1000);
  more_ = progress_.timers(turn_, kTimersPerTurn);
  intake_.prefixes().run(turn_);
  progress_.routes().run(turn_.now());
  for (const Said& said : std::exchange(inbox_, {})) {
    take(said);
    if (turn_.failed()) break;
  }
  if (!turn_.failed() && work) work(turn_);
  if (!turn_.failed()) halts_.step(turn_);
  if (!turn_.failed()) dispatcher_.run(turn_);
  more_ = more_ || dispatcher_.more() || halts_.busy();
  if (cut == Cut::before_commit) return false;
  const Status committed = turn_.commit();
  intake_.turn_over(committed.has_value());
  progress_.turn_over();
  if (!committed) {
    why_ = committed.what();
    turn_.abandon();
    dispatcher_.forget();
    for (auto& [id, peer] : peers_) {
      peer.out.Clear();
      if (peer.left) inbox_.push_back({id, Said::What::left, {}});
    }
    return false;
  }
  log_.take();
  return cut == Cut::none;
}

}  // namespace postern::rehearsal
