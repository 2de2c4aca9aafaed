// SPDX-License-Identifier: Apache-2.0
// The verbs rollback show and accept: what a refused start found, and one administrator's consent to it.
#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {

int rollback(const Common& common, const std::string& code) {
  control::Request request;
  request.mutable_rollback()->set_consent(code);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  const control::RollbackFacts& facts = reply->rollback();
  if (common.json) {
    Json json;
    json.object().field("findings", facts.findings()).field("code", facts.code()).array("consented");
    for (const std::string& actor : facts.consented()) json.item(actor);
    json.print();
    return facts.findings().empty() ? kNo : kDone;
  }
  if (facts.findings().empty()) return std::printf("Nothing was found.\n"), kNo;
  std::printf("found      %s\ncode       %s\nconsented  ", facts.findings().c_str(), facts.code().c_str());
  for (const std::string& actor : facts.consented()) std::printf("%s ", actor.c_str());
  std::printf("(%d of 2)\n", facts.consented_size());
  std::printf("Messages that were accepted after that state are not in it; what it still holds to be sent may have been sent since.\n");
  if (facts.consented_size() >= 2) std::printf("Now unlock again.\n");
  return kDone;
}

}  // namespace postern::cli
