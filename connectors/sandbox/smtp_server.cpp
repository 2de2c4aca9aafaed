// SPDX-License-Identifier: Apache-2.0
#include "connectors/sandbox/smtp_server.hpp"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <gmime/gmime.h>
#pragma GCC diagnostic pop

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "connectors/sandbox/behaviour.hpp"
#include "crypto/bytes.hpp"

namespace postern::sandbox {
namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kMostClients = 256;
constexpr int kBusyTries = 2;

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
template <class T>
using Object = std::unique_ptr<T, Unref>;

// GObject's checked casts are macros of C casts.
template <class To, class From>
To* as(From* object) {
  return reinterpret_cast<To*>(object);
}

std::string text_of(GMimeObject* part) {
  char* text = g_mime_text_part_get_text(as<GMimeTextPart>(part));
  std::string out = text != nullptr ? text : "";
  g_free(text);
  std::erase(out, '\r');
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

// A header's text. GMime joins neighbouring base64 words before it decodes them and stops at the first one's
// padding, so each is decoded alone; blanks between two of them are no part of the text (RFC 2047 section 6.2).
std::string header_text(GMimeMessage* message, const char* name) {
  GMimeHeader* header = g_mime_header_list_get_header(g_mime_object_get_header_list(as<GMimeObject>(message)), name);
  const char* raw = header != nullptr ? g_mime_header_get_raw_value(header) : nullptr;
  std::string text, rest = raw != nullptr ? raw : "";
  std::erase_if(rest, [](char c) { return c == '\r' || c == '\n'; });
  rest.erase(0, rest.find_first_not_of(" \t"));
  const auto decode = [&text](const std::string& piece) {
    char* plain = g_mime_utils_header_decode_text(nullptr, piece.c_str());
    text += plain != nullptr ? plain : "";
    g_free(plain);
  };
  for (std::size_t end = 0; (end = rest.find("?=", end)) != std::string::npos; end += 2) {
    const std::size_t next = rest.find_first_not_of(" \t", end + 2);
    if (next == std::string::npos) break;
    if (next == end + 2 || rest.compare(next, 2, "=?") != 0) continue;
    decode(rest.substr(0, end + 2));
    rest.erase(0, next);
    end = 0;
  }
  decode(rest);
  return text;
}

// What a mail program would show of these bytes.
Received read_mail(const std::string& bytes) {
  static const bool opened = [] {
    g_mime_init();
    return true;
  }();
  static_cast<void>(opened);
  Received mail;
  mail.channel = "email";
  const Object<GMimeStream> stream(g_mime_stream_mem_new_with_buffer(bytes.data(), bytes.size()));
  const Object<GMimeParser> parser(g_mime_parser_new_with_stream(stream.get()));
  const Object<GMimeMessage> message(g_mime_parser_construct_message(parser.get(), nullptr));
  if (!message) {
    mail.note = "not a mail";
    return mail;
  }
  mail.subject = header_text(message.get(), "Subject");
  if (char* from = internet_address_list_to_string(g_mime_message_get_from(message.get()), nullptr, FALSE)) {
    mail.sender = from;
    g_free(from);
  }
  int signatures = 0;
  GMimeHeaderList* headers = g_mime_object_get_header_list(as<GMimeObject>(message.get()));
  for (int i = 0; i < g_mime_header_list_get_count(headers); ++i) {
    if (std::string_view(g_mime_header_get_name(g_mime_header_list_get_header_at(headers, i))) == "DKIM-Signature")
      ++signatures;
  }
  bool html = false;
  GMimePartIter* parts = g_mime_part_iter_new(as<GMimeObject>(message.get()));
  do {
    GMimeObject* part = g_mime_part_iter_get_current(parts);
    if (part == nullptr) continue;
    GMimeContentType* type = g_mime_object_get_content_type(part);
    if (g_mime_content_type_is_type(type, "text", "plain") == TRUE && mail.text.empty()) mail.text = text_of(part);
    if (g_mime_content_type_is_type(type, "text", "html") == TRUE) html = true;
  } while (g_mime_part_iter_next(parts) == TRUE);
  g_mime_part_iter_free(parts);
  mail.note = std::string(html ? "text and html" : "text") + ", " + std::to_string(signatures) + " DKIM signatures";
  return mail;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

// The address between '<' and '>'; nothing when there is none.
std::string path_in(std::string_view line) {
  const std::size_t open = line.find('<'), close = line.find('>');
  return open == std::string_view::npos || close == std::string_view::npos || close < open
             ? ""
             : std::string(line.substr(open + 1, close - open - 1));
}

}  // namespace

// One connection of a mail client.
class SmtpServer::Client {
 public:
  Client(SmtpServer& server, int fd) : server_(server), fd_(fd) {
    bev_.reset(bufferevent_socket_new(server_.loop_.base(), fd_, 0));
    hook();
    if (server_.options_.fault == SmtpFault::garbage)
      say("\x01\x02 sandbox speaks no SMTP today");
    else if (server_.options_.fault != SmtpFault::silent)
      say("220 sandbox.postern.test ESMTP");
  }
  ~Client() {
    bev_.reset();
    if (fd_ >= 0) close(fd_);
  }

 private:
  struct BevFree {
    void operator()(bufferevent* bev) const { bufferevent_free(bev); }
  };

  void hook() {
    bufferevent_setcb(
        bev_.get(), [](bufferevent*, void* self) { static_cast<Client*>(self)->on_bytes(); },
        [](bufferevent*, void* self) { static_cast<Client*>(self)->on_written(); },
        [](bufferevent*, short what, void* self) { static_cast<Client*>(self)->on_event(what); }, this);
    bufferevent_enable(bev_.get(), EV_READ | EV_WRITE);
  }

  void say(std::string_view line) {
    const std::string whole = std::string(line) + "\r\n";
    bufferevent_write(bev_.get(), whole.data(), whole.size());
  }

  void end() {
    if (!std::exchange(ended_, true)) server_.forget(this);
  }

  void on_event(short what) {
    if ((what & BEV_EVENT_CONNECTED) != 0) return;
    end();
  }

  void on_written() {
    if (closing_ && evbuffer_get_length(bufferevent_get_output(bev_.get())) == 0) return end();
    if (std::exchange(starting_tls_, false)) start_tls();
  }

  void start_tls() {
    SslHandle ssl = make_server_ssl(server_.tls_.get());
    bev_.reset();
    if (!ssl) return end();
    bev_.reset(bufferevent_openssl_socket_new(server_.loop_.base(), fd_, ssl.release(), BUFFEREVENT_SSL_ACCEPTING,
                                              BEV_OPT_CLOSE_ON_FREE));
    fd_ = -1;
    if (!bev_) return end();
    bufferevent_openssl_set_allow_dirty_shutdown(bev_.get(), 1);
    secure_ = true;
    hook();
  }

  void on_bytes() {
    evbuffer* input = bufferevent_get_input(bev_.get());
    while (!ended_ && !closing_ && !starting_tls_) {
      std::size_t size = 0;
      const std::unique_ptr<char, decltype(&std::free)> line(evbuffer_readln(input, &size, EVBUFFER_EOL_CRLF_STRICT),
                                                             std::free);
      if (!line) {
        if (evbuffer_get_length(input) > kLongestLine) end();
        return;
      }
      if (size > kLongestLine) return end();
      if (in_data_)
        take_line({line.get(), size});
      else
        command({line.get(), size});
    }
    // What a client pipelines behind STARTTLS was not encrypted by it (RFC 3207 section 4.2).
    if (starting_tls_ && evbuffer_get_length(input) > 0) end();
  }

  void command(std::string_view line) {
    if (server_.options_.fault == SmtpFault::silent) return;
    if (login_step_ > 0) return on_login_line(line);
    const std::string word = upper(line.substr(0, line.find(' ')));
    if (word == "EHLO") return on_hello();
    if (word == "NOOP") return say("250 2.0.0 Ok");
    if (word == "QUIT") {
      say("221 2.0.0 Bye");
      closing_ = true;
      return;
    }
    if (word == "STARTTLS" && !secure_ && server_.options_.fault != SmtpFault::no_starttls) {
      say("220 2.0.0 Ready to start TLS");
      starting_tls_ = true;
      return;
    }
    if (!secure_) return say("530 5.7.0 Must issue a STARTTLS command first");
    if (word == "AUTH") return on_auth(line);
    if (word == "RSET") {
      from_.clear();
      to_.clear();
      return say("250 2.0.0 Ok");
    }
    if (!server_.options_.user.empty() && !logged_in_) return say("530 5.7.0 Authentication required");
    if (word == "MAIL") return on_mail(line);
    if (word == "RCPT") return on_rcpt(line);
    if (word == "DATA") return on_data();
    say("502 5.5.2 Command not recognized");
  }

  void on_hello() {
    say("250-sandbox.postern.test");
    say("250-PIPELINING");
    say("250-SIZE " + std::to_string(server_.options_.largest_mail));
    if (!secure_ && server_.options_.fault != SmtpFault::no_starttls) say("250-STARTTLS");
    if (secure_ && !server_.options_.user.empty()) say("250-AUTH PLAIN LOGIN");
    say("250-8BITMIME");
    say("250-SMTPUTF8");
    say("250 ENHANCEDSTATUSCODES");
  }

  void on_auth(std::string_view line) {
    const std::string all = upper(line);
    if (all == "AUTH LOGIN") {
      login_step_ = 1;
      return say("334 VXNlcm5hbWU6");
    }
    if (!all.starts_with("AUTH PLAIN ")) return say("504 5.5.4 Mechanism not offered");
    Bytes response;
    const std::string wanted = std::string(1, '\0') + server_.options_.user + std::string(1, '\0') +
                               std::string(server_.options_.password.text());
    login(from_base64(line.substr(11), response) && as_text(response) == wanted);
  }

  void on_login_line(std::string_view line) {
    Bytes value;
    const bool good = from_base64(line, value);
    if (login_step_ == 1) {
      login_user_good_ = good && as_text(value) == server_.options_.user;
      login_step_ = 2;
      return say("334 UGFzc3dvcmQ6");
    }
    login_step_ = 0;
    login(good && login_user_good_ && server_.options_.password.equals(value));
  }

  void login(bool good) {
    logged_in_ = good;
    if (good) ++server_.counters_.logins;
    say(good ? "235 2.7.0 Authentication successful" : "535 5.7.8 Authentication credentials invalid");
  }

  void on_mail(std::string_view line) {
    if (!from_.empty()) return say("503 5.5.1 Nested MAIL command");
    from_ = path_in(line);
    to_.clear();
    say(from_.empty() ? "501 5.1.7 Bad sender address syntax" : "250 2.1.0 Ok");
  }

  void on_rcpt(std::string_view line) {
    if (from_.empty()) return say("503 5.5.1 Need MAIL command");
    const std::string address = path_in(line);
    if (address.find('@') == std::string::npos) return say("501 5.1.3 Bad recipient address syntax");
    const Behaviour behaviour = behaviour_of_email(address);
    if (behaviour == Behaviour::permanent_error) {
      ++server_.counters_.refused;
      return say("550 5.1.1 Mailbox does not exist");
    }
    if (behaviour == Behaviour::throttled) {
      int& tries = server_.busy_[address];
      if (tries++ < kBusyTries) {
        ++server_.counters_.deferred;
        return say("451 4.2.0 Mailbox busy, try again later");
      }
      server_.busy_.erase(address);
    }
    to_ = address;
    say("250 2.1.5 Ok");
  }

  void on_data() {
    if (to_.empty()) return say("554 5.5.1 No valid recipients");
    in_data_ = true;
    content_.clear();
    say("354 End data with <CR><LF>.<CR><LF>");
  }

  void take_line(std::string_view line) {
    if (line == ".") return on_content();
    if (line.starts_with('.')) line.remove_prefix(1);
    if (content_.size() > server_.options_.largest_mail) return;
    content_.append(line);
    content_ += "\r\n";
  }

  void on_content() {
    in_data_ = false;
    if (content_.size() > server_.options_.largest_mail) {
      say("552 5.3.4 Message too big");
    } else {
      Received mail = read_mail(content_);
      mail.handset = to_;
      server_.handsets_.receive(mail);
      say("250 2.0.0 Ok: queued as SANDBOX" + std::to_string(++server_.counters_.accepted));
    }
    from_.clear();
    to_.clear();
    content_.clear();
  }

  SmtpServer& server_;
  int fd_;  // ours until TLS takes it
  std::unique_ptr<bufferevent, BevFree> bev_;
  bool secure_ = false, starting_tls_ = false, closing_ = false, ended_ = false, in_data_ = false;
  bool logged_in_ = false, login_user_good_ = false;
  int login_step_ = 0;
  std::string from_, to_, content_;
};

SmtpServer::SmtpServer(Loop& loop, SmtpServerOptions options, Handsets& handsets, SslContext tls, int fd,
                       std::uint16_t port)
    : loop_(loop),
      options_(std::move(options)),
      handsets_(handsets),
      tls_(std::move(tls)),
      fd_(fd),
      port_(port),
      listening_(std::make_unique<Watch>(loop, fd, Watch::For::read, [this] { on_connection(); })),
      alive_(std::make_shared<bool>(true)) {
  listening_->start();
}

SmtpServer::~SmtpServer() {
  *alive_ = false;
  listening_.reset();
  clients_.clear();
  close(fd_);
}

Result<std::unique_ptr<SmtpServer>> SmtpServer::start(Loop& loop, SmtpServerOptions options, Handsets& handsets) {
  Result<SslContext> tls = make_tls_open_server(options.tls);
  if (!tls) return std::unexpected(tls.error());
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(options.port);
  if (inet_pton(AF_INET, options.address.c_str(), &at.sin_addr) != 1)
    return fail("sandbox SMTP: '" + options.address + "' is no IPv4 address");
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  socklen_t size = sizeof at;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&at), size) != 0 || listen(fd, 128) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) close(fd);
    return fail("sandbox SMTP: cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " + why +
                "; choose another port");
  }
  return std::unique_ptr<SmtpServer>(
      new SmtpServer(loop, std::move(options), handsets, std::move(*tls), fd, ntohs(at.sin_port)));
}

void SmtpServer::on_connection() {
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (clients_.size() >= kMostClients) {
    close(fd);
    return;
  }
  ++counters_.connections;
  auto client = std::make_unique<Client>(*this, fd);
  Client* key = client.get();
  clients_.emplace(key, std::move(client));
}

// A client's own callback is running: it goes when this turn of the loop is over.
void SmtpServer::forget(Client* client) {
  loop_.defer([this, client, alive = alive_] {
    if (*alive) clients_.erase(client);
  });
}

}  // namespace postern::sandbox
