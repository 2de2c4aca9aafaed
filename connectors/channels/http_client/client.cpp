// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/http_client/client.hpp"

#include <curl/curl.h>
#include <unistd.h>

#include <unordered_map>
#include <utility>

namespace postern::http_client {
namespace {

constexpr std::size_t kIdleHandles = 128;
// Providers close idle connections after a minute or more. Of several connections one that has rested this long beside a busy one
// is not used again, so that a request is seldom lost in the moment of closing.
constexpr long kMaxRestSeconds = 45;
// libcurl, nghttp2 and OpenSSL keep the last frames of a connection, which hold a text and a number, in buffers as long as it
// lives. So when nothing is under way connections end; the next request makes one, at the price of a handshake.
constexpr std::chrono::milliseconds kRest{500};

struct HeadersFree {
  // libcurl copies each line; one of them holds the token.
  void operator()(curl_slist* list) const {
    for (const curl_slist* line = list; line != nullptr; line = line->next)
      wipe(line->data, std::char_traits<char>::length(line->data));
    curl_slist_free_all(list);
  }
};
using Headers = std::unique_ptr<curl_slist, HeadersFree>;

struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyFree>;

struct MultiFree {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

struct Transfer {
  Client::Ticket ticket = 0;
  Easy easy;
  Headers headers;
  std::string url, body, answer;
  Client::Done done;
  std::size_t max_answer = 0;
  std::int64_t not_after_ms = 0;
  bool left = false;   // the request was about to be written: from here on it may have arrived
  bool again = false;  // libcurl wanted to write it a second time
  bool late = false;   // held back because not_after_ms had passed
  bool too_large = false;

  ~Transfer() {
    easy.reset();  // before the headers and the body it points to
    wipe_text(body);
  }
};

void put(Headers& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) std::abort();  // out of memory
  (void)list.release();
  list.reset(longer);
}

std::size_t on_answer(char* data, std::size_t size, std::size_t count, void* slot) {
  auto& transfer = *static_cast<Transfer*>(slot);
  if (transfer.answer.size() + size * count > transfer.max_answer) {
    transfer.too_large = true;
    return 0;
  }
  transfer.answer.append(data, size * count);
  return size * count;
}

// Called when a connection stands and the request is about to be written on it. libcurl writes a
// request again when a reused connection ended without an answer, also a POST: a message could go out
// twice, so the second time is stopped here.
int on_about_to_send(void* slot, char*, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(slot);
  if (std::exchange(transfer.left, true)) {
    transfer.again = true;
    return CURL_PREREQFUNC_ABORT;
  }
  if (transfer.not_after_ms != 0 && wall_ms() >= transfer.not_after_ms) {
    transfer.left = false;
    transfer.late = true;
    return CURL_PREREQFUNC_ABORT;
  }
  return CURL_PREREQFUNC_OK;
}

std::string word_for(CURLcode code) {
  switch (static_cast<int>(code)) {  // an int: the library's list grows and is not ours to complete
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "resolve";
    case CURLE_COULDNT_CONNECT:
      return "connect";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return "tls";
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return "closed";
    default:
      return "other";
  }
}

class CurlClient final : public Client {
 public:
  CurlClient(Loop& loop, ClientSettings settings)
      : loop_(loop),
        settings_(std::move(settings)),
        timer_(loop, [this] { act(CURL_SOCKET_TIMEOUT, 0); }),
        rest_(loop, [this] { end_connections(); }),
        alive_(std::make_shared<bool>(true)) {
    make_multi();
  }

  ~CurlClient() override {
    *alive_ = false;
    for (auto& [ticket, transfer] : transfers_) curl_multi_remove_handle(multi_.get(), transfer->easy.get());
    transfers_.clear();
    idle_.clear();
    multi_.reset();  // calls on_socket to end the watches, so before them
  }

