// SPDX-License-Identifier: Apache-2.0
// Replies of an SMTP server, whole and in pieces, and a session fed with them: no byte may make it say
// anything before TLS but EHLO and STARTTLS.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "connectors/channels/email/session.hpp"

namespace {

using namespace postern::email;

// The reader gives the same replies however the bytes are cut.
void read_both_ways(std::string_view bytes) {
  ReplyReader whole, pieces;
  std::size_t in_whole = 0, in_pieces = 0;
  whole.feed(bytes);
  while (const std::optional<Reply> reply = whole.next()) {
    ++in_whole;
    static_cast<void>(classify(*reply, Stage::body));
    static_cast<void>(classify(*reply, Stage::auth));
    static_cast<void>(queue_id(*reply));
  }
  for (const char c : bytes) pieces.feed({&c, 1});
  while (pieces.next()) ++in_pieces;
  if (whole.spoilt() != pieces.spoilt() || (!whole.spoilt() && in_whole != in_pieces)) std::abort();
}

void converse(std::string_view bytes) {
  SessionOptions options;
  options.hello = "gw";
  Session session(std::move(options));
  session.connected();
  bool secure = false;
  while (!bytes.empty() && !session.ended()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), 1 + static_cast<unsigned char>(bytes.front()) % 64);
    Action action = session.received(bytes.substr(0, size), 0);
    bytes.remove_prefix(size);
    if (!secure && !action.write.empty() && action.write != "EHLO gw\r\n" && action.write != "STARTTLS\r\n" &&
        action.write != "EHLO gw\r\nSTARTTLS\r\n")
      std::abort();
    if (action.start_tls) {
      secure = true;
      session.tls_ready();
    }
    if (session.ready()) {
      Mail mail;
      mail.from = mail.to = "a@b";
      mail.content = "x\r\n";
      mail.expires_ms = 1;
      session.send(std::move(mail), 0);
    }
    session.written();
  }
  session.lost("closed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_both_ways(bytes);
  converse(bytes);
  return 0;
}
