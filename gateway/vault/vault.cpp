// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/vault.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "gateway/store/embedded.hpp"
#include "gateway/store/rows.hpp"

namespace postern::vault {
namespace {

constexpr std::size_t kTimersPerTurn = 1000, kMaxUnpublished = 100'000, kLeavesAtOnce = 4096, kRowsAtOnce = 1000;
constexpr std::int64_t kClockSlackUs = 1'000'000;

// What the store says of itself, before the commit that holds the leaf.
void add_state(const store::State& state, audit::Body& body) {
  Bytes sum;
  store::encode(state.sum, sum);
  body.emplace_back(audit::Field::count, std::to_string(state.generation));
  body.emplace_back(audit::Field::object, to_hex(sum));
}

Status put_anchor(const std::string& path, ByteView sealed) {
  const Status saved = save_anchor(path, sealed);
  return saved ? saved : fail("anchor " + saved.what() + "; until it can be written a roll-back of what is new stays unnoticed");
}

}  // namespace

Clock Clock::system() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return {[] { return static_cast<std::int64_t>(duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count()); },
          [] { return static_cast<std::uint64_t>(duration_cast<microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count()); }};
}

Result<std::unique_ptr<Vault>> Vault::open(std::shared_ptr<const config::Config> config, const Keyring& ring, const std::string& folder,
                                           const Clock& clock, Opening opening, const Consent* consent) {
  Keys keys(ring);
  if (opening == Opening::existing && !std::filesystem::exists(folder + "/postern.db"))
    return fail("store " + folder + "/postern.db: is missing beside its keyring; restore it from a backup");
  Result<std::unique_ptr<store::Store>> store = store::open_embedded(folder + "/postern.db", keys.suite(), keys.store_key(), keys.sum_key());
  if (!store) return fail(store.what());
  const Result<Bytes> mark_bytes = (*store)->audit_mark();
  if (!mark_bytes) return fail(mark_bytes.what());
  audit::Log::Mark mark;
  if (!mark_bytes->empty()) {
    std::optional<audit::Log::Mark> found = audit::decode_mark(*mark_bytes);
    if (!found) return fail("store: the audit mark is damaged; restore the store from a backup");
    mark = std::move(*found);
  }
  const Result<std::vector<std::pair<std::uint16_t, std::string>>> names = (*store)->names();
  if (!names) return fail(names.what());
  const Result<MessageKey> newest = (*store)->newest_key();
  if (!newest) return fail(newest.what());
  const Result<std::uint64_t> waiting = (*store)->waiting();
  if (!waiting) return fail(waiting.what());
  const Result<std::uint64_t> parked = (*store)->parked_count();
  if (!parked) return fail(parked.what());

  const bool empty = mark.tree.size() == 0;
  const std::string ring_path = folder + "/ring";
  Result<Ring> persons_ring = empty ? Ring::create(keys, clock.wall_us() / 1000) : Ring::open(ring_path, keys);
  if (!persons_ring) return fail(persons_ring.what());

  std::unique_ptr<Vault> vault(new Vault(std::move(config), std::move(keys), ring.generation(), std::move(*store), std::move(*persons_ring), folder, clock,
                                         std::move(mark), Names(*names), *newest));
  vault->context_.metrics.waiting = *waiting;
  vault->progress_.begin_with(*parked);
  vault->recipients_.open();
  if (const Status halted = vault->halts_.open(); !halted) return fail(halted.what());
  vault->more_ = true;   // halts, and the count of doubts, may have pages to look at
  // Before anything is written.
  std::uint64_t generation = 0;
  const Result<std::string> put_back = vault->put_back(opening, generation);
  if (!put_back) return fail(put_back.what());
  const bool accepted = consent != nullptr && consent->findings == *put_back;
  if (!put_back->empty() && !accepted) return fail(std::string(store::kRolledBack) + *put_back);

  if (empty)
    if (const Status saved = vault->ring_.save(ring_path, vault->keys_); !saved) return fail(saved.what());
  if (const Status opened = vault->open_epochs(); !opened) return fail(opened.what());
  if (!put_back->empty())
    if (const Status aside = audit::set_aside_if_ahead(folder + "/audit", vault->identity().verifier, vault->log_.size(), vault->epochs_->number(), vault->now());
        !aside)
      return fail(aside.what());
  if (const Status opened = vault->open_tiles(); !opened) return fail(opened.what());
  if (std::filesystem::exists(folder + "/numbers.idx")) {
    Result<std::shared_ptr<const numbers::PortabilityIndex>> index = numbers::PortabilityIndex::open(folder + "/numbers.idx");
    if (!index) return fail(index.what());
    vault->context_.numbers = std::move(*index);
  }
  // The log begins with the first epoch's key.
  if (empty)
    if (const Status begun = vault->turn([&](Turn& t) { t.open_leaf(EventType::initialised, vault->epochs_->first_body()); }); !begun) return fail(begun.what());
  if (!put_back->empty())
    if (const Status gone_on = vault->go_on_from(*consent, generation); !gone_on) return fail(gone_on.what());
  return vault;
}

