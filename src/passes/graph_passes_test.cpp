// Passes that are not rules, and the pipeline as a whole.
#include "passes/clean.h"
#include "passes/fold.h"
#include "passes/pipeline.h"
#include "passes/structure.h"
#include "passes/testing.h"

namespace athanor::passes {
namespace {

int CountOf(const Graph& graph, std::string_view op) {
  int count = 0;
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    count += graph.IsLive(id) && graph.node(id).op->name == op ? 1 : 0;
  }
  return count;
}

TEST(FoldConstants, EvaluatesWhatIsKnownAndKeepsNames) {
  Graph graph = Parse(R"(graph g(x: f32[2]) -> (y: f32[2], s: f32[2]) {
    const %a: f32[2] = [1, 2]
    const %b: f32[2] = [3, 4]
    %s = Add(%a, %b)
    %y = Mul(%x, %s)
  })");
  ASSERT_EQ(*FoldConstants(graph), 1);
  const Tensor* sum = graph.Constant(graph.outputs()[1].value);
  ASSERT_NE(sum, nullptr);
  EXPECT_EQ(sum->Data<float>()[1], 6.0F);
  EXPECT_EQ(graph.value(graph.outputs()[1].value).name, "s");
}

TEST(WidenHalves, ComputesInF32BetweenTheSameInputsAndOutputs) {
  const auto make = [] {
    return Parse(R"(graph g(x: f16[2, 3], i: i64[2]) -> (y: f16[2, 4], t: f16[2, 4], r: f16[2, 3]) {
      const %w: f16[3, 4] = random(1)
      const %table: f16[5, 4] = random(2)
      const %eight: f32[] = 8
      %m = MatMul(%x, %w) @m
      %t = Gather(%table, %i)
      %s = Add(%m, %t)
      %y = Tanh(%s)
      %wide = Cast(%x) {to = f32}
      %more = Mul(%wide, %eight)
      %rounded = Cast(%more) {to = f16}
      %r = Neg(%rounded)
    })");
  };
  Graph graph = make();
  EXPECT_EQ(*WidenHalves(graph), 4);  // what computes on x: the rows of the table stay as they are
  ASSERT_TRUE(Verify(graph).ok());
  for (const GraphOutput& output : graph.outputs())
    EXPECT_EQ(graph.value(output.value).type.dtype, DType::kF16) << output.name;
  for (std::size_t n = 0; n < graph.node_capacity(); ++n) {
    const auto id = static_cast<NodeId>(n);
    if (!graph.IsLive(id)) continue;
    const Node& node = graph.node(id);
    const bool half = graph.value(node.outputs[0]).type.dtype == DType::kF16;
    EXPECT_EQ(half,
              node.op->name == "Gather" || (node.op->name == "Cast" &&
                                            graph.value(node.inputs[0]).type.dtype == DType::kF32))
        << node.op->name;
  }
  EXPECT_EQ(*WidenHalves(graph), 0);
  ExpectSameResults(make(), graph, 1);
}

// Casts and f32 copies of the constants stayed behind when no node could take them.
TEST(WidenHalves, LeavesNothingBehindWhereTheOperatorTakesHalvesOnly) {
  std::vector<OpDef> ops = ops::Standard().ops();
  ops.push_back({.name = "HalvesOnly",
                 .inputs = {{"x", ""}, {"w", ""}},
                 .outputs = {{"y", ""}},
                 .traits = kPure,
                 .infer = [](InferCtx& ctx) -> Status {
                   if (ctx.In(0).dtype != DType::kF16) return InvalidModel("f16 only");
                   ctx.out[0] = ctx.In(0);
                   return {};
                 },
                 .reference = [](RefCtx&) -> Status { return {}; }});
  const Catalog catalog(std::move(ops));
  Graph graph(catalog);
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF16, {2}));
  const ValueId w = graph.AddConstant(*Tensor::Allocate(DType::kF16, {2}));
  graph.AddOutput("y", *graph.Add("HalvesOnly", {x, w}));
  EXPECT_EQ(*WidenHalves(graph), 0);
  EXPECT_EQ(graph.num_nodes(), 1U);
  for (std::size_t v = 0; v < graph.value_capacity(); ++v) {
    const auto id = static_cast<ValueId>(v);
    EXPECT_TRUE(graph.Constant(id) == nullptr || id == w) << graph.Constant(id)->dims()[0];
  }
}

