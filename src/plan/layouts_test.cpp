#include <gtest/gtest.h>

#include <cstring>

#include "ops/catalog.h"
#include "plan/plan.h"

namespace athanor {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor Weights(Dims dims) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  for (float& x : tensor.MutableData<float>()) x = 0.01F;
  return tensor;
}

class NetworkOfPictures {
 public:
  ValueId Input(Dims dims) {
    Shape shape;
    for (const std::int64_t dim : dims) shape.emplace_back(dim);
    return graph_.AddInput("x", Type::Tensor(DType::kF32, shape));
  }
  ValueId Op(std::string_view op, Operands inputs, AttrMap attributes = {}) {
    Result<ValueId> made = graph_.Add(op, inputs, std::move(attributes));
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    return *made;
  }
  ValueId Conv(ValueId x, std::int64_t in, std::int64_t out) {
    return Op("Conv", {x, graph_.AddConstant(Weights({out, in, 3, 3}))},
              {{"pads", Ints{1, 1, 1, 1}}});
  }
  // Through bytes and back.
  ValueId Pair(ValueId x) {
    const ValueId scale = graph_.AddConstant(Tensor::Scalar(0.05F));
    const ValueId zero = graph_.AddConstant(Tensor::Scalar(std::uint8_t{3}));
    return Op("DequantizeLinear", {Op("QuantizeLinear", {x, scale, zero}), scale, zero});
  }
  ValueId QuantizedConv(ValueId x, std::int64_t in, std::int64_t out) {
    Tensor weights = *Tensor::Allocate(DType::kI8, {out, in, 3, 3});
    std::memset(weights.mutable_raw(), 1, weights.bytes());
    const ValueId real = Op("DequantizeLinear", {graph_.AddConstant(std::move(weights)),
                                                 graph_.AddConstant(Tensor::Scalar(0.01F))});
    return Pair(Op("Conv", {x, real}, {{"pads", Ints{1, 1, 1, 1}}}));
  }
  void LowerPairs() { EXPECT_TRUE(LowerQuantized(graph_, true).ok()); }
  void Output(ValueId y) { graph_.AddOutput("y", y); }

  std::shared_ptr<const Plan> Make(const PlanOptions& options = {}) {
    std::vector<Type> types;
    for (const ValueId id : graph_.inputs()) types.push_back(graph_.value(id).type);
    Result<std::shared_ptr<const Plan>> plan = MakePlan(graph_.Clone(), types, options, store_);
    EXPECT_TRUE(plan.ok()) << plan.status().ToString();
    return *plan;
  }

 private:
  Graph graph_{ops::Standard()};
  kernels::PackStore store_;
};

// On vectors of four, Winograd is worth a reorder before the first convolution: it reads no rows.
PlanOptions ReadingRows() { return {.strict = BestIsa() == Isa::kBase}; }

// "Conv Conv+Relu Reorder ...", with * behind steps whose result has its channels in blocks.
std::string Steps(const Plan& plan) {
  std::string text;
  for (const Step& step : plan.steps) {
    text += text.empty() ? "" : " ";
    for (std::size_t i = 0; i < step.nodes.size(); ++i)
      text += (i > 0 ? "+" : "") + plan.graph.node(step.nodes[i]).op->name;
    if (step.out[0].block != 0) text += "*";
  }
  return text;
}