Status Vault::open_epochs() {
  const std::string path = folder_ + "/epoch", &origin = context_.config->audit_origin;
  Result<audit::Epochs> epochs = log_.size() == 0 ? audit::Epochs::begin(path, origin, keys_, clock_.wall_us()) : audit::Epochs::open(path, origin, keys_, log_.mark().epoch);
  if (!epochs) return fail(epochs.what());
  epochs_ = std::make_unique<audit::Epochs>(std::move(*epochs));
  return {};
}

Status Vault::open_tiles() {
  Result<audit::Tiles> tiles = audit::Tiles::open(folder_ + "/audit", identity().verifier, log_.size(),
                                                  [this](std::uint64_t from, std::size_t count) { return store_->leaves(from, count); });
  if (!tiles) return fail(tiles.what());
  if (tiles->root() != log_.mark().tree.root())
    return fail("audit log: its files and the store tell different histories; one of them was replaced: restore both from the same backup");
  if (!tiles->mended().empty())
    log::warning("audit.mended", "{} finished file(s) of the audit log were missing and were made again from the store, the first {}; find out who removed them",
                 tiles->mended().size(), tiles->mended().front());
  tiles_ = std::make_unique<audit::Tiles>(std::move(*tiles));
  published_ = tiles_->published();
  verifier_keys_ = tiles_->verifier_keys();
  return {};
}

// What says that an older or altered state was put here. `generation` becomes what the anchor knows of.
Result<std::string> Vault::put_back(Opening opening, std::uint64_t& generation) {
  if (opening == Opening::fresh) return std::string();
  std::string findings;
  const std::string& path = context_.config->anchor;
  const Result<std::optional<Anchor>> anchor = load_anchor(path, keys_);
  if (!anchor) {
    findings = anchor.what();
  } else if (!*anchor) {
    findings = "there is no anchor " + path + ", so nothing tells whether this state is the newest";
  } else {
    generation = (*anchor)->generation;
    const Result<std::uint64_t> published = audit::published_in(folder_ + "/audit", identity().verifier);
    if (!published) return fail(published.what());
    Result<std::string> older = behind(**anchor, {*store_, log_.mark(), *published, keyring_generation_, ring_.newest()});
    if (!older) return older;
    findings = std::move(*older);
  }
  if (store_->state().suspect) findings += std::string(findings.empty() ? "" : "; ") + "the store was found altered before, see leaf store-altered";
  return findings;
}

// The state is not the newest, and two persons know it. What may have been sent since is treated so before anything moves.
Status Vault::go_on_from(const Consent& consent, std::uint64_t generation) {
  std::optional<store::StateSum> sum;
  if (store_->state().suspect) {
    for (Result<store::Store::Recount> counted; !sum;) {
      counted = store_->recount(kRowsAtOnce);
      if (!counted) return fail(counted.what() + "; restore the store from a backup");
      if (counted->done) sum = counted->sum;
    }
  }
  MessageKey after = 0;
  for (std::size_t rows = kRowsAtOnce; rows == kRowsAtOnce;) {
    const Status swept = turn([&](Turn& turn) {
      const Result<std::vector<store::FlightRow>> page = store_->scan(after, kRowsAtOnce);
      if (!page) return turn.fail_with(page.what());
      rows = page->size();
      for (const store::FlightRow& row : *page) {
        after = row.key;
        Flight* flight = row.wake_ms == 0 ? nullptr : turn.take(row);
        if (flight != nullptr) turn.advance(*flight, engine::PutBack{});
      }
    });
    if (!swept) return swept;
  }
  const Status told = turn([&](Turn& turn) {
    turn.leaf(EventType::rollback_accepted, {{audit::Field::actor, consent.actors}, {audit::Field::text, consent.findings}});
    turn.batch().generation_above = generation;
    if (sum) {
      turn.batch().sum_before = sum;
      turn.batch().suspect = false;
    }
  });
  if (!told) return told;
  log::warning("rollback.accepted", "by {}: {}", consent.actors, consent.findings);
  return publish();
}