TEST(FoldConstants, DoesNotMakeConstantsThatAreTooLarge) {
  Graph graph = Parse(R"(graph g() -> (y: f32[4096, 4096]) {
    const %a: f32[4096, 1] = fill(1)
    const %b: f32[4096] = fill(2)
    %y = Add(%a, %b)
  })");
  FoldLimits limits;
  limits.max_bytes = 1 << 20;
  EXPECT_EQ(*FoldConstants(graph, limits), 0);
}

TEST(FoldConstants, KeepsQuantizedWeightsVisible) {
  Graph graph = Parse(R"(graph g() -> (y: f32[2]) {
    const %a: i8[2] = [1, 2]
    const %s: f32[] = 0.5
    %y = DequantizeLinear(%a, %s)
  })");
  EXPECT_EQ(*FoldConstants(graph), 0);
}

TEST(FoldShapes, FollowsArithmeticOnKnownShapes) {
  Graph graph = Parse(R"(graph g(x: f32[2, 3]) -> (y: i64[2]) {
    %y = Shape(%x)
  })");
  ASSERT_EQ(*FoldShapes(graph), 1);
  EXPECT_EQ(*KnownInts(graph, graph.outputs()[0].value), (std::vector<std::int64_t>{2, 3}));
}

TEST(FoldShapes, LeavesSymbolsAlone) {
  Graph graph = Parse(R"(graph g(x: f32[N, 3]) -> (y: i64[2]) {
    %y = Shape(%x)
  })");
  EXPECT_EQ(*FoldShapes(graph), 0);
}

TEST(MergeEqualShapes, ComputesOneExpressionOnce) {
  Graph graph = Parse(R"(graph g(x: f32[N, 3], z: f32[N, 4]) -> (y: i64[2]) {
    %a = Shape(%x) {start = 0, end = 1}
    %b = Shape(%z) {start = 0, end = 1}
    %y = Concat(%a, %b) {axis = 0}
  })");
  const Graph before = graph.Clone();
  EXPECT_EQ(*MergeEqualShapes(graph), 1);
  EXPECT_TRUE(Verify(graph).ok());
  ExpectSameResults(before, graph, 1);
  EXPECT_EQ(*MergeEqualShapes(graph), 0);
}

TEST(EraseDeadNodes, RemovesChainsAndLetsGoOfTheirConstants) {
  Graph graph = Parse(R"(graph g(x: f32[2]) -> (y: f32[2]) {
    const %a: f32[2] = [1, 2]
    %unused = Mul(%x, %a)
    %more = Relu(%unused)
    %y = Relu(%x)
  })");
  EXPECT_EQ(*EraseDeadNodes(graph), 2);
  for (std::size_t i = 0; i < graph.value_capacity(); ++i)
    EXPECT_EQ(graph.Constant(static_cast<ValueId>(i)), nullptr);
}

TEST(MergeEqualNodes, MergesEqualConstantsAndCommutedInputs) {
  Graph graph = Parse(R"(graph g(x: f32[2]) -> (y: f32[2]) {
    const %a: f32[2] = [1, 2]
    const %b: f32[2] = [1, 2]
    %p = Add(%x, %a)
    %q = Add(%b, %x)
    %y = Mul(%p, %q)
  })");
  const Graph before = graph.Clone();
  EXPECT_EQ(*MergeEqualNodes(graph), 2);
  EXPECT_EQ(graph.num_nodes(), 2U);
  ExpectSameResults(before, graph, 1);
}

TEST(MergeEqualNodes, TellsAttributesApart) {
  Graph graph = Parse(R"(graph g(x: f32[2, 2]) -> (y: f32[4, 2], z: f32[2, 4]) {
    %y = Concat(%x, %x) {axis = 0}
    %z = Concat(%x, %x) {axis = 1}
  })");
  EXPECT_EQ(*MergeEqualNodes(graph), 0);
}

