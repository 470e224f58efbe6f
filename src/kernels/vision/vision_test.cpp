#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

const std::pair<Dims, std::vector<float>> kScales[] = {
    {{1, 3, 5, 7}, {1, 1, 2, 2}}, {{2, 3, 8, 9}, {1, 1, 0.6F, 1.7F}}, {{1, 5, 6, 3}, {1, 2, 3, 1}}};

TEST(ResizeKernels, AgreeInEveryMode) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* transform : {"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel",
                                  "half_pixel_symmetric"}) {
      for (const auto& [dims, scales] : kScales) {
        for (const DType dtype : {DType::kF32, DType::kF16, DType::kU8, DType::kI8}) {
          EXPECT_GT(CheckKernels(
                        {.op = "Resize",
                         .inputs = {RandomOf(dtype, dims, 1, 0, 100), Tensor(),
                                    Tensor::FromVector<float>({4}, scales)},
                         .constant = {false, false, true},
                         .attributes = {{"mode", std::string(mode)},
                                        {"coordinate_transformation_mode", std::string(transform)}},
                         // Another order of additions may cross a whole number.
                         .tolerance = IsInteger(dtype) ? 1 : 1e-5}),
                    0)
              << mode << transform << Name(dtype);
        }
      }
    }
  }
}

TEST(ResizeKernels, PickTheNearestByEveryRule) {
  for (const char* rule : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
    EXPECT_GT(CheckKernels({.op = "Resize",
                            .inputs = {RandomOf(DType::kI64, {1, 2, 5, 8}, 1, -99, 99), Tensor(),
                                       Tensor(), IntList({1, 2, 7, 5})},
                            .constant = {false, false, false, true},
                            .attributes = {{"nearest_mode", std::string(rule)}}}),
              0);
  }
}

// Bytes and floats, in rows and in blocks of channels of which the last is not full.
TEST(ResizeKernels, PickTheNearestOfWhateverLies) {
  for (const Ints& sizes : {Ints{2, 21, 10, 14}, Ints{2, 21, 15, 21}, Ints{2, 21, 3, 4},
                            Ints{2, 21, 11, 70}, Ints{2, 21, 5, 7}, Ints{2, 42, 5, 14}}) {
    for (const DType dtype : {DType::kU8, DType::kI8, DType::kF32}) {
      for (const char* transform : {"asymmetric", "half_pixel"}) {
        EXPECT_GT(CheckKernels(
                      {.op = "Resize",
                       .inputs = {RandomOf(dtype, {2, 21, 5, 7}, 1, -99, 99), Tensor(), Tensor(),
                                  IntList(sizes)},
                       .constant = {false, false, false, true},
                       .attributes = {{"coordinate_transformation_mode", std::string(transform)}},
                       .tolerance = 0}),
                  sizes[1] == 21 ? 2 : 0)
            << sizes[2] << Name(dtype);
      }
    }
  }
}

TEST(ResizeKernels, InterpolateInBlocksOfChannels) {
  for (const Ints& sizes : {Ints{2, 21, 10, 14}, Ints{2, 21, 3, 4}, Ints{2, 21, 5, 9}}) {
    for (const char* mode : {"linear", "cubic"}) {
      EXPECT_GT(
          CheckKernels({.op = "Resize",
                        .inputs = {RandomF32({2, 21, 5, 7}), Tensor(), Tensor(), IntList(sizes)},
                        .constant = {false, false, false, true},
                        .attributes = {{"mode", std::string(mode)}}}),
          1);
    }
  }
}

TEST(ResizeKernels, ComputeWideIntegersInDouble) {
  for (const DType dtype : {DType::kI32, DType::kI64}) {
    for (const char* mode : {"linear", "cubic"}) {
      for (const Ints& sizes : {Ints{1, 2, 7, 5}, Ints{1, 3, 2, 17}}) {
        EXPECT_GT(CheckKernels({.op = "Resize",
                                .inputs = {RandomOf(dtype, {1, 2, 5, 8}, 1, -2e9F, 2e9F), Tensor(),
                                           Tensor(), IntList(sizes)},
                                .constant = {false, false, false, true},
                                .attributes = {{"mode", std::string(mode)}}}),
                  0);
      }
    }
  }
}

TEST(ResizeKernels, ShrinkWithoutAliasing) {
  EXPECT_GT(
      CheckKernels(
          {.op = "Resize",
           .inputs = {RandomF32({1, 2, 16, 20}, 1), Tensor(), Tensor(), IntList({1, 2, 5, 6})},
           .constant = {false, false, false, true},
           .attributes = {{"mode", std::string("linear")}, {"antialias", std::int64_t{1}}}}),
      0);
}

TEST(SampleKernels, ReadImagesWhereAGridSays) {
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      for (const std::int64_t align : {0, 1}) {
        EXPECT_GT(CheckKernels({.op = "GridSample",
                                .inputs = {RandomF32({2, 3, 6, 7}, 1),
                                           RandomF32({2, 5, 9, 2}, 2, -1.6F, 1.6F)},
                                .attributes = {{"mode", std::string(mode)},
                                               {"padding_mode", std::string(padding)},
                                               {"align_corners", align}}}),
                  0);
      }
    }
  }
}

