// SPDX-License-Identifier: Apache-2.0
#include "admin/witness/service.hpp"

#include <algorithm>

#include "connectors/sources/http/listener.hpp"

namespace postern::witness {
namespace {

constexpr std::string_view kAdd = "/add-checkpoint", kCheckpoint = "/checkpoint";
constexpr std::string_view kSizeType = "text/x.tlog.size";

// The origin hash of "/HASH/checkpoint"; empty for any other path.
std::string_view origin_hash(std::string_view path) {
  if (!path.starts_with('/') || !path.ends_with(kCheckpoint) || path.size() < 1 + kCheckpoint.size()) return {};
  return path.substr(1, path.size() - 1 - kCheckpoint.size());
}

}  // namespace

Settings read_settings(Section root) {
  Settings settings;
  settings.server.listen = root.text("listen");
  if (!settings.server.listen.empty() && settings.server.listen != "systemd")
    if (const auto address = http::parse_listen(settings.server.listen); !address) root.fault("listen", address.what());
  settings.server.tls.certificate = root.path("certificate");
  settings.server.tls.key = root.path("certificate_key");
  settings.server.tls.ca = root.path("client_ca", "");
  settings.server.tls.crl = root.path("client_crl", "");
  settings.server.tls.crl_optional = settings.server.tls.crl.empty();
  settings.server.client_certificates = !settings.server.tls.ca.empty();
  settings.server.limits.connections = 256;
  settings.server.limits.connections_per_peer = 32;
  settings.server.limits.body_bytes = 8ULL * 1024 * 1024;
  settings.key = root.path("key");
  settings.state = root.path("state");
  settings.port_file = root.text("port_file", "");
  settings.level = root.choice<log::Level>("log", log::Level::info,
                                           {{"debug", log::Level::debug}, {"info", log::Level::info}, {"warning", log::Level::warning}, {"error", log::Level::error}});
  for (Section& section : root.sections("logs")) {
    const Result<Verifier> key = parse_verifier(section.text("vkey"));
    if (!key) section.fault("vkey", key.what());
    else if (key->type == KeyType::cosigner || key->name.find("/epoch/") != std::string::npos) section.fault("vkey", "'vkey' must be the log's identity key: the first line of its vkey file");
    else if (std::ranges::any_of(settings.logs, [&](const Verifier& other) { return other.name == key->name; })) section.fault("vkey", "the log " + key->name + " stands here twice");
    else settings.logs.push_back(*key);
  }
  if (settings.logs.empty()) root.fault("logs", "there is no [[logs]] table; add one with the vkey of each log to witness");
  return settings;
}

Result<std::unique_ptr<Service>> Service::open(Loop& loop, const Settings& settings) {
  Result<Key> key = Key::read(settings.key);
  if (!key) return fail(key.what());
  Result<Memory> memory = Memory::open(settings.state, settings.logs, key->verifier());
  if (!memory) return fail(memory.what());
  std::unique_ptr<Service> service(new Service(std::move(*key), std::move(*memory), settings.logs));
  http::ServerHandlers handlers;
  handlers.admit = [self = service.get()](const http::Request& head) { return self->admit(head); };
  handlers.serve = [self = service.get()](const http::Request& request, http::Answer answer) { self->serve(request, std::move(answer)); };
  handlers.tls_refused = [self = service.get()](const HandshakeFailure& failure, const std::string& address) {
    if (self->tls_line_.pass()) log::info("witness.tls-refused", "{} from {}", failure.reason, address);
  };
  Result<std::unique_ptr<http::Server>> server = http::Server::open(loop, settings.server, std::move(handlers));
  if (!server) return fail(server.what());
  service->server_ = std::move(*server);
  return service;
}

http::Admission Service::admit(const http::Request& head) const {
  http::Admission admission;
  const bool add = head.path == kAdd;
  if (!add && origin_hash(head.path).empty()) admission.refusal = http::problem(404, "no-such-path", "There are /add-checkpoint and /ORIGIN-HASH/checkpoint.");
  else if (head.method != (add ? "POST" : "GET")) {
    admission.refusal = http::problem(405, "method", add ? "A checkpoint is added by POST." : "A checkpoint is read by GET.");
    admission.refusal->add("Allow", add ? "POST" : "GET");
  } else if (add) {
    admission.body_limit = kMaxRequest;
  }
  return admission;
}

void Service::serve(const http::Request& request, http::Answer answer) {
  const bool add = request.path == kAdd;
  const Reply reply = add ? witness_.add_checkpoint(request.body, static_cast<std::uint64_t>(wall_ms() / 1000)) : witness_.checkpoint(origin_hash(request.path));
  if (add && reply.status == 200) log::debug("witness.cosigned", "a checkpoint was cosigned");
  if (add && reply.status >= 500) log::error("witness.not-kept", "{}", reply.what);
  // A known log's own signature above what cannot be: somebody has its key, or it was put back.
  else if (add && reply.status == 422) log::warning("witness.another-history", "from {}: {}", request.peer->address, reply.what);
  else if (add && reply.status != 200 && refused_line_.pass())
    log::info("witness.refused", "{} to {}: {} ({} more like it)", reply.status, request.peer->address, reply.what, refused_line_.dropped());
  http::Response response;
  response.status = reply.status;
  response.type = reply.status == 409 ? kSizeType : http::kPlainText;
  response.body = reply.body;
  answer.send(std::move(response));
}

}  // namespace postern::witness
