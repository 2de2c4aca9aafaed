// SPDX-License-Identifier: Apache-2.0
// The verbs keys status and keys rotate: every key with its age, and the next version of it.
#include <chrono>
#include <cstdio>

#include "admin/cli/keys_input.hpp"
#include "admin/cli/output.hpp"

namespace postern::cli {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string date_text(std::int64_t ms) { return ms == 0 ? "-" : time_text(ms).substr(0, 10); }

}  // namespace

int keys_status(const Common& common) {
  control::Request request;
  request.mutable_keys()->set_status(true);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  const control::KeysFacts& facts = reply->keys();
  const std::int64_t now = now_ms();
  bool overdue = false;
  Json json;
  json.object().field("profile", facts.profile()).field("provider", facts.provider()).field("generation", facts.generation()).array("keys");
  if (!common.json) {
    std::printf("profile         %s: %s\n", facts.profile().c_str(), facts.provider().c_str());
    std::printf("keyring         generation %llu, %d slots, %d ways\n\n", static_cast<unsigned long long>(facts.generation()), facts.slot_size(), facts.way_size());
    std::printf("%-15s %7s  %-10s %8s  %-10s  %-16s  %s\n", "KEY", "VERSION", "CREATED", "AGE", "DUE", "CHECK VALUE", "USE");
  }
  for (const control::KeyFacts& key : facts.key()) {
    const bool late = key.due_ms() != 0 && key.due_ms() <= now;
    const std::int64_t age = (now - key.created_ms()) / kDayMs;
    overdue = overdue || late;
    if (common.json) {
      json.object().field("name", key.name()).field("version", std::uint64_t{key.version()}).field("created", time_text(key.created_ms())).field("age_days", age)
          .field("due", time_text(key.due_ms())).field("overdue", late).field("use", key.use()).field("check_value", key.check()).end();
    } else {
      std::printf("%-15s %7s  %-10s %6lld d  %-10s  %-16s  %s%s\n", key.name().c_str(), key.version() == 0 ? "-" : std::to_string(key.version()).c_str(),
                  date_text(key.created_ms()).c_str(), static_cast<long long>(age), date_text(key.due_ms()).c_str(), key.check().empty() ? "-" : key.check().c_str(),
                  key.use().c_str(), late ? "; OVERDUE, run 'postern keys rotate'" : "");
    }
  }
  if (common.json) json.end().field("overdue", overdue).print();
  return overdue ? kNo : kDone;
}

int keys_rotate(const Common& common, const RotateOptions& options) {
  control::Request request;
  request.mutable_keys()->set_rotate(options.key);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  if (common.json) Json().object().field("done", true).field("detail", reply->keys().done()).field("generation", reply->keys().generation()).print();
  else std::printf("%s.\nBack up the keyring file: older copies do not hold the new versions.\n", reply->keys().done().c_str());
  return kDone;
}

}  // namespace postern::cli