TEST(InlineKnownBranches, TakesTheBranchWithItsCaptures) {
  ASSERT_NE(ops::Standard().Find("If"), nullptr);
  Graph graph = Parse(R"(graph g(x: f32[2]) -> (y: f32[2]) {
    const %yes: bool[] = 1
    const %two: f32[] = 2
    %y = If(%yes; %x, %two)
      then_branch = graph t(a: f32[2], b: f32[]) -> (r: f32[2]) {
        %r = Mul(%a, %b)
      }
      else_branch = graph e(a: f32[2], b: f32[]) -> (r: f32[2]) {
        %r = Relu(%a)
      }
  })");
  const Graph before = graph.Clone();
  ASSERT_EQ(*MoveConstantsIntoBodies(graph), 1);
  ASSERT_TRUE(Verify(graph).ok());
  ExpectSameResults(before, graph, 1);
  ASSERT_EQ(*InlineKnownBranches(graph), 1);
  ASSERT_TRUE(Verify(graph).ok());
  EXPECT_EQ(CountOf(graph, "If"), 0);
  EXPECT_EQ(CountOf(graph, "Mul"), 1);
  ExpectSameResults(before, graph, 2);
}

TEST(MergeSiblings, JoinsTheProductsOfAttention) {
  Graph graph = Parse(R"(graph g(x: f32[N, 3, 4]) -> (q: f32[N, 3, 4], k: f32[N, 3, 2]) {
    const %wq: f32[4, 4] = random(1)
    const %wk: f32[4, 2] = random(2)
    const %bq: f32[4] = random(3)
    const %bk: f32[2] = random(4)
    %a = MatMul(%x, %wq)
    %b = MatMul(%x, %wk)
    %q = Add(%a, %bq)
    %k = Add(%bk, %b)
  })");
  const Graph before = graph.Clone();
  ASSERT_EQ(*MergeSiblings(graph), 1);
  ASSERT_TRUE(Verify(graph).ok());
  EXPECT_EQ(graph.num_nodes(), 3U);
  ExpectSameResults(before, graph, 1);
}

TEST(MergeSiblings, JoinsNarrowConvolutionsOfOneGeometryOnly) {
  ASSERT_NE(ops::Standard().Find("Conv"), nullptr);
  Graph graph = Parse(
      R"(graph g(x: f32[1, 2, 5, 5]) -> (p: f32[1, 3, 5, 5], q: f32[1, 2, 5, 5], r: f32[1, 2, 3, 3]) {
    const %w: f32[3, 2, 3, 3] = random(1)
    const %v: f32[2, 2, 3, 3] = random(2)
    const %b: f32[2] = random(3)
    %p = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %q = Conv(%x, %v, %b) {pads = [1, 1, 1, 1]}
    %r = Conv(%x, %v, %b)
  })");
  const Graph before = graph.Clone();
  ASSERT_EQ(*MergeSiblings(graph), 1);
  ASSERT_TRUE(Verify(graph).ok());
  EXPECT_EQ(CountOf(graph, "Conv"), 2);
  ExpectSameResults(before, graph, 1);
}

constexpr std::string_view kResidual =
    R"(graph g(x: f32[1, 2, 7, 7], s: f32[1, 3, 7, 7]) -> (y: f32[1, 2, 4, 4], z: f32[1, 4, 4, 4]) {
    const %w: f32[3, 2, 3, 3] = random(1)
    const %v: f32[2, 3, 1, 1] = random(2)
    const %u: f32[4, 3, 1, 1] = random(3)
    %a = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %b = Add(%a, %s)
    %c = Relu(%b)
    %y = Conv(%c, %v) {strides = [2, 2]}
    %z = Conv(%c, %u) {strides = [2, 2]}
  })";

TEST(PullStridesUp, MovesTheStrideThroughAResidualBlock) {
  ASSERT_NE(ops::Standard().Find("MaxPool"), nullptr);
  Graph graph = Parse(kResidual);
  const Graph before = graph.Clone();
  ASSERT_EQ(*PullStridesUp(graph), 1);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).ToString();
  EXPECT_EQ(CountOf(graph, "MaxPool"), 1);
  EXPECT_EQ(CountOf(graph, "Conv"), 3);
  ExpectSameResults(before, graph, 1);
  EXPECT_EQ(*PullStridesUp(graph), 0);
}

