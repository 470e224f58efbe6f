#include <gtest/gtest.h>

#include "core/text.h"

namespace athanor {
namespace {

TEST(Nearest, TwoSwappedLettersAreOneMistake) {
  const std::vector<std::string> names = {"image", "logits"};
  EXPECT_EQ(Nearest("imgae", names), "image");
}

TEST(Nearest, ADifferentWordIsNotAMistake) {
  const std::vector<std::string> names = {"image", "logits"};
  EXPECT_EQ(Nearest("weights", names), "");
}

}  // namespace
}  // namespace athanor
