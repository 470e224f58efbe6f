#include "kernels/elementwise/cast.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "core/cpu.h"
#include "core/small_types.h"

namespace athanor::kernels {
namespace {

void ForEveryIsa(const std::function<void(const CastTable&)>& f) {
  for (const Isa isa : {Isa::kBase, Isa::kAvx2, Isa::kAvx512}) {
    if (!HasIsa(isa)) continue;
    SCOPED_TRACE(Name(isa));
    f(Casts(isa));
  }
}

// Infinity once became 65536 without instructions for f16.
TEST(Casts, WidenEveryF16Exactly) {
  std::vector<std::uint16_t> halves(65536 + 3);  // with a tail
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  ForEveryIsa([&](const CastTable& casts) {
    std::vector<float> wide(halves.size());
    casts.half_to_float(halves.data(), wide.data(), wide.size());
    for (std::size_t i = 0; i < wide.size(); ++i) {
      const float expected = FloatFromHalf(halves[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(wide[i])) << i;
      } else {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[i]), std::bit_cast<std::uint32_t>(expected))
            << i;
      }
    }
  });
}

// A double and the float nearest to it, and that as a double again: bits, by hand. == cannot tell
// zeros apart.
struct Rounded {
  double from;
  std::uint32_t narrow;
  std::uint64_t back;
};

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr Rounded kRounded[] = {
    {0, 0x00000000, 0x0000000000000000},
    {-0.0, 0x80000000, 0x8000000000000000},
    {0.1, 0x3DCCCCCD, 0x3FB99999A0000000},
    {1 + 0x1p-24, 0x3F800000, 0x3FF0000000000000},    // half-way: to the even one, below
    {1 + 0x1.8p-23, 0x3F800002, 0x3FF0000040000000},  // and above
    {1e300, 0x7F800000, 0x7FF0000000000000},
    {-1e300, 0xFF800000, 0xFFF0000000000000},
    {kInf, 0x7F800000, 0x7FF0000000000000},
    {1e-46, 0x00000000, 0x0000000000000000},
    {-1e-46, 0x80000000, 0x8000000000000000},
    {0x1p-149, 0x00000001, 0x36A0000000000000},    // the smallest denormal
    {0x1.8p-149, 0x00000002, 0x36B0000000000000},  // half-way to the next
    {0x1p-150, 0x00000000, 0x0000000000000000},
    {-0x1p-127, 0x80400000, 0xB800000000000000},
    {0x1p-1074, 0x00000000, 0x0000000000000000},  // a denormal double
    {3, 0x40400000, 0x4008000000000000},
};

TEST(Casts, GoBetweenF32AndF64) {
  std::vector<double> wide;
  // Each in whole vectors and in the tail.
  for (int i = 0; i < 4; ++i) {
    for (const Rounded& each : kRounded) wide.push_back(each.from);
    wide.push_back(i % 2 == 0 ? NAN : -NAN);
  }
  ForEveryIsa([&](const CastTable& casts) {
    for (std::size_t begin = 0; begin < std::size(kRounded) + 1; ++begin) {
      const std::size_t count = wide.size() - begin;
      std::vector<float> floats(count);
      casts.double_to_float(wide.data() + begin, floats.data(), count);
      std::vector<double> doubles(count);
      casts.float_to_double(floats.data(), doubles.data(), count);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t which = (begin + i) % (std::size(kRounded) + 1);
        if (which == std::size(kRounded)) {
          ASSERT_TRUE(std::isnan(floats[i]) && std::isnan(doubles[i])) << i;
          continue;
        }
        ASSERT_EQ(std::bit_cast<std::uint32_t>(floats[i]), kRounded[which].narrow) << which;
        ASSERT_EQ(std::bit_cast<std::uint64_t>(doubles[i]), kRounded[which].back) << which;
      }
    }
  });
}

TEST(Casts, RoundToTheNearestF16) {
  // Each f16, half-way to the next one and the floats around both, on the way to infinity too.
  std::vector<float> floats;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const std::uint32_t whole =
        std::bit_cast<std::uint32_t>(FloatFromHalf(static_cast<std::uint16_t>(i)));
    for (const std::uint32_t step : {0U, 1U, 0x0FFFU, 0x1000U, 0x1001U, 0x1FFFU})
      floats.push_back(std::bit_cast<float>(whole + step));
  }
  for (std::uint32_t bits = 0; bits < 0xFF000000U; bits += 65521)  // denormal to infinite
    floats.push_back(std::bit_cast<float>(bits));
  ForEveryIsa([&](const CastTable& casts) {
    std::vector<std::uint16_t> halves(floats.size());
    casts.float_to_half(floats.data(), halves.data(), halves.size());
    for (std::size_t i = 0; i < floats.size(); ++i) {
      const std::uint16_t expected = HalfFromFloat(floats[i]);
      const bool nan = std::isnan(floats[i]) && std::isnan(FloatFromHalf(halves[i]));
      ASSERT_TRUE(nan || halves[i] == expected)
          << floats[i] << " gives " << halves[i] << ", not " << expected;
    }
  });
}

}  // namespace
}  // namespace athanor::kernels
