// SPDX-License-Identifier: Apache-2.0
#include "gateway/audit/tiles.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

namespace postern::audit {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kWidth = 256, kMaxCheckpoint = 64 * 1024;

std::string fresh_name(const std::string& path) { return path + ".new"; }

// Writes what put_in_place() gives its name; the caller syncs it between the two, so that no name ever stands for content
// that a power cut has torn.
Status write_fresh(const std::string& path, ByteView content) {
  std::error_code ignored;
  fs::create_directories(fs::path(path).parent_path(), ignored);
  const int fd = open(fresh_name(path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return fail("audit file " + path + ": " + std::strerror(errno));
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t wrote = write(fd, content.data() + done, content.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    done += static_cast<std::size_t>(wrote);
  }
  const int error = errno;
  close(fd);
  return done == content.size() ? Status() : fail("audit file " + path + ": " + std::strerror(error));
}

bool put_in_place(const std::string& path) { return rename(fresh_name(path).c_str(), path.c_str()) == 0; }

bool sync_path(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool good = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return good;
}

// One file, durable with its name.
Status write_file(const std::string& path, ByteView content) {
  if (const Status wrote = write_fresh(path, content); !wrote) return wrote;
  if (!sync_path(fresh_name(path)) || !put_in_place(path) || !sync_path(fs::path(path).parent_path()))
    return fail("audit file " + path + ": " + std::strerror(errno));
  return {};
}

std::optional<Bytes> read_file(const std::string& path, std::size_t limit) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  Bytes content(limit + 1);
  in.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(in.gcount()));
  if (content.size() > limit) return std::nullopt;
  return content;
}

Bytes hashes_as_bytes(const std::vector<Hash>& hashes) {
  Bytes bytes;
  bytes.reserve(hashes.size() * sizeof(Hash));
  for (const Hash& hash : hashes) bytes.insert(bytes.end(), hash.begin(), hash.end());
  return bytes;
}

std::string partial(const std::string& path, std::size_t width) { return path + ".p/" + std::to_string(width); }

Hash subtree_root(const std::vector<Hash>& hashes) {
  MerkleFrontier tree;
  for (const Hash& hash : hashes) tree.append(hash);
  return tree.root();
}

// Whether a bundle holds exactly the leaves that these hashes are of.
bool holds(ByteView bundle, const std::vector<Hash>& hashes) {
  ByteReader in(bundle);
  for (const Hash& hash : hashes)
    if (leaf_hash(in.view16(kMaxLeaf)) != hash || !in.ok()) return false;
  return in.finish();
}

// The leaves of full bundle `n`.
Result<std::vector<Bytes>> leaves_of(std::uint64_t n, const Tiles::Load& load) {
  Result<std::vector<Bytes>> leaves = load(n * kWidth, kWidth);
  if (leaves && leaves->size() != kWidth) return fail("audit log: leaf " + std::to_string(n * kWidth + leaves->size()) + " is missing in the store");
  return leaves;
}

// What full tile `n` of `level` holds.
Result<std::vector<Hash>> hashes_of(std::size_t level, std::uint64_t n, const Tiles::Load& load) {
  std::vector<Hash> hashes;
  if (level == 0) {
    const Result<std::vector<Bytes>> leaves = leaves_of(n, load);
    if (!leaves) return fail(leaves.what());
    for (const Bytes& leaf : *leaves) hashes.push_back(leaf_hash(leaf));
    return hashes;
  }
  for (std::uint64_t below = n * kWidth; below < (n + 1) * kWidth; ++below) {
    const Result<std::vector<Hash>> part = hashes_of(level - 1, below, load);
    if (!part) return fail(part.what());
    hashes.push_back(subtree_root(*part));
  }
  return hashes;
}

void remove_unfinished(const std::string& tiles) {
  std::error_code ignored;
  std::vector<fs::path> found;
  for (fs::recursive_directory_iterator it(tiles, ignored), end; it != end; it.increment(ignored))
    if (it->path().extension() == ".p") found.push_back(it->path());
  for (const fs::path& path : found) fs::remove_all(path, ignored);
}

// Many files are cheaper to sync at once than one by one.
bool sync_all(const std::string& folder, const std::set<std::string>& paths) {
  if (paths.size() <= 8) return std::ranges::all_of(paths, sync_path);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool good = fd >= 0 && syncfs(fd) == 0;
  if (fd >= 0) close(fd);
  return good;
}

// Content first, then names, then the names durable.
bool place_all(const std::string& folder, const std::set<std::string>& paths) {
  std::set<std::string> fresh, folders;
  for (const std::string& path : paths) {
    fresh.insert(fresh_name(path));
    folders.insert(fs::path(path).parent_path());
  }
  return sync_all(folder, fresh) && std::ranges::all_of(paths, put_in_place) && sync_all(folder, folders);
}

}  // namespace

