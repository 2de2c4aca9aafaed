// SPDX-License-Identifier: Apache-2.0
// The verb backup: asks posternd for the two files of a backup, portion by portion, and makes them durable.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "admin/cli/keys_input.hpp"
#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

// A file that gets its name when all of it is on the disk; without finish() nothing stays.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), fd_(open(part().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  ~NewFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(part().c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  bool made() const { return fd_ >= 0; }
  Status add(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = write(fd_, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return failed_();
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
  }
  Status finish() {
    if (fsync(fd_) != 0 || rename(part().c_str(), path_.c_str()) != 0) return failed_();
    const int folder = open(std::filesystem::absolute(path_).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool durable = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0) close(folder);
    close(std::exchange(fd_, -1));
    return durable ? Status() : failed_();
  }

 private:
  std::string part() const { return path_ + ".part"; }
  std::unexpected<Error> failed_() const { return fail(path_ + ": " + std::strerror(errno)); }
  std::string path_;
  int fd_;
};

Status fetch(Session& session, bool keys, NewFile& file, std::uint64_t size) {
  std::uint64_t done = 0;
  for (bool last = false; !last;) {
    control::Request request;
    if (keys) request.mutable_backup()->set_keys(true);
    else request.mutable_backup()->set_state(true);
    const Result<control::Reply> reply = session.ask(request);
    if (!reply) return fail(reply.what());
    if (const Status added = file.add(reply->backup().data()); !added) return added;
    last = reply->backup().last();
    done += reply->backup().data().size();
    progress_line(fmt::format("{} of about {}", bytes_text(done), bytes_text(size)));
  }
  return {};
}

}  // namespace

int backup(const Common& common, const BackupOptions& options) {
  const std::string keys_path = options.file + ".keys";
  std::error_code ignored;
  for (const std::string& path : {options.file, keys_path})
    if (std::filesystem::exists(path, ignored)) return failed(path + ": is there already; a backup writes over nothing");
  control::Request request;
  if (const Status given = add_custodians(options.recipients, options.needed, *request.mutable_backup()->mutable_begin()); !given) return failed(given.what());
  NewFile state(options.file), keys(keys_path);
  if (!state.made() || !keys.made()) return failed(options.file + ": " + std::strerror(errno));
  Result<Session> session = Session::open(common.socket);
  if (!session) return failed(session.what());
  const Result<control::Reply> begun = session->ask(request);
  if (!begun) return failed(begun.what());
  const control::BackupFacts& facts = begun->backup();
  Status done = fetch(*session, /*keys=*/false, state, facts.size());
  if (done) done = fetch(*session, /*keys=*/true, keys, facts.size());
  progress_done();
  if (done) done = keys.finish();
  if (done) done = state.finish();
  if (!done) {
    request.mutable_backup()->set_cancel(true);
    (void)session->ask(request);
    return failed(done.what());
  }
  if (common.json) {
    Json().object().field("number", facts.number()).field("state", options.file).field("keys", keys_path).print();
    return kDone;
  }
  std::printf("Backup %s:\n  %s       may be kept: without the other file nobody reads in it who a message was for or what it said\n"
              "  %s  keep it elsewhere, and destroy it once there is a newer backup: it could bring back a customer who was erased\n",
              facts.number().c_str(), options.file.c_str(), keys_path.c_str());
  return kDone;
}

}  // namespace postern::cli
