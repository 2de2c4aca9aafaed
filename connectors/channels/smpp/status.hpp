// SPDX-License-Identifier: Apache-2.0
// Purpose: what a command_status means for the message that got it. Used by: postern-smpp.
// Threads: plain values. Errors: an unknown value has a class too; it never ends a session.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace postern::smpp {

namespace status {
inline constexpr std::uint32_t kOk = 0x00;
inline constexpr std::uint32_t kInvalidLength = 0x02;
inline constexpr std::uint32_t kInvalidCommand = 0x03;
inline constexpr std::uint32_t kWrongState = 0x04;
inline constexpr std::uint32_t kAlreadyBound = 0x05;
inline constexpr std::uint32_t kSystemError = 0x08;
inline constexpr std::uint32_t kInvalidDestination = 0x0b;
inline constexpr std::uint32_t kBindFailed = 0x0d;
inline constexpr std::uint32_t kInvalidPassword = 0x0e;
inline constexpr std::uint32_t kInvalidSystemId = 0x0f;
inline constexpr std::uint32_t kQueueFull = 0x14;
inline constexpr std::uint32_t kInvalidSystemType = 0x53;
inline constexpr std::uint32_t kThrottled = 0x58;
inline constexpr std::uint32_t kReceiverTemporary = 0x64;
}  // namespace status

enum class StatusClass {
  accepted,
  number,     // this number cannot be reached, another channel may (wire: REFUSED, address_dead)
  permanent,  // the message is wrong: never again unchanged (REFUSED)
  config,     // the account, sender or service is not set up (REFUSED, and the breaker counts)
  retry,      // transient (RETRY)
  throttle,   // too fast (THROTTLED, and the bind slows down)
  reconnect,  // the session is broken (RETRY over a new one)
};

// SMPP 3.4 section 5.1.3, the SMPP 5.0 additions, and what a provider's own map says first.
class StatusTable {
 public:
  StatusTable() = default;
  explicit StatusTable(std::map<std::uint32_t, StatusClass> own) : own_(std::move(own)) {}
  StatusClass of(std::uint32_t status) const;

 private:
  std::map<std::uint32_t, StatusClass> own_;
};

// "smsc-0x00000058", the stable reason word.
std::string reason_word(std::uint32_t status);

// "ESME_RTHROTTLED" for logs; "" when the value has no name in the standard.
std::string_view status_name(std::uint32_t status);

// How a refused bind is tried again.
enum class BindFailure {
  none,
  credentials,  // slowly, or the account gets locked
  busy,         // an old session still stands at the peer: wait for its inactivity timer
  throttled,    // half a minute
  transient,    // exponential
};
BindFailure bind_failure_of(std::uint32_t status);

}  // namespace postern::smpp
