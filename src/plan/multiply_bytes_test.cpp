#include "plan/testing.h"

namespace athanor {
namespace {

Tensor BytesOf(Dims dims) {
  Tensor tensor = *Tensor::Allocate(DType::kI8, std::move(dims));
  int i = 0;
  for (std::int8_t& w : tensor.MutableData<std::int8_t>())
    w = static_cast<std::int8_t>(i++ * 37 % 255 - 127);
  return tensor;
}

struct Network : PlannedNetwork {
  ValueId Weights(const Tensor& w, std::int64_t axis) {
    return Op("DequantizeLinear",
              {graph.AddConstant(w), graph.AddConstant(Floats({w.dim(axis)}, 0.01F))},
              {{"axis", axis}});
  }
  // As bytes with a scale of their own.
  ValueId AsItComes(ValueId x) {
    const NodeId node = *graph.AddNode(
        {.op = "DynamicQuantizeLinear", .inputs = {x}, .attributes = {}, .num_outputs = 3});
    const std::vector<ValueId> parts = graph.node(node).outputs;
    return Op("DequantizeLinear", {parts[0], parts[1], parts[2]});
  }
};

const std::string kOnBytes = "DynamicQuantizeLinear.f32.base DynamicMatMul.i8.base";

TEST(MultiplyBytes, TakesMatMulAndGemmWithWhatFollows) {
  const Type rows = Type::Tensor(DType::kF32, {Dim(2), Dim(3), Dim(24)});
  Network net;
  const ValueId x = net.AsItComes(net.graph.AddInput("x", rows));
  const ValueId y = net.Op("MatMul", {x, net.Weights(BytesOf({24, 10}), 1)});
  const ValueId bias = net.graph.AddConstant(Floats({10}, 1));
  EXPECT_EQ(net.Kernels(net.Op("Relu", {net.Op("Add", {y, bias})})), kOnBytes);

  Network gemm;
  const ValueId z =
      gemm.AsItComes(gemm.graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(5), Dim(24)})));
  const ValueId of_gemm = gemm.graph.AddConstant(Floats({10}, 1));
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
