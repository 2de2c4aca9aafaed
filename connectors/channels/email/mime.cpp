// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/email/mime.hpp"

// GLib's and GMime's headers are C and cast in the C way.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <gmime/gmime.h>
#pragma GCC diagnostic pop

#include <memory>

#include "connectors/channels/email/lines.hpp"

namespace postern::email {
namespace {

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
template <class T>
using Object = std::unique_ptr<T, Unref>;
struct FormatFree {
  void operator()(GMimeFormatOptions* o) const { g_mime_format_options_free(o); }
};
using Format = std::unique_ptr<GMimeFormatOptions, FormatFree>;
struct TimeFree {
  void operator()(GDateTime* t) const { g_date_time_unref(t); }
};
using Time = std::unique_ptr<GDateTime, TimeFree>;

// GObject's checked casts are macros of C casts; the types here are known by construction.
template <class To, class From>
To* as(From* object) {
  return reinterpret_cast<To*>(object);
}

// GMime keeps process-wide tables; they are made once and live as long as the process.
void open_library() {
  static const bool opened = [] {
    g_mime_init();
    return true;
  }();
  static_cast<void>(opened);
}

// Line ends become LF; GMime writes them as CRLF.
std::string with_lf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
      continue;
    }
    out += '\n';
    if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
  }
  if (!out.ends_with('\n')) out += '\n';
  return out;
}

// Quoted-printable whatever the text holds: short lines survive every relay, so a DKIM signature does too.
Object<GMimeObject> text_part(const char* subtype, const std::string& content) {
  Object<GMimeTextPart> part(g_mime_text_part_new_with_subtype(subtype));
  g_mime_text_part_set_charset(part.get(), "utf-8");
  Object<GMimeStream> stream(g_mime_stream_mem_new_with_buffer(content.data(), content.size()));
  Object<GMimeDataWrapper> wrapper(g_mime_data_wrapper_new_with_stream(stream.get(), GMIME_CONTENT_ENCODING_DEFAULT));
  g_mime_part_set_content(as<GMimePart>(part.get()), wrapper.get());
  g_mime_part_set_content_encoding(as<GMimePart>(part.get()), GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
  return Object<GMimeObject>(as<GMimeObject>(part.release()));
}

bool plain_text(std::string_view text) { return is_utf8(text) && text.find('\0') == std::string_view::npos; }

Status check(const Letter& letter) {
  if (!is_mailbox(letter.to)) return fail("mail-to");
  if (!is_mailbox(letter.from.address) || has_control(letter.from.name)) return fail("mail-from");
  if (has_control(letter.subject)) return fail("mail-subject");
  if (has_control(letter.message_id) || letter.message_id.find_first_of("<> ") != std::string::npos ||
      has_control(letter.unsubscribe_url) || letter.unsubscribe_url.find_first_of("<> ") != std::string::npos)
    return fail("mail-header");
  if (!plain_text(letter.text) || !plain_text(letter.html)) return fail("mail-text");
  return {};
}

}  // namespace

Result<std::string> compose(const Letter& letter) {
  if (const Status good = check(letter); !good) return std::unexpected(good.error());
  open_library();

  Object<GMimeMessage> message(g_mime_message_new(/*pretty_headers=*/TRUE));
  const char* name = letter.from.name.empty() ? nullptr : letter.from.name.c_str();
  const Object<InternetAddress> from(internet_address_mailbox_new(name, letter.from.address.c_str()));
  internet_address_set_charset(from.get(), "utf-8");
  internet_address_list_add(g_mime_message_get_addresses(message.get(), GMIME_ADDRESS_TYPE_FROM), from.get());
  g_mime_message_add_mailbox(message.get(), GMIME_ADDRESS_TYPE_TO, nullptr, letter.to.c_str());
  g_mime_message_set_subject(message.get(), letter.subject.c_str(), "utf-8");
  const Time date(g_date_time_new_from_unix_utc(letter.date_ms / 1000));
  if (!date) return fail("mail-header");
  g_mime_message_set_date(message.get(), date.get());
  g_mime_message_set_message_id(message.get(), letter.message_id.c_str());
  auto* headers = as<GMimeObject>(message.get());
  // RFC 3834: nobody's out-of-office answers a bank's notice.
  g_mime_object_set_header(headers, "Auto-Submitted", "auto-generated", nullptr);
  if (!letter.unsubscribe_url.empty()) {
    g_mime_object_set_header(headers, "List-Unsubscribe", ("<" + letter.unsubscribe_url + ">").c_str(), nullptr);
    g_mime_object_set_header(headers, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click", nullptr);
  }

  const std::string text = with_lf(letter.text);
  const std::string html = letter.html.empty() ? std::string() : with_lf(letter.html);
  Object<GMimeObject> body = text_part("plain", text);
  if (!html.empty()) {
    // RFC 2046 section 5.1.4: the richest form last.
    Object<GMimeMultipart> both(g_mime_multipart_new_with_subtype("alternative"));
    const Object<GMimeObject> rich = text_part("html", html);
    g_mime_multipart_add(both.get(), body.get());
    g_mime_multipart_add(both.get(), rich.get());
    body.reset(as<GMimeObject>(both.release()));
  }
  g_mime_message_set_mime_part(message.get(), body.get());

  const Format format(g_mime_format_options_new());
  g_mime_format_options_set_newline_format(format.get(), GMIME_NEWLINE_FORMAT_DOS);
  Object<GMimeStream> out(g_mime_stream_mem_new());
  if (g_mime_object_write_to_stream(headers, format.get(), out.get()) < 0) return fail("mail-header");
  const GByteArray* bytes = g_mime_stream_mem_get_byte_array(as<GMimeStreamMem>(out.get()));
  std::string content(reinterpret_cast<const char*>(bytes->data), bytes->len);
  if (!content.ends_with("\r\n")) content += "\r\n";
  if (!lines_are_clean(content)) return fail("mail-text");
  return content;
}

}  // namespace postern::email
