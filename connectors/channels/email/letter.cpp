// SPDX-License-Identifier: Apache-2.0
// One delivery of the vault as a mail: whom it is from, what stands in it, which signatures it carries.
#include <fmt/core.h>

#include "connectors/channels/email/email_channel.hpp"
#include "connectors/channels/email/mime.hpp"
#include "connectors/protocol/wire.pb.h"

namespace postern::email {
namespace {

std::string with_id(std::string url, const std::string& id) {
  const std::size_t at = url.find("{id}");
  if (at != std::string::npos) url.replace(at, 4, id);
  return url;
}

bool is_plain_id(std::string_view id) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  };
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), plain);
}

}  // namespace

Result<Mail> make_mail(const Settings& settings, const wire::Deliver& deliver, std::int64_t now_ms) {
  if (!is_plain_id(deliver.id())) return fail("mail-id");
  Letter letter;
  letter.from = settings.sender;
  if (!deliver.sender().empty()) {
    std::optional<Sender> sender = parse_sender(deliver.sender());
    if (!sender) return fail("mail-from");
    letter.from = std::move(*sender);
  }
  letter.to = deliver.address();
  letter.subject = deliver.subject();
  letter.text = deliver.text();
  letter.html = deliver.html();
  // The same for every attempt of this message: a mailbox that got it twice can tell (RFC 5322 section 3.6.4).
  const std::string_view domain = settings.message_id_domain.empty() ? domain_of(letter.from.address)
                                                                     : std::string_view(settings.message_id_domain);
  letter.message_id = deliver.id() + "@" + std::string(domain);
  letter.date_ms = now_ms;
  if (deliver.category() == wire::MARKETING && !settings.unsubscribe_url.empty())
    letter.unsubscribe_url = with_id(settings.unsubscribe_url, deliver.id());

  Result<std::string> content = compose(letter);
  if (!content) return std::unexpected(content.error());
  std::string signatures;
  for (const std::unique_ptr<DkimSigner>& signer : settings.signers) {
    const Result<std::string> field = signer->sign(*content, now_ms / 1000);
    if (!field) return std::unexpected(field.error());
    signatures += *field;
  }

  Mail mail;
  mail.envelope_id = fmt::format("{:016x}-{}", deliver.attempt().message(), deliver.attempt().number());
  mail.from = settings.return_path.empty() ? letter.from.address : settings.return_path;
  mail.to = letter.to;
  mail.content = signatures + *content;
  mail.utf8 = needs_utf8(mail.from) || needs_utf8(mail.to) || needs_utf8(letter.from.address);
  mail.expires_ms = static_cast<std::int64_t>(deliver.expires_ms());
  return mail;
}

}  // namespace postern::email
