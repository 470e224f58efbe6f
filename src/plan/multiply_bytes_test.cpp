#include <gtest/gtest.h>

#include <cmath>

#include "ir/evaluate.h"
#include "ops/catalog.h"
#include "plan/stages.h"

namespace athanor {
namespace {

Tensor BytesOf(Dims dims) {
  Tensor tensor = *Tensor::Allocate(DType::kI8, std::move(dims));
  int i = 0;
  for (std::int8_t& w : tensor.MutableData<std::int8_t>())
    w = static_cast<std::int8_t>(i++ * 37 % 255 - 127);
  return tensor;
}

Tensor Waves(Dims dims, float scale) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  float i = 0;
  for (float& x : tensor.MutableData<float>()) x = scale * (1.5F + std::sin(++i));
  return tensor;
}

struct Network {
  Graph graph{ops::Standard()};
  kernels::PackStore store = {};

  ValueId Op(std::string_view op, Operands inputs, AttrMap attributes = {}) {
    Result<ValueId> made = graph.Add(op, inputs, std::move(attributes));
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return *made;
  }
  ValueId Weights(const Tensor& w, std::int64_t axis) {
    return Op("DequantizeLinear",
              {graph.AddConstant(w), graph.AddConstant(Waves({w.dim(axis)}, 0.01F))},
              {{"axis", axis}});
  }
  // As bytes with a scale of their own.
  ValueId AsItComes(ValueId x) {
    const NodeId node = *graph.AddNode(
        {.op = "DynamicQuantizeLinear", .inputs = {x}, .attributes = {}, .num_outputs = 3});
    const std::vector<ValueId> parts = graph.node(node).outputs;
    return Op("DequantizeLinear", {parts[0], parts[1], parts[2]});
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
    const std::vector<Datum> x = {Datum(Waves(*type.StaticDims(), 1))};
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

const std::string kOnBytes = "DynamicQuantizeLinear.f32.base DynamicMatMul.i8.base";

TEST(MultiplyBytes, TakesMatMulAndGemmWithWhatFollows) {
  const Type rows = Type::Tensor(DType::kF32, {Dim(2), Dim(3), Dim(24)});
  Network net;
  const ValueId x = net.AsItComes(net.graph.AddInput("x", rows));
  const ValueId y = net.Op("MatMul", {x, net.Weights(BytesOf({24, 10}), 1)});
  const ValueId bias = net.graph.AddConstant(Waves({10}, 1));
  EXPECT_EQ(net.Kernels(net.Op("Relu", {net.Op("Add", {y, bias})})), kOnBytes);

  Network gemm;
  const ValueId z =
      gemm.AsItComes(gemm.graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(5), Dim(24)})));
  const ValueId of_gemm = gemm.graph.AddConstant(Waves({10}, 1));
  EXPECT_EQ(gemm.Kernels(gemm.Op("Gemm", {z, gemm.Weights(BytesOf({10, 24}), 0), of_gemm},
                                 {{"transB", std::int64_t{1}}})),
            kOnBytes);
}

TEST(MultiplyBytes, QuantizesOnceForSeveralProducts) {
  Network net;
  const ValueId x =
      net.AsItComes(net.graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(4), Dim(24)})));
  const ValueId a = net.Op("MatMul", {x, net.Weights(BytesOf({24, 8}), 1)});
  const ValueId b = net.Op("MatMul", {x, net.Weights(BytesOf({24, 8}), 1)});
  const std::string kernels = net.Kernels(net.Op("Concat", {a, b}, {{"axis", std::int64_t{1}}}));
  EXPECT_EQ(kernels.rfind("DynamicQuantizeLinear"), 0U) << kernels;
  EXPECT_NE(kernels.find("DynamicMatMul"), kernels.rfind("DynamicMatMul")) << kernels;
}

TEST(MultiplyBytes, HasNothingToDoWithoutRowsOrColumns) {
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>(2, 0), {0, 8}}) {
    Network net;
    const Type type = Type::Tensor(DType::kF32, {Dim(rows), Dim(24)});
    const ValueId x = net.AsItComes(net.graph.AddInput("x", type));
    net.Kernels(net.Op("MatMul", {x, net.Weights(BytesOf({24, columns}), 1)}));
  }
}

TEST(MultiplyBytes, LeavesOtherScalesAlone) {
  Network rows;  // a scale for each row of the weights
  const Type type = Type::Tensor(DType::kF32, {Dim(4), Dim(24)});
  const ValueId x = rows.AsItComes(rows.graph.AddInput("x", type));
  const std::string kernels =
      rows.Kernels(rows.Op("MatMul", {x, rows.Weights(BytesOf({24, 8}), 0)}));
  EXPECT_EQ(kernels.find("DynamicMatMul"), std::string::npos) << kernels;
}

}  // namespace
}  // namespace athanor
