// Resize between bytes, and what becomes bytes by quotients: the reference's integers, not near
// ones.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/quantized.h"
#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor AnyBytes(DType dtype, const Dims& dims, unsigned seed) {
  const float low = dtype == DType::kI8 ? -128 : 0;
  return RandomOf(dtype, dims, seed, low, low + 256);
}

QuantPort BytePort(DType dtype, float scale, std::int64_t zero) { return {dtype, {scale}, {zero}}; }

// How many kernels gave the reference's integers.
int CheckResize(const Dims& dims, const Ints& sizes, const QuantPort& x, const QuantPort& y,
                AttrMap map, std::optional<QuantSpec::Clamp> clamp = {}) {
  WriteQuantSpec({.inputs = {x, {}, {}, {}}, .outputs = {y}, .clamp = clamp}, map);
  return CheckKernels({.op = "Resize",
                       .inputs = {AnyBytes(x.dtype, dims, 3), Tensor(), Tensor(), IntList(sizes)},
                       .constant = {false, false, false, true},
                       .attributes = map,
                       .tolerance = 0});
}

TEST(Int8Resize, GivesTheReferencesIntegersInEveryMode) {
  for (const char* mode : {"linear", "cubic", "nearest"}) {
    for (const char* transform : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel",
                                  "half_pixel_symmetric"}) {
      const AttrMap map = {{"mode", std::string(mode)},
                           {"coordinate_transformation_mode", std::string(transform)}};
      for (const Ints& sizes : {Ints{2, 19, 10, 14}, Ints{2, 19, 2, 4}, Ints{2, 19, 5, 13}}) {
        EXPECT_GT(CheckResize({2, 19, 5, 7}, sizes, BytePort(DType::kU8, 0.037F, 120),
                              BytePort(DType::kU8, 0.041F, 99), map),
                  1)
            << mode << transform << sizes[2];
      }
    }
  }
}

TEST(Int8Resize, GivesTheReferencesIntegersForRandomShapes) {
  std::mt19937 random(1);
  const auto pick = [&](unsigned n) { return static_cast<std::int64_t>(1 + random() % n); };
  int ran = 0;
  for (int i = 0; i < 60; ++i) {
    const Dims dims = {pick(2), pick(35), pick(9), pick(40)};
    const Ints sizes = {dims[0], dims[1], pick(12), pick(90)};
    const DType from = i % 2 == 0 ? DType::kU8 : DType::kI8;
    const DType to = i % 3 == 0 ? DType::kI8 : DType::kU8;
    const float scale = std::ldexp(1.0F, static_cast<int>(random() % 9)) * 0.0131F;
    const QuantPort x = BytePort(from, scale, from == DType::kU8 ? 3 : -7);
    const QuantPort same = BytePort(to, scale, to == DType::kU8 ? 131 : 121);
    const QuantPort other = BytePort(to, scale * 1.37F, to == DType::kU8 ? 30 : -100);
    AttrMap map = {{"mode", std::string("linear")}, {"antialias", std::int64_t{i % 5 == 0}}};
    ran += CheckResize(dims, sizes, x, i % 4 == 0 ? same : other, map,
                       i % 7 == 0 ? std::optional(QuantSpec::Clamp{30, 90}) : std::nullopt);
  }
  EXPECT_GT(ran, 60);
}

// Means of two bytes of one scale are halves.
TEST(Int8Resize, RoundsHalvesAsTheReferenceDoes) {
  for (const float scale : {1.0F, 0.1F, 1.0F / 3, 1e-33F}) {
    const QuantPort port = BytePort(DType::kU8, scale, 0);
    EXPECT_GT(CheckResize({1, 16, 32, 32}, {1, 16, 16, 16}, port, port,
                          {{"mode", std::string("linear")}}),
              1);
  }
}

TEST(Int8Resize, LeavesOtherAxesAndDefinitionsToTheReference) {
  const QuantPort port = BytePort(DType::kU8, 0.1F, 3);
  const AttrMap linear = {{"mode", std::string("linear")}};
  EXPECT_EQ(CheckResize({1, 4, 5, 5}, {1, 8, 5, 5}, port, port, linear), 0);
  EXPECT_EQ(CheckResize({1, 4, 5, 5}, {1, 4, 4, 2}, port, port, linear), 0);
}

// How many kernels gave the reference's integers, for both types of bytes and both ways to round.
int CheckQuantize(const Tensor& x, float scale) {
  int kernels = 0;
  for (const char* arithmetic : {"float", "fixed31"}) {
    for (const Tensor& zero :
         {Tensor::Scalar(std::uint8_t{100}), Tensor::Scalar(std::int8_t{-20})}) {
      AttrMap map;
      map.Set("arithmetic", std::string(arithmetic));
      const int more = CheckKernels({.op = "QuantizeLinear",
                                     .inputs = {x, Tensor::Scalar(scale), zero},
                                     .constant = {false, true, true},
                                     .attributes = map,
                                     .tolerance = 0});
      EXPECT_GT(more, 0) << arithmetic << " " << Name(zero.dtype()) << " " << scale;
      kernels += more;
    }
  }
  return kernels;
}

// Halves of scales with their neighbours, and what is no usual number.
std::vector<float> NearHalves(float scale) {
  std::vector<float> numbers = {0, -0.0F, INFINITY, -INFINITY, NAN, -NAN, 1e-40F, -1e-40F, 3e38F};
  for (int i = -600; i <= 600; ++i) {
    const float middle = static_cast<float>(i) * 0.5F * scale;
    numbers.push_back(middle);
    numbers.push_back(std::nextafter(middle, INFINITY));
    numbers.push_back(std::nextafter(middle, -INFINITY));
    numbers.push_back(middle * (1 + 1e-6F));
  }
  return numbers;
}

TEST(Int8Convert, RoundsQuotientsAsTheDivisionDoes) {
  for (const float scale : {1.0F, 0.1F, 1.0F / 3, 0.0137F, 1e-33F, 3e37F}) {
    const std::vector<float> numbers = NearHalves(scale);
    CheckQuantize(Tensor::FromVector<float>({std::ssize(numbers)}, numbers), scale);
  }
}

TEST(Int8Convert, RoundsQuotientsAtEveryLengthAndInBlocks) {
  const std::vector<float> numbers = NearHalves(0.25F);
  for (std::int64_t n = 1; n <= 70; ++n) {
    const auto middle = numbers.begin() + std::ssize(numbers) / 2;
    std::vector<float> some(middle - n / 2, middle - n / 2 + n);
    CheckQuantize(Tensor::FromVector<float>({n}, some), 0.25F);
    some.back() = numbers[static_cast<std::size_t>(n % 9)];
    CheckQuantize(Tensor::FromVector<float>({n}, some), 0.25F);
    CheckQuantize(RandomOf(DType::kF32, {n}, 7, -60, 60), 0.25F);
  }
  EXPECT_GT(CheckQuantize(RandomOf(DType::kF32, {2, 32, 5, 7}, 8, -60, 60), 0.25F),
            CheckQuantize(RandomOf(DType::kF32, {9}, 8, -60, 60), 0.25F));
}

}  // namespace
}  // namespace athanor::kernels
