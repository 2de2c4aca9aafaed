// SPDX-License-Identifier: Apache-2.0
// The verb restore: checks a backup's signatures, opens it with its custodians' keys, and lays it into an empty state folder. It needs no
// gateway. Nothing is written before both files were checked from their first byte to their last.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "admin/audit/trust.hpp"
#include "admin/cli/keys_input.hpp"
#include "admin/cli/output.hpp"
#include "admin/cli/verbs.hpp"
#include "crypto/backup_file.hpp"
#include "crypto/custodian.hpp"

namespace postern::cli {
namespace {

namespace fs = std::filesystem;

struct OpenFile {
  std::string path;
  std::shared_ptr<std::ifstream> in;
  backup::Reader reader;
};

Result<OpenFile> open_backup(const std::string& path) {
  auto in = std::make_shared<std::ifstream>(path, std::ios::binary);
  if (!*in) return fail(path + ": " + std::strerror(errno));
  Result<backup::Reader> reader = backup::Reader::begin([in, path](std::span<std::uint8_t> out) -> Result<std::size_t> {
    in->read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    if (in->bad()) return fail(path + ": cannot be read");
    return static_cast<std::size_t>(in->gcount());
  });
  if (!reader) return fail(path + ": " + reader.what());
  return OpenFile{path, std::move(in), std::move(*reader)};
}

// "name value" lines of a note.
std::map<std::string, std::string, std::less<>> facts_of(const std::string& note) {
  std::map<std::string, std::string, std::less<>> facts;
  std::size_t at = 0;
  while (at < note.size()) {
    const std::size_t end = std::min(note.find('\n', at), note.size());
    const std::string line = note.substr(at, end - at);
    const std::size_t space = line.find(' ');
    if (space != std::string::npos) facts.emplace(line.substr(0, space), line.substr(space + 1));
    at = end + 1;
  }
  return facts;
}

// That the log of `trust` signed these very bytes as the file of this kind; gives what it says of itself.
Result<std::map<std::string, std::string, std::less<>>> checked(const std::string& path, backup::Kind kind, const auditor::Trust& trust) {
  Result<OpenFile> file = open_backup(path);
  if (!file) return fail(file.what());
  const Result<std::string> note = file->reader.skip();
  if (!note) return fail(path + ": " + note.what());
  // Which key it asks for; nothing else of it is believed yet.
  const std::string log = facts_of(*note)["log"];
  const Verifier* key = trust.identity(log);
  if (key == nullptr) return fail(path + ": is a backup of the log '" + log + "', of which no key was given");
  const Result<std::string> text = open_note(*note, *key);
  if (!text) return fail(path + ": its signature: " + text.what());
  auto facts = facts_of(*text);
  if (facts["hash"] != to_hex(file->reader.hash()) || facts["number"] != to_hex(file->reader.header().number) || facts["file"] != backup::name_of(kind))
    return fail(path + ": its signature is of another file; is it the " + std::string(backup::name_of(kind)) + " file of its backup?");
  return facts;
}

Result<std::vector<CustodianKey>> custodian_keys(const std::vector<std::string>& files) {
  std::vector<CustodianKey> keys;
  for (const std::string& path : files) {
    const Result<Secret> passphrase = read_passphrase("Passphrase of " + path);
    if (!passphrase) return fail(path + ": " + passphrase.what());
    Result<CustodianKey> key = open_custodian(path, *passphrase);
    if (!key) return fail(key.what());
    keys.push_back(std::move(*key));
  }
  return keys;
}

Status unlock(OpenFile& file, const std::vector<CustodianKey>& keys) {
  const backup::Header& header = file.reader.header();
  std::vector<shamir::Share> shares;
  for (std::size_t i = 0; i < header.recipients.size(); ++i)
    for (const CustodianKey& key : keys) {
      if (key.profile != header.profile || key.key.public_key != header.recipients[i].public_key) continue;
      shamir::Share share{static_cast<std::uint8_t>(i + 1), Secret(kKeySize)};
      if (!Suite::of(key.profile).unbox(key.key, header.recipients[i].share, share.value.writable()))
        return fail(file.path + ": the share of " + header.recipients[i].name + " does not open");
      shares.push_back(std::move(share));
    }
  if (shares.size() < header.needed) {
    std::string names;
    for (const backup::Recipient& recipient : header.recipients) names += (names.empty() ? "" : ", ") + recipient.name;
    return fail(fmt::format("{}: needs {} of {}; the keys of {} are here", file.path, header.needed, names, shares.size()));
  }
  if (const Status opened = file.reader.unlock(shares); !opened) return fail(file.path + ": " + opened.what());
  return {};
}

// What was laid into the folder, so that a failure leaves it as empty as it was.
class Laid {
 public:
  explicit Laid(std::string folder) : folder_(std::move(folder)) {
    struct stat facts {};
    if (stat(folder_.c_str(), &facts) == 0) user_ = facts.st_uid, group_ = facts.st_gid;
  }
  ~Laid() {
    std::error_code ignored;
    if (!kept_)
      for (const auto& entry : fs::directory_iterator(folder_, ignored)) fs::remove_all(entry.path(), ignored);
  }
  Laid(const Laid&) = delete;
  Laid& operator=(const Laid&) = delete;

