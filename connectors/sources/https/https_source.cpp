// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/https/https_source.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "connectors/protocol/log.hpp"

namespace postern::https {
namespace {

// A reader of the file sees the whole port or no file.
Status write_port(const std::string& path, std::uint16_t port) {
  const std::string half = path + ".new";
  std::FILE* file = std::fopen(half.c_str(), "w");
  if (file == nullptr) return fail("port_file " + path + ": " + std::strerror(errno));
  const bool written = std::fprintf(file, "%u\n", static_cast<unsigned>(port)) > 0;
  if ((std::fclose(file) != 0) || !written || std::rename(half.c_str(), path.c_str()) != 0)
    return fail("port_file " + path + ": " + std::strerror(errno));
  return {};
}

}  // namespace

LinkHandlers HttpsSource::link_handlers() {
  LinkHandlers handlers;
  handlers.lost = [this] { api_->on_lost(); };
  handlers.verdict = [this](wire::Verdict&& verdict) { api_->on_verdict(verdict); };
  handlers.answer = [this](wire::Answer&& answer) { api_->on_answer(answer); };
  return handlers;
}

Status HttpsSource::start(Loop& loop, Link& link) {
  api_ = std::make_unique<Api>(loop, link, settings_, [this](std::string& text) { append_metrics(text); });
  tally_ = std::make_unique<RefusalTally>(
      loop, [&link] { return link.up(); },
      [&link](wire::Observation&& observation) { link.observe(std::move(observation)); });
  http::ServerHandlers handlers;
  handlers.admit = [this](const http::Request& head) { return api_->admit(head); };
  handlers.serve = [this](const http::Request& request, http::Answer answer) {
    api_->serve(request, std::move(answer));
  };
  handlers.tls_refused = [this](const HandshakeFailure& failure, const std::string& address) {
    if (refused_log_.pass()) log::debug("https.tls-refused-peer", "{} from {}", failure.reason, address);
    tally_->count(failure);
  };
  Result<std::unique_ptr<http::Server>> server = http::Server::open(loop, settings_.server, std::move(handlers));
  if (!server) return fail(server.what());
  server_ = std::move(*server);
  log::info("https.listening", "listening on {}, port {}", settings_.server.listen, server_->port());
  if (settings_.port_file.empty()) return {};
  return write_port(settings_.port_file, server_->port());
}

void HttpsSource::drain(std::function<void()> done) {
  api_->drain();
  server_->drain([this, done = std::move(done)] {
    tally_->finish();
    done();
  });
}

void HttpsSource::append_metrics(std::string& text) const {
  const http::ServerCounts counts = server_->counts();
  const auto counter = [&text](std::string_view name, std::string_view help, std::uint64_t value) {
    text += fmt::format("# HELP postern_https_{0} {1}\n# TYPE postern_https_{0} counter\npostern_https_{0} {2}\n", name,
                        help, value);
  };
  counter("connections_total", "Connections accepted.", counts.accepted);
  counter("connections_over_limit_total", "Connections closed at once because of a limit.", counts.over_limit);
  counter("handshakes_total", "TLS handshakes that ended well.", counts.handshakes);
  counter("handshakes_lost_total", "TLS handshakes that the peer left.", counts.handshakes_lost);
  counter("bad_requests_total", "Requests refused before any route was looked for.", counts.bad_requests);
  counter("timeouts_total", "Requests and connections that took too long.", counts.timeouts);
  text += fmt::format(
      "# HELP postern_https_connections Connections now.\n# TYPE postern_https_connections "
      "gauge\npostern_https_connections {}\n",
      counts.open);
  text +=
      "# HELP postern_https_tls_refused_total TLS connections refused, by reason.\n"
      "# TYPE postern_https_tls_refused_total counter\n";
  for (const auto& [reason, count] : tally_->totals())
    text += fmt::format("postern_https_tls_refused_total{{reason=\"{}\"}} {}\n", reason, count);
  if (const auto end = certificate_not_after(settings_.server.tls.certificate))
    text += fmt::format(
        "# HELP postern_https_certificate_not_after_seconds End of the server certificate, Unix time.\n"
        "# TYPE postern_https_certificate_not_after_seconds gauge\npostern_https_certificate_not_after_seconds {}\n",
        *end);
}

Result<std::unique_ptr<Connector>> build_https_source(Section root) {
  return std::unique_ptr<Connector>(std::make_unique<HttpsSource>(read_settings(root)));
}

}  // namespace postern::https
