// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/query.hpp"

#include <algorithm>

#include "gateway/vault/recipient_query.hpp"

namespace postern::vault {
namespace {

constexpr std::uint32_t kMaxEvents = 1000, kMaxWaitMs = 60'000;
constexpr std::uint32_t kMaxListed = 1000;
constexpr std::size_t kLookedAt = 5000, kMaxJourneys = 1000;
constexpr std::size_t kMaxPolls = 10'000, kPushedAtOnce = 500, kPagesUnacknowledged = 4;

wire::Progress wire_of(AttemptState state) {
  switch (state) {
    case AttemptState::ready: return wire::ACCEPTED;
    case AttemptState::handed: return wire::HANDED;
    case AttemptState::sent: return wire::SENT;
    case AttemptState::delivered: return wire::DELIVERED;
    case AttemptState::read: return wire::READ;
    case AttemptState::replied: return wire::REPLIED;
    case AttemptState::refused:
    case AttemptState::withdrawn: return wire::REFUSED;
    case AttemptState::unknown: return wire::UNKNOWN;
  }
  return wire::PROGRESS_UNSET;
}

wire::Progress wire_of(MessageState state) {
  switch (state) {
    case MessageState::scheduled:
    case MessageState::active: return wire::ACCEPTED;
    case MessageState::reached: return wire::REACHED;
    case MessageState::failed: return wire::FAILED;
    case MessageState::expired: return wire::EXPIRED;
    case MessageState::cancelled: return wire::CANCELLED;
    case MessageState::suppressed: return wire::SUPPRESSED;
  }
  return wire::PROGRESS_UNSET;
}

wire::Progress wire_of(EventType type) {
  if (type == EventType::sent) return wire::SENT;
  if (type == EventType::delivered) return wire::DELIVERED;
  if (type == EventType::read) return wire::READ;
  if (type == EventType::replied) return wire::REPLIED;
  return wire::PROGRESS_UNSET;
}

std::string field_of(const audit::Body& body, audit::Field field) {
  for (const auto& [name, text] : body)
    if (name == field) return text;
  return {};
}

}  // namespace

wire::MessageView view_of(const Context& context, const Flight& flight) {
  wire::MessageView view;
  view.set_id(flight.id.text());
  view.set_reference(flight.reference);
  view.set_category(static_cast<wire::Category>(static_cast<int>(flight.category)));
  view.set_state(wire_of(flight.state));
  view.set_reason(flight.reason);
  view.set_accepted_ms(static_cast<std::uint64_t>(flight.accepted_ms));
  view.set_deadline_ms(static_cast<std::uint64_t>(flight.deadline_ms));
  view.set_ended_ms(static_cast<std::uint64_t>(flight.ended_ms));
  if (flight.state == MessageState::scheduled) view.set_send_at_ms(static_cast<std::uint64_t>(flight.send_at_ms));
  for (std::size_t i = 0; i < flight.attempts.size(); ++i) {
    const Attempt& attempt = flight.attempts[i];
    wire::AttemptView& out = *view.add_attempt();
    out.set_number(static_cast<std::uint32_t>(i + 1));
    out.set_channel(std::string(name_of(flight.plan[attempt.step].channel)));
    out.set_connector(context.names.name(attempt.connector).substr(std::string_view("connector:").size()));
    out.set_progress(wire_of(attempt.state));
    out.set_reason(attempt.reason);
    out.set_handed_ms(static_cast<std::uint64_t>(attempt.handed_ms));
    out.set_changed_ms(static_cast<std::uint64_t>(attempt.changed_ms));
    out.set_parts(attempt.parts);
  }
  return view;
}

void Queries::query(Turn& turn, Peer& peer, const wire::Query& query) {
  wire::Answer answer;
  answer.set_tag(query.tag());
  answer.set_outcome(wire::Answer::OK);
  const config::Client* client = intake_.client_of(peer, query.identity());
  if (client == nullptr) {
    answer.set_outcome(wire::Answer::CLIENT_UNKNOWN);
    peer.out.add_answer()->Swap(&answer);
    return;
  }
  switch (query.ask_case()) {
    case wire::Query::kGet:
      if (const Flight* flight = own_message(turn, *client, query.get(), answer)) *answer.mutable_message() = view_of(context_, *flight);
      break;
    case wire::Query::kCancel:
      if (Flight* flight = own_message(turn, *client, query.cancel(), answer)) {
        if (turn.advance(*flight, engine::Cancel{}).too_late) answer.set_outcome(wire::Answer::TOO_LATE);
        *answer.mutable_message() = view_of(context_, *flight);
      }
      break;
    case wire::Query::kMove: move(turn, *client, query.move(), answer); break;
    case wire::Query::kList: list(turn, *client, query.list(), answer); break;
    case wire::Query::kSignal: signal(turn, *client, query.signal(), answer); break;
    case wire::Query::kRecipient:
      if (!client->may_keep_recipients) answer.set_outcome(wire::Answer::FORBIDDEN);
      else answer_recipient(turn, context_, query.recipient(), turn.number_of_client(client->name), answer);
      break;
    case wire::Query::kEvents: {
      const ClientId number = turn.number_of_client(client->name);
      const std::uint32_t limit = std::clamp<std::uint32_t>(query.events().limit(), 1, kMaxEvents);
      answer.set_cursor(query.events().after());
      const bool some = fill_events(turn, number, query.events().after(), limit, answer);
      if (!some && query.events().wait_ms() > 0 && polls_.size() < kMaxPolls) {
        polls_.push_back({peer.id, query.tag(), number, query.events().after(), limit,
                          turn.now() + std::min(query.events().wait_ms(), kMaxWaitMs)});
        return;
      }
      break;
    }
    case wire::Query::kAppReceipt: {
      const bool wanted = query.app_receipt().progress() == wire::DELIVERED || query.app_receipt().progress() == wire::READ;
      Flight* flight = nullptr;
      if (!wanted) {
        answer.set_outcome(wire::Answer::BAD_REQUEST);
      } else if (const std::optional<MessageId> id = MessageId::parse(query.app_receipt().id())) {
        flight = turn.find(id->key);
        if (flight != nullptr && flight->id != *id) flight = nullptr;
        // The bank's app server confirms for every client; a client confirms its own.
        if (flight != nullptr && !client->may_confirm && flight->client != turn.number_of_client(client->name)) flight = nullptr;
      }
      if (!wanted) break;
      if (flight == nullptr) answer.set_outcome(wire::Answer::NOT_FOUND);
      else if (!progress_.confirm(turn, *flight, query.app_receipt().progress() == wire::READ ? AttemptState::read : AttemptState::delivered))
        answer.set_outcome(wire::Answer::TOO_LATE);
      break;
    }
    case wire::Query::kMetrics:
      if (!client->may_read_metrics) answer.set_outcome(wire::Answer::FORBIDDEN);
      else answer.set_metrics(metrics_text());
      break;
    case wire::Query::ASK_NOT_SET: answer.set_outcome(wire::Answer::BAD_REQUEST); break;
  }
  peer.out.add_answer()->Swap(&answer);
}

Flight* Queries::own_message(Turn& turn, const config::Client& client, const std::string& text, wire::Answer& answer) {
  const std::optional<MessageId> id = MessageId::parse(text);
  Flight* flight = id ? turn.find(id->key) : nullptr;
  // Another client's message and one that does not exist are answered alike.
  if (flight != nullptr && flight->id == *id && flight->client == turn.number_of_client(client.name)) return flight;
  answer.set_outcome(wire::Answer::NOT_FOUND);
  return nullptr;
}

void Queries::move(Turn& turn, const config::Client& client, const wire::MoveAsk& ask, wire::Answer& answer) {
  Flight* flight = own_message(turn, client, ask.id(), answer);
  if (flight == nullptr) return;
  const auto send_at = static_cast<TimeMs>(ask.send_at_ms());
  const TimeMs begin = std::max(turn.now(), send_at);
  // As much time as it had before, unless the client says how much.
  const TimeMs had = flight->deadline_ms - std::max(flight->accepted_ms, flight->send_at_ms);
  const TimeMs deadline = ask.deadline_ms() == 0 ? begin + had : static_cast<TimeMs>(ask.deadline_ms());
  if (send_at < 0 || deadline <= begin || deadline > turn.now() + kMaxAhead) answer.set_outcome(wire::Answer::BAD_REQUEST);
  else if (turn.advance(*flight, engine::Move{send_at > turn.now() ? send_at : 0, deadline}).too_late) answer.set_outcome(wire::Answer::TOO_LATE);
  if (answer.outcome() != wire::Answer::BAD_REQUEST) *answer.mutable_message() = view_of(context_, *flight);
}

// Looks at a bounded number of messages; `next` goes on where it stopped.
void Queries::list(Turn& turn, const config::Client& client, const wire::ListAsk& ask, wire::Answer& answer) {
  const std::optional<MessageId> after = ask.after().empty() ? MessageId() : MessageId::parse(ask.after());
  if (!after) return answer.set_outcome(wire::Answer::BAD_REQUEST);
  const ClientId number = turn.number_of_client(client.name);
  const auto limit = static_cast<int>(std::clamp<std::uint32_t>(ask.limit(), 1, kMaxListed));
  Result<std::vector<store::FlightRow>> rows = context_.store.scan(after->key, kLookedAt);
  if (!rows) return turn.fail_with(rows.what());
  for (const store::FlightRow& row : *rows) {
    const Flight* flight = turn.take(row);
    if (flight == nullptr) return;
    answer.set_next(flight->id.text());
    if (flight->client != number || (ask.scheduled() && flight->state != MessageState::scheduled)) continue;
    *answer.add_listed() = view_of(context_, *flight);
    if (answer.listed_size() == limit) return;
  }
  if (rows->size() < kLookedAt) answer.clear_next();
}

void Queries::signal(Turn& turn, const config::Client& client, const wire::SignalAsk& ask, wire::Answer& answer) {
  if (ask.event().empty() || ask.event().size() > kMaxEventName || ask.id().empty() == ask.recipient().empty() || ask.recipient().size() > kMaxReference)
    return answer.set_outcome(wire::Answer::BAD_REQUEST);
  const auto tell = [&](Flight& flight) {
    if (turn.advance(flight, engine::Signal{ask.event()}).ignored) return;
    if (is_final(flight.state)) answer.set_count(answer.count() + 1);
    else answer.set_begun(answer.begun() + 1);
  };
  if (!ask.id().empty()) {
    if (Flight* flight = own_message(turn, client, ask.id(), answer)) {
      intake_.prefixes().told(ask.event(), flight->id.key, turn.now());
      tell(*flight);
    }
    return;
  }
  const Result<std::vector<MessageKey>> journeys = context_.store.journeys(person_of(context_.keys, ask.recipient(), {}), kMaxJourneys);
  if (!journeys) return turn.fail_with(journeys.what());
  for (const MessageKey key : *journeys)
    if (Flight* flight = turn.find(key)) tell(*flight);
}

bool Queries::fill_events(Turn& turn, ClientId client, std::uint64_t after, std::uint32_t limit, wire::Answer& answer) {
  std::vector<wire::Event> events = events_after(turn, client, after, limit);
  for (wire::Event& event : events) {
    answer.set_cursor(event.sequence());
    answer.add_event()->Swap(&event);
  }
  return !events.empty();
}

std::vector<wire::Event> Queries::events_after(Turn& turn, ClientId client, std::uint64_t after, std::size_t limit) {
  const auto recent = recent_.after(client, after);
  if (!recent) return stored_events(turn, client, after, limit);
  std::vector<wire::Event> events;
  for (const News& news : *recent | std::views::take(limit))
    if (std::optional<wire::Event> event = event_of(turn, news)) events.push_back(std::move(*event));
  return events;
}

std::vector<wire::Event> Queries::stored_events(Turn& turn, ClientId client, std::uint64_t after, std::size_t limit) {
  std::vector<wire::Event> events;
  // Cursors are sequence + 1, so that 0 means the beginning.
  Result<std::vector<std::uint64_t>> sequences = context_.store.events(client, after, limit);
  if (!sequences) {
    turn.fail_with(sequences.what());
    return events;
  }
  // Leaves of which a client hears stand close together: they are read in runs.
  constexpr std::size_t kRun = 64;
  std::vector<Bytes> run;
  std::uint64_t first = 0;
  for (const std::uint64_t cursor : *sequences) {
    const std::uint64_t sequence = cursor - 1;
    if (sequence < first || sequence >= first + run.size()) {
      const std::uint64_t last = sequences->back() - 1;
      Result<std::vector<Bytes>> leaves = context_.store.leaves(sequence, std::min<std::uint64_t>(kRun, last - sequence + 1));
      if (!leaves) {
        turn.fail_with(leaves.what());
        return events;
      }
      run = std::move(*leaves);
      first = sequence;
      if (run.empty()) continue;
    }
    if (std::optional<wire::Event> event = event_of(turn, cursor, run[sequence - first])) events.push_back(std::move(*event));
  }
  return events;
}

std::optional<wire::Event> Queries::event_of(Turn& turn, std::uint64_t cursor, ByteView bytes) {
  const std::optional<audit::Leaf> leaf = audit::decode_leaf(bytes);
  if (!leaf || leaf->sequence + 1 != cursor) return std::nullopt;
  News news{leaf->client, cursor, leaf->message.key, leaf->utc_us / 1000, leaf->type, leaf->attempt, {}, {}};
  if (is_final(leaf->state)) news.ended = leaf->state;
  // How a message ended stands with the message; only what else the leaf tells must be opened.
  const audit::Body body = news.ended && leaf->type != EventType::replied ? audit::Body{} : turn.body_of(*leaf).value_or(audit::Body{});
  news.reason = field_of(body, audit::Field::reason);
  std::optional<wire::Event> event = event_about(turn, news);
  if (event && leaf->type == EventType::replied) event->set_text(field_of(body, audit::Field::text));
  return event;
}

// What a customer answered is told from the leaf, which is sealed to the customer.
std::optional<wire::Event> Queries::event_of(Turn& turn, const News& news) {
  if (news.type != EventType::replied) return event_about(turn, news);
  const Result<std::vector<Bytes>> leaf = context_.store.leaves(news.cursor - 1, 1);
  if (!leaf) turn.fail_with(leaf.what());
  return leaf && !leaf->empty() ? event_of(turn, news.cursor, leaf->front()) : std::nullopt;
}

std::optional<wire::Event> Queries::event_about(Turn& turn, const News& news) {
  const Flight* flight = turn.find(news.message);
  if (flight == nullptr) return std::nullopt;
  wire::Event event;
  event.set_sequence(news.cursor);
  event.set_id(flight->id.text());
  event.set_reference(flight->reference);
  event.set_progress(news.ended ? wire_of(*news.ended) : wire_of(news.type));
  event.set_reason(news.ended ? flight->reason : news.reason);
  event.set_at_ms(static_cast<std::uint64_t>(news.at_ms));
  if (news.attempt > 0 && news.attempt <= flight->attempts.size())
    event.set_channel(std::string(name_of(flight->plan[flight->attempts[news.attempt - 1U].step].channel)));
  return event;
}

void Queries::tell(Turn& turn, std::vector<News> news) {
  std::vector<ClientId> clients;
  const auto has_news = [&](ClientId client) { return std::ranges::find(clients, client) != clients.end(); };
  for (News& each : news) {
    if (!has_news(each.client)) clients.push_back(each.client);
    recent_.add(std::move(each));
  }
  std::erase_if(polls_, [&](const Poll& poll) {
    if (!has_news(poll.client) && turn.now() < poll.until_ms) return false;
    const auto peer = peers_.find(poll.peer);
    if (peer == peers_.end()) return true;
    wire::Answer answer;
    answer.set_tag(poll.tag);
    answer.set_outcome(wire::Answer::OK);
    answer.set_cursor(poll.after);
    if (!fill_events(turn, poll.client, poll.after, poll.limit, answer) && turn.now() < poll.until_ms) return false;
    peer->second.out.add_answer()->Swap(&answer);
    return true;
  });
  for (auto& [id, peer] : peers_) {
    if (peer.left) continue;
    if (peer.wants_events && has_news(peer.client)) peer.lagging = true;
    if (!may_push(peer)) continue;
    std::vector<wire::Event> events = events_after(turn, peer.client, peer.events_sent, kPushedAtOnce);
    peer.lagging = events.size() == kPushedAtOnce;
    if (events.empty()) continue;
    peer.events_sent = events.back().sequence();
    peer.event_pages.push_back(peer.events_sent);
    for (wire::Event& event : events) peer.out.add_event()->Swap(&event);
  }
}

bool Queries::may_push(const Peer& peer) { return !peer.left && peer.wants_events && peer.lagging && peer.event_pages.size() < kPagesUnacknowledged; }

std::string Queries::metrics_text() const {
  std::map<std::string, std::array<std::uint64_t, 4>> connectors;
  for (const auto& [name, connector] : context_.config->connectors) connectors[name] = {0, 0, 0, 1000};
  for (const auto& [id, peer] : peers_)
    if (!peer.left) connectors[peer.name] = {peer.up ? 1U : 0U, peer.window, dispatcher_.outstanding(peer.connector), progress_.routes().share(peer.connector)};
  return context_.metrics.text(connectors, context_.accepting);
}

void Queries::forget(PeerId peer) {
  std::erase_if(polls_, [&](const Poll& poll) { return poll.peer == peer; });
}

TimeMs Queries::next_timeout() const {
  TimeMs next = 0;
  for (const Poll& poll : polls_) next = next == 0 ? poll.until_ms : std::min(next, poll.until_ms);
  return next;
}

}  // namespace postern::vault
