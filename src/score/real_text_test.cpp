#include "score/real_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace athanor::score {
namespace {

template <class T>
void ExpectTextOfFmt(T value) {
  std::string text = "before ";
  AppendReal(value, text);
  EXPECT_EQ(text, fmt::format("before {}", value));
}

TEST(RealText, IsThatOfFmtAtEveryPowerOfTen) {
  for (int power = -50; power <= 40; ++power) {
    for (const double digits : {1.0, -1.0, 9.0, 1.5, -123.456, 99999.99, 7.0 / 3}) {
      ExpectTextOfFmt(digits * std::pow(10.0, power));
      ExpectTextOfFmt(static_cast<float>(digits * std::pow(10.0, power)));
    }
  }
}

TEST(RealText, IsThatOfFmtForSpecialNumbers) {
  for (const double value :
       {0.0, -0.0, 0.1, 1e-4, 9.9999e-5, 1e15, 1e16, 9999999999999998.0, 16777216.0}) {
    ExpectTextOfFmt(value);
    ExpectTextOfFmt(static_cast<float>(value));
  }
  ExpectTextOfFmt(std::numeric_limits<float>::infinity());
  ExpectTextOfFmt(-std::numeric_limits<double>::infinity());
  ExpectTextOfFmt(std::numeric_limits<float>::denorm_min());
  ExpectTextOfFmt(std::numeric_limits<double>::max());
}

TEST(RealText, IsThatOfFmtForRandomBits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t bits = random();
    const auto wide = std::bit_cast<double>(bits);
    const auto narrow = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (wide == wide) ExpectTextOfFmt(wide);
    if (narrow == narrow) ExpectTextOfFmt(narrow);
    ExpectTextOfFmt(static_cast<float>(bits % 2'000'000) / 1000);
  }
}

}  // namespace
}  // namespace athanor::score
