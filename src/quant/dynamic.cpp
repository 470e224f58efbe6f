#include "quant/dynamic.h"

#include <algorithm>
#include <map>

#include "passes/clean.h"
#include "quant/parameters.h"
#include "quant/quantize.h"

namespace athanor::quant {
namespace {

// [n, k] as [k, n].
Result<Tensor> Turned(const Tensor& rows) {
  const auto n = static_cast<std::size_t>(rows.dim(0)), k = static_cast<std::size_t>(rows.dim(1));
  ATH_TRY(Tensor columns, Tensor::Allocate(DType::kI8, {rows.dim(1), rows.dim(0)}));
  const auto from = rows.Data<std::int8_t>();
  const auto to = columns.MutableData<std::int8_t>();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < k; ++j) to[j * n + i] = from[i * k + j];
  }
  return columns;
}

class Dynamic {
 public:
  Dynamic(const Graph& graph, const WeightForm& form, DynamicReport& report)
      : graph_(graph), form_(form), report_(report), result_(graph.Clone()) {}

  Result<Graph> Run(const Candidates& candidates) {
    for (const Candidate& c : candidates.nodes) {
      if (!c.weights) continue;
      const std::string name = graph_.node(c.node).name;
      Status status = IsMatrix(c) ? MultiplyBytes(c) : StoreBytes(c);
      if (!status.ok()) return std::move(status).In(fmt::format("node \"{}\"", name));
    }
    ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(result_).status());
    result_.ReleaseUnusedConstants();
    return std::move(result_);
  }

  bool IsMatrix(const Candidate& c) const { return WeightsOf(graph_, c).rank() == 2; }

 private:
  // The real numbers that the product's weights stand for. `columns`: as the second factor of a
  // MatMul.
  Result<ValueId> AddWeights(const Candidate& c, bool columns) {
    const Tensor& w = WeightsOf(graph_, c);
    const WeightMatrix matrix(w, c);
    ATH_TRY(IntWeights weights, ScaleWeights(w, matrix, form_, {}));
    RoundWeights(w, matrix, form_.bits, weights);
    std::int64_t axis = c.weight_axis;
    if (columns && axis == 0) {
      ATH_TRY(weights.values, Turned(weights.values));
      axis = 1;
    }
    const std::string name = NameOf(graph_, graph_.node(c.node).inputs[*c.weights]);
    const std::int64_t count = std::ssize(weights.scales);
    std::vector<ValueId> inputs = {
        result_.AddConstant(std::move(weights.values), name + "_quantized"),
        result_.AddConstant(Tensor::FromVector<float>({count}, weights.scales), name + "_scale")};
    if (!weights.zeros.empty())
      inputs.push_back(result_.AddConstant(Tensor::FromVector<std::int8_t>({count}, weights.zeros),
                                           name + "_zero_point"));
    return result_.Add("DequantizeLinear", std::move(inputs), {{"axis", axis}},
                       name + "_dequantize");
  }

  // The value as bytes with a scale of their own; once for all products that read it.
  Result<ValueId> AsBytes(ValueId x) {
    const auto known = bytes_.find(x);
    if (known != bytes_.end()) return known->second;
    const std::string name = NameOf(result_, x);
    ATH_TRY(const NodeId q, result_.AddNode({.op = "DynamicQuantizeLinear",
                                             .inputs = {x},
                                             .attributes = {},
                                             .num_outputs = 3,
                                             .name = name + "_quantize"}));
    const std::vector<ValueId> parts = result_.node(q).outputs;
    ATH_TRY(const ValueId real, result_.Add("DequantizeLinear", {parts[0], parts[1], parts[2]}, {},
                                            name + "_dequantize"));
    bytes_[x] = real;
    return real;
  }

  Status MultiplyBytes(const Candidate& c) {
    const std::string name = graph_.node(c.node).name;
    ATH_TRY(const ValueId w, AddWeights(c, true));
    // What was replaced before is read under its new name.
    ATH_TRY(const ValueId x, AsBytes(result_.node(c.node).inputs[0]));
    ATH_TRY(ValueId y, result_.Add("MatMul", {x, w}, {}, name));
    if (c.bias) {
      const std::string of_sum = name.empty() ? name : name + "_bias";
      ATH_TRY(y, result_.Add("Add", {y, graph_.node(c.node).inputs[*c.bias]}, {}, of_sum));
    }
    const ValueId old = graph_.node(c.node).outputs[0];
    result_.SetName(y, graph_.value(old).name);
    result_.ReplaceUses(old, y);
    result_.EraseNode(c.node);
    report_.products.push_back(NameOf(graph_, c.node));
    return {};
  }

  Status StoreBytes(const Candidate& c) {
    ATH_TRY(const ValueId w, AddWeights(c, false));
    result_.SetInput(c.node, *c.weights, w);
    ++report_.stored;
    return {};
  }

  const Graph& graph_;
  const WeightForm& form_;
  DynamicReport& report_;
  Graph result_;
  std::map<ValueId, ValueId> bytes_;
};

}  // namespace

Result<Graph> QuantizeDynamically(const Graph& graph, const WeightForm& form,
                                  DynamicReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  ATH_RETURN_IF_ERROR(CheckQuantizable(graph, candidates));
  report = {.skipped = candidates.skipped};
  Dynamic dynamic(graph, form, report);
  const bool any = std::ranges::any_of(
      candidates.nodes, [&](const Candidate& c) { return c.weights && dynamic.IsMatrix(c); });
  if (!any)
    return Unsupported(
               "no MatMul or Gemm has constant weights: there is nothing that would multiply bytes "
               "with scales of their own")
        .Fix("--calib SAMPLES without --activations dynamic");
  return dynamic.Run(candidates);
}

}  // namespace athanor::quant
