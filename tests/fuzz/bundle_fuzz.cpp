// SPDX-License-Identifier: Apache-2.0
// The verifier against a lying folder: the input is an entry bundle under a checkpoint of 5 leaves and a
// tile that are right for other leaves. It must never hold unless it is the very bundle.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "crypto/note.hpp"
#include "gateway/audit/tiles.hpp"
#include "gateway/audit/verify.hpp"

namespace {

using namespace postern;

struct Lie {
  Lie() {
    std::string pattern = "/tmp/postern-fuzz-bundle-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder = pattern;
    // Frozen secrets: the right bundle stands in the corpus.
    Keyring ring = Keyring::create(1);
    keys = std::make_unique<Keys>(ring);
    audit::Log log(*keys, {});
    auto tiles = audit::Tiles::open(folder, "fuzz", *keys, 0, [](std::uint64_t, std::size_t) -> Result<std::vector<Bytes>> { return std::vector<Bytes>{}; });
    for (int i = 0; i < 5; ++i) log.append({}, {}, 1'800'000'000'000'000 + i, static_cast<std::uint64_t>(i));
    if (!tiles || !tiles->append(log.take()) || !tiles->publish()) std::abort();
    bundle = folder + "/tile/entries/000.p/5";
    std::ifstream in(bundle, std::ios::binary);
    right.assign(std::istreambuf_iterator<char>(in), {});
    vkey = verifier_key("fuzz", keys->log_public_key());
  }
  ~Lie() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  std::string folder, bundle, right, vkey;
  std::unique_ptr<Keys> keys;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Lie lie;
  std::ofstream(lie.bundle, std::ios::binary | std::ios::trunc).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto verdict = postern::audit::verify(lie.folder, lie.vkey);
  const bool same = std::string_view(reinterpret_cast<const char*>(data), size) == lie.right;
  if (!verdict || verdict->bad.has_value() == same) std::abort();
  return 0;
}
