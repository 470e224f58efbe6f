#include "core/number.h"

#include <gtest/gtest.h>

#include <bit>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

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

// Short numbers are read another way than long ones.
TEST(ReadReal, RoundsAsTheLibraryDoes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string text = (i & 1) != 0 ? "-" : "";
    const std::size_t digits = 1 + random() % 18, point = random() % 20;
    for (std::size_t d = 0; d < digits; ++d) {
      if (d == point) text += '.';
      text += static_cast<char>('0' + random() % 10);
    }
    const double expected = std::strtod(text.c_str(), nullptr);
    const std::optional<double> read = ReadReal(text);
    ASSERT_TRUE(read.has_value()) << text;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(*read), std::bit_cast<std::uint64_t>(expected)) << text;
  }
  EXPECT_TRUE(std::signbit(*ReadReal("-0")));
  EXPECT_EQ(ReadReal(".5"), 0.5);
  for (const char* text : {".", "-.", "1.2.3", "--1", "1-"})
    EXPECT_EQ(ReadReal(text), std::nullopt) << text;
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

TEST(ReadInteger, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(ReadInteger("0"), 0);
  EXPECT_EQ(ReadInteger("-17"), -17);
  EXPECT_EQ(ReadInteger("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(ReadInteger("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "9223372036854775808"})
    EXPECT_EQ(ReadInteger(text), std::nullopt) << text;
}

}  // namespace
}  // namespace athanor
