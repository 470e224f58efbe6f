// Small networks, planned on the kernels that every machine has; for tests.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "ir/evaluate.h"
#include "ops/catalog.h"
#include "plan/stages.h"

namespace athanor {

// Numbers of [0.5, 2.5] times the scale.
inline Tensor Floats(Dims dims, float scale) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  float i = 0;
  for (float& x : tensor.MutableData<float>()) x = scale * (1.5F + std::sin(++i));
  return tensor;
}

struct PlannedNetwork {
  Graph graph{ops::Standard()};
  kernels::PackStore store = {};

  ValueId Op(std::string_view op, Operands inputs, AttrMap attributes = {}) {
    Result<ValueId> made = graph.Add(op, inputs, std::move(attributes));
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return *made;
  }

  // The kernels of the plan, which computes what the graph says.
  std::string Kernels(ValueId y) {
    PlanOptions options;
    options.isa = Isa::kBase;
    graph.AddOutput("y", y);
    const Type type = graph.value(graph.inputs()[0]).type;
    Result<std::shared_ptr<const Plan>> plan = MakePlan(graph.Clone(), {type}, options, store);
    EXPECT_TRUE(plan.ok()) << plan.status().ToString();
    if (!plan.ok()) return "";
    std::string names;
    for (const Step& step : (*plan)->steps)
      names += (names.empty() ? "" : " ") + (step.kernel != nullptr ? step.kernel->name : "none");
    const std::vector<Datum> x = {Datum(Floats(*type.StaticDims(), 1))};
    const Tensor expected = (*Evaluate(graph, x))[0].tensor();
    const Tensor actual = (*Evaluate((*plan)->graph, x))[0].tensor();
    EXPECT_EQ(actual.dims(), expected.dims());
    for (std::size_t i = 0; i < static_cast<std::size_t>(expected.count()); ++i) {
      const float wanted = expected.Data<float>()[i];
      EXPECT_NEAR(actual.Data<float>()[i], wanted, 1e-4 * (1 + std::abs(wanted)));
    }
    return names;
  }
};

}  // namespace athanor
