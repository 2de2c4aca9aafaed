// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/memory.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "gateway/store/rows.hpp"

namespace postern::store {
namespace {

// What else finds the rows of a table: told of each that enters it or leaves it.
struct NoIndex {
  template <class Entry>
  void enter(const Entry&) {}
  template <class Entry>
  void leave(const Entry&) {}
};

// One table: its rows by their key, and each as the state sum sees it. `row` is null where the sum leaves the table out.
template <class Key, class Value, class Index = NoIndex>
struct Rows {
  using Entry = std::pair<const Key, Value>;
  using Place = typename std::map<Key, Value>::iterator;
  std::map<Key, Value> map;
  Row (*row)(const Entry&) = nullptr;
  Index index{};

  std::pair<Place, bool> put(const Key& key, Value value) {
    const auto [at, fresh] = map.emplace(key, std::move(value));
    if (fresh) index.enter(*at);
    return {at, fresh};
  }
  // Gives what stood there.
  Value replace(Place at, Value value) {
    index.leave(*at);
    Value old = std::exchange(at->second, std::move(value));
    index.enter(*at);
    return old;
  }
  Value take(Place at) {
    index.leave(*at);
    Value old = std::move(at->second);
    map.erase(at);
    return old;
  }
};

using TextKey = std::pair<std::int64_t, std::string>;
struct Nothing {};

// The flights by the time at which they are looked at, and by their place in a queue.
struct FlightIndex {
  std::set<std::pair<TimeMs, MessageKey>> due;
  std::set<std::pair<std::int64_t, MessageKey>> queued;

  template <class Entry>
  void enter(const Entry& e) {
    if (e.second.wake_ms != 0) due.emplace(e.second.wake_ms, e.first);
    if (e.second.queue.connector != 0) queued.emplace(word_of(e.second.queue, e.second.lane), e.first);
  }
  template <class Entry>
  void leave(const Entry& e) {
    due.erase({e.second.wake_ms, e.first});
    queued.erase({word_of(e.second.queue, e.second.lane), e.first});
  }
};

std::string text_of(const std::array<std::uint8_t, 16>& hash) { return {hash.begin(), hash.end()}; }

}  // namespace

// A new table is a member here with its row, a line in each(), and its lines in write() and the readers.
struct MemoryTables {
  Rows<MessageKey, FlightRow, FlightIndex> flights{{}, [](const auto& e) { return row_of(e.second); }};
  Rows<MessageKey, Bytes> contents{{}, [](const auto& e) { return Row{Table::content, e.first, 0, {}, {}, {}, e.second}; }};
  Rows<MessageKey, Bytes> content_keys{{}, [](const auto& e) { return Row{Table::content_key, e.first, 0, {}, {}, {}, e.second}; }};
  Rows<std::int64_t, Bytes> persons{{}, [](const auto& e) { return Row{Table::person, e.first, 0, {}, {}, {}, e.second}; }};
  Rows<std::uint64_t, Bytes> branches{{}, [](const auto& e) { return Row{Table::branch, static_cast<std::int64_t>(e.first), 0, {}, {}, {}, e.second}; }};
  Rows<std::pair<std::int64_t, MessageKey>, Batch::Place> places{{}, [](const auto& e) { return place_row(e.second); }};
  Rows<std::pair<std::int64_t, MessageKey>, Batch::Journey> journeys{{}, [](const auto& e) { return journey_row(e.second); }};
  Rows<std::pair<std::int64_t, MessageKey>, SightingRow> sightings{{}, [](const auto& e) { return row_of(e.second); }};
  Rows<std::int64_t, Bytes> recipients{{}, [](const auto& e) { return Row{Table::recipient, e.first, 0, {}, {}, {}, e.second}; }};
  Rows<Kept, Bytes> kept{{}, [](const auto& e) { return kept_row(e.first, e.second); }};
  Rows<TextKey, IdempotencyRow> idempotency{{}, [](const auto& e) { return row_of(e.second); }};
  Rows<TextKey, ProviderRow> providers{{}, [](const auto& e) { return row_of(e.second); }};
  Rows<std::int64_t, ParkedRow> parked{{}, [](const auto& e) { return row_of(e.first, e.second); }};
  Rows<std::uint64_t, Bytes> leaves;
  Rows<std::pair<ClientId, std::uint64_t>, Nothing> events{{}, [](const auto& e) { return event_row(e.first.first, e.first.second); }};
  Rows<ConnectorId, std::uint64_t> cursors{{}, [](const auto& e) { return cursor_row(e.first, e.second); }};
  Rows<std::int64_t, MessageKey> conversations{{}, [](const auto& e) { return conversation_row(static_cast<std::uint64_t>(e.first), e.second); }};
  Rows<std::uint16_t, std::string> names{{}, [](const auto& e) { return name_row(e.first, e.second); }};
  Bytes audit_mark;
  State state;
  std::uint64_t left_over = 0;   // bytes of deleted rows that were not given back

