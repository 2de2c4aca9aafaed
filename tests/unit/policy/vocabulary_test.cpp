// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/condition/vocabulary.hpp"

#include <gtest/gtest.h>

namespace postern::policy {
namespace {

TEST(Vocabularies, RefuseWhatContradictsItself) {
  const std::pair<std::vector<Field>, const char*> table[] = {
      {{{"", Type::text, 0}}, "must be named"},
      {{{"1a", Type::text, 0}}, "must be named"},
      {{{"a-b", Type::text, 0}}, "must be named"},
      {{{"a..b", Type::text, 0}}, "must be named"},
      {{{"a.", Type::text, 0}}, "must be named"},
      {{{".*", Type::text, 0}}, "must be named"},
      {{{"a.*.*", Type::text, 0}}, "must be named"},
      {{{std::string(65, 'a'), Type::text, 0}}, "must be named"},
      {{{"known", Type::text, 0}}, "word of the language"},
      {{{"a", Type::text, 0}, {"a", Type::integer, 1}}, "stands twice"},
      {{{"p.*", Type::text, 0}, {"p.*", Type::integer, 1}}, "stands twice"},
      {{{"a", Type::text, 3}, {"b", Type::integer, 3}}, "index of another"},
      {{{"a", Type::text, 512}}, "above 511"},
      {{{"p.*", Type::boolean, 0}}, "texts or integers"},
      {{{"p.*", Type::duration, 0}}, "texts or integers"},
  };
  for (const auto& [fields, reason] : table) {
    const Result<Vocabulary> made = Vocabulary::of(fields);
    ASSERT_FALSE(made.has_value()) << fields[0].name;
    EXPECT_NE(made.what().find(reason), std::string::npos) << made.what();
  }
  EXPECT_TRUE(Vocabulary::of({}).has_value());
  EXPECT_TRUE(Vocabulary::of({{"a_1.2b.C", Type::text, 511}, {"p.*", Type::text, 0}, {"q.*", Type::integer, 0}, {"not.known", Type::text, 0}}).has_value());
}

TEST(Vocabularies, GiveMembersIndexesBehindAllFields) {
  Vocabulary vocabulary = *Vocabulary::of({{"p.fixed", Type::boolean, 9}, {"p.*", Type::text, 0}});
  EXPECT_EQ(vocabulary.size(), 10U);
  const auto fixed = vocabulary.take("p.fixed"), one = vocabulary.take("p.one"), two = vocabulary.take("p.two"), again = vocabulary.take("p.one");
  ASSERT_TRUE(fixed && one && two && again);
  EXPECT_FALSE(fixed->open) << "a field goes before a family";
  EXPECT_EQ(fixed->index, 9);
  EXPECT_EQ(one->index, 10);
  EXPECT_EQ(two->index, 11);
  EXPECT_EQ(again->index, 10);
  EXPECT_EQ(vocabulary.size(), 12U);
  EXPECT_FALSE(vocabulary.take("p.").has_value());
  EXPECT_FALSE(vocabulary.take("p").has_value());
  EXPECT_FALSE(vocabulary.take("p." + std::string(63, 'a')).has_value());
}

TEST(Vocabularies, HaveABoundedNumberOfMembers) {
  Vocabulary vocabulary = *Vocabulary::of({{"p.*", Type::text, 0}});
  for (std::size_t i = 0; i < Vocabulary::kMaxMembers; ++i) ASSERT_TRUE(vocabulary.take("p.m" + std::to_string(i)).has_value());
  const auto more = vocabulary.take("p.more");
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error(), Vocabulary::Missing::too_many_members);
  EXPECT_TRUE(vocabulary.take("p.m7").has_value());
}

TEST(Vocabularies, AdviseTheNearestNameOrAll) {
  const Vocabulary vocabulary = *Vocabulary::of({{"amount", Type::integer, 0}, {"recipient.locale", Type::text, 1}, {"p.*", Type::text, 0}});
  EXPECT_EQ(vocabulary.advice("ammount"), "did you mean amount?");
  EXPECT_EQ(vocabulary.advice("amuont"), "did you mean amount?");
  EXPECT_EQ(vocabulary.advice("reciepient.locale"), "did you mean recipient.locale?");
  EXPECT_EQ(vocabulary.advice("colour"), "there are: amount, recipient.locale, p.*");
  EXPECT_EQ(vocabulary.advice(std::string(1900, 'a')), "there are: amount, recipient.locale, p.*");
  EXPECT_EQ(Vocabulary::of({})->advice("a"), "the vocabulary is empty");
}

}  // namespace
}  // namespace postern::policy
