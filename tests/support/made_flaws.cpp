// SPDX-License-Identifier: Apache-2.0
// Logs with one flaw each: rules broken by a gateway that signs everything, and what a thief can make of a log.
#include <cstdlib>
#include <functional>
#include <utility>

#include "tests/support/made_log.hpp"

namespace postern::made {
namespace {

using Files = std::map<std::string, Bytes>;

Bytes text_bytes(const std::string& text) { return {text.begin(), text.end()}; }

// The log to spoil, and where in it things stand. Made for logs of at least 200 leaves with at least 20 an epoch.
struct Spoiled {
  explicit Spoiled(const Options& given) : options(given), log(given) {}

  std::uint64_t closing(std::uint32_t epoch) const {
    std::uint64_t at = 0;
    for (std::uint32_t seen = 0;; ++at)
      if (log.leaves[at].type == 9 && seen++ == epoch) return at;
  }
  // The n-th leaf (from 0) of a message that has one before it and whose `before` is that one's.
  std::uint64_t linked(std::uint64_t n) const {
    for (std::uint64_t at = 0;; ++at)
      if (log.leaves[at].before != 0 && n-- == 0) return at;
  }
  std::uint64_t plain() const {
    for (std::uint64_t at = 10;; ++at)
      if (log.leaves[at].type == 7) return at;
  }
  void say_terms(std::uint64_t at, std::uint32_t epoch, std::int64_t begins, std::int64_t ends) { log.leaves[at].body = terms(log.epoch(epoch).verifier(), begins, ends); }
  void add_body(std::uint64_t at, std::uint8_t kind, Bytes body) {
    log.leaves[at].kind = kind;
    log.leaves[at].body = std::move(body);
  }
  Files linked_files(std::uint64_t as_it_is = ~0ULL) {
    log.link(as_it_is);
    return log.files();
  }
  std::string epoch_file(std::uint32_t epoch, const std::vector<Pair>& signers) const { return log.checkpoint(closing(epoch) + 1, signers); }
  // A key of one name with another key's secret, as a thief has it who holds only that one.
  Pair posing(const Verifier& as, std::uint64_t seed) const { return {as.name, as.type, seed}; }
  // A key of the same name, of the type that this log has not.
  Pair other_type(const Verifier& as) const { return {as.name, as.type == KeyType::ed25519 ? KeyType::ecdsa_p256 : KeyType::ed25519, options.seed}; }

