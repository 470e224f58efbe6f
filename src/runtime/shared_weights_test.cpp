#include "runtime/shared_weights.h"

#include <gtest/gtest.h>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/graph_for_test.h"
#include "runtime/session.h"

namespace athanor {
namespace {

// The passes fold the scale into the weights, and kernels want those packed.
Graph Network() {
  Graph graph(ops::Standard());
  const ValueId x =
      graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(1), Dim(8), Dim(12), Dim(12)}));
  const ValueId w = graph.AddConstant(Ramp({16, 8, 3, 3}, 0.1F));
  const ValueId conv = Op(graph, "Conv", {x, w}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  const ValueId scale = graph.AddConstant(Ramp({16}, 0.2F)),
                zero = graph.AddConstant(Ramp({16}, 0));
  const ValueId one = graph.AddConstant(Tensor::FromVector<float>({16}, std::vector<float>(16, 1)));
  graph.AddOutput("y", Op(graph, "BatchNormalization", {conv, scale, zero, zero, one}));
  return graph;
}

std::unique_ptr<Session> Open(const std::string& device,
                              const std::shared_ptr<SharedWeights>& shared) {
  Result<std::unique_ptr<Session>> session =
      Session::Create(Network(), {.device = device, .threads = 1, .shared = shared});
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  return *std::move(session);
}

std::vector<Type> InputTypes() { return {Type::Of(Ramp({1, 8, 12, 12}, 0.3F))}; }

// Where a plan finds each constant that its steps read.
std::vector<const void*> Constants(const Plan& plan) {
  std::vector<const void*> places;
  for (const Storage& storage : plan.storages) {
    if (storage.where == Storage::Where::kConstant) places.push_back(storage.constant.raw());
  }
  return places;
}

TEST(SharedWeights, ASecondSessionFoldsAndPacksNothing) {
  const auto shared = std::make_shared<SharedWeights>();
  const auto first = Open("cpu", shared), second = Open("cpu", shared);
  const auto one = *first->PlanFor(InputTypes());
  const std::int64_t packed = shared->packs()->bytes();
  EXPECT_GT(packed, 0);
  const auto other = *second->PlanFor(InputTypes());
  EXPECT_EQ(shared->packs()->bytes(), packed);
  EXPECT_NE(one, other) << "each session has plans, and so memory for runs, of its own";
  EXPECT_FALSE(Constants(*one).empty());
  EXPECT_EQ(Constants(*one), Constants(*other));
  const Tensor x = Ramp({1, 8, 12, 12}, 0.3F);
  EXPECT_TRUE((*first->Run({x}))[0].tensor().SameAs((*second->Run({x}))[0].tensor()));
}

TEST(SharedWeights, LiveAsLongAsASessionHasThem) {
  WeightsInUse weights;
  std::shared_ptr<SharedWeights> first = weights.On("cpu");
  EXPECT_EQ(weights.On("cpu"), first);
  const std::weak_ptr<SharedWeights> seen = first;
  first.reset();
  EXPECT_TRUE(seen.expired());
  EXPECT_NE(weights.On("cpu"), nullptr);
}

// The parts of a graph that was split are other graphs than the whole.
TEST(SharedWeights, SeveralDevicesUnderOneNameGiveTheSame) {
  const Tensor x = Ramp({1, 8, 12, 12}, 0.3F);
  const auto shared = std::make_shared<SharedWeights>();
  const auto one = Open("cpu", shared);
  const Tensor expected = (*one->Run({x}))[0].tensor();
  for (const char* device : {"MULTI:cpu,cpu.0", "HETERO:cpu,reference"}) {
    const auto several = Open(device, shared);
    for (int run = 0; run < 2; ++run)
      EXPECT_TRUE((*several->Run({x}))[0].tensor().SameAs(expected)) << device;
  }
}

}  // namespace
}  // namespace athanor
