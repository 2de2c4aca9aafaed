// SPDX-License-Identifier: Apache-2.0
// postern-cosign: takes a log's checkpoint to a witness and keeps what the witness says to it (C2SP tlog-witness,
// add-checkpoint). A program of its own, so that postern-audit speaks over no network and posternd neither.
// SECURITY: reads the answer of one server that its certificate and key prove; holds no secret but a client key's file
// name. A takeover can leave the checkpoint without a cosignature, which verify --witness tells.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "admin/audit/tree.hpp"
#include "admin/audit/trust.hpp"
#include "admin/audit/verbs.hpp"
#include "connectors/channels/http_client/client.hpp"
#include "crypto/secret.hpp"

namespace postern::auditor {
namespace {

constexpr std::size_t kMaxNote = 64 * 1024;

struct Options {
  std::string folder, url, witness, ca, certificate, key, out;
};

int failed(const std::string& what, int code) {
  std::fprintf(stderr, "postern-cosign: %s\n", what.c_str());
  return code;
}

// The file's name in witness/: the key's, with nothing in it that a path could take for its own.
std::string file_name(const std::string& witness) {
  std::string name = witness;
  for (char& c : name)
    if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-') c = '_';
  return name.front() == '.' ? "_" + name : name;
}

Status write_file(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  const auto wrong = [&] { return fail(path + ": " + std::strerror(errno)); };
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return wrong();
  const bool good = write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  if (!good || rename(fresh.c_str(), path.c_str()) != 0) return wrong();
  return {};
}

Result<SignedCheckpoint> read_note(const std::string& path) {
  const Result<std::optional<Bytes>> file = read_file(path, kMaxNote);
  if (!file) return fail(file.what());
  if (!*file) return fail(path + " is not there");
  Result<SignedCheckpoint> note = read_checkpoint(as_text(**file));
  if (!note) return fail(path + ": " + note.what());
  return note;
}

class Cosigning {
 public:
  Cosigning(const Options& options, Verifier witness) : options_(options), witness_(std::move(witness)) {}

  int run() {
    const std::string path = options_.folder + "/checkpoint";
    const Result<std::optional<Bytes>> file = read_file(path, kMaxNote);
    if (!file) return failed(file.what(), kUnchecked);
    if (!*file) return failed(path + " is not there; name the folder of an audit log", kUnchecked);
    text_ = as_text(**file);
    Result<SignedCheckpoint> note = read_checkpoint(text_);
    if (!note) return failed(path + ": " + note.what(), kUnchecked);
    note_ = std::move(*note);

    const std::string kept = (options_.out.empty() ? options_.folder + "/witness" : options_.out) + "/" + file_name(witness_.name);
    std::uint64_t known = 0;
    if (const Result<SignedCheckpoint> last = read_note(kept); last && last->checkpoint.origin == note_.checkpoint.origin && signed_by(*last, witness_))
      known = last->checkpoint.size;
    http_client::ClientSettings settings;
    settings.ca = options_.ca;
    settings.certificate = options_.certificate;
    settings.key = options_.key;
    settings.http2 = false;
    settings.connections = 1;
    settings.max_answer = kMaxNote;
    Loop loop;
    Result<std::unique_ptr<http_client::Client>> client = http_client::Client::make(loop, settings);
    if (!client) return failed(client.what(), kUnchecked);
    // The witness knows better than our file what it has seen: it is asked again with its own size, once.
    for (int attempt = 0; attempt < 2; ++attempt) {
      const Result<http_client::Outcome> outcome = ask(loop, **client, std::min(known, note_.checkpoint.size));
      if (!outcome) return failed(outcome.what(), kUnchecked);
      if (outcome->status == 200) return keep(kept, outcome->body);
      std::string_view body = outcome->body;
      if (body.ends_with('\n')) body.remove_suffix(1);
      if (outcome->status != 409 || !read_decimal(body, known)) return refused(outcome->status, body);
      if (known > note_.checkpoint.size)
        return failed("the witness has seen " + std::to_string(known) + " leaves of this log, and its checkpoint has " + std::to_string(note_.checkpoint.size) +
                          ": an older log was put back, or this is an old copy", kDoesNotHold);
    }
    return failed("the witness changes its mind about the log's size: somebody else cosigns the same log; try again", kUnchecked);
  }

