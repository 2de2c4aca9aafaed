// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>

#include "crypto/bytes.hpp"
#include "crypto/merkle.hpp"
#include "gateway/numbers/index_format.hpp"
#include "gateway/numbers/number.hpp"
#include "gateway/numbers/portability.hpp"

namespace postern::numbers {
namespace {

constexpr std::size_t kFaultsShown = 20, kMaxLine = 256;
constexpr std::string_view kHeader = "kind,number,network,date";

struct Ported {
  std::uint64_t number;
  std::uint32_t date;      // yyyymmdd, 0: none
  std::uint32_t line;
  std::uint16_t network;
};

bool digits_only(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "2026-05-02" as 20260502; 0 for an empty field; nothing for anything else.
std::optional<std::uint32_t> date_of(std::string_view text) {
  if (text.empty()) return 0;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  std::uint32_t date = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7) continue;
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    date = date * 10 + static_cast<std::uint32_t>(text[i] - '0');
  }
  const std::uint32_t month = date / 100 % 100, day = date % 100;
  if (month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
  return date;
}

class Import {
 public:
  void line(std::uint32_t number, std::string_view text) {
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    if (number == 1) {
      if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
      if (text != kHeader) fault(1, "the first line must be: " + std::string(kHeader));
      return;
    }
    if (text.empty() || text.front() == '#') return;
    if (text.size() > kMaxLine) return fault(number, "is longer than 256 characters");
    std::string_view fields[4];
    std::size_t count = 0;
    for (std::string_view rest = text; count < 4; ++count) {
      const std::size_t comma = rest.find(',');
      fields[count] = rest.substr(0, comma);
      if (comma == std::string_view::npos) {
        ++count;
        break;
      }
      rest.remove_prefix(comma + 1);
      if (count == 3) return fault(number, "has more than 4 fields");
    }
    if (count < 3) return fault(number, "must have 4 fields: " + std::string(kHeader));
    if (!digits_only(fields[2]) || fields[2].size() < 5 || fields[2].size() > 6) return fault(number, "network must be 5 or 6 digits (MCC and MNC)");
    const std::optional<std::uint32_t> date = date_of(fields[3]);
    if (!date) return fault(number, "date must look like 2026-05-02 or be empty");
    if (fields[0] == "range") return range(number, fields[1], fields[2]);
    if (fields[0] == "ported") return ported(number, fields[1], fields[2], *date);
    fault(number, "kind must be 'range' or 'ported'");
  }

  Status finish() {
    std::ranges::sort(ported_, [](const Ported& a, const Ported& b) { return a.number != b.number ? a.number < b.number : a.date < b.date; });
    std::vector<Ported> latest;
    for (const Ported& p : ported_) {
      if (!latest.empty() && latest.back().number == p.number) {
        if (latest.back().date == p.date && latest.back().network != p.network)
          fault(p.line, "gives another network than line " + std::to_string(latest.back().line) + " for the same number and date");
        latest.back() = p;
      } else {
        latest.push_back(p);
      }
    }
    ported_ = std::move(latest);
    if (ranges_.empty() && ported_.empty() && faults_ == 0) fault(1, "the file holds no rows; an empty table would forget every network");
    if (faults_ == 0) return {};
    if (faults_ > kFaultsShown) report_ += "\n... and " + std::to_string(faults_ - kFaultsShown) + " more";
    return fail("nothing was imported: " + std::to_string(faults_) + " bad line" + (faults_ == 1 ? "" : "s") + report_);
  }