Vault::Vault(std::shared_ptr<const config::Config> config, Keys keys, std::uint64_t keyring_generation, std::unique_ptr<store::Store> store, Ring ring, std::string folder,
             Clock clock, audit::Log::Mark mark, Names names, MessageKey newest)
    : keys_(std::move(keys)),
      keyring_generation_(keyring_generation),
      store_(std::move(store)),
      ring_(std::move(ring)),
      persons_(*store_, keys_, ring_),
      sightings_(*store_),
      recipients_(*store_, keys_, persons_),
      halts_(*store_),
      folder_(std::move(folder)),
      clock_(std::move(clock)),
      log_(keys_, std::move(mark)),
      context_{std::move(config), nullptr, *store_, keys_, log_, persons_, sightings_, recipients_, halts_, std::move(names), KeySource(newest), {}, {}, true},
      dispatcher_(context_, peers_),
      gate_(context_),
      turn_(context_, dispatcher_, [this](const Flight& flight, const Step& step) { return progress_.route(turn_, flight, step); },
            [this](const Flight& flight, const Step& step) { return gate_.ask(turn_, flight, step); }),
      intake_(context_),
      progress_(context_, dispatcher_),
      queries_(context_, intake_, progress_, dispatcher_, peers_),
      ring_keeper_(context_, ring_, folder_ + "/ring"),
      upkeep_(context_) {}

Vault::~Vault() = default;

PeerId Vault::join(const std::string& name, const wire::Hello& hello, std::uint64_t frame) {
  Peer peer;
  peer.id = ++last_peer_;
  peer.name = name;
  peer.instance = hello.instance();
  peer.window = hello.window();
  peer.wants_events = hello.wants_events();
  peer.software = cut_utf8(hello.software(), 64);
  peers_.emplace(peer.id, std::move(peer));
  wire::ToVault hello_frame;
  hello_frame.set_frame(frame);
  inbox_.push_back({last_peer_, Said::What::joined, std::move(hello_frame)});
  return last_peer_;
}

void Vault::leave(PeerId id) {
  const auto peer = peers_.find(id);
  if (peer == peers_.end() || std::exchange(peer->second.left, true)) return;
  queries_.forget(id);
  if (peer->second.connector != 0) dispatcher_.disconnected(peer->second);
  inbox_.push_back({id, Said::What::left, {}});
}

void Vault::frame(PeerId peer, wire::ToVault&& frame) {
  inbox_.push_back({peer, Said::What::frame, {}});
  inbox_.back().frame.Swap(&frame);
}

void Vault::welcome(Peer& peer) {
  peer.connector = turn_.number_of_connector(peer.name);
  if (const auto configured = context_.config->connectors.find(peer.name);
      configured != context_.config->connectors.end() && !configured->second.client.empty())
    peer.client = turn_.number_of_client(configured->second.client);
  wire::Welcome& welcome = *peer.out.mutable_welcome();
  welcome.set_version(1);
  welcome.set_submit_window(context_.config->submit_window);
  turn_.leaf(EventType::connector_up, {{audit::Field::text, peer.software}}, nullptr, 0, peer.connector);
  dispatcher_.connected(turn_, peer);
  if (!peer.wants_events) return;
  Result<std::uint64_t> cursor = store_->cursor(peer.connector);
  if (!cursor) return turn_.fail_with(cursor.what());
  peer.events_sent = *cursor;
  peer.lagging = true;
}

