// More of what rows say about values while they add nodes: ranks, sizes that must be known, numbers
// of any element type. For formats whose tensors have no layout of their own.
#pragma once

#include <optional>

#include "frontends/layer_steps.h"

namespace athanor {

// Sizes and positions of files are kept within this, so that rows can compute with them.
inline constexpr std::int64_t kLargestSize = std::int64_t{1} << 40;

class ValueSteps : public LayerSteps {
 public:
  using LayerSteps::LayerSteps;

  bool ok() const { return problem_.ok(); }
  // Fails unless the condition holds.
  template <class... Args>
  bool Expect(bool condition, fmt::format_string<Args...> format, Args&&... args) {
    if (!condition) Fail(Unsupported(format, std::forward<Args>(args)...));
    return condition && problem_.ok();
  }

  const Type& TypeOf(ValueId x) const;
  DType DTypeOf(ValueId x) const { return TypeOf(x).dtype; }
  std::int64_t Rank(ValueId x);                       // fails when it is not known
  std::int64_t Static(ValueId x, std::int64_t axis);  // fails when it is not known
  std::optional<std::int64_t> SizeIfKnown(ValueId x, std::int64_t axis) const;
  std::int64_t Axis(std::int64_t axis, std::int64_t rank);  // from the front
  static std::vector<std::int64_t> AllAxes(std::int64_t rank);

  ValueId Number(double value, DType dtype);  // a scalar
  ValueId Cast(ValueId x, DType dtype);
  ValueId Squeeze(ValueId x, const std::vector<std::int64_t>& axes) {
    return Op("Squeeze", {x, Ints(axes)});
  }
  ValueId Unsqueeze(ValueId x, const std::vector<std::int64_t>& axes) {
    return Op("Unsqueeze", {x, Ints(axes)});
  }
  ValueId Reduce(std::string_view op, ValueId x, const std::vector<std::int64_t>& axes, bool keep) {
    return Op(op, {x, Ints(axes)}, {{"keepdims", std::int64_t{keep}}});
  }
  ValueId SizeOf(ValueId x, std::int64_t axis) {  // i64[1]
    return Op("Shape", {x}, {{"start", axis}, {"end", axis + 1}});
  }
  // [begin, end) with a step along one axis.
  ValueId Steps(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end,
                std::int64_t step) {
    return Op("Slice", {x, Ints({begin}), Ints({end}), Ints({axis}), Ints({step})});
  }
};

}  // namespace athanor
