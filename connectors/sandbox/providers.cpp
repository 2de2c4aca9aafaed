// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/providers.hpp"

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "connectors/channels/http_client/client.hpp"
#include "connectors/channels/push/service_account.hpp"
#include "connectors/protocol/log.hpp"
#include "connectors/sandbox/behaviour.hpp"
#include "connectors/sandbox/http2_server.hpp"
#include "connectors/sources/hook/signature.hpp"
#include "connectors/sources/json/document.hpp"
#include "connectors/sources/json/writer.hpp"
#include "crypto/bytes.hpp"

namespace postern::sandbox {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxBody = 64 * 1024;
constexpr milliseconds kSoon{20}, kLate{kLateSeconds * 1000}, kGather{5}, kRepost{1'000};
constexpr std::size_t kItemsPerPost = 200, kPostsAtOnce = 8;
constexpr int kThrottledTries = 2;
constexpr std::int64_t kTokenLifeS = 3599;

Http2Response answer(int status, std::string body) {
  Http2Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Http2Response fcm_error(int status, std::string_view word, std::string_view code) {
  std::string body;
  json::Writer w(body);
  w.object().key("error").object().key("code").number(status).key("message").text("refused by the sandbox");
  w.key("status").text(word).key("details").array();
  if (!code.empty())
    w.object()
        .key("@type")
        .text("type.googleapis.com/google.firebase.fcm.v1.FcmError")
        .key("errorCode")
        .text(code)
        .end_object();
  w.end_array().end_object().end_object();
  return answer(status, std::move(body));
}

Http2Response graph_error(int status, int code) {
  std::string body;
  json::Writer(body)
      .object()
      .key("error")
      .object()
      .key("message")
      .text(fmt::format("(#{}) refused by the sandbox", code))
      .key("type")
      .text("OAuthException")
      .key("code")
      .number(code)
      .key("fbtrace_id")
      .text("sandbox")
      .end_object()
      .end_object();
  return answer(status, std::move(body));
}

std::optional<Bytes> from_base64url(std::string_view text) {
  std::string plain(text);
  std::ranges::replace(plain, '-', '+');
  std::ranges::replace(plain, '_', '/');
  while (plain.size() % 4 != 0) plain.push_back('=');
  Bytes bytes;
  if (plain.empty() || !from_base64(plain, bytes)) return std::nullopt;
  return bytes;
}

struct DigestFree {
  void operator()(EVP_MD_CTX* digest) const { EVP_MD_CTX_free(digest); }
};

// Empty when the assertion is one of this account and good now; else why not.
std::string assertion_fault(const push::ServiceAccount& account, std::string_view assertion) {
  const std::size_t first = assertion.find('.'), last = assertion.rfind('.');
  if (first == std::string_view::npos || first == last) return "it has not three parts";
  const auto claims = from_base64url(assertion.substr(first + 1, last - first - 1));
  const auto signature = from_base64url(assertion.substr(last + 1));
  if (!claims || !signature) return "it is no base64url";
  const std::unique_ptr<EVP_MD_CTX, DigestFree> digest(EVP_MD_CTX_new());
  const ByteView input = as_bytes(assertion.substr(0, last));
  if (!digest || EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, account.key.get()) != 1 ||
      EVP_DigestVerify(digest.get(), signature->data(), signature->size(), input.data(), input.size()) != 1)
    return "its signature is wrong";
  json::Document document;
  if (document.parse(as_text(*claims), kMaxBody)) return "its claims are no JSON";
  const json::Value root = document.root();
  const std::int64_t now = wall_ms() / 1000, from = root.find("iat").integer().value_or(0),
                     until = root.find("exp").integer().value_or(0);
  if (root.find("iss").text() != account.client_email) return "another account issued it";
  if (root.find("aud").text() != account.token_uri) return "it is for another audience";
  if (from > now + 60 || until <= now || until - from > 3600) return "it is not good at this time";
  return {};
}

// What is due later, in the order of its time and, at one time, of its coming.
class Schedule {
 public:
  explicit Schedule(Loop& loop) : timer_(loop, [this] { run(); }) {}
  void after(milliseconds wait, std::function<void()> work) {
    const std::int64_t at = steady_ms() + wait.count();
    if (due_.empty() || at < due_.begin()->first) timer_.start(wait);
    due_.emplace(at, std::move(work));
  }
  bool empty() const { return due_.empty(); }

 private:
  void run() {
    while (!due_.empty() && due_.begin()->first <= steady_ms()) {
      const auto work = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      work();
    }
    if (!due_.empty()) timer_.start(milliseconds(std::max<std::int64_t>(1, due_.begin()->first - steady_ms())));
  }
  std::multimap<std::int64_t, std::function<void()>> due_;
  Timer timer_;
};

// True for the first tries with this key, so that each throttled recipient gets through in the end.
class Throttle {
 public:
  bool refuses(const std::string& key) {
    if (++tries_[key] <= kThrottledTries) return true;
    tries_.erase(key);
    return false;
  }

 private:
  std::unordered_map<std::string, int> tries_;
};

}  // namespace

class Providers::World {
 public:
  World(Loop& loop, ProviderOptions options, Handsets& handsets)
      : loop_(loop),
        options_(std::move(options)),
        app_secret_(std::string_view(options_.app_secret)),
        handsets_(handsets),
        schedule_(loop),
        gather_(loop, [this] { post_webhooks(); }),
        alive_(std::make_shared<bool>(true)) {}
  ~World() { *alive_ = false; }

