// SPDX-License-Identifier: Apache-2.0
// Asking a condition allocates nothing: every allocation of this test program is counted.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/unit/policy/made_vocabulary.hpp"

namespace {

std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace postern::policy {
namespace {

TEST(Allocations, EvaluatingMakesNone) {
  Vocabulary vocabulary = made_vocabulary();
  const auto condition = Condition::parse(
      "(category == \"otp\" or category in [\"a\", \"a category of more letters than a short text has\"] or text contains \"y\" or text starts with \"y\" or "
      "text ends with \"y\" or text matches \"*y*\" or param.a > 5 or premium or amount < 0 or age > 1h or time not in [09:30]) or not (balance is missing)",
      vocabulary);
  ASSERT_TRUE(condition) << condition.error().what;
  const std::string text(1000, 'x');
  const Row facts = row({{kCategory, words("a category of more letters than a short text")}, {kText, words(text)}, {kPremium, yes_or_no(false)}, {kAmount, whole(5)},
                         {kAge, whole(1)}, {kTime, whole(570)}, {kFirstMember, words("4")}});
  const std::size_t before = allocations;
  const bool answer = condition->evaluate(facts);
  EXPECT_EQ(allocations, before);
  EXPECT_FALSE(answer);
  (void)condition->explain(facts);
  EXPECT_GT(allocations, before) << "nothing is counted";
}

}  // namespace
}  // namespace postern::policy
