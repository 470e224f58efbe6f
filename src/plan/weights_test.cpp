#include "plan/testing.h"

namespace athanor {
namespace {

constexpr std::int64_t kSide = 256;  // 64 Ki weights

Tensor Bytes(DType dtype, Dims dims) {
  Tensor tensor = *Tensor::Allocate(dtype, std::move(dims));
  auto* const to = static_cast<std::uint8_t*>(tensor.mutable_raw());
  for (std::int64_t i = 0; i < tensor.count(); ++i) to[i] = static_cast<std::uint8_t>(i * 7 % 15);
  return tensor;
}

struct Network : PlannedNetwork {
  ValueId X(std::int64_t rows) {
    return graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(rows), Dim(kSide)}));
  }
  // With one scale for each index of the axis, or for each block along it.
  ValueId Weights(DType dtype, std::int64_t side, std::int64_t axis, std::int64_t block = 0) {
    Dims scales = {side};
    if (block != 0) scales = axis == 0 ? Dims{side / block, side} : Dims{side, side / block};
    return Op("DequantizeLinear",
              {graph.AddConstant(Bytes(dtype, {side, side})),
               graph.AddConstant(Floats(scales, 0.01F)), graph.AddConstant(Bytes(dtype, scales))},
              {{"axis", axis}, {"block_size", block}});
  }
};

const std::string kPacked = "DequantizedMatMul.weights.base";

TEST(KeepWeightsSmall, MultipliesByBytesAndNibbles) {
  for (const DType dtype : {DType::kI8, DType::kU8, DType::kI4, DType::kU4}) {
    Network net;
    EXPECT_EQ(net.Kernels(net.Op("MatMul", {net.X(1), net.Weights(dtype, kSide, 1)})), kPacked);
    Network groups;
    const ValueId w = groups.Weights(dtype, kSide, 0, 32);
    EXPECT_EQ(groups.Kernels(groups.Op("MatMul", {groups.X(1), w})), kPacked);
  }
}

TEST(KeepWeightsSmall, ReadsTurnedWeights) {
  const AttrMap turn = {{"perm", std::vector<std::int64_t>{1, 0}}};
  Network net;  // as MatMulNBits is read
  const ValueId w = net.Op("Transpose", {net.Weights(DType::kU4, kSide, 1, 64)}, turn);
  EXPECT_EQ(net.Kernels(net.Op("MatMul", {net.X(20), w})), kPacked);

  Network gemm;
  const ValueId bias = gemm.graph.AddConstant(Floats({kSide}, 1));
  const ValueId turned = gemm.Weights(DType::kI8, kSide, 0);
  const ValueId y = gemm.Op("Gemm", {gemm.X(2), turned, bias}, {{"transB", std::int64_t{1}}});
  EXPECT_EQ(gemm.Kernels(gemm.Op("Relu", {y})), kPacked);
}

TEST(KeepWeightsSmall, KeepsNoFloatsOfThem) {
  Network net;
  const ValueId w = net.Weights(DType::kU4, kSide, 0, 128);
  EXPECT_EQ(net.Kernels(net.Op("MatMul", {net.X(1), w})), kPacked);
  // Half a byte each, and five bytes for each group.
  EXPECT_LE(net.store.bytes(), kSide * kSide / 2 + kSide * 2 * 5 + 64 * kSide);
}

TEST(KeepWeightsSmall, LeavesWhatWouldNotGain) {
  const auto kernel_of = [](std::int64_t side, std::int64_t axis, std::int64_t block) {
    Network net;
    const ValueId x = net.graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(1), Dim(side)}));
    return net.Kernels(net.Op("MatMul", {x, net.Weights(DType::kI8, side, axis, block)}));
  };
  const std::string kFolded = "MatMul.f32.packed.base";
  EXPECT_EQ(kernel_of(64, 1, 0), kFolded);      // a small matrix
  EXPECT_EQ(kernel_of(kSide, 0, 0), kFolded);   // a scale for each row
  EXPECT_EQ(kernel_of(kSide, 1, 32), kFolded);  // blocks of columns
  EXPECT_EQ(kernel_of(kSide, 0, 8), kFolded);   // almost as many bytes of scales as of floats
}

}  // namespace
}  // namespace athanor
