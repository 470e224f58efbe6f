#include "verify/parity.h"

#include <algorithm>

#include "core/text.h"
#include "verify/quantised.h"
#include "verify/same_objects.h"

namespace athanor {
namespace {

std::vector<std::string> InputNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  return names;
}

Dims SortedSizes(const Datum& datum) {
  Dims sizes;
  if (!datum.IsTensor()) return sizes;
  std::copy_if(datum.tensor().dims().begin(), datum.tensor().dims().end(),
               std::back_inserter(sizes), [](std::int64_t size) { return size != 1; });
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

std::vector<NamedDatum> Named(const Graph& graph, const std::vector<Datum>& data) {
  std::vector<NamedDatum> named;
  for (std::size_t i = 0; i < data.size(); ++i) named.push_back({graph.outputs()[i].name, data[i]});
  return named;
}

constexpr std::size_t kUnmatched = SIZE_MAX;

// Gives each entry on the left that has none the first unused one on the right that fits.
template <class F>
void FillMatch(std::vector<std::size_t>& match, std::vector<bool>& used, const F& fits) {
  for (std::size_t i = 0; i < match.size(); ++i) {
    for (std::size_t k = 0; k < used.size() && match[i] == kUnmatched; ++k) {
      if (used[k] || !fits(i, k)) continue;
      match[i] = k;
      used[k] = true;
    }
  }
}

bool IsIntegerOf(const Graph& graph, ValueId id) {
  const Type& type = graph.value(id).type;
  return type.IsTensor() && IsInteger(type.dtype);
}

// `datum`, an input `from` of `of`, in the element type that `input` of `graph` takes.
Result<Datum> InScaleOf(const Graph& graph, ValueId input, const Graph& of, ValueId from,
                        Datum datum, std::vector<ScaleChange>& changes) {
  const Value& wanted = graph.value(input);
  if (!datum.IsTensor() || !wanted.type.IsTensor()) return datum;
  const DType given = datum.tensor().dtype();
  if (given == wanted.type.dtype) return datum;
  Tensor tensor = datum.tensor();
  if (IsIntegerOf(of, from)) {
    if (const std::optional<IntegerScale> scale = ScaleOfInput(of, from)) {
      ATH_TRY(tensor, ToReal(tensor, *scale));
      changes.push_back({wanted.name, ToText(*scale, given)});
    }
  }
  if (tensor.dtype() == DType::kF32 && IsInteger(wanted.type.dtype)) {
    if (const std::optional<IntegerScale> scale = ScaleOfInput(graph, input)) {
      ATH_TRY(tensor, ToIntegers(tensor, wanted.type.dtype, *scale));
      changes.push_back({wanted.name, ToText(*scale, wanted.type.dtype)});
    }
  }
  if (tensor.dtype() == wanted.type.dtype) return Datum(std::move(tensor));
  return Error(
             ErrorCode::kInvalidInput,
             "input {} of the second model takes {}, that of the first {}, and no scale says what "
             "the one is in the other",
             Quote(wanted.name), Name(wanted.type.dtype), Name(given))
      .Fix("compare models whose inputs have the same element type");
}

// The real numbers of an output that stands beside one of another element type.
Status MakeReal(const Graph& graph, std::size_t output, DType other, Datum& answer,
                std::vector<ScaleChange>& changes) {
  if (!answer.IsTensor() || !IsInteger(answer.tensor().dtype())) return {};
  if (answer.tensor().dtype() == other) return {};
  const GraphOutput& made = graph.outputs()[output];
  const std::optional<IntegerScale> scale = ScaleOfOutput(graph, made.value);
  if (!scale) return {};
  changes.push_back({made.name, ToText(*scale, answer.tensor().dtype())});
  ATH_TRY(Tensor real, ToReal(answer.tensor(), *scale));
  answer = Datum(std::move(real));
  return {};
}

// Object by object, where the same ones stand in another order.
void CompareObjects(Parity& parity, const Tolerance& tolerance) {
  std::optional<SameObjects> same = MatchObjects(parity.actual, parity.expected, tolerance);
  if (!same) return;
  parity.actual = std::move(same->actual);
  parity.exchanged = same->exchanged;
  parity.pass = true;
  parity.reason.clear();
  for (std::size_t i = 0; i < parity.outputs.size(); ++i)
    parity.outputs[i].difference = Compare(parity.actual[i], parity.expected[i], tolerance);
}

DType ElementType(const Datum& datum) {
  return datum.IsTensor() ? datum.tensor().dtype() : DType::kString;
}

}  // namespace

Result<std::vector<std::size_t>> MatchByName(const std::vector<std::string>& left,
                                             const std::vector<std::string>& right,
                                             std::string_view what) {
  if (left.size() != right.size()) {
    return Error(ErrorCode::kInvalidInput, "one model has {} {}s, the other {}", left.size(), what,
                 right.size());
  }
  std::vector<std::size_t> match(left.size(), kUnmatched);
  std::vector<bool> used(right.size(), false);
  FillMatch(match, used, [&](std::size_t i, std::size_t k) { return left[i] == right[k]; });
  FillMatch(match, used, [](std::size_t, std::size_t) { return true; });
  return match;
}

Result<std::vector<std::size_t>> MatchOutputs(const std::vector<NamedDatum>& left,
                                              const std::vector<NamedDatum>& right) {
  if (left.size() != right.size()) {
    return Error(ErrorCode::kInvalidInput, "one model has {} outputs, the other {}", left.size(),
                 right.size());
  }
  std::vector<std::size_t> match(left.size(), kUnmatched);
  std::vector<bool> used(right.size(), false);
  FillMatch(match, used,
            [&](std::size_t i, std::size_t k) { return left[i].name == right[k].name; });
  FillMatch(match, used, [&](std::size_t i, std::size_t k) {
    return SortedSizes(left[i].datum) == SortedSizes(right[k].datum);
  });
  FillMatch(match, used, [](std::size_t, std::size_t) { return true; });
  return match;
}

Result<MatchedInputs> MatchInputs(const Graph& graph, const Graph& of,
                                  const std::vector<Datum>& inputs) {
  ATH_TRY(const std::vector<std::size_t> input_of,
          MatchByName(InputNames(graph), InputNames(of), "input"));
  MatchedInputs matched;
  for (std::size_t i = 0; i < input_of.size(); ++i) {
    const Value& wanted = graph.value(graph.inputs()[i]);
    Axes axes;
    ATH_TRY(Datum datum, InLayoutOf(wanted.type, inputs[input_of[i]], axes));
    matched.values.push_back(std::move(datum));
    if (!IsIdentity(axes)) matched.changes.push_back({wanted.name, std::move(axes)});
    ATH_TRY(matched.values.back(), InScaleOf(graph, graph.inputs()[i], of, of.inputs()[input_of[i]],
                                             std::move(matched.values.back()), matched.scaled));
  }
  return matched;
}

Result<Parity> CheckParity(Session& actual, Session& expected, std::vector<Datum> inputs,
                           const Tolerance& tolerance) {
  ATH_TRY(MatchedInputs matched, MatchInputs(actual.graph(), expected.graph(), inputs));
  ATH_TRY(std::vector<Datum> wanted, expected.Run(std::move(inputs)));
  ATH_TRY(std::vector<Datum> given, actual.Run(std::move(matched.values)));
  ATH_TRY(const std::vector<std::size_t> output_of,
          MatchOutputs(Named(expected.graph(), wanted), Named(actual.graph(), given)));
  Parity parity;
  parity.inputs = std::move(matched.changes);
  parity.scaled_inputs = std::move(matched.scaled);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string& name = expected.graph().outputs()[i].name;
    Datum& other = given[output_of[i]];
    const DType before = ElementType(wanted[i]), after = ElementType(other);
    ATH_RETURN_IF_ERROR(MakeReal(expected.graph(), i, after, wanted[i], parity.scaled_results));
    ATH_RETURN_IF_ERROR(
        MakeReal(actual.graph(), output_of[i], before, other, parity.scaled_results));
    Axes axes;
    ATH_TRY(Datum answer, InLayoutOf(Type::Of(wanted[i]), std::move(other), axes));
    if (!IsIdentity(axes)) parity.results.push_back({name, std::move(axes)});
    parity.outputs.push_back({name, Compare(answer, wanted[i], tolerance)});
    parity.actual.push_back(std::move(answer));
    const Difference& difference = parity.outputs.back().difference;
    if (difference.pass || !parity.pass) continue;
    parity.pass = false;
    parity.reason = fmt::format("output \"{}\": {}", name, difference.reason);
  }
  parity.expected = std::move(wanted);
  if (!parity.pass && ChoosesBoxes(expected.graph())) CompareObjects(parity, tolerance);
  return parity;
}

}  // namespace athanor
