// SPDX-License-Identifier: Apache-2.0
#include "tests/support/made_log.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace postern::made {
namespace {

constexpr std::int64_t kStart = 1'800'000'000'000'000, kHour = 3'600'000'000;
constexpr std::uint64_t kTile = 256;

// splitmix64.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

Bytes noise(std::uint64_t seed, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(mixed(seed + i / 8) >> (i % 8 * 8));
  return bytes;
}

void add_body(MadeLeaf& leaf, std::uint64_t chance) {
  switch (chance % 8) {
    case 0: case 1: return;
    case 6:
      leaf.kind = 3;
      leaf.body = noise(chance, 60 + chance / 8 % 50);
      return;
    case 7:
      leaf.kind = 1;
      leaf.body = open_body({{1, {'w', 'h', 'y'}}, {5, Bytes(chance / 8 % 40, 'x')}});
      return;
    default:
      leaf.kind = 2;
      leaf.body = noise(chance, 41 + chance / 8 % 60);
  }
}

std::string group(std::uint64_t n) {
  std::string text = std::to_string(n);
  return std::string(text.size() < 3 ? 3 - text.size() : 0, '0') + text;
}

std::string tile_name(const std::string& level, std::uint64_t number, std::uint64_t width) {
  std::string path = group(number % 1000);
  for (std::uint64_t rest = number / 1000; rest > 0; rest /= 1000) path = "x" + group(rest % 1000) + "/" + path;
  return "tile/" + level + "/" + path + (width < kTile ? ".p/" + std::to_string(width) : "");
}

Bytes text_bytes(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

Bytes encode(const MadeLeaf& leaf) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u8(leaf.version);
  out.u16(leaf.type);
  out.u64(leaf.sequence);
  out.u32(leaf.epoch);
  out.i64(leaf.utc_us);
  out.u64(leaf.steady_us);
  out.raw(leaf.message);
  out.u64(leaf.before);
  out.u16(leaf.client);
  out.u16(leaf.connector);
  out.u8(leaf.attempt);
  out.u8(leaf.state);
  out.raw(leaf.previous);
  out.u8(leaf.kind);
  out.view16(leaf.body);
  out.raw(leaf.tail);
  return bytes;
}

Bytes open_body(const std::vector<std::pair<std::uint8_t, Bytes>>& fields) {
  Bytes bytes;
  ByteWriter out(bytes);
  for (const auto& [number, value] : fields) {
    out.u8(number);
    out.view16(value);
  }
  return bytes;
}

Bytes number_bytes(std::int64_t value) {
  Bytes bytes;
  ByteWriter(bytes).i64(value);
  return bytes;
}

std::int64_t begins_us(std::uint32_t epoch) { return kStart + epoch * kHour; }

Bytes terms(const Verifier& key, std::int64_t begins, std::int64_t ends) {
  return open_body({{11, Bytes(key.key.begin(), key.key.end())}, {12, number_bytes(begins)}, {13, number_bytes(ends)}});
}

Log::Log(const Options& options) : options_(options) {
  constexpr std::uint16_t kLife[] = {40, 46, 47, 50, 51, 55};
  const std::uint64_t per = options.per_epoch;
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> messages;   // number -> last leaf + 1, leaves
  std::uint32_t epoch_now = 0;
  std::uint64_t place = 0;                                                     // within the epoch
  for (std::uint64_t i = 0; i < options.leaves; ++i) {
    const bool closes = i % per == per - 1 || i == 2 * per;
    const std::uint64_t chance = mixed(options.seed << 32 ^ i ^ (i >= options.fork ? 1ULL << 63 : 0));
    MadeLeaf leaf;
    leaf.epoch = epoch_now;
    leaf.steady_us = i * 1000;
    leaf.utc_us = begins_us(epoch_now) + static_cast<std::int64_t>(++place) * (kHour / static_cast<std::int64_t>(per + 2));
    if (i == 0 || closes) {
      const std::uint32_t begun = closes ? ++epoch_now : 0;
      leaf.type = closes ? 9 : 6;
      if (closes) leaf.utc_us = begins_us(begun), place = 0;
      leaf.kind = 1;
      leaf.body = terms(epoch(begun).verifier(), begins_us(begun), begins_us(begun + 1));
    } else {
      leaf.type = 7;
      leaf.client = static_cast<std::uint16_t>(1 + chance % 5);
      if (i % 9 != 0 && i % 9 != 4) {
        // Four messages at a time, and now and then a late word of an older one.
        const std::uint64_t number = i % 31 == 30 ? i / 36 * 4 : i / 18 * 4 + i % 4;
        auto& [last, count] = messages[number];
        const Hash id = sha256(as_bytes(std::to_string(options.seed) + " message " + std::to_string(number)));
        std::copy_n(id.begin(), leaf.message.size(), leaf.message.begin());
        leaf.type = kLife[std::min<std::uint64_t>(count++, std::size(kLife) - 1)];
        leaf.before = std::exchange(last, i + 1);
        leaf.connector = 2;
        leaf.attempt = 1;
        if (leaf.type == 50) leaf.state = 20;
      }
      add_body(leaf, chance >> 8);
    }
    leaves.push_back(std::move(leaf));
  }
  link();
}

void Log::link(std::uint64_t as_it_is) {
  hashes_.clear();
  for (std::uint64_t i = 0; i < leaves.size(); ++i) {
    if (i != as_it_is) {
      leaves[i].sequence = i;
      leaves[i].previous = i == 0 ? Hash{} : hashes_.back();
    }
    hashes_.push_back(leaf_hash(encode(leaves[i])));
  }
}

Hash Log::root(std::uint64_t size) const {
  MerkleFrontier tree;
  for (std::uint64_t i = 0; i < size; ++i) tree.append(hashes_[i]);
  return tree.root();
}

std::uint32_t Log::last_epoch() const {
  return static_cast<std::uint32_t>(std::ranges::count(leaves, std::uint16_t{9}, &MadeLeaf::type));
}

std::string Log::checkpoint(std::uint64_t size, const std::vector<Pair>& signers) const {
  std::vector<Signer> all;
  for (const Pair& pair : signers) all.push_back(pair.signer());
  return sign_checkpoint({options_.origin, size, root(size)}, all);
}

std::string Log::checkpoint() const { return checkpoint(leaves.size(), {identity(), epoch(last_epoch())}); }

std::string Log::cosigned() const {
  return checkpoint() + cosignature_line(checkpoint_text({options_.origin, leaves.size(), root(leaves.size())}), witness().signer(), 1'800'100'000);
}

std::string Log::vkey() const { return verifier_key(identity().verifier()) + "\n" + verifier_key(epoch(0).verifier()) + "\n"; }

std::map<std::string, Bytes> Log::files() const {
  std::map<std::string, Bytes> files;
  files["vkey"] = text_bytes(vkey());
  files["checkpoint"] = text_bytes(checkpoint());
  files["witness/witness.example"] = text_bytes(cosigned());
  std::uint32_t number = 0;
  for (std::uint64_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].type != 9) continue;
    files["epoch/" + epoch_digits(number)] = text_bytes(checkpoint(i + 1, {identity(), epoch(number)}));
    ++number;
  }
  std::vector<Hash> level = hashes_;
  for (std::uint64_t at = 0; at < leaves.size(); at += kTile) {
    const std::uint64_t width = std::min<std::uint64_t>(kTile, leaves.size() - at);
    Bytes bundle;
    for (std::uint64_t i = at; i < at + width; ++i) ByteWriter(bundle).view16(encode(leaves[i]));
    files[tile_name("entries", at / kTile, width)] = std::move(bundle);
  }
  for (int height = 0; !level.empty(); ++height) {
    std::vector<Hash> above;
    for (std::uint64_t at = 0; at < level.size(); at += kTile) {
      const std::uint64_t width = std::min<std::uint64_t>(kTile, level.size() - at);
      const std::vector<Hash> part(level.begin() + static_cast<std::ptrdiff_t>(at), level.begin() + static_cast<std::ptrdiff_t>(at + width));
      Bytes& tile = files[tile_name(std::to_string(height), at / kTile, width)];
      for (const Hash& hash : part) tile.insert(tile.end(), hash.begin(), hash.end());
      if (width == kTile) above.push_back(merkle_root(part));
    }
    level = std::move(above);
  }
  return files;
}

void write_files(const std::string& folder, const std::map<std::string, Bytes>& files) {
  namespace fs = std::filesystem;
  for (const auto& [name, content] : files) {
    const fs::path path = fs::path(folder) / name;
    fs::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    if (!out.flush()) std::abort();
  }
}

}  // namespace postern::made
