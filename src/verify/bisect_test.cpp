#include "verify/bisect.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "ops/catalog.h"
#include "verify/layout.h"
#include "verify/random_inputs.h"

namespace athanor {
namespace {

// Two branches from %a that meet in %sum; the weights of the second are `branch`.
std::string TwoBranches(const std::string& branch) {
  return R"(graph main(x: f32[2, 4]) -> (y: f32[2, 4]) {
  const %w: f32[4, 4] = random(1)
  const %left: f32[4, 4] = random(2)
  const %right: f32[4, 4] = )" +
         branch + R"(
  %a: f32[2, 4] = MatMul(%x, %w) @a
  %b: f32[2, 4] = MatMul(%a, %left) @b
  %c: f32[2, 4] = MatMul(%a, %right) @c
  %d: f32[2, 4] = Tanh(%c) @d
  %sum: f32[2, 4] = Add(%b, %d) @sum
  %y: f32[2, 4] = Sigmoid(%sum) @y
})";
}

Graph Parsed(const std::string& text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *std::move(graph);
}

Trace TraceOf(const std::string& text, SessionOptions options = {.device = "reference"}) {
  Graph graph = Parsed(text);
  std::vector<Datum> inputs = *RandomInputs(graph);
  Result<Trace> trace = RunTraced(std::move(graph), std::move(inputs), {.session = options});
  EXPECT_TRUE(trace.ok()) << trace.status().ToString();
  return *std::move(trace);
}

std::string NameOfFirst(const Bisection& found, const Trace& b) {
  return found.suspects.empty() ? "" : b.values[found.pairs[found.suspects[0].pair].b].name;
}

TEST(RunTraced, GivesEveryNodeWithWhatItReads) {
  const Trace trace = TraceOf(TwoBranches("random(3)"));
  ASSERT_EQ(trace.values.size(), 6U);
  const TracedValue& c = trace.values[2];
  EXPECT_EQ(c.name, "c");
  EXPECT_EQ(c.op, "MatMul");
  ASSERT_EQ(c.inputs.size(), 2U);
  EXPECT_EQ(c.inputs[0].value, std::optional<std::size_t>(0));
  EXPECT_EQ(c.inputs[1].name, "right");
  ASSERT_TRUE(c.inputs[1].constant.has_value());
  ASSERT_EQ(trace.outputs.size(), 1U);
  EXPECT_EQ(trace.outputs[0].value, std::optional<std::size_t>(5));
}

TEST(RunTraced, NamesAllNodesThatRanAsOne) {
  const Trace trace = TraceOf(R"(graph main(x: f32[8, 16]) -> (y: f32[8, 16]) {
  const %w: f32[16, 16] = random(1)
  const %b: f32[16] = random(2)
  %p: f32[8, 16] = Gemm(%x, %w, %b)
  %y: f32[8, 16] = Relu(%p)
})",
                              {.device = "cpu"});
  ASSERT_EQ(trace.values.size(), 1U);
  EXPECT_EQ(trace.values[0].op, "Gemm + Relu");
  EXPECT_EQ(trace.values[0].inputs.size(), 3U);
}

TEST(RunTraced, StopsBeforeItTakesMoreMemoryThanAllowed) {
  Graph graph = Parsed(TwoBranches("random(3)"));
  std::vector<Datum> inputs = *RandomInputs(graph);
  const Result<Trace> trace =
      RunTraced(std::move(graph), std::move(inputs),
                {.session = {.device = "reference"}, .max_bytes = 40});  // one value has 32
  EXPECT_EQ(trace.status().code(), ErrorCode::kResource);
}

TEST(Bisect, FindsTheOneNodeWhoseWeightsWereChanged) {
  const Trace a = TraceOf(TwoBranches("random(3)")), b = TraceOf(TwoBranches("random(4)"));
  const Result<Bisection> found = Bisect(a, b, {});
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->differs());
  ASSERT_EQ(found->suspects.size(), 1U);
  EXPECT_EQ(NameOfFirst(*found, b), "c");
  const Suspect& suspect = found->suspects[0];
  ASSERT_EQ(suspect.inputs.size(), 2U);
  EXPECT_EQ(suspect.inputs[0].name, "a");
  EXPECT_EQ(suspect.inputs[0].error->rel_l2, 0);  // its input agrees to the last bit
  EXPECT_EQ(suspect.inputs[1].name, "right");
  EXPECT_TRUE(suspect.inputs[1].error->differs);
  int differing = 0;
  for (const ValuePair& pair : found->pairs) differing += pair.error.differs ? 1 : 0;
  EXPECT_EQ(differing, 4);  // c and what is computed from it: d, sum, y
}

TEST(Bisect, SameModelsDifferNowhere) {
  const Trace a = TraceOf(TwoBranches("random(3)"));
  const Result<Bisection> found = Bisect(a, a, {});
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->differs());
  EXPECT_TRUE(found->suspects.empty());
}

