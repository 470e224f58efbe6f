#include "ir/graph.h"

#include <gtest/gtest.h>

#include <chrono>

namespace athanor {
namespace {

Status SameAsFirst(InferCtx& ctx) {
  ctx.out[0] = ctx.In(0);
  return {};
}

const Catalog& TestCatalog() {
  static const Catalog catalog({
      {.name = "Copy", .inputs = {{"x", ""}}, .outputs = {{"y", ""}}, .infer = SameAsFirst},
      {.name = "Join",
       .inputs = {{"x", "", kVariadicPort}},
       .outputs = {{"y", ""}},
       .infer = SameAsFirst},
  });
  return catalog;
}

Type Pair() { return Type::Tensor(DType::kF32, {2}); }

// Inference of each operator of any number of inputs followed the omitted one to nowhere.
TEST(Graph, NoneOfAnyNumberOfInputsIsOmitted) {
  Graph graph(TestCatalog());
  const ValueId x = graph.AddInput("x", Pair());
  for (const std::vector<ValueId>& inputs :
       {std::vector<ValueId>{kNoValue}, {kNoValue, x}, {x, kNoValue}, {x, x, kNoValue, x}}) {
    const Result<ValueId> joined = graph.Add("Join", inputs);
    ASSERT_FALSE(joined.ok());
    EXPECT_NE(joined.status().message().find("(x) is required"), std::string::npos)
        << joined.status().ToString();
  }
  EXPECT_TRUE(graph.Add("Join", {x, x}).ok());
}

// Each use was looked up in the list of all users: a file of a few megabytes took minutes.
TEST(Graph, AHundredThousandUsesOfOneValueTakeNoTime) {
  const auto start = std::chrono::steady_clock::now();
  Graph graph(TestCatalog());
  const ValueId x = graph.AddInput("x", Pair()), z = graph.AddInput("z", Pair());
  std::vector<ValueId> copies;
  for (int i = 0; i < 100'000; ++i) {
    const Result<ValueId> copy = graph.Add("Copy", {x});
    ASSERT_TRUE(copy.ok());
    copies.push_back(*copy);
  }
  const Result<ValueId> joined = graph.Add("Join", copies);
  const Result<ValueId> repeated = graph.Add("Join", std::vector<ValueId>(100'000, x));
  ASSERT_TRUE(joined.ok() && repeated.ok());
  graph.AddOutput("y", *joined);
  graph.AddOutput("r", *repeated);
  EXPECT_TRUE(Verify(graph).ok());
  graph.ReplaceUses(x, z);
  EXPECT_EQ(graph.num_uses(x), 0U);
  EXPECT_EQ(graph.num_uses(z), 200'000U);
  EXPECT_TRUE(Verify(graph).ok());
  // A quarter of a second here; half a minute when each use is looked up.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Graph, AnInputThatIsReplacedWhileANodeUsesItIsReported) {
  Graph graph(TestCatalog());
  const ValueId x = graph.AddInput("x", Pair());
  const Result<ValueId> y = graph.Add("Copy", {x}, {}, "copy");
  ASSERT_TRUE(y.ok());
  graph.AddOutput("y", *y);
  EXPECT_TRUE(Verify(graph).ok());
  graph.ReorderInputs({});
  EXPECT_EQ(Verify(graph).ToString(),
            "error ATH-2001 [import] node \"copy\" (Copy): value \"x\" is used but never defined");
}

TEST(Graph, ANodeWhoseOutputIsUsedTwiceByOneNodeIsListedTwice) {
  Graph graph(TestCatalog());
  const ValueId x = graph.AddInput("x", Pair());
  const Result<ValueId> y = graph.Add("Join", {x, x});
  ASSERT_TRUE(y.ok());
  EXPECT_EQ(graph.num_uses(x), 2U);
  EXPECT_TRUE(Verify(graph).ok());
  graph.EraseNode(graph.value(*y).producer);
  EXPECT_EQ(graph.num_uses(x), 0U);
  EXPECT_TRUE(Verify(graph).ok());
}

}  // namespace
}  // namespace athanor
