// Steps whose shapes depend on data, and bodies of If, Loop and Scan, run on kernels as well.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/catalog.h"
#include "plan/ready_node.h"
#include "runtime/session.h"

namespace athanor {
namespace {

Graph Parse(std::string_view text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *std::move(graph);
}

void ExpectSameAsReference(const Graph& graph, const std::vector<Datum>& inputs) {
  const auto cpu = *Session::Create(graph.Clone(), {.device = "cpu", .threads = 2, .poison = true});
  const auto reference = *Session::Create(graph.Clone(), {.device = "reference"});
  const Result<std::vector<Datum>> expected = reference->Run(inputs);
  ASSERT_TRUE(expected.ok()) << expected.status().ToString();
  for (int run = 0; run < 2; ++run) {
    const Result<std::vector<Datum>> actual = cpu->Run(inputs);
    ASSERT_TRUE(actual.ok()) << actual.status().ToString();
    ASSERT_EQ(actual->size(), expected->size());
    for (std::size_t i = 0; i < actual->size(); ++i) {
      const Tensor &a = (*actual)[i].tensor(), &b = (*expected)[i].tensor();
      ASSERT_EQ(a.dims(), b.dims());
      const std::vector<double> x = *ToDoubles(a), y = *ToDoubles(b);
      for (std::size_t k = 0; k < x.size(); ++k)
        ASSERT_NEAR(x[k], y[k], 1e-5 * (1 + std::abs(y[k]))) << "output " << i;
    }
  }
}

Tensor Numbers(Dims dims) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  float i = 0;
  for (float& x : tensor.MutableData<float>()) x = std::sin(0.7F * ++i);
  return tensor;
}

constexpr std::string_view kSelection = R"(
graph g(x: f32[6, 5], w: f32[5, 4]) -> (y, n) {
  const %zero: f32[] = 0
  const %axis: i64[1] = [1]
  const %one: i64[1] = [1]
  const %big: i64[1] = [99]
  %sums = ReduceSum(%x, %axis) {keepdims = 0}
  %positive = Greater(%sums, %zero)
  %n = NonZero(%positive)
  %rows = Compress(%x, %positive) {axis = 0}
  %product = MatMul(%rows, %w)
  %rest = Slice(%product, %one, %big)
  %y = Relu(%rest)
}
)";

TEST(UnplannedSteps, AgreeWithTheReferenceForEveryAmountOfData) {
  const Graph graph = Parse(kSelection);
  for (const float shift : {0.0F, 0.4F, -0.4F, 5.0F, -5.0F}) {
    Tensor x = Numbers({6, 5});
    for (float& value : x.MutableData<float>()) value += shift;
    ExpectSameAsReference(graph, {x, Numbers({5, 4})});
  }
}

TEST(UnplannedSteps, RunOnKernels) {
  const Graph graph = Parse(kSelection);
  const std::vector<NodeId> order = *graph.Order();
  kernels::PackStore store;
  const std::vector<std::pair<std::string_view, std::vector<Datum>>> cases = {
      {"NonZero", {Tensor::FromVector<bool>({3}, {true, false, true})}},
      {"Compress", {Numbers({3, 5}), Tensor::FromVector<bool>({3}, {true, false, true})}},
      {"MatMul", {Numbers({2, 5}), Numbers({5, 4})}},
      {"Relu", {Numbers({1, 4})}},
  };
  for (const auto& [op, inputs] : cases) {
    for (const NodeId id : order) {
      if (graph.node(id).op->name != op) continue;
      const std::vector<const Tensor*> constants(inputs.size(), nullptr);
      const Result<ReadyNode> ready = MakeReady(graph.node(id), inputs, constants, {}, store);
      ASSERT_TRUE(ready.ok()) << ready.status().ToString();
      EXPECT_NE(ready->kernel, nullptr) << op;
    }
  }
}

TEST(UnplannedSteps, AreToldFromThoseOfTheReference) {
  kernels::PackStore store;
  const std::vector<Type> types = {Type::Of(Numbers({6, 5})), Type::Of(Numbers({5, 4}))};
  const auto selection = *MakePlan(Parse(kSelection), types, {}, store);
  int later = 0;
  for (const Step& step : selection->steps) {
    if (step.kernel != nullptr) continue;
    EXPECT_TRUE(MayBecomeReady(*selection, step));
    ++later;
  }
  EXPECT_EQ(later, 5);  // all behind ReduceSum and Greater
  const auto inverse = *MakePlan(Parse("graph g(x: f32[3, 3]) -> (y) { %y = Inverse(%x) }"),
                                 {Type::Of(Numbers({3, 3}))}, {}, store);
  EXPECT_EQ(inverse->steps[0].kernel, nullptr);
  EXPECT_FALSE(MayBecomeReady(*inverse, inverse->steps[0]));
}

