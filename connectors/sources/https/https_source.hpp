// SPDX-License-Identifier: Apache-2.0
// Purpose: the connector postern-https: server, API and link put together. Used by: main().
// Threads: one loop. Ownership: owns server and API; the skeleton owns loop and link, which outlive it.
// Errors: start() says what is wrong. Limits: those of its parts.
#pragma once

#include <memory>

#include "connectors/protocol/log.hpp"
#include "connectors/protocol/program.hpp"
#include "connectors/sources/http/server.hpp"
#include "connectors/sources/https/api.hpp"
#include "connectors/sources/https/refusal_tally.hpp"
#include "connectors/sources/https/settings.hpp"

namespace postern::https {

class HttpsSource final : public Connector {
 public:
  explicit HttpsSource(HttpsSettings settings) : settings_(std::move(settings)) {}

  LinkOptions link_options() const override { return {}; }
  LinkHandlers link_handlers() override;
  Status start(Loop& loop, Link& link) override;
  void drain(std::function<void()> done) override;

 private:
  void append_metrics(std::string& text) const;

  HttpsSettings settings_;
  log::LogLimit refused_log_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<RefusalTally> tally_;
  std::unique_ptr<http::Server> server_;
};

Result<std::unique_ptr<Connector>> build_https_source(Section root);

}  // namespace postern::https