TEST(PullStridesUp, LeavesAValueThatSomebodyReadsInFull) {
  ASSERT_NE(ops::Standard().Find("MaxPool"), nullptr);
  Graph graph = Parse(kResidual);
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).name == "c")
      graph.AddOutput("full", static_cast<ValueId>(i));
  }
  EXPECT_EQ(*PullStridesUp(graph), 0);
}

// A residual block of causal convolutions; `count` of 40 steps are read.
Graph ReadInPart(int start, int end, int step, int count) {
  return Parse(fmt::format(R"(graph g(x: f32[2, 3, 40]) -> (y: f32[2, 4, {}]) {{
    const %u: f32[4, 3, 3] = random(1)
    const %v: f32[4, 4, 3] = random(2)
    const %w: f32[4, 4, 3] = random(3)
    const %start: i64[1] = [{}]
    const %end: i64[1] = [{}]
    const %axis: i64[1] = [2]
    const %step: i64[1] = [{}]
    %a = Conv(%x, %u) {{pads = [2, 0]}}
    %b = Relu(%a)
    %c = Conv(%b, %v) {{pads = [4, 0], dilations = [2]}}
    %d = Add(%c, %b)
    %e = Conv(%d, %w) {{pads = [8, 0], dilations = [4]}}
    %y = Slice(%e, %start, %end, %axis, %step)
  }})",
                           count, start, end, step));
}

std::int64_t StepsOf(const Graph& graph, std::string_view name) {
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!graph.IsLive(id)) continue;
    const Value& value = graph.value(graph.node(id).outputs[0]);
    if (value.name == name) return value.type.dim(2).value();
  }
  return -1;
}

TEST(ComputeOnlyWhatIsRead, FollowsTheLastStepThroughDilatedConvolutions) {
  Graph graph = ReadInPart(39, 40, 1, 1);
  const Graph before = graph.Clone();
  ASSERT_EQ(*ComputeOnlyWhatIsRead(graph), 1);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).ToString();
  // By hand: step 39 is made of 31, 35, 39, which are made of 27, 29, ..., 39; those of 25 to 39.
  EXPECT_EQ(StepsOf(graph, "y"), 1);
  EXPECT_EQ(StepsOf(graph, "d"), 3);
  EXPECT_EQ(StepsOf(graph, "b"), 7);
  EXPECT_EQ(CountOf(graph, "Slice"), 2);  // of x, and of b for the sum
  ExpectSameResults(before, graph, 1);
  EXPECT_EQ(*ComputeOnlyWhatIsRead(graph), 0);
}

TEST(ComputeOnlyWhatIsRead, KeepsThePaddingThatIsRead) {
  Graph graph = ReadInPart(1, 30, 8, 4);
  const Graph before = graph.Clone();
  ASSERT_EQ(*ComputeOnlyWhatIsRead(graph), 1);
  ASSERT_TRUE(Verify(graph).ok()) << Verify(graph).ToString();
  EXPECT_EQ(StepsOf(graph, "y"), 4);
  EXPECT_EQ(StepsOf(graph, "d"), 7);  // 1, 5, ..., 25: what lies before is padding
  ExpectSameResults(before, graph, 1);
}

TEST(ComputeOnlyWhatIsRead, LeavesWhatIsReadInFull) {
  Graph graph = ReadInPart(39, 40, 1, 1);
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).name == "e")
      graph.AddOutput("full", static_cast<ValueId>(i));
  }
  EXPECT_EQ(*ComputeOnlyWhatIsRead(graph), 0);
}

TEST(Optimize, IsIdempotentAndReportsWhatFired) {
  Graph graph = Parse(R"(graph g(x: f32[N, 4]) -> (y: f32[N, 3]) {
    const %w: f32[4, 3] = random(1)
    const %b: f32[3] = random(2)
    const %s: f32[3] = random(3)
    %i = Identity(%x) @first
    %a = MatMul(%i, %w) @dense
    %c = Add(%a, %b)
    %y = Mul(%c, %s)
  })");
  const Graph before = graph.Clone();
  const Result<PassReport> report = Optimize(graph, {.verify = true});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->Fired().at("remove-identity"), 1);
  EXPECT_NE(report->ToString().find("remove-identity x1"), std::string::npos);
  ExpectSameResults(before, graph, 1);
  const std::string once = PrintText(graph);
  const Result<PassReport> again = Optimize(graph);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->runs.empty()) << again->ToString();
  EXPECT_EQ(PrintText(graph), once);
}

