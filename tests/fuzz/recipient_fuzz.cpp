// SPDX-License-Identifier: Apache-2.0
// What is kept of a customer: any bytes are nothing, or a record that keeps its bounds, takes one more statement and can be written again.
#include <cstdlib>

#include "gateway/domain/recipient.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::optional<postern::Recipient> recipient = postern::decode_recipient({data, size});
  if (!recipient) return 0;
  if (recipient->consents.size() > postern::kMaxConsents) std::abort();
  for (const postern::ConsentRecord& consent : recipient->consents)
    if (consent.source.size() > postern::kMaxSource || consent.wording.size() > postern::kMaxWording) std::abort();
  for (const postern::Category purpose : postern::kCategories) (void)recipient->consent(purpose, postern::Channel::sms);
  recipient->add({postern::Category::marketing, std::nullopt, false, INT64_MAX, "app", "no"});
  const postern::ConsentRecord* last = recipient->consent(postern::Category::marketing, postern::Channel::sms);
  if (last == nullptr || last->given) std::abort();
  if (!postern::decode_recipient(postern::encode(*recipient))) std::abort();
  return 0;
}
