#include "core/number.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <limits>

namespace athanor {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(ReadReal, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(ReadReal("-1.5e2"), -150.0);
  EXPECT_EQ(ReadReal("inf"), kInfinity);
  for (const char* text : {"", "-", "1 ", "1,5", "0x10", "1e400x"}) {
    EXPECT_EQ(ReadReal(text), std::nullopt) << text;
  }
}

void ExpectLimits() {
  EXPECT_EQ(ReadReal("1.5e400"), kInfinity);
  EXPECT_EQ(ReadReal("-1.5e400"), -kInfinity);
  EXPECT_EQ(ReadReal("0.5e-400"), 0.0);
  EXPECT_TRUE(std::signbit(*ReadReal("-0.5e-400")));
}

TEST(ReadReal, GivesInfinityOrZeroBeyondDoubles) { ExpectLimits(); }

TEST(ReadReal, DoesNotReadTheLocale) {
  const char* const comma = std::setlocale(LC_NUMERIC, "de_DE.UTF-8");
  if (comma == nullptr) GTEST_SKIP() << "there is no German locale";
  ExpectLimits();
  std::setlocale(LC_NUMERIC, "C");
}

}  // namespace
}  // namespace athanor
