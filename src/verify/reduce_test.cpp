#include "verify/reduce.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"
#include "verify/random_inputs.h"

namespace athanor {
namespace {

Candidate Parsed(const std::string& text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  std::vector<Datum> inputs = *RandomInputs(*graph);
  return {*std::move(graph), std::move(inputs)};
}

constexpr const char* kChain = R"(graph main(x: f32[N, 8]) -> (y: f32[N, 8], z: f32[N, 8]) {
  const %w: f32[8, 8] = random(1)
  const %v: f32[8, 8] = random(2)
  %a: f32[N, 8] = MatMul(%x, %w) @first
  %b: f32[N, 8] = Relu(%a) @relu
  %c: f32[N, 8] = Tanh(%b) @tanh
  %d: f32[N, 8] = MatMul(%c, %v) @second
  %z: f32[N, 8] = Sigmoid(%d) @sigmoid
  %y: f32[N, 8] = Add(%z, %b) @add
})";

std::vector<std::string> Ops(const Graph& graph) {
  std::vector<std::string> ops;
  const auto order = graph.Order();
  EXPECT_TRUE(order.ok());
  for (const NodeId id : *order) ops.push_back(graph.node(id).op->name);
  return ops;
}

bool Has(const Graph& graph, const std::string& op) {
  const std::vector<std::string> ops = Ops(graph);
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

Result<Reduced> ReduceChain(const FaultTest& fails, ReduceOptions options = {}) {
  return Reduce(Parsed(kChain), fails, options);
}

TEST(Reduce, LeavesTheOneNodeThatTheFaultNeeds) {
  const auto reduced =
      ReduceChain([](const Candidate& c) -> Result<bool> { return Has(c.graph, "Tanh"); });
  ASSERT_TRUE(reduced.ok());
  EXPECT_EQ(Ops(reduced->smallest.graph), (std::vector<std::string>{"Tanh"}));
  ASSERT_EQ(reduced->smallest.inputs.size(), 1U);
  EXPECT_EQ(reduced->smallest.graph.value(reduced->smallest.graph.inputs()[0]).name, "b");
  EXPECT_TRUE(Verify(reduced->smallest.graph).ok());
}

TEST(Reduce, KeepsTwoNodesThatAreFarApart) {
  const auto reduced = ReduceChain([](const Candidate& c) -> Result<bool> {
    return Has(c.graph, "Relu") && Has(c.graph, "Sigmoid");
  });
  ASSERT_TRUE(reduced.ok());
  EXPECT_EQ(Ops(reduced->smallest.graph), (std::vector<std::string>{"Relu", "Sigmoid"}));
}

// The fault needs what the one gives to reach the other, whatever lies between.
TEST(Reduce, PassesNodesByThatOnlyHandOn) {
  const auto reaches = [](const Candidate& c) -> Result<bool> {
    const Graph& graph = c.graph;
    for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
      const auto id = static_cast<NodeId>(i);
      if (!graph.IsLive(id) || graph.node(id).op->name != "Sigmoid") continue;
      std::vector<ValueId> open = graph.node(id).inputs;
      while (!open.empty()) {
        const NodeId producer = graph.value(open.back()).producer;
        open.pop_back();
        if (producer == kNoNode) continue;
        if (graph.node(producer).op->name == "Relu") return true;
        for (const ValueId input : graph.node(producer).inputs) open.push_back(input);
      }
    }
    return false;
  };
  const auto reduced = ReduceChain(reaches);
  ASSERT_TRUE(reduced.ok());
  EXPECT_EQ(Ops(reduced->smallest.graph), (std::vector<std::string>{"Relu", "Sigmoid"}));
}

TEST(Reduce, ShortensSizesTogetherAndEmptiesConstants) {
  const auto reduced =
      ReduceChain([](const Candidate& c) -> Result<bool> { return Has(c.graph, "MatMul"); });
  ASSERT_TRUE(reduced.ok());
  const Graph& graph = reduced->smallest.graph;
  ASSERT_EQ(Ops(graph), (std::vector<std::string>{"MatMul"}));
  ASSERT_EQ(reduced->smallest.inputs.size(), 1U);
  EXPECT_EQ(reduced->smallest.inputs[0].tensor().dims(), (Dims{1, 1}));
  const Tensor* weights = graph.Constant(graph.node(graph.Order()->front()).inputs[1]);
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(weights->dims(), (Dims{1, 1}));
}

TEST(Reduce, StopsAtTheLeastSizeThatFails) {
  const auto reduced = ReduceChain([](const Candidate& c) -> Result<bool> {
    return Has(c.graph, "Relu") && c.inputs[0].tensor().count() >= 4;
  });
  ASSERT_TRUE(reduced.ok());
  EXPECT_EQ(reduced->smallest.inputs[0].tensor().dims(), (Dims{1, 4}));
}

// What a part reads from the rest is what it read there.
TEST(Reduce, GivesCutInputsTheValuesTheyHad) {
  std::vector<float> seen;
  const auto reduced = ReduceChain([&](const Candidate& c) -> Result<bool> {
    if (!Has(c.graph, "Tanh")) return false;
    const bool alone = c.graph.num_nodes() == 1 && c.inputs[0].tensor().count() == 8;
    if (alone && seen.empty()) {
      const auto values = c.inputs[0].tensor().Data<float>();
      seen.assign(values.begin(), values.end());
    }
    return true;
  });
  ASSERT_TRUE(reduced.ok());
  ASSERT_EQ(seen.size(), 8U);
  const Candidate whole = Parsed(kChain);
  const Tensor* w = nullptr;
  for (std::size_t i = 0; i < whole.graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (whole.graph.value(id).name == "w") w = whole.graph.Constant(id);
  }
  ASSERT_NE(w, nullptr);
  const auto x = whole.inputs[0].tensor().Data<float>();
  for (std::size_t k = 0; k < 8; ++k) {  // relu(x w), by hand
    double sum = 0;
    for (std::size_t i = 0; i < 8; ++i) sum += double{x[i]} * w->Data<float>()[i * 8 + k];
    EXPECT_NEAR(seen[k], std::max(sum, 0.0), 1e-5);
  }
}

TEST(Reduce, IsTheSameEveryTime) {
  const FaultTest fails = [](const Candidate& c) -> Result<bool> {
    return Has(c.graph, "Add") && Has(c.graph, "Tanh");
  };
  const auto a = ReduceChain(fails), b = ReduceChain(fails);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(PrintText(a->smallest.graph), PrintText(b->smallest.graph));
  EXPECT_EQ(a->tests, b->tests);
}

TEST(Reduce, AModelThatDoesNotFailIsAnError) {
  const auto reduced = ReduceChain([](const Candidate&) -> Result<bool> { return false; });
  EXPECT_EQ(reduced.status().code(), ErrorCode::kInvalidInput);
}

TEST(Reduce, GivesWhatItHasWhenToldToStop) {
  int asked = 0;
  std::size_t nodes = 0;
  ReduceOptions options;
  options.stop = [&] { return ++asked > 4; };
  options.smaller = [&](const Candidate& c) -> Status {
    nodes = c.graph.num_nodes();
    return {};
  };
  const auto reduced =
      ReduceChain([](const Candidate& c) -> Result<bool> { return Has(c.graph, "Tanh"); }, options);
  ASSERT_TRUE(reduced.ok());
  EXPECT_TRUE(reduced->stopped);
  EXPECT_EQ(reduced->smallest.graph.num_nodes(), nodes);
  EXPECT_LT(nodes, 6U);
}

}  // namespace
}  // namespace athanor
