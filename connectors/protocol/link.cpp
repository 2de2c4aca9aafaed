// SPDX-License-Identifier: Apache-2.0
#include "connectors/protocol/link.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "connectors/protocol/log.hpp"

namespace postern {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::chrono::milliseconds kFirstBackoff{50}, kLastBackoff{2000}, kAfterReplaced{60'000};
// A frame is flushed early when a turn has produced this many items, so that it stays far below
// kMaxFrame whatever a single item holds.
constexpr int kItemsPerFrame = 512;
constexpr std::size_t kBytesPerFrame = 1024 * 1024;

std::uint64_t random_instance() {
  std::uint64_t value = 0;
  if (sodium_init() < 0) std::abort();
  while (value == 0) randombytes_buf(&value, sizeof value);
  return value;
}

int facts_in(const wire::ToVault& frame) {
  return frame.result_size() + frame.receipt_size() + frame.reply_size() + frame.observation_size();
}

int items_in(const wire::ToVault& frame) { return facts_in(frame) + frame.submit_size() + frame.query_size(); }

std::pair<std::uint64_t, std::uint32_t> key_of(const wire::Attempt& attempt) { return {attempt.message(), attempt.number()}; }

bool says_something(const wire::ToVault& frame) {
  return items_in(frame) > 0 || frame.has_hello() || frame.has_health() || frame.event_cursor() != 0 || frame.drained();
}

}  // namespace

Link::Link(Loop& loop, LinkOptions options, LinkHandlers handlers)
    : loop_(loop),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      instance_(random_instance()),
      reconnect_(loop, [this] { connect(); }),
      alive_(std::make_shared<bool>(true)) {}

Link::~Link() { *alive_ = false; }

void Link::start() { connect(); }

void Link::connect() {
  const Result<int> fd = FrameSocket::connect(options_.socket);
  if (!fd) return connect_soon();
  socket_ = std::make_unique<FrameSocket>(
      loop_, *fd,
      FrameSocket::Handlers{[this](std::string_view frame) { on_frame(frame); },
                            [this](const std::string& reason) { on_closed(reason); }});
  next_frame_ = 1;
  wire::ToVault greeting;
  wire::Hello& hello = *greeting.mutable_hello();
  hello.set_version(kVersion);
  hello.set_connector(options_.connector);
  hello.set_instance(instance_);
  hello.set_window(options_.window);
  hello.set_wants_events(options_.wants_events);
  hello.set_software(options_.software);
  if (has_health_) *greeting.mutable_health() = last_health_;
  send_frame(std::move(greeting));
}

void Link::connect_soon() {
  reconnect_.start(backoff_);
  backoff_ = std::min(std::min(backoff_, kLastBackoff) * 2, kLastBackoff);
}

void Link::on_closed(const std::string& reason) {
  const bool was_up = std::exchange(welcomed_, false);
  if (was_up) log::warning("vault.lost", "the vault's socket closed ({}); facts are kept, trying again", reason);
  // Submits and queries belong to the session; facts do not.
  pending_.clear_submit();
  pending_.clear_query();
  pending_.clear_event_cursor();
  loop_.defer([this, alive = alive_] { if (*alive && socket_ && !socket_->open()) socket_.reset(); });
  connect_soon();
  if (was_up && handlers_.lost) handlers_.lost();
}

void Link::on_frame(std::string_view bytes) {
  wire::ToConnector frame;
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    log::error("vault.protocol", "the vault sent a frame that cannot be read; closing the socket");
    return socket_->close_after_flush("unreadable frame");
  }
  const std::shared_ptr<bool> alive = alive_;
  if (frame.has_refusal()) {
    locked_ = frame.refusal().reason() == wire::Refusal::LOCKED;
    if (!locked_) log::error("vault.refused", "{}", frame.refusal().detail());
    // Two processes of one name must not push each other out for ever: the newer one stays.
    if (frame.refusal().reason() == wire::Refusal::REPLACED) backoff_ = kAfterReplaced;
    if (handlers_.refused) handlers_.refused(frame.refusal());
    return;
  }
  if (frame.has_welcome()) {
    welcomed_ = true;
    locked_ = false;
    backoff_ = kFirstBackoff;
    submit_window_ = frame.welcome().submit_window();
    log::info("vault.up", "connected to the vault as {}", options_.connector);
    // What was not known to be durable is said again, in its old order, under new numbers.
    for (Held& held : held_) {
      wire::ToVault again = held.facts;
      held.frame = next_frame_;
      again.set_frame(next_frame_++);
      socket_->send(again);
    }
    if (has_health_) *pending_.mutable_health() = last_health_;  // may have changed since the hello
    if (says_something(pending_)) touch();
    if (handlers_.welcome) handlers_.welcome(frame.welcome());
    if (!*alive) return;
  }
  while (!held_.empty() && held_.front().frame <= frame.committed()) {
    const Held done = std::move(held_.front());
    held_.pop_front();
    held_facts_ -= static_cast<std::size_t>(facts_in(done.facts));
    for (const wire::Result& result : done.facts.result()) known_.erase(key_of(result.attempt()));
    for (const auto& durable : done.durable) {
      if (durable) durable();
      if (!*alive) return;
    }
  }
  const auto each = [&](auto* items, const auto& handler) {
    for (auto& item : *items)
      if (*alive) handler(std::move(item));
  };
  const auto each_if = [&](auto* items, const auto& handler) {
    if (handler) each(items, handler);
  };
  each_if(frame.mutable_verdict(), handlers_.verdict);
  if (!*alive) return;
  each(frame.mutable_deliver(), [this](wire::Deliver&& deliver) {
    if (known_.insert(key_of(deliver.attempt())).second && handlers_.deliver) handlers_.deliver(std::move(deliver));
  });
  if (!*alive) return;
  each_if(frame.mutable_cancel(), handlers_.cancel);
  if (!*alive) return;
  each_if(frame.mutable_answer(), handlers_.answer);
  if (!*alive) return;
  each_if(frame.mutable_event(), handlers_.event);
  if (!*alive) return;
  if (frame.drain() && handlers_.drain) handlers_.drain();
}

