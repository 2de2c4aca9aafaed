// SPDX-License-Identifier: Apache-2.0
// The verbs init, unlock and lock.
#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"
#include "crypto/secret.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t kMaxPassphrase = 1024, kMaxKeyFile = 4096;

// From the terminal without echo, or the first line of standard input when it is not one.
Result<Secret> read_passphrase(const char* prompt) {
  const bool terminal = isatty(STDIN_FILENO) == 1;
  termios before{};
  if (terminal) {
    std::fprintf(stderr, "%s: ", prompt);
    tcgetattr(STDIN_FILENO, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  Secret buffer(kMaxPassphrase);
  std::size_t size = 0;
  char c = 0;
  while (size < kMaxPassphrase && read(STDIN_FILENO, &c, 1) == 1 && c != '\n') buffer.writable()[size++] = static_cast<std::uint8_t>(c);
  wipe(&c, 1);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::fprintf(stderr, "\n");
  }
  if (size == 0) return fail("no passphrase was given");
  return Secret(buffer.bytes().first(size));
}

void take(std::string& field, const Secret& secret) { field.assign(secret.text()); }

int report(const Common& common, const Result<control::Reply>& reply, const char* done) {
  if (!reply) return failed(reply.what());
  if (common.json) Json().object().field("done", true).print();
  else std::printf("%s\n", done);
  return kDone;
}

}  // namespace

int init(const Common& common, const InitOptions& options) {
  control::Request request;
  control::Init& ask_init = *request.mutable_init();
  if (options.passphrase) {
    const Result<Secret> first = read_passphrase("New passphrase (at least 12 characters)");
    if (!first) return failed(first.what());
    if (isatty(STDIN_FILENO) == 1) {
      const Result<Secret> second = read_passphrase("The same again");
      if (!second) return failed(second.what());
      if (!first->equals(second->bytes())) return failed("the two passphrases differ; nothing was made");
    }
    take(*ask_init.mutable_passphrase(), *first);
  }
  if (!options.key_file.empty()) {
    const Result<Secret> key = read_secret_file(options.key_file.c_str(), kMaxKeyFile);
    if (!key) return failed(key.what());
    take(*ask_init.mutable_key_file(), *key);
  }
  if (!options.passphrase && options.key_file.empty()) return failed("give --passphrase, or --key-file FILE, or both");
  const Result<control::Reply> reply = ask(common.socket, request);
  wipe_text(*ask_init.mutable_passphrase());
  wipe_text(*ask_init.mutable_key_file());
  return report(common, reply, "Initialised and unlocked. Keep the key file or passphrase apart from this machine: without one of them nothing can be read.");
}

int unlock(const Common& common, const UnlockOptions& options) {
  control::Request request;
  control::Unlock& ask_unlock = *request.mutable_unlock();
  if (options.credential) {
    ask_unlock.set_credential(true);
  } else {
    const Result<Secret> secret = options.key_file.empty() ? read_passphrase("Passphrase") : read_secret_file(options.key_file.c_str(), kMaxKeyFile);
    if (!secret) return failed(secret.what());
    take(options.key_file.empty() ? *ask_unlock.mutable_passphrase() : *ask_unlock.mutable_key_file(), *secret);
  }
  const Result<control::Reply> reply = ask(common.socket, request);
  wipe_text(*ask_unlock.mutable_passphrase());
  wipe_text(*ask_unlock.mutable_key_file());
  return report(common, reply, "Unlocked.");
}

int lock(const Common& common) {
  control::Request request;
  request.set_lock(true);
  return report(common, ask(common.socket, request), "Locked. Nothing is accepted or sent until 'postern unlock'.");
}

}  // namespace postern::cli
