// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "connectors/channels/push/access_token.hpp"

namespace postern::push {
namespace {

TEST(TokenAnswerTest, a_good_answer_gives_the_token_and_its_life) {
  const TokenReading reading =
      read_token_answer(200, R"({"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"})");
  EXPECT_EQ(reading.kind, TokenAnswer::Kind::token);
  EXPECT_EQ(reading.token.text(), "ya29.x");
  EXPECT_EQ(reading.life_s, 3599);
}

TEST(TokenAnswerTest, trouble_of_the_service_is_no_refusal) {
  for (const int status : {429, 500, 503})
    EXPECT_EQ(read_token_answer(status, "{}").kind, TokenAnswer::Kind::unreachable);
}

TEST(TokenAnswerTest, any_other_status_is_a_refusal) {
  for (const int status : {302, 400, 401, 403, 404})
    EXPECT_EQ(read_token_answer(status, "{}").kind, TokenAnswer::Kind::refused);
}

TEST(TokenAnswerTest, a_token_that_could_add_header_lines_is_not_used) {
  const char* bodies[] = {R"({"access_token":"a\r\nX-Evil: 1","expires_in":3599})",
                          R"({"access_token":"a b","expires_in":3599})",
                          R"({"access_token":"","expires_in":3599})",
                          R"({"access_token":"a","expires_in":5})",
                          R"({"access_token":"a","expires_in":999999})",
                          R"({"access_token":"a"})",
                          "[]",
                          "",
                          "{"};
  for (const char* body : bodies) EXPECT_EQ(read_token_answer(200, body).kind, TokenAnswer::Kind::unreachable) << body;
}

TEST(TokenAnswerTest, why_never_repeats_the_answer) {
  EXPECT_EQ(read_token_answer(400, R"({"error":"secret-thing"})").why.find("secret-thing"), std::string::npos);
}

}  // namespace
}  // namespace postern::push
