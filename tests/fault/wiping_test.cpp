// SPDX-License-Identifier: Apache-2.0
// The wiping heap and the wiping of residue, looked at from outside: through /proc/self/mem, so that no optimiser has a say. Runs in
// the release build; sanitizers bring heaps of their own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "crypto/secret.hpp"

namespace {

using namespace postern;

constexpr std::uint8_t kFill = 0xC5;
// Sizes on both sides of every border of glibc's: per-thread cache, fast bins, large bins, pages of their own.
constexpr std::size_t kSizes[] = {24, 25, 64, 128, 129, 1000, 1032, 1033, 4096, 65'536, 131'072, 200'000, 1 << 20, 3 << 20};

// How many of the bytes there still are the filling; none where nothing is mapped any more.
std::size_t left_of(std::uintptr_t at, std::size_t size) {
  const int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  std::vector<std::uint8_t> page(4096);
  std::size_t found = 0;
  for (std::size_t done = 0; done < size;) {
    const std::size_t step = std::min(size - done, page.size() - (at + done) % page.size());
    const ssize_t got = pread(fd, page.data(), step, static_cast<off_t>(at + done));
    for (ssize_t i = 0; i < got; ++i) found += page[static_cast<std::size_t>(i)] == kFill;
    done += step;
  }
  close(fd);
  return found;
}

template <class Pointer>
std::uintptr_t number_of(Pointer* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// What the allocator itself writes into a free chunk may hold the byte by chance.
constexpr std::size_t kChance = 6;

std::uint8_t* filled(std::size_t size) {
  auto* data = static_cast<std::uint8_t*>(std::malloc(size));
  std::memset(data, kFill, size);
  return data;
}

void expect_holds(const std::uint8_t* data, std::size_t size) {
  std::size_t good = 0;
  for (std::size_t i = 0; i < size; ++i) good += data[i] == kFill;
  EXPECT_EQ(good, size);
}

TEST(WipingHeap, WhatIsFreedIsGone) {
  for (const std::size_t size : kSizes) {
    std::uint8_t* data = filled(size);
    const std::uintptr_t at = number_of(data);
    ASSERT_GE(left_of(at, size), size) << "the look itself is blind";
    std::free(data);
    EXPECT_LE(left_of(at, size), kChance) << size;
  }
}

TEST(WipingHeap, GrowingLeavesNothingBehindAndLosesNothing) {
  for (const std::size_t size : kSizes) {
    std::uint8_t* data = filled(size);
    std::uint8_t* beside = filled(size);  // no room to grow into
    const std::uintptr_t at = number_of(data);
    auto* grown = static_cast<std::uint8_t*>(std::realloc(data, size * 3));
    ASSERT_NE(grown, nullptr);
    expect_holds(grown, size);
    if (number_of(grown) != at) {
      EXPECT_LE(left_of(at, size), kChance) << size;
    }
    std::free(beside);
    std::free(grown);
  }
}

TEST(WipingHeap, ShrinkingLeavesNoTail) {
  for (const std::size_t size : kSizes) {
    std::uint8_t* data = filled(size);
    const std::uintptr_t at = number_of(data);
    const std::size_t kept = size / 3 + 1;
    auto* smaller = static_cast<std::uint8_t*>(std::realloc(data, kept));
    ASSERT_EQ(number_of(smaller), at);
    expect_holds(smaller, kept);
    EXPECT_LE(left_of(at + kept, size - kept), kChance) << size;
    std::free(smaller);
  }
}

TEST(WipingHeap, EveryWayToAllocateIsFreedTheSame) {
  void* aligned = nullptr;
  ASSERT_EQ(posix_memalign(&aligned, 256, 5000), 0);
  void* const all[] = {std::calloc(50, 100), aligned, std::aligned_alloc(4096, 8192), memalign(64, 5000), reallocarray(nullptr, 50, 100), strdup(std::string(5000, 'x').c_str()),
                       CRYPTO_malloc(5000, "", 0)};
  for (void* one : all) {
    ASSERT_NE(one, nullptr);
    std::memset(one, kFill, 5000);
  }
  CRYPTO_free(all[6], "", 0);  // as libcrypto frees what it has used
  for (void* one : {all[0], all[1], all[2], all[3], all[4], all[5]}) std::free(one);
  for (void* one : all) EXPECT_LE(left_of(number_of(one), 5000), kChance);
}

TEST(WipingHeap, StringsAndVectorsLeaveNothing) {
  auto text = std::make_unique<std::string>(5000, static_cast<char>(kFill));
  std::uintptr_t at = number_of(text->data());
  text->append(20'000, 'x');
  EXPECT_LE(left_of(at, 5000), kChance) << "growth";
  at = number_of(text->data());
  text.reset();
  EXPECT_LE(left_of(at, 5000), kChance) << "the end";
  // A short text stands in the string itself: it goes with what holds it.
  auto many = std::make_unique<std::vector<std::string>>(100, std::string(15, static_cast<char>(kFill)));
  at = number_of(many->data());
  many.reset();
  EXPECT_LE(left_of(at, 100 * sizeof(std::string)), kChance);
}

TEST(WipingHeap, KeepsTheRulesOfTheLibrary) {
  std::free(nullptr);
  errno = 77;
  std::free(filled(100));
  std::free(filled(3 << 20));
  EXPECT_EQ(errno, 77);
  auto* made = static_cast<std::uint8_t*>(std::realloc(nullptr, 100));
  ASSERT_NE(made, nullptr);
  std::memset(made, kFill, 100);
  const volatile std::size_t absurd = PTRDIFF_MAX;
  EXPECT_EQ(std::realloc(made, absurd), nullptr);
  expect_holds(made, 100);  // a growth that fails changes nothing
  const volatile std::size_t nothing = 0;
  EXPECT_EQ(std::realloc(made, nothing), nullptr);
  auto* zeros = static_cast<std::uint8_t*>(std::calloc(300, 300));
  for (std::size_t i = 0; i < 90'000; ++i) ASSERT_EQ(zeros[i], 0);
  std::free(zeros);
}

TEST(WipingHeap, ThreadsMayFreeEachOthersMemory) {
  std::atomic<std::uint8_t*> post[64] = {};
  std::atomic<std::size_t> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::uint32_t random = t + 1;
      for (int i = 0; i < 50'000; ++i) {
        random = random * 1'664'525 + 1'013'904'223;
        const std::size_t size = 16 + random % 2000;
        auto* data = static_cast<std::uint8_t*>(std::malloc(size));
        std::memset(data, static_cast<int>(size & 0xff), size);
        if (random % 5 == 0) data = static_cast<std::uint8_t*>(std::realloc(data, size + 500));
        if (data[0] != (size & 0xff) || data[size - 1] != (size & 0xff)) ++wrong;
        std::free(post[random / 7 % 64].exchange(data));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& one : post) std::free(one.load());
  EXPECT_EQ(wrong, 0U);
}

TEST(WipingHeap, ProcessesForkAndBecomeOthers) {
  const pid_t pid = fork();
  if (pid == 0) {
    std::free(std::realloc(filled(1000), 300'000));
    execl("/bin/true", "true", nullptr);
    _exit(1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

// ---- residue ----

[[gnu::noinline]] std::uintptr_t leave_on_stack(std::size_t deep) {
  auto* data = static_cast<volatile std::uint8_t*>(__builtin_alloca(deep));
  for (std::size_t i = 0; i < 512; ++i) data[i] = kFill;
  return reinterpret_cast<std::uintptr_t>(data);
}

TEST(Residue, WhatEndedCallsLeftOnTheStackIsGone) {
  for (const std::size_t deep : {1000UL, 10'000UL, 100'000UL, 200'000UL}) {
    const std::uintptr_t at = leave_on_stack(deep);
    ASSERT_GE(left_of(at, 512), 512U) << "the look itself is blind";
    wipe_residue();
    EXPECT_EQ(left_of(at, 512), 0U) << deep;
  }
}

#if defined(__x86_64__)
TEST(Residue, WideRegistersAreEmpty) {
  alignas(16) std::uint8_t put[16], seen[16] = {};
  std::memset(put, kFill, sizeof put);
  __asm__ volatile("movdqa %0, %%xmm14" ::"m"(put) : "xmm14");
  wipe_residue();
  __asm__ volatile("movdqa %%xmm14, %0" : "=m"(seen));
  if (!__builtin_cpu_supports("avx")) GTEST_SKIP() << "only processors with AVX are cared for";
  for (const std::uint8_t byte : seen) EXPECT_EQ(byte, 0);
}
#endif

}  // namespace