  Result<IndexFacts> write(const std::string& path) const {
    Bytes body;
    ByteWriter out(body);
    std::vector<std::string_view> by_number(networks_.size());
    for (const auto& [name, number] : networks_) by_number[number] = name;
    for (const std::string_view name : by_number) out.text8(name);
    for (const auto& [prefix, network] : ranges_) {
      out.text8(prefix);
      out.u16(network);
    }
    while (body.size() % 8 != 0) out.u8(0);
    const std::size_t text_size = body.size();
    body.resize(text_size + ported_.size() * 8);
    for (std::size_t i = 0; i < ported_.size(); ++i) {
      const std::uint64_t entry = ported_[i].number << kNetworkBits | ported_[i].network;
      std::memcpy(body.data() + text_size + i * 8, &entry, 8);
    }
    Bytes head;
    ByteWriter header(head);
    header.raw(kMagic);
    header.u32(static_cast<std::uint32_t>(by_number.size()));
    header.u32(static_cast<std::uint32_t>(ranges_.size()));
    header.u64(ported_.size());
    header.u64(text_size);
    header.raw(index_hash(head, body));

    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) return fail("index " + path + ": " + std::strerror(errno));
    const bool written = write_all(fd, head) && write_all(fd, body) && fsync(fd) == 0;
    const int error = errno;
    close(fd);
    if (!written) return fail("index " + path + ": " + std::strerror(error));
    return IndexFacts{ranges_.size(), ported_.size(), static_cast<std::uint32_t>(by_number.size()), {}};
  }

 private:
  static bool write_all(int fd, ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
    return true;
  }

  void fault(std::uint32_t line, const std::string& what) {
    if (++faults_ <= kFaultsShown) report_ += "\nline " + std::to_string(line) + ": " + what;
  }

  std::optional<std::uint16_t> network_number(std::uint32_t line, std::string_view name) {
    const auto found = networks_.find(name);
    if (found != networks_.end()) return found->second;
    if (networks_.size() > kNetworkMask) {
      fault(line, "there are more than 16,383 networks");
      return std::nullopt;
    }
    return networks_.emplace(name, static_cast<std::uint16_t>(networks_.size())).first->second;
  }

  void range(std::uint32_t line, std::string_view prefix, std::string_view network) {
    if (!digits_only(prefix) || prefix.size() > 15 || prefix.front() == '0') return fault(line, "a range is 1 to 15 digits with the country code");
    const std::optional<std::uint16_t> number = network_number(line, network);
    if (!number) return;
    const auto [at, fresh] = ranges_.emplace(prefix, *number);
    if (!fresh && at->second != *number) fault(line, "gives range " + std::string(prefix) + " a second network");
  }

  void ported(std::uint32_t line, std::string_view digits, std::string_view network, std::uint32_t date) {
    if (!is_e164(digits)) return fault(line, "number must be 7 to 15 digits with the country code, without '+'");
    Ported p{0, date, line, 0};
    std::from_chars(digits.data(), digits.data() + digits.size(), p.number);
    const std::optional<std::uint16_t> number = network_number(line, network);
    if (!number) return;
    p.network = *number;
    ported_.push_back(p);
  }

  std::map<std::string, std::uint16_t, std::less<>> networks_;
  std::map<std::string, std::uint16_t, std::less<>> ranges_;
  std::vector<Ported> ported_;
  std::uint64_t faults_ = 0;
  std::string report_;
};

}  // namespace

Result<IndexFacts> import_csv(const std::string& csv_path, const std::string& index_path, const std::function<void(std::uint64_t)>& progress) {
  std::ifstream in(csv_path, std::ios::binary);
  if (!in) return fail(csv_path + ": cannot be read; check its name and who may read it");
  Import import;
  std::string line;
  std::uint32_t number = 0;
  std::uint64_t bytes = 0;
  while (std::getline(in, line)) {
    import.line(++number, line);
    bytes += line.size() + 1;
    if (progress && number % 65536 == 0) progress(bytes);
  }
  if (number == 0) return fail(csv_path + ": is empty; its first line must be: " + std::string(kHeader));
  if (const Status good = import.finish(); !good) return fail(csv_path + ": " + good.what());
  Result<IndexFacts> facts = import.write(index_path);
  if (!facts) return facts;
  const Result<std::shared_ptr<const PortabilityIndex>> check = PortabilityIndex::open(index_path);
  if (!check) return fail(check.what());
  return (*check)->facts();
}

}  // namespace postern::numbers
