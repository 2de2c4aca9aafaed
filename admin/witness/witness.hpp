// SPDX-License-Identifier: Apache-2.0
// Purpose: decides what a witness says to a checkpoint (C2SP tlog-witness, add-checkpoint): it vouches for one growing
// history of each log and for nothing else. Used by: postern-witness. Threads: one. Ownership: borrows key and memory.
// Errors: are answers. Whatever is not answered with 200 has changed nothing.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "admin/witness/key.hpp"
#include "admin/witness/memory.hpp"

namespace postern::witness {

inline constexpr std::size_t kMaxRequest = 96 * 1024;   // a note of 64 KiB and 63 lines of proof

struct Reply {
  int status = 200;
  std::string body;
  std::string what;       // for the log: why not
};

// An add-checkpoint request as it was written.
struct Request {
  std::uint64_t old_size = 0;
  std::vector<Hash> proof;
  std::string note;       // as it came
  SignedCheckpoint checkpoint;
};
Result<Request> read_request(std::string_view body);

class Witness {
 public:
  Witness(const Key& key, Memory& memory, std::vector<Verifier> logs) : signer_(key.signer()), memory_(memory), logs_(std::move(logs)) {}

  // `now_s`: Unix seconds, for the cosignature. 200: the cosignature line; 400: not of the form; 403: not signed by the
  // log; 404: another log; 409: the body says which size is known; 422: does not follow from it; 500: not kept.
  Reply add_checkpoint(std::string_view body, std::uint64_t now_s);
  // The last cosigned checkpoint of the log of this origin hash; 404 when there is none.
  Reply checkpoint(std::string_view origin_hash) const;

 private:
  const Verifier* log_of(const std::string& origin) const;

  Signer signer_;
  Memory& memory_;
  std::vector<Verifier> logs_;
};

}  // namespace postern::witness