  Options options;
  Log log;
};

// Another text for a good signature, which a careless verifier takes too and which needs no key: of ECDSA n - s in place of s, of Ed25519
// s + L. Both orders big-endian.
Signature second_form(KeyType type, const Signature& signature) {
  constexpr std::string_view kN = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  constexpr std::string_view kL = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";
  const bool ecdsa = type == KeyType::ecdsa_p256;
  Bytes order;
  if (!from_hex(ecdsa ? kN : kL, order)) std::abort();
  Signature other = signature;
  int carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {   // from the lowest byte up
    std::uint8_t& digit = ecdsa ? other[63 - i] : other[32 + i];
    const int sum = ecdsa ? order[31 - i] - digit - carry : digit + order[31 - i] + carry;
    carry = sum < 0 || sum > 255 ? 1 : 0;
    digit = static_cast<std::uint8_t>(sum & 0xff);
  }
  return other;
}

using Flaw = std::function<Files(Spoiled&)>;

// What stands in leaves, signed by all keys as if it were right.
const std::vector<std::pair<std::string, Flaw>>& leaf_flaws() {
  static const std::vector<std::pair<std::string, Flaw>> all{
      {"leaf-of-version-2", [](Spoiled& s) { return s.log.leaves[s.plain()].version = 2, s.linked_files(); }},
      {"leaf-with-a-byte-more", [](Spoiled& s) { return s.log.leaves[s.plain()].tail = {0}, s.linked_files(); }},
      {"leaf-too-long", [](Spoiled& s) { return s.add_body(s.plain(), 2, Bytes(8192, 7)), s.linked_files(); }},
      {"body-of-kind-4", [](Spoiled& s) { return s.add_body(s.plain(), 4, {1, 2, 3}), s.linked_files(); }},
      {"body-of-no-kind", [](Spoiled& s) { return s.add_body(s.plain(), 0, {1, 2, 3}), s.linked_files(); }},
      {"empty-sealed-body", [](Spoiled& s) { return s.add_body(s.plain(), 2, {}), s.linked_files(); }},
      {"empty-open-body", [](Spoiled& s) { return s.add_body(s.plain(), 1, {}), s.linked_files(); }},
      {"open-body-cut", [](Spoiled& s) { return s.add_body(s.plain(), 1, {5, 0, 9, 'x'}), s.linked_files(); }},
      {"open-body-with-short-key", [](Spoiled& s) { return s.add_body(s.plain(), 1, open_body({{11, Bytes(31)}})), s.linked_files(); }},
      {"open-body-with-long-time", [](Spoiled& s) { return s.add_body(s.plain(), 1, open_body({{12, Bytes(9)}})), s.linked_files(); }},
      {"sequence-says-another", [](Spoiled& s) { return s.log.leaves[70].sequence = 71, s.linked_files(70); }},
      {"previous-says-another", [](Spoiled& s) { return s.log.leaves[70].previous[9] ^= 1, s.linked_files(70); }},
      {"first-has-a-previous", [](Spoiled& s) { return s.log.leaves[0].previous[9] ^= 1, s.linked_files(0); }},
      {"before-of-no-message", [](Spoiled& s) { return s.log.leaves[s.plain()].before = 3, s.linked_files(); }},
      {"before-left-out", [](Spoiled& s) { return s.log.leaves[s.linked(5)].before = 0, s.linked_files(); }},
      {"before-of-another-message", [](Spoiled& s) { return s.log.leaves[s.linked(5)].before -= 1, s.linked_files(); }},
      {"before-is-itself", [](Spoiled& s) { return s.log.leaves[60].before = 61, s.linked_files(); }},
      {"before-is-later", [](Spoiled& s) { return s.log.leaves[s.linked(5)].before = 150, s.linked_files(); }},
      {"before-skips-one",
       [](Spoiled& s) {
         for (std::uint64_t at = 0;; ++at) {
           MadeLeaf& leaf = s.log.leaves[at];
           if (leaf.before == 0 || s.log.leaves[leaf.before - 1].before == 0) continue;
           leaf.before = s.log.leaves[leaf.before - 1].before;
           return s.linked_files();
         }
       }},
      {"time-goes-back", [](Spoiled& s) { return s.log.leaves[70].utc_us = s.log.leaves[68].utc_us, s.linked_files(); }},
      {"time-after-its-epoch", [](Spoiled& s) { return s.log.leaves[s.closing(0) - 1].utc_us = begins_us(1), s.linked_files(); }},
      {"time-before-its-epoch",
       [](Spoiled& s) {
         const std::uint64_t at = s.closing(0);
         s.log.leaves[at].utc_us = s.log.leaves[at + 1].utc_us = begins_us(1) - 1;
         return s.linked_files();
       }},
      {"does-not-begin", [](Spoiled& s) { return s.log.leaves[0].type = 1, s.linked_files(); }},
      {"begins-twice",
       [](Spoiled& s) {
         const std::uint64_t at = s.plain();
         s.log.leaves[at].type = 6;
         s.add_body(at, 1, s.log.leaves[0].body);
         return s.linked_files();
       }},
      {"first-key-is-another", [](Spoiled& s) { return s.say_terms(0, 7, begins_us(0), begins_us(1)), s.linked_files(); }},
      {"epoch-number-jumps", [](Spoiled& s) {
         for (std::uint64_t at = s.closing(3) + 1; at < s.log.leaves.size(); ++at) ++s.log.leaves[at].epoch;
         return s.linked_files();
       }},
      {"one-leaf-of-another-epoch", [](Spoiled& s) { return s.log.leaves[s.closing(0) + 3].epoch = 0, s.linked_files(); }},
      {"closing-leaf-says-the-next-epoch", [](Spoiled& s) { return ++s.log.leaves[s.closing(1)].epoch, s.linked_files(); }},
      {"gap-between-epochs", [](Spoiled& s) { return s.say_terms(s.closing(0), 1, begins_us(1) + 1, begins_us(2)), s.linked_files(); }},
      {"epochs-overlap", [](Spoiled& s) { return s.say_terms(s.closing(0), 1, begins_us(1) - 1, begins_us(2)), s.linked_files(); }},
      {"epoch-longer-than-a-day",
       [](Spoiled& s) {
         const std::uint32_t last = s.log.last_epoch();
         s.say_terms(s.closing(last - 1), last, begins_us(last), begins_us(last) + 86'400'000'001);
         return s.linked_files();
       }},
      {"epoch-of-no-length",
       [](Spoiled& s) {   // the empty one: no leaf stands in it
         s.say_terms(s.closing(1), 2, begins_us(2), begins_us(2));
         s.say_terms(s.closing(2), 3, begins_us(2), begins_us(4));
         return s.linked_files();
       }},
      {"first-epoch-of-negative-length", [](Spoiled& s) { return s.say_terms(0, 0, begins_us(1), begins_us(0)), s.linked_files(); }},
      {"empty-epoch-skipped",
       [](Spoiled& s) {   // epoch 1 ends with the key and hours of epoch 3, as if nothing had been between
         const std::uint64_t at = s.closing(2);
         s.log.leaves[at - 1].body = s.log.leaves[at].body;
         s.log.leaves.erase(s.log.leaves.begin() + static_cast<std::ptrdiff_t>(at));
         for (MadeLeaf& leaf : s.log.leaves) {
           if (leaf.epoch > 1) --leaf.epoch;
           if (leaf.before > at) --leaf.before;
         }
         return s.linked_files();
       }},
      {"empty-epoch-without-its-leaf",
       [](Spoiled& s) {   // the leaves go on in it, later than it ended
         const std::uint64_t at = s.closing(2);
         s.log.leaves.erase(s.log.leaves.begin() + static_cast<std::ptrdiff_t>(at));
         for (MadeLeaf& leaf : s.log.leaves) {
           if (leaf.epoch > 2) --leaf.epoch;
           if (leaf.before > at) --leaf.before;
         }
         return s.linked_files();
       }},
      {"terms-without-key", [](Spoiled& s) { return s.add_body(s.closing(1), 1, open_body({{12, number_bytes(begins_us(2))}, {13, number_bytes(begins_us(3))}})), s.linked_files(); }},
      {"terms-with-two-keys",
       [](Spoiled& s) {
         const std::uint64_t at = s.closing(1);
         Bytes twice = open_body({{11, Bytes(32, 1)}});
         twice.insert(twice.end(), s.log.leaves[at].body.begin(), s.log.leaves[at].body.end());
         return s.add_body(at, 1, twice), s.linked_files();
       }},
      {"terms-with-two-ends",
       [](Spoiled& s) {
         const std::uint64_t at = s.closing(1);
         const Bytes end = open_body({{13, number_bytes(begins_us(3))}});
         s.log.leaves[at].body.insert(s.log.leaves[at].body.end(), end.begin(), end.end());
         return s.linked_files();
       }},
      {"epoch-key-of-the-other-type",
       [](Spoiled& s) {
         const Pair other = s.other_type(s.log.epoch(2).verifier());
         s.log.leaves[s.closing(1)].body = terms(other.verifier(), begins_us(2), begins_us(3));
         Files files = s.linked_files();
         files["epoch/000002"] = text_bytes(s.epoch_file(2, {s.log.identity(), other}));
         return files;
       }},
      {"first-epochs-key-of-the-other-type",
       [](Spoiled& s) {
         const Pair other = s.other_type(s.log.epoch(0).verifier());
         s.log.leaves[0].body = terms(other.verifier(), begins_us(0), begins_us(1));
         Files files = s.linked_files();
         files["epoch/000000"] = text_bytes(s.epoch_file(0, {s.log.identity(), other}));
         files["vkey"] = text_bytes(verifier_key(s.log.identity().verifier()) + "\n" + verifier_key(other.verifier()) + "\n");
         return files;
       }},
      {"terms-are-sealed", [](Spoiled& s) { return s.log.leaves[s.closing(1)].kind = 2, s.linked_files(); }},
  };
  return all;
}

// What stands in files, above leaves that are right.
const std::vector<std::pair<std::string, Flaw>>& file_flaws() {
  const auto put = [](Spoiled& s, const std::string& name, const std::string& text) {
    Files files = s.log.files();
    files[name] = text_bytes(text);
    return files;
  };
  static const std::vector<std::pair<std::string, Flaw>> all{
      {"checkpoint-of-an-older-epochs-key",
       [put](Spoiled& s) { return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.log.identity(), s.log.epoch(s.log.last_epoch() - 1)})); }},
      {"checkpoint-of-a-later-epochs-key",
       [put](Spoiled& s) { return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.log.identity(), s.log.epoch(s.log.last_epoch() + 1)})); }},
      {"checkpoint-of-a-strange-key-in-the-epochs-name",
       [put](Spoiled& s) {
         const Pair thief = s.posing(s.log.epoch(s.log.last_epoch()).verifier(), 77);
         return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.log.identity(), thief}));
       }},
      {"checkpoint-of-the-epochs-name-and-the-other-type",
       [put](Spoiled& s) {
         const Pair epoch = s.other_type(s.log.epoch(s.log.last_epoch()).verifier());
         return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.log.identity(), epoch}));
       }},
      {"checkpoint-of-an-identity-of-the-other-type",
       [put](Spoiled& s) {
         return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.other_type(s.log.identity().verifier()), s.log.epoch(s.log.last_epoch())}));
       }},
      {"signature-in-its-second-form",
       [put](Spoiled& s) {
         const Signer identity = s.log.identity().signer();
         const Signer other{identity.verifier, [identity](std::string_view text) { return second_form(identity.verifier.type, identity.sign(text)); }};
         return put(s, "checkpoint", sign_checkpoint({s.options.origin, s.log.leaves.size(), s.log.root(s.log.leaves.size())},
                                                     {other, s.log.epoch(s.log.last_epoch()).signer()}));
       }},
      {"checkpoint-without-the-epochs-key", [put](Spoiled& s) { return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.log.identity()})); }},
      {"checkpoint-without-the-identity-key",
       [put](Spoiled& s) { return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.log.epoch(s.log.last_epoch())})); }},
      {"checkpoint-of-a-strange-identity",
       [put](Spoiled& s) {
         return put(s, "checkpoint", s.log.checkpoint(s.log.leaves.size(), {s.posing(s.log.identity().verifier(), 77), s.log.epoch(s.log.last_epoch())}));
       }},
      {"checkpoint-of-another-root",
       [put](Spoiled& s) {
         Hash root = s.log.root(s.log.leaves.size());
         root[3] ^= 1;
         return put(s, "checkpoint", sign_checkpoint({s.options.origin, s.log.leaves.size(), root}, {s.log.identity().signer(), s.log.epoch(s.log.last_epoch()).signer()}));
       }},
      {"checkpoint-of-a-leaf-more",
       [put](Spoiled& s) {
         return put(s, "checkpoint", sign_checkpoint({s.options.origin, s.log.leaves.size() + 1, s.log.root(s.log.leaves.size())},
                                                     {s.log.identity().signer(), s.log.epoch(s.log.last_epoch()).signer()}));
       }},
      {"checkpoint-with-a-line-more",
       [put](Spoiled& s) {
         const std::string text = checkpoint_text({s.options.origin, s.log.leaves.size(), s.log.root(s.log.leaves.size())}) + "more\n";
         return put(s, "checkpoint", sign_note(text, {s.log.identity().signer(), s.log.epoch(s.log.last_epoch()).signer()}));
       }},
      {"epoch-file-without-the-epochs-key", [put](Spoiled& s) { return put(s, "epoch/000001", s.epoch_file(1, {s.log.identity()})); }},
      {"epoch-file-without-the-identity-key", [put](Spoiled& s) { return put(s, "epoch/000001", s.epoch_file(1, {s.log.epoch(1)})); }},
      {"epoch-file-of-the-next-epochs-key", [put](Spoiled& s) { return put(s, "epoch/000001", s.epoch_file(1, {s.log.identity(), s.log.epoch(2)})); }},
      {"epoch-file-of-another-end", [put](Spoiled& s) { return put(s, "epoch/000001", s.log.checkpoint(s.closing(1), {s.log.identity(), s.log.epoch(1)})); }},
      {"last-epochs-file-missing-under-the-next-epochs-key",
       [](Spoiled& s) {   // the checkpoint of this size that would stand for it is signed by the key of the closed epoch
         Options shorter = s.options;
         shorter.leaves = s.closing(3) + 1;
         Files files = Log(shorter).files();
         files.erase("epoch/000003");
         return files;
       }},
      {"last-epochs-file-missing-under-an-older-key",
       [](Spoiled& s) {
         Options shorter = s.options;
         shorter.leaves = s.closing(3) + 1;
         const Log cut(shorter);
         Files files = cut.files();
         files.erase("epoch/000003");
         files["checkpoint"] = text_bytes(cut.checkpoint(shorter.leaves, {s.log.identity(), s.log.epoch(2)}));
         return files;
       }},
      {"epoch-file-missing-under-a-later-checkpoint-of-its-key",
       [](Spoiled& s) {
         const std::uint32_t last = s.log.last_epoch();
         Files files = s.log.files();
         files.erase("epoch/000003");
         files["checkpoint"] = text_bytes(s.log.checkpoint(s.log.leaves.size(), {s.log.identity(), s.log.epoch(last), s.log.epoch(3)}));
         return files;
       }},
      {"last-epochs-file-of-another-end",
       [](Spoiled& s) {
         Options shorter = s.options;
         shorter.leaves = s.closing(3) + 1;
         const Log cut(shorter);
         Files files = cut.files();
         files["epoch/000003"] = text_bytes(cut.checkpoint(shorter.leaves - 1, {s.log.identity(), s.log.epoch(3)}));
         files["checkpoint"] = text_bytes(cut.checkpoint(shorter.leaves, {s.log.identity(), s.log.epoch(3)}));
         return files;
       }},
      {"epoch-file-ahead-of-the-checkpoint",
       [](Spoiled& s) {   // tiles and all are there: only the checkpoint was put back
         Options shorter = s.options;
         shorter.leaves = s.closing(3);
         const Log whole([&] { Options o = s.options; o.leaves = s.closing(3) + 1; return o; }()), before(shorter);
         Files files = whole.files();
         for (auto& [name, content] : before.files()) files[name] = content;
         return files;
       }},
      {"epoch-file-too-many",
       [put](Spoiled& s) { return put(s, "epoch/" + epoch_digits(s.log.last_epoch()), s.log.checkpoint()); }},
      {"epoch-file-of-no-number", [put](Spoiled& s) { return put(s, "epoch/0", s.epoch_file(0, {s.log.identity(), s.log.epoch(0)})); }},
      {"rolled-back-below-a-finished-epoch",
       [](Spoiled& s) {
         Options shorter = s.options;
         shorter.leaves = s.closing(3) - 5;
         Files files = Log(shorter).files();
         files["epoch/000003"] = text_bytes(s.epoch_file(3, {s.log.identity(), s.log.epoch(3)}));
         return files;
       }},
      {"witness-saw-another-history",
       [put](Spoiled& s) {
         Options other = s.options;
         other.fork = 120;
         return put(s, "witness/witness.example", Log(other).cosigned());
       }},
      {"witness-saw-more",
       [put](Spoiled& s) {
         Options longer = s.options;
         longer.leaves += 10;
         return put(s, "witness/witness.example", Log(longer).cosigned());
       }},
      {"witness-of-a-log-of-another-origin",
       [put](Spoiled& s) {
         Options other = s.options;
         other.origin = "bank.example/other";
         return put(s, "witness/witness.example", Log(other).cosigned());
       }},
      {"tiles-of-another-log",
       [](Spoiled& s) {
         Options other = s.options;
         other.seed += 1;
         Files files = s.log.files();
         for (auto& [name, content] : Log(other).files())
           if (name.starts_with("tile/")) files[name] = content;
         return files;
       }},
      {"hash-tiles-of-another-log",
       [](Spoiled& s) {
         Options other = s.options;
         other.seed += 1;
         Files files = s.log.files();
         for (auto& [name, content] : Log(other).files())
           if (name.starts_with("tile/0/")) files[name] = content;
         return files;
       }},
      {"left-over-tile-that-contradicts", [put](Spoiled& s) { return put(s, "tile/0/000.p/3", std::string(96, 'x')); }},
      {"left-over-tile-cut", [put](Spoiled& s) { return put(s, "tile/0/007", std::string(96, 'x')); }},
      {"left-over-bundle-that-contradicts",
       [](Spoiled& s) {
         Files files = s.log.files();
         MadeLeaf first = s.log.leaves[0];
         first.client = 99;
         Bytes bundle;
         ByteWriter(bundle).view16(encode(first));
         files["tile/entries/000.p/1"] = bundle;
         return files;
       }},
      {"strange-file-among-tiles", [put](Spoiled& s) { return put(s, "tile/0/000.bak", "x"); }},
      {"tile-by-another-name",
       [](Spoiled& s) {
         Files files = s.log.files();
         files["tile/00/000.p/3"] = Bytes(96, 1);
         return files;
       }},
  };
  return all;
}

