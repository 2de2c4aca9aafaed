// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/smsc.hpp"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <deque>
#include <map>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connectors/channels/smpp/encoding.hpp"
#include "connectors/channels/smpp/frame.hpp"
#include "connectors/channels/smpp/joiner.hpp"
#include "connectors/protocol/log.hpp"
#include "connectors/sandbox/behaviour.hpp"

namespace postern::sandbox {
namespace {

namespace command = smpp::command;
namespace tag = smpp::tag;

constexpr std::uint32_t kOk = 0x00, kWrongState = 0x04, kInvalidCommand = 0x03, kInvalidDestination = 0x0b,
                        kInvalidPassword = 0x0e, kInvalidSystemId = 0x0f, kThrottled = 0x58;
constexpr std::uint8_t kDelivered = 2, kUndeliverable = 5;
constexpr int kThrottledTries = 2;
constexpr std::int64_t kReplyAfterMs = 50, kRepeatAfterMs = 1000, kJoinMs = 60'000;
constexpr std::size_t kMaxOutput = 16 * 1024 * 1024;

// Something that will be sent as deliver_sm: a receipt, or a customer's answer.
struct Inbound {
  std::string handset, sender;  // of the message that was submitted
  std::uint64_t id = 0;         // of a receipt
  std::uint8_t state = 0;       // 0: the customer's answer
};

// True for a message of one part, and for the last part of a long one.
bool is_last_part(const smpp::Pdu& pdu) {
  if ((pdu.esm_class & smpp::esm::kUdhi) == 0) return true;
  const auto header = smpp::read_header(pdu.content());
  return !header || !header->concatenation || header->concatenation->part == header->concatenation->total;
}

std::string id_text(std::uint64_t id) { return fmt::format("{:08X}", id); }

// Writes PDUs one after the other.
class Packer {
 public:
  explicit Packer(Bytes& out) : bytes_(out), out_(out) {}

  void begin(std::uint32_t id, std::uint32_t status, std::uint32_t sequence) {
    start_ = bytes_.size();
    out_.u32(0);
    out_.u32(id);
    out_.u32(status);
    out_.u32(sequence);
  }
  void end() {
    const std::size_t length = bytes_.size() - start_;
    for (std::size_t i = 0; i < 4; ++i) bytes_[start_ + i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  }
  void u8(std::uint8_t value) { out_.u8(value); }
  void text(std::string_view value) {
    out_.raw(value);
    out_.u8(0);
  }
  void octets(std::string_view value) { out_.text8(value); }
  void text_parameter(std::uint16_t id, std::string_view value) {
    out_.u16(id);
    out_.u16(static_cast<std::uint16_t>(value.size() + 1));
    text(value);
  }
  void parameter(std::uint16_t id, std::uint8_t value) {
    out_.u16(id);
    out_.u16(1);
    out_.u8(value);
  }

 private:
  Bytes& bytes_;
  ByteWriter out_;
  std::size_t start_ = 0;
};

struct HandleFree {
  void operator()(bufferevent* bev) const { bufferevent_free(bev); }
  void operator()(evconnlistener* listener) const { evconnlistener_free(listener); }
};

}  // namespace

class Smsc::Impl {
 public:
  Impl(Loop& loop, SmscOptions options, Handsets* handsets)
      : loop_(loop),
        options_(std::move(options)),
        handsets_(handsets),
        joiner_(kJoinMs),
        next_id_(static_cast<std::uint64_t>(wall_ms()) << 10),
        random_(std::random_device{}()),
        alive_(std::make_shared<bool>(true)),
        timer_(loop, [this] { serve_due(); }) {}
  ~Impl() { *alive_ = false; }

  Status listen();
  std::uint16_t port() const { return port_; }
  Counters counters() const;
  const SmscOptions& options() const { return options_; }
  void set_fault(SmscOptions::Fault fault) { options_.fault = fault; }
  void cut_all() {
    for (auto& client : clients_) client->gone = true;
    collect();
  }
  void unbind_all();

