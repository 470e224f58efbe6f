// Sizes in whole pieces.
#pragma once

#include <cstdint>

namespace athanor::kernels {

// a / b rounded up; a >= 0, b > 0, and a + b must fit.
constexpr std::int64_t CeilDivide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Floats of whole cache lines: pieces of scratch memory stay aligned and apart.
constexpr std::int64_t WholeLines(std::int64_t floats) { return CeilDivide(floats, 16) * 16; }

}  // namespace athanor::kernels