void Vault::take(const Said& said) {
  const auto found = peers_.find(said.peer);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  if (said.what == Said::What::left) {
    if (peer.connector != 0) turn_.leaf(EventType::connector_down, {}, nullptr, 0, peer.connector);
    peers_.erase(found);
    return;
  }
  const wire::ToVault& frame = said.frame;
  if (said.what == Said::What::joined && !peer.left) welcome(peer);
  if (peer.connector == 0) return;  // it left before its hello was taken
  if (frame.has_health()) {
    peer.up = frame.health().up();
    peer.detail = cut_utf8(frame.health().detail(), 128);
    peer.window = frame.health().window();
  }
  // Facts first: a result in the same frame frees windows and settles states before anything is asked.
  for (const wire::Result& result : frame.result()) progress_.result(turn_, peer, result);
  for (const wire::Receipt& receipt : frame.receipt()) progress_.receipt(turn_, peer, receipt);
  for (const wire::Reply& reply : frame.reply()) progress_.reply(turn_, peer, reply);
  for (const wire::Observation& observation : frame.observation()) progress_.observation(turn_, peer, observation);
  if (frame.event_cursor() != 0 && peer.wants_events) {
    turn_.batch().cursors.emplace_back(peer.connector, frame.event_cursor());
    while (!peer.event_pages.empty() && peer.event_pages.front() <= frame.event_cursor()) peer.event_pages.pop_front();
  }
  // Nobody is there to hear a verdict or an answer.
  if (peer.left) return;
  for (const wire::Submit& submit : frame.submit()) intake_.submit(turn_, peer, submit);
  for (const wire::Query& query : frame.query()) queries_.query(turn_, peer, query);
  peer.out.set_committed(frame.frame());
}

Status Vault::turn() {
  if (const Status kept = ring_keeper_.keep(now()); !kept) log::error("ring.not-renewed", "{}", kept.what());
  return turn([this](Turn&) {
    context_.doubts.step(turn_, context_);
    more_ = progress_.timers(turn_, kTimersPerTurn);
    intake_.prefixes().run(turn_);
    progress_.routes().run(turn_.now());
    for (const auto& [user, why] : std::exchange(refused_, {}))
      turn_.leaf(EventType::connector_refused, {{audit::Field::actor, user}, {audit::Field::reason, why}});
    for (const Said& said : std::exchange(inbox_, {})) {
      take(said);
      if (turn_.failed()) return;
    }
    halts_.step(turn_);
    dispatcher_.run(turn_);
    ring_keeper_.step(turn_);
    more_ = more_ || dispatcher_.more() || ring_keeper_.busy() || halts_.busy() || context_.doubts.busy();
  });
}

Status Vault::turn(const std::function<void(Turn&)>& work) {
  const std::int64_t utc_us = clock_.wall_us();
  if (const Status closed = close_epochs(utc_us); !closed) return closed;
  return turn_at(utc_us, [&](Turn& turn) {
    // Leaves keep the later time until the clock has caught up with them.
    const bool back = utc_us + kClockSlackUs < log_.mark().utc_us;
    if (back && !clock_went_back_)
      turn.leaf(EventType::clock_jumped, {{audit::Field::text, "back by " + std::to_string((log_.mark().utc_us - utc_us) / 1'000'000) + " s"}});
    clock_went_back_ = back;
    work(turn);
  });
}

Status Vault::turn_at(std::int64_t utc_us, const std::function<void(Turn&)>& work) {
  turn_.open(utc_us / 1000, utc_us, clock_.steady_us());
  work(turn_);
  return finish_turn();
}

// Before anything else happens in it, an epoch is closed whose time is over: no leaf may stand in the wrong one.
Status Vault::close_epochs(std::int64_t utc_us) {
  const std::int64_t now_us = std::max(utc_us, log_.mark().utc_us);
  while (epochs_->closing() || epochs_->over(now_us)) {
    if (!epochs_->closing()) {
      if (const Status prepared = epochs_->prepare(now_us); !prepared) return prepared;
      audit::Body body = epochs_->next_body();
      add_state(store_->state(), body);
      const Status told = turn_at(now_us, [&body](Turn& turn) { turn.open_leaf(EventType::epoch_begun, body); });
      if (!told) return told;
      epochs_->committed();
    }
    if (const Status before = published_beside(); !before) log::warning("audit.publish-failed", "{}", before.what());
    if (const Status filled = fill_tiles(); !filled) return filled;
    if (const Status signed_off = tiles_->publish_last_of(epochs_->number(), signers()); !signed_off) return signed_off;
    published_ = tiles_->published();
    if (const Status closed = epochs_->close(); !closed) return closed;
  }
  return {};
}

