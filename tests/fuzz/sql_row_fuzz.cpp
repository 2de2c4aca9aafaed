// SPDX-License-Identifier: Apache-2.0
// A row of the outbox table: cells separated by the byte 0x1f, a cell of one byte 0x00 is NULL. Whatever
// stands in them, a row is a submit that the vault can read or a reason that repeats no long value.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "connectors/sources/json/document.hpp"
#include "connectors/sources/sql/row.hpp"

namespace {

using namespace postern::sql;

void check(const postern::wire::Submit& submit) {
  std::string bytes;
  postern::wire::Submit again;
  if (!submit.SerializeToString(&bytes) || !again.ParseFromString(bytes)) std::abort();
  if (submit.idempotency_key().empty() || submit.fingerprint().size() != 32 || !submit.identity().empty()) std::abort();
  const postern::wire::Recipient& to = submit.recipient();
  for (const std::string* text :
       {&submit.template_(), &submit.scenario(), &to.reference(), &to.email(), &to.locale(), &to.phone()}) {
    if (postern::json::find_invalid_utf8(*text)) std::abort();
  }
  for (const postern::wire::Variable& variable : submit.variable()) {
    if (variable.name().size() > kMaxVariableName || variable.value().size() > kMaxVariableValue ||
        postern::json::find_invalid_utf8(variable.value()))
      std::abort();
  }
  if (fingerprint_of(again) != submit.fingerprint()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static RowMapper mapper("UA", /*mobile_only=*/false);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Row row;
  for (std::size_t i = 0; i < kCells; ++i) {
    const std::string_view cell = rest.substr(0, rest.find('\x1f'));
    rest.remove_prefix(cell.size() < rest.size() ? cell.size() + 1 : cell.size());
    if (cell != std::string_view("\0", 1)) row[i] = cell;
  }
  const std::optional<Mapped> mapped = mapper.map(row, 1'795'349'647'000);
  if (!mapped) return 0;
  if (const auto* submit = std::get_if<postern::wire::Submit>(&mapped->what)) {
    check(*submit);
  } else {
    const auto& fault = std::get<Quarantine>(mapped->what);
    if (fault.code.empty() || fault.code.size() + fault.detail.size() > 190) std::abort();
  }
  return 0;
}
