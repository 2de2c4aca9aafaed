// SPDX-License-Identifier: Apache-2.0
// Purpose: what a failure of PostgreSQL means for us. Used by: postern-sql. Threads: pure functions.
// Errors: none; an unknown code is a fault that a person must look at, tried again slowly.
#pragma once

#include <string>
#include <string_view>

namespace postern::sql {

enum class FailureClass {
  retry,      // the same statement may succeed: deadlock, time-out, restart, too many connections
  reconnect,  // the server is no longer the one to talk to: lost, or read-only after a failover
  config,     // table, column, privilege, password: a person must act
  data,       // a value does not fit
};

struct Failure {
  FailureClass kind = FailureClass::retry;
  std::string state;  // SQLSTATE, or empty when the server said nothing
  std::string text;   // for the log: no value of a row in it
};

FailureClass class_of(std::string_view sqlstate);

// Whether the primary message of this SQLSTATE is made of names and numbers of ours only, so that it may
// be logged. Messages about data quote the data.
bool text_is_safe(std::string_view sqlstate);

}  // namespace postern::sql
