// The larger and the smaller of two dimensions, where that can be proved.
#pragma once

#include "ir/dim.h"

namespace athanor::ops {

inline Dim FoldMax(const Dim& a, const Dim& b) {
  if (ProvablyNonNegative(a - b)) return a;
  return ProvablyNonNegative(b - a) ? b : Dim::Unknown();
}

inline Dim FoldMin(const Dim& a, const Dim& b) {
  if (ProvablyNonNegative(a - b)) return b;
  return ProvablyNonNegative(b - a) ? a : Dim::Unknown();
}

}  // namespace athanor::ops
