#include "frontends/nhwc/builder.h"

#include "core/checked.h"
#include "ir/evaluate.h"

namespace athanor::nhwc {
namespace {

bool IsAtMost(const Type& type, std::int64_t max_elements) {
  const auto dims = type.IsTensor() ? type.StaticDims() : std::nullopt;
  const auto count = dims ? CheckedCount(*dims) : std::nullopt;
  return count && *count <= max_elements && type.dtype != DType::kString;
}

}  // namespace

ValueId Builder::Constants(const Ints& values) {
  const Dims dims = {static_cast<std::int64_t>(values.size())};
  return graph.AddConstant(Tensor::FromVector<std::int64_t>(dims, values));
}

ValueId Builder::OneInt(std::int64_t value) { return graph.AddConstant(Tensor::Scalar(value)); }

ValueId Builder::Number(double value, DType dtype) {
  Result<Tensor> tensor = Tensor::Allocate(dtype, {});
  ATH_CHECK(tensor.ok(), "a scalar fits into memory");
  using Types = TypeList<float, double, Half, BFloat16, std::int8_t, std::int16_t, std::int32_t,
                         std::int64_t, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
  const Status status = Dispatch(Types{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    if constexpr (std::is_arithmetic_v<T>) {
      tensor->template MutableData<T>()[0] = static_cast<T>(value);
    } else {
      tensor->template MutableData<T>()[0] = T(static_cast<float>(value));
    }
    return {};
  });
  // Operators that compute on no such type refuse the node that follows, and say so.
  if (!status.ok()) return graph.AddConstant(Tensor::Scalar(static_cast<float>(value)));
  return graph.AddConstant(*std::move(tensor));
}

// The result of a node whose inputs are all constants, as a constant.
Result<ValueId> Builder::Folded(NodeId id, std::int64_t max_elements) {
  const Node& added = graph.node(id);
  const ValueId output = added.outputs[0];
  if (added.inputs.empty() || !added.op->Has(kPure) || !IsAtMost(TypeOf(output), max_elements))
    return output;
  std::vector<Datum> inputs;
  for (const ValueId input : added.inputs) {
    if (input == kNoValue) {
      inputs.emplace_back();
      continue;
    }
    const Tensor* constant = graph.Constant(input);
    if (constant == nullptr || constant->count() > max_elements) return output;
    inputs.emplace_back(*constant);
  }
  // What fails here fails again, with its place, when the model runs.
  Result<std::vector<Datum>> results = EvaluateNode(added, inputs);
  if (!results.ok() || results->size() != 1 || !(*results)[0].IsTensor()) return output;
  Tensor result = (*results)[0].tensor();
  graph.EraseNode(id);
  return graph.AddConstant(std::move(result));
}

Result<ValueId> Builder::Add(std::string_view op, Operands inputs, AttrMap attributes,
                             std::int64_t max_folded) {
  ATH_TRY(const NodeId id, graph.AddNode({.op = op,
                                          .inputs = inputs.ToVector(),
                                          .attributes = std::move(attributes),
                                          .name = node_name_}));
  return Folded(id, max_folded);
}

Result<std::vector<ValueId>> Builder::AddMany(std::string_view op, Operands inputs,
                                              AttrMap attributes, std::size_t count) {
  ATH_TRY(const NodeId id, graph.AddNode({.op = op,
                                          .inputs = inputs.ToVector(),
                                          .attributes = std::move(attributes),
                                          .num_outputs = count,
                                          .name = node_name_}));
  return graph.node(id).outputs;
}

Result<ValueId> Builder::CastTo(ValueId value, DType dtype) {
  if (TypeOf(value).dtype == dtype) return value;
  return Add("Cast", {value}, {{"to", dtype}});
}

Result<ValueId> Builder::Permuted(ValueId value, const Ints& perm) {
  if (perm.empty()) return value;
  return Add("Transpose", {value}, {{"perm", perm}}, kAnySize);
}

}  // namespace athanor::nhwc
