#include "core/trellis.h"

#include <gtest/gtest.h>

#include <array>

namespace athanor::trellis {
namespace {

TEST(Trellis, EachStateAllowsHalfOfTheIntegersAndZero) {
  for (int state = 0; state < kStates; ++state) {
    for (int value = -20; value <= 20; ++value) {
      const std::optional<int> index = IndexOf(state, value);
      const bool even = value % 2 == 0;
      EXPECT_EQ(index.has_value(), value == 0 || even == (state % 2 == 0)) << state << " " << value;
      if (index) {
        EXPECT_EQ(ValueOf(state, *index), value);
      }
    }
  }
}

TEST(Trellis, PathsMeetInTwos) {
  std::array<int, kStates> arrivals = {};
  for (int state = 0; state < kStates; ++state) {
    EXPECT_NE(Next(state, 0), Next(state, 1));
    EXPECT_EQ(Next(state, 3), Next(state, -1));
    for (const int index : {0, 1}) ++arrivals[static_cast<std::size_t>(Next(state, index))];
  }
  for (const int count : arrivals) EXPECT_EQ(count, 2);
}

}  // namespace
}  // namespace athanor::trellis
