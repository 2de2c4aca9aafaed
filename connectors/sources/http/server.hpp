// SPDX-License-Identifier: Apache-2.0
// Purpose: an HTTPS server on the loop: listens, does TLS, reads requests strictly, keeps every
// deadline and limit, and hands complete requests to its handlers.
// Used by: postern-https (clients must show a certificate) and postern-hook (they need none).
// Threads: one loop. Ownership: the server owns its connections; handlers must outlive it, and the
// views of a Request end with the call that got it.
// Errors: open() and reload() say what is wrong; a peer's fault ends that peer's connection only.
// Limits: ServerLimits; all memory that a peer can cause is bounded by them.
//
// SECURITY: reads bytes of unknown peers. TLS is OpenSSL's; everything after it is read by
// RequestParser. Without a verified client certificate (where one is demanded) not one byte of HTTP
// is read. A takeover yields the private key and the requests passing through at that time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "connectors/protocol/loop.hpp"
#include "connectors/sources/http/answer.hpp"
#include "connectors/sources/http/request_parser.hpp"
#include "crypto/result.hpp"
#include "crypto/tls.hpp"

namespace postern::http {

// Who is at the other end.
struct Peer {
  std::string address;                   // "192.0.2.7" or "2001:db8::7", without the port
  std::optional<PeerIdentity> identity;  // present exactly when client certificates are demanded
};

struct ServerLimits {
  std::chrono::milliseconds handshake{5'000};       // from accept to the end of the TLS handshake
  std::chrono::milliseconds head{10'000};           // from the first byte of a request to the end of its head
  std::chrono::milliseconds request{30'000};        // from the first byte of a request to its last
  std::chrono::milliseconds idle{60'000};           // without a request
  std::chrono::milliseconds write{30'000};          // for the peer to take what was answered
  std::chrono::milliseconds recheck{60'000};        // open connections' certificates are verified again
  std::chrono::milliseconds watch{5'000};           // between looks whether the TLS files have changed
  std::uint32_t connections = 4096;                 // in total
  std::uint32_t connections_per_peer = 512;         // of one address
  std::uint32_t handshakes = 256;                   // connections that have not shown who they are; one more ends the oldest of them
  std::uint32_t handshakes_per_second = 200;        // begun; others wait, and addresses take turns, so that a flood leaves time for who is in and a turn for who is not
  std::uint32_t pipelined = 16;                     // requests of one connection being answered
  std::uint64_t body_bytes = 256ULL * 1024 * 1024;  // bodies being read, of all connections together
  ParserLimits parser;
};

struct ServerOptions {
  std::string listen;  // "127.0.0.1:8443", "[::]:8443"; port 0: any; "systemd": the descriptor systemd passed
  TlsFiles tls;
  bool client_certificates = true;
  ServerLimits limits;
};

// What a handler says once it knows the head: refuse at once, or take a body of so many bytes.
struct Admission {
  std::size_t body_limit = 0;
  std::optional<Response> refusal;
};

struct ServerHandlers {
  std::function<Admission(const Request& head)> admit;
  std::function<void(const Request& request, Answer answer)> serve;
  // A TLS handshake that was refused, or an open connection that was cut because its certificate is no
  // longer good: HandshakeFailure's reasons, and "timeout" and "no-name" (no usable SAN). May come very
  // often.
  std::function<void(const HandshakeFailure& failure, const std::string& address)> tls_refused;
};

struct ServerCounts {
  std::uint64_t accepted = 0;         // connections
  std::uint64_t over_limit = 0;       // connections closed because of a cap
  std::uint64_t handshakes = 0;       // finished well
  std::uint64_t handshakes_lost = 0;  // the peer went away in the middle
  std::uint64_t requests = 0;         // read whole
  std::uint64_t bad_requests = 0;     // refused by the parser
  std::uint64_t timeouts = 0;         // 408 and connections that took too long
  std::uint64_t open = 0;             // connections now
};

class Server {
 public:
  static Result<std::unique_ptr<Server>> open(Loop& loop, ServerOptions options, ServerHandlers handlers);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The port that is listened on.
  std::uint16_t port() const;

  // Reads certificate, key, CA and CRL again. On success new connections use them, and every open
  // connection whose certificate they do not accept any more is cut. On an error nothing changes.
  // SIGHUP and a change of a file call it too.
  Status reload();

  // Accepts no more, closes idle connections, answers what is under way with Connection: close, then
  // calls done() once.
  void drain(std::function<void()> done);

  ServerCounts counts() const;

 private:
  Server();
  friend class Connection;
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace postern::http