Result<std::uint64_t> published_in(const std::string& folder, const Verifier& identity) {
  const std::optional<Bytes> text = read_file(folder + "/checkpoint", kMaxCheckpoint);
  if (!text) return std::uint64_t{0};
  const Result<Checkpoint> last = open_checkpoint(as_text(*text), identity);
  if (!last) return fail("audit folder " + folder + ": its checkpoint is damaged or of another log (" + last.what() + "); put this log's own folder there, or take the checkpoint away");
  return last->size;
}

Status set_aside_if_ahead(const std::string& folder, const Verifier& identity, std::uint64_t size, std::uint32_t epoch, std::int64_t now_ms) {
  const Result<std::uint64_t> published = published_in(folder, identity);
  if (!published) return fail(published.what());
  if (*published <= size) return {};
  const std::string aside = folder + ".before-" + std::to_string(now_ms);
  std::error_code error;
  fs::rename(folder, aside, error);
  if (!error) fs::create_directories(folder + "/epoch", error);
  for (std::uint32_t i = 0; i < epoch && !error; ++i) fs::copy_file(aside + "/" + epoch_path(i), folder + "/" + epoch_path(i), error);
  return error ? fail("audit folder " + folder + ": could not be begun anew beside " + aside + ": " + error.message() + "; restore it from the same backup as the store") : Status();
}

std::string epoch_path(std::uint32_t epoch) {
  return "epoch/" + epoch_digits(epoch);
}

std::string tile_path(std::uint64_t n) {
  std::array<char, 8> last{};
  std::snprintf(last.data(), last.size(), "%03u", static_cast<unsigned>(n % 1000));
  std::string path = last.data();
  for (n /= 1000; n > 0; n /= 1000) {
    std::snprintf(last.data(), last.size(), "x%03u", static_cast<unsigned>(n % 1000));
    path = std::string(last.data()) + "/" + path;
  }
  return path;
}

Result<Tiles> Tiles::open(const std::string& folder, const Verifier& identity, std::uint64_t size, const Load& load) {
  Tiles tiles(folder, identity, load);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail("audit folder " + folder + ": " + error.message() + "; create it for this user");

  // Continue from the last signed checkpoint if its files agree with its root.
  std::uint64_t from = 0;
  if (const std::optional<Bytes> text = read_file(folder + "/checkpoint", kMaxCheckpoint)) {
    const Result<Checkpoint> last = open_checkpoint(as_text(*text), identity);
    if (last && last->size > size)
      return fail("audit log: the published checkpoint has " + std::to_string(last->size) + " leaves, the store has " + std::to_string(size) +
                  "; the store is older than its audit log: an old copy was restored");
    if (last && tiles.resume(last->size) && tiles.root() == last->root) {
      from = tiles.published_ = last->size;
      tiles.ever_published_ = true;
      if (const Status mended = tiles.mend(); !mended) return fail(mended.what());
    } else {
      tiles.levels_.clear();
      tiles.bundle_.clear();
      tiles.size_ = 0;
    }
  }
  // Beginning anew, unfinished files of before speak for nothing and could contradict the new ones.
  if (tiles.size_ == 0) remove_unfinished(folder + "/tile");
  while (from < size) {
    const Result<std::vector<Bytes>> leaves = load(from, 4096);
    if (!leaves) return fail(leaves.what());
    if (leaves->empty()) return fail("audit log: leaf " + std::to_string(from) + " is missing in the store");
    for (const Bytes& leaf : *leaves)
      if (const Status added = tiles.add(leaf, leaf_hash(leaf)); !added) return fail(added.what());
    from += leaves->size();
  }
  if (const Status wrote = tiles.write_keys(); !wrote) return fail(wrote.what());
  if (const Status placed = tiles.place(); !placed) return fail(placed.what());
  return tiles;
}