TEST(UnplannedSteps, ReportAnIndexOutsideAsDataError) {
  const Graph graph = Parse(R"(
graph g(x: f32[4, 3], i: i64[2]) -> (y) {
  %y = Gather(%x, %i)
}
)");
  const auto session = *Session::Create(graph.Clone(), {});
  const Tensor outside = Tensor::FromVector<std::int64_t>({2}, {1, 4});
  EXPECT_EQ(session->Run({Numbers({4, 3}), outside}).status().code(), ErrorCode::kDataError);
}

TEST(Bodies, RunPlannedForTheShapeAtHand) {
  const Graph graph = Parse(R"(
graph g(c: bool[], x: f32[3, 4]) -> (y) {
  %y = If(%c; %x)
    then_branch = graph t(x: f32[3, 4]) -> (r) {
      %a = Relu(%x)
      %r = Neg(%a)
    }
    else_branch = graph e(x: f32[3, 4]) -> (r) {
      %r = Sigmoid(%x)
    }
}
)");
  for (const bool choice : {true, false})
    ExpectSameAsReference(graph, {Tensor::Scalar(choice), Numbers({3, 4})});
}

// Its state has another shape in every round: too many for a plan each.
TEST(Bodies, OfALoopThatAppendsGetOneOpenPlan) {
  const Graph graph = Parse(R"(
graph g(n: i64[], x: f32[1, 4]) -> (y) {
  %y = Loop(%n, _, %x; %x)
    body = graph b(i: i64[], c: bool[], s: f32[?, 4], x: f32[1, 4]) -> (c2, t) {
      %c2 = Identity(%c)
      %d = Sigmoid(%s)
      %t = Concat(%d, %x) {axis = 0}
    }
}
)");
  for (const std::int64_t rounds : {0, 1, 3, 20})
    ExpectSameAsReference(graph, {Tensor::Scalar(rounds), Numbers({1, 4})});
}

// The comparison was once written over its second operand: as many bytes, but repeated.
TEST(Plans, KeepAnOperandThatIsRepeatedOutOfTheResult) {
  const Graph graph = Parse(R"(
graph g(x: i64[8, 1], y: i64[1, 4]) -> (z) {
  %a = Neg(%x)
  %b = Neg(%y)
  %z = Less(%a, %b)
}
)");
  const Tensor x = Tensor::FromVector<std::int64_t>({8, 1}, {5, 1, 4, 2, 8, -3, 0, 7});
  const Tensor y = Tensor::FromVector<std::int64_t>({1, 4}, {3, 1, 6, -2});
  ExpectSameAsReference(graph, {x, y});
}

TEST(Plans, JoinAndCutWithoutCopies) {
  const Graph graph = Parse(R"(
graph g(x: f32[1, 3, 5], y: f32[1, 2, 5]) -> (p, q, r, s) {
  const %sizes: i64[3] = [1, 4, 5]
  const %from: i64[1] = [1]
  const %to: i64[1] = [3]
  const %axis: i64[1] = [1]
  %a = Sigmoid(%x)
  %b = Tanh(%y)
  %whole = Concat(%a, %b, %a) {axis = 1}
  %more = Concat(%whole, %b) {axis = 1}
  %n = Neg(%whole)
  %p, %u, %v = Split(%more, %sizes) {axis = 1}
  %q = Relu(%u)
  %r = Add(%v, %v)
  %cut = Slice(%n, %from, %to, %axis)
  %s = Abs(%cut)
}
)");
  Tensor x = Numbers({1, 3, 5}), y = Numbers({1, 2, 5});
  ExpectSameAsReference(graph, {x, y});
  // A part of an input that is an output.
  ExpectSameAsReference(Parse(R"(
graph g(x: f32[4, 5]) -> (a, b) {
  const %sizes: i64[2] = [1, 3]
  %a, %b = Split(%x, %sizes) {axis = 0}
}
)"),
                        {Numbers({4, 5})});
}

}  // namespace
}  // namespace athanor