  // Every table in the sum.
  template <class Do>
  void each(const Do& what) {
    what(flights), what(contents), what(content_keys), what(persons), what(places), what(journeys), what(sightings), what(recipients), what(kept), what(idempotency), what(providers), what(parked), what(events), what(cursors),
        what(conversations), what(names), what(branches);
  }
};

Disk::Disk() : tables_(std::make_unique<MemoryTables>()) {}
Disk::~Disk() = default;
Disk::Disk(const Disk& other) : tables_(std::make_unique<MemoryTables>(*other.tables_)) {}

namespace {

std::uint64_t size_of(const Row& row) { return 1 + 6 * 8 + row.tail.size() + row.text.size() + row.data.size(); }

// Changes rows, adds up what that does to the sum, and can take all of it back.
class Change {
 public:
  explicit Change(const Secret& key) : key_(key) {}
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  // A row that must be new.
  template <class Key, class Value, class Index>
  Status add(Rows<Key, Value, Index>& table, const Key& key, std::type_identity_t<Value> value) {
    const auto [at, fresh] = table.put(key, std::move(value));
    if (!fresh) return fail("a row is there already");
    undo_.push_back([&table, key] { table.take(table.map.find(key)); });
    if (table.row != nullptr) sum_ += value_of(key_, table.row(*at));
    return {};
  }
  // A row that takes the place of an older one of its key.
  template <class Key, class Value, class Index>
  Status set(Rows<Key, Value, Index>& table, const Key& key, std::type_identity_t<Value> value) {
    const auto at = table.map.find(key);
    if (at == table.map.end()) return add(table, key, std::move(value));
    sum_ -= value_of(key_, table.row(*at));
    undo_.push_back([&table, key, old = table.replace(at, std::move(value))] { table.replace(table.map.find(key), old); });
    sum_ += value_of(key_, table.row(*at));
    return {};
  }
  // True when there was one.
  template <class Key, class Value, class Index>
  bool remove(Rows<Key, Value, Index>& table, const Key& key) {
    const auto at = table.map.find(key);
    if (at == table.map.end()) return false;
    const Row row = table.row(*at);
    sum_ -= value_of(key_, row);
    freed_ += size_of(row);
    undo_.push_back([&table, key, old = table.take(at)] { table.put(key, old); });
    return true;
  }

  void take_back() {
    while (!undo_.empty()) {
      undo_.back()();
      undo_.pop_back();
    }
  }
  const StateSum& sum() const { return sum_; }
  std::uint64_t freed() const { return freed_; }

 private:
  const Secret& key_;
  StateSum sum_;
  std::uint64_t freed_ = 0;
  std::vector<std::function<void()>> undo_;
};

class Memory final : public Store {
 public:
  Memory(std::shared_ptr<Disk> disk, const Secret& sum_key) : disk_(std::move(disk)), t_(disk_->tables()), sum_key_(sum_key.clone()) {}

  Status commit(const Batch& b) override {
    if (broken_) return fail(kBroken);
    const DiskFault fault = disk_->take_fault();
    full_ = fault == DiskFault::full;
    if (full_) return fail("the disk is full; free space: nothing is accepted until then");
    Change change(sum_key_);
    if (const Status written = write(b, change); !written) {
      change.take_back();
      return fail("the store could not write: " + written.what());
    }
    broken_ = fault != DiskFault::none;
    if (fault == DiskFault::unsynced_lost) change.take_back();
    else settle(b, change);
    return broken_ ? Status(fail(kBroken)) : Status();
  }

  Status fold() override {
    if (broken_) return fail(kBroken);
    return snapshot_taken_ ? Status(fail("the store's journal cannot be folded while a backup is being made")) : Status();
  }
  bool usable() const override { return !broken_; }
  bool full() const override { return full_; }
  State state() const override { return t_.state; }

