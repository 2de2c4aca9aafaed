// SPDX-License-Identifier: Apache-2.0
#include "crypto/backup_file.hpp"

#include <algorithm>

#include "crypto/keyring_format.hpp"

namespace postern::backup {
namespace {

constexpr std::string_view kMagic = "PSTRNBK1";
constexpr std::size_t kFront = 8 + 4;        // magic, length of the rest of the header
constexpr std::size_t kFrameFront = 1 + 4;   // frame, length of what follows

std::unexpected<Error> damaged(std::string_view what) { return fail("the backup is damaged: " + std::string(what)); }

Bytes encode(const Header& header) {
  Bytes rest;
  ByteWriter out(rest);
  out.u8(static_cast<std::uint8_t>(header.profile));
  out.u8(static_cast<std::uint8_t>(header.kind));
  out.raw(header.number);
  out.i64(header.created_ms);
  out.u8(header.needed);
  out.u8(static_cast<std::uint8_t>(header.recipients.size()));
  for (const Recipient& recipient : header.recipients) {
    out.text8(recipient.name);
    out.view8(recipient.public_key);
    out.view16(recipient.share);
  }
  Bytes whole;
  ByteWriter front(whole);
  front.raw(kMagic);
  front.u32(static_cast<std::uint32_t>(rest.size()));
  front.raw(rest);
  return whole;
}

std::optional<Header> decode(ByteView rest) {
  ByteReader in(rest);
  Header header;
  const std::optional<Profile> profile = profile_of(in.u8());
  const std::uint8_t kind = in.u8();
  std::ranges::copy(in.view(header.number.size()), header.number.begin());
  header.created_ms = in.i64();
  header.needed = in.u8();
  const std::size_t count = in.u8();
  if (count > kMaxRecipients) return std::nullopt;
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    Recipient recipient;
    recipient.name = in.text8();
    const ByteView key = in.view8(), share = in.view16();
    recipient.public_key.assign(key.begin(), key.end());
    recipient.share.assign(share.begin(), share.end());
    if (!is_key_name(recipient.name)) return std::nullopt;
    header.recipients.push_back(std::move(recipient));
  }
  if (!in.finish() || !profile || header.needed == 0 || header.needed > count || (kind != 1 && kind != 2)) return std::nullopt;
  header.profile = *profile;
  header.kind = static_cast<Kind>(kind);
  return header;
}

// The key seals this one file, so the number of a piece is its nonce; the last one says that it is the last.
std::array<std::uint8_t, Suite::kNonceSize> nonce_of(std::uint64_t count, bool last) {
  std::array<std::uint8_t, Suite::kNonceSize> nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[nonce.size() - 2 - i] = static_cast<std::uint8_t>(count >> (8 * i));
  nonce.back() = last ? 1 : 0;
  return nonce;
}

Hash chained(const Hash& before, ByteView frame) {
  Bytes bytes(before.begin(), before.end());
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  return sha256(bytes);
}

Bytes framed(Frame frame, ByteView body) {
  Bytes bytes;
  bytes.reserve(kFrameFront + body.size());
  ByteWriter out(bytes);
  out.u8(static_cast<std::uint8_t>(frame));
  out.view32(body);
  return bytes;
}

}  // namespace

std::string_view name_of(Kind kind) { return kind == Kind::state ? "state" : "keys"; }

// ---- writing ----

Writer::Writer(const Suite& suite, Bytes header, Secret key)
    : suite_(&suite), header_(std::move(header)), key_(std::move(key)), bound_(sha256(header_)), hash_(bound_) {}

Result<Writer> Writer::begin(Header header) {
  const std::size_t count = header.recipients.size();
  if (count == 0 || count > kMaxRecipients) return fail("a backup has 1 to " + std::to_string(kMaxRecipients) + " recipients");
  if (header.needed == 0 || header.needed > count) return fail("of " + std::to_string(count) + " recipients 1 to " + std::to_string(count) + " can be needed");
  const Suite& suite = Suite::of(header.profile);
  Secret key = suite.random_secret();
  std::vector<shamir::Share> shares;
  if (header.needed > 1) {
    Result<std::vector<shamir::Share>> split = shamir::split(key, header.needed, static_cast<unsigned>(count), suite.random_secret((header.needed - 1U) * key.size()));
    if (!split) return fail(split.what());
    shares = std::move(*split);
  }
  for (std::size_t i = 0; i < count; ++i) {
    Recipient& recipient = header.recipients[i];
    if (!is_key_name(recipient.name)) return fail("the name of a recipient must have 1 to 64 printable characters");
    if (std::ranges::any_of(std::span(header.recipients).first(i), [&](const Recipient& other) { return other.name == recipient.name || other.public_key == recipient.public_key; }))
      return fail("recipient '" + recipient.name + "' is named twice, or two have the same key");
    Result<Bytes> boxed = suite.box(recipient.public_key, shares.empty() ? key.bytes() : shares[i].value.bytes());
    if (!boxed) return fail("the key of recipient '" + recipient.name + "' " + boxed.what());
    recipient.share = std::move(*boxed);
  }
  return Writer(suite, encode(header), std::move(key));
}

Bytes Writer::piece(ByteView plain, bool last) {
  Bytes sealed(plain.size() + Suite::kTagSize);
  suite_->seal(key_.bytes(), nonce_of(count_++, last), bound_, plain, sealed);
  Bytes frame = framed(last ? Frame::last_piece : Frame::piece, sealed);
  hash_ = chained(hash_, frame);
  return frame;
}

Bytes Writer::note(std::string_view note) { return framed(Frame::note, as_bytes(note)); }

// ---- reading ----