  Status start();
  std::uint16_t port() const { return server_->port(); }
  bool idle() const { return schedule_.empty() && queue_.empty() && posts_ == 0; }
  ProviderCounts counts;

 private:
  // One status or inbound message, as JSON; Meta posts the two in separate bodies.
  struct Item {
    bool status = true;
    std::string json;
  };

  Http2Response serve(const Http2Request& request);
  Http2Response give_token(const Http2Request& request);
  Http2Response take_push(const Http2Request& request);
  Http2Response take_whatsapp(const Http2Request& request);
  void acknowledge(milliseconds wait, const std::string& message_id, const char* status);
  void whatsapp_life(Behaviour behaviour, const std::string& wamid, const std::string& to, const std::string& echo);
  void status(milliseconds wait, const std::string& wamid, const std::string& to, const std::string& echo,
              const char* word, int error = 0);
  void inbound_yes(milliseconds wait, const std::string& wamid, const std::string& from);
  void enqueue(Item item);
  void post_webhooks();
  void post(std::vector<Item> items);

  Loop& loop_;
  ProviderOptions options_;
  Secret app_secret_;
  Handsets& handsets_;
  std::optional<push::ServiceAccount> account_;
  std::unordered_set<std::string> tokens_;
  Schedule schedule_;
  Throttle throttle_;
  std::deque<Item> queue_;  // for the webhook
  std::size_t posts_ = 0;
  Timer gather_;
  std::unique_ptr<http_client::Client> client_;
  std::unique_ptr<Http2Server> server_;
  // Not the same again after a restart: the gateway remembers the ids of its messages.
  std::uint64_t last_id_ = static_cast<std::uint64_t>(wall_ms()) << 10;
  std::shared_ptr<bool> alive_;
};

Status Providers::World::start() {
  if (!options_.service_account.empty()) {
    Result<push::ServiceAccount> account =
        push::ServiceAccount::read(Secret(std::string_view(options_.service_account)));
    if (!account) return fail(account.what());
    account_ = std::move(*account);
  }
  if (!options_.hook_url.empty()) {
    http_client::ClientSettings settings;
    settings.ca = options_.hook_ca;
    settings.certificate = options_.hook_certificate;
    settings.key = options_.hook_key;
    settings.connections = static_cast<long>(kPostsAtOnce);
    Result<std::unique_ptr<http_client::Client>> client = http_client::Client::make(loop_, std::move(settings));
    if (!client) return fail(client.what());
    client_ = std::move(*client);
  }
  Result<std::unique_ptr<Http2Server>> server =
      Http2Server::open(loop_, {options_.address, options_.port, options_.certificate, options_.key},
                        [this](Http2Request&& request, const Http2Server::Reply& reply) { reply(serve(request)); });
  if (!server) return fail(server.what());
  server_ = std::move(*server);
  return {};
}

Http2Response Providers::World::serve(const Http2Request& request) {
  const bool post = request.method == "POST";
  if (post && request.path == "/token") return give_token(request);
  if (post && account_ && request.path == "/v1/projects/" + account_->project_id + "/messages:send")
    return take_push(request);
  const std::string number = "/" + options_.phone_number_id;
  if (post && !options_.phone_number_id.empty() && request.path.ends_with(number + "/messages"))
    return take_whatsapp(request);
  if (request.method == "GET" && !options_.phone_number_id.empty() &&
      request.path.find(number + "?") != std::string::npos) {
    if (request.authorization != "Bearer " + options_.whatsapp_token) return graph_error(401, 190);
    return answer(
        200,
        R"({"status":"CONNECTED","quality_rating":"GREEN","health_status":{"can_send_message":"AVAILABLE"},"id":")" +
            options_.phone_number_id + "\"}");
  }
  return answer(404, R"({"error":{"code":404,"message":"the sandbox serves nothing here","status":"NOT_FOUND"}})");
}

