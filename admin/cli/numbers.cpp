// SPDX-License-Identifier: Apache-2.0
// The verbs numbers import, check and show.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "admin/cli/address_input.hpp"
#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"
#include "gateway/numbers/portability.hpp"

namespace postern::cli {
namespace {

constexpr std::size_t kChunk = 1024 * 1024;

// A file of our own that is gone when the verb ends.
class Scratch {
 public:
  Scratch() {
    const char* folder = std::getenv("TMPDIR");
    path_ = std::string(folder == nullptr ? "/tmp" : folder) + "/postern-numbers-XXXXXX";
    const int fd = mkstemp(path_.data());
    if (fd >= 0) close(fd);
    else path_.clear();
  }
  ~Scratch() { if (!path_.empty()) std::remove(path_.c_str()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<numbers::IndexFacts> build(const std::string& csv, const Scratch& index) {
  if (index.path().empty()) return fail("no temporary file could be made; set TMPDIR to a folder with space");
  std::error_code ignored;
  const std::uintmax_t size = std::filesystem::file_size(csv, ignored);
  Result<numbers::IndexFacts> facts = numbers::import_csv(csv, index.path(), [size](std::uint64_t done) {
    progress_line("reading " + bytes_text(done) + " of " + bytes_text(size));
  });
  progress_done();
  return facts;
}

void print(const Common& common, const numbers::IndexFacts& facts, const char* done) {
  if (common.json) {
    Json().object().field("ranges", facts.ranges).field("ported", facts.ported).field("networks", std::uint64_t{facts.networks}).field("sha256", facts.sha256).print();
    return;
  }
  std::printf("%s: %llu ranges, %llu ported numbers, %u networks\n", done, static_cast<unsigned long long>(facts.ranges), static_cast<unsigned long long>(facts.ported), facts.networks);
}

}  // namespace

int numbers_check(const Common& common, const NumbersOptions& options) {
  const Scratch index;
  const Result<numbers::IndexFacts> facts = build(options.file, index);
  if (!facts) {
    failed(facts.what());
    return kNo;
  }
  print(common, *facts, "good");
  return kDone;
}

int numbers_import(const Common& common, const NumbersOptions& options) {
  const Scratch index;
  const Result<numbers::IndexFacts> facts = build(options.file, index);
  if (!facts) return failed(facts.what());
  Result<Session> session = Session::open(common.socket);
  if (!session) return failed(session.what());
  std::ifstream in(index.path(), std::ios::binary);
  std::uint64_t offset = 0;
  for (bool last = false; !last;) {
    control::Request request;
    control::NumbersChunk& chunk = *request.mutable_numbers();
    std::string& data = *chunk.mutable_data();
    data.resize(kChunk);
    in.read(data.data(), static_cast<std::streamsize>(data.size()));
    data.resize(static_cast<std::size_t>(in.gcount()));
    last = in.peek() == std::ifstream::traits_type::eof();
    chunk.set_offset(offset);
    chunk.set_last(last);
    offset += data.size();
    if (const Result<control::Reply> reply = session->ask(request); !reply) return failed(reply.what());
  }
  print(common, *facts, "imported");
  return kDone;
}

int numbers_show(const Common& common) {
  const Result<std::string> number = read_address("Number (digits)");
  if (!number) return failed(number.what());
  control::Request request;
  request.set_number(*number);
  const Result<control::Reply> reply = ask(common.socket, request);
  if (!reply) return failed(reply.what());
  const control::NumbersFacts& facts = reply->numbers();
  const bool known = !facts.current().empty();
  if (common.json) {
    Json().object().field("known", known).field("current", facts.current()).field("original", facts.original()).field("ported", facts.is_ported()).print();
  } else if (known) {
    std::printf("network %s%s%s\n", facts.current().c_str(), facts.is_ported() ? ", ported from " : "", facts.is_ported() ? (facts.original().empty() ? "an unknown range" : facts.original().c_str()) : "");
  } else {
    std::printf("the table knows no network for this number\n");
  }
  return known ? kDone : kNo;
}

}  // namespace postern::cli
