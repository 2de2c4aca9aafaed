// SPDX-License-Identifier: Apache-2.0
// Purpose: what a witness must never forget: the last checkpoint it cosigned of each log. One file a log in a folder:
// the checkpoint with the log's signature and the witness's own.
// Used by: the witness. Threads: one; one process a folder, held by a lock. Ownership: owns the lock's descriptor.
// Errors: a folder that is in use; a file that is damaged or not signed by this witness is refused at opening and never
// taken for "nothing seen yet", for forgetting is what an attacker wants.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "crypto/note.hpp"

namespace postern::witness {

class Memory {
 public:
  // Reads what is known of the logs of these keys. The folder must be there.
  static Result<Memory> open(const std::string& folder, const std::vector<Verifier>& logs, const Verifier& self);

  // The last cosigned note of this log as it is in its file; null when there was none.
  const std::string* last(const std::string& origin) const;
  // Durable when it returns without an error: synced under another name, renamed, the folder synced. After an error
  // the old one counts, and whichever of the two stands in the file was cosigned by nobody else.
  Status keep(const std::string& origin, const std::string& note);

  // Lower-case hex of SHA-256 of the origin: the file's name, and the log's in tlog-witness's monitoring path.
  static std::string name_of(const std::string& origin);

 private:
  struct Lock {
    explicit Lock(int descriptor) : fd(descriptor) {}
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    int fd;
  };
  std::string folder_;
  std::unique_ptr<Lock> lock_;   // on the folder itself
  std::map<std::string, std::string> notes_;
};

}  // namespace postern::witness
