// A node on quantised tensors that no kernel takes runs in float: its pairs come back.
#include "ir/quantized.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

class Raiser {
 public:
  Raiser(Graph& graph, NodeId id, const QuantSpec& spec) : graph_(graph), id_(id), spec_(spec) {}

  Status Run() {
    const Node& node = graph_.node(id_);
    std::vector<ValueId> inputs = node.inputs;
    const std::vector<ValueId> outputs = node.outputs;
    const std::string op = node.op->name, name = node.name;
    const AttrMap attributes = WithoutQuantSpec(node.attributes);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == kNoValue || !spec_.inputs[i].quantized()) continue;
      ATH_TRY(inputs[i], Real(inputs[i], spec_.inputs[i], name));
    }
    ATH_TRY(ValueId real, graph_.Add(op, inputs, attributes, name));
    const QuantPort& port = spec_.outputs[0];
    if (!port.quantized()) {  // a function of real numbers follows
      graph_.ReplaceUses(outputs[0], real);
      graph_.EraseNode(id_);
      return {};
    }
    if (spec_.clamp) {
      ATH_TRY(real, graph_.Add("Clip", {real, Limit(spec_.clamp->low), Limit(spec_.clamp->high)},
                               {}, name));
    }
    ATH_TRY(const Scale scale, ScaleOf(port));
    ATH_TRY(const ValueId integers, graph_.Add("QuantizeLinear", {real, scale.scale, scale.zero},
                                               {{"axis", port.axis}}, name));
    graph_.ReplaceUses(outputs[0], integers);
    graph_.SetName(integers, graph_.value(outputs[0]).name);
    graph_.EraseNode(id_);
    return {};
  }

 private:
  struct Scale {
    ValueId scale = kNoValue, zero = kNoValue;
  };

  Result<Scale> ScaleOf(const QuantPort& port) {
    const auto count = static_cast<std::int64_t>(port.scales.size());
    const Dims dims = port.per_tensor() ? Dims{} : Dims{count};
    ATH_TRY(Tensor zeros, Tensor::Allocate(port.dtype, dims));
    ATH_RETURN_IF_ERROR(Dispatch(IntegerTypes{}, port.dtype, [&](auto tag) -> Status {
      using T = typename decltype(tag)::Type;
      const std::span<T> out = zeros.MutableData<T>();
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(port.zeros[i]);
      return {};
    }));
    return Scale{graph_.AddConstant(Tensor::FromVector<float>(dims, port.scales)),
                 graph_.AddConstant(std::move(zeros))};
  }

  Result<ValueId> Real(ValueId id, const QuantPort& port, const std::string& name) {
    if (const Tensor* constant = graph_.Constant(id)) {
      ATH_TRY(Tensor real, Dequantize(*constant, port));
      return graph_.AddConstant(std::move(real));
    }
    ATH_TRY(const Scale scale, ScaleOf(port));
    return graph_.Add("DequantizeLinear", {id, scale.scale, scale.zero}, {{"axis", port.axis}},
                      name);
  }

  ValueId Limit(std::int64_t integer) {
    const QuantPort& port = spec_.outputs[0];
    const auto steps = static_cast<float>(integer - port.zeros[0]);
    return graph_.AddConstant(Tensor::Scalar(steps * port.scales[0]));
  }

  Graph& graph_;
  NodeId id_;
  const QuantSpec& spec_;
};

}  // namespace

Result<bool> RunInFloat(Graph& graph, const std::vector<Group>& groups, Isa isa) {
  bool changed = false;
  for (const Group& group : groups) {
    if (group.quant == nullptr || group.quant->fixed31() || group.kernel() != nullptr) continue;
    if (InBlocks(group, false, isa).fits() || InBlocks(group, true, isa).fits()) continue;
    // Without a shape there is no kernel in float either.
    if (group.candidates.empty() || group.quant->outputs.size() != 1) continue;
    ATH_RETURN_IF_ERROR(Raiser(graph, group.nodes.front(), *group.quant).Run());
    changed = true;
  }
  return changed;
}

}  // namespace athanor::plan
