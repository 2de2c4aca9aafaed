// SPDX-License-Identifier: Apache-2.0
// Freed memory is zero: free() and realloc() of the C library, with what they give back wiped first. Whatever was in a string,
// a frame, a TLS record or a row of SQLCipher is gone when it ends, in our code and in every library's, without a line there.
// Used by: every program that links postern_base (crypto/CMakeLists.txt); not in builds with sanitizers, whose heap is their own.
// Threads: any. Ownership: as in the C library; errno stays as it was.
// Errors: as in the C library. Limits: what is alive is not touched, nor are stacks; see crypto/DESIGN.md, section 12.
//
// operator delete and all libraries reach this free() through the dynamic linker, as glibc documents for a replaced malloc. The
// chunks stay glibc's: only its own names for the same functions are called here (2.36, GLIBC_2.2.5).
#include <malloc.h>
#include <string.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>

extern "C" {

void __libc_free(void* data);                               // NOLINT: glibc's name
void* __libc_realloc(void* data, std::size_t size);         // NOLINT

}  // extern "C"

namespace {

// What glibc notes before each chunk: its size, and in the lowest bits whether it is a mapping of its own. To read it here costs
// nothing; malloc_usable_size() looks at the chunk behind as well, which is seldom in a cache. Whether it still is so is asked of the
// library once, and as long as that is not known the library is asked each time.
constexpr std::size_t kFlags = 7, kMapping = 2, kHead = sizeof(std::size_t);
bool heads_are_known = false;

std::size_t head_of(const void* data) { return static_cast<const std::size_t*>(data)[-1]; }
std::size_t size_by_head(std::size_t head) { return (head & ~kFlags) - ((head & kMapping) != 0 ? 2 * kHead : kHead); }

[[gnu::constructor]] void look_at_heads() {
  bool same = true;
  // The last is larger than any threshold of glibc's, so that it is a mapping and moves no threshold.
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{5000}, std::size_t{64} << 20}) {
    void* volatile made = malloc(size);
    void* data = made;  // the compiler shall not know what it knows of malloc()
    same = same && data != nullptr && size_by_head(head_of(data)) == malloc_usable_size(data) && ((head_of(data) & kMapping) != 0) == (size > 5000);
    __libc_free(data);
  }
  heads_are_known = same;
}

std::size_t size_of(void* data) { return heads_are_known ? size_by_head(head_of(data)) : malloc_usable_size(data); }
bool is_mapping(const void* data) { return heads_are_known && (head_of(data) & kMapping) != 0; }

}  // namespace

extern "C" {

void free(void* data) {
  if (data == nullptr) return;
  // A mapping of its own goes back to the kernel, which gives out zeros.
  if (!is_mapping(data)) explicit_bzero(data, size_of(data));
  __libc_free(data);
}

void* realloc(void* data, std::size_t size) {
  if (data == nullptr) return malloc(size);
  if (size == 0) {
    free(data);
    return nullptr;
  }
  if (is_mapping(data)) return __libc_realloc(data, size);  // moved by the kernel, which leaves nothing
  const std::size_t had = size_of(data);
  if (size <= had) {
    // It stays where it is; its tail may be given back.
    explicit_bzero(static_cast<std::uint8_t*>(data) + size, had - size);
    return __libc_realloc(data, size);
  }
  void* fresh = malloc(size);
  if (fresh == nullptr) return nullptr;
  memcpy(fresh, data, had);
  free(data);
  return fresh;
}

}  // extern "C"
