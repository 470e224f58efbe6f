// Numpy broadcasting, for inference and for reference loops.
#pragma once

#include <span>

#include "ir/op_def.h"

namespace athanor::ops {

// The shape that a and b broadcast to. Fails when they cannot.
Result<Shape> BroadcastShapes(const Shape& a, const Shape& b);
// Output type: `dtype` with the broadcast shape of inputs [first, last).
Result<Type> BroadcastInputs(const InferCtx& ctx, DType dtype, std::size_t first, std::size_t last);

// Walks an output shape and gives, for each element, the offsets into inputs that broadcast to it.
// Offsets count elements. Usage: for (BroadcastWalk walk(out_dims, {&a, &b}); !walk.done();
// walk.Next()).
class BroadcastWalk {
 public:
  BroadcastWalk(const Dims& out, std::span<const Dims* const> inputs);
  bool done() const { return left_ == 0; }
  void Next();
  std::int64_t offset(std::size_t input) const { return offsets_[input]; }

 private:
  Dims out_;
  Dims index_;
  std::vector<Dims> strides_;  // per input, aligned with out_; 0 where it broadcasts
  std::vector<std::int64_t> offsets_;
  std::int64_t left_ = 0;
};

// The same walk in whole runs: neighbouring axes along which every input advances (or broadcasts)
// alike are joined, so that equal shapes, or a tensor and a scalar, are one run. Within a run,
// element i of the output belongs to element offset(k) + i * step(k) of input k; step is 0 or 1.
// Runs follow each other in the output.
class BroadcastRuns {
 public:
  BroadcastRuns(const Dims& out, std::span<const Dims* const> inputs);
  bool done() const { return left_ == 0; }
  void Next();
  std::int64_t length() const { return length_; }
  std::int64_t offset(std::size_t input) const { return offsets_[input]; }
  std::int64_t step(std::size_t input) const { return steps_[input]; }

 private:
  Dims out_;  // the joined axes outside a run
  Dims index_;
  std::vector<Dims> strides_;  // per axis of out_, one per input
  Dims offsets_;
  Dims steps_;
  std::int64_t length_ = 1;
  std::int64_t left_ = 0;  // runs
};

// Row-major strides in elements.
Dims Strides(std::span<const std::int64_t> dims);

// axis in [-rank, rank) -> [0, rank); fails outside.
Result<std::int64_t> NormalizeAxis(std::int64_t axis, std::int64_t rank);

}  // namespace athanor::ops
