#include "frontends/tabular/outputs.h"

#include "frontends/tabular/columns.h"

namespace athanor::tabular {
namespace {

Result<ValueId> Scaled(Graph& graph, ValueId scores, double slope) {
  if (slope == 1) return scores;
  const DType dtype = graph.value(scores).type.dtype;
  return graph.Add("Mul", {scores, graph.AddConstant(NumberScalar(dtype, slope))});
}

Result<ValueId> Number(Graph& graph, ValueId scores, Link link, double slope) {
  const DType dtype = graph.value(scores).type.dtype;
  switch (link) {
    case Link::kExp:
      return graph.Add("Exp", {scores});
    case Link::kLogistic: {
      ATH_TRY(const ValueId scaled, Scaled(graph, scores, slope));
      return graph.Add("Sigmoid", {scaled});
    }
    case Link::kSquare: {
      ATH_TRY(const ValueId size, graph.Add("Abs", {scores}));
      return graph.Add("Mul", {scores, size});
    }
    case Link::kLog1pExp: {
      ATH_TRY(const ValueId power, graph.Add("Exp", {scores}));
      ATH_TRY(const ValueId sum,
              graph.Add("Add", {power, graph.AddConstant(NumberScalar(dtype, 1))}));
      return graph.Add("Log", {sum});
    }
    default:
      return scores;
  }
}

// The probability of the second of two classes, [rows, targets].
Result<ValueId> Second(Graph& graph, ValueId scores, Link link, double slope) {
  const DType dtype = graph.value(scores).type.dtype;
  if (link != Link::kHinge) {
    ATH_TRY(const ValueId scaled, Scaled(graph, scores, slope));
    return graph.Add("Sigmoid", {scaled});
  }
  ATH_TRY(const ValueId positive,
          graph.Add("Greater", {scores, graph.AddConstant(NumberScalar(dtype, 0))}));
  return graph.Add("Cast", {positive}, {{"to", dtype}});
}

Status AddTwoClasses(Graph& graph, ValueId scores, Link link, double slope) {
  const DType dtype = graph.value(scores).type.dtype;
  ATH_TRY(const ValueId second, Second(graph, scores, link, slope));
  ATH_TRY(const ValueId likely,
          graph.Add("Greater", {second, graph.AddConstant(NumberScalar(dtype, 0.5))}));
  ATH_TRY(const ValueId label, graph.Add("Cast", {likely}, {{"to", DType::kI64}}));
  graph.AddOutput("label", label);
  const Type& type = graph.value(scores).type;
  const bool one_target = type.HasRank() && type.dim(1) == Dim(1);
  if (!one_target) {
    graph.AddOutput("probability", second);
    return {};
  }
  ATH_TRY(const ValueId first,
          graph.Add("Sub", {graph.AddConstant(NumberScalar(dtype, 1)), second}));
  ATH_TRY(const ValueId both, SideBySide(graph, {first, second}));
  graph.AddOutput("probability", both);
  return {};
}

Status AddClasses(Graph& graph, ValueId scores, Link link, double slope) {
  ValueId probability = scores;
  if (link == Link::kOneVersusAll) {
    ATH_TRY(const ValueId scaled, Scaled(graph, scores, slope));
    ATH_TRY(probability, graph.Add("Sigmoid", {scaled}));
  } else {
    ATH_TRY(probability, graph.Add("Softmax", {scores}, {{"axis", std::int64_t{1}}}));
  }
  // The scores decide: probabilities of far apart scores may both round to 1.
  ATH_TRY(
      const ValueId label,
      graph.Add("ArgMax", {scores}, {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}}));
  graph.AddOutput("label", label);
  graph.AddOutput("probability", probability);
  return {};
}

}  // namespace

Status AddOutputs(Graph& graph, ValueId scores, Link link, double slope) {
  switch (link) {
    case Link::kBinaryLogistic:
    case Link::kHinge:
      return AddTwoClasses(graph, scores, link, slope);
    case Link::kSoftmax:
    case Link::kSoftmaxLabel:
    case Link::kOneVersusAll:
      return AddClasses(graph, scores, link, slope);
    default:
      break;
  }
  ATH_TRY(const ValueId prediction, Number(graph, scores, link, slope));
  graph.AddOutput("prediction", prediction);
  return {};
}

}  // namespace athanor::tabular
