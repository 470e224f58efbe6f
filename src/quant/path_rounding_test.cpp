#include "quant/path_rounding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include "core/trellis.h"

namespace athanor::quant {
namespace {

double Uniform(std::uint32_t& random) {
  random = random * 1664525 + 1013904223;
  return (static_cast<double>(random) + 0.5) / 4294967296.0;
}
double Normal(std::uint32_t& random) {
  const double radius = std::sqrt(-2 * std::log(Uniform(random)));
  return radius * std::cos(2 * std::numbers::pi * Uniform(random));
}

const IndexBits& Bits() {
  static const std::array<std::uint64_t, 8> counts = {400, 300, 120, 40, 10, 3, 1, 0};
  static const IndexBits bits(counts);
  return bits;
}

TEST(IndexBits, CommonIndicesTakeFewAndSignsOneMore) {
  const std::array<std::uint64_t, 4> counts = {4, 2, 2, 0};
  const IndexBits bits(counts);
  EXPECT_EQ(bits.Of(0), 1);
  EXPECT_EQ(bits.Of(1), 3);
  EXPECT_EQ(bits.Of(-2), 3);
  EXPECT_EQ(bits.Of(3), 4);   // never seen: one more than what is
  EXPECT_EQ(bits.Of(-9), 4);  // beyond the table
}

// The least cost of all paths, tried one after another.
double LeastCost(std::span<const double> row, std::span<const double> weight, int state,
                 double price) {
  if (row.empty()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (int index = -4; index <= 4; ++index) {
    const double away = row[0] - trellis::ValueOf(state, index);
    least = std::min(least, weight[0] * away * away + price * Bits().Of(index) +
                                LeastCost(row.subspan(1), weight.subspan(1),
                                          trellis::Next(state, index), price));
  }
  return least;
}

TEST(PathRounding, ThePathIsTheCheapestOfAll) {
  constexpr std::size_t kColumns = 5;
  std::uint32_t random = 11;
  for (int round = 0; round < 20; ++round) {
    std::vector<double> gram(kColumns * kColumns, 0.0), row;
    for (std::size_t k = 0; k < kColumns; ++k) {
      gram[k * kColumns + k] = 0.2 + Uniform(random);
      row.push_back(2 * Normal(random));
    }
    const RowRounding rounding(kColumns, &gram, 0);
    const double price = 0.1 * round;
    std::array<std::int8_t, kColumns> integers = {};
    double cost =
        RoundAlongPath(rounding, row, {.trellis = true, .price = price}, Bits(), integers);
    int state = 0;
    for (const std::int8_t value : integers) {
      const std::optional<int> index = trellis::IndexOf(state, value);
      ASSERT_TRUE(index.has_value());
      cost += price * Bits().Of(*index);
      state = trellis::Next(state, *index);
    }
    EXPECT_NEAR(cost, LeastCost(row, rounding.importance(), 0, price), 1e-12);
  }
}

TEST(PathRounding, WithoutATrellisAndAPriceItIsTheNearestInteger) {
  const std::array<double, 6> row = {0.4, -0.6, 1.4, 300, -300, 0};
  const RowRounding rounding(row.size(), nullptr, 0);
  std::array<std::int8_t, 6> integers = {};
  RoundAlongPath(rounding, row, {}, Bits(), integers);
  EXPECT_EQ(integers, (std::array<std::int8_t, 6>{0, -1, 1, 127, -127, 0}));
  RoundAlongPath(rounding, row, {.price = 100}, Bits(), integers);
  EXPECT_EQ(integers, (std::array<std::int8_t, 6>{0, 0, 0, 127, -127, 0}));
}

// The entropy of the indices, and the mean square error, of 40 rows of normal numbers.
struct Rate {
  double bits = 0, error = 0;
};
Rate RateOf(bool trellis, double step) {
  constexpr std::size_t kRows = 40, kColumns = 250;
  const RowRounding rounding(kColumns, nullptr, 0);
  std::uint32_t random = 17;
  std::array<std::array<double, 256>, 2> counts = {};
  Rate rate;
  for (std::size_t i = 0; i < kRows; ++i) {
    std::vector<double> row(kColumns);
    for (double& value : row) value = Normal(random);
    std::vector<std::int8_t> integers(kColumns);
    rate.error +=
        RoundAlongPath(rounding, row, {.trellis = trellis, .step = step}, Bits(), integers);
    int state = 0;
    for (const std::int8_t value : integers) {
      const int index = trellis ? *trellis::IndexOf(state, value) : value;
      ++counts[static_cast<std::size_t>(state % 2)][static_cast<std::size_t>(index + 128)];
      if (trellis) state = trellis::Next(state, index);
    }
  }
  for (const auto& of_states : counts) {
    double all = 0;
    for (const double count : of_states) all += count;
    for (const double count : of_states)
      rate.bits -= count > 0 ? count * std::log2(count / all) : 0;
  }
  rate.bits /= kRows * kColumns;
  rate.error /= kRows * kColumns;
  return rate;
}

// Eight states come within 0.7 dB of what is possible, single integers within 1.53 (Marcellin and
// Fischer; a bit is worth 6.02 dB).
TEST(PathRounding, ATrellisTakesFewerBitsForTheSameError) {
  const Rate single = RateOf(false, 0.4), path = RateOf(true, 0.2);
  const auto lack = [](const Rate& rate) {
    return 10 * std::log10(rate.error) + 20 * std::log10(2.0) * rate.bits;
  };
  EXPECT_NEAR(lack(single), 1.53, 0.1);
  EXPECT_LT(lack(path), 0.8);
}

}  // namespace
}  // namespace athanor::quant