TEST(SampleKernels, AlignRectangles) {
  const Tensor rois = Tensor::FromVector<float>(
      {4, 4}, {1, 2, 9, 11, -3, -2, 4.5F, 30, 0, 0, 0.5F, 0.5F, 6, 6, 200, 7});
  for (const char* mode : {"avg", "max"}) {
    for (const char* transform : {"half_pixel", "output_half_pixel"}) {
      for (const std::int64_t ratio : {0, 2}) {
        EXPECT_GT(
            CheckKernels({.op = "RoiAlign",
                          .inputs = {RandomF32({2, 3, 12, 13}, 1), rois, IntList({0, 1, 1, 0})},
                          .attributes = {{"mode", std::string(mode)},
                                         {"coordinate_transformation_mode", std::string(transform)},
                                         {"sampling_ratio", ratio},
                                         {"output_height", std::int64_t{3}},
                                         {"output_width", std::int64_t{2}},
                                         {"spatial_scale", 0.7F}}}),
            0)
            << mode << transform << ratio;
      }
    }
  }
}

// More bins than a vector has lanes; few samples that share elements, and many that do not.
TEST(SampleKernels, AlignRectanglesInManyBins) {
  const Tensor rois = Tensor::FromVector<float>(
      {5, 4}, {0, 0, 31, 40, 3.5F, 4.5F, 5, 30, 10, 2, 4, 1, -20, -20, -4, -9, 0, 0, 900, 900});
  for (const std::int64_t ratio : {0, 1, 2, 3, 9}) {
    EXPECT_GT(
        CheckKernels({.op = "RoiAlign",
                      .inputs = {RandomF32({1, 5, 41, 37}, 1), rois, IntList({0, 0, 0, 0, 0})},
                      .attributes = {{"sampling_ratio", ratio},
                                     {"output_height", std::int64_t{7}},
                                     {"output_width", std::int64_t{5}}}}),
        0)
        << ratio;
  }
}

TEST(SampleKernels, PoolRectangles) {
  const Tensor rois = Tensor::FromVector<float>(
      {5, 5},
      {0, 1, 2, 9, 11, 1, -3, -2, 4.5F, 30, 0, 0, 0, 0.5F, 0.5F, 1, 6, 6, 200, 7, 0, 9, 9, 2, 2});
  for (const float scale : {1.0F, 0.6F}) {
    EXPECT_GT(CheckKernels({.op = "MaxRoiPool",
                            .inputs = {RandomF32({2, 19, 12, 14}, 1), rois},
                            .attributes = {{"pooled_shape", std::vector<std::int64_t>{3, 4}},
                                           {"spatial_scale", scale}}}),
              0);
  }
}

TEST(SampleKernels, MakeGrids) {
  for (const std::int64_t align : {0, 1}) {
    EXPECT_GT(CheckKernels({.op = "AffineGrid",
                            .inputs = {RandomF32({2, 2, 3}, 1), IntList({2, 3, 5, 7})},
                            .constant = {false, true},
                            .attributes = {{"align_corners", align}}}),
              0);
    EXPECT_GT(CheckKernels({.op = "AffineGrid",
                            .inputs = {RandomF32({2, 3, 4}, 1), IntList({2, 3, 4, 1, 6})},
                            .constant = {false, true},
                            .attributes = {{"align_corners", align}}}),
              0);
  }
}

TEST(NmsKernels, KeepTheBestThatDoNotOverlap) {
  const Tensor boxes = RandomF32({2, 30, 4}, 1, 0, 10), scores = RandomF32({2, 3, 30}, 2, 0, 1);
  for (const std::int64_t center : {0, 1}) {
    EXPECT_GT(CheckKernels({.op = "NonMaxSuppression",
                            .inputs = {boxes, scores, Tensor::FromVector<std::int64_t>({}, {7}),
                                       Tensor::FromVector<float>({}, {0.3F}),
                                       Tensor::FromVector<float>({}, {0.2F})},
                            .attributes = {{"center_point_box", center}}}),
              0);
  }
}

TEST(WindowKernels, PoolWhatThePlaneKernelsDoNot) {
  const AttrMap deep = {{"kernel_shape", Ints{2, 3, 2}},
                        {"strides", Ints{1, 2, 2}},
                        {"pads", Ints{1, 1, 0, 0, 1, 1}}};
  for (const char* op : {"AveragePool", "MaxPool", "LpPool"})
    EXPECT_GT(
        CheckKernels({.op = op, .inputs = {RandomF32({2, 3, 5, 6, 7}, 1)}, .attributes = deep}), 0)
        << op;
  for (const DType dtype : {DType::kF32, DType::kI8, DType::kU8, DType::kF16}) {
    for (const std::int64_t order : {0, 1}) {
      EXPECT_GT(CheckKernels({.op = "MaxPool",
                              .inputs = {RandomOf(dtype, {2, 3, 7, 9}, 1, -9, 9)},
                              .attributes = {{"kernel_shape", Ints{3, 2}},
                                             {"dilations", Ints{2, 1}},
                                             {"ceil_mode", std::int64_t{1}},
                                             {"strides", Ints{2, 2}},
                                             {"storage_order", order}},
                              .num_outputs = 2}),
                0);
    }
  }
  for (const std::int64_t p : {1, 2, 3}) {
    EXPECT_GT(CheckKernels({.op = "LpPool",
                            .inputs = {RandomF32({2, 3, 9}, 1)},
                            .attributes = {{"kernel_shape", Ints{3}}, {"p", p}}}),
              0);
  }
}

TEST(WindowKernels, PoolWholePlanes) {
  for (const std::int64_t n : {1, 5, 33, 400}) {
    for (const char* op : {"GlobalMaxPool", "GlobalLpPool"})
      EXPECT_GT(CheckKernels({.op = op, .inputs = {RandomF32({2, 3, n}, 1)}}), 0);
  }
}

TEST(WindowKernels, PutMaximaBack) {
  EXPECT_GT(CheckKernels({.op = "MaxUnpool",
                          .inputs = {RandomF32({1, 1, 2, 2}, 1), Tensor::FromVector<std::int64_t>(
                                                                     {1, 1, 2, 2}, {5, 7, 13, 15})},
                          .attributes = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
