// Sizes in whole pieces.
#pragma once

#include <cstdint>

namespace athanor::kernels {

// a / b rounded up; a >= 0, b > 0, and a + b must fit.
constexpr std::int64_t CeilDivide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace athanor::kernels