TEST(Bisect, PositionsDoWhereNamesDiffer) {
  const Trace a = TraceOf(TwoBranches("random(3)"));
  Trace b = TraceOf(TwoBranches("random(4)"));
  for (TracedValue& value : b.values) value.name = "other_" + value.name;
  const Result<Bisection> found = Bisect(a, b, {});
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->pairs.size(), 6U);
  for (const ValuePair& pair : found->pairs) EXPECT_EQ(pair.a, pair.b);
  EXPECT_EQ(NameOfFirst(*found, b), "other_c");
}

// A formula that one side writes with more nodes: Relu6 as Clip, and as Relu and Min.
TEST(Bisect, GoesPastNodesThatOnlyOneSideHas) {
  const auto model = [](const std::string& middle, const std::string& last) {
    return "graph main(x: f32[2, 4]) -> (y: f32[2, 4]) {\n  const %w: f32[4, 4] = random(1)\n"
           "  const %v: f32[4, 4] = " +
           last +
           "\n  const %zero: f32[] = 0\n"
           "  const %one: f32[] = 0.5\n  %a1: f32[2, 4] = MatMul(%x, %w)\n" +
           middle + "  %y: f32[2, 4] = MatMul(%m, %v) @last\n}";
  };
  const std::string clip = "  %m: f32[2, 4] = Clip(%a1, %zero, %one)\n";
  const std::string two = "  %r: f32[2, 4] = Relu(%a1)\n  %m: f32[2, 4] = Min(%r, %one)\n";
  const Trace a = TraceOf(model(clip, "random(5)"));
  Trace b = TraceOf(model(two, "random(6)"));
  for (TracedValue& value : b.values) value.name += "_b";
  const Result<Bisection> found = Bisect(a, b, {});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->only_b, 1U);
  EXPECT_EQ(NameOfFirst(*found, b), "y_b");
  ASSERT_EQ(found->suspects.size(), 1U);
  EXPECT_FALSE(found->suspects[0].inputs[0].error->differs);
}

TEST(Bisect, ChannelsLastIsTheSamePicture) {
  const Trace a = TraceOf(R"(graph main(x: f32[1, 3, 4, 5]) -> (y: f32[1, 3, 4, 5]) {
  %s: f32[1, 3, 4, 5] = Sigmoid(%x)
  %y: f32[1, 3, 4, 5] = Neg(%s)
})");
  Trace b = a;
  for (TracedValue& value : b.values) value.datum = *Permuted(value.datum.tensor(), {0, 2, 3, 1});
  b.outputs[0].datum = b.values[1].datum;
  const Result<Bisection> found = Bisect(a, b, {});
  ASSERT_TRUE(found.ok());
  EXPECT_FALSE(found->differs());
  EXPECT_EQ(found->pairs[0].error.layout, "channels last -> first");
}

// One side keeps a value in an order of its own, which is no fault while the outputs agree.
TEST(Bisect, WhatNoOutputFeelsIsNoSuspect) {
  const Trace a = TraceOf(TwoBranches("random(3)"));
  Trace b = a;
  auto values = b.values[1].datum.tensor().Clone();
  std::reverse(values->MutableData<float>().begin(), values->MutableData<float>().end());
  b.values[1].datum = *values;
  const Result<Bisection> found = Bisect(a, b, {});
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->pairs[1].error.differs);
  EXPECT_FALSE(found->differs());
  EXPECT_TRUE(found->suspects.empty());
}

TEST(Bisect, ARecordingOfAnotherEngineNeedsNoNodes) {
  const Trace a = TraceOf(TwoBranches("random(3)")), other = TraceOf(TwoBranches("random(4)"));
  Trace recording;
  for (const TracedValue& value : other.values)
    recording.values.push_back({.name = value.name, .datum = value.datum});
  const Result<Bisection> found = Bisect(a, recording, {});
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->differs());
  ASSERT_EQ(found->suspects.size(), 1U);
  EXPECT_EQ(NameOfFirst(*found, recording), "c");
}

TEST(ErrorOf, ComparesPrecisionsAndSaysWhatCannotBeCompared) {
  const Tensor single = Tensor::FromVector<float>({2}, {1, 2});
  const Tensor twice = Tensor::FromVector<double>({2}, {1, 2.5});
  const ValueError error = ErrorOf(twice, single, {});
  EXPECT_TRUE(error.differs);
  EXPECT_DOUBLE_EQ(error.max_abs, 0.5);
  EXPECT_DOUBLE_EQ(error.rel_l2, 0.5 / std::sqrt(5.0));  // |(0, 0.5)| / |(1, 2)|
  EXPECT_TRUE(ErrorOf(Tensor::FromVector<float>({3}, {1, 2, 3}), single, {}).differs);
  EXPECT_FALSE(ErrorOf(Tensor::FromVector<float>({1, 2}, {1, 2}), single, {}).differs);
  EXPECT_TRUE(ErrorOf(Tensor::FromVector<float>({2}, {1, NAN}), single, {}).differs);
}

}  // namespace
}  // namespace athanor
