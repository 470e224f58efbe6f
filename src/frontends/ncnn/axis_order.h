// How Permute numbers the orders of a blob's axes.
#pragma once

#include <cstdint>
#include <vector>

#include "core/status.h"

namespace athanor::ncnn {

// Axis i of the result is axis order[i] of the blob, counted from the outermost.
Result<std::vector<std::int64_t>> AxisOrder(std::int64_t rank, std::int64_t type);
// The number that gives this order.
Result<std::int64_t> OrderType(const std::vector<std::int64_t>& order);

}  // namespace athanor::ncnn
