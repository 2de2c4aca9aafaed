// SPDX-License-Identifier: Apache-2.0
// Purpose: the audit log as files that anybody can verify with the public key alone: hash tiles and
// entry bundles in the C2SP tlog-tiles layout, and the signed checkpoint.
//   DIR/checkpoint          signed note: origin, size, root; by the log's identity and the epoch's key
//   DIR/epoch/NNNNNN        the same at the end of each epoch
//   DIR/vkey                the verifier keys of the identity and of the first epoch
//   DIR/tile/L/N[.p/W]      256 hashes of subtrees of 256^L leaves, or W of them
//   DIR/tile/entries/N[.p/W]  256 leaves, each behind a 16-bit length
// Used by: the vault, after its commits: the files are derived from the store and never the truth.
// Threads: one at a time. Errors: an I/O error is returned and the vault alarms; the next publish() tries again.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "crypto/note.hpp"
#include "gateway/audit/log.hpp"

namespace postern::audit {

class Tiles {
 public:
  // Reads back what is in `folder` and continues there, or begins anew when the checkpoint and the unfinished
  // tiles do not agree; a checkpoint ahead of the store's `size` is refused. A finished file that is missing is
  // made again from the store through `load` (leaves [from, from+count)); one that is there is never written
  // over: if it is damaged it is evidence, verify() names it, and whoever has secured it takes it away.
  using Load = std::function<Result<std::vector<Bytes>>(std::uint64_t from, std::size_t count)>;
  // `identity`: the log's key; those of its epochs are of the same type.
  static Result<Tiles> open(const std::string& folder, const Verifier& identity, std::uint64_t size, const Load& load);

  // Takes committed leaves in order; full tiles and bundles are written when complete, and get their names with the
  // next publish().
  Status append(const std::vector<Entry>& entries);
  Status append(const Leaves& leaves);

  // Makes the partial tiles durable and signs a checkpoint of everything appended. Does nothing when
  // the last checkpoint says the same.
  Status publish(const std::vector<Signer>& signers);
  // The same for leaves that follow on what was appended, with a checkpoint of all that is signed already: needs neither keys nor store,
  // so any thread may do it while nobody else uses the object. Only where ready_alone().
  Status publish_with(const Leaves& leaves, const std::string& checkpoint);
  bool ready_alone() const { return !doubtful_ && !keys_text_.empty(); }
  // The text of a checkpoint of `size` leaves under `root`.
  std::string checkpoint(std::uint64_t size, const Hash& root, const std::vector<Signer>& signers) const;
  // The same at the end of an epoch: what was appended ends with the leaf that closes it. Signs and writes in any case, the checkpoint
  // and then the epoch's file. When this returns without an error the epoch's key is needed no more; after an error it must be called
  // again before anything else is appended, for the checkpoint may be the epoch's only one.
  Status publish_last_of(std::uint32_t epoch, const std::vector<Signer>& signers);

  // The content of DIR/vkey; empty while the log is.
  const std::string& verifier_keys() const { return keys_text_; }

  std::uint64_t size() const { return size_; }
  std::uint64_t published() const { return published_; }
  const std::vector<std::string>& mended() const { return mended_; }  // files that open() made again
  Hash root() const;            // of everything appended

 private:
  Tiles(std::string folder, Verifier identity, Load load) : folder_(std::move(folder)), identity_(std::move(identity)), load_(std::move(load)) {}
  Status add(ByteView leaf, const Hash& hash);
  Result<std::vector<Hash>> write_completed(Hash carried);
  bool resume(std::uint64_t size);
  Status mend();
  Status write_keys();
  Status settle();
  Status put_checkpoint(const std::string& text);
  Status place();
  Status write_finished(const std::string& path, ByteView content);
  void drop_old_partials();

  std::string folder_;
  Verifier identity_;
  Load load_;
  std::uint64_t size_ = 0, published_ = 0;
  bool ever_published_ = false, doubtful_ = false;   // doubtful: a sync failed, finished files must be made again
  std::string keys_text_;
  std::vector<std::vector<Hash>> levels_;  // the unfinished tile of each level
  Bytes bundle_;                           // the unfinished bundle
  std::set<std::string> unplaced_;         // written, neither synced nor under their names yet
  std::vector<std::string> mended_;
};

// Leaves under the checkpoint in `folder`; 0 when there is none. Errors: it is not one that `identity` has signed.
Result<std::uint64_t> published_in(const std::string& folder, const Verifier& identity);

// For a log that two persons let go on from an older state: where the folder's checkpoint speaks of more than `size` leaves, the
// folder is renamed to FOLDER.before-TIME, as evidence, and a new one begun with the checkpoints of the epochs that are
// finished in the older state too.
Status set_aside_if_ahead(const std::string& folder, const Verifier& identity, std::uint64_t size, std::uint32_t epoch, std::int64_t now_ms);

// "epoch/000123": the file of an epoch's last checkpoint.
std::string epoch_path(std::uint32_t epoch);

// "x001/x234/067": the path of tile number `n` (tlog-tiles).
std::string tile_path(std::uint64_t n);

}  // namespace postern::audit
