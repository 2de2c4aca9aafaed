// SPDX-License-Identifier: Apache-2.0
// The verbs recipient show, consent and forget.
#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

void print(const control::RecipientFacts& facts) {
  for (const std::string& kept : facts.kept()) std::printf("%s\n", kept.c_str());
  if (facts.consent_size() == 0) std::printf("no consent and no opt-out is on record\n");
  for (const control::ConsentFacts& c : facts.consent())
    std::printf("%s  %-9s  %-11s  %-9s  %-20s  %.12s  \"%s\"\n", time_text(c.at_ms()).c_str(), c.given() ? "given" : "withdrawn", c.purpose().c_str(),
                c.channel().empty() ? "any way" : c.channel().c_str(), c.source().c_str(), c.hash().c_str(), c.wording().c_str());
}

void print_json(const control::RecipientFacts& facts) {
  Json json;
  json.object().array("kept");
  for (const std::string& kept : facts.kept()) json.item(kept);
  json.end().array("consents");
  for (const control::ConsentFacts& c : facts.consent())
    json.object().field("purpose", c.purpose()).field("channel", c.channel()).field("given", c.given()).field("at", time_text(c.at_ms()))
        .field("source", c.source()).field("wording", c.wording()).field("hash", c.hash()).end();
  json.print();
}

int ask_and_print(const Common& common, const control::Request& request) {
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) {
    failed(reply.what());
    return reply.what().find("nothing is kept") == std::string::npos ? kFailed : kNo;
  }
  if (common.json) print_json(reply->recipient());
  else print(reply->recipient());
  return kDone;
}

}  // namespace

int recipient_show(const Common& common, const RecipientOptions& options) {
  control::Request request;
  request.mutable_recipient()->set_reference(options.reference);
  request.mutable_recipient()->set_show(true);
  return ask_and_print(common, request);
}

int recipient_forget(const Common& common, const RecipientOptions& options) {
  control::Request request;
  request.mutable_recipient()->set_reference(options.reference);
  request.mutable_recipient()->set_forget(true);
  return ask_and_print(common, request);
}

int recipient_consent(const Common& common, const RecipientOptions& options) {
  if (options.given == options.withdrawn) return failed("say either --given or --withdrawn"), kUsage;
  control::Request request;
  request.mutable_recipient()->set_reference(options.reference);
  control::ConsentFacts& consent = *request.mutable_recipient()->mutable_consent();
  consent.set_purpose(options.purpose);
  consent.set_channel(options.channel);
  consent.set_given(options.given);
  consent.set_source(options.source);
  consent.set_wording(options.wording);
  return ask_and_print(common, request);
}

}  // namespace postern::cli