// Reads back the unfinished tiles and bundle for a tree of `size` leaves.
bool Tiles::resume(std::uint64_t size) {
  levels_.clear();
  bundle_.clear();
  std::uint64_t count = size;
  for (std::size_t level = 0; count > 0; ++level, count /= kWidth) {
    std::vector<Hash> hashes;
    if (const std::size_t width = count % kWidth; width > 0) {
      const std::string path = partial(folder_ + "/tile/" + std::to_string(level) + "/" + tile_path(count / kWidth), width);
      const std::optional<Bytes> bytes = read_file(path, kWidth * sizeof(Hash));
      if (!bytes || bytes->size() != width * sizeof(Hash)) return false;
      for (std::size_t i = 0; i < width; ++i) {
        Hash hash{};
        std::copy_n(bytes->begin() + static_cast<std::ptrdiff_t>(i * sizeof(Hash)), sizeof(Hash), hash.begin());
        hashes.push_back(hash);
      }
    }
    levels_.push_back(std::move(hashes));
  }
  if (const std::size_t width = size % kWidth; width > 0) {
    std::optional<Bytes> bytes = read_file(partial(folder_ + "/tile/entries/" + tile_path(size / kWidth), width), kWidth * (kMaxLeaf + 2));
    if (!bytes || !holds(*bytes, levels_.front())) return false;
    bundle_ = std::move(*bytes);
  }
  size_ = size;
  return true;
}

// Makes the finished files again that are missing.
Status Tiles::mend() {
  const auto missing = [this](const std::string& path) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) return false;
    mended_.push_back(path);
    return true;
  };
  for (std::uint64_t n = 0; n < size_ / kWidth; ++n) {
    const std::string path = folder_ + "/tile/entries/" + tile_path(n);
    if (!missing(path)) continue;
    const Result<std::vector<Bytes>> leaves = leaves_of(n, load_);
    if (!leaves) return fail(leaves.what());
    Bytes bundle;
    for (const Bytes& leaf : *leaves) ByteWriter(bundle).view16(leaf);
    if (const Status wrote = write_finished(path, bundle); !wrote) return wrote;
  }
  std::uint64_t count = size_ / kWidth;
  for (std::size_t level = 0; count > 0; ++level, count /= kWidth) {
    for (std::uint64_t n = 0; n < count; ++n) {
      const std::string path = folder_ + "/tile/" + std::to_string(level) + "/" + tile_path(n);
      if (!missing(path)) continue;
      const Result<std::vector<Hash>> hashes = hashes_of(level, n, load_);
      if (!hashes) return fail(hashes.what());
      if (const Status wrote = write_finished(path, hashes_as_bytes(*hashes)); !wrote) return wrote;
    }
  }
  return {};
}

Status Tiles::write_finished(const std::string& path, ByteView content) {
  if (const Status wrote = write_fresh(path, content); !wrote) return wrote;
  unplaced_.insert(path);
  return {};
}

Status Tiles::append(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries)
    if (const Status added = add(entry.leaf, entry.hash); !added) return added;
  return {};
}

