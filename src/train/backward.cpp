#include "train/backward.h"

#include "ir/gradient.h"

namespace athanor::train {
namespace {

std::size_t Index(ValueId id) { return static_cast<std::size_t>(id); }

class Backward {
 public:
  Backward(Graph& graph, std::span<const ValueId> targets)
      : graph_(graph),
        depends_(graph.value_capacity()),
        derivative_(graph.value_capacity(), kNoValue) {
    for (const ValueId target : targets) depends_[Index(target)] = true;
  }

  Status Run(ValueId loss) {
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    for (const NodeId id : order) MarkDependent(graph_.node(id));
    if (!depends_[Index(loss)]) return InvalidModel("the loss does not depend on any weight");
    ATH_TRY(Tensor one, Tensor::Allocate(graph_.value(loss).type.dtype, {}));
    if (one.dtype() == DType::kF32) {
      one.MutableData<float>()[0] = 1;
    } else if (one.dtype() == DType::kF64) {
      one.MutableData<double>()[0] = 1;
    } else {
      return Unsupported("a loss of type {}; f32 and f64 are trained", Name(one.dtype()));
    }
    derivative_[Index(loss)] = graph_.AddConstant(std::move(one));
    for (auto id = order.rbegin(); id != order.rend(); ++id) {
      Status status = Differentiate(*id);
      if (!status.ok()) {
        const Node& node = graph_.node(*id);
        return std::move(status).In(fmt::format("node \"{}\" ({})", node.name, node.op->name));
      }
    }
    return {};
  }

  ValueId Of(ValueId target) const { return derivative_[Index(target)]; }

 private:
  void MarkDependent(const Node& node) {
    bool any = false;
    for (const ValueId input : node.inputs) any |= input != kNoValue && depends_[Index(input)];
    if (!any) return;
    for (const ValueId output : node.outputs) {
      if (output != kNoValue) depends_[Index(output)] = true;
    }
  }

  Status Differentiate(NodeId id) {
    const Node& node = graph_.node(id);
    std::vector<ValueId> d_outputs;
    std::vector<bool> wanted;
    bool reached = false;
    for (const ValueId output : node.outputs) {
      d_outputs.push_back(output == kNoValue ? kNoValue : derivative_[Index(output)]);
      reached |= d_outputs.back() != kNoValue;
    }
    bool any = false;
    for (const ValueId input : node.inputs) {
      wanted.push_back(input != kNoValue && depends_[Index(input)]);
      any |= wanted.back();
    }
    if (!reached || !any) return {};
    if (node.op->gradient == nullptr)
      return Unsupported("{} has no gradient, so what comes before it cannot be trained",
                         node.op->name);
    GradientCtx ctx(graph_, id, std::move(d_outputs), wanted);
    ATH_RETURN_IF_ERROR(node.op->gradient(ctx));
    ATH_RETURN_IF_ERROR(Status(ctx.status()));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i] && ctx.d_inputs()[i] != kNoValue)
        ATH_RETURN_IF_ERROR(Accumulate(ctx.In(i), ctx.d_inputs()[i]));
    }
    return {};
  }

  // A value used in several places gets the sum of what each use contributes.
  Status Accumulate(ValueId value, ValueId derivative) {
    ValueId& sum = derivative_[Index(value)];
    if (sum == kNoValue) {
      sum = derivative;
      return {};
    }
    ATH_TRY(sum, graph_.Add("Add", {sum, derivative}));
    return {};
  }

  Graph& graph_;
  std::vector<bool> depends_;        // on a target, by value
  std::vector<ValueId> derivative_;  // of the loss, by value; of the values there were at the start
};

}  // namespace

Result<std::vector<ValueId>> AddBackward(Graph& graph, ValueId loss,
                                         std::span<const ValueId> targets) {
  Backward backward(graph, targets);
  ATH_RETURN_IF_ERROR(backward.Run(loss));
  std::vector<ValueId> derivatives;
  for (const ValueId target : targets) derivatives.push_back(backward.Of(target));
  return derivatives;
}

}  // namespace athanor::train
