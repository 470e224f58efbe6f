#include "frontends/node_view.h"

#include <numeric>

namespace athanor {

std::string PlaceOf(const Graph& graph, const std::vector<NodeId>& order, std::size_t i) {
  const Node& node = graph.node(order[i]);
  if (!node.name.empty()) return fmt::format("node \"{}\" ({})", node.name, node.op->name);
  return fmt::format("node {} of {} ({})", i + 1, order.size(), node.op->name);
}

Result<Tensor> NodeView::Weight(std::size_t i, std::string_view what) const {
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr) return Unsupported("the {} must be a constant", what);
  if (tensor->dtype() != DType::kF32)
    return Error(ErrorCode::kUnsupportedType, "the {} is {}; f32 is written", what,
                 Name(tensor->dtype()));
  return *tensor;
}

Result<std::vector<std::int64_t>> NodeView::ConstantInts(std::size_t i,
                                                         std::string_view what) const {
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr) return Unsupported("the {} must be a constant", what);
  return ToInts(*tensor);
}

Result<float> NodeView::ConstantFloat(std::size_t i, float otherwise) const {
  if (!Has(i)) return otherwise;
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr || tensor->count() != 1)
    return Unsupported("input {} must be a constant of one number", i);
  ATH_TRY(const std::vector<double> values, ToDoubles(*tensor));
  return static_cast<float>(values[0]);
}

Result<NodeView::Ranges> NodeView::SliceRanges() const {
  Ranges ranges;
  ATH_TRY(ranges.starts, ConstantInts(1, "starts"));
  ATH_TRY(ranges.ends, ConstantInts(2, "ends"));
  const std::vector<std::int64_t> ones(ranges.starts.size(), 1);
  std::vector<std::int64_t> steps = ones;
  if (Has(3)) {
    ATH_TRY(ranges.axes, ConstantInts(3, "axes"));
  } else {
    ranges.axes.resize(ranges.starts.size());
    std::iota(ranges.axes.begin(), ranges.axes.end(), 0);
  }
  if (Has(4)) {
    ATH_TRY(steps, ConstantInts(4, "steps"));
  }
  if (ranges.ends.size() != ranges.starts.size() || ranges.axes.size() != ranges.starts.size() ||
      steps != ones)
    return Unsupported("a slice with steps of 1 is written");
  return ranges;
}

}  // namespace athanor
