// Epilogues made ready: the steps of a KernelQuery as functions to call on rows of a result that is
// still in cache.
//
// The commonest begin (add a residual, then clamp) is taken out, so that matrix kernels can do it
// on the registers.
#pragma once

#include "kernels/elementwise/binary_table.h"
#include "kernels/elementwise/unary_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels {

struct EpilogueProgram {
  struct Step {
    UnaryF32 unary = nullptr;
    float params[2] = {0, 0};
    BinaryF32 binary = nullptr;
    EpilogueStep::Spread spread = EpilogueStep::Spread::kSame;
    std::size_t operand = 0;  // index into KernelArgs::in
  };
  // First: one number per column that is added; 0 for none (input 0 is never it).
  std::size_t column_bias = 0;
  // Then: a tensor as large as the result that is added; 0 for none.
  std::size_t residual = 0;
  bool clamp = false;  // then
  float low = 0;
  float high = 0;
  std::vector<Step> steps = {};  // then

  // `column_bias`: whether the kernel has a place for one.
  static EpilogueProgram From(const KernelQuery& query, bool column_bias = false);
  // Everything in `steps`, for kernels that finish no registers.
  static EpilogueProgram InOrder(const KernelQuery& query);

  // Applies `steps` to one row of n elements. `offset`: of the row from the begin of the output;
  // `channel`, `column`: what the row belongs to and where in the last dimension it begins.
  void Apply(const KernelArgs& args, float* row, std::int64_t n, std::int64_t offset,
             std::int64_t channel, std::int64_t column) const;
  // The same from `x` to `y`, which may be one, of `positions` times `lanes` elements of a block of
  // channels (layout.h). `channel`: the first of the block; `channels`: how many the result has.
  void ApplyBlock(const KernelArgs& args, const float* x, float* y, std::int64_t positions,
                  std::int64_t lanes, std::int64_t offset, std::int64_t channel,
                  std::int64_t channels) const;
};

// Elements of an element-wise result that a kernel finishes before it goes on.
constexpr std::int64_t kEpiloguePiece = 2048;

// The rough cost of one element.
double EpilogueFlops(const EpilogueStep& step);

// Which spreads a kernel accepts; the reason when the query has another one.
Fit AcceptsEpilogue(const KernelQuery& query, bool per_channel, bool per_last);

}  // namespace athanor::kernels
