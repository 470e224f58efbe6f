// Copies of weights that their file does not align, so that they could not stay where they lie.
#pragma once

#include <cstdint>
#include <span>

#include "core/tensor.h"

namespace athanor {

// Small ones and the first of the large ones are copied into memory. The others of one model go
// into temporary files without a name, which are mapped: a network of gigabytes takes no more
// memory of its own than one whose weights are aligned, as the system can write these pages out.
// Where no temporary file can be made, memory is taken after all.
class AlignedCopies {
 public:
  Result<Tensor> Copy(DType dtype, Dims dims, std::span<const std::uint8_t> bytes);

 private:
  std::size_t in_memory_left_ = std::size_t{32} << 20;
};

}  // namespace athanor