  Result<std::optional<FlightRow>> load(MessageKey key) override { return one(t_.flights, key); }
  Result<std::optional<Bytes>> content(MessageKey key) override { return one(t_.contents, key); }
  Result<std::optional<Bytes>> content_key(MessageKey key) override { return one(t_.content_keys, key); }
  Result<std::optional<Bytes>> person(std::uint64_t person) override { return one(t_.persons, static_cast<std::int64_t>(person)); }
  Result<std::optional<IdempotencyRow>> idempotency(ClientId client, const std::array<std::uint8_t, 16>& hash) override {
    return one(t_.idempotency, TextKey(client, text_of(hash)));
  }
  Result<std::optional<ProviderRow>> provider(ConnectorId connector, const std::string& id) override { return one(t_.providers, TextKey(connector, id)); }
  Result<std::optional<MessageKey>> conversation(std::uint64_t pseudonym) override { return one(t_.conversations, static_cast<std::int64_t>(pseudonym)); }

  Result<std::optional<Bytes>> branch(std::uint64_t id) override { return one(t_.branches, id); }

  Result<std::vector<BranchRow>> branches(std::uint64_t after, std::size_t limit) override {
    std::vector<BranchRow> found;
    for (auto at = t_.branches.map.upper_bound(after); at != t_.branches.map.end() && found.size() < limit; ++at) found.push_back({at->first, at->second});
    return found;
  }

  Result<std::vector<PersonRow>> persons(std::optional<std::uint64_t> after, std::size_t limit) override {
    std::vector<PersonRow> found;
    auto at = after ? t_.persons.map.upper_bound(static_cast<std::int64_t>(*after)) : t_.persons.map.begin();
    for (; at != t_.persons.map.end() && found.size() < limit; ++at) found.push_back({static_cast<std::uint64_t>(at->first), at->second});
    return found;
  }

  Result<std::uint64_t> parked_count() override { return t_.parked.map.size(); }
  Result<std::vector<ParkedRow>> parked(ConnectorId connector, const std::string& id) override {
    std::vector<ParkedRow> found;
    for (const auto& [n, row] : t_.parked.map)
      if (row.connector == connector && row.id == id) found.push_back(row);
    return found;
  }

  Result<std::vector<FlightRow>> due(TimeMs now, std::size_t limit) override {
    std::vector<FlightRow> found;
    for (const auto& [wake, key] : t_.flights.index.due) {
      if (wake > now || found.size() == limit) break;
      found.push_back(t_.flights.map.at(key));
    }
    return found;
  }
  Result<std::optional<TimeMs>> next_due() override {
    const auto& due = t_.flights.index.due;
    return due.empty() ? std::nullopt : std::optional<TimeMs>(due.begin()->first);
  }
  Result<std::vector<MessageKey>> journeys(std::uint64_t person, std::size_t limit) override {
    std::vector<MessageKey> found;
    for (const auto& [key, row] : of_person(t_.journeys, person))
      if (found.size() < limit) found.push_back(row.key);
    return found;
  }
  Result<std::vector<SightingRow>> sightings(std::uint64_t person) override {
    std::vector<SightingRow> found;
    for (const auto& [key, row] : of_person(t_.sightings, person)) found.push_back(row);
    return found;
  }

  Result<std::optional<Bytes>> recipient(std::uint64_t person) override { return one(t_.recipients, static_cast<std::int64_t>(person)); }
  Result<bool> has_recipients() override { return !t_.recipients.map.empty(); }
  Result<std::optional<Bytes>> kept(Kept what) override { return one(t_.kept, what); }

  Result<std::vector<FlightRow>> queued(Queue queue, std::uint8_t lane, MessageKey after, std::size_t limit) override {
    const std::int64_t place = word_of(queue, lane);
    // By its row and by further places, both in the order of the keys.
    auto own = t_.flights.index.queued.upper_bound({place, after});
    auto further = t_.places.map.upper_bound({place, after});
    std::vector<FlightRow> found;
    while (found.size() < limit) {
      const bool has_own = own != t_.flights.index.queued.end() && own->first == place;
      const bool has_further = further != t_.places.map.end() && further->first.first == place;
      if (!has_own && !has_further) break;
      const bool takes_own = has_own && (!has_further || own->second <= further->first.second);
      const MessageKey key = takes_own ? own->second : further->first.second;
      if (has_further && further->first.second == key) ++further;
      if (takes_own) ++own;
      if (const auto at = t_.flights.map.find(key); at != t_.flights.map.end()) found.push_back(at->second);
    }
    return found;
  }

