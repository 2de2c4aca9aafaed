// SPDX-License-Identifier: Apache-2.0
#include "gateway/control/reports.hpp"

#include <algorithm>

namespace postern::reports {
namespace {

constexpr std::size_t kScanned = 5000, kMaxLines = 1000;
constexpr int kMaxRows = 500;

std::string_view label(audit::Field field) {
  switch (field) {
    case audit::Field::reason: return "reason";
    case audit::Field::provider_id: return "id";
    case audit::Field::actor: return "by";
    case audit::Field::object: return "object";
    case audit::Field::text: return "text";
    case audit::Field::recipient: return "recipient";
    case audit::Field::count: return "count";
    case audit::Field::scenario: return "scenario";
    case audit::Field::template_name: return "template";
    case audit::Field::network: return "network";
    case audit::Field::commitment: return "commitment";
    case audit::Field::consent: return "consent";
    case audit::Field::key:
    case audit::Field::begins:
    case audit::Field::ends:         // of epochs, which no message's trace shows
    case audit::Field::facts: break; // for 'explain'
  }
  return "?";
}

}  // namespace

std::string name_after_colon(const std::string& name) { return name.substr(std::min(name.size(), name.find(':') + 1)); }

control::TraceLine line_of(vault::Turn& turn, const vault::Context& context, const Flight& flight, const audit::Leaf& leaf) {
  control::TraceLine line;
  line.set_sequence(leaf.sequence);
  line.set_utc_us(leaf.utc_us);
  line.set_type(std::string(name_of(leaf.type)));
  line.set_connector(name_after_colon(context.names.name(leaf.connector)));
  line.set_attempt(leaf.attempt);
  if (leaf.attempt > 0 && leaf.attempt <= flight.attempts.size())
    line.set_channel(std::string(name_of(flight.plan[flight.attempts[leaf.attempt - 1U].step].channel)));
  if (is_final(leaf.state)) line.set_state(std::string(name_of(leaf.state)));
  const std::optional<audit::Body> body = turn.body_of(leaf);
  if (!body) {
    line.add_detail("body=unreadable");
    return line;
  }
  for (const auto& [field, text] : *body) {
    // A reply's words belong to the customer and the client, not to whoever looks at a trace.
    const bool reply_text = leaf.type == EventType::replied && field == audit::Field::text;
    if (field != audit::Field::recipient && field != audit::Field::facts) line.add_detail(std::string(label(field)) + "=" + (reply_text ? "(" + std::to_string(text.size()) + " bytes)" : text));
  }
  return line;
}

Result<const Flight*> flight_of(vault::Turn& turn, const std::string& text) {
  const std::optional<MessageId> id = MessageId::parse(text);
  if (!id) return fail("'" + text.substr(0, 64) + "' is not a message id; ids look like 019ab0c2-3f5e-7a10-8c4d-5e6f70819203");
  const Flight* flight = turn.find(id->key);
  if (flight == nullptr || flight->id != *id) return fail("there is no message of this id");
  return flight;
}

// Each leaf knows the message's leaf before it. The newest kMaxLines, oldest first.
Result<std::vector<audit::Leaf>> leaves_of(const vault::Context& context, const Flight& flight) {
  std::vector<audit::Leaf> leaves;
  for (std::uint64_t next = flight.last_leaf; next != 0 && leaves.size() < kMaxLines;) {
    const Result<std::vector<Bytes>> bytes = context.store.leaves(next - 1, 1);
    std::optional<audit::Leaf> leaf = bytes && !bytes->empty() ? audit::decode_leaf(bytes->front()) : std::nullopt;
    if (!leaf || leaf->message != flight.id || leaf->before >= next) return fail("the message's audit leaves are damaged; run 'postern audit verify'");
    next = leaf->before;
    leaves.push_back(std::move(*leaf));
  }
  std::ranges::reverse(leaves);
  return leaves;
}

control::TraceHead head_of(const vault::Context& context, const Flight& flight) {
  control::TraceHead head;
  head.set_id(flight.id.text());
  head.set_client(name_after_colon(context.names.name(flight.client)));
  head.set_reference(flight.reference);
  head.set_category(std::string(name_of(flight.category)));
  head.set_state(std::string(name_of(flight.state)));
  head.set_reason(flight.reason);
  head.set_accepted_ms(flight.accepted_ms);
  head.set_deadline_ms(flight.deadline_ms);
  head.set_ended_ms(flight.ended_ms);
  head.set_network(flight.network);
  return head;
}

namespace {

control::ReportRow& add_row(const vault::Context& context, const Flight& flight, std::size_t attempt, control::ReportPage& page) {
  const Attempt& a = flight.attempts[attempt];
  control::ReportRow& row = *page.add_row();
  row.set_id(flight.id.text());
  row.set_client(std::string(context.client_name(flight.client)));
  row.set_category(std::string(name_of(flight.category)));
  row.set_channel(std::string(name_of(flight.plan[a.step].channel)));
  row.set_connector(std::string(context.connector_name(a.connector)));
  row.set_at_ms(a.handed_ms);
  return row;
}

// What became of each attempt that was in doubt.
void add_doubts(const vault::Context& context, const Flight& flight, control::ReportPage& page) {
  for (std::size_t i = 0; i < flight.attempts.size(); ++i) {
    if (!flight.attempts[i].in_doubt) continue;
    control::ReportRow& row = add_row(context, flight, i, page);
    row.set_cause(flight.attempts[i].reason);
    row.set_outcome(std::string(name_of(flight.attempts[i].state)));
  }
}

// Its leaves tell; only a message that two attempts have reached can have one.
Status add_double_contacts(vault::Turn& turn, const vault::Context& context, const Flight& flight, control::ReportPage& page) {
  const auto reached = std::ranges::count_if(flight.attempts, [](const Attempt& a) {
    return a.state == AttemptState::delivered || a.state == AttemptState::read || a.state == AttemptState::replied;
  });
  if (reached < 2) return {};
  const Result<std::vector<audit::Leaf>> leaves = leaves_of(context, flight);
  if (!leaves) return fail(leaves.what());
  for (const audit::Leaf& leaf : *leaves) {
    if (leaf.type != EventType::double_contact || leaf.attempt == 0 || leaf.attempt > flight.attempts.size()) continue;
    control::ReportRow& row = add_row(context, flight, leaf.attempt - 1U, page);
    row.set_at_ms(leaf.utc_us / 1000);
    for (const auto& [field, text] : turn.body_of(leaf).value_or(audit::Body{})) {
      if (field == audit::Field::reason) row.set_cause(text);
      if (field == audit::Field::text) row.set_cost(text);
    }
  }
  return {};
}

}  // namespace

void trace(vault::Turn& turn, vault::Context& context, const std::string& text, const std::string& actor, control::Reply& reply) {
  const Result<const Flight*> found = flight_of(turn, text);
  if (!found) return reply.set_error(found.what());
  const Flight* flight = *found;
  const Result<std::vector<audit::Leaf>> leaves = leaves_of(context, *flight);
  if (!leaves) return reply.set_error(leaves.what());
  *reply.mutable_head() = head_of(context, *flight);
  for (const audit::Leaf& leaf : *leaves) *reply.add_trace() = line_of(turn, context, *flight, leaf);
  turn.leaf(EventType::admin_read, {{audit::Field::actor, actor}}, flight);
}

void check_text(vault::Turn& turn, vault::Context& context, const control::CheckText& ask, const std::string& actor, control::Reply& reply) {
  const Result<const Flight*> flight = flight_of(turn, ask.id());
  if (!flight) return reply.set_error(flight.what());
  const Result<std::vector<audit::Leaf>> leaves = leaves_of(context, **flight);
  if (!leaves) return reply.set_error(leaves.what());
  const std::vector<std::string> wanted = vault::commitments_of(context.keys, (*flight)->id, ask.text());
  bool committed = false;
  for (const audit::Leaf& leaf : *leaves) {
    if (leaf.type != EventType::accepted) continue;
    for (const auto& [field, text] : turn.body_of(leaf).value_or(audit::Body{})) {
      committed = committed || field == audit::Field::commitment;
      if (field == audit::Field::commitment && std::ranges::find(wanted, text) != wanted.end()) reply.set_same_text(true);
    }
  }
  if (!committed) return reply.set_error("this message committed to no text: only one-time codes do, and not once their customer was erased");
  turn.leaf(EventType::admin_read, {{audit::Field::actor, actor}, {audit::Field::text, "check-text"}}, *flight);
}

void find(vault::Turn& turn, vault::Context& context, const control::Find& ask, const std::string& actor, control::Reply& reply) {
  const std::vector<std::uint64_t> wanted = context.keys.pseudonyms(ask.address());
  const std::size_t limit = std::clamp<std::uint32_t>(ask.limit(), 1, 100);
  const Result<std::vector<store::FlightRow>> rows = context.store.scan(ask.after(), kScanned);
  if (!rows) return reply.set_error(rows.what());
  control::FoundPage& page = *reply.mutable_found();
  std::size_t found = 0;
  for (const store::FlightRow& row : *rows) {
    page.set_after(row.key);
    const std::optional<Flight> flight = decode_flight(row.key, row.data);
    if (!flight || std::ranges::find(wanted, flight->recipient) == wanted.end()) continue;
    *page.add_message() = head_of(context, *flight);
    if (++found == limit) break;
  }
  if (rows->size() < kScanned && found < limit) page.set_after(0);
  if (ask.after() == 0) turn.leaf(EventType::admin_read, {{audit::Field::actor, actor}, {audit::Field::text, "find"}});
}

void report(vault::Turn& turn, vault::Context& context, const control::ReportAsk& ask, const std::string& actor, control::Reply& reply) {
  if (ask.kind() != control::ReportAsk::DOUBLE_CONTACTS && ask.kind() != control::ReportAsk::IN_DOUBT) return reply.set_error("there is no such report");
  const MessageKey begin = std::clamp<MessageKey>(ask.since_ms(), 0, turn.now()) << 20;
  const Result<std::vector<store::FlightRow>> rows = context.store.scan(std::max<MessageKey>(ask.after(), begin), kScanned);
  if (!rows) return reply.set_error(rows.what());
  control::ReportPage& page = *reply.mutable_report();
  for (const store::FlightRow& row : *rows) {
    page.set_after(row.key);
    const std::optional<Flight> flight = decode_flight(row.key, row.data);
    if (!flight) continue;
    if (ask.kind() == control::ReportAsk::IN_DOUBT) add_doubts(context, *flight, page);
    else if (const Status added = add_double_contacts(turn, context, *flight, page); !added) return reply.set_error(added.what());
    if (page.row_size() >= kMaxRows) break;
  }
  if (rows->size() < kScanned && page.row_size() < kMaxRows) page.set_after(0);
  if (ask.after() == 0) turn.leaf(EventType::admin_read, {{audit::Field::actor, actor}, {audit::Field::text, "report"}});
}

void connectors(vault::Vault& vault, control::Reply& reply) {
  for (const auto& [name, connector] : vault.context().config->connectors) {
    control::ConnectorFacts& facts = *reply.add_connector();
    facts.set_name(name);
    if (connector.channel) facts.set_channel(std::string(name_of(*connector.channel)));
    for (const auto& [id, peer] : vault.peers()) {
      if (peer.name != name || peer.left) continue;
      facts.set_connected(true);
      facts.set_up(peer.up);
      facts.set_detail(peer.detail);
      facts.set_software(peer.software);
      facts.set_window(peer.window);
      facts.set_outstanding(vault.dispatcher().outstanding(peer.connector));
      if (connector.channel) facts.set_share(vault.routes().share(peer.connector));
    }
  }
}

void number(const vault::Context& context, const std::string& digits, control::Reply& reply) {
  if (!context.numbers) return reply.set_error("no portability table is loaded; run 'postern numbers import FILE'");
  const std::optional<numbers::Network> network = context.numbers->find(digits);
  control::NumbersFacts& facts = *reply.mutable_numbers();
  fill(context.numbers->facts(), facts);
  if (!network) return;
  facts.set_current(network->current);
  facts.set_original(network->original);
  facts.set_is_ported(network->ported);
}

void fill(const numbers::IndexFacts& facts, control::NumbersFacts& out) {
  out.set_ranges(facts.ranges);
  out.set_ported(facts.ported);
  out.set_networks(facts.networks);
  out.set_sha256(facts.sha256);
}

}  // namespace postern::reports
