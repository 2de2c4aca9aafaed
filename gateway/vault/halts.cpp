// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/halts.hpp"

#include <algorithm>

#include "gateway/vault/dispatch.hpp"

namespace postern::vault {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kPage = 500;

}  // namespace

Bytes encode(const KeptHalts& kept) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(kVersion);
  out.u8(kept.looking ? 1 : 0);
  out.u8(static_cast<std::uint8_t>(kept.halts.size()));
  for (const Halt& halt : kept.halts) {
    out.u8(static_cast<std::uint8_t>(halt.kind));
    out.u16(halt.number);
    out.text8(halt.name);
    out.text8(halt.actor);
    out.text16(halt.reason);
    out.i64(halt.at_ms);
  }
  return bytes;
}

std::optional<KeptHalts> decode_kept_halts(ByteView bytes) {
  ByteReader in(bytes);
  KeptHalts kept;
  if (in.u8() != kVersion) return std::nullopt;
  const std::uint8_t marks = in.u8(), count = in.u8();
  if (marks > 1 || count > KeptHalts::kMost) return std::nullopt;
  kept.looking = marks == 1;
  for (std::uint8_t i = 0; i < count && in.ok(); ++i) {
    Halt& halt = kept.halts.emplace_back();
    halt.kind = static_cast<Halt::Kind>(in.u8());
    if (name_of(halt.kind) == "?") return std::nullopt;
    halt.number = in.u16();
    halt.name = in.text8();
    halt.actor = in.text8();
    halt.reason = in.text16();
    halt.at_ms = in.i64();
  }
  if (!in.finish()) return std::nullopt;
  return kept;
}

bool Halt::covers(const Flight& flight) const {
  switch (kind) {
    case Kind::template_: return flight.template_id == number;
    case Kind::category: return static_cast<std::uint16_t>(flight.category) == number;
    case Kind::client: return flight.client == number;
  }
  return false;
}

std::string_view name_of(Halt::Kind kind) {
  switch (kind) {
    case Halt::Kind::template_: return "template";
    case Halt::Kind::category: return "category";
    case Halt::Kind::client: return "client";
  }
  return "?";
}

std::optional<Halt::Kind> halt_kind_named(std::string_view name) {
  for (const Halt::Kind kind : {Halt::Kind::template_, Halt::Kind::category, Halt::Kind::client})
    if (name_of(kind) == name) return kind;
  return std::nullopt;
}

std::optional<std::uint16_t> number_of(const Context& context, Halt::Kind kind, const std::string& name) {
  switch (kind) {
    case Halt::Kind::category: {
      const std::optional<Category> category = category_named(name);
      return category ? std::optional(static_cast<std::uint16_t>(*category)) : std::nullopt;
    }
    case Halt::Kind::template_: return context.names.find("template:" + name);
    case Halt::Kind::client: return context.names.find("client:" + name);
  }
  return std::nullopt;
}

std::string Halt::words() const { return std::string(name_of(kind)) + " " + name; }

Status Halts::open() {
  const Result<std::optional<Bytes>> kept = store_.kept(store::Kept::halts);
  if (!kept) return fail(kept.what());
  if (!*kept) return {};
  std::optional<KeptHalts> decoded = decode_kept_halts(**kept);
  if (!decoded) return fail("what was halted cannot be read; restore the store from a backup");
  now_ = durable_ = std::move(*decoded);
  return {};
}

const Halt* Halts::find(Halt::Kind kind, std::uint16_t number) const {
  const auto found = std::ranges::find_if(now_.halts, [&](const Halt& h) { return h.kind == kind && h.number == number; });
  return found == now_.halts.end() ? nullptr : &*found;
}

const Halt* Halts::covering(const Flight& flight) const {
  const auto found = std::ranges::find_if(now_.halts, [&](const Halt& h) { return h.covers(flight); });
  return found == now_.halts.end() ? nullptr : &*found;
}

std::size_t Halts::begin(Turn& turn, Dispatcher& dispatcher, Halt halt) {
  turn.leaf(EventType::halted, {{audit::Field::actor, halt.actor}, {audit::Field::object, halt.words()}, {audit::Field::text, halt.reason}});
  const std::size_t called_back = dispatcher.call_back_all(turn, [&halt](const Flight& flight) { return halt.covers(flight); });
  now_.halts.push_back(std::move(halt));
  keep(turn.batch());
  return called_back;
}

void Halts::end(Turn& turn, Halt::Kind kind, std::uint16_t number, const std::string& actor) {
  const Halt* halt = find(kind, number);
  if (halt == nullptr) return;
  turn.leaf(EventType::resumed, {{audit::Field::actor, actor}, {audit::Field::object, halt->words()}});
  std::erase_if(now_.halts, [&](const Halt& h) { return h.kind == kind && h.number == number; });
  look_again(turn.batch());
}

void Halts::look_again(store::Batch& batch) {
  now_.looking = true;
  next_ = 0;
  keep(batch);
}

void Halts::keep(store::Batch& batch) {
  batch.kept.emplace_back(store::Kept::halts, encode(now_));
  changed_ = true;
}

void Halts::step(Turn& turn) {
  if (!now_.looking) return;
  const Result<std::vector<store::FlightRow>> rows = store_.scan(next_, kPage);
  if (!rows) return turn.fail_with(rows.what());
  for (const store::FlightRow& row : *rows) {
    next_ = row.key;
    if (row.wake_ms == 0) continue;   // ended
    Flight* flight = turn.take(row);
    if (flight == nullptr) return;
    if (std::ranges::any_of(flight->plan, &Step::held)) turn.advance(*flight, engine::Resume{});
  }
  if (rows->size() == kPage) return;
  now_.looking = false;
  keep(turn.batch());
}

void Halts::turn_over(bool committed) {
  const bool changed = std::exchange(changed_, false);
  if (committed) {
    after_ = next_;
    if (changed) durable_ = now_;
  } else {
    next_ = after_;
    if (changed) now_ = durable_;
  }
}

}  // namespace postern::vault
