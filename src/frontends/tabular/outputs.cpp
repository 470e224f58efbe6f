#include "frontends/tabular/outputs.h"

#include <algorithm>
#include <numeric>

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

Result<ValueId> Named(Graph& graph, ValueId label, const OutputForm& form) {
  if (!form.labels) return label;
  const std::int64_t count = form.labels->count();
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  const bool integers = form.labels->dtype() == DType::kI64;
  if (integers && std::ranges::equal(form.labels->Data<std::int64_t>(), numbers)) return label;
  Tensor other = integers ? Tensor::FromVector<std::int64_t>({1}, {0})
                          : Tensor::FromVector<std::string>({1}, {""});
  return graph.Add("LabelEncoder", {label},
                   {{"keys_tensor", Tensor::FromVector({count}, numbers)},
                    {"values_tensor", *form.labels},
                    {"default_tensor", std::move(other)}});
}

Status AddTwoClasses(Graph& graph, ValueId scores, const OutputForm& form) {
  const DType dtype = graph.value(scores).type.dtype;
  ATH_TRY(const ValueId second, Second(graph, scores, form.link, form.slope));
  const ValueId border = graph.AddConstant(NumberScalar(dtype, form.score_border.value_or(0.5)));
  ATH_TRY(const ValueId likely,
          graph.Add("Greater", {form.score_border ? scores : second, border}));
  ATH_TRY(const ValueId number, graph.Add("Cast", {likely}, {{"to", DType::kI64}}));
  ATH_TRY(const ValueId label, Named(graph, number, form));
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

Status AddClasses(Graph& graph, ValueId scores, const OutputForm& form) {
  ValueId probability = scores;
  if (form.link == Link::kOneVersusAll) {
    ATH_TRY(const ValueId scaled, Scaled(graph, scores, form.slope));
    ATH_TRY(probability, graph.Add("Sigmoid", {scaled}));
  } else {
    ATH_TRY(probability, graph.Add("Softmax", {scores}, {{"axis", std::int64_t{1}}}));
  }
  // The scores decide: probabilities of far apart scores may both round to 1.
  ATH_TRY(
      const ValueId number,
      graph.Add("ArgMax", {scores}, {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}}));
  ATH_TRY(const ValueId label, Named(graph, number, form));
  graph.AddOutput("label", label);
  graph.AddOutput("probability", probability);
  return {};
}

}  // namespace

Status AddOutputs(Graph& graph, ValueId scores, const OutputForm& form) {
  switch (form.link) {
    case Link::kBinaryLogistic:
    case Link::kHinge:
      return AddTwoClasses(graph, scores, form);
    case Link::kSoftmax:
    case Link::kSoftmaxLabel:
    case Link::kOneVersusAll:
      return AddClasses(graph, scores, form);
    default:
      break;
  }
  ATH_TRY(const ValueId prediction, Number(graph, scores, form.link, form.slope));
  graph.AddOutput("prediction", prediction);
  return {};
}

}  // namespace athanor::tabular
