#include "tools/calibrated.h"

#include <algorithm>

#include "core/text.h"
#include "tools/console.h"
#include "verify/parity.h"

namespace athanor::tools {
namespace {

std::vector<std::string> Names(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  return names;
}

}  // namespace

Result<CalibratedInputs> CalibratedInputs::Of(const Model& a, const Model& b) {
  CalibratedInputs found;
  ATH_TRY(const std::vector<std::size_t> match,
          MatchByName(Names(a.graph), Names(b.graph), "inputs"));
  for (std::size_t i = 0; i < match.size(); ++i) {
    const ValueId of_a = a.graph.inputs()[i], of_b = b.graph.inputs()[match[i]];
    const Value& input = a.graph.value(of_a);
    // Integers that the model takes as they are cover no more than their range.
    if (!IsFloat(input.type.dtype)) continue;
    const std::optional<RealRange> range_a = RangeOfInput(a.graph, of_a),
                                   range_b = RangeOfInput(b.graph, of_b);
    if (!range_a && !range_b) continue;
    const bool is_a = range_a && (!range_b || range_a->width() < range_b->width());
    found.inputs_.push_back({.position = i,
                             .name = input.name,
                             .range = is_a ? *range_a : *range_b,
                             .model = is_a ? a.name : b.name});
  }
  return found;
}

void CalibratedInputs::Draw(InputPlan& plan, const Common& common) const {
  for (const Input& input : inputs_) {
    if (!plan.DrawWithin(input.position, input.range)) continue;
    Note(common, "input {}: random numbers from {:g} to {:g}, which {} was calibrated for",
         Quote(input.name), input.range.low, input.range.high, input.model);
  }
}

Status CalibratedInputs::Count(const std::vector<Datum>& inputs) {
  for (Input& input : inputs_) {
    const Datum& datum = inputs[input.position];
    if (!datum.IsTensor()) continue;
    ATH_TRY(const std::vector<double> values, ToDoubles(datum.tensor()));
    // What rounds to the last step is not clipped.
    const double slack = input.range.step / 2;
    input.elements += std::ssize(values);
    input.outside += std::count_if(values.begin(), values.end(), [&](double value) {
      return value < input.range.low - slack || value > input.range.high + slack;
    });
  }
  return {};
}

void CalibratedInputs::Say(const Common& common) const {
  for (const Input& input : inputs_) {
    if (input.outside == 0) continue;
    const double share = static_cast<double>(input.outside) / static_cast<double>(input.elements);
    tools::Say(common,
               "input {}: {:.3g} % of its elements lie outside {:g} to {:g}, which {} was "
               "calibrated for and clips them to",
               Quote(input.name), 100 * share, input.range.low, input.range.high, input.model);
  }
}

nlohmann::json CalibratedInputs::ToJson() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Input& input : inputs_) {
    list.push_back({{"name", input.name},
                    {"low", input.range.low},
                    {"high", input.range.high},
                    {"model", input.model},
                    {"elements", input.elements},
                    {"outside", input.outside}});
  }
  return list;
}

}  // namespace athanor::tools