Status Tiles::append(const Leaves& leaves) {
  for (std::size_t i = 0; i < leaves.size(); ++i)
    if (const Status added = add(leaves.leaf(i), leaves.hash(i)); !added) return added;
  return {};
}

// Files first, state after: a leaf whose files could not be written has not been added, and is added
// again by the next append().
Status Tiles::add(ByteView leaf, const Hash& hash) {
  const std::size_t bundle_before = bundle_.size();
  ByteWriter(bundle_).view16(leaf);
  const Result<std::vector<Hash>> roots = write_completed(hash);
  if (!roots) {
    bundle_.resize(bundle_before);
    return fail(roots.what());
  }
  ++size_;
  if (size_ % kWidth == 0) bundle_.clear();
  Hash carried = hash;
  for (std::size_t level = 0;; ++level) {
    if (levels_.size() <= level) levels_.resize(level + 1);
    std::vector<Hash>& tile = levels_[level];
    tile.push_back(carried);
    if (tile.size() < kWidth) return {};
    carried = (*roots)[level];
    tile.clear();
  }
}

// Writes the bundle and the tiles that one more leaf completes; the roots of those tiles, lowest level first.
Result<std::vector<Hash>> Tiles::write_completed(Hash carried) {
  std::uint64_t number = size_ + 1;
  std::vector<Hash> roots;
  if (number % kWidth != 0) return roots;
  const std::string bundle = folder_ + "/tile/entries/" + tile_path(number / kWidth - 1);
  if (const Status wrote = write_finished(bundle, bundle_); !wrote) return fail(wrote.what());
  for (std::size_t level = 0; number % kWidth == 0; ++level) {
    number /= kWidth;
    std::vector<Hash> tile = level < levels_.size() ? levels_[level] : std::vector<Hash>();
    tile.push_back(carried);
    const std::string path = folder_ + "/tile/" + std::to_string(level) + "/" + tile_path(number - 1);
    if (const Status wrote = write_finished(path, hashes_as_bytes(tile)); !wrote) return fail(wrote.what());
    carried = subtree_root(tile);
    roots.push_back(carried);
  }
  return roots;
}

// The unfinished tiles hold the right edge: the largest subtrees stand first, in the highest level.
Hash Tiles::root() const {
  std::optional<Hash> root;
  for (const std::vector<Hash>& tile : levels_) {
    if (tile.empty()) continue;
    MerkleFrontier part;
    for (const Hash& hash : tile) part.append(hash);
    for (std::size_t i = part.peaks().size(); i-- > 0;) root = root ? node_hash(part.peaks()[i], *root) : part.peaks()[i];
  }
  return root.value_or(sha256({}));
}

Status Tiles::publish(const std::vector<Signer>& signers) {
  if (ever_published_ && published_ == size_) return {};
  const Status settled = settle();
  return settled ? put_checkpoint(checkpoint(size_, root(), signers)) : settled;
}

Status Tiles::publish_with(const Leaves& leaves, const std::string& checkpoint) {
  if (const Status added = append(leaves); !added) return added;
  const Status settled = settle();
  return settled ? put_checkpoint(checkpoint) : settled;
}

std::string Tiles::checkpoint(std::uint64_t size, const Hash& root, const std::vector<Signer>& signers) const {
  return sign_checkpoint({identity_.name, size, root}, signers);
}

// The checkpoint first: whoever looks between the two writes, or after a crash there, finds the epoch's last checkpoint in it. A file of an
// epoch ahead of the checkpoint, on the other hand, is what a log that was put back looks like.
Status Tiles::publish_last_of(std::uint32_t epoch, const std::vector<Signer>& signers) {
  if (const Status settled = settle(); !settled) return settled;
  const std::string text = checkpoint(size_, root(), signers), path = folder_ + "/" + epoch_path(epoch);
  // The folder's name becomes durable with the checkpoint beside it, so it must be there before.
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return fail("audit file " + path + ": " + error.message());
  if (const Status put = put_checkpoint(text); !put) return put;
  return write_file(path, as_bytes(text));
}

