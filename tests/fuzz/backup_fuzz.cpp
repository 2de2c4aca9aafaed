// SPDX-License-Identifier: Apache-2.0
// The container of a backup, from outside and from inside. An input that begins with 'F' is a file: it may be anything, and only
// one whose pieces were sealed could be read. One that begins with 'P' is what a file's pieces hold: sealed here and read back, it gives files
// whose names stay in the state folder, and never more bytes than it has.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "crypto/backup_file.hpp"

namespace {

using namespace postern;
using namespace postern::backup;

Source source(ByteView bytes) {
  return [bytes, at = std::size_t{0}](std::span<std::uint8_t> out) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(out.size(), bytes.size() - at);
    if (count > 0) std::memcpy(out.data(), bytes.data() + at, count);
    at += count;
    return count;
  };
}

const Suite::BoxKey& custodian() {
  static const Suite::BoxKey key = Suite::of(Profile::modern).new_box_key();
  return key;
}

std::vector<shamir::Share> shares_of(const Header& header) {
  std::vector<shamir::Share> shares;
  for (const Recipient& recipient : header.recipients) {
    shamir::Share share{static_cast<std::uint8_t>(shares.size() + 1), Secret(kKeySize)};
    if (header.profile == Profile::modern) (void)Suite::of(Profile::modern).unbox(custodian(), recipient.share, share.value.writable());
    shares.push_back(std::move(share));
  }
  return shares;
}

bool leads_out(const std::string& name) {
  const std::filesystem::path path(name);
  return path.is_absolute() || std::ranges::any_of(path, [](const std::filesystem::path& part) { return part.empty() || part == "." || part == ".."; });
}

void from_outside(ByteView file) {
  if (Result<Reader> reader = Reader::begin(source(file)); reader) (void)reader->skip();
  Result<Reader> reader = Reader::begin(source(file));
  if (!reader || !reader->unlock(shares_of(reader->header()))) return;
  // The key that the header's shares give has sealed nothing of it.
  std::uint8_t byte = 0;
  if (reader->read({&byte, 1})) std::abort();
}

void from_inside(ByteView plain) {
  static const Header header{Profile::modern, Kind::state, {}, 0, 1, {{"one", custodian().public_key, {}}}};
  Result<Writer> writer = Writer::begin(header);
  if (!writer) std::abort();
  Bytes file = writer->header();
  const std::size_t half = plain.size() / 2;
  for (const Bytes& frame : {writer->piece(plain.first(half), false), writer->piece(plain.subspan(half), true), Writer::note("note")}) file.insert(file.end(), frame.begin(), frame.end());
  Result<Reader> reader = Reader::begin(source(file));
  if (!reader || !reader->unlock(shares_of(reader->header()))) std::abort();
  std::size_t seen = 0;
  for (;;) {
    const Result<Entry> entry = read_entry(*reader);
    if (!entry) return;
    if (entry->name.empty()) break;
    if (leads_out(entry->name)) std::abort();
    Bytes content(static_cast<std::size_t>(std::min<std::uint64_t>(entry->size, plain.size() + 1)));
    if (!reader->read(content)) return;
    seen += content.size();
    if (seen > plain.size()) std::abort();
  }
  (void)reader->finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest = ByteView(data, size).subspan(1);
  if (*data == 'P' && rest.size() <= 2 * kPiece) from_inside(rest);
  else from_outside(rest);
  return 0;
}
