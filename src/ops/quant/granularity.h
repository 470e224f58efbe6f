// Which scale and zero point belong to which element: per tensor, per axis, or per block.
#pragma once

#include "ir/op_def.h"

namespace athanor::ops {

// Says whether a scale (input 1) and a zero point (input 2, optional) fit the data (input 0).
// Per tensor: one element. Per axis: a vector as long as the axis. Blocked (block_size > 0): the
// rank of the data, with ceil(length / block_size) entries along the axis.
Status CheckGranularity(const InferCtx& ctx, std::int64_t axis, std::int64_t block_size);

// Maps an element of the data to its scale. Made after CheckGranularity on concrete shapes.
class Granularity {
 public:
  Granularity(const Tensor& data, const Tensor& scale, std::int64_t axis, std::int64_t block_size);
  std::size_t ScaleOf(std::size_t element) const;

 private:
  enum class Kind : std::uint8_t { kTensor, kAxis, kBlock };
  Kind kind_ = Kind::kTensor;
  std::size_t length_ = 1;  // of the axis
  std::size_t inner_ = 1;   // elements between neighbours along the axis
  std::size_t block_ = 1;
  std::size_t blocks_ = 1;  // along the axis
};

}  // namespace athanor::ops