 private:
  struct Client {
    Impl* owner = nullptr;
    std::unique_ptr<bufferevent, HandleFree> bev;
    bool bound = false, sends = false, receives = false, gone = false;
    std::uint32_t sequence = 0;
    std::unordered_map<std::uint32_t, Inbound> unanswered;
    Bytes out;
  };

  void accept(int fd);
  void read(Client& client);
  void on_pdu(Client& client, const smpp::Pdu& pdu);
  void on_bind(Client& client, const smpp::Pdu& pdu);
  void on_submit(Client& client, const smpp::Pdu& pdu);
  void on_delivered(Client& client, const smpp::Pdu& pdu);
  void answer(Client& client, const smpp::Pdu& pdu, std::uint32_t status);
  bool misbehave(Client& client, const smpp::Pdu& pdu);
  void accept_submit(Client& client, const smpp::Pdu& pdu, Behaviour behaviour);
  void record(const smpp::Pdu& pdu);
  void schedule(std::int64_t after_ms, Inbound&& inbound);
  void serve_due();
  void spread();
  void deliver(Client& client, Inbound&& inbound);
  void flush(Client& client);
  void collect();
  const std::string& minute();

  Loop& loop_;
  SmscOptions options_;
  Handsets* handsets_;
  SslContext tls_;
  std::unique_ptr<evconnlistener, HandleFree> listener_;
  std::uint16_t port_ = 0;
  std::deque<std::unique_ptr<Client>> clients_;
  std::size_t turn_ = 0;
  smpp::Joiner joiner_;
  std::uint64_t next_id_;
  std::minstd_rand random_;
  std::map<std::int64_t, std::vector<Inbound>> due_;  // by steady millisecond
  std::size_t due_count_ = 0;
  std::deque<Inbound> ready_;                       // due, waiting for a receiver with room
  std::unordered_map<std::string, int> throttled_;  // number -> refused tries
  std::string minute_;
  std::time_t minute_of_ = -1;
  Counters counters_;
  bool collecting_ = false;
  std::shared_ptr<bool> alive_;
  Timer timer_;
};

Status Smsc::Impl::listen() {
  if (!options_.plain) {
    Result<SslContext> tls = make_tls_server(options_.tls);
    if (!tls) return fail(tls.what());
    tls_ = std::move(*tls);
  }
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(options_.port);
  if (inet_pton(AF_INET, options_.address.c_str(), &at.sin_addr) != 1)
    return fail("the SMS centre's address " + options_.address + " is no IPv4 address");
  listener_.reset(evconnlistener_new_bind(
      loop_.base(),
      [](evconnlistener*, evutil_socket_t fd, sockaddr*, int, void* self) { static_cast<Impl*>(self)->accept(fd); },
      this, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 128,
      reinterpret_cast<const sockaddr*>(&at), sizeof at));
  if (!listener_)
    return fail(
        fmt::format("the SMS centre cannot listen on {}:{}: is the port taken?", options_.address, options_.port));
  socklen_t size = sizeof at;
  getsockname(evconnlistener_get_fd(listener_.get()), reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(at.sin_port);
  return {};
}

void Smsc::Impl::accept(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto client = std::make_unique<Client>();
  client->owner = this;
  if (options_.plain) {
    client->bev.reset(bufferevent_socket_new(loop_.base(), fd, BEV_OPT_CLOSE_ON_FREE));
  } else {
    SslHandle ssl = make_server_ssl(tls_.get());
    if (ssl) {
      client->bev.reset(bufferevent_openssl_socket_new(loop_.base(), fd, ssl.release(), BUFFEREVENT_SSL_ACCEPTING,
                                                       BEV_OPT_CLOSE_ON_FREE));
    }
    if (client->bev) bufferevent_openssl_set_allow_dirty_shutdown(client->bev.get(), 1);
  }
  if (!client->bev) {
    close(fd);
    return;
  }
  const auto read = [](bufferevent*, void* context) {
    Client& self = *static_cast<Client*>(context);
    self.owner->read(self);
  };
  const auto changed = [](bufferevent*, short what, void* context) {
    Client& self = *static_cast<Client*>(context);
    if ((what & BEV_EVENT_CONNECTED) != 0) return;
    self.gone = true;
    self.owner->collect();
  };
  bufferevent_setcb(client->bev.get(), read, nullptr, changed, client.get());
  bufferevent_setwatermark(client->bev.get(), EV_READ, 0, 4 * smpp::kMaxPdu);
  bufferevent_enable(client->bev.get(), EV_READ | EV_WRITE);
  clients_.push_back(std::move(client));
}

void Smsc::Impl::read(Client& client) {
  evbuffer* input = bufferevent_get_input(client.bev.get());
  const ByteView stream(evbuffer_pullup(input, -1), evbuffer_get_length(input));
  std::size_t taken = 0;
  while (!client.gone) {
    const smpp::Cut cut = smpp::cut_frame(stream.subspan(taken));
    if (cut.kind == smpp::Cut::Kind::need_more) break;
    if (cut.kind == smpp::Cut::Kind::lost) {
      ++counters_.broken;
      client.gone = true;
      break;
    }
    const auto pdu = smpp::decode(stream.subspan(taken, cut.length));
    taken += cut.length;
    if (pdu) {
      on_pdu(client, *pdu);
    } else {
      ++counters_.broken;
      Packer out(client.out);
      out.begin(command::kGenericNack, pdu.error().status, pdu.error().header.sequence);
      out.end();
    }
  }
  evbuffer_drain(input, taken);
  flush(client);
  // Answers to receipts have made room in the window.
  if (!ready_.empty()) spread();
  collect();
}

void Smsc::Impl::on_pdu(Client& client, const smpp::Pdu& pdu) {
  switch (pdu.header.command) {
    case command::kBindTransceiver:
    case command::kBindTransmitter:
    case command::kBindReceiver:
      return on_bind(client, pdu);
    case command::kSubmitSm:
      return on_submit(client, pdu);
    case command::kDeliverSm | command::kResponse:
      return on_delivered(client, pdu);
    case command::kEnquireLink:
      return answer(client, pdu, kOk);
    case command::kUnbind:
      answer(client, pdu, kOk);
      client.bound = client.sends = client.receives = false;
      return;
    case command::kUnbind | command::kResponse:
      client.gone = true;
      return;
    default:
      break;
  }
  if (pdu.is_response()) return;
  Packer out(client.out);
  out.begin(command::kGenericNack, kInvalidCommand, pdu.header.sequence);
  out.end();
}

void Smsc::Impl::answer(Client& client, const smpp::Pdu& pdu, std::uint32_t status) {
  Packer out(client.out);
  out.begin(pdu.header.command | command::kResponse, status, pdu.header.sequence);
  out.end();
}

void Smsc::Impl::on_bind(Client& client, const smpp::Pdu& pdu) {
  if (client.bound) return answer(client, pdu, kWrongState);
  if (!options_.system_id.empty()) {
    if (pdu.system_id != options_.system_id) return answer(client, pdu, kInvalidSystemId);
    if (pdu.password != options_.password) return answer(client, pdu, kInvalidPassword);
  }
  client.bound = true;
  client.sends = pdu.header.command != command::kBindReceiver;
  client.receives = pdu.header.command != command::kBindTransmitter;
  ++counters_.binds;
  Packer out(client.out);
  out.begin(pdu.header.command | command::kResponse, kOk, pdu.header.sequence);
  out.text("sandbox");
  out.parameter(tag::kScInterfaceVersion, 0x34);
  out.end();
}

// True when a fault was played instead of an answer.
bool Smsc::Impl::misbehave(Client& client, const smpp::Pdu& pdu) {
  switch (options_.fault) {
    case SmscOptions::Fault::none:
      return false;
    case SmscOptions::Fault::garbage:
      ByteWriter(client.out).raw("HTTP/1.1 400 Bad Request\r\n\r\n");
      return true;
    case SmscOptions::Fault::cut:
      answer(client, pdu, kOk);
      client.out.erase(client.out.end() - 5, client.out.end());
      flush(client);
      client.gone = true;
      return true;
    case SmscOptions::Fault::silent:
      return true;
    case SmscOptions::Fault::throttle_all:
      ++counters_.throttled;
      answer(client, pdu, kThrottled);
      return true;
  }
  return false;
}

void Smsc::Impl::on_submit(Client& client, const smpp::Pdu& pdu) {
  ++counters_.submits;
  if (!client.sends) {
    ++counters_.refused;
    return answer(client, pdu, kWrongState);
  }
  if (misbehave(client, pdu)) return;
  const Behaviour behaviour = behaviour_of_number(pdu.destination.value);
  if (behaviour == Behaviour::permanent_error) {
    ++counters_.refused;
    return answer(client, pdu, kInvalidDestination);
  }
  if (behaviour == Behaviour::throttled) {
    int& tries = throttled_[std::string(pdu.destination.value)];
    if (tries < kThrottledTries) {
      ++tries;
      ++counters_.throttled;
      return answer(client, pdu, kThrottled);
    }
    // The parts of one long message are one try: the count starts again with its last part.
    if (is_last_part(pdu)) tries = 0;
  }
  accept_submit(client, pdu, behaviour);
}

void Smsc::Impl::accept_submit(Client& client, const smpp::Pdu& pdu, Behaviour behaviour) {
  ++counters_.accepted;
  const std::uint64_t id = next_id_++;
  Packer out(client.out);
  out.begin(command::kSubmitSm | command::kResponse, kOk, pdu.header.sequence);
  out.text(id_text(id));
  out.end();
  if (handsets_ != nullptr && behaviour != Behaviour::handset_off) record(pdu);

  const bool failed = behaviour == Behaviour::handset_off;
  const unsigned wanted = pdu.registered_delivery & 3U;  // SMPP 3.4 section 5.2.17
  const bool receipt = behaviour != Behaviour::no_receipt && (wanted == 1 || (wanted == 2 && failed));
  const int span = std::max(0, options_.receipt_delay_most_ms - options_.receipt_delay_least_ms);
  std::int64_t after = options_.receipt_delay_least_ms + static_cast<int>(random_() % static_cast<unsigned>(span + 1));
  if (behaviour == Behaviour::late) after = kLateSeconds * 1000;
  Inbound inbound{std::string(pdu.destination.value), std::string(pdu.source.value), id,
                  failed ? kUndeliverable : kDelivered};
  // One answer for a message, not for each of its parts.
  if (behaviour == Behaviour::replies && is_last_part(pdu))
    schedule(after + kReplyAfterMs, {inbound.handset, inbound.sender, 0, 0});
  if (receipt) schedule(after, std::move(inbound));
}

// What the handset shows: whole messages with their parts joined.
void Smsc::Impl::record(const smpp::Pdu& pdu) {
  smpp::Joiner::Part part;
  part.source = pdu.source.value;
  part.destination = pdu.destination.value;
  part.data_coding = pdu.data_coding;
  part.place = {0, 1, 1};
  ByteView octets = pdu.content();
  if ((pdu.esm_class & smpp::esm::kUdhi) != 0) {
    if (const auto header = smpp::read_header(octets)) {
      octets = octets.subspan(header->size);
      part.single_shift = header->single_shift;
      part.locking_shift = header->locking_shift;
      if (header->concatenation) part.place = *header->concatenation;
    }
  } else if (const auto total = pdu.tlvs.number(tag::kSarTotal); total && *total > 1) {
    const std::uint64_t place = pdu.tlvs.number(tag::kSarPart).value_or(0);
    const std::uint64_t reference = pdu.tlvs.number(tag::kSarReference).value_or(0);
    if (place >= 1 && place <= *total && *total <= 255)
      part.place = {static_cast<std::uint16_t>(reference), static_cast<std::uint8_t>(*total),
                    static_cast<std::uint8_t>(place)};
  }
  part.octets.assign(octets.begin(), octets.end());
  std::vector<smpp::Joiner::Joined> joined;
  joiner_.add(std::move(part), steady_ms(), joined);
  joiner_.expire(steady_ms(), joined);
  for (const auto& whole : joined) {
    smpp::DecodeOptions coding;
    coding.data_coding = whole.data_coding;
    coding.single_shift = whole.single_shift;
    coding.locking_shift = whole.locking_shift;
    Received received;
    received.handset = whole.destination;
    received.channel = "sms";
    received.sender = whole.source;
    received.text = smpp::decode_text(whole.octets, coding).value_or("(binary)");
    received.parts = static_cast<int>(whole.parts);
    received.note = fmt::format("{}, {}, network {}", whole.data_coding == 8 ? "UCS-2" : "GSM-7",
                                whole.parts == 1             ? std::string("1 part")
                                : whole.parts == whole.total ? fmt::format("{} parts", whole.parts)
                                                             : fmt::format("{} of {} parts", whole.parts, whole.total),
                                options_.network);
    handsets_->receive(received);
  }
}

void Smsc::Impl::schedule(std::int64_t after_ms, Inbound&& inbound) {
  const std::int64_t at = steady_ms() + after_ms;
  const bool first = due_.empty() || at < due_.begin()->first;
  due_[at].push_back(std::move(inbound));
  ++due_count_;
  if (first) timer_.start(std::chrono::milliseconds(after_ms));
}

void Smsc::Impl::serve_due() {
  const std::int64_t now = steady_ms();
  while (!due_.empty() && due_.begin()->first <= now) {
    for (Inbound& inbound : due_.begin()->second) {
      if (ready_.size() < kMaxBacklog)
        ready_.push_back(std::move(inbound));
      else
        ++counters_.dropped;
    }
    due_count_ -= due_.begin()->second.size();
    due_.erase(due_.begin());
  }
  if (!due_.empty()) timer_.start(std::chrono::milliseconds(due_.begin()->first - now));
  spread();
}

// Hands what is due to the receivers that have room, in turn: a receipt may come over any session.
void Smsc::Impl::spread() {
  std::size_t full = 0;
  while (!ready_.empty() && full < clients_.size()) {
    Client& client = *clients_[turn_++ % clients_.size()];
    if (!client.receives || client.gone || client.unanswered.size() >= options_.receipt_window) {
      ++full;
      continue;
    }
    full = 0;
    deliver(client, std::move(ready_.front()));
    ready_.pop_front();
  }
  for (const auto& client : clients_) flush(*client);
}

const std::string& Smsc::Impl::minute() {
  const std::time_t now = wall_ms() / 60'000 * 60;
  if (now != minute_of_) {
    minute_of_ = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    minute_ = fmt::format("{:%y%m%d%H%M}", utc);
  }
  return minute_;
}

void Smsc::Impl::deliver(Client& client, Inbound&& inbound) {
  const bool receipt = inbound.state != 0;
  client.sequence = client.sequence % 0x7fffffff + 1;
  Packer out(client.out);
  out.begin(command::kDeliverSm, kOk, client.sequence);
  out.text("");
  out.u8(1);
  out.u8(1);
  out.text(inbound.handset);
  out.u8(0);
  out.u8(0);
  out.text(inbound.sender);
  out.u8(receipt ? smpp::esm::kReceipt : std::uint8_t{0});
  for (int i = 0; i < 2; ++i) out.u8(0);  // protocol_id, priority_flag
  out.text("");
  out.text("");
  for (int i = 0; i < 4; ++i) out.u8(0);  // registered_delivery, replace_if_present, data_coding, default message
  if (receipt) {
    const bool good = inbound.state == kDelivered;
    const std::string id = id_text(inbound.id);
    // SMPP 3.4 Appendix B.
    out.octets(fmt::format("id:{} sub:001 dlvrd:{} submit date:{} done date:{} stat:{} err:{} text:", id,
                           good ? "001" : "000", minute(), minute(), good ? "DELIVRD" : "UNDELIV",
                           good ? "000" : "027"));
    out.text_parameter(tag::kReceiptedMessageId, id);
    out.parameter(tag::kMessageState, inbound.state);
  } else {
    out.octets(handsets_ == nullptr ? "YES" : handsets_->answer_of(inbound.handset));
  }
  out.end();
  client.unanswered.emplace(client.sequence, std::move(inbound));
}

void Smsc::Impl::on_delivered(Client& client, const smpp::Pdu& pdu) {
  auto node = client.unanswered.extract(pdu.header.sequence);
  if (!node) return;
  if (pdu.header.status != kOk) {
    ++counters_.repeated;
    return schedule(kRepeatAfterMs, std::move(node.mapped()));
  }
  ++(node.mapped().state != 0 ? counters_.receipts : counters_.replies);
}

void Smsc::Impl::unbind_all() {
  for (const auto& client : clients_) {
    if (!client->bound) continue;
    client->sends = client->receives = false;
    client->sequence = client->sequence % 0x7fffffff + 1;
    Packer out(client->out);
    out.begin(command::kUnbind, kOk, client->sequence);
    out.end();
    flush(*client);
  }
}

void Smsc::Impl::flush(Client& client) {
  if (client.out.empty() || client.gone) return;
  bufferevent_write(client.bev.get(), client.out.data(), client.out.size());
  client.out.clear();
  if (evbuffer_get_length(bufferevent_get_output(client.bev.get())) > kMaxOutput) client.gone = true;
}

// Sessions end here, outside their own callbacks; what they had not answered goes to another one.
void Smsc::Impl::collect() {
  if (std::exchange(collecting_, true)) return;
  loop_.defer([this, alive = alive_] {
    if (!*alive) return;
    collecting_ = false;
    std::erase_if(clients_, [this](const std::unique_ptr<Client>& client) {
      if (!client->gone) return false;
      for (auto& [sequence, inbound] : client->unanswered) {
        ++counters_.repeated;
        schedule(kRepeatAfterMs, std::move(inbound));
      }
      return true;
    });
    if (!ready_.empty()) spread();
  });
}

Smsc::Counters Smsc::Impl::counters() const {
  Counters now = counters_;
  now.waiting = due_count_ + ready_.size();
  for (const auto& client : clients_) {
    if (client->bound && !client->gone) ++now.sessions;
    now.waiting += client->unanswered.size();
  }
  return now;
}

Smsc::Smsc(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Smsc::~Smsc() = default;

Result<std::unique_ptr<Smsc>> Smsc::open(Loop& loop, SmscOptions options, Handsets* handsets) {
  auto impl = std::make_unique<Impl>(loop, std::move(options), handsets);
  if (const Status listening = impl->listen(); !listening) return fail(listening.what());
  return std::unique_ptr<Smsc>(new Smsc(std::move(impl)));
}

std::uint16_t Smsc::port() const { return impl_->port(); }
Smsc::Counters Smsc::counters() const { return impl_->counters(); }
const std::string& Smsc::network() const { return impl_->options().network; }
void Smsc::set_fault(SmscOptions::Fault fault) { impl_->set_fault(fault); }
void Smsc::cut_all() { impl_->cut_all(); }
void Smsc::unbind_all() { impl_->unbind_all(); }

}  // namespace postern::sandbox