// The thief has the identity key and the key of the epoch that runs; everything before is gone.
const std::vector<std::pair<std::string, Flaw>>& thefts() {
  const auto rewritten = [](Spoiled& s) {
    s.log.leaves[60].client = 99;   // epoch 1
    s.log.link();
  };
  static const std::vector<std::pair<std::string, Flaw>> all{
      // The rewritten epochs resealed with the key he has, in their own names and in its name.
      {"resealed-with-the-later-key-in-their-names",
       [rewritten](Spoiled& s) {
         rewritten(s);
         Files files = s.log.files();
         const std::uint32_t last = s.log.last_epoch();
         for (std::uint32_t epoch = 1; epoch < last; ++epoch) {
           const std::string right = s.epoch_file(epoch, {s.log.identity(), s.log.epoch(epoch)});
           // The later key's signature under the name and key hash of the earlier one.
           const Signer later{s.log.epoch(epoch).verifier(), s.log.epoch(last).signer().sign};
           files["epoch/" + epoch_digits(epoch)] =
               text_bytes(sign_checkpoint({s.options.origin, s.closing(epoch) + 1, s.log.root(s.closing(epoch) + 1)}, {s.log.identity().signer(), later}));
         }
         return files;
       }},
      {"resealed-with-the-later-key-in-its-name",
       [rewritten](Spoiled& s) {
         rewritten(s);
         Files files = s.log.files();
         const std::uint32_t last = s.log.last_epoch();
         for (std::uint32_t epoch = 1; epoch < last; ++epoch)
           files["epoch/" + epoch_digits(epoch)] = text_bytes(s.epoch_file(epoch, {s.log.identity(), s.log.epoch(last)}));
         return files;
       }},
      // The epoch files as they were.
      {"rewritten-under-the-old-epoch-files",
       [rewritten](Spoiled& s) {
         const Files before = s.log.files();
         rewritten(s);
         Files files = s.log.files();
         for (const auto& [name, content] : before)
           if (name.starts_with("epoch/")) files[name] = content;
         return files;
       }},
      // All keys from epoch 1 on are his own, and the leaf that begins epoch 1 says so; its epoch 0 cannot be resealed.
      {"own-keys-from-epoch-1",
       [](Spoiled& s) {
         s.log.leaves[60].client = 99;
         const auto own = [&](std::uint32_t epoch) { return s.posing(s.log.epoch(epoch).verifier(), 77); };
         const std::uint32_t last = s.log.last_epoch();
         for (std::uint32_t epoch = 1; epoch <= last; ++epoch)
           s.log.leaves[s.closing(epoch - 1)].body = terms(own(epoch).verifier(), begins_us(epoch), begins_us(epoch + 1));
         const Bytes true_end = Log(s.options).files().at("epoch/000000");
         s.log.link();
         Files files = s.log.files();
         for (std::uint32_t epoch = 1; epoch < last; ++epoch) files["epoch/" + epoch_digits(epoch)] = text_bytes(s.epoch_file(epoch, {s.log.identity(), own(epoch)}));
         files["epoch/000000"] = true_end;
         const std::string note = s.log.checkpoint(s.log.leaves.size(), {s.log.identity(), own(last)});
         files["checkpoint"] = text_bytes(note);
         files.erase("witness/witness.example");
         return files;
       }},
      // The same from the first leaf on: everything but the key of epoch 0 that was kept elsewhere.
      {"own-keys-from-epoch-0",
       [](Spoiled& s) {
         s.log.leaves[60].client = 99;
         const auto own = [&](std::uint32_t epoch) { return s.posing(s.log.epoch(epoch).verifier(), 77); };
         const std::uint32_t last = s.log.last_epoch();
         for (std::uint32_t epoch = 0; epoch <= last; ++epoch)
           s.log.leaves[epoch == 0 ? 0 : s.closing(epoch - 1)].body = terms(own(epoch).verifier(), begins_us(epoch), begins_us(epoch + 1));
         s.log.link();
         Files files = s.log.files();
         for (std::uint32_t epoch = 0; epoch < last; ++epoch) files["epoch/" + epoch_digits(epoch)] = text_bytes(s.epoch_file(epoch, {s.log.identity(), own(epoch)}));
         files["checkpoint"] = text_bytes(s.log.checkpoint(s.log.leaves.size(), {s.log.identity(), own(last)}));
         files.erase("witness/witness.example");
         return files;
       }},
      // Cut back to before the running epoch: the keys that could sign that end are gone.
      {"cut-back-to-an-older-epoch",
       [](Spoiled& s) {
         Options shorter = s.options;
         shorter.leaves = s.closing(2) + 10;
         Log cut(shorter);
         Files files = cut.files();
         files["checkpoint"] = text_bytes(cut.checkpoint(shorter.leaves, {s.log.identity(), s.log.epoch(s.log.last_epoch())}));
         files.erase("witness/witness.example");
         return files;
       }},
  };
  return all;
}

std::vector<std::pair<std::string, Flaw>> every_flaw() {
  std::vector<std::pair<std::string, Flaw>> all = leaf_flaws();
  all.insert(all.end(), file_flaws().begin(), file_flaws().end());
  all.insert(all.end(), thefts().begin(), thefts().end());
  return all;
}

}  // namespace

std::vector<std::string> flaws() {
  std::vector<std::string> names;
  for (const auto& [name, make] : every_flaw()) names.push_back(name);
  return names;
}

std::map<std::string, Bytes> flawed(const std::string& flaw, const Options& options) {
  for (const auto& [name, make] : every_flaw()) {
    if (name != flaw) continue;
    Spoiled spoiled(options);
    return make(spoiled);
  }
  return {};
}

}  // namespace postern::made
