// SPDX-License-Identifier: Apache-2.0
// The verbs config check and config reload.
#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"
#include "gateway/config/config.hpp"

namespace postern::cli {

int config_check(const Common& common, const ConfigOptions& options) {
  const Result<std::shared_ptr<const config::Config>> config = config::load(options.file);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.what().c_str());
    return kNo;
  }
  if (common.json) {
    Json().object().field("good", true).field("sha256", (*config)->sha256).field("scenarios", std::uint64_t{(*config)->scenarios.size()})
        .field("templates", std::uint64_t{(*config)->templates.size()}).field("connectors", std::uint64_t{(*config)->connectors.size()})
        .field("clients", std::uint64_t{(*config)->clients.size()}).print();
  } else {
    std::printf("%s: good; %zu scenarios, %zu templates, %zu connectors, %zu clients\n", options.file.c_str(), (*config)->scenarios.size(),
                (*config)->templates.size(), (*config)->connectors.size(), (*config)->clients.size());
  }
  return kDone;
}

int config_reload(const Common& common) {
  control::Request request;
  request.set_reload(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) {
    failed("the running configuration stays:\n" + reply.what());
    return kNo;
  }
  if (common.json) Json().object().field("done", true).print();
  else std::printf("The new configuration is in force.\n");
  return kDone;
}

}  // namespace postern::cli
