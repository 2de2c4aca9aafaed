// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/verify.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "admin/audit/walk.hpp"

namespace postern::auditor {
namespace {

constexpr std::size_t kMaxNote = 64 * 1024, kMaxWitnessFiles = 4096;
constexpr int kLooks = 10;   // a gateway that slept closes its epochs one after another

// A write that a crash cut short is left under this name and read by nobody.
bool unfinished(const std::string& path) { return path.ends_with(".new"); }

// One look at the folder.
class Look {
 public:
  Look(const Question& question, std::string checkpoint) : question_(question), text_(std::move(checkpoint)) {}

  Result<Verdict> verdict() {
    const Status looked = look();
    if (!looked) return fail(looked.what());
    if (!verdict_.bad) verdict_.bad = std::exchange(late_, {});
    return std::move(verdict_);
  }

 private:
  std::string path(const std::string& name) const { return question_.folder + "/" + name; }
  Status bad(std::uint64_t leaf, std::string what) {
    verdict_.bad = Finding{leaf, std::move(what)};
    return {};
  }
  // What is told only when the leaves themselves hold.
  void late(std::string what) {
    if (!late_) late_ = Finding{verdict_.leaves, std::move(what)};
  }

  Status look() {
    const Result<SignedCheckpoint> checkpoint = open_signed(text_, question_.trust);
    if (!checkpoint) return bad(0, checkpoint.what());
    origin_ = checkpoint->checkpoint.origin;
    verdict_.origin = origin_;
    verdict_.leaves = checkpoint->checkpoint.size;
    verdict_.root = to_hex(checkpoint->checkpoint.root);
    verdict_.anchored = std::ranges::any_of(question_.trust.keys, [&](const Verifier& key) { return key.name.starts_with(origin_ + "/epoch/"); });
    if (const Status same = own_keys(); !same || verdict_.bad) return same;
    if (const Status read = read_from(); !read) return read;
    if (const Status read = read_witnesses(); !read) return read;

    Walk walk(question_, *checkpoint, std::move(anchors_), verdict_);
    if (const Status walked = walk.run(); !walked || verdict_.bad || late_) return walked;
    for (const Verifier& witness : question_.trust.witnesses)
      if (std::ranges::find(verdict_.witnessed, witness.name, &Witnessed::name) == verdict_.witnessed.end())
        return late("no checkpoint here carries a cosignature of " + witness.name), Status{};
    if (const Status epochs = epoch_files(); !epochs || late_) return epochs;
    return tile_files(walk);
  }

  // The folder's own `vkey` file must tell the keys that were brought along: who takes the key from there is misled
  // by any other.
  Status own_keys() {
    const Result<std::optional<Bytes>> file = read_file(path("vkey"), kMaxNote);
    if (!file) return fail(file.what());
    if (!*file) return bad(0, "vkey is missing");
    std::string_view text = as_text(**file);
    std::vector<Verifier> keys;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      const Result<Verifier> key = parse_verifier(line);
      if (end == std::string_view::npos || !key || verifier_key(*key) != line) return bad(0, "vkey is not a list of verifier keys");
      keys.push_back(*key);
      text.remove_prefix(end + 1);
    }
    const std::string names[] = {origin_, epoch_key_name(origin_, 0)};
    if (keys.size() != std::size(names) || keys[0].type != keys[1].type) return bad(0, "vkey does not hold two keys of one type");
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto given = std::ranges::find(question_.trust.keys, names[i], &Verifier::name);
      if (keys[i].name != names[i] || (given != question_.trust.keys.end() && *given != keys[i])) return bad(0, "vkey does not hold this log's keys as they were given");
    }
    return {};
  }

  Status read_from() {
    for (const std::string& name : question_.from) {
      const Result<std::optional<Bytes>> file = read_file(name, kMaxNote);
      if (!file) return fail(file.what());
      if (!*file) return fail(name + " is not there; name a checkpoint that was kept");
      const Result<SignedCheckpoint> note = open_signed(as_text(**file), question_.trust);
      if (!note) return fail(name + ": " + note.what() + "; name a checkpoint of this log that was kept");
      if (note->checkpoint.origin != origin_) return fail(name + " is a checkpoint of another log");
      anchors_.push_back({name, *note});
    }
    return {};
  }

