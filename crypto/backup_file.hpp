// SPDX-License-Identifier: Apache-2.0
// Purpose: the container of a backup: sealed to recipients of whom some must come together, written and read piece by piece, signed by
// the log's identity over every byte. Used by: posternd (writes), the administrator's tool (reads). Threads: one.
// Ownership: writer and reader own the content key and wipe it. Format: crypto/DESIGN.md, "Backup file".
// Errors: any byte that does not fit refuses the file. Nothing that comes out of a reader may be believed before the signature
// was checked and the last piece has been read.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "crypto/merkle.hpp"
#include "crypto/shamir.hpp"
#include "crypto/suite.hpp"

namespace postern::backup {

enum class Kind : std::uint8_t {
  state = 1,   // store, keyring, what of the audit log cannot be made again
  keys = 2,    // ring and epoch: must not be kept longer than an erasure may take
};
std::string_view name_of(Kind kind);

struct Recipient {
  std::string name;      // 1..64 printable characters
  Bytes public_key;      // crypto/custodian.hpp
  Bytes share;           // boxed to the public key: 32 bytes; as read
};

using Number = std::array<std::uint8_t, 16>;   // random; the two files of one backup have the same

struct Header {
  Profile profile = Profile::modern;
  Kind kind = Kind::state;
  Number number{};
  std::int64_t created_ms = 0;
  std::uint8_t needed = 1;                     // so many of the recipients open it
  std::vector<Recipient> recipients;           // 1..16; recipient i holds share i + 1
};

inline constexpr std::size_t kMaxRecipients = 16, kMaxHeader = 16 * 1024, kPiece = 64 * 1024, kMaxNote = 64 * 1024;

// What follows the header.
enum class Frame : std::uint8_t { piece = 1, last_piece = 2, note = 3 };

// Makes the bytes of a file.
class Writer {
 public:
  // `header` names recipients without shares. Errors: counts out of their limits, a key that is none of this profile.
  static Result<Writer> begin(Header header);
  const Bytes& header() const { return header_; }
  // A sealed frame of at most kPiece plain bytes.
  Bytes piece(ByteView plain, bool last);
  // The last frame of the file. `note` is signed and names hash().
  static Bytes note(std::string_view note);
  // Over header and pieces so far.
  const Hash& hash() const { return hash_; }

 private:
  Writer(const Suite& suite, Bytes header, Secret key);
  const Suite* suite_;
  Bytes header_;
  Secret key_;
  Hash bound_, hash_;
  std::uint64_t count_ = 0;
};

// Fills `out` as far as there are bytes; fewer only at the end.
using Source = std::function<Result<std::size_t>(std::span<std::uint8_t> out)>;

class Reader {
 public:
  static Result<Reader> begin(Source source);
  const Header& header() const { return header_; }
  // With as many recipients' shares as are needed. Errors: too few, or ones that do not belong together.
  Status unlock(std::span<const shamir::Share> shares);

  // The next plain bytes, as many as `out` holds. Errors: a piece that is damaged or not the next, the end.
  Status read(std::span<std::uint8_t> out);
  // The note behind the last piece. Errors: plain bytes that were not read, anything behind the note.
  Result<std::string> finish();
  // The same without opening any piece, straight after begin(): what the signature is checked with.
  Result<std::string> skip();
  const Hash& hash() const { return hash_; }

 private:
  Reader(Source source, Header header, Hash bound) : source_(std::move(source)), header_(std::move(header)), bound_(bound), hash_(bound) {}
  Status fill(std::span<std::uint8_t> out);
  struct Next {
    Frame frame;
    Bytes body;
  };
  Result<Next> frame();
  Status piece();
  Result<std::string> note();

  Source source_;
  Header header_;
  Hash bound_, hash_;
  Secret key_;
  Bytes plain_;
  std::size_t taken_ = 0;      // of plain_
  std::uint64_t count_ = 0;
  bool last_ = false;
};

// What the plain bytes are: files, one behind the other, each with this in front of its content; an empty name ends them.
struct Entry {
  std::string name;
  std::uint64_t size = 0;
};
Bytes encode(const Entry& entry);
Result<Entry> read_entry(Reader& reader);
// Whether a file of this name belongs into a backup of this kind: no name leads out of the state folder.
bool is_content(Kind kind, std::string_view name);

}  // namespace postern::backup
