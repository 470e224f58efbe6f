#include "ir/quantized.h"

#include <gtest/gtest.h>

#include <cmath>

namespace athanor {
namespace {

QuantSpec Example() {
  return {.inputs = {{DType::kU8, {0.1F}, {3}}, {}, {DType::kI8, {0.5F, 1e-8F}, {0, 1}, 1}},
          .outputs = {{DType::kI8, {0.25F}, {-128}}},
          .clamp = QuantSpec::Clamp{-128, 0}};
}

TEST(QuantSpec, ReadsBackWhatItWrote) {
  AttrMap map = {{"axis", std::int64_t{1}}};
  EXPECT_FALSE(HasQuantSpec(map));
  WriteQuantSpec(Example(), map);
  ASSERT_TRUE(HasQuantSpec(map));
  const Result<QuantSpec> spec = ReadQuantSpec(map);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->inputs, Example().inputs);
  EXPECT_EQ(spec->outputs, Example().outputs);
  EXPECT_EQ(spec->clamp->high, 0);
  EXPECT_EQ(WithoutQuantSpec(map), (AttrMap{{"axis", std::int64_t{1}}}));
}

TEST(QuantSpec, RefusesListsThatDisagree) {
  const auto refused = [](std::string_view name, AttrValue value) {
    AttrMap map;
    WriteQuantSpec(Example(), map);
    map.Set(name, std::move(value));
    return !ReadQuantSpec(map).ok();
  };
  using Ints = std::vector<std::int64_t>;
  EXPECT_TRUE(refused("quant.arithmetic", std::string("fixed16")));
  EXPECT_TRUE(refused("quant.counts", Ints{1, 0, 200, 1}));
  EXPECT_TRUE(refused("quant.counts", Ints{1, 0, -1, 1}));
  EXPECT_TRUE(refused("quant.counts", Ints{1, 0}));
  EXPECT_TRUE(refused("quant.zeros", Ints{3, 0, 1, -129}));
  EXPECT_TRUE(refused("quant.zeros", Ints{}));
  EXPECT_TRUE(refused("quant.scales", std::vector<float>{0.1F, 0.5F, NAN, 1}));
  EXPECT_TRUE(refused("quant.scales", std::vector<float>{0.1F, 0.5F, 0.0F, 1}));
  EXPECT_TRUE(refused("quant.inputs", std::vector<std::string>{"u8", "-", "f32"}));
  EXPECT_TRUE(refused("quant.clamp", Ints{-200, 0}));
  EXPECT_TRUE(refused("quant.clamp", Ints{1, 0}));
  EXPECT_TRUE(refused("quant.clamp", Ints{0}));
}

TEST(QuantizeOne, RoundsHalfToEvenAndSaturates) {
  const IntRange u8 = *QuantRange(DType::kU8);
  EXPECT_EQ(QuantizeOne(0.5F, 1, 10, u8), 10);
  EXPECT_EQ(QuantizeOne(1.5F, 1, 10, u8), 12);
  EXPECT_EQ(QuantizeOne(INFINITY, 1, 10, u8), 255);
  EXPECT_EQ(QuantizeOne(-INFINITY, 1, 10, u8), 0);
  EXPECT_EQ(QuantizeOne(NAN, 1, 10, u8), 10);
}

}  // namespace
}  // namespace athanor
