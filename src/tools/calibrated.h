// The ranges that quantised models were calibrated for: what lies outside is clipped there, and
// says nothing about how well a model was quantised.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/inputs.h"
#include "verify/quantised.h"

namespace athanor::tools {

class CalibratedInputs {
 public:
  struct Model {
    const Graph& graph;
    std::string name;  // for messages
  };
  // Of real inputs of `a`, which one or both models quantise.
  static Result<CalibratedInputs> Of(const Model& a, const Model& b);

  bool any() const { return !inputs_.empty(); }
  // Random inputs are drawn from the range of their model; says so.
  void Draw(InputPlan& plan, const Common& common) const;
  // Counts what of a run's inputs lies outside.
  Status Count(const std::vector<Datum>& inputs);
  // Says which inputs were clipped, after the last run.
  void Say(const Common& common) const;
  nlohmann::json ToJson() const;

 private:
  struct Input {
    std::size_t position = 0;
    std::string name;
    RealRange range;
    std::string model;  // whose range it is
    std::int64_t elements = 0, outside = 0;
  };
  std::vector<Input> inputs_;
};

}  // namespace athanor::tools
