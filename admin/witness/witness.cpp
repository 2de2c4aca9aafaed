// SPDX-License-Identifier: Apache-2.0
#include "admin/witness/witness.hpp"

#include <algorithm>

namespace postern::witness {
namespace {

constexpr std::size_t kMaxProof = 63;   // tlog-witness: no more lines than that

Reply refused(int status, std::string what) { return {status, what + "\n", what}; }

}  // namespace

Result<Request> read_request(std::string_view body) {
  const auto bad = [](std::string_view what) { return fail("add-checkpoint: " + std::string(what)); };
  Request request;
  const std::size_t gap = body.find("\n\n");
  if (body.size() > kMaxRequest || gap == std::string_view::npos) return bad("is not an old size, a proof, an empty line and a checkpoint");
  std::string_view lines = body.substr(0, gap + 1);
  const auto take_line = [&lines] {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 1);
    return line;
  };
  constexpr std::string_view kOld = "old ";
  const std::string_view first = take_line();
  if (!first.starts_with(kOld) || !read_decimal(first.substr(kOld.size()), request.old_size)) return bad("the first line must be 'old' and a size");
  while (!lines.empty()) {
    const std::string_view line = take_line();
    Bytes bytes;
    if (request.proof.size() == kMaxProof || !from_base64(line, bytes) || bytes.size() != sizeof(Hash)) return bad("a line of the proof is no hash, or there are too many");
    request.proof.emplace_back();
    std::ranges::copy(bytes, request.proof.back().begin());
  }
  request.note = body.substr(gap + 2);
  Result<SignedCheckpoint> checkpoint = read_checkpoint(request.note);
  if (!checkpoint) return bad(checkpoint.what());
  request.checkpoint = std::move(*checkpoint);
  return request;
}

const Verifier* Witness::log_of(const std::string& origin) const {
  const auto found = std::ranges::find(logs_, origin, &Verifier::name);
  return found != logs_.end() ? &*found : nullptr;
}

Reply Witness::add_checkpoint(std::string_view body, std::uint64_t now_s) {
  const Result<Request> request = read_request(body);
  if (!request) return refused(400, request.what());
  const Checkpoint& asked = request->checkpoint.checkpoint;
  const Verifier* log = log_of(asked.origin);
  if (log == nullptr) return refused(404, "this witness does not know the log");
  if (const Result<std::uint64_t> good = signed_by(request->checkpoint, *log); !good) return refused(403, "checkpoint: " + good.what());
  if (request->old_size > asked.size) return refused(400, "the old size is larger than the checkpoint's");

  Checkpoint known{asked.origin, 0, sha256({})};
  if (const std::string* last = memory_.last(asked.origin)) {
    const Result<SignedCheckpoint> read = read_checkpoint(*last);
    if (!read) return refused(500, "what this witness knows of the log cannot be read");
    known = read->checkpoint;
  }
  if (request->old_size != known.size)
    return {409, std::to_string(known.size) + "\n", "old size " + std::to_string(request->old_size) + ", known " + std::to_string(known.size)};
  // Of the empty tree there is one root (RFC 6962 section 2.1), and every tree follows it without a proof.
  if (asked.size == 0 && asked.root != known.root) return refused(422, "the root of an empty log is another");
  if (!verify_consistency(known.size, known.root, asked.size, asked.root, request->proof))
    return refused(422, "the checkpoint does not follow from the one of " + std::to_string(known.size) + " leaves that was cosigned before");

  const std::string line = cosignature_line(request->checkpoint.text, signer_, now_s);
  // What is kept has the log's signature and ours; other lines are others' business.
  std::string kept = request->checkpoint.text + "\n";
  for (const SignedCheckpoint::Line& signature : request->checkpoint.lines)
    if (signature.name == log->name) kept += "\xe2\x80\x94 " + signature.name + " " + to_base64(signature.signature) + "\n";
  if (const Status durable = memory_.keep(asked.origin, kept + line); !durable) return {500, "the checkpoint could not be kept; nothing was cosigned\n", durable.what()};
  return {200, line, ""};
}

Reply Witness::checkpoint(std::string_view origin_hash) const {
  for (const Verifier& log : logs_)
    if (Memory::name_of(log.name) == origin_hash)
      if (const std::string* last = memory_.last(log.name)) return {200, *last, ""};
  return refused(404, "no checkpoint of such a log was cosigned here");
}

}  // namespace postern::witness
