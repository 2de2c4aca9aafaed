// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connectors/sources/sql/row.hpp"
#include "crypto/bytes.hpp"
#include "crypto/secret.hpp"

namespace postern::sql {
namespace {

struct MdFree {
  void operator()(EVP_MD* m) const { EVP_MD_free(m); }
};

std::string sha256(ByteView bytes) {
  static const std::unique_ptr<EVP_MD, MdFree> kind(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  std::string out(32, '\0');
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size, kind.get(),
                 nullptr) != 1)
    std::abort();
  return out;
}

}  // namespace

std::string fingerprint_of(const wire::Submit& submit) {
  Bytes canonical;
  ByteWriter out(canonical);
  const auto text = [&](const std::string& value) { out.view32(as_bytes(value)); };
  out.u8(1);  // of this layout
  out.u8(static_cast<std::uint8_t>(submit.category()));
  text(submit.template_());
  text(submit.scenario());
  const wire::Recipient& recipient = submit.recipient();
  text(recipient.reference());
  text(recipient.phone());
  text(recipient.email());
  text(recipient.locale());
  out.u32(static_cast<std::uint32_t>(recipient.push_size()));
  for (const wire::PushToken& push : recipient.push()) {
    text(push.platform());
    text(push.token());
  }
  out.u64(submit.deadline_ms());
  out.u64(submit.send_at_ms());
  std::vector<std::pair<std::string, std::string>> variables;
  for (const wire::Variable& variable : submit.variable()) variables.emplace_back(variable.name(), variable.value());
  std::sort(variables.begin(), variables.end());
  out.u32(static_cast<std::uint32_t>(variables.size()));
  for (const auto& [name, value] : variables) {
    text(name);
    text(value);
  }
  std::string digest = sha256(canonical);
  wipe(canonical.data(), canonical.size());
  return digest;
}

}  // namespace postern::sql