  Result<std::vector<Bytes>> leaves(std::uint64_t from, std::size_t count) override {
    std::vector<Bytes> found;
    for (auto at = t_.leaves.map.lower_bound(from); at != t_.leaves.map.end() && at->first - from < count; ++at) found.push_back(at->second);
    return found;
  }
  Result<Bytes> audit_mark() override { return t_.audit_mark; }
  Result<std::vector<std::uint64_t>> events(ClientId client, std::uint64_t after, std::size_t limit) override {
    std::vector<std::uint64_t> found;
    for (auto at = t_.events.map.upper_bound({client, after}); at != t_.events.map.end() && at->first.first == client && found.size() < limit; ++at)
      found.push_back(at->first.second);
    return found;
  }
  Result<std::uint64_t> cursor(ConnectorId connector) override {
    const auto at = t_.cursors.map.find(connector);
    return at == t_.cursors.map.end() ? 0 : at->second;
  }
  Result<std::vector<std::pair<std::uint16_t, std::string>>> names() override {
    return std::vector<std::pair<std::uint16_t, std::string>>(t_.names.map.begin(), t_.names.map.end());
  }
  Result<MessageKey> newest_key() override { return t_.flights.map.empty() ? 0 : t_.flights.map.rbegin()->first; }
  Result<std::uint64_t> waiting() override {
    return static_cast<std::uint64_t>(t_.flights.index.due.size());
  }

  Result<std::vector<FlightRow>> scan(MessageKey after, std::size_t limit) override {
    std::vector<FlightRow> found;
    for (auto at = t_.flights.map.upper_bound(after); at != t_.flights.map.end() && found.size() < limit; ++at) found.push_back(at->second);
    return found;
  }

  Result<Orphans> orphans(OrphanPlace& place, MessageKey before, std::size_t limit) override {
    Orphans found;
    const auto gone = [&](MessageKey message) { return message < before && !t_.flights.map.contains(message); };
    const TextKey from(place.number, as_text(place.tail));
    std::size_t seen = 0;
    // Walks on in one table; `place` says how far it came.
    const auto walk = [&](const auto& table, auto at, const auto& look) {
      for (; at != table.map.end() && seen < limit; ++at, ++seen) look(*at);
      return at == table.map.end();
    };
    const auto reached = [&place](const TextKey& key) {
      place.number = key.first;
      place.tail.assign(key.second.begin(), key.second.end());
    };
    bool over = false;
    if (place.table == 0) {
      over = walk(t_.idempotency, t_.idempotency.map.upper_bound(from), [&](const auto& e) {
        reached(e.first);
        if (gone(e.second.key)) found.idempotency.push_back({e.second.client, e.second.hash, e.second.key});
      });
    } else if (place.table == 1) {
      over = walk(t_.providers, t_.providers.map.upper_bound(from), [&](const auto& e) {
        reached(e.first);
        if (gone(e.second.key)) found.providers.push_back({e.second.connector, e.second.id, e.second.key});
      });
    } else {
      over = walk(t_.conversations, t_.conversations.map.upper_bound(place.number), [&](const auto& e) {
        place.number = e.first;
        if (gone(e.second)) found.conversations.push_back({static_cast<std::uint64_t>(e.first), e.second});
      });
    }
    if (over) place = {place.table + 1, INT64_MIN, {}, place.table == 2};
    return found;
  }

  // Memory does not change behind the store's back while the walk goes on, so all rows are added up at its end.
  Result<Recount> recount(std::size_t rows) override {
    std::uint64_t all = 0;
    t_.each([&all](const auto& table) { all += table.map.size(); });
    counted_ += rows;
    if (counted_ <= all) return Recount{false, counted_, {}};
    counted_ = 0;
    StateSum sum;
    t_.each([&](const auto& table) {
      for (const auto& entry : table.map) sum += value_of(sum_key_, table.row(entry));
    });
    return Recount{true, all, sum};
  }
  Result<MediaCheck> check_media(std::size_t) override { return MediaCheck{true, 0}; }

  Result<Compaction> compact(std::size_t bytes) override {
    if (broken_) return fail(kBroken);
    const std::uint64_t freed = std::min<std::uint64_t>(bytes, t_.left_over);
    if (freed == 0) return Compaction{};
    t_.left_over -= freed;
    ++t_.state.generation;
    return Compaction{freed, t_.left_over};
  }

  Result<std::unique_ptr<Snapshot>> snapshot() override {
    if (broken_) return fail(kBroken);
    if (snapshot_taken_) return fail("a backup is being made already");
    return std::unique_ptr<Snapshot>(new Copy(*this));
  }
  bool snapshot_taken() const override { return snapshot_taken_; }