Signer Vault::identity() const {
  return {{context_.config->audit_origin, keys_.suite().key_type(), keys_.log_public_key()}, [this](std::string_view text) { return keys_.sign(text); }};
}

Result<std::uint64_t> Vault::erase(std::uint64_t person, const std::string& actor) {
  Result<std::uint64_t> leaf = fail("not begun");
  const Status done = turn([&](Turn& t) { leaf = ring_keeper_.erase(t, person, actor); });
  if (!done) return fail(done.what());
  more_ = more_ || ring_keeper_.busy();
  return leaf;
}

std::optional<std::uint16_t> Vault::number_of(Halt::Kind kind, const std::string& name) const { return vault::number_of(context_, kind, name); }

Result<std::size_t> Vault::halt(Halt halt) {
  std::size_t called_back = 0;
  const Status done = turn([&](Turn& t) { called_back = halts_.begin(t, dispatcher_, std::move(halt)); });
  if (!done) return fail(done.what());
  return called_back;
}

Status Vault::resume(Halt::Kind kind, std::uint16_t number, const std::string& actor) {
  if (halts_.find(kind, number) == nullptr) return {};
  const Status done = turn([&](Turn& t) { halts_.end(t, kind, number, actor); });
  more_ = more_ || halts_.busy();
  return done;
}

std::optional<std::string> Vault::erasure_certificate(std::uint64_t person, std::uint64_t erased_leaf) const {
  const std::optional<std::uint64_t> last = ring_keeper_.made_final(erased_leaf);
  if (!last) return std::nullopt;
  return signed_note(fmt::format("postern deletion certificate\nlog {}\nperson {:016x}\nkey destroyed by leaf {}\nwrapping key destroyed by leaf {}\n",
                                 context_.config->audit_origin, person, erased_leaf, *last));
}

Status Vault::finish_turn() {
  std::vector<News> news = turn_.take_news();
  const Status committed = turn_.commit();
  const Status kept = ring_keeper_.turn_over(committed.has_value());
  if (!kept) log::error("ring.not-written", "{}", kept.what());
  intake_.turn_over(committed.has_value());
  progress_.turn_over();
  if (!committed) {
    turn_.abandon();
    dispatcher_.forget();
    for (auto& [id, peer] : peers_) {
      wire::ToConnector().Swap(&peer.out);  // not Clear(), which keeps the old bytes for reuse
      // Its farewell was lost with the turn.
      if (peer.left) inbox_.push_back({id, Said::What::left, {}});
    }
    return committed;
  }
  // Should the tiles lag far behind (a full disk), the store gives them the leaves again.
  if (unpublished_.size() + log_.fresh().size() > kMaxUnpublished) unpublished_.clear();
  else for (const audit::Entry& entry : log_.fresh()) unpublished_.add(entry);
  log_.committed();
  queries_.tell(turn_, std::move(news));
  for (const auto& [id, peer] : peers_) more_ = more_ || queries_.may_push(peer);
  if (turn_.failed()) {
    turn_.forget();
    return fail("the store could not be read while telling events");
  }
  return {};
}

TimeMs Vault::next_wake() {
  const Result<std::optional<TimeMs>> due = store_->next_due();
  TimeMs wake = due && *due ? **due : 0;
  for (const TimeMs other : {queries_.next_timeout(), intake_.prefixes().next_wake()})
    if (other != 0) wake = wake == 0 ? other : std::min(wake, other);
  return wake;
}

Status Vault::publish() {
  (void)published_beside();   // whatever it has come to, all of it is published here
  if (const Status filled = fill_tiles(); !filled) return filled;
  if (const Status published = tiles_->publish(signers()); !published) return published;
  published_ = tiles_->published();
  verifier_keys_ = tiles_->verifier_keys();
  Anchor now = anchor(published_);
  if (anchored_ == now) return {};
  const Status saved = put_anchor(context_.config->anchor, sealed(keys_, now));
  if (saved) anchored_ = std::move(now);
  return saved;
}

