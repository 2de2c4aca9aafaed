// SPDX-License-Identifier: Apache-2.0
// Purpose: SMS texts: UTF-8 to GSM 7-bit or UCS-2 octets in parts, and received octets back to UTF-8.
// Used by: postern-smpp and the simulated SMS centre. Threads: pure functions. Ownership: values.
// Errors and limits: a text that is not UTF-8, is empty or needs more parts than allowed is refused with
// an EncodeFault; decoding never fails, what cannot be shown becomes U+FFFD.
// Standards: 3GPP TS 23.038 (alphabets), TS 23.040 9.2.3.24 (user data header), SMPP 3.4 section 5.2.19.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/bytes.hpp"

namespace postern::smpp {

enum class Alphabet { gsm7, ucs2 };

// How the parts of a long text are told to belong together (the setting `long_messages`).
enum class LongMessages {
  udh8,     // user data header with an 8-bit reference
  udh16,    // the same with a 16-bit reference
  sar,      // sar_* parameters, the SMS centre makes the header
  payload,  // one message_payload, the SMS centre cuts
};

// The alphabet of an SMS centre's data_coding 0 (the setting `default_alphabet`).
enum class DefaultAlphabet { gsm7, latin1, ascii };

struct EncodeOptions {
  LongMessages long_messages = LongMessages::udh8;
  std::size_t max_parts = 6;    // as a handset counts them, 1..255
  std::uint16_t reference = 0;  // of the parts; udh8 uses its low octet
  // Where it is not gsm7 the SMS centre turns its own set into septets: parts are counted in septets all
  // the same, and characters outside that set make the text UCS-2.
  DefaultAlphabet default_alphabet = DefaultAlphabet::gsm7;
};

// A text ready to be put into submit_sm: `parts` are the octets of short_message (with the user data
// header in front when `udhi`), or the one message_payload.
struct Encoded {
  Alphabet alphabet = Alphabet::gsm7;
  bool udhi = false;     // set esm_class 0x40
  bool payload = false;  // the only part goes into message_payload
  std::vector<Bytes> parts;
};

enum class EncodeFault { empty, not_utf8, too_many_parts };
// The stable reason word of a refusal: "text-empty", "text-not-utf8", "text-too-long".
std::string_view reason_word(EncodeFault fault);

// GSM 7-bit if every character has a septet, else UCS-2. No part cuts an escape pair or a surrogate
// pair; a base character stays with its combining marks, joiners and modifiers unless that cluster alone
// is longer than a part.
std::expected<Encoded, EncodeFault> encode(std::string_view utf8, const EncodeOptions& options);

// The most units (septets or UTF-16 units) of one short message, and of one part of a long one.
std::size_t room_single(Alphabet alphabet);
std::size_t room_part(Alphabet alphabet, LongMessages mode);

// One part of a concatenated message, from its header or its sar_* parameters.
struct Concatenation {
  std::uint16_t reference = 0;
  std::uint8_t total = 0, part = 0;  // 1 <= part <= total
};

// The user data header at the front of a content.
struct UserDataHeader {
  std::optional<Concatenation> concatenation;                  // elements 0x00 and 0x08; nonsensical ones are ignored
  std::uint8_t single_shift = 0;                               // element 0x24: national language id
  std::uint8_t locking_shift = 0;                              // element 0x25
  std::optional<std::uint16_t> destination_port, source_port;  // elements 0x04 and 0x05
  std::size_t size = 0;                                        // octets of the whole header, its length octet included
};

// The header of a content whose esm_class says there is one; nothing when it does not fit its message,
// which then is read as text from its first octet.
std::optional<UserDataHeader> read_header(ByteView content);

struct DecodeOptions {
  std::uint8_t data_coding = 0;
  DefaultAlphabet default_alphabet = DefaultAlphabet::gsm7;
  std::uint8_t single_shift = 0, locking_shift = 0;  // from the header; 0: the default tables
};

// `octets` without the header, as UTF-8; nothing for a binary coding, which holds no text.
std::optional<std::string> decode_text(ByteView octets, const DecodeOptions& options);

}  // namespace postern::smpp
