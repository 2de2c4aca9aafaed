// SPDX-License-Identifier: Apache-2.0
#include "gateway/numbers/portability.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "crypto/bytes.hpp"
#include "crypto/merkle.hpp"
#include "gateway/numbers/index_format.hpp"
#include "gateway/numbers/number.hpp"

namespace postern::numbers {

Result<std::shared_ptr<const PortabilityIndex>> PortabilityIndex::open(const std::string& path) {
  const auto refused = [&](const std::string& why) { return fail("portability index " + path + ": " + why + "; import the table again"); };
  static_assert(std::endian::native == std::endian::little, "the ported section is mapped as it stands");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return refused(std::strerror(errno));
  struct stat facts {};
  const bool sized = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size >= static_cast<off_t>(kHeaderSize);
  const auto size = static_cast<std::size_t>(sized ? facts.st_size : 0);
  void* map = sized ? mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  close(fd);
  if (map == MAP_FAILED) return refused("is not a readable file of this format");

  std::shared_ptr<PortabilityIndex> index(new PortabilityIndex);
  index->map_ = map;
  index->size_ = size;
  const ByteView all(static_cast<const std::uint8_t*>(map), size);
  ByteReader in(all);
  if (as_text(in.view(kMagic.size())) != kMagic) return refused("is not an index of this version");
  const std::uint32_t networks = in.u32(), ranges = in.u32();
  const std::uint64_t ported = in.u64();
  const std::uint64_t text_size = in.u64();
  const ByteView sum = in.view(32);
  if (!in.ok() || text_size > size || ported > size / 8 || kHeaderSize + text_size + ported * 8 != size || text_size % 8 != 0)
    return refused("is truncated");
  if (!std::ranges::equal(index_hash(all.first(kHeaderSize - 32), all.subspan(kHeaderSize)), sum)) return refused("is damaged");

  ByteReader text(all.subspan(kHeaderSize, text_size));
  for (std::uint32_t i = 0; i < networks && text.ok(); ++i) index->networks_.push_back(text.text8());
  for (std::uint32_t i = 0; i < ranges && text.ok(); ++i) {
    std::string prefix = text.text8();
    const std::uint16_t network = text.u16();
    if (network >= index->networks_.size()) return refused("names a network that it does not have");
    index->ranges_.emplace_back(std::move(prefix), network);
  }
  if (!text.ok() || text.left() >= 8 || !std::ranges::is_sorted(index->ranges_)) return refused("is damaged");
  index->ported_ = reinterpret_cast<const std::uint64_t*>(all.data() + kHeaderSize + text_size);
  const std::span entries(index->ported_, ported);
  if (!std::ranges::is_sorted(entries) ||
      std::ranges::any_of(entries, [&](std::uint64_t e) { return (e & kNetworkMask) >= index->networks_.size(); }))
    return refused("is damaged");
  index->facts_ = {ranges, ported, networks, to_hex(sha256(all))};
  return std::shared_ptr<const PortabilityIndex>(std::move(index));
}

PortabilityIndex::~PortabilityIndex() {
  if (map_ != nullptr) munmap(const_cast<void*>(map_), size_);
}

std::optional<Network> PortabilityIndex::find(std::string_view digits) const {
  std::uint64_t number = 0;
  if (!is_e164(digits) || std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc{}) return std::nullopt;
  Network network;
  for (std::size_t length = digits.size(); length > 0 && network.original.empty(); --length) {
    const std::string_view prefix = digits.substr(0, length);
    const auto found = std::ranges::lower_bound(ranges_, prefix, {}, [](const auto& range) { return std::string_view(range.first); });
    if (found != ranges_.end() && found->first == prefix) network.original = networks_[found->second];
  }
  const std::span entries(ported_, facts_.ported);
  const auto found = std::ranges::lower_bound(entries, number << kNetworkBits);
  network.ported = found != entries.end() && *found >> kNetworkBits == number;
  network.current = network.ported ? networks_[*found & kNetworkMask] : network.original;
  if (network.current.empty()) return std::nullopt;
  return network;
}

}  // namespace postern::numbers
