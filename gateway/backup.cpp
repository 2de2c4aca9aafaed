// SPDX-License-Identifier: Apache-2.0
#include "gateway/backup.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace postern {
namespace {

namespace fs = std::filesystem;
using backup::Kind;
constexpr std::size_t kPortion = 16 * backup::kPiece, kMaxSmall = 1024 * 1024;

Result<Bytes> read_small(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  Bytes content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in || content.size() > kMaxSmall) return fail("backup: " + path + " cannot be read");
  return content;
}

}  // namespace

Result<std::unique_ptr<Backup>> Backup::prepare(vault::Vault& vault, Profile profile, unsigned needed, const std::vector<NamedPublicKey>& recipients) {
  std::unique_ptr<Backup> made(new Backup(vault));
  Suite::of(profile).random(made->number_);
  for (const Kind kind : {Kind::state, Kind::keys}) {
    backup::Header header{profile, kind, made->number_, vault.now(), static_cast<std::uint8_t>(std::min(needed, 255U)), {}};
    for (const NamedPublicKey& recipient : recipients) header.recipients.push_back({recipient.name, recipient.public_key, {}});
    Result<backup::Writer> writer = backup::Writer::begin(std::move(header));
    if (!writer) return fail(writer.what());
    made->part(kind).writer.emplace(std::move(*writer));
  }
  return made;
}

Status Backup::begin(const std::string& state_folder) {
  store::Store& store = vault_.context().store;
  Result<std::unique_ptr<store::Snapshot>> snapshot = store.snapshot();
  if (!snapshot) return fail(snapshot.what());
  snapshot_ = std::move(*snapshot);
  const audit::Log& log = vault_.context().log;
  origin_ = vault_.context().config->audit_origin;
  generation_ = store.state().generation;
  leaves_ = log.size();
  root_ = log.mark().tree.root();
  return gather(state_folder);
}

// Small files are read now, with the snapshot; those of finished epochs never change.
Status Backup::gather(const std::string& folder) {
  const auto read = [&](Part& part, const std::string& name) -> Status {
    Result<Bytes> content = read_small(folder + "/" + name);
    if (!content) return fail(content.what());
    part.items.push_back({name, {}, std::move(*content), false});
    return {};
  };
  for (const auto& [part, name] : {std::pair<Part*, const char*>{&keys_, "ring"}, {&keys_, "epoch"}, {&state_, "keyring"}, {&state_, "audit/vkey"}})
    if (const Status got = read(*part, name); !got) return got;
  for (std::uint32_t epoch = 0; epoch < vault_.context().log.mark().epoch; ++epoch) {
    const std::string name = "audit/" + audit::epoch_path(epoch);
    state_.items.push_back({name, folder + "/" + name, {}, false});
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder + "/audit/witness", ignored)) {
    const std::string name = "audit/witness/" + entry.path().filename().string();
    if (!backup::is_content(Kind::state, name)) continue;
    if (const Status got = read(state_, name); !got) return got;
  }
  state_.items.push_back({"postern.db", {}, {}, true});
  size_ = snapshot_->size();
  for (const Item& item : state_.items) size_ += item.content.size();
  return {};
}

// Adds plain bytes until there is a whole piece, or all is in.
Status Backup::fill(Part& part) {
  while (part.pending.size() < backup::kPiece && part.item <= part.items.size()) {
    const auto front = [&part](const std::string& name, std::uint64_t size) {
      const Bytes bytes = backup::encode(backup::Entry{name, size});
      part.pending.insert(part.pending.end(), bytes.begin(), bytes.end());
    };
    if (part.item == part.items.size()) {
      front({}, 0);
      ++part.item;
      return {};
    }
    Item& item = part.items[part.item];
    if (item.is_store) {
      if (part.at == 0) front(item.name, snapshot_->size());
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(backup::kPiece, snapshot_->size() - part.at));
      part.pending.resize(part.pending.size() + count);
      if (const Status got = snapshot_->read(part.at, std::span(part.pending).last(count)); !got) return got;
      part.at += count;
      if (part.at == snapshot_->size()) ++part.item;
      continue;
    }
    if (!item.path.empty()) {
      Result<Bytes> content = read_small(item.path);
      if (!content) return fail(content.what());
      item.content = std::move(*content);
    }
    front(item.name, item.content.size());
    part.pending.insert(part.pending.end(), item.content.begin(), item.content.end());
    item.content = {};
    ++part.item;
  }
  return {};
}

std::string Backup::note(Kind kind) const {
  return fmt::format("postern backup\nlog {}\nnumber {}\nfile {}\ngeneration {}\nleaves {}\nroot {}\nhash {}\n", origin_, to_hex(number_), backup::name_of(kind), generation_,
                     leaves_, to_base64(root_), to_hex(hash(kind)));
}

Result<Bytes> Backup::next(Kind kind) {
  Part& p = part(kind);
  Bytes out;
  if (p.ended) return out;
  if (!std::exchange(p.begun, true)) out = p.writer->header();
  while (out.size() < kPortion && !p.ended) {
    if (const Status filled = fill(p); !filled) return fail(filled.what());
    const std::size_t count = std::min(p.pending.size(), backup::kPiece);
    const bool last = p.item > p.items.size() && count == p.pending.size();
    const Bytes frame = p.writer->piece(ByteView(p.pending).first(count), last);
    out.insert(out.end(), frame.begin(), frame.end());
    p.pending.erase(p.pending.begin(), p.pending.begin() + static_cast<std::ptrdiff_t>(count));
    if (!last) continue;
    const Bytes signature = backup::Writer::note(vault_.signed_note(note(kind)));
    out.insert(out.end(), signature.begin(), signature.end());
    p.ended = true;
  }
  return out;
}

}  // namespace postern