  Status lay(backup::Reader& reader, const backup::Entry& entry) {
    const fs::path path = fs::path(folder_) / entry.name;
    const auto failed_ = [&path] { return fail(path.string() + ": " + std::strerror(errno)); };
    if (const Status made = folders(path.parent_path()); !made) return made;
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, entry.name.starts_with("audit/") ? 0640 : 0600);
    if (fd < 0) return failed_();
    Status laid;
    for (std::uint64_t left = entry.size; left > 0 && laid;) {
      Bytes piece(std::min<std::uint64_t>(left, backup::kPiece));
      laid = reader.read(piece);
      if (laid && write(fd, piece.data(), piece.size()) != static_cast<ssize_t>(piece.size())) laid = failed_();
      left -= piece.size();
    }
    if (laid && (fchown(fd, user_, group_) != 0 || fsync(fd) != 0)) laid = failed_();
    close(fd);
    return laid;
  }
  // All of it is on the disk, with its names.
  Status keep() {
    for (const std::string& below : {std::string(), std::string("audit"), std::string("audit/epoch"), std::string("audit/witness")}) {
      const int fd = open((fs::path(folder_) / below).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (fd < 0 && errno == ENOENT) continue;
      const bool synced = fd >= 0 && fsync(fd) == 0;
      if (fd >= 0) close(fd);
      if (!synced) return fail(folder_ + ": could not be synced");
    }
    kept_ = true;
    return {};
  }

 private:
  Status folders(const fs::path& path) {
    for (fs::path at = folder_; const fs::path& part : path.lexically_relative(folder_)) {
      at /= part;
      if (mkdir(at.c_str(), 0750) == 0 ? chown(at.c_str(), user_, group_) != 0 : errno != EEXIST) return fail(at.string() + ": " + std::strerror(errno));
    }
    return {};
  }
  std::string folder_;
  uid_t user_ = getuid();
  gid_t group_ = getgid();
  bool kept_ = false;
};

Status lay_all(OpenFile& file, Laid& laid) {
  for (;;) {
    const Result<backup::Entry> entry = backup::read_entry(file.reader);
    if (!entry) return fail(file.path + ": " + entry.what());
    if (entry->name.empty()) break;
    progress_line(fmt::format("{} ({})", entry->name, bytes_text(entry->size)));
    if (const Status done = laid.lay(file.reader, *entry); !done) return fail(file.path + ": " + done.what());
  }
  if (const Result<std::string> note = file.reader.finish(); !note) return fail(file.path + ": " + note.what());
  return {};
}

Status restored(const RestoreOptions& options, std::map<std::string, std::string, std::less<>>& facts) {
  const std::string keys_path = options.keys.empty() ? options.file + ".keys" : options.keys;
  std::error_code error;
  if (!fs::is_directory(options.into, error)) return fail(options.into + ": is no folder; make it, for the user that posternd runs as");
  if (!fs::is_empty(options.into, error)) return fail(options.into + ": is not empty; a restore writes over nothing");
  const Result<auditor::Trust> trust = auditor::read_trust(options.vkeys, {});
  if (!trust) return fail(trust.what());
  auto state_facts = checked(options.file, backup::Kind::state, *trust);
  if (!state_facts) return fail(state_facts.what());
  const auto keys_facts = checked(keys_path, backup::Kind::keys, *trust);
  if (!keys_facts) return fail(keys_facts.what() + "; without its keys file a backup cannot be restored: what it says is lost, and its audit log could not be signed on");
  if (keys_facts->at("number") != state_facts->at("number")) return fail(keys_path + ": is of another backup than " + options.file);
  facts = std::move(*state_facts);
  const Result<std::vector<CustodianKey>> keys = custodian_keys(options.custodians);
  if (!keys) return fail(keys.what());
  Laid laid(options.into);
  for (const std::string& path : {options.file, keys_path}) {
    Result<OpenFile> file = open_backup(path);
    if (!file) return fail(file.what());
    if (const Status opened = unlock(*file, *keys); !opened) return opened;
    if (const Status done = lay_all(*file, laid); !done) return done;
  }
  return laid.keep();
}

}  // namespace

int restore(const Common& common, const RestoreOptions& options) {
  std::map<std::string, std::string, std::less<>> facts;
  const Status done = restored(options, facts);
  progress_done();
  if (!done) return failed(done.what());
  if (common.json) {
    Json().object().field("number", facts["number"]).field("log", facts["log"]).field("generation", facts["generation"]).field("leaves", facts["leaves"]).print();
    return kDone;
  }
  std::printf("Backup %s of %s lies in %s, with %s leaves of its audit log.\nStart posternd and unlock it. It will find that this is not its newest state; two administrators then say\n"
              "'postern rollback accept CODE', and it is unlocked once more.\n",
              facts["number"].c_str(), facts["log"].c_str(), options.into.c_str(), facts["leaves"].c_str());
  return kDone;
}

}  // namespace postern::cli