  Status read_witnesses() {
    Result<std::vector<std::string>> files = files_below(question_.folder, "witness");
    if (!files) return fail(files.what());
    std::ranges::sort(*files);
    if (files->size() > kMaxWitnessFiles) return late("there are more than 4,096 files in witness/"), Status{};
    for (const std::string& name : *files) {
      if (unfinished(name)) continue;
      const Result<std::optional<Bytes>> file = read_file(path(name), kMaxNote);
      if (!file) return fail(file.what());
      const Result<SignedCheckpoint> note = open_signed(as_text(file->value_or(Bytes{})), question_.trust);
      if (!note || note->checkpoint.origin != origin_) {
        late(name + ": " + (note ? "is of another log" : note.what()));
        continue;
      }
      for (const Verifier& witness : question_.trust.witnesses) {
        const Result<std::optional<std::uint64_t>> time = find_signature(*note, witness);
        if (!time) late(name + ": " + time.what());
        else if (*time) verdict_.witnessed.push_back({witness.name, note->checkpoint.size, **time});
      }
      anchors_.push_back({name, *note});
    }
    return {};
  }

  // Every finished epoch's file was read; there must be no others.
  Status epoch_files() {
    Result<std::vector<std::string>> files = files_below(question_.folder, "epoch");
    if (!files) return fail(files.what());
    for (const std::string& name : *files) {
      const std::string digits = name.substr(name.rfind('/') + 1);
      std::uint32_t number = 0;
      const bool known = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc{} && number < verdict_.epochs &&
                         name == "epoch/" + epoch_digits(number);
      if (!known && !unfinished(name)) return late(name + " belongs to no epoch that is finished under this checkpoint"), Status{};
    }
    return {};
  }

  Status tile_files(const Walk& walk) {
    const Result<std::vector<std::string>> files = files_below(question_.folder, "tile");
    if (!files) return fail(files.what());
    for (const std::string& name : *files) {
      if (unfinished(name)) continue;
      const std::optional<TileName> tile = parse_tile_name(name);
      if (!tile) return late(name + " is no file of a log"), Status{};
      const std::uint64_t count = count_at(tile->level, verdict_.leaves), whole = count / kTileWidth, width = count % kTileWidth;
      if (tile->width == kTileWidth ? tile->number < whole : tile->number == whole && tile->width == width) continue;
      // Left over from a smaller tree, or written ahead of the next checkpoint: it may say more, and nothing else.
      const std::uint64_t covered = tile->number > whole ? 0 : tile->number < whole ? tile->width : std::min(tile->width, width);
      const TileName right{tile->entries, tile->level, tile->number, tile->number < whole ? kTileWidth : width};
      const Result<std::optional<Bytes>> left = read_file(path(name), tile->limit());
      if (!left) return fail(left.what());
      const Result<std::optional<Bytes>> truth = covered > 0 ? walk.right(right) : Result<std::optional<Bytes>>(Bytes{});
      if (!truth) return fail(truth.what());
      // A file that went away meanwhile says nothing any more.
      if (*left && (!*truth || !agrees(*tile, **left, **truth, covered))) return late(name + " contradicts the log"), Status{};
    }
    return {};
  }

  // Whether a file of this name could be the log's, and its first `covered` entries are those of `truth`.
  static bool agrees(const TileName& name, ByteView left, ByteView truth, std::uint64_t covered) {
    std::size_t same = covered * sizeof(Hash);
    if (name.entries) {
      ByteReader in(left);
      same = 0;
      for (std::uint64_t i = 0; i < name.width; ++i) {
        const std::size_t size = in.view16(kMaxLeaf).size() + 2;
        if (i < covered) same += size;
      }
      if (!in.finish()) return false;
    } else if (left.size() != name.width * sizeof(Hash)) {
      return false;
    }
    return truth.size() >= same && std::ranges::equal(left.first(same), truth.first(same));
  }

  const Question& question_;
  std::string text_, origin_;
  Verdict verdict_;
  std::optional<Finding> late_;
  std::vector<Anchor> anchors_;
};

}  // namespace

Result<Verdict> verify(const Question& question) {
  const std::string path = question.folder + "/checkpoint";
  std::optional<std::string> seen;
  Result<Verdict> verdict = fail("");
  for (int look = 0; look < kLooks; ++look) {
    const Result<std::optional<Bytes>> text = read_file(path, kMaxNote);
    if (!text) return fail(text.what());
    if (!*text) return fail(path + " is not there; name the folder of an audit log");
    const std::string now(as_text(**text));
    if (now == seen) break;
    seen = now;
    verdict = Look(question, now).verdict();
    if (!verdict || !verdict->bad) break;
  }
  return verdict;
}

}  // namespace postern::auditor