  Ticket send(Request&& request, Done done) override {
    auto transfer = std::make_unique<Transfer>();
    transfer->ticket = ++last_ticket_;
    transfer->easy = take_handle();
    transfer->url = std::move(request.url);
    transfer->body = std::exchange(request.body, {});
    transfer->done = std::move(done);
    transfer->max_answer = settings_.max_answer;
    transfer->not_after_ms = request.not_after_ms;
    for (const std::string& line : request.headers) put(transfer->headers, line);
    put(transfer->headers, "Expect:");
    if (request.bearer != nullptr) {
      std::string line;
      line.reserve(32 + request.bearer->size());
      line.append("Authorization: Bearer ").append(request.bearer->text());
      put(transfer->headers, line);
      wipe_text(line);
    }
    prepare(*transfer, request);
    CURL* easy = transfer->easy.get();
    const Ticket ticket = transfer->ticket;
    transfers_.emplace(ticket, std::move(transfer));
    curl_multi_add_handle(multi_.get(), easy);
    return ticket;
  }

  bool withdraw(Ticket ticket) override {
    const auto found = transfers_.find(ticket);
    if (found == transfers_.end() || found->second->left) return false;
    curl_multi_remove_handle(multi_.get(), found->second->easy.get());
    transfers_.erase(found);
    if (transfers_.empty()) rest_.start(kRest);
    return true;
  }

  std::size_t under_way() const override { return transfers_.size(); }

 private:
  struct Socket {
    Socket(CurlClient& client, curl_socket_t fd)
        : read(client.loop_, fd, Watch::For::read, [&client, fd] { client.act(fd, CURL_CSELECT_IN); }),
          write(client.loop_, fd, Watch::For::write, [&client, fd] { client.act(fd, CURL_CSELECT_OUT); }) {}
    Watch read, write;
  };

  void make_multi() {
    multi_.reset(curl_multi_init());
    if (multi_ == nullptr) std::abort();
    CURLM* multi = multi_.get();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, settings_.connections);
  }

  // Ends every connection and what was kept for it.
  void end_connections() {
    if (!transfers_.empty()) return;
    idle_.clear();
    timer_.stop();
    make_multi();
  }

  Easy take_handle() {
    if (idle_.empty()) {
      Easy made(curl_easy_init());
      if (!made) std::abort();
      return made;
    }
    Easy easy = std::move(idle_.back());
    idle_.pop_back();
    return easy;
  }

