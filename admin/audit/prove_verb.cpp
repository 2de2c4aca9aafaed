// SPDX-License-Identifier: Apache-2.0
// The verb prove: takes the proof of one leaf, or of all leaves of one message, out of a log's folder.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "admin/audit/proof.hpp"
#include "admin/audit/tree.hpp"
#include "admin/audit/verbs.hpp"
#include "admin/cli/output.hpp"

namespace postern::auditor {
namespace {

constexpr std::size_t kMaxNote = 64 * 1024;

struct Found {
  std::uint64_t index = 0;
  Bytes bytes;
};

// The leaves of a log that were asked for: the one of an index, or those of a message below `end`.
class Search {
 public:
  Search(std::string folder, std::uint64_t size, std::uint64_t end) : folder_(std::move(folder)), size_(size), end_(end) {}

  Status one(std::uint64_t index) {
    return bundle(index / kTileWidth, [index](std::uint64_t at, ByteView) { return at == index; });
  }
  Status of(const MessageId& message) {
    for (std::uint64_t number = 0; number * kTileWidth < end_; ++number) {
      cli::progress_line(fmt::format("looking through {} of {} leaves", number * kTileWidth, end_));
      const Status read = bundle(number, [&](std::uint64_t, ByteView bytes) {
        const std::optional<Leaf> leaf = read_leaf(bytes);
        return leaf && leaf->message == message;
      });
      if (!read) return read;
    }
    cli::progress_done();
    return {};
  }
  const std::vector<Found>& found() const { return found_; }

 private:
  template <class Wanted>
  Status bundle(std::uint64_t number, const Wanted& wanted) {
    const std::uint64_t width = std::min(kTileWidth, size_ - number * kTileWidth);
    const std::string path = folder_ + "/" + TileName{true, 0, number, width}.path();
    const Result<std::optional<Bytes>> file = read_file(path, TileName{true, 0, number, width}.limit());
    if (!file) return fail(file.what());
    if (!*file) return fail(path + " is missing; `postern-audit verify` says what else");
    ByteReader in(**file);
    for (std::uint64_t i = 0; i < width; ++i) {
      const std::uint64_t index = number * kTileWidth + i;
      const ByteView bytes = in.view16(kMaxLeaf);
      if (in.ok() && index < end_ && wanted(index, bytes)) found_.push_back({index, {bytes.begin(), bytes.end()}});
    }
    return in.finish() ? Status{} : fail(path + " is damaged; `postern-audit verify` says more");
  }

  std::string folder_;
  std::uint64_t size_, end_;
  std::vector<Found> found_;
};

// The checkpoint for a proof: with the cosignatures that witnesses gave to just this one, and without its epoch's
// signature, for whoever checks a proof does not know that epoch's key, and no byte of a proof may go unchecked.
Result<std::string> note_for_proof(const std::string& folder, const SignedCheckpoint& read) {
  const Result<std::vector<std::string>> files = files_below(folder, "witness");
  if (!files) return fail(files.what());
  std::vector<SignedCheckpoint::Line> lines = read.lines;
  for (const std::string& name : *files) {
    const Result<std::optional<Bytes>> file = read_file(folder + "/" + name, kMaxNote);
    if (!file || !*file) continue;
    const Result<SignedCheckpoint> other = read_checkpoint(as_text(**file));
    if (!other || other->text != read.text) continue;
    for (const SignedCheckpoint::Line& line : other->lines)
      if (std::ranges::find(lines, line.name, &SignedCheckpoint::Line::name) == lines.end()) lines.push_back(line);
  }
  std::string note = read.text + "\n";
  for (const SignedCheckpoint::Line& line : lines)
    if (!line.name.starts_with(read.checkpoint.origin + "/epoch/")) note += "\xe2\x80\x94 " + line.name + " " + to_base64(line.signature) + "\n";
  return note;
}

bool write_file(const std::string& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  return out.flush().good();
}

}  // namespace

int prove_verb(const Common& common, const ProveOptions& options) {
  std::optional<MessageId> message;
  if (!options.message.empty() && !(message = parse_message(options.message))) {
    std::fprintf(stderr, "postern-audit: '%s' is no message id; ids look like 019ab0c2-3f5e-7a10-8c4d-5e6f70819203\n", options.message.c_str());
    return kUsage;
  }
  const std::string own = options.folder + "/checkpoint", chosen = options.checkpoint.empty() ? own : options.checkpoint;
  SignedCheckpoint notes[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string& path = i == 0 ? own : chosen;
    const Result<std::optional<Bytes>> file = read_file(path, kMaxNote);
    if (!file) return unchecked(file.what());
    if (!*file) return unchecked(path + " is not there; name the folder of an audit log");
    Result<SignedCheckpoint> note = read_checkpoint(as_text(**file));
    if (!note) return unchecked(path + ": " + note.what());
    notes[i] = std::move(*note);
  }
  const Checkpoint& under = notes[1].checkpoint;
  const std::uint64_t size = notes[0].checkpoint.size;
  if (under.origin != notes[0].checkpoint.origin || under.size > size) return does_not_hold(common, chosen + " is no checkpoint of this log as it is");
  if (!message && options.leaf >= under.size) return does_not_hold(common, fmt::format("there is no leaf {}: the checkpoint has {} leaves", options.leaf, under.size));

  Search search(options.folder, size, under.size);
  if (const Status searched = message ? search.of(*message) : search.one(options.leaf); !searched) return unchecked(searched.what());
  if (search.found().empty()) return does_not_hold(common, "no leaf under this checkpoint is of this message");
  if (search.found().size() > kMaxProofs) return unchecked("the message has too many leaves for one file; prove them one by one with --leaf");

  const Result<std::string> note = note_for_proof(options.folder, notes[1]);
  if (!note) return unchecked(note.what());
  TileTree tree(options.folder, size);
  std::string text;
  for (const Found& leaf : search.found()) {
    Proof proof{leaf.bytes, leaf.index, inclusion_proof(leaf.index, under.size, tree.ranges()), *note};
    if (!tree.status()) return unchecked(tree.status().what());
    if (!verify_inclusion(leaf_hash(leaf.bytes), leaf.index, under.size, proof.path, under.root))
      return does_not_hold(common, fmt::format("leaf {} and the tiles do not lead to the signed root; `postern-audit verify` says more", leaf.index));
    if (!options.leaf_out.empty()) proof.extra.reset();
    text += write_proof(proof);
  }
  if (!options.leaf_out.empty() && !write_file(options.leaf_out, as_text(search.found().front().bytes))) return unchecked(options.leaf_out + " cannot be written");
  if (options.out.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kHolds;
  }
  if (!write_file(options.out, text)) return unchecked(options.out + " cannot be written");
  if (common.json) {
    cli::Json json;
    json.object().field("file", options.out).field("proofs", std::uint64_t{search.found().size()}).field("size", under.size).field("bytes", std::uint64_t{text.size()}).print();
  } else {
    fmt::print("{}: {} {} under a checkpoint of {} leaves\n", options.out, search.found().size(), search.found().size() == 1 ? "proof" : "proofs", under.size);
  }
  return kHolds;
}

}  // namespace postern::auditor
