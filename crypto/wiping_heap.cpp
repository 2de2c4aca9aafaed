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

extern "C" {

void __libc_free(void* data);                               // NOLINT: glibc's name
void* __libc_realloc(void* data, std::size_t size);         // NOLINT

void free(void* data) {
  if (data == nullptr) return;
  explicit_bzero(data, malloc_usable_size(data));
  __libc_free(data);
}

void* realloc(void* data, std::size_t size) {
  if (data == nullptr) return malloc(size);
  if (size == 0) {
    free(data);
    return nullptr;
  }
  const std::size_t had = malloc_usable_size(data);
  if (size <= had) {
    // It stays where it is; its tail may be given back.
    explicit_bzero(static_cast<std::uint8_t*>(data) + size, had - size);
    return __libc_realloc(data, size);
  }
  // A chunk with pages of its own is moved by the kernel, which leaves nothing; glibc notes that in the second bit of its size.
  const std::size_t head = static_cast<const std::size_t*>(data)[-1];
  if ((head & 2) != 0) return __libc_realloc(data, size);
  void* fresh = malloc(size);
  if (fresh == nullptr) return nullptr;
  memcpy(fresh, data, had);
  free(data);
  return fresh;
}

}  // extern "C"
