// SPDX-License-Identifier: Apache-2.0
#include "admin/cli/keys_input.hpp"

#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include "admin/cli/output.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t kMaxTyped = 1024;

}  // namespace

Result<Secret> read_passphrase(const std::string& prompt) {
  const bool terminal = isatty(STDIN_FILENO) == 1;
  termios before{};
  if (terminal) {
    std::fprintf(stderr, "%s: ", prompt.c_str());
    tcgetattr(STDIN_FILENO, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  Secret buffer(kMaxTyped);
  std::size_t size = 0;
  char c = 0;
  while (size < kMaxTyped && read(STDIN_FILENO, &c, 1) == 1 && c != '\n') buffer.writable()[size++] = static_cast<std::uint8_t>(c);
  wipe(&c, 1);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::fprintf(stderr, "\n");
  }
  if (size == 0) return fail("nothing was typed");
  return Secret(buffer.bytes().first(size));
}

Result<Secret> new_passphrase(const std::string& prompt) {
  Result<Secret> first = read_passphrase(prompt + " (at least 12 characters)");
  if (!first || isatty(STDIN_FILENO) != 1) return first;
  const Result<Secret> second = read_passphrase("The same again");
  if (!second) return fail(second.what());
  if (!first->equals(second->bytes())) return fail("the two differ; nothing was made");
  return first;
}

Result<Secret> read_pin(const std::string& file, const std::string& token) {
  return file.empty() ? read_passphrase("PIN of token '" + token + "'") : read_secret_file(file.c_str(), 256);
}

void put(std::string& field, const Secret& secret) { field.assign(secret.text()); }

Status add_custodians(const std::vector<std::string>& given, unsigned needed, control::Quorum& quorum) {
  quorum.set_needed(needed);
  for (const std::string& one : given) {
    const std::size_t at = one.find('=');
    if (at == std::string::npos || at == 0) return fail("--custodian needs NAME=KEY, with the key that 'postern keys custodian new FILE' printed");
    control::NamedKey& key = *quorum.add_custodian();
    key.set_name(one.substr(0, at));
    key.set_key(one.substr(at + 1));
  }
  return {};
}

int report(const Common& common, const Result<control::Reply>& reply, const std::string& done) {
  if (!reply) return failed(reply.what());
  if (common.json) Json().object().field("done", true).print();
  else std::printf("%s\n", done.c_str());
  return kDone;
}

}  // namespace postern::cli