Status Vault::publish_beside() {
  if (publishing_.valid() && publishing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return {};
  const Status before = published_beside();
  const bool follows = tiles_->size() == log_.size() || (!unpublished_.empty() && unpublished_.first() == tiles_->size());
  Anchor now = anchor(log_.size());
  if (anchored_ == now) return before;
  if (!follows || !tiles_->ready_alone()) return before ? publish() : before;
  // Everything that needs the keys is made here.
  std::swap(under_way_, unpublished_);
  publishing_ = std::async(std::launch::async, [tiles = tiles_.get(), &leaves = std::as_const(under_way_), anchor_path = context_.config->anchor,
                                                checkpoint = tiles_->checkpoint(log_.size(), log_.mark().tree.root(), signers()), anchor_bytes = sealed(keys_, now)] {
    const Status published = tiles->publish_with(leaves, checkpoint);
    return published ? put_anchor(anchor_path, anchor_bytes) : published;
  });
  publishing_to_ = std::move(now);
  return before;
}

Status Vault::published_beside() {
  if (!publishing_.valid()) return {};
  Status done = publishing_.get();
  under_way_.clear();
  published_ = tiles_->published();
  if (done) anchored_ = std::move(publishing_to_);
  publishing_to_.reset();
  return done;
}

Anchor Vault::anchor(std::uint64_t published) const {
  return {store_->state().generation, audit::encode(log_.mark()), published, keyring_generation_, ring_.newest()};
}

// Gives the tiles every leaf that is committed.
Status Vault::fill_tiles() {
  while (tiles_->size() < log_.size() && (unpublished_.empty() || unpublished_.first() != tiles_->size())) {
    unpublished_.clear();
    const Result<std::vector<Bytes>> leaves = store_->leaves(tiles_->size(), kLeavesAtOnce);
    if (!leaves) return fail(leaves.what());
    if (leaves->empty()) return fail("audit log: leaf " + std::to_string(tiles_->size()) + " is missing in the store");
    std::vector<audit::Entry> entries;
    for (const Bytes& leaf : *leaves) entries.push_back({tiles_->size() + entries.size(), leaf, leaf_hash(leaf)});
    if (const Status added = tiles_->append(entries); !added) return added;
  }
  if (const Status added = tiles_->append(unpublished_); !added) return added;
  unpublished_.clear();
  return {};
}

bool Vault::ended_badly() {
  if (log_.size() == 0) return false;
  const Result<std::vector<Bytes>> last = store_->leaves(log_.size() - 1, 1);
  if (!last || last->empty()) return true;
  const std::optional<audit::Leaf> leaf = audit::decode_leaf(last->front());
  return !leaf || (leaf->type != EventType::stopped && leaf->type != EventType::locked);
}

audit::Body loaded_body(const config::Config& config) {
  audit::Body body{{audit::Field::object, config.sha256}};
  if (!config.policy_source.sha256.empty()) body.emplace_back(audit::Field::text, "policy " + config.policy_source.sha256.substr(0, 16));
  return body;
}

Status Vault::reload(std::shared_ptr<const config::Config> config) {
  std::swap(context_.config, config);
  const Status told = turn([&](Turn& t) {
    t.leaf(EventType::config_loaded, loaded_body(*context_.config));
    halts_.look_again(t.batch());
  });
  more_ = more_ || halts_.busy();
  if (!told) std::swap(context_.config, config);
  return told;
}

Status Vault::load_numbers(const std::string& path, const std::string& actor) {
  Result<std::shared_ptr<const numbers::PortabilityIndex>> index = numbers::PortabilityIndex::open(path);
  if (!index) return fail(index.what());
  const std::string final_path = folder_ + "/numbers.idx";
  const Status told = turn([&](Turn& t) {
    t.leaf(EventType::numbers_imported, {{audit::Field::actor, actor}, {audit::Field::object, (*index)->facts().sha256},
                                         {audit::Field::count, std::to_string((*index)->facts().ported)}});
  });
  if (!told) return told;
  std::error_code error;
  std::filesystem::rename(path, final_path, error);
  if (error) return fail("portability index could not be put in place: " + error.message());
  context_.numbers = std::move(*index);
  return {};
}

}  // namespace postern::vault