 private:
  static constexpr const char* kBroken = "the store could not commit (failed sync); restart after mending the disk";

  // Every row as bytes, in the order of the tables. To go on from one, copy the disk.
  class Copy final : public Snapshot {
   public:
    explicit Copy(Memory& store) : store_(store) {
      ByteWriter out(bytes_);
      store.t_.each([&out](const auto& table) {
        for (const auto& entry : table.map) {
          const Row row = table.row(entry);
          out.u8(static_cast<std::uint8_t>(row.table));
          for (const std::int64_t number : {row.number, row.second, row.values[0], row.values[1], row.values[2]}) out.i64(number);
          for (const ByteView part : {row.tail, row.text, row.data}) out.view32(part);
        }
      });
      store_.snapshot_taken_ = true;
    }
    ~Copy() override { store_.snapshot_taken_ = false; }
    std::uint64_t size() const override { return bytes_.size(); }
    Status read(std::uint64_t offset, std::span<std::uint8_t> out) override {
      if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return fail("a backup reads beyond the store's end");
      std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
      return {};
    }

   private:
    Memory& store_;
    Bytes bytes_;
  };

  template <class Key, class Value, class Index>
  static std::optional<Value> one(const Rows<Key, Value, Index>& table, const Key& key) {
    const auto at = table.map.find(key);
    return at == table.map.end() ? std::nullopt : std::optional<Value>(at->second);
  }

  // The rows of a table by person and message that are this person's; a copy, so that they may be removed on the way.
  template <class Value>
  static std::vector<std::pair<std::pair<std::int64_t, MessageKey>, Value>> of_person(const Rows<std::pair<std::int64_t, MessageKey>, Value>& table,
                                                                                      std::uint64_t person) {
    const auto number = static_cast<std::int64_t>(person);
    return {table.map.lower_bound({number, INT64_MIN}), table.map.upper_bound({number, INT64_MAX})};
  }

  // In the order of the embedded store's writer.
  Status write(const Batch& b, Change& to) {
    Status ok;
    const auto each = [&ok](const auto& rows, const auto& write_row) {
      for (const auto& row : rows) {
        if (!ok) return;
        ok = write_row(row);
      }
    };
    const auto gone = [](bool) { return Status(); };
    each(b.names, [&](const auto& n) {
      const bool taken = std::ranges::any_of(t_.names.map, [&n](const auto& e) { return e.second == n.second; });
      return taken ? Status(fail("a name has two numbers")) : to.add(t_.names, n.first, n.second);
    });
    each(b.contents, [&](const auto& c) { return to.add(t_.contents, c.key, c.sealed); });
    each(b.content_keys, [&](const auto& c) { return to.add(t_.content_keys, c.key, c.sealed); });
    each(b.persons, [&](const auto& p) { return to.set(t_.persons, static_cast<std::int64_t>(p.person), p.wrapped); });
    each(b.branches, [&](const BranchRow& row) { return to.set(t_.branches, row.id, row.wrapped); });
    each(b.erased_persons, [&](std::uint64_t person) {
      for (const auto& [key, row] : of_person(t_.journeys, person)) to.remove(t_.journeys, key);
      for (const auto& [key, row] : of_person(t_.sightings, person)) to.remove(t_.sightings, key);
      to.remove(t_.recipients, static_cast<std::int64_t>(person));
      return gone(to.remove(t_.persons, static_cast<std::int64_t>(person)));
    });
    each(b.dropped_contents, [&](MessageKey key) { return gone(drop_content(key, to)); });
    each(b.inserts, [&](const FlightRow& row) { return to.add(t_.flights, row.key, row); });
    each(b.updates, [&](const FlightRow& row) {
      return t_.flights.map.contains(row.key) ? to.set(t_.flights, row.key, row) : Status(fail("a message that is to change is not there"));
    });
    each(b.dropped_places, [&](const Batch::Place& p) { return gone(to.remove(t_.places, {word_of(p.queue, p.lane), p.key})); });
    each(b.journeys, [&](const Batch::Journey& j) { return to.add(t_.journeys, {static_cast<std::int64_t>(j.person), j.key}, j); });
    each(b.dropped_journeys, [&](const Batch::Journey& j) { return gone(to.remove(t_.journeys, {static_cast<std::int64_t>(j.person), j.key})); });
    each(b.sightings, [&](const SightingRow& s) { return to.add(t_.sightings, {static_cast<std::int64_t>(s.person), s.key}, s); });
    each(b.dropped_sightings, [&](const SightingRow& s) { return gone(to.remove(t_.sightings, {static_cast<std::int64_t>(s.person), s.key})); });
    each(b.recipients, [&](const RecipientRow& row) { return to.set(t_.recipients, static_cast<std::int64_t>(row.person), row.sealed); });
    each(b.dropped_recipients, [&](std::uint64_t person) { return gone(to.remove(t_.recipients, static_cast<std::int64_t>(person))); });
    each(b.kept, [&](const auto& kept) { return to.set(t_.kept, kept.first, kept.second); });
    each(b.places, [&](const Batch::Place& p) { return to.add(t_.places, {word_of(p.queue, p.lane), p.key}, p); });
    each(b.idempotency, [&](const IdempotencyRow& row) { return to.add(t_.idempotency, TextKey(row.client, text_of(row.hash)), row); });
    each(b.providers, [&](const ProviderRow& row) { return to.set(t_.providers, TextKey(row.connector, row.id), row); });
    each(b.parked, [&](const ParkedRow& row) { return to.add(t_.parked, t_.parked.map.empty() ? 1 : t_.parked.map.rbegin()->first + 1, row); });
    each(b.unparked, [&](const auto& what) {
      return gone(drop_parked([&what](const ParkedRow& row) { return row.connector == what.first && row.id == what.second; }, to));
    });
    if (ok && b.drop_parked_before != 0) drop_parked([&b](const ParkedRow& row) { return row.at_ms < b.drop_parked_before; }, to);
    if (disk_->keeps_leaves()) each(b.leaves, [&](const Batch::LeafRow& row) { return to.add(t_.leaves, row.sequence, *row.data); });
    each(b.events, [&](const auto& e) { return to.add(t_.events, e, Nothing{}); });
    each(b.cursors, [&](const auto& c) { return to.set(t_.cursors, c.first, c.second); });
    each(b.conversations, [&](const auto& c) { return to.set(t_.conversations, static_cast<std::int64_t>(c.first), c.second); });
    if (ok) purge(b, to);
    return ok;
  }