TEST(ChooseLayouts, LeavesNoReorderInAResidualNetwork) {
  NetworkOfPictures net;
  const ValueId a = net.Op("Relu", {net.Conv(net.Input({1, 3, 64, 64}), 3, 32)});
  const ValueId b = net.Op("Relu", {net.Op("Add", {net.Conv(a, 32, 32), a})});
  const ValueId c = net.Op("MaxPool", {b}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  const ValueId d = net.Op("Concat", {net.Conv(c, 32, 32), c}, {{"axis", std::int64_t{1}}});
  const ValueId e = net.Op("Flatten", {net.Op("GlobalAveragePool", {net.Conv(d, 64, 33)})});
  net.Output(net.Op("Relu", {e}));
  EXPECT_EQ(Steps(*net.Make(ReadingRows())),
            "Conv+Relu* Conv+Add+Relu* MaxPool* Conv* Concat* Conv* GlobalAveragePool* Relu");
}

TEST(ChooseLayouts, LeavesNoReorderInAQuantizedNetwork) {
  NetworkOfPictures net;
  const ValueId a = net.QuantizedConv(net.Pair(net.Input({1, 3, 64, 64})), 3, 32);
  const ValueId b = net.Pair(net.Op("Add", {net.QuantizedConv(a, 32, 32), a}));
  const ValueId c = net.Pair(net.Op("MaxPool", {b}, {{"kernel_shape", Ints{2, 2}}}));
  net.Output(net.Pair(net.Op("GlobalAveragePool", {c})));
  net.LowerPairs();
  const std::string steps = Steps(*net.Make());
  EXPECT_TRUE(steps.starts_with("QuantizeLinear Conv* Conv* Add* MaxPool* GlobalAveragePool*"))
      << steps;
}

TEST(ChooseLayouts, KeepsFunctionsOfBytesBehindConvolutions) {
  NetworkOfPictures net;
  const ValueId a = net.QuantizedConv(net.Pair(net.Input({1, 3, 64, 64})), 3, 32);
  const ValueId b = net.Pair(net.Op("Swish", {a}));
  const ValueId c = net.Pair(net.Op("HardSwish", {net.QuantizedConv(b, 32, 32)}));
  // Two read the sum: its function stands alone.
  const ValueId sum = net.Pair(net.Op("Add", {c, b}));
  net.Output(net.Pair(net.Op("Add", {sum, net.Pair(net.Op("Tanh", {sum}))})));
  net.LowerPairs();
  const std::string steps = Steps(*net.Make());
  EXPECT_TRUE(steps.starts_with("QuantizeLinear Conv+Swish* Conv+HardSwish* Add*")) << steps;
  EXPECT_NE(steps.find(" Tanh"), std::string::npos) << steps;
}

TEST(ChooseLayouts, ReordersOncePerValueAtTheEdgesOfARegion) {
  NetworkOfPictures net;
  const ValueId a = net.Conv(net.Input({1, 64, 56, 56}), 64, 64);
  const ValueId b = net.Conv(a, 64, 64);
  net.Output(net.Op("Transpose", {b}, {{"perm", Ints{0, 2, 3, 1}}}));
  net.Output(net.Op("Softmax", {b}, {{"axis", std::int64_t{1}}}));
  net.Output(b);
  const auto plan = net.Make();
  EXPECT_EQ(Steps(*plan), "Reorder* Conv* Conv* Reorder Transpose Softmax");
  for (const Place& output : plan->outputs) EXPECT_EQ(output.block, 0);
}

TEST(ChooseLayouts, LeavesRowMajorWhatAReorderWouldNotPayFor) {
  NetworkOfPictures net;
  const ValueId a = net.Op("Transpose", {net.Input({1, 64, 64, 64})}, {{"perm", Ints{0, 2, 1, 3}}});
  const ValueId b = net.Op("MaxPool", {a}, {{"kernel_shape", Ints{1, 1}}, {"strides", Ints{2, 2}}});
  net.Output(net.Op("Transpose", {b}, {{"perm", Ints{0, 2, 1, 3}}}));
  EXPECT_EQ(Steps(*net.Make()), "Transpose MaxPool Transpose");
}

TEST(ChooseLayouts, GivesBlocksMemoryForWholeBlocks) {
  NetworkOfPictures net;
  const ValueId a = net.Conv(net.Input({1, 3, 32, 32}), 3, 33);
  net.Output(net.Op("GlobalAveragePool", {net.Conv(a, 33, 1)}));
  const auto plan = net.Make(ReadingRows());
  const Place& place = plan->steps[0].out[0];
  ASSERT_NE(place.block, 0);
  EXPECT_EQ(plan->storages[static_cast<std::size_t>(place.storage)].bytes,
            (33 + place.block - 1) / place.block * place.block * 32 * 32 * 4);
}

}  // namespace
}  // namespace athanor
