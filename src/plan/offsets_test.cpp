#include <gtest/gtest.h>

#include "core/memory.h"
#include "ops/catalog.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

Plan WithStorages(const std::vector<Storage>& storages, std::size_t steps) {
  Plan plan{Graph(ops::Standard())};
  plan.storages = storages;
  plan.steps.resize(steps);
  EXPECT_TRUE(AssignOffsets(plan).ok());
  return plan;
}

Storage Alive(std::int64_t bytes, std::int32_t first, std::int32_t last) {
  Storage storage;
  storage.where = Storage::Where::kArena;
  storage.bytes = bytes;
  storage.first = first;
  storage.last = last;
  return storage;
}

TEST(AssignOffsets, NeverOverlapsWhatIsAliveTogether) {
  std::vector<Storage> storages;
  unsigned state = 1;
  for (int i = 0; i < 200; ++i) {
    state = state * 1664525U + 1013904223U;
    const auto first = static_cast<std::int32_t>((state >> 8) % 90);
    storages.push_back(
        Alive((state >> 4) % 5000, first, first + static_cast<std::int32_t>((state >> 16) % 10)));
  }
  const Plan plan = WithStorages(storages, 100);
  for (const Storage& a : plan.storages) {
    EXPECT_EQ(a.offset % 64, 0);
    EXPECT_LE(a.offset + a.bytes, plan.arena_bytes);
    for (const Storage& b : plan.storages) {
      const bool together = &a != &b && a.first <= b.last && b.first <= a.last;
      const bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
      EXPECT_FALSE(together && overlap);
    }
  }
}

TEST(AssignOffsets, UsesMemoryAgainAsSoonAsItIsFree) {
  const Plan plan = WithStorages({Alive(640, 0, 1), Alive(640, 1, 2), Alive(640, 2, 3)}, 4);
  EXPECT_EQ(plan.arena_bytes, 1280);
  EXPECT_EQ(plan.lower_bound_bytes, 1280);
}

// Placed by size alone these take 768 bytes; most is alive at step 3: 64 + 320 + 256.
TEST(AssignOffsets, TriesOtherOrdersWhereTheLargestFirstLeavesHoles) {
  const Plan plan = WithStorages({Alive(384, 0, 0), Alive(64, 0, 2), Alive(64, 2, 4),
                                  Alive(320, 3, 5), Alive(64, 0, 2), Alive(256, 2, 5)},
                                 6);
  EXPECT_EQ(plan.lower_bound_bytes, 640);
  EXPECT_EQ(plan.arena_bytes, 640);
}

TEST(AssignOffsets, RefusesWhatNoMachineHolds) {
  Plan plan{Graph(ops::Standard())};
  const std::int64_t memory = PhysicalMemory();
  plan.storages = {Alive(memory, 0, 1), Alive(memory, 1, 1)};
  plan.steps.resize(2);
  EXPECT_EQ(AssignOffsets(plan).code(), ErrorCode::kResource);
  plan.storages = {Alive(std::int64_t{1} << 62, 0, 1)};
  EXPECT_EQ(AssignOffsets(plan).code(), ErrorCode::kResource);
}

TEST(MakePlan, RefusesATensorWhoseBytesOverflow) {
  for (const std::int64_t size : {std::int64_t{1} << 62, std::int64_t{1} << 60}) {
    Graph graph(ops::Standard());
    const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(1)}));
    const ValueId shape = graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {size}));
    const ValueId wide = *graph.Add("Expand", {x, shape});
    graph.AddOutput("y", *graph.Add("Relu", {wide}));
    const Type input = graph.value(x).type;
    kernels::PackStore store;
    const auto plan = MakePlan(std::move(graph), {input}, {}, store);
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(plan.status().code(), ErrorCode::kResource) << plan.status().ToString();
  }
}

// Whoever waits no longer ends it between any two of its steps; what was packed by then is no harm.
TEST(MakePlan, EndsBetweenItsStepsWithTheReasonItIsGiven) {
  Graph graph(ops::Standard());
  const Type type = Type::Tensor(DType::kF32, {Dim(8), Dim(32)});
  ValueId y = graph.AddInput("x", type);
  for (int layer = 0; layer < 3; ++layer)
    y = *graph.Add("MatMul", {y, graph.AddConstant(*Tensor::Allocate(DType::kF32, {32, 32}))});
  graph.AddOutput("y", y);
  kernels::PackStore store;
  for (int steps = 0;; ++steps) {
    ASSERT_LT(steps, 1000);
    int left = steps;
    PlanOptions options;
    options.may_go_on = [&left]() -> Status {
      if (left-- > 0) return {};
      return Error(ErrorCode::kDeadline, "no time is left");
    };
    const auto plan = MakePlan(graph.Clone(), {type}, options, store);
    if (plan.ok()) {
      EXPECT_GT(steps, 9) << "three groups, three layouts, three kernels";
      EXPECT_FALSE((*plan)->options.may_go_on);
      break;
    }
    EXPECT_EQ(plan.status().code(), ErrorCode::kDeadline) << plan.status().ToString();
    EXPECT_EQ(plan.status().message(), "no time is left");
  }
}

TEST(MakePlan, LeavesShortStepsToOneThread) {
  Graph graph(ops::Standard());
  const Type large = Type::Tensor(DType::kF32, {Dim(512), Dim(512)});
  const Type small = Type::Tensor(DType::kF32, {Dim(4)});
  const ValueId x = graph.AddInput("x", large), s = graph.AddInput("s", small);
  graph.AddOutput("y", *graph.Add("MatMul", {x, x}));
  graph.AddOutput("z", *graph.Add("Relu", {s}));
  kernels::PackStore store;
  const auto plan = MakePlan(std::move(graph), {large, small}, {.threads = 2}, store);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  for (const Step& step : (*plan)->steps)
    EXPECT_EQ(step.alone, (*plan)->graph.node(step.nodes[0]).op->name == "Relu");
}

TEST(MakePlan, LeavesLargeConstantsToTheRun) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim(1)}));
  const std::int64_t size = std::int64_t{1} << 25;
  const ValueId shape = graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {size}));
  const ValueId zeros = *graph.Add("ConstantOfShape", {shape});
  graph.AddOutput("y", *graph.Add("Add", {zeros, x}));
  const Type input = graph.value(x).type;
  kernels::PackStore store;
  const auto plan = MakePlan(std::move(graph), {input}, {}, store);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ((*plan)->steps.size(), 2U);
}

}  // namespace
}  // namespace athanor::plan
