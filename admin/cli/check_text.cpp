// SPDX-License-Identifier: Apache-2.0
// The verb audit check-text: whether a message that nobody can read any more said this text.
#include <unistd.h>

#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"
#include "crypto/secret.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t kMaxText = 128 * 1024;

// All of standard input, without one line break at its end.
std::string read_text() {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; text.size() <= kMaxText && (got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
  wipe(buffer, sizeof buffer);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

int audit_check_text(const Common& common, const TraceOptions& options) {
  control::Request request;
  control::CheckText& check = *request.mutable_check_text();
  check.set_id(options.id);
  check.set_text(read_text());
  if (check.text().empty() || check.text().size() > kMaxText) return failed("give the text on standard input, at most 128 KiB");
  const Result<control::Reply> reply = ask(common.socket, request);
  wipe_text(*check.mutable_text());
  if (!reply) return failed(reply.what());
  if (common.json) Json().object().field("same", reply->same_text()).print();
  else std::printf("%s\n", reply->same_text() ? "This is the text that was sent." : "No text of this message is the same as this one.");
  return reply->same_text() ? kDone : kNo;
}

}  // namespace postern::cli
