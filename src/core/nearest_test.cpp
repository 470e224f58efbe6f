#include <gtest/gtest.h>

#include "core/text.h"

namespace athanor {
namespace {

TEST(Nearest, TwoSwappedLettersAreOneMistake) {
  const std::vector<std::string> names = {"image", "logits"};
  EXPECT_EQ(Nearest("imgae", names), "image");
}

TEST(Nearest, TheBeginningOfANameIsNearerThanAnotherWord) {
  const std::vector<std::string> names = {"googlenet", "mobilenet_v1", "mobilenet_v2"};
  EXPECT_EQ(Nearest("mobilenet", names), "mobilenet_v1");
}

TEST(Nearest, ADifferentWordIsNotAMistake) {
  const std::vector<std::string> names = {"image", "logits"};
  EXPECT_EQ(Nearest("weights", names), "");
}

}  // namespace
}  // namespace athanor
