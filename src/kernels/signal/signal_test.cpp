#include <gtest/gtest.h>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

Tensor Int(std::int64_t value) { return Tensor::FromVector<std::int64_t>({}, {value}); }

// Powers of two and other lengths, cut and filled up.
TEST(FourierKernels, TransformEveryLength) {
  for (const std::int64_t length : {1, 2, 3, 8, 15, 16, 31, 100, 128}) {
    for (const std::int64_t parts : {1, 2}) {
      for (const std::int64_t inverse : {0, 1}) {
        const AttrMap attributes = {{"inverse", inverse}};
        EXPECT_GT(CheckKernels({.op = "DFT",
                                .inputs = {RandomF32({3, length, parts}, 1)},
                                .attributes = attributes}),
                  0)
            << length;
        EXPECT_GT(CheckKernels({.op = "DFT",
                                .inputs = {RandomF32({2, 20, 3, parts}, 1), Int(length), Int(1)},
                                .constant = {false, true, true},
                                .attributes = attributes}),
                  0)
            << length;
      }
    }
  }
}

TEST(FourierKernels, TransformOneSide) {
  const AttrMap forwards = {{"onesided", std::int64_t{1}}};
  const AttrMap back = {{"onesided", std::int64_t{1}}, {"inverse", std::int64_t{1}}};
  for (const std::int64_t length : {8, 9, 30}) {
    EXPECT_GT(CheckKernels(
                  {.op = "DFT", .inputs = {RandomF32({2, length, 1}, 1)}, .attributes = forwards}),
              0);
    EXPECT_GT(CheckKernels({.op = "DFT",
                            .inputs = {RandomF32({2, length / 2 + 1, 2}, 1), Int(length)},
                            .constant = {false, true},
                            .attributes = back}),
              0);
  }
}

TEST(FourierKernels, TransformFrames) {
  for (const std::int64_t length : {16, 24}) {
    for (const std::int64_t onesided : {0, 1}) {
      EXPECT_GT(
          CheckKernels({.op = "STFT",
                        .inputs = {RandomF32({2, 100, 1}, 1), Int(7), RandomF32({length}, 2, 0, 1)},
                        .constant = {false, true},
                        .attributes = {{"onesided", onesided}}}),
          0);
    }
    EXPECT_GT(CheckKernels({.op = "STFT",
                            .inputs = {RandomF32({1, 100, 2}, 1), Int(10), Tensor(), Int(length)},
                            .constant = {false, true, false, true},
                            .attributes = {{"onesided", std::int64_t{0}}}}),
              0);
  }
}

TEST(WindowKernels, SumCosines) {
  for (const char* op : {"BlackmanWindow", "HammingWindow", "HannWindow"}) {
    for (const std::int64_t size : {1, 2, 9, 2000}) {
      for (const std::int64_t periodic : {0, 1}) {
        for (const DType dtype : {DType::kF32, DType::kF16, DType::kF64}) {
          EXPECT_GT(
              CheckKernels({.op = op,
                            .inputs = {Int(size)},
                            .constant = {true},
                            .attributes = {{"periodic", periodic}, {"output_datatype", dtype}}}),
              0)
              << op << size;
        }
      }
    }
  }
}

TEST(WindowKernels, MakeFilters) {
  for (const std::int64_t bins : {2, 8, 40}) {
    for (const std::int64_t length : {64, 512}) {
      EXPECT_GT(CheckKernels({.op = "MelWeightMatrix",
                              .inputs = {Int(bins), Int(length), Int(16000),
                                         Tensor::FromVector<float>({}, {20.0F}),
                                         Tensor::FromVector<float>({}, {7600.0F})},
                              .constant = {true, true, false, false, false}}),
                0)
          << bins << length;
    }
  }
}

}  // namespace
}  // namespace athanor::kernels
