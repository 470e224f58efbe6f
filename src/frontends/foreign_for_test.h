// For tests of nodes that a plug-in reads: an operator, and a converter that keeps what it is
// shown.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "frontends/answer_for_test.h"
#include "frontends/foreign.h"
#include "ops/catalog.h"

namespace athanor {

using Floats = std::vector<float>;

// y = factor * (a + b + ...)
class ScaledSum : public CustomOp {
 public:
  Status Infer(InferCtx& ctx) const override {
    ctx.out = {ctx.In(0)};
    return {};
  }
  Status Run(RefCtx& ctx) const override {
    const AttrValue* factor = ctx.attributes().Find("factor");
    const auto y = ctx.OutData<float>(0);
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] = 0;
      for (std::size_t input = 0; input < ctx.num_inputs(); ++input)
        y[i] += ctx.Data<float>(input)[i] * (factor ? std::get<float>(*factor) : 1.0F);
    }
    return {};
  }
};

inline void AddScaledSum(const std::string& name) {
  ops::AddCustom({.name = name,
                  .inputs = {{"x", "", kVariadicPort}},
                  .outputs = {{"y", ""}},
                  .attributes = {{.name = "factor", .kind = AttrKind::kFloat, .doc = ""}}},
                 std::make_unique<ScaledSum>());
}

inline std::string Problem(const Result<Graph>& graph) { return graph.status().ToString(); }

// A converter that keeps what it is shown and gives input 0 back, negated.
struct Seen {
  std::string op;
  std::size_t num_inputs = 0;
  AttrMap attributes;
};
inline std::shared_ptr<Seen> AddWitness(const char* format, const char* op) {
  auto seen = std::make_shared<Seen>();
  NewConverter converter = {format, op,
                            std::make_shared<const Converter>([seen](ForeignNode& node) -> Status {
                              *seen = {node.op, node.inputs.size(), node.attributes};
                              ATH_TRY(const ValueId y, node.graph.Add("Neg", {node.inputs[0]}));
                              node.outputs = {y};
                              return {};
                            })};
  EXPECT_TRUE(CheckConverter(converter, false).ok());
  AddConverters({std::move(converter)});
  return seen;
}

}  // namespace athanor
