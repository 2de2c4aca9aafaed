// SPDX-License-Identifier: Apache-2.0
// The audit log that does nothing, for one benchmark: it gives numbers, seals no body, hashes nothing and has no leaf for the store.
// vault_bench_without_audit links it before gateway/audit's own log.cpp, which the linker then leaves out, so that the product knows
// no switch for what must not be switched off. It defines every function of log.hpp.
#include "gateway/audit/log.hpp"

namespace postern::audit {
namespace {

std::uint64_t numbers = 0;

}  // namespace

std::uint64_t Log::append(Leaf, const Body&, std::int64_t, std::uint64_t, const FieldKey*) { return numbers++; }
std::uint64_t Log::append_open(Leaf, const Body&, std::int64_t, std::uint64_t) { return numbers++; }
std::uint64_t Log::add(Leaf&&) { return numbers++; }
std::optional<Body> Log::open(const Leaf&) const { return Body{}; }
std::optional<Body> Log::open(const Leaf&, const FieldKey&) const { return Body{}; }
std::optional<std::uint64_t> Log::person_of(const Leaf&) const { return std::nullopt; }
Bytes encode(const Log::Mark&) { return {}; }
std::optional<Log::Mark> decode_mark(ByteView) { return Log::Mark{}; }

}  // namespace postern::audit
