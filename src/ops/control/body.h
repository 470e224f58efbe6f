// What operators with sub-graphs share.
#pragma once

#include "ir/graph.h"
#include "ir/op_def.h"

namespace athanor::ops {

// No loop runs longer than this without coming to its own end: a file must not be able to hang us.
inline constexpr std::int64_t kMaxIterations = std::int64_t{1} << 24;

// "sub-graph \"body\" has 3 inputs; 4 are expected" unless the counts are right.
Status ExpectBody(const Graph& body, std::size_t inputs, std::size_t outputs);

// The type of output i of a body.
const Type& OutputType(const Graph& body, std::size_t i);

// What is certain when a value may be either; an error that names both when nothing is.
Result<Type> Either(const Type& a, const Type& b);

// The one element of a bool tensor.
Result<bool> ReadCondition(const Datum& datum);

// The type without what may change from one iteration to the next.
Type WithoutShape(Type type);

// The values that a loop gives one per iteration, put together along a new axis at the end.
class Stack {
 public:
  // The axis counts in the result.
  explicit Stack(std::int64_t axis, bool reversed = false) : axis_(axis), reversed_(reversed) {}
  // Fails when the value is not a tensor like those before, or when all together grow too large.
  Status Push(const Datum& datum);
  bool empty() const { return parts_.empty(); }
  // Only when not empty.
  Result<Tensor> Join() const;

 private:
  std::int64_t axis_;
  bool reversed_;
  std::vector<Tensor> parts_;
};

// The type of stacked values: a new axis of size `count`. With no iterations, sizes that are not
// known are taken as 0, so that the (empty) result has a shape.
Result<Type> StackedType(const Type& element, std::int64_t axis, const Dim& count);

}  // namespace athanor::ops
