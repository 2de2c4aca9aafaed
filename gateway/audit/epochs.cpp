// SPDX-License-Identifier: Apache-2.0
#include "gateway/audit/epochs.hpp"

#include <algorithm>

#include "crypto/sealed_file.hpp"

namespace postern::audit {
namespace {

constexpr std::size_t kHead = 4 + 8 + 8;

std::string eight_bytes(std::int64_t value) {
  Bytes bytes;
  ByteWriter(bytes).i64(value);
  return std::string(as_text(bytes));
}

}  // namespace

Result<Epochs> Epochs::begin(const std::string& path, const std::string& origin, const Keys& keys, std::int64_t utc_us) {
  Epochs epochs(path, origin, keys);
  epochs.now_ = {0, utc_us, utc_us + kEpochUs, keys.suite().new_signing_key()};
  if (const Status saved = epochs.save(/*with_next=*/false); !saved) return fail(saved.what());
  return epochs;
}

Result<Epochs> Epochs::open(const std::string& path, const std::string& origin, const Keys& keys, std::uint32_t log_epoch) {
  const Result<Secret> content = load_sealed(path, keys, Purpose::epoch);
  if (!content) return fail("audit epoch: " + content.what());
  Epochs epochs(path, origin, keys);
  ByteReader in(content->bytes());
  for (Epoch* epoch : {&epochs.now_, &epochs.next_}) {
    if (in.ok() && in.left() == 0) break;
    epoch->number = in.u32();
    epoch->begins_us = in.i64();
    epoch->ends_us = in.i64();
    epoch->signing_key = Secret(in.view8());
  }
  if (!in.finish() || !keys.suite().is_signing_key(epochs.now_.signing_key)) return fail("audit epoch: " + path + " is damaged; restore it from its backup");
  // A next key whose leaf was not committed is nobody's.
  const bool has_next = !epochs.next_.signing_key.empty();
  epochs.closing_ = has_next && log_epoch == epochs.next_.number;
  if (!epochs.closing_) epochs.next_ = {};
  if (!epochs.closing_ && log_epoch != epochs.now_.number)
    return fail("audit epoch: " + path + " holds the key of epoch " + std::to_string(epochs.now_.number) + ", the log is in epoch " +
                std::to_string(log_epoch) + ": one of them is an old copy; restore both from the same backup");
  return epochs;
}

Body Epochs::body_of(const Epoch& epoch) const {
  const PublicKey key = keys_->suite().public_key(epoch.signing_key);
  return {{Field::key, std::string(as_text(key))}, {Field::begins, eight_bytes(epoch.begins_us)}, {Field::ends, eight_bytes(epoch.ends_us)}};
}

// The next epoch follows without a gap. What the gateway slept through becomes as few epochs as may be.
Status Epochs::prepare(std::int64_t utc_us) {
  // Its leaf may stand in the store though the commit was told as failed (a sync that failed): the same key is offered again.
  if (!next_.signing_key.empty()) return {};
  const std::int64_t begins = now_.ends_us, slept = utc_us - begins;
  const std::int64_t length = slept < kEpochUs ? kEpochUs : std::min(slept, kLongestEpochUs);
  next_ = {now_.number + 1, begins, begins + length, keys_->suite().new_signing_key()};
  Status saved = save(/*with_next=*/true);
  if (!saved) next_ = {};
  return saved;
}

Status Epochs::close() {
  std::swap(now_, next_);
  if (const Status saved = save(/*with_next=*/false); !saved) {
    std::swap(now_, next_);
    return saved;
  }
  next_ = {};
  closing_ = false;
  return {};
}

Status Epochs::save(bool with_next) const {
  const auto size_of = [](const Epoch& epoch) { return kHead + 1 + epoch.signing_key.size(); };
  Secret content(size_of(now_) + (with_next ? size_of(next_) : 0));
  std::uint8_t* out = content.writable().data();
  for (const Epoch* epoch : {&now_, &next_}) {
    if (epoch == &next_ && !with_next) break;
    Bytes head;
    ByteWriter writer(head);
    writer.u32(epoch->number);
    writer.i64(epoch->begins_us);
    writer.i64(epoch->ends_us);
    writer.u8(static_cast<std::uint8_t>(epoch->signing_key.size()));
    out = std::ranges::copy(head, out).out;
    out = std::ranges::copy(epoch->signing_key.bytes(), out).out;
  }
  return save_sealed(path_, *keys_, Purpose::epoch, content);
}

Signer Epochs::signer() const {
  const Suite& suite = keys_->suite();
  return {{epoch_key_name(origin_, now_.number), suite.key_type(), suite.public_key(now_.signing_key)},
          [this, &suite](std::string_view text) { return suite.sign(now_.signing_key, as_bytes(text)); }};
}

}  // namespace postern::audit