  void prepare(Transfer& transfer, const Request& request) {
    CURL* easy = transfer.easy.get();
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };
    set(CURLOPT_PRIVATE, &transfer);
    set(CURLOPT_URL, transfer.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PIPEWAIT, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(settings_.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    set(CURLOPT_MAXAGE_CONN, kMaxRestSeconds);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_USERAGENT, "postern");
    set(CURLOPT_PROXY, settings_.proxy.c_str());  // empty text: no proxy, and none from the environment
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_CIPHER_LIST, "ECDHE+AESGCM:ECDHE+CHACHA20");
    set(CURLOPT_SSL_EC_CURVES, "X25519:P-256");
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_CAINFO, settings_.ca.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // the system's roots would be trusted besides ours
    if (!settings_.certificate.empty()) {
      set(CURLOPT_SSLCERT, settings_.certificate.c_str());
      set(CURLOPT_SSLKEY, settings_.key.c_str());
    }
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
    set(CURLOPT_HTTPHEADER, transfer.headers.get());
    set(CURLOPT_WRITEFUNCTION, on_answer);
    set(CURLOPT_WRITEDATA, &transfer);
    set(CURLOPT_PREREQFUNCTION, on_about_to_send);
    set(CURLOPT_PREREQDATA, &transfer);
    if (request.method == Method::post) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.body.size()));
      set(CURLOPT_POSTFIELDS, transfer.body.c_str());  // not copied: it is wiped with the transfer
    } else {
      set(CURLOPT_HTTPGET, 1L);
    }
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
    auto& client = *static_cast<CurlClient*>(self);
    auto* socket = static_cast<Socket*>(known);
    if (what == CURL_POLL_REMOVE) {
      client.sockets_.erase(fd);
      return 0;
    }
    if (socket == nullptr) {
      auto made = std::make_unique<Socket>(client, fd);
      socket = made.get();
      client.sockets_[fd] = std::move(made);
      curl_multi_assign(client.multi_.get(), fd, socket);
    }
    (what & CURL_POLL_IN) != 0 ? socket->read.start() : socket->read.stop();
    (what & CURL_POLL_OUT) != 0 ? socket->write.start() : socket->write.stop();
    return 0;
  }

  static int on_timer(CURLM*, long wait_ms, void* self) {
    auto& client = *static_cast<CurlClient*>(self);
    if (wait_ms < 0)
      client.timer_.stop();
    else
      client.timer_.start(std::chrono::milliseconds(wait_ms));
    return 0;
  }

  void act(curl_socket_t fd, int ready) {
    int running = 0;
    curl_multi_socket_action(multi_.get(), fd, ready, &running);
    finish();
  }

  void finish() {
    const std::shared_ptr<bool> alive = alive_;
    int queued = 0;
    while (*alive) {
      const CURLMsg* message = curl_multi_info_read(multi_.get(), &queued);
      if (message == nullptr) return;
      if (message->msg != CURLMSG_DONE) continue;
      void* slot = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
      const CURLcode code = message->data.result;  // the message ends with the handle's removal
      const auto found = transfers_.find(static_cast<Transfer*>(slot)->ticket);
      const std::unique_ptr<Transfer> transfer = std::move(found->second);
      transfers_.erase(found);
      curl_multi_remove_handle(multi_.get(), transfer->easy.get());
      Outcome outcome = judge(*transfer, code);
      retire(std::move(transfer->easy));
      if (transfers_.empty()) rest_.start(kRest);
      transfer->done(std::move(outcome));
    }
  }

  static Outcome judge(Transfer& transfer, CURLcode code) {
    Outcome outcome;
    if (code == CURLE_OK) {
      long status = 0;
      curl_off_t wait = 0;
      curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(transfer.easy.get(), CURLINFO_RETRY_AFTER, &wait);
      outcome.kind = Outcome::Kind::answered;
      outcome.status = static_cast<int>(status);
      if (wait > 0) outcome.retry_after = std::chrono::seconds(wait);
      outcome.body = std::move(transfer.answer);
      return outcome;
    }
    outcome.kind = transfer.left ? Outcome::Kind::in_doubt : Outcome::Kind::not_sent;
    outcome.why = transfer.late        ? "late"
                  : transfer.again     ? "closed"
                  : transfer.too_large ? "answer-too-large"
                                       : word_for(code);
    return outcome;
  }

  void retire(Easy easy) {
    if (idle_.size() >= kIdleHandles) return;
    curl_easy_reset(easy.get());
    idle_.push_back(std::move(easy));
  }

  Loop& loop_;
  ClientSettings settings_;
  std::unordered_map<curl_socket_t, std::unique_ptr<Socket>> sockets_;
  std::unique_ptr<CURLM, MultiFree> multi_;
  Timer timer_, rest_;
  std::vector<Easy> idle_;
  std::unordered_map<Ticket, std::unique_ptr<Transfer>> transfers_;
  Ticket last_ticket_ = 0;
  std::shared_ptr<bool> alive_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::make(Loop& loop, ClientSettings settings) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return fail("the HTTP library could not start");
  for (const std::string* file : {&settings.ca, &settings.certificate, &settings.key})
    if (!file->empty() && access(file->c_str(), R_OK) != 0)
      return fail("the file " + *file + " cannot be read; check that it exists and who may read it");
  return std::make_unique<CurlClient>(loop, std::move(settings));
}

}  // namespace postern::http_client
