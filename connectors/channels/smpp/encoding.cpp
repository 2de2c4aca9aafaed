// SPDX-License-Identifier: Apache-2.0
#include "connectors/channels/smpp/encoding.hpp"

#include <algorithm>

#include "connectors/channels/smpp/gsm_tables.hpp"
#include "connectors/channels/smpp/text_clusters.hpp"

namespace postern::smpp {
namespace {

constexpr char32_t kReplacement = 0xfffd;

// Reads one code point of strict UTF-8 (RFC 3629) and moves `at` behind it; false for anything else.
bool next_character(std::string_view text, std::size_t& at, char32_t& character) {
  const auto octet = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
  const std::uint8_t first = octet(at);
  if (first < 0x80) {
    character = first;
    ++at;
    return true;
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return false;
  char32_t value = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(at + i) & 0xc0) != 0x80) return false;
    value = (value << 6) | (octet(at + i) & 0x3fU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  if (overlong || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return false;
  character = value;
  at += length;
  return true;
}

void append_utf8(std::string& out, char32_t character) {
  const auto put = [&](char32_t value) { out.push_back(static_cast<char>(static_cast<unsigned char>(value))); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xc0 | (character >> 6));
    put(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    put(0xe0 | (character >> 12));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  } else {
    put(0xf0 | (character >> 18));
    put(0x80 | ((character >> 12) & 0x3f));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  }
}

// False when a character has no septet.
bool append_gsm7(Bytes& out, char32_t character) {
  const std::uint16_t septet = gsm::septet_of(character);
  if (septet == gsm::kNone) return false;
  if ((septet & gsm::kExtended) != 0) out.push_back(gsm::kEscape);
  out.push_back(static_cast<std::uint8_t>(septet & 0x7f));
  return true;
}

void append_ucs2(Bytes& out, char32_t character) {
  const auto unit = [&](char32_t value) {
    out.push_back(static_cast<std::uint8_t>((value >> 8) & 0xff));
    out.push_back(static_cast<std::uint8_t>(value & 0xff));
  };
  if (character < 0x10000) return unit(character);
  unit(0xd800 + ((character - 0x10000) >> 10));
  unit(0xdc00 + ((character - 0x10000) & 0x3ff));
}

// The whole text in one alphabet, before it is cut.
struct Units {
  Alphabet alphabet = Alphabet::gsm7;
  Bytes octets;
  // Octet offsets at which a character begins, and whether a cluster begins there too.
  struct Border {
    std::size_t offset;
    bool cluster;
  };
  std::vector<Border> borders;
};

char32_t highest_of(DefaultAlphabet alphabet) {
  switch (alphabet) {
    case DefaultAlphabet::gsm7:
      return 0x10ffff;
    case DefaultAlphabet::latin1:
      return 0xff;
    case DefaultAlphabet::ascii:
      return 0x7f;
  }
  return 0;
}

// False when the text is not UTF-8 or (for GSM 7-bit) a character has no septet or is above `highest`;
// `utf8` tells which.
bool write_units(std::string_view text, char32_t highest, Units& units, bool& utf8) {
  ClusterScan scan;
  units.octets.reserve(text.size() * (units.alphabet == Alphabet::gsm7 ? 1 : 2));
  units.borders.reserve(text.size());
  utf8 = true;
  for (std::size_t at = 0; at < text.size();) {
    char32_t character = 0;
    if (!next_character(text, at, character)) return utf8 = false;
    units.borders.push_back({units.octets.size(), scan.starts(character)});
    if (units.alphabet == Alphabet::ucs2)
      append_ucs2(units.octets, character);
    else if (character > highest || !append_gsm7(units.octets, character))
      return false;
  }
  return true;
}

// Where the units are cut into pieces of at most `room` octets; the ends of the pieces.
std::vector<std::size_t> cut(const Units& units, std::size_t room) {
  std::vector<std::size_t> ends;
  const std::size_t size = units.octets.size();
  std::size_t start = 0, next = 0;  // `next` indexes the first border behind `start`
  while (size - start > room) {
    std::size_t cluster = start, character = start;
    for (; next < units.borders.size() && units.borders[next].offset <= start + room; ++next) {
      character = units.borders[next].offset;
      if (units.borders[next].cluster) cluster = character;
    }
    const std::size_t end = cluster > start ? cluster : character;
    ends.push_back(end);
    start = end;
    while (next > 0 && units.borders[next - 1].offset > start) --next;
  }
  ends.push_back(size);
  return ends;
}

std::size_t octets_per_unit(Alphabet alphabet) { return alphabet == Alphabet::gsm7 ? 1 : 2; }

// TS 23.040 sections 9.2.3.24.1 and 9.2.3.24.8.
void append_header(Bytes& out, LongMessages mode, std::uint16_t reference, std::uint8_t total, std::uint8_t part) {
  const auto high = static_cast<std::uint8_t>(reference >> 8), low = static_cast<std::uint8_t>(reference & 0xff);
  if (mode == LongMessages::udh16)
    out.insert(out.end(), {6, 0x08, 4, high, low, total, part});
  else
    out.insert(out.end(), {5, 0x00, 3, low, total, part});
}

std::string decode_gsm7(ByteView octets, std::uint8_t single, std::uint8_t locking) {
  std::string out;
  out.reserve(octets.size());
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (octets[i] > 0x7f) {
      append_utf8(out, kReplacement);
    } else if (octets[i] != gsm::kEscape) {
      append_utf8(out, gsm::locking_character(locking, octets[i]));
    } else if (++i < octets.size()) {
      // TS 23.038 section 6.2.1.1: without an entry the character of the basic table is shown, and an
      // escape behind an escape is a space.
      const char16_t shifted = gsm::shifted_character(single, octets[i]);
      const char16_t shown = shifted != 0                ? shifted
                             : octets[i] > 0x7f          ? static_cast<char16_t>(kReplacement)
                             : octets[i] == gsm::kEscape ? u' '
                                                         : gsm::locking_character(locking, octets[i]);
      append_utf8(out, shown);
    }
  }
  return out;
}

std::string decode_ucs2(ByteView octets) {
  std::string out;
  out.reserve(octets.size());
  const auto unit = [&](std::size_t at) { return static_cast<char32_t>((octets[at] << 8) | octets[at + 1]); };
  std::size_t at = 0;
  while (at + 1 < octets.size()) {
    const char32_t first = unit(at);
    at += 2;
    if (first < 0xd800 || first > 0xdfff) {
      append_utf8(out, first);
      continue;
    }
    const char32_t second = first < 0xdc00 && at + 1 < octets.size() ? unit(at) : 0;
    if (second >= 0xdc00 && second <= 0xdfff) {
      append_utf8(out, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
      at += 2;
    } else {
      append_utf8(out, kReplacement);
    }
  }
  if (at < octets.size()) append_utf8(out, kReplacement);  // half a unit at the end
  return out;
}

std::string decode_latin1(ByteView octets, std::uint8_t highest) {
  std::string out;
  for (const std::uint8_t octet : octets) append_utf8(out, octet <= highest ? octet : kReplacement);
  return out;
}

// Septets as the octets of a set in which every character is its own code point.
void to_single_octets(Bytes& octets, std::size_t header) {
  std::size_t out = header;
  for (std::size_t i = header; i < octets.size(); ++i) {
    const bool escaped = octets[i] == gsm::kEscape;
    const char16_t character =
        escaped ? gsm::shifted_character(gsm::kDefault, octets[++i]) : gsm::locking_character(gsm::kDefault, octets[i]);
    octets[out++] = static_cast<std::uint8_t>(character);
  }
  octets.resize(out);
}

enum class Coding { standard, gsm7, ascii, latin1, ucs2, binary };

// SMPP 3.4 section 5.2.19 for 0x00..0x0f, TS 23.038 section 4 for the groups above.
Coding coding_of(std::uint8_t data_coding) {
  switch (data_coding) {
    case 0x00:
      return Coding::standard;
    case 0x01:
      return Coding::ascii;
    case 0x03:
      return Coding::latin1;
    case 0x08:
      return Coding::ucs2;
    default:
      break;
  }
  const unsigned group = data_coding >> 4;
  if (data_coding < 0x10) return Coding::binary;  // 8-bit binary and multi-byte sets no handset sends here
  if (group == 0xf) return (data_coding & 0x04) != 0 ? Coding::binary : Coding::gsm7;
  if (group == 0xe) return Coding::ucs2;
  if (group >= 0xc) return Coding::gsm7;
  if (group >= 0x8 || (data_coding & 0x20) != 0) return Coding::binary;  // reserved, or compressed
  switch (data_coding & 0x0c) {
    case 0x00:
      return Coding::gsm7;
    case 0x08:
      return Coding::ucs2;
    default:
      return Coding::binary;
  }
}

}  // namespace

std::string_view reason_word(EncodeFault fault) {
  switch (fault) {
    case EncodeFault::empty:
      return "text-empty";
    case EncodeFault::not_utf8:
      return "text-not-utf8";
    case EncodeFault::too_many_parts:
      return "text-too-long";
  }
  return "";
}

std::size_t room_single(Alphabet alphabet) { return alphabet == Alphabet::gsm7 ? 160 : 70; }

std::size_t room_part(Alphabet alphabet, LongMessages mode) {
  // 140 octets less the header; septets are packed behind it from a septet border (TS 23.040 9.2.3.24).
  // Where the SMS centre makes the header it is taken to be the short one.
  const bool wide = mode == LongMessages::udh16;
  if (alphabet == Alphabet::gsm7) return wide ? 152 : 153;
  return wide ? 66 : 67;
}

std::expected<Encoded, EncodeFault> encode(std::string_view utf8, const EncodeOptions& options) {
  if (utf8.empty()) return std::unexpected(EncodeFault::empty);
  Units units;
  bool is_utf8 = true;
  if (!write_units(utf8, highest_of(options.default_alphabet), units, is_utf8)) {
    if (!is_utf8) return std::unexpected(EncodeFault::not_utf8);
    units = Units{};
    units.alphabet = Alphabet::ucs2;
    if (!write_units(utf8, 0x10ffff, units, is_utf8)) return std::unexpected(EncodeFault::not_utf8);
  }

  Encoded encoded;
  encoded.alphabet = units.alphabet;
  const bool single_octets = units.alphabet == Alphabet::gsm7 && options.default_alphabet != DefaultAlphabet::gsm7;
  const std::size_t unit = octets_per_unit(units.alphabet);
  if (units.octets.size() <= room_single(units.alphabet) * unit) {
    if (single_octets) to_single_octets(units.octets, 0);
    encoded.parts.push_back(std::move(units.octets));
    return encoded;
  }
  const std::vector<std::size_t> ends = cut(units, room_part(units.alphabet, options.long_messages) * unit);
  if (ends.size() > std::min<std::size_t>(options.max_parts, 255)) return std::unexpected(EncodeFault::too_many_parts);
  if (options.long_messages == LongMessages::payload) {
    encoded.payload = true;
    if (single_octets) to_single_octets(units.octets, 0);
    encoded.parts.push_back(std::move(units.octets));
    return encoded;
  }
  encoded.udhi = options.long_messages != LongMessages::sar;
  encoded.parts.reserve(ends.size());
  std::size_t start = 0;
  for (const std::size_t end : ends) {
    Bytes part;
    part.reserve(7 + end - start);
    if (encoded.udhi)
      append_header(part, options.long_messages, options.reference, static_cast<std::uint8_t>(ends.size()),
                    static_cast<std::uint8_t>(encoded.parts.size() + 1));
    const std::size_t header = part.size();
    part.insert(part.end(), units.octets.begin() + static_cast<std::ptrdiff_t>(start),
                units.octets.begin() + static_cast<std::ptrdiff_t>(end));
    if (single_octets) to_single_octets(part, header);
    encoded.parts.push_back(std::move(part));
    start = end;
  }
  return encoded;
}

std::optional<UserDataHeader> read_header(ByteView content) {
  if (content.empty() || content[0] == 0 || content[0] >= content.size()) return std::nullopt;
  UserDataHeader header;
  header.size = std::size_t{content[0]} + 1;
  ByteReader in(content.subspan(1, content[0]));
  while (in.left() > 0) {
    const std::uint8_t element = in.u8();
    const ByteView value = in.view8();
    if (!in.ok()) return std::nullopt;
    std::optional<Concatenation> concatenation;
    if (element == 0x00 && value.size() == 3) concatenation = Concatenation{value[0], value[1], value[2]};
    if (element == 0x08 && value.size() == 4)
      concatenation = Concatenation{static_cast<std::uint16_t>((value[0] << 8) | value[1]), value[2], value[3]};
    // TS 23.040 section 9.2.3.24.1: an element with part 0 or behind the total is ignored.
    if (concatenation && concatenation->part != 0 && concatenation->part <= concatenation->total)
      header.concatenation = concatenation;
    if (element == 0x04 && value.size() == 2) {
      header.destination_port = value[0];
      header.source_port = value[1];
    }
    if (element == 0x05 && value.size() == 4) {
      header.destination_port = static_cast<std::uint16_t>((value[0] << 8) | value[1]);
      header.source_port = static_cast<std::uint16_t>((value[2] << 8) | value[3]);
    }
    if (element == 0x24 && value.size() == 1) header.single_shift = value[0];
    if (element == 0x25 && value.size() == 1) header.locking_shift = value[0];
  }
  return in.finish() ? std::optional(header) : std::nullopt;
}

std::optional<std::string> decode_text(ByteView octets, const DecodeOptions& options) {
  Coding coding = coding_of(options.data_coding);
  if (coding == Coding::standard) {
    switch (options.default_alphabet) {
      case DefaultAlphabet::gsm7:
        coding = Coding::gsm7;
        break;
      case DefaultAlphabet::latin1:
        coding = Coding::latin1;
        break;
      case DefaultAlphabet::ascii:
        coding = Coding::ascii;
        break;
    }
  }
  switch (coding) {
    case Coding::standard:
    case Coding::gsm7:
      return decode_gsm7(octets, options.single_shift, options.locking_shift);
    case Coding::ascii:
      return decode_latin1(octets, 0x7f);
    case Coding::latin1:
      return decode_latin1(octets, 0xff);
    case Coding::ucs2:
      return decode_ucs2(octets);
    case Coding::binary:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace postern::smpp