Result<Reader> Reader::begin(Source source) {
  Bytes bytes(kFront);
  const Result<std::size_t> got = source(bytes);
  if (!got) return fail(got.what());
  ByteReader front(ByteView(bytes).first(*got));
  const bool ours = as_text(front.view(kMagic.size())) == kMagic;
  const std::uint32_t size = front.u32();
  if (!ours || !front.finish()) return fail("this is no backup of Postern");
  if (size > kMaxHeader) return damaged("its header is too long");
  bytes.resize(kFront + size);
  const Result<std::size_t> rest = source(std::span(bytes).subspan(kFront));
  if (!rest) return fail(rest.what());
  std::optional<Header> header = *rest == size ? decode(ByteView(bytes).subspan(kFront)) : std::nullopt;
  if (!header) return damaged("its header cannot be read");
  return Reader(std::move(source), std::move(*header), sha256(bytes));
}

Status Reader::unlock(std::span<const shamir::Share> shares) {
  if (shares.size() < header_.needed) return fail("the backup needs " + std::to_string(header_.needed) + " of its recipients");
  if (header_.needed == 1) {
    key_ = shares.front().value.clone();
  } else {
    Result<Secret> key = shamir::combine(shares.first(header_.needed));
    if (!key) return fail(key.what());
    key_ = std::move(*key);
  }
  return key_.size() == kKeySize ? Status() : damaged("a share has a wrong length");
}

Status Reader::fill(std::span<std::uint8_t> out) {
  const Result<std::size_t> got = source_(out);
  if (!got) return fail(got.what());
  return *got == out.size() ? Status() : damaged("it is cut off");
}

Result<Reader::Next> Reader::frame() {
  std::array<std::uint8_t, kFrameFront> bytes{};
  if (const Status got = fill(bytes); !got) return fail(got.what());
  ByteReader in(bytes);
  const std::uint8_t frame = in.u8();
  const std::uint32_t size = in.u32();
  if (frame < 1 || frame > 3) return damaged("a frame is of no kind");
  Next next{static_cast<Frame>(frame), {}};
  if (size > (next.frame == Frame::note ? kMaxNote : kPiece + Suite::kTagSize)) return damaged("a frame is too long");
  next.body.resize(size);
  if (const Status got = fill(next.body); !got) return fail(got.what());
  if (next.frame != Frame::note) hash_ = chained(hash_, framed(next.frame, next.body));
  return next;
}

Status Reader::piece() {
  if (last_) return damaged("it ends before its content");
  const Result<Next> next = frame();
  if (!next) return fail(next.what());
  if (next->frame == Frame::note || next->body.size() < Suite::kTagSize) return damaged("a piece is missing");
  last_ = next->frame == Frame::last_piece;
  wipe(plain_.data(), plain_.size());
  plain_.assign(next->body.size() - Suite::kTagSize, 0);
  taken_ = 0;
  if (!Suite::of(header_.profile).open(key_.bytes(), nonce_of(count_++, last_), bound_, next->body, plain_))
    return fail("a piece does not open: the backup is damaged, or the shares are not its own");
  return {};
}

Status Reader::read(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    if (taken_ == plain_.size())
      if (const Status got = piece(); !got) return got;
    const std::size_t count = std::min(out.size(), plain_.size() - taken_);
    std::ranges::copy(ByteView(plain_).subspan(taken_, count), out.begin());
    out = out.subspan(count);
    taken_ += count;
  }
  return {};
}

Result<std::string> Reader::finish() {
  if (!last_ || taken_ != plain_.size()) return damaged("it holds more than it should");
  return note();
}

Result<std::string> Reader::skip() {
  while (!last_) {
    const Result<Next> next = frame();
    if (!next) return fail(next.what());
    if (next->frame == Frame::note) return damaged("a piece is missing");
    last_ = next->frame == Frame::last_piece;
  }
  return note();
}

Result<std::string> Reader::note() {
  const Result<Next> next = frame();
  if (!next) return fail(next.what());
  if (next->frame != Frame::note) return damaged("something follows its last piece");
  std::array<std::uint8_t, 1> more{};
  const Result<std::size_t> got = source_(more);
  if (!got) return fail(got.what());
  if (*got != 0) return damaged("something follows its signature");
  return std::string(as_text(next->body));
}

// ---- content ----

Bytes encode(const Entry& entry) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.text8(entry.name);
  if (!entry.name.empty()) out.u64(entry.size);
  return bytes;
}

Result<Entry> read_entry(Reader& reader) {
  std::array<std::uint8_t, 1> length{};
  if (const Status got = reader.read(length); !got) return fail(got.what());
  Entry entry;
  if (length[0] == 0) return entry;
  Bytes bytes(length[0] + 8U);
  if (const Status got = reader.read(bytes); !got) return fail(got.what());
  ByteReader in(bytes);
  entry.name = as_text(in.view(length[0]));
  entry.size = in.u64();
  if (!is_content(reader.header().kind, entry.name)) return damaged("it holds a file that does not belong there");
  return entry;
}

bool is_content(Kind kind, std::string_view name) {
  if (kind == Kind::keys) return name == "ring" || name == "epoch";
  if (name == "postern.db" || name == "keyring" || name == "audit/vkey") return true;
  const auto below = [name](std::string_view folder, std::string_view characters) {
    if (!name.starts_with(folder)) return false;
    const std::string_view file = name.substr(folder.size());
    return !file.empty() && file.size() <= 128 && file.front() != '.' && file.find_first_not_of(characters) == std::string_view::npos;
  };
  return below("audit/epoch/", "0123456789") || below("audit/witness/", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_");
}

}  // namespace postern::backup
