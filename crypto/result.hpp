// SPDX-License-Identifier: Apache-2.0
// Purpose: the one way a function of ours reports that it could not do its work.
// Used by: every process. Threads: plain values. Limits: none.
// Errors are values; exceptions never cross a folder border. A result cannot be dropped unread.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace postern {

// A sentence for a person: what went wrong, where, and what to do next. It never holds a secret,
// a message text or a whole phone number.
struct Error {
  std::string what;
};

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  const std::string& what() const { return this->error().what; }
};

using Status = Result<void>;

inline std::unexpected<Error> fail(std::string what) {
  return std::unexpected<Error>(Error{std::move(what)});
}

}  // namespace postern
