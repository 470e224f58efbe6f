// Products of so few rows that they take as long as b takes to arrive from the caches: nothing is
// packed but b, and b is read once, in the order in which it lies.
#pragma once

#include "kernels/gemm/gemm.h"

namespace athanor::kernels {

inline bool IsFewRows(const GemmShape& shape) {
  return shape.m <= static_cast<std::int64_t>(GemmTable::kMostFewRows);
}

// Panels are taken in groups.
std::int64_t FewRowsGroups(const GemmShape& shape);

// From the first group to the last, or back. Who multiplies by the same b again and again takes
// turns: what was read last is still in a cache that the whole of b does not fit into.
enum class Order : std::uint8_t { kForward, kBackward };

// Of a shape with IsFewRows: c = a b on a range of groups. Rows of `a` lie lda floats apart; `b` is
// wholly packed (PackPanels).
void MultiplyFewRows(const GemmShape& shape, const float* a, std::int64_t lda, const float* b,
                     std::int64_t group_begin, std::int64_t group_end, float* c, std::int64_t ldc,
                     const GemmEnd& end, Order order = Order::kForward);

}  // namespace athanor::kernels
