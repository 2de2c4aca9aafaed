// SPDX-License-Identifier: Apache-2.0
// Purpose: the fields that conditions may ask about, with their types, and the values they have for one message.
// Used by: the configuration (makes a vocabulary, parses conditions with it), the vault (fills facts).
// Threads: parsing a condition may add members to a vocabulary, so one thread loads; afterwards plain values.
// Errors: a vocabulary that contradicts itself is refused when it is made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crypto/result.hpp"

namespace postern::policy {

enum class Type : std::uint8_t {
  boolean,
  integer,
  text,
  duration,  // as a value: milliseconds
  time,      // as a value: minutes since midnight, 0..1439
};
inline constexpr std::size_t kTypes = 5;

// "an integer", "a time of day"; and how a value of it is written: 1000, 09:30.
std::string_view with_article(Type type);
std::string_view example_of(Type type);

// What one field has for one message; nothing: it is not known. Texts are the caller's and outlive the call. A value
// of another type than the field's counts as not known.
using Value = std::variant<std::monostate, bool, std::int64_t, std::string_view>;
// Values by index; an index beyond the end is not known.
using Facts = std::span<const Value>;

// The value as a condition would write it, control characters as dots; nothing when it is not known.
std::optional<std::string> written(const Value& value, Type type);
// The value is there and of this type.
bool is_known(const Value& value, Type type);

// The words of the language, which no field may be named as.
bool is_keyword(std::string_view word);

struct Field {
  std::string name;         // dotted words: letters, digits, underscores. "param.*" is an open family: any word may stand for *
  Type type = Type::text;   // of an open family: text or integer
  std::uint16_t index = 0;  // into Facts, below 512; ignored for a family
};

// A member of an open family that some condition asks about.
struct Member {
  std::string name;         // whole: "param.amount"
  std::uint16_t index = 0;
};

class Vocabulary {
 public:
  // Errors: a name that is none or stands twice, an index used twice or too large, a family of another type.
  static Result<Vocabulary> of(std::vector<Field> fields);

  // How many values the facts have for every condition parsed with it so far.
  std::size_t size() const { return first_member_ + members_.size(); }

  // The members of open families that conditions ask about.
  const std::vector<Member>& all_members() const { return members_; }

  // ---- for the parser ----
  struct Known {
    Type type = Type::text;
    std::uint16_t index = 0;
    bool open = false;      // a member of a family
  };
  enum class Missing : std::uint8_t { no_such_field, too_many_members };
  // A member of a family gets its index when it is first asked for, the same one for every later condition.
  std::expected<Known, Missing> take(std::string_view name);
  // Gives back the members beyond this many: a condition that is refused leaves nothing behind.
  std::size_t members() const { return members_.size(); }
  void keep_members(std::size_t count) { members_.resize(count); }
  // "did you mean ...?" or the list of what there is.
  std::string advice(std::string_view unknown) const;

  static constexpr std::size_t kMaxMembers = 256, kMaxName = 64;

 private:
  std::vector<Field> fields_, families_;  // a family's name without the *: "param."
  std::vector<Member> members_;
  std::size_t first_member_ = 0;
};

}  // namespace postern::policy