  bool drop_content(MessageKey key, Change& to) {
    const bool had_key = to.remove(t_.content_keys, key);
    return to.remove(t_.contents, key) || had_key;
  }

  template <class Wanted>
  bool drop_parked(const Wanted& wanted, Change& to) {
    std::vector<std::int64_t> numbers;
    for (const auto& [n, row] : t_.parked.map)
      if (wanted(row)) numbers.push_back(n);
    for (const std::int64_t n : numbers) to.remove(t_.parked, n);
    return !numbers.empty();
  }

  void purge(const Batch& b, Change& to) {
    for (const MessageKey key : b.purged) {
      const auto at = t_.flights.map.find(key);
      if (at == t_.flights.map.end() || at->second.wake_ms != 0 || at->second.queue.connector != 0) continue;
      to.remove(t_.flights, key);
      drop_content(key, to);
    }
    for (const auto& event : b.purged_events) to.remove(t_.events, event);
    for (const Orphans::Idempotency& row : b.purged_orphans.idempotency) to.remove(t_.idempotency, TextKey(row.client, text_of(row.hash)));
    for (const Orphans::Provider& row : b.purged_orphans.providers) to.remove(t_.providers, TextKey(row.connector, row.id));
    for (const Orphans::Conversation& row : b.purged_orphans.conversations) to.remove(t_.conversations, static_cast<std::int64_t>(row.pseudonym));
  }

  void settle(const Batch& b, const Change& change) {
    t_.state.generation = std::max(t_.state.generation, b.generation_above) + 1;
    if (b.sum_before) t_.state.sum = *b.sum_before;
    t_.state.sum += change.sum();
    t_.state.suspect = b.suspect.value_or(t_.state.suspect);
    if (!b.audit_mark.empty()) t_.audit_mark = b.audit_mark;
    t_.left_over += change.freed();
    disk_->wrote(b);
  }

  std::shared_ptr<Disk> disk_;
  MemoryTables& t_;
  Secret sum_key_;
  std::uint64_t counted_ = 0;
  bool broken_ = false, full_ = false, snapshot_taken_ = false;
};

}  // namespace

std::unique_ptr<Store> open_memory(std::shared_ptr<Disk> disk, const Secret& sum_key) { return std::make_unique<Memory>(std::move(disk), sum_key); }

}  // namespace postern::store
