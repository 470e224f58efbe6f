#include <gtest/gtest.h>

#include "core/cpu.h"
#include "kernels/check_kernels.h"
#include "kernels/norm/rows_table.h"

namespace athanor::kernels {
namespace {

TEST(RowKernels, AgreeWithTheReferenceAtEverySize) {
  for (const std::int64_t n : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 100}) {
    const Tensor x = RandomF32({3, n}, 1, -5, 5);
    const Tensor scale = RandomF32({n}, 2), bias = RandomF32({n}, 3);
    EXPECT_GT(CheckKernels({.op = "Softmax", .inputs = {x}}), 0);
    EXPECT_GT(CheckKernels({.op = "LayerNormalization", .inputs = {x, scale, bias}}), 0);
    EXPECT_GT(CheckKernels({.op = "LayerNormalization", .inputs = {x, scale}}), 0);
    EXPECT_GT(CheckKernels({.op = "RMSNormalization", .inputs = {x, scale}}), 0);
  }
}

TEST(RowKernels, SoftenManyShortRowsAtOnce) {
  for (const std::int64_t n : {2, 3, 4, 5}) {
    for (const std::int64_t rows : {1, 8, 16, 17, 50, 2100})
      EXPECT_GT(CheckKernels({.op = "Softmax", .inputs = {RandomF32({rows, n}, 1, -90, 90)}}), 0);
  }
}

// Rows beyond the last whole vector of them went through another formula.
TEST(RowKernels, SoftenARowTheSameWhereverItStands) {
  const RowTable* const tables[] = {&base::kRows, &avx2::kRows, &avx512::kRows};
  constexpr std::size_t kRows = 37;  // of 4, 8 or 16 together: some are left over
  for (const Isa isa : AvailableIsas()) {
    const RowTable& table = *tables[static_cast<std::size_t>(isa)];
    for (const std::size_t n : {2U, 3U, 4U}) {
      const Tensor x = RandomF32({static_cast<std::int64_t>(kRows * n)}, 1, -9, 9);
      std::vector<float> together(kRows * n), alone(kRows * n);
      table.softmax_short(x.Data<float>().data(), together.data(), kRows, n);
      for (std::size_t row = 0; row < kRows; ++row)
        table.softmax_short(x.Data<float>().data() + row * n, alone.data() + row * n, 1, n);
      EXPECT_EQ(together, alone) << Name(isa) << ", rows of " << n;
    }
  }
}

TEST(RowKernels, NormaliseSeveralAxesTogether) {
  EXPECT_GT(CheckKernels({.op = "LayerNormalization",
                          .inputs = {RandomF32({2, 3, 5}, 1), RandomF32({3, 5}, 2)},
                          .attributes = {{"axis", std::int64_t{1}}}}),
            0);
}

}  // namespace
}  // namespace athanor::kernels
