// SPDX-License-Identifier: Apache-2.0
#include "admin/audit/trust.hpp"

#include <algorithm>
#include <sstream>

#include "admin/audit/folder.hpp"

namespace postern::auditor {
namespace {

constexpr std::size_t kMaxKeyFile = 64 * 1024;
constexpr std::string_view kEpochs = "/epoch/";   // between a log's name and an epoch's number

enum class Whose { log, witness };

Status add_keys(const std::string& word, Whose whose, std::vector<Verifier>& out) {
  const Result<std::optional<Bytes>> file = read_file(word, kMaxKeyFile);
  // A name too long for a file is a key all the same.
  const bool is_file = file && file->has_value();
  std::istringstream lines(is_file ? std::string(as_text(**file)) : word);
  std::string line;
  std::size_t found = 0;
  while (std::getline(lines, line)) {
    if (line.empty()) continue;
    Result<Verifier> key = parse_verifier(line);
    if (!key) return fail((is_file ? word + ": " : "'" + word + "' is no file, and as a key: ") + key.what());
    if ((key->type == KeyType::cosigner) != (whose == Whose::witness))
      return fail(key->name + (whose == Whose::witness ? " is no witness's key; give it with --vkey" : " is a witness's key; give it with --witness"));
    out.push_back(std::move(*key));
    ++found;
  }
  if (found == 0) return fail(word + ": holds no verifier key");
  return {};
}

}  // namespace

const Verifier* Trust::named(const std::string& name) const {
  const auto found = std::ranges::find(keys, name, &Verifier::name);
  return found != keys.end() ? &*found : nullptr;
}

Result<Trust> read_trust(const std::vector<std::string>& keys, const std::vector<std::string>& witnesses) {
  Trust trust;
  for (const std::string& word : keys)
    if (const Status added = add_keys(word, Whose::log, trust.keys); !added) return fail(added.what());
  for (const std::string& word : witnesses)
    if (const Status added = add_keys(word, Whose::witness, trust.witnesses); !added) return fail(added.what());
  for (const Verifier& key : trust.keys) {
    if (std::ranges::any_of(trust.keys, [&](const Verifier& other) { return other.name == key.name && other != key; }))
      return fail("two different keys of " + key.name + " were given; which is right must be known from elsewhere");
    const std::size_t epoch = key.name.rfind(kEpochs);
    const Verifier* log = epoch == std::string::npos ? nullptr : trust.identity(key.name.substr(0, epoch));
    if (log != nullptr && log->type != key.type) return fail("the keys of " + log->name + " and of " + key.name + " are of two types; a log has one for its whole life");
  }
  return trust;
}

Result<SignedCheckpoint> open_signed(std::string_view note, const Trust& trust) {
  Result<SignedCheckpoint> read = read_checkpoint(note);
  if (!read) return read;
  const Verifier* key = trust.identity(read->checkpoint.origin);
  if (key == nullptr) return fail("checkpoint: no key was given for its log");
  if (const Result<std::uint64_t> good = signed_by(*read, *key); !good) return fail("checkpoint: " + good.what());
  return read;
}

}  // namespace postern::auditor