TEST(Optimize, TurnsARepVggBlockIntoOneConvolution) {
  Graph graph = Parse(R"(graph g(x: f32[1, 2, 5, 5]) -> (y: f32[1, 2, 5, 5]) {
    const %w: f32[2, 2, 3, 3] = random(1)
    const %v: f32[2, 2, 1, 1] = random(2)
    const %s: f32[2] = [1, 2]
    const %t: f32[2] = [3, 4]
    %c3 = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %b3 = BatchNormalization(%c3, %s, %t, %s, %t)
    %c1 = Conv(%x, %v)
    %b1 = BatchNormalization(%c1, %t, %s, %t, %s)
    %b0 = BatchNormalization(%x, %s, %s, %t, %t)
    %p = Add(%b1, %b0)
    %q = Add(%p, %b3)
    %y = Relu(%q)
  })");
  const Graph before = graph.Clone();
  ASSERT_TRUE(Optimize(graph, {.verify = true}).ok());
  EXPECT_EQ(graph.num_nodes(), 2U) << PrintText(graph);
  EXPECT_EQ(CountOf(graph, "Conv"), 1);
  ExpectSameResults(before, graph, 1);
}

TEST(Optimize, StopsAfterTheNamedRuleAndLeavesOutTheDisabled) {
  constexpr std::string_view kText = R"(graph g(x: f32[N, 4]) -> (y: f32[N, 4]) {
    %i = Identity(%x)
    %a = Relu(%i)
    %b = Relu(%a)
    %y = Neg(%b)
  })";
  Graph stopped = Parse(kText);
  ASSERT_TRUE(Optimize(stopped, {.until = "remove-identity"}).ok());
  EXPECT_EQ(stopped.num_nodes(), 3U);
  Graph disabled = Parse(kText);
  ASSERT_TRUE(Optimize(disabled, {.disable = {"remove-identity"}}).ok());
  EXPECT_EQ(disabled.num_nodes(), 3U);
  EXPECT_EQ(CountOf(disabled, "Identity"), 1);
}

TEST(Optimize, SuggestsTheNameThatWasMeant) {
  Graph graph = Parse("graph g(x: f32[N]) -> (y: f32[N]) {\n %y = Relu(%x)\n}");
  const Result<PassReport> report = Optimize(graph, {.until = "remove-identty"});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.status().code(), ErrorCode::kUnknownName);
  EXPECT_NE(report.status().message().find("remove-identity"), std::string::npos);
}

TEST(Rewrite, DropsAFormulaThatFailsAndLeavesTheGraphAsItWas) {
  Graph graph = Parse("graph g(x: f32[2]) -> (y: f32[2]) {\n %y = Relu(%x)\n}");
  const std::string before = PrintText(graph);
  Pat x = Any();
  const Rule rule = {.name = "wrong", .match = Relu(x), .build = [x](Builder& g) {
                       const Expr sum = g[x] + g[x];
                       return g.Op("MatMul", {sum, g.Ints({1, 2, 3})}) + sum;
                     }};
  EXPECT_TRUE(Rewrite(graph, std::span(&rule, 1))->empty());
  EXPECT_EQ(PrintText(graph), before);
  EXPECT_TRUE(Verify(graph).ok());
}

TEST(Rewrite, EndsWhenARuleUndoesItself) {
  Graph graph = Parse("graph g(x: f32[2]) -> (y: f32[2]) {\n %y = Neg(%x)\n}");
  Pat x = Any();
  const Rule rule = {.name = "endless", .match = Op("Neg", {x}), .build = [x](Builder& g) {
                       return g.Op("Neg", {g[x]});
                     }};
  const Result<Counts> counts = Rewrite(graph, std::span(&rule, 1));
  ASSERT_TRUE(counts.ok());
  EXPECT_LT(counts->at("endless"), 1000);
}

}  // namespace
}  // namespace athanor::passes
