// What fits into this machine's memory. Asked before anything is laid out or allocated.
#pragma once

#include <cstdint>
#include <span>

#include "core/dtype.h"
#include "core/status.h"

namespace athanor {

// Bytes of memory that the machine has; what is free changes, this does not.
std::int64_t PhysicalMemory();

// The bytes of a tensor. An error when the shape is none or the machine could never hold it.
Result<std::int64_t> TensorBytes(DType dtype, std::span<const std::int64_t> dims);

}  // namespace athanor
