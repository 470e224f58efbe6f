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

TEST(Casts, GoBetweenF32AndF64) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  // 0.1 and the double half-way between 1 and the next float, which goes to the even one.
  const std::vector<double> wide = {0, -0.0, 0.1, 1 + 0x1p-24, 1e300, -1e300, kInf, 1e-46, 3};
  const std::vector<float> narrow = {0, -0.0F, 0.1F, 1, INFINITY, -INFINITY, INFINITY, 0, 3};
  ForEveryIsa([&](const CastTable& casts) {
    std::vector<float> floats(wide.size());
    casts.double_to_float(wide.data(), floats.data(), wide.size());
    EXPECT_EQ(floats, narrow);
    std::vector<double> doubles(narrow.size());
    casts.float_to_double(narrow.data(), doubles.data(), narrow.size());
    for (std::size_t i = 0; i < narrow.size(); ++i) EXPECT_EQ(doubles[i], narrow[i]) << i;
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