// Everything that a checkpoint of now would speak of, made durable: it must never speak of tiles that a power cut could take away.
Status Tiles::settle() {
  if (const Status made = doubtful_ ? mend() : Status(); !made) return made;
  doubtful_ = false;
  if (const Status wrote = write_keys(); !wrote) return wrote;
  std::uint64_t count = size_;
  for (std::size_t level = 0; level < levels_.size(); ++level, count /= kWidth) {
    if (levels_[level].empty()) continue;
    const std::string path = partial(folder_ + "/tile/" + std::to_string(level) + "/" + tile_path(count / kWidth), levels_[level].size());
    if (const Status wrote = write_finished(path, hashes_as_bytes(levels_[level])); !wrote) return wrote;
  }
  if (!bundle_.empty()) {
    const std::string path = partial(folder_ + "/tile/entries/" + tile_path(size_ / kWidth), size_ % kWidth);
    if (const Status wrote = write_finished(path, bundle_); !wrote) return wrote;
  }
  return place();
}

Status Tiles::place() {
  if (!place_all(folder_, unplaced_)) {
    // What could not be synced can be read and may yet be nowhere on the disk, and another sync would not say so: all of
    // it is made again.
    std::error_code ignored;
    for (const std::string& path : unplaced_) {
      fs::remove(fresh_name(path), ignored);
      fs::remove(path, ignored);
    }
    unplaced_.clear();
    keys_text_.clear();
    doubtful_ = true;
    return fail("audit files under " + folder_ + " could not be synced");
  }
  unplaced_.clear();
  return {};
}

Status Tiles::put_checkpoint(const std::string& text) {
  if (const Status wrote = write_file(folder_ + "/checkpoint", as_bytes(text)); !wrote) return wrote;
  drop_old_partials();
  published_ = size_;
  ever_published_ = true;
  return {};
}

// The first leaf names the first epoch's key.
Status Tiles::write_keys() {
  if (!keys_text_.empty() || size_ == 0) return {};
  const Result<std::vector<Bytes>> first = load_(0, 1);
  if (!first) return fail(first.what());
  const std::optional<Leaf> leaf = first->empty() ? std::nullopt : decode_leaf(first->front());
  const std::optional<Body> body = leaf && leaf->body_kind == BodyKind::open ? decode_body(leaf->body) : std::nullopt;
  Verifier epoch{epoch_key_name(identity_.name, 0), identity_.type, {}};
  const bool named = body && !body->empty() && body->front().first == Field::key && body->front().second.size() == epoch.key.size();
  if (named) std::ranges::copy(as_bytes(body->front().second), epoch.key.begin());
  if (!named || !is_key(epoch)) return fail("audit log: its first leaf names no key of the first epoch; the store is damaged or not of this version");
  std::string text = verifier_key(identity_) + "\n" + verifier_key(epoch) + "\n";
  if (const Status wrote = write_finished(folder_ + "/vkey", as_bytes(text)); !wrote) return wrote;
  keys_text_ = std::move(text);
  return {};
}

// A partial tile is superseded by the next one of the same tile, or by the full tile.
void Tiles::drop_old_partials() {
  std::error_code ignored;
  std::uint64_t before = published_;
  for (std::size_t level = 0; before > 0; ++level, before /= kWidth) {
    const std::size_t width = before % kWidth;
    std::uint64_t now = size_;
    for (std::size_t i = 0; i < level; ++i) now /= kWidth;
    if (width == 0 || (now / kWidth == before / kWidth && now % kWidth == width)) continue;
    fs::remove(partial(folder_ + "/tile/" + std::to_string(level) + "/" + tile_path(before / kWidth), width), ignored);
    if (level == 0) fs::remove(partial(folder_ + "/tile/entries/" + tile_path(before / kWidth), width), ignored);
  }
}

}  // namespace postern::audit
