// SPDX-License-Identifier: Apache-2.0
#include "crypto/secret.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <concepts>
#include <ostream>
#include <type_traits>
#include <vector>

#include "tests/support/temp_folder.hpp"

namespace postern {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);
static_assert(std::is_nothrow_move_assignable_v<Secret>);
static_assert(!Printable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string_view, Secret>);

TEST(Secret, HoldsItsBytesAndIsEmptyAfterAMove) {
  Secret one(std::string_view("correct horse"));
  Secret two(std::move(one));
  EXPECT_TRUE(one.empty());
  EXPECT_EQ(two.text(), "correct horse");
  Secret three;
  three = std::move(two);
  EXPECT_TRUE(two.empty());
  EXPECT_EQ(three.text(), "correct horse");
  EXPECT_EQ(three.clone().text(), "correct horse");
}

TEST(Secret, BeginsZeroed) {
  for (int i = 0; i < 4; ++i) {
    Secret secret(100);
    EXPECT_TRUE(std::ranges::all_of(secret.bytes(), [](std::uint8_t b) { return b == 0; }));
    std::ranges::fill(secret.writable(), std::uint8_t{0xaa});
  }
}

TEST(Secret, LeavesNoTraceInTheSlabWhenItIsWiped) {
  Secret neighbour(std::string_view("stays"));
  Secret secret(std::string_view("sixteen bytes !!"));
  const std::uint8_t* where = secret.bytes().data();
  secret.wipe();
  EXPECT_TRUE(secret.empty());
  // The slab stays mapped, so the place may be looked at after the secret is gone.
  EXPECT_TRUE(std::all_of(where, where + 16, [](std::uint8_t b) { return b == 0; }));
  EXPECT_EQ(neighbour.text(), "stays");
}

TEST(Secret, IsWipedWhenAnotherIsMovedOverIt) {
  Secret secret(std::string_view("the old password"));
  const std::uint8_t* where = secret.bytes().data();
  secret = Secret(std::string_view("the new one"));
  EXPECT_TRUE(std::all_of(where, where + 16, [](std::uint8_t b) { return b == 0; }));
  EXPECT_EQ(secret.text(), "the new one");
}

TEST(Secret, SlabIsUsedAgainAndItsHolesJoin) {
  // Far more than the slab holds, were nothing given back.
  for (int round = 0; round < 200; ++round) {
    std::vector<Secret> many;
    for (std::size_t i = 0; i < 100; ++i) many.emplace_back(std::size_t{1} + i * 13);
    for (std::size_t i = 0; i < many.size(); i += 2) many[i].wipe();
    for (std::size_t i = 0; i < 50; ++i) many.emplace_back(std::size_t{40});
  }
  // If the holes had not joined, no piece of half the slab would be left.
  const Secret large(std::size_t{128 * 1024});
  EXPECT_EQ(large.size(), 128U * 1024);
}

TEST(Secret, AFullSlabEndsTheProcess) {
  EXPECT_DEATH({ const Secret secret(std::size_t{1024 * 1024}); }, "no memory for secrets");
}

TEST(Secret, EqualsLooksAtLengthAndContent) {
  const Secret secret(std::string_view("abc"));
  EXPECT_TRUE(secret.equals(as_bytes("abc")));
  EXPECT_FALSE(secret.equals(as_bytes("abd")));
  EXPECT_FALSE(secret.equals(as_bytes("ab")));
  EXPECT_FALSE(secret.equals({}));
  EXPECT_TRUE(Secret().equals({}));
}

TEST(Secret, RandomOnesDiffer) {
  EXPECT_FALSE(Secret::random(32).equals(Secret::random(32).bytes()));
  EXPECT_TRUE(Secret::random(0).empty());
}

TEST(WipeText, LeavesAnEmptyText) {
  std::string text = "password";
  wipe_text(text);
  EXPECT_TRUE(text.empty());
}

class SecretFile : public testing::Test {
 protected:
  void given(const std::string& content, mode_t mode = 0400) {
    std::filesystem::remove(path);
    write_all(path, content);
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
  }
  TempFolder folder;
  std::string path = folder / "password";
};

TEST_F(SecretFile, IsReadWithoutItsOneLastNewline) {
  given("hunter2\n");
  EXPECT_EQ(read_secret_file(path.c_str(), 100)->text(), "hunter2");
  given("hunter2\n\n");
  EXPECT_EQ(read_secret_file(path.c_str(), 100)->text(), "hunter2\n");
  given("");
  EXPECT_TRUE(read_secret_file(path.c_str(), 100)->empty());
}

TEST_F(SecretFile, OverItsLimitIsRefused) {
  given(std::string(100, 'x'));
  EXPECT_EQ(read_secret_file(path.c_str(), 100)->size(), 100U);
  EXPECT_FALSE(read_secret_file(path.c_str(), 99).has_value());
}

TEST_F(SecretFile, ThatOthersMayReadOrTheGroupMayChangeIsRefused) {
  for (const mode_t mode : {0404U, 0402U, 0401U, 0420U, 0444U, 0666U, 0777U}) {
    given("x", mode);
    const Result<Secret> secret = read_secret_file(path.c_str(), 100);
    ASSERT_FALSE(secret.has_value()) << mode;
    EXPECT_NE(secret.what().find("chmod"), std::string::npos) << "it must say what to do";
  }
  for (const mode_t mode : {0400U, 0440U, 0600U, 0640U}) {
    given("x", mode);
    EXPECT_TRUE(read_secret_file(path.c_str(), 100).has_value()) << mode;
  }
}

TEST_F(SecretFile, ThatIsMissingALinkOrAFolderIsRefused) {
  EXPECT_FALSE(read_secret_file((folder / "none").c_str(), 100).has_value());
  EXPECT_FALSE(read_secret_file(folder.path().c_str(), 100).has_value());
  given("x");
  std::filesystem::create_symlink(path, folder / "link");
  EXPECT_FALSE(read_secret_file((folder / "link").c_str(), 100).has_value());
}

TEST_F(SecretFile, NeverAppearsInItsOwnErrors) {
  given("hunter2-hunter2", 0444);
  EXPECT_EQ(read_secret_file(path.c_str(), 100).what().find("hunter2"), std::string::npos);
  given("hunter2-hunter2");
  EXPECT_EQ(read_secret_file(path.c_str(), 5).what().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace postern
