// SPDX-License-Identifier: Apache-2.0
// The body of a message: any bytes become a Submit whose addresses and sizes keep the rules, or are
// refused with a place for each fault; the first byte chooses single or line.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "connectors/sources/https/submit_reader.hpp"

namespace {

using namespace postern;

void require(bool good) {
  if (!good) std::abort();
}

bool e164(const std::string& digits) {
  return digits.empty() || (digits.size() >= 7 && digits.size() <= 15 &&
                            std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static https::SubmitReader reader(https::ReaderOptions{"UA", false, 64 * 1024});
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  wire::Submit submit;
  const auto refusal =
      reader.read(body, data[0] % 2 == 0 ? https::Form::single : https::Form::line, 1'764'000'000'000, submit);
  if (refusal) {
    require(refusal->status == 400 || refusal->status == 413 || refusal->status == 422);
    require(!refusal->faults.empty() && refusal->faults.size() <= https::kMaxFaults);
    for (const http::Fault& fault : refusal->faults)
      require(!json::find_invalid_utf8(fault.pointer) && !fault.code.empty() && !fault.detail.empty());
    return 0;
  }
  require(submit.category() != wire::CATEGORY_UNSET && submit.fingerprint().size() == 32);
  require(submit.template_().empty() != submit.text().empty());
  require(e164(submit.recipient().phone()) && e164(submit.recipient().whatsapp()));
  require(submit.idempotency_key().size() <= 128 && submit.reference().size() <= 128);
  require(submit.subject().find_first_of("\r\n") == std::string::npos &&
          submit.recipient().email().find_first_of("\r\n ,") == std::string::npos);
  std::string bytes;
  require(submit.SerializeToString(&bytes) && bytes.size() < 1024 * 1024);
  return 0;
}
