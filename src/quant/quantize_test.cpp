#include "quant/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ir/text.h"
#include "ops/catalog.h"
#include "plan/plan.h"
#include "quant/recurrent_weights.h"
#include "runtime/session.h"

namespace athanor::quant {
namespace {

constexpr std::string_view kNetwork = R"(
graph main(x: f32[1, 3, 12, 12]) -> (scores: f32[1, 5]) {
  const %w0: f32[8, 3, 3, 3] = random(1)
  const %b0: f32[8] = random(2)
  const %w1: f32[8, 1, 3, 3] = random(3)
  const %w2: f32[8, 8, 1, 1] = random(4)
  const %w3: f32[8, 5] = random(5)
  const %b3: f32[5] = random(6)
  %a = Conv(%x, %w0, %b0) {pads = [1, 1, 1, 1], strides = [2, 2]} @first
  %ar = Relu(%a)
  %b = Conv(%ar, %w1) {group = 8, pads = [1, 1, 1, 1]} @depthwise
  %br = HardSwish(%b)
  %c = Conv(%br, %w2) @pointwise
  %d = Add(%c, %ar) @residual
  %dr = Relu(%d)
  %p = MaxPool(%dr) {kernel_shape = [2, 2], strides = [2, 2]}
  %j = Concat(%p, %p) {axis = 2}
  %g = GlobalAveragePool(%j)
  %f = Flatten(%g)
  %s = Gemm(%f, %w3, %b3) @classes
  %scores = Softmax(%s)
}
)";

Graph Network() {
  Result<Graph> graph = ParseText(kNetwork, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *std::move(graph);
}

Result<std::vector<Datum>> Sample(std::size_t i) {
  ATH_TRY(Tensor x, Tensor::Allocate(DType::kF32, {1, 3, 12, 12}));
  std::uint64_t state = i * 77 + 1;
  for (float& value : x.MutableData<float>()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    value = static_cast<float>(state >> 40) / static_cast<float>(1 << 24) * 2 - 1;
  }
  return std::vector<Datum>{std::move(x)};
}

Graph Quantized(const RangeOptions& ranges = {}) {
  QuantizeReport report;
  Result<Graph> graph = QuantizeGraph(Network(), 8, Sample, {.ranges = ranges}, report);
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *std::move(graph);
}

TEST(ScaleFor, KeepsZeroExactAndNeverGivesASenselessScale) {
  EXPECT_EQ(ScaleFor({-1, 1.55F}).zero, 100);
  EXPECT_FLOAT_EQ(ScaleFor({0, 2.55F}).scale, 0.01F);
  EXPECT_EQ(ScaleFor({0, 2.55F}).zero, 0);
  EXPECT_EQ(ScaleFor({-2.55F, -1}).zero, 255);
  EXPECT_EQ(ScaleFor({0, 0}).scale, 1);
  EXPECT_EQ(ScaleFor({0, 1e-44F}).scale, 1);
  EXPECT_TRUE(std::isfinite(ScaleFor({-3e38F, 3e38F}).scale));
}

// 1.27 / 127 = 0.01 whichever side is the longer one; as i8 the zero point 128 is 0.
TEST(ScaleFor, GivesSymmetricRangesTheMiddleOfTheIntegers) {
  for (const Range range : {Range{-0.5F, 1.27F}, {-1.27F, 0.25F}, {0.5F, 1.27F}}) {
    const ByteScale by = ScaleFor(Mirrored(range));
    EXPECT_FLOAT_EQ(by.scale, 0.01F);
    EXPECT_EQ(by.zero, 128);
  }
  EXPECT_EQ(ScaleFor(Mirrored({0, 0})).scale, 1);
  EXPECT_EQ(ScaleFor(Mirrored({0, 0})).zero, 128);
  EXPECT_TRUE(std::isfinite(ScaleFor(Mirrored({-3e38F, 3e38F})).scale));
}

TEST(QuantizeGraph, SymmetricRangesAreSignedBytesWithoutZeroPoint) {
  const Graph float_graph = Network();
  QuantizeReport report;
  const Result<Graph> graph = QuantizeGraph(
      float_graph, 8, Sample, {.ranges = {.method = "auto", .symmetric = true}}, report);
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const Result<std::vector<NodeId>> order = graph->Order();
  ASSERT_TRUE(order.ok());
  int pairs = 0;
  for (const NodeId id : *order) {
    const Node& node = graph->node(id);
    if (node.op->name != "QuantizeLinear") continue;
    ++pairs;
    const Tensor* zero = graph->Constant(node.inputs[2]);
    ASSERT_EQ(zero->dtype(), DType::kI8) << node.name;
    EXPECT_EQ(zero->Data<std::int8_t>()[0], 0) << node.name;
  }
  EXPECT_GT(pairs, 3);
}

TEST(Histogram, DrawsTheEndsInWhereFewValuesAreFarOut) {
  std::vector<float> values(10'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 100) / 100;
  Histogram even({0, 0.99F});
  even.Add(values);
  EXPECT_FLOAT_EQ(LeastSquareError(even).high, 0.99F);
  Histogram outlier({0, 16});
  for (int i = 0; i < 100; ++i) outlier.Add(values);
  outlier.Add(std::vector<float>{16});
  // One value far out loses less by being cut than all others by longer steps.
  EXPECT_LT(LeastSquareError(outlier).high, 10);
  EXPECT_EQ(LeastSquareError(outlier).low, 0);
}

// Bytes made for a product that computes on floats would cost accuracy and save nothing.
TEST(LeaveAnswersReal, LetsProductsReadFloatsThatAreThereAnyway) {
  const Result<Graph> graph = ParseText(R"(
graph main(x: f32[1, 3, 12, 12]) -> (scores: f32[1, 5], more: f32[1, 5]) {
  const %w0: f32[8, 3, 3, 3] = random(1)
  const %w1: f32[8, 8, 3, 3] = random(2)
  const %w2: f32[8, 5] = random(3)
  %a = Conv(%x, %w0) @first
  %b = Conv(%a, %w1) @second
  %c = GlobalAveragePool(%b)
  %d = Flatten(%c)
  %scores = Gemm(%d, %w2) @reads_bytes
  %e = Softplus(%d)
  %more = Gemm(%e, %w2) @reads_floats
}
)",
                                        ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  Candidates candidates = *FindCandidates(*graph);
  LeaveAnswersReal(*graph, candidates);
  std::map<std::string, bool> in_float;
  for (const Candidate& c : candidates.nodes) in_float[graph->node(c.node).name] = c.InFloat();
  EXPECT_FALSE(in_float.at("second"));
  EXPECT_TRUE(in_float.at("reads_floats"));
}

TEST(RecurrentWeights, LieOnBytesWithAScaleForEachRow) {
  const Result<Graph> graph = ParseText(R"(
graph main(x: f32[4, 1, 6]) -> (y: f32[4, 2, 1, 5]) {
  const %w: f32[2, 20, 6] = random(1)
  const %r: f32[2, 20, 5] = random(2)
  %y = LSTM(%x, %w, %r) {hidden_size = 5, direction = "bidirectional"} @lstm
}
)",
                                        ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const Result<RecurrentWeights> small = StoreRecurrentWeights(*graph);
  ASSERT_TRUE(small.ok()) << small.status().ToString();
  EXPECT_EQ(small->stored, 2U);
  // Half a step of the row's largest weight, at most.
  const Tensor& w = *graph->Constant(graph->node((*graph->Order())[0]).inputs[1]);
  std::vector<float> read;
  for (std::size_t i = 0; i < small->graph.value_capacity(); ++i) {
    const Tensor* scale = small->graph.Constant(static_cast<ValueId>(i));
    if (small->graph.value(static_cast<ValueId>(i)).name == "lstm_w_scale")
      read.assign(scale->Data<float>().begin(), scale->Data<float>().end());
  }
  ASSERT_EQ(read.size(), 40U);
  for (std::size_t row = 0; row < read.size(); ++row) {
    float largest = 0;
    for (const float value : w.Data<float>().subspan(row * 6, 6))
      largest = std::max(largest, std::abs(value));
    EXPECT_FLOAT_EQ(read[row], largest / 127);
  }
  const Result<std::vector<NodeId>> order = small->graph.Order();
  const auto bytes = std::count_if(order->begin(), order->end(), [&](NodeId id) {
    return small->graph.node(id).op->name == "DequantizeLinear";
  });
  EXPECT_EQ(bytes, 2);
}

// What computes in float need not lie in the file as floats.
TEST(Quantize, StoresWeightsOnBytesOfProductsInFloat) {
  const Graph graph = Network();
  std::set<NodeId> products;
  const Candidates candidates = *FindCandidates(graph);
  for (const Candidate& c : candidates.nodes) {
    if (c.weights) products.insert(c.node);
  }
  products.erase(*products.rbegin());
  QuantizeReport report;
  const Result<Graph> small =
      QuantizeGraph(graph, 8, Sample, {.in_float = products, .store_in_float = true}, report);
  ASSERT_TRUE(small.ok()) << small.status().ToString();
  EXPECT_EQ(report.skipped.size(), products.size());
  const Result<std::vector<NodeId>> order = small->Order();
  ASSERT_TRUE(order.ok());
  for (const NodeId id : *order) {
    const Node& node = small->node(id);
    if (node.op->name != "Conv" && node.op->name != "Gemm") continue;
    const Node& weights = small->node(small->value(node.inputs[1]).producer);
    EXPECT_EQ(weights.op->name, "DequantizeLinear") << node.name;
    const bool in_float =
        small->value(node.inputs[0]).producer == kNoNode ||
        small->node(small->value(node.inputs[0]).producer).op->name != "DequantizeLinear";
    EXPECT_EQ(in_float, products.contains(id)) << node.name;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const std::vector<Datum> real = *Evaluate(graph, *Sample(i));
    const std::vector<Datum> got = *Evaluate(*small, *Sample(i));
    for (std::size_t k = 0; k < 5; ++k)
      EXPECT_NEAR(real[0].tensor().Data<float>()[k], got[0].tensor().Data<float>()[k], 0.02);
  }
}

// A layer whose weights all round down: without correction its outputs are too
// small on the mean.
TEST(Quantize, TakesBackInTheBiasWhatRoundingAddsToTheMean) {
  Result<Graph> graph = ParseText(R"(
graph main(x: f32[1, 4]) -> (y: f32[1, 2]) {
  const %w: f32[4, 2] = [1, 1, 0.0035, 0.0035, 0.0035, 0.0035, 0.0035, 0.0035]
  const %b: f32[2] = [0, 1]
  %y = Gemm(%x, %w, %b)
}
)",
                                  ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto sample = [](std::size_t i) -> Result<std::vector<Datum>> {
    const auto a = static_cast<float>(i);
    return std::vector<Datum>{Tensor::FromVector<float>({1, 4}, {a, 40 + a, 50 - a, 60})};
  };
  double errors[2] = {};
  for (const bool correct : {false, true}) {
    QuantizeReport report;
    const Result<Graph> small = QuantizeGraph(*graph, 4, sample, {.correct_bias = correct}, report);
    ASSERT_TRUE(small.ok()) << small.status().ToString();
    for (std::size_t i = 0; i < 4; ++i) {
      const float real = (*Evaluate(*graph, *sample(i)))[0].tensor().Data<float>()[0];
      const float got = (*Evaluate(*small, *sample(i)))[0].tensor().Data<float>()[0];
      errors[correct ? 1 : 0] += std::abs(real - got);
    }
  }
  EXPECT_LT(errors[1], errors[0] / 4);
}

TEST(Quantize, IsTheSameForAnyNumberOfThreads) {
  for (const char* method : {"minmax", "percentile", "average", "mse", "entropy", "aciq", "auto"}) {
    const std::string one = PrintText(Quantized({.method = method, .threads = 1}));
    EXPECT_EQ(one, PrintText(Quantized({.method = method, .threads = 2})));
    EXPECT_EQ(one, PrintText(Quantized({.method = method, .threads = 3})));
  }
}

TEST(Quantize, KeepsAnswersNearTheFloatOnes) {
  const Graph graph = Quantized();
  for (std::size_t i = 0; i < 4; ++i) {
    const Result<std::vector<Datum>> expected = Evaluate(Network(), *Sample(i));
    const Result<std::vector<Datum>> actual = Evaluate(graph, *Sample(i));
    ASSERT_TRUE(expected.ok() && actual.ok());
    const auto a = (*actual)[0].tensor().Data<float>(), b = (*expected)[0].tensor().Data<float>();
    for (std::size_t j = 0; j < a.size(); ++j) EXPECT_NEAR(a[j], b[j], 0.05);
  }
}

// Between the first QuantizeLinear and the first DequantizeLinear nothing is float; what follows
// computes the answers.
TEST(Quantize, LeavesNoFloatBetweenTheFirstAndTheLastInteger) {
  const Graph graph = Quantized();
  Graph lowered = graph.Clone();
  ASSERT_TRUE(LowerQuantized(lowered, true).ok());
  std::vector<std::string> float_nodes;
  const std::vector<NodeId> order = *lowered.Order();
  for (const NodeId id : order) {
    if (!lowered.node(id).attributes.Find("quant.arithmetic"))
      float_nodes.push_back(lowered.node(id).op->name);
  }
  // The weights and the bias of the Gemm are integers in the file.
  EXPECT_EQ(float_nodes,
            (std::vector<std::string>{"QuantizeLinear", "Concat", "Flatten", "DequantizeLinear",
                                      "DequantizeLinear", "DequantizeLinear", "Gemm", "Softmax"}))
      << PrintText(lowered);
}

// Two heads whose scores and coordinates meet in a Concat, as in a detector.
TEST(Quantize, LeavesAnswersRealAndWhatIsMadeOfThem) {
  const Result<Graph> graph = ParseText(R"(
graph main(x: f32[1, 3, 12, 12]) -> (y: f32[1, 6, 12, 12], z: f32[1, 32, 12, 12]) {
  const %w0: f32[32, 3, 3, 3] = random(1)
  const %w1: f32[32, 32, 3, 3] = random(2)
  const %w2: f32[2, 32, 1, 1] = random(3)
  const %w3: f32[4, 32, 1, 1] = random(4)
  const %w4: f32[32, 32, 3, 3] = random(5)
  %a = Conv(%x, %w0) {pads = [1, 1, 1, 1]} @body
  %b = Relu(%a)
  %c = Conv(%b, %w1) {pads = [1, 1, 1, 1]} @neck
  %d = Relu(%c)
  %e = Conv(%d, %w2) @scores
  %f = Sigmoid(%e)
  %g = Conv(%d, %w3) @boxes
  %y = Concat(%f, %g) {axis = 1}
  %z = Conv(%d, %w4) {pads = [1, 1, 1, 1]} @heavy
}
)",
                                        ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  QuantizeReport report;
  const Result<Graph> small = QuantizeGraph(*graph, 4, Sample, {}, report);
  ASSERT_TRUE(small.ok()) << small.status().ToString();
  std::vector<std::string> real;
  for (const Skipped& skipped : report.skipped) real.push_back(skipped.node);
  std::sort(real.begin(), real.end());
  EXPECT_EQ(real, (std::vector<std::string>{"boxes", "scores"}));
  // body and neck with their Relus, and the heavy one.
  EXPECT_EQ(report.quantized, 5U);
  const auto producer = [&](std::size_t i) {
    return small->node(small->value(small->outputs()[i].value).producer).op->name;
  };
  EXPECT_EQ(producer(0), "Concat");
  EXPECT_EQ(producer(1), "DequantizeLinear");
  const Result<Graph> fixed = QuantizeGraph(*graph, 4, Sample, {.arithmetic = "fixed31"}, report);
  ASSERT_TRUE(fixed.ok());
  EXPECT_TRUE(report.skipped.empty());
}

// What stays within the range of its input shares its scale.
TEST(Quantize, ResizesBetweenBytesWhereTheScaleDoes) {
  const std::string text = R"(
graph main(x: f32[1, 3, 6, 6]) -> (y: f32[1, 8, 12, 12]) {
  const %w0: f32[8, 3, 1, 1] = random(1)
  const %w1: f32[8, 8, 1, 1] = random(2)
  const %twice: f32[4] = [1, 1, 2, 2]
  %a = Conv(%x, %w0)
  %b = Resize(%a, _, %twice) {mode = "nearest"}
  %y = Conv(%b, %w1)
}
)";
  const auto found = [&](const std::string& mode, bool fixed31) {
    std::string of_mode = text;
    of_mode.replace(of_mode.find("nearest"), 7, mode);
    const Result<Graph> graph = ParseText(of_mode, ops::Standard());
    EXPECT_TRUE(graph.ok()) << graph.status().ToString();
    const Candidates candidates = *FindCandidates(*graph, {}, false, fixed31);
    return std::ranges::any_of(candidates.nodes, [&](const Candidate& c) {
      return c.shares_scale && graph->node(c.node).op->name == "Resize";
    });
  };
  for (const bool fixed31 : {false, true}) {
    EXPECT_TRUE(found("nearest", fixed31));
    EXPECT_EQ(found("linear", fixed31), !fixed31);
    EXPECT_FALSE(found("cubic", fixed31));
  }
}

TEST(Quantize, RunsOnKernelsAsOnTheReference) {
  Result<std::unique_ptr<Session>> cpu = Session::Create(Quantized(), {});
  ASSERT_TRUE(cpu.ok()) << cpu.status().ToString();
  for (std::size_t i = 0; i < 4; ++i) {
    const Result<std::vector<Datum>> expected = Evaluate(Quantized(), *Sample(i));
    const Result<std::vector<Datum>> actual = (*cpu)->Run(*Sample(i));
    ASSERT_TRUE(expected.ok() && actual.ok());
    const auto a = (*actual)[0].tensor().Data<float>(), b = (*expected)[0].tensor().Data<float>();
    for (std::size_t j = 0; j < a.size(); ++j) EXPECT_NEAR(a[j], b[j], 0.02);
  }
}

TEST(Quantize, RunsInFloatWhatNoKernelTakes) {
  const Result<Graph> graph = ParseText(R"(
graph main(a: u8[3, 4], b: u8[1, 4]) -> (y: u8[3, 4]) {
  const %s: f32[] = [0.5]
  const %z: u8[] = [3]
  %x = DequantizeLinear(%a, %s, %z)
  %w = DequantizeLinear(%b, %s, %z)
  %sum = Add(%x, %w) @repeats
  %positive = Relu(%sum)
  %y = QuantizeLinear(%positive, %s, %z)
}
)",
                                        ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const std::vector<Datum> inputs = {
      Tensor::FromVector<std::uint8_t>({3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 200, 255}),
      Tensor::FromVector<std::uint8_t>({1, 4}, {0, 3, 9, 255})};
  Result<std::unique_ptr<Session>> cpu = Session::Create(graph->Clone(), {});
  ASSERT_TRUE(cpu.ok()) << cpu.status().ToString();
  const Result<std::vector<Datum>> expected = Evaluate(*graph, inputs);
  const Result<std::vector<Datum>> actual = (*cpu)->Run(inputs);
  ASSERT_TRUE(expected.ok() && actual.ok());
  EXPECT_TRUE((*actual)[0].tensor().SameAs((*expected)[0].tensor()));
  const auto plan = (*cpu)->PlanFor({Type::Of(inputs[0]), Type::Of(inputs[1])});
  ASSERT_TRUE(plan.ok());
  for (const Step& step : (*plan)->steps) EXPECT_NE(step.kernel, nullptr);
}

// The portable passes would make the mean a GlobalAveragePool, which rounds in another way.
TEST(Quantize, RoundsFixed31TheSameOnEveryDevice) {
  const Result<Graph> graph = ParseText(R"(
graph main(x: i8[1, 4, 3, 3]) -> (y: i8[1, 2]) {
  const %sx: f32[] = [0.02]
  const %zx: i8[] = [-5]
  const %axes: i64[2] = [2, 3]
  const %sm: f32[] = [0.015]
  const %zm: i8[] = [3]
  const %w: i8[2, 4] = [100, -7, 33, 90, -127, 5, 64, 11]
  const %sw: f32[] = [0.01]
  const %sy: f32[] = [0.013]
  %xr = DequantizeLinear(%x, %sx, %zx)
  %m = ReduceMean(%xr, %axes) {keepdims = false}
  %mq = QuantizeLinear(%m, %sm, %zm) {arithmetic = "fixed31"}
  %mr = DequantizeLinear(%mq, %sm, %zm)
  %wr = DequantizeLinear(%w, %sw)
  %g = Gemm(%mr, %wr) {transB = true}
  %y = QuantizeLinear(%g, %sy, %zm) {arithmetic = "fixed31"}
}
)",
                                        ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  Result<std::unique_ptr<Session>> cpu = Session::Create(graph->Clone(), {});
  Result<std::unique_ptr<Session>> reference =
      Session::Create(graph->Clone(), {.device = "reference"});
  ASSERT_TRUE(cpu.ok() && reference.ok());
  for (int seed = 0; seed < 50; ++seed) {
    std::vector<std::int8_t> values;
    for (int i = 0; i < 36; ++i)
      values.push_back(static_cast<std::int8_t>((i * 37 + seed * 101) % 255 - 127));
    const std::vector<Datum> inputs = {Tensor::FromVector<std::int8_t>({1, 4, 3, 3}, values)};
    const Result<std::vector<Datum>> a = (*cpu)->Run(inputs), b = (*reference)->Run(inputs);
    ASSERT_TRUE(a.ok() && b.ok()) << a.status().ToString() << b.status().ToString();
    EXPECT_TRUE((*a)[0].tensor().SameAs((*b)[0].tensor())) << seed;
  }
}

TEST(Quantize, NamesValuesThatAreAlwaysZero) {
  Result<Graph> graph = ParseText(R"(
graph main(x: f32[1, 4]) -> (y: f32[1, 2]) {
  const %w: f32[4, 3] = fill(0)
  const %v: f32[3, 2] = random(1)
  %nothing = MatMul(%x, %w)
  %y = MatMul(%nothing, %v)
}
)",
                                  ops::Standard());
  ASSERT_TRUE(graph.ok());
  QuantizeReport report;
  const auto sample = [](std::size_t) -> Result<std::vector<Datum>> {
    return std::vector<Datum>{Tensor::FromVector<float>({1, 4}, {1, 2, 3, 4})};
  };
  const Result<Graph> small = QuantizeGraph(*graph, 1, sample, {}, report);
  ASSERT_TRUE(small.ok()) << small.status().ToString();
  EXPECT_EQ(report.constant, (std::vector<std::string>{"nothing", "y"}));
  ASSERT_EQ(report.dead.size(), 1U);
  EXPECT_EQ(report.dead[0].channels, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(Quantize, RefusesSamplesThatAreNotFinite) {
  QuantizeReport report;
  const auto sample = [](std::size_t i) -> Result<std::vector<Datum>> {
    ATH_TRY(std::vector<Datum> values, Sample(i));
    values[0].tensor().MutableData<float>()[5] = NAN;
    return values;
  };
  const Result<Graph> graph = QuantizeGraph(Network(), 1, sample, {}, report);
  EXPECT_EQ(graph.status().code(), ErrorCode::kDataError);
}

TEST(Quantize, SaysThatThereIsNothingToQuantize) {
  Result<Graph> graph = ParseText(R"(
graph main(x: f32[2, 2]) -> (y: f32[2, 2]) {
  %y = MatMul(%x, %x) @square
}
)",
                                  ops::Standard());
  QuantizeReport report;
  const Result<Graph> small = QuantizeGraph(*graph, 1, Sample, {}, report);
  EXPECT_EQ(small.status().code(), ErrorCode::kUnsupported);
  ASSERT_EQ(report.skipped.size(), 1U);
  EXPECT_EQ(report.skipped[0].node, "square");
}

}  // namespace
}  // namespace athanor::quant
