// SPDX-License-Identifier: Apache-2.0
// Purpose: how one message and the lines of its trace are shown. Used by: the verbs trace, find and explain. Threads: one.
#pragma once

#include <cstdint>

#include "admin/cli/output.hpp"
#include "gateway/control/control.pb.h"

namespace postern::cli {

// Fields of the object that is open.
void write_head(Json& json, const control::TraceHead& head);
void write_line(Json& json, const control::TraceLine& line);

void print_head(const control::TraceHead& head);
// `first_us`: when the first line was, so that a person sees where the time went.
void print_line(const control::TraceLine& line, std::int64_t first_us);

}  // namespace postern::cli