 private:
  Result<http_client::Outcome> ask(Loop& loop, http_client::Client& client, std::uint64_t old_size) {
    TileTree tree(options_.folder, note_.checkpoint.size);
    const std::vector<Hash> proof = old_size == note_.checkpoint.size ? std::vector<Hash>() : consistency_proof(old_size, note_.checkpoint.size, tree.ranges());
    if (!tree.status()) return fail(tree.status().what());
    std::string body = "old " + std::to_string(old_size) + "\n";
    for (const Hash& hash : proof) body += to_base64(hash) + "\n";
    http_client::Request request;
    request.url = options_.url + (options_.url.ends_with('/') ? "" : "/") + "add-checkpoint";
    request.headers = {"Content-Type: text/plain; charset=utf-8"};
    request.body = body + "\n" + text_;
    std::optional<http_client::Outcome> outcome;
    client.send(std::move(request), [&](http_client::Outcome&& told) {
      outcome = std::move(told);
      loop.stop();
    });
    loop.run();
    if (!outcome || outcome->kind != http_client::Outcome::Kind::answered)
      return fail(options_.url + " did not answer: " + (outcome ? outcome->why : "closed") + "; is the witness running, and is --ca the root of its certificate?");
    return std::move(*outcome);
  }

  int keep(const std::string& path, const std::string& lines) {
    // Only the line of the key we know is kept: signed-note and tlog-witness have others ignored.
    const Result<SignedCheckpoint> all = read_checkpoint(text_ + lines);
    if (!all) return failed("the witness's answer is no signature line: " + all.what(), kUnchecked);
    if (const Result<std::uint64_t> good = signed_by(*all, witness_); !good) return failed("the witness's answer: " + good.what(), kDoesNotHold);
    std::string note = text_;
    for (const SignedCheckpoint::Line& line : all->lines) {
      const bool ours = std::ranges::any_of(note_.lines, [&](const auto& own) { return own.name == line.name && own.signature == line.signature; });
      if (!ours && line.name == witness_.name) note += "\xe2\x80\x94 " + line.name + " " + to_base64(line.signature) + "\n";
    }
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    if (const Status wrote = write_file(path, note); !wrote) return failed(wrote.what() + "; name a folder that can be written with -o", kUnchecked);
    std::printf("cosigned by %s: %llu leaves of %s, in %s\n", witness_.name.c_str(), static_cast<unsigned long long>(note_.checkpoint.size),
                note_.checkpoint.origin.c_str(), path.c_str());
    return kHolds;
  }

  int refused(int status, std::string_view body) {
    std::string shown(body.substr(0, 200));
    for (char& c : shown)
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = ' ';
    return failed("the witness refused: " + std::to_string(status) + " " + shown, status == 422 || status == 403 ? kDoesNotHold : kUnchecked);
  }

  const Options& options_;
  Verifier witness_;
  std::string text_;
  SignedCheckpoint note_;
};

}  // namespace
}  // namespace postern::auditor

int main(int argc, char** argv) {
  using namespace postern::auditor;
  std::signal(SIGPIPE, SIG_IGN);
  if (const postern::Status hard = postern::harden_process(); !hard) return failed(hard.what(), kUnchecked);
  Options options;
  CLI::App app("Takes an audit log's checkpoint to a witness and keeps its cosignature.", "postern-cosign");
  app.set_version_flag("--version", std::string("postern-cosign ") + POSTERN_VERSION);
  app.add_option("folder", options.folder, "folder of the log")->required();
  app.add_option("--witness", options.url, "https://host:port of the witness")->required();
  app.add_option("--witness-vkey", options.witness, "its verifier key, as text or in a file")->required();
  app.add_option("--ca", options.ca, "PEM root of the witness's certificate")->required();
  CLI::Option* certificate = app.add_option("--cert", options.certificate, "PEM certificate to show, where the witness asks for one");
  CLI::Option* key = app.add_option("--key", options.key, "PEM key of that certificate");
  certificate->needs(key);
  key->needs(certificate);
  app.add_option("-o,--out", options.out, "folder for the cosigned checkpoint, instead of witness/ in the log's");
  app.footer("Example:\n  postern-cosign /var/lib/postern/audit --witness https://witness.bank.example:8444 --witness-vkey witness.vkey --ca bank-ca.pem\n"
             "Exit codes: 0 cosigned, 1 not cosigned, 2 wrong command line, 3 the witness knows another history of this log.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kHolds : kUsage;
  }
  if (!options.url.starts_with("https://")) return failed("--witness must begin with https://", kUsage);
  const postern::Result<Trust> trust = read_trust({}, {options.witness});
  if (!trust) return failed(trust.what(), kUnchecked);
  if (trust->witnesses.size() != 1) return failed("--witness-vkey must be one key", kUsage);
  return Cosigning(options, trust->witnesses.front()).run();
}