Http2Response Providers::World::give_token(const Http2Request& request) {
  constexpr std::string_view before = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
  std::string fault = "no service account is set up";
  if (account_)
    fault = request.body.starts_with(before)
                ? assertion_fault(*account_, std::string_view(request.body).substr(before.size()))
                : "the grant is of another kind";
  if (!fault.empty()) {
    ++counts.token_refusals;
    log::warning("sandbox.token", "an assertion was refused: {}", fault);
    return answer(400, R"({"error":"invalid_grant","error_description":")" + fault + "\"}");
  }
  std::string token = fmt::format("sandbox-access-{}", ++counts.tokens);
  std::string body;
  json::Writer(body)
      .object()
      .key("access_token")
      .text(token)
      .key("expires_in")
      .number(kTokenLifeS)
      .key("token_type")
      .text("Bearer")
      .end_object();
  tokens_.insert("Bearer " + token);
  return answer(200, std::move(body));
}

Http2Response Providers::World::take_push(const Http2Request& request) {
  if (!tokens_.contains(request.authorization)) {
    ++counts.push_refused;
    return fcm_error(401, "UNAUTHENTICATED", "");
  }
  json::Document document;
  (void)document.parse(request.body, kMaxBody);
  const json::Value root = document.root(), message = root.find("message"), note = message.find("notification");
  const std::string token(message.find("token").text()), id(message.find("data").find("mid").text());
  if (root.find("validate_only").boolean()) return fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT");
  const Behaviour behaviour = behaviour_of_token(token);
  const auto refuse = [&](Http2Response&& response) {
    ++counts.push_refused;
    return std::move(response);
  };
  if (token.empty() || behaviour == Behaviour::permanent_error)
    return refuse(fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"));
  if (behaviour == Behaviour::handset_off) return refuse(fcm_error(404, "NOT_FOUND", "UNREGISTERED"));
  if (behaviour == Behaviour::throttled && throttle_.refuses(token)) {
    Http2Response response = fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED");
    response.fields.emplace_back("retry-after", "1");
    return refuse(std::move(response));
  }
  ++counts.push_accepted;
  Received received;
  received.handset = token;
  received.channel = "push";
  received.subject = note.find("title").text();
  received.text = note.find("body").text();
  received.note = fmt::format("priority {}", message.find("android").find("priority").text());
  handsets_.receive(received);
  const milliseconds wait = behaviour == Behaviour::late ? kLate : kSoon;
  if (behaviour != Behaviour::no_receipt) acknowledge(wait, id, "delivered");
  if (behaviour == Behaviour::read) acknowledge(wait + kSoon, id, "read");
  return answer(200, fmt::format(R"({{"name":"projects/{}/messages/0:{:016x}"}})", account_->project_id, ++last_id_));
}

void Providers::World::acknowledge(milliseconds wait, const std::string& message_id, const char* status) {
  if (!options_.app_acknowledges) return;
  schedule_.after(wait, [this, message_id, status] {
    ++counts.acknowledged;
    options_.app_acknowledges(message_id, status);
  });
}

Http2Response Providers::World::take_whatsapp(const Http2Request& request) {
  const auto refuse = [&](int http, int code) {
    ++counts.whatsapp_refused;
    return graph_error(http, code);
  };
  if (request.authorization != "Bearer " + options_.whatsapp_token) return refuse(401, 190);
  json::Document document;
  (void)document.parse(request.body, kMaxBody);
  const json::Value root = document.root(), form = root.find("template");
  std::string to(root.find("to").text());
  if (to.empty()) to = root.find("recipient").text();
  if (root.find("messaging_product").text() != "whatsapp" || to.empty()) return refuse(400, 131008);
  const Behaviour behaviour = behaviour_of_number(to);
  if (behaviour == Behaviour::not_on_whatsapp || behaviour == Behaviour::permanent_error) return refuse(400, 131026);
  if (behaviour == Behaviour::throttled && throttle_.refuses("wa " + to)) return refuse(429, 130429);

  ++counts.whatsapp_accepted;
  Received received;
  received.handset = to;
  received.channel = "whatsapp";
  received.sender = options_.phone_number_id;
  received.text = root.find("text").find("body").text();
  if (form) {
    received.note =
        fmt::format("template {} ({})", form.find("name").text(), form.find("language").find("code").text());
    for (json::Value p = form.find("components").first().find("parameters").first(); p; p = p.next())
      received.text += (received.text.empty() ? "" : " | ") + std::string(p.find("text").text());
  }
  if (behaviour != Behaviour::handset_off) handsets_.receive(received);
  const std::string wamid = fmt::format("wamid.SANDBOX{:016x}", ++last_id_);
  whatsapp_life(behaviour, wamid, to, std::string(root.find("biz_opaque_callback_data").text()));
  std::string body;
  json::Writer w(body);
  w.object().key("messaging_product").text("whatsapp");
  w.key("contacts").array().object().key("input").text(to).key("wa_id").text(to).end_object().end_array();
  w.key("messages")
      .array()
      .object()
      .key("id")
      .text(wamid)
      .key("message_status")
      .text("accepted")
      .end_object()
      .end_array();
  w.end_object();
  return answer(200, std::move(body));
}

void Providers::World::whatsapp_life(Behaviour behaviour, const std::string& wamid, const std::string& to,
                                     const std::string& echo) {
  if (behaviour == Behaviour::no_receipt || !client_) return;
  status(kSoon, wamid, to, echo, "sent");
  if (behaviour == Behaviour::handset_off) return status(kSoon * 2, wamid, to, echo, "failed", 131026);
  status(behaviour == Behaviour::late ? kLate : kSoon * 2, wamid, to, echo, "delivered");
  if (behaviour == Behaviour::read || behaviour == Behaviour::replies) status(kSoon * 3, wamid, to, echo, "read");
  if (behaviour == Behaviour::replies) inbound_yes(kSoon * 4, wamid, to);
}

void Providers::World::status(milliseconds wait, const std::string& wamid, const std::string& to,
                              const std::string& echo, const char* word, int error) {
  schedule_.after(wait, [this, wamid, to, echo, word, error] {
    Item item;
    json::Writer w(item.json);
    w.object().key("id").text(wamid).key("status").text(word).key("timestamp").text(std::to_string(wall_ms() / 1000));
    w.key("recipient_id").text(to);
    if (!echo.empty()) w.key("biz_opaque_callback_data").text(echo);
    if (error != 0)
      w.key("errors")
          .array()
          .object()
          .key("code")
          .number(error)
          .key("title")
          .text("Message undeliverable")
          .end_object()
          .end_array();
    w.end_object();
    enqueue(std::move(item));
  });
}

void Providers::World::inbound_yes(milliseconds wait, const std::string& wamid, const std::string& from) {
  schedule_.after(wait, [this, wamid, from] {
    Item item;
    item.status = false;
    json::Writer w(item.json);
    w.object()
        .key("from")
        .text(from)
        .key("id")
        .text(wamid + ".reply")
        .key("timestamp")
        .text(std::to_string(wall_ms() / 1000));
    w.key("type").text("text").key("text").object().key("body").text(handsets_.answer_of(from)).end_object();
    w.key("context").object().key("id").text(wamid).end_object().end_object();
    enqueue(std::move(item));
  });
}

void Providers::World::enqueue(Item item) {
  queue_.push_back(std::move(item));
  if (queue_.size() == 1) gather_.start(kGather);
}

void Providers::World::post_webhooks() {
  while (!queue_.empty() && posts_ < kPostsAtOnce) {
    std::vector<Item> items;
    const bool statuses = queue_.front().status;
    while (!queue_.empty() && queue_.front().status == statuses && items.size() < kItemsPerPost) {
      items.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    post(std::move(items));
  }
}

void Providers::World::post(std::vector<Item> items) {
  http_client::Request request;
  json::Writer w(request.body);
  w.object().key("object").text("whatsapp_business_account").key("entry").array().object().key("id").text("sandbox");
  w.key("changes")
      .array()
      .object()
      .key("field")
      .text("messages")
      .key("value")
      .object()
      .key("messaging_product")
      .text("whatsapp");
  w.key("metadata").object().key("phone_number_id").text(options_.phone_number_id).end_object();
  w.key(items.front().status ? "statuses" : "messages").array();
  for (const Item& item : items) w.raw(item.json);
  w.end_array().end_object().end_object().end_array().end_object().end_array().end_object();
  request.url = options_.hook_url;
  request.headers = {"Content-Type: application/json",
                     "X-Hub-Signature-256: " + hook::hub_signature(app_secret_, request.body)};
  ++posts_;
  client_->send(std::move(request),
                [this, alive = alive_, items = std::move(items)](http_client::Outcome&& outcome) mutable {
                  if (!*alive) return;
                  --posts_;
                  if (outcome.kind == http_client::Outcome::Kind::answered && outcome.status == 200) {
                    counts.webhook_facts += items.size();
                    return post_webhooks();
                  }
                  // As Meta does: the same again, later, until it is taken.
                  ++counts.webhook_failures;
                  for (auto item = items.rbegin(); item != items.rend(); ++item) queue_.push_front(std::move(*item));
                  gather_.start(kRepost);
                });
}

Providers::Providers() = default;
Providers::~Providers() = default;

Result<std::unique_ptr<Providers>> Providers::open(Loop& loop, ProviderOptions options, Handsets& handsets) {
  std::unique_ptr<Providers> providers(new Providers);
  providers->world_ = std::make_unique<World>(loop, std::move(options), handsets);
  if (const Status started = providers->world_->start(); !started) return fail(started.what());
  return providers;
}

std::uint16_t Providers::port() const { return world_->port(); }
const ProviderCounts& Providers::counts() const { return world_->counts; }
bool Providers::idle() const { return world_->idle(); }

Result<std::string> make_service_account(const std::string& project_id, const std::string& token_uri) {
  const push::PrivateKey key(EVP_RSA_gen(2048));
  struct BioFree {
    void operator()(BIO* bio) const { BIO_free(bio); }
  };
  const std::unique_ptr<BIO, BioFree> pem(BIO_new(BIO_s_mem()));
  if (!key || !pem || PEM_write_bio_PKCS8PrivateKey(pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail("the RSA key could not be made");
  std::string text(16 * 1024, '\0');
  const int size = BIO_read(pem.get(), text.data(), static_cast<int>(text.size()));
  if (size <= 0) return fail("the RSA key could not be written");
  text.resize(static_cast<std::size_t>(size));
  std::string account;
  json::Writer(account)
      .object()
      .key("type")
      .text("service_account")
      .key("project_id")
      .text(project_id)
      .key("private_key_id")
      .text("sandbox-key-1")
      .key("private_key")
      .text(text)
      .key("client_email")
      .text("push@" + project_id + ".iam.sandbox")
      .key("token_uri")
      .text(token_uri)
      .end_object();
  wipe_text(text);
  return account;
}

}  // namespace postern::sandbox