void Link::touch() {
  if (items_in(pending_) >= kItemsPerFrame || pending_bytes_ >= kBytesPerFrame) return flush();
  if (std::exchange(flush_due_, true)) return;
  loop_.defer([this, alive = alive_] { if (*alive) flush(); });
}

void Link::flush() {
  flush_due_ = false;
  if (!says_something(pending_)) return;
  if (!welcomed_) return shelve();
  wire::ToVault frame;
  frame.Swap(&pending_);
  pending_bytes_ = 0;
  send_frame(std::move(frame));
}

// While the vault is away facts are set aside in frames of a good size, to be sent on its return.
void Link::shelve() {
  if (facts_in(pending_) < kItemsPerFrame && pending_bytes_ < kBytesPerFrame) return;
  wire::ToVault facts;
  facts.Swap(&pending_);
  pending_bytes_ = 0;
  held_.push_back(Held{0, std::move(facts), std::exchange(pending_durable_, {})});
}

void Link::send_frame(wire::ToVault&& frame) {
  frame.set_frame(next_frame_);
  if (!socket_->send(frame) && socket_->open())
    log::error("vault.frame", "a frame was too large or the vault does not read");
  if (facts_in(frame) > 0) {
    frame.clear_submit();
    frame.clear_query();
    frame.clear_hello();
    frame.clear_health();
    frame.clear_event_cursor();
    frame.clear_drained();
    held_.push_back(Held{next_frame_, std::move(frame), std::exchange(pending_durable_, {})});
  }
  ++next_frame_;
}

template <class Item>
void Link::queue(Item* slot, Item& item) {
  pending_bytes_ += item.ByteSizeLong() + 8;
  slot->Swap(&item);
  touch();
}

bool Link::submit(wire::Submit&& submit) {
  if (!welcomed_ || submit.ByteSizeLong() > kMaxItem) return false;
  queue(pending_.add_submit(), submit);
  return true;
}

bool Link::query(wire::Query&& query) {
  if (!welcomed_ || query.ByteSizeLong() > kMaxItem) return false;
  queue(pending_.add_query(), query);
  return true;
}

void Link::acknowledge_events(std::uint64_t cursor) {
  if (!welcomed_) return;  // the vault sends again what was not acknowledged
  pending_.set_event_cursor(std::max<std::uint64_t>(pending_.event_cursor(), cursor));
  touch();
}

// Called for every fact before it is queued. A fact may not be dropped and memory is not endless, so
// a vault that stays away this long ends the process; its attempts then become `unknown`.
void Link::hold_one() {
  if (++held_facts_ <= kMaxHeldFacts) return;
  log::error("vault.away", "{} facts wait for the vault, which has been away too long; stopping", held_facts_);
  std::exit(1);
}

void Link::result(wire::Result&& result) {
  hold_one();
  queue(pending_.add_result(), result);
}

void Link::receipt(wire::Receipt&& receipt, std::function<void()> durable) {
  hold_one();
  if (durable) pending_durable_.push_back(std::move(durable));
  queue(pending_.add_receipt(), receipt);
}

void Link::reply(wire::Reply&& reply, std::function<void()> durable) {
  hold_one();
  if (durable) pending_durable_.push_back(std::move(durable));
  queue(pending_.add_reply(), reply);
}

void Link::observe(wire::Observation&& observation) {
  hold_one();
  queue(pending_.add_observation(), observation);
}

void Link::health(bool up, const std::string& detail, std::uint32_t window) {
  last_health_.set_up(up);
  last_health_.set_detail(detail);
  last_health_.set_window(window);
  has_health_ = true;
  if (!welcomed_) return;
  *pending_.mutable_health() = last_health_;
  touch();
}

bool Link::settled() const { return held_.empty() && facts_in(pending_) == 0; }

void Link::drained() {
  if (!welcomed_) return;
  pending_.set_drained(true);
  touch();
}

}  // namespace postern
