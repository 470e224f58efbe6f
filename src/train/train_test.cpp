// Derivatives are checked against central differences in f64: an independent way to the same
// number. Whole networks against torch stand in tests/gradients_test.py.
#include <gtest/gtest.h>

#include <cmath>

#include "core/checked.h"
#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/catalog.h"
#include "ops/random/generator.h"
#include "train/backward.h"
#include "train/initialize.h"
#include "train/trainer.h"

namespace athanor::train {
namespace {

Tensor Draw(Dims dims, float seed) {
  ops::Random random(seed);
  Tensor tensor = *Tensor::Allocate(DType::kF64, std::move(dims));
  for (double& value : tensor.MutableData<double>()) value = random.Normal();
  return tensor;
}

struct Example {
  std::string op;
  std::vector<Dims> inputs;
  AttrMap attributes = {};
  std::size_t outputs = 1;
  std::optional<std::size_t> depends = {};  // how many of the inputs matter; all by default
};

struct Network {
  Graph graph{ops::Standard()};
  std::vector<Tensor> values;
  ValueId loss = kNoValue;
};

// loss = sum of the first output's elements times fixed numbers, so that each counts differently.
Network NetworkOf(const Example& example) {
  Network network;
  Graph& graph = network.graph;
  std::vector<ValueId> inputs;
  float seed = 1;
  for (const Dims& dims : example.inputs) {
    network.values.push_back(Draw(dims, seed++));
    inputs.push_back(graph.AddInput("x", Type::Of(Datum(network.values.back()))));
  }
  const Result<NodeId> node = graph.AddNode({.op = example.op,
                                             .inputs = inputs,
                                             .attributes = example.attributes,
                                             .num_outputs = example.outputs});
  EXPECT_TRUE(node.ok()) << node.status().ToString();
  const ValueId y = graph.node(*node).outputs[0];
  const std::int64_t count = *CheckedCount(*graph.value(y).type.StaticDims());
  const auto reshape = [&](ValueId value, std::vector<std::int64_t> dims) {
    const auto rank = static_cast<std::int64_t>(dims.size());
    return *graph.Add("Reshape",
                      {value, graph.AddConstant(Tensor::FromVector<std::int64_t>({rank}, dims))});
  };
  const ValueId factors = graph.AddConstant(Draw({count, 1}, 99));
  network.loss = reshape(*graph.Add("Gemm", {reshape(y, {1, count}), factors}), {});
  graph.AddOutput("loss", network.loss);
  return network;
}

std::vector<Tensor> Outputs(const Graph& graph, const std::vector<Tensor>& values) {
  const Result<std::vector<Datum>> outputs =
      Evaluate(graph, std::vector<Datum>(values.begin(), values.end()));
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  std::vector<Tensor> tensors;
  for (const Datum& output : *outputs) tensors.push_back(output.tensor());
  return tensors;
}

double LossWith(const Network& network, std::size_t input, std::size_t element, double change) {
  std::vector<Tensor> values = network.values;
  Tensor moved = *Tensor::Allocate(DType::kF64, values[input].dims());
  const auto from = values[input].Data<double>();
  std::copy(from.begin(), from.end(), moved.MutableData<double>().begin());
  moved.MutableData<double>()[element] += change;
  values[input] = std::move(moved);
  return Outputs(network.graph, values)[0].Data<double>()[0];
}

class Gradient : public testing::TestWithParam<Example> {};

TEST_P(Gradient, IsTheLimitOfDifferences) {
  Network network = NetworkOf(GetParam());
  Graph backward = network.graph.Clone();
  const Result<std::vector<ValueId>> derivatives =
      AddBackward(backward, network.loss, backward.inputs());
  ASSERT_TRUE(derivatives.ok()) << derivatives.status().ToString();
  std::vector<std::size_t> inputs;  // those that the loss depends on
  for (std::size_t i = 0; i < derivatives->size(); ++i) {
    if ((*derivatives)[i] == kNoValue) continue;
    backward.AddOutput("d", (*derivatives)[i]);
    inputs.push_back(i);
  }
  ASSERT_EQ(inputs.size(), GetParam().depends.value_or(network.values.size()));
  ASSERT_TRUE(Verify(backward).ok()) << Verify(backward).ToString();
  const std::vector<Tensor> results = Outputs(backward, network.values);
  constexpr double kStep = 1e-5;
  for (std::size_t at = 0; at < inputs.size(); ++at) {
    const std::size_t input = inputs[at];
    ASSERT_EQ(results[1 + at].dims(), network.values[input].dims());
    const auto derivative = results[1 + at].Data<double>();
    for (std::size_t i = 0; i < derivative.size(); ++i) {
      const double up = LossWith(network, input, i, kStep);
      const double down = LossWith(network, input, i, -kStep);
      // Central differences of f64 are good to about step^2 and 1e-16 / step.
      EXPECT_NEAR(derivative[i], (up - down) / (2 * kStep), 1e-6)
          << "input " << input << " at " << i;
    }
  }
}

using Ints = std::vector<std::int64_t>;

INSTANTIATE_TEST_SUITE_P(
    Operators, Gradient,
    testing::Values(
        Example{"Add", {{2, 3}, {3}}}, Example{"Sub", {{2, 3}, {2, 1}}},
        Example{"Mul", {{2, 1, 3}, {4, 1}}}, Example{"Relu", {{3, 5}}},
        Example{"Gemm", {{2, 3}, {3, 4}, {4}}},
        Example{"Gemm",
                {{3, 2}, {3, 4}, {2, 1}},
                {{"transA", std::int64_t{1}}, {"alpha", 0.5F}, {"beta", 2.0F}}},
        Example{"Gemm", {{2, 3}, {4, 3}}, {{"transB", std::int64_t{1}}}},
        Example{
            "Gemm", {{3, 2}, {4, 3}}, {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}}},
        Example{"Conv", {{2, 3, 5, 4}, {4, 3, 3, 3}, {4}}, {{"pads", Ints{1, 1, 1, 1}}}},
        Example{"Conv", {{2, 4, 5, 5}, {4, 1, 3, 3}}, {{"group", std::int64_t{4}}}},
        Example{"Conv",
                {{2, 4, 6, 7}, {6, 2, 3, 2}},
                {{"group", std::int64_t{2}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 0, 0, 1}}}},
        Example{"Conv",
                {{1, 2, 9}, {3, 2, 3}},
                {{"dilations", Ints{2}}, {"strides", Ints{3}}, {"pads", Ints{2, 2}}}},
        Example{"Conv", {{1, 1, 3, 3}, {2, 1, 1, 1}}, {{"pads", Ints{1, 1, 1, 1}}}},
        Example{"BatchNormalization",
                {{3, 2, 2, 2}, {2}, {2}, {2}, {2}},
                {{"training_mode", std::int64_t{1}}},
                3,
                3},
        Example{"MaxPool", {{2, 2, 4, 4}}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}},
        Example{
            "MaxPool", {{1, 2, 5, 5}}, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}}},
        Example{"GlobalAveragePool", {{2, 3, 2, 4}}},
        Example{
            "AveragePool", {{2, 2, 4, 5}}, {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 1}}}},
        Example{
            "AveragePool",
            {{1, 2, 6, 5}},
            {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 0, 1, 1}}, {"strides", Ints{2, 2}}}},
        Example{"AveragePool",
                {{1, 2, 5, 5}},
                {{"kernel_shape", Ints{3, 3}},
                 {"pads", Ints{1, 1, 1, 1}},
                 {"count_include_pad", std::int64_t{1}}}},
        Example{"Flatten", {{2, 3, 4}}, {{"axis", std::int64_t{1}}}}, Example{"Sigmoid", {{3, 4}}},
        Example{"HardSwish", {{5, 7}}}, Example{"Swish", {{3, 4}}, {{"alpha", 1.5F}}},
        Example{"LeakyRelu", {{3, 5}}, {{"alpha", 0.125F}}},
        Example{"Clip", {{4, 5}, {}, {}}, {}, 1, 1},
        Example{"Concat", {{2, 3, 2}, {2, 1, 2}, {2, 2, 2}}, {{"axis", std::int64_t{-2}}}},
        Example{"Transpose", {{2, 3, 4}}, {{"perm", Ints{2, 0, 1}}}},
        Example{"Transpose", {{2, 3}}}),
    [](const testing::TestParamInfo<Example>& info) {
      return info.param.op + std::to_string(info.index);
    });

TEST(Backward, SumsTheDerivativesOfAValueUsedTwice) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF64, {}));
  const ValueId square = *graph.Add("Mul", {x, x});
  graph.AddOutput("cube", *graph.Add("Mul", {square, x}));
  const auto derivatives = AddBackward(graph, graph.outputs()[0].value, graph.inputs());
  ASSERT_TRUE(derivatives.ok());
  graph.AddOutput("d", (*derivatives)[0]);
  EXPECT_DOUBLE_EQ(Outputs(graph, {Tensor::Scalar(3.0)})[1].Data<double>()[0], 27);
}

// Operators with parameters that are no real numbers: the loss is the sum of the outputs times 1,
// 2, 3, ...
double SumOf(const Graph& graph, const Tensor& x) {
  double sum = 0, factor = 1;
  for (const Tensor& y : Outputs(graph, {x})) {
    for (const double value : y.Data<double>()) sum += value * factor++;
  }
  return sum;
}

void ExpectDerivativesOf(const std::string& text, const Dims& dims) {
  Result<Graph> parsed = ParseText(text, ops::Standard());
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  Graph backward = parsed->Clone();
  ValueId loss = kNoValue;
  double factor = 1;
  for (const GraphOutput& output : parsed->outputs()) {
    const std::int64_t count = *CheckedCount(*backward.value(output.value).type.StaticDims());
    std::vector<double> factors;
    while (std::ssize(factors) < count) factors.push_back(factor++);
    const ValueId flat = *backward.Add(
        "Reshape",
        {output.value, backward.AddConstant(Tensor::FromVector<std::int64_t>({2}, {1, count}))});
    const ValueId one = *backward.Add(
        "Gemm", {flat, backward.AddConstant(Tensor::FromVector<double>({count, 1}, factors))});
    loss = loss == kNoValue ? one : *backward.Add("Add", {loss, one});
  }
  loss = *backward.Add("Reshape",
                       {loss, backward.AddConstant(Tensor::FromVector<std::int64_t>({0}, {}))});
  const auto derivatives = AddBackward(backward, loss, backward.inputs());
  ASSERT_TRUE(derivatives.ok()) << derivatives.status().ToString();
  backward.AddOutput("d", (*derivatives)[0]);
  const Tensor x = Draw(dims, 3);
  const Tensor derivative = Outputs(backward, {x}).back();
  for (std::size_t i = 0; i < x.Data<double>().size(); ++i) {
    double sums[2];
    for (int up = 0; up < 2; ++up) {
      Tensor moved = *x.Clone();
      moved.MutableData<double>()[i] += up == 1 ? 1e-4 : -1e-4;
      sums[up] = SumOf(*parsed, moved);
    }
    EXPECT_NEAR(derivative.Data<double>()[i], (sums[1] - sums[0]) / 2e-4, 1e-6) << text << " " << i;
  }
}

TEST(Backward, ResizesBothWays) {
  for (const char* how : {"", "{mode = \"linear\"}",
                          "{mode = \"linear\", "
                          "coordinate_transformation_mode = \"pytorch_half_pixel\"}",
                          "{mode = \"cubic\"}",
                          "{coordinate_transformation_mode = \"asymmetric\", "
                          "nearest_mode = \"floor\"}"}) {
    for (const char* sizes : {"[1, 2, 6, 2]", "[1, 2, 2, 8]"})
      ExpectDerivativesOf(
          fmt::format("graph g(x: f64[1, 2, 3, 4]) -> (y) {{ const %s: i64[4] = {}\n"
                      "%y = Resize(%x, _, _, %s) {} }}",
                      sizes, how),
          {1, 2, 3, 4});
  }
}

TEST(Backward, PutsPartsBackInTheirPlaces) {
  ExpectDerivativesOf(
      "graph g(x: f64[2, 5]) -> (y) { const %b: i64[2] = [-1, 1]\nconst %e: i64[2] = [-9, 5]\n"
      "const %a: i64[2] = [0, 1]\nconst %s: i64[2] = [-1, 2]\n%y = Slice(%x, %b, %e, %a, %s) }",
      {2, 5});
  ExpectDerivativesOf(
      "graph g(x: f64[2, 5]) -> (y, z) { const %p: i64[3] = [1, 3, 1]\n"
      "%y, %unused, %z = Split(%x, %p) {axis = 1} }",
      {2, 5});
}

TEST(Backward, NamesTheNodeWithoutGradient) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF64, {}));
  graph.AddOutput("y", *graph.Add("Erf", {x}, {}, "odd one"));
  const auto derivatives = AddBackward(graph, graph.outputs()[0].value, graph.inputs());
  ASSERT_FALSE(derivatives.ok());
  EXPECT_EQ(derivatives.status().where(), "node \"odd one\" (Erf)");
}

// Two classes told apart by where the light is.
Examples Lights(std::size_t count) {
  Examples examples;
  examples.std = 255;
  const auto n = static_cast<std::int64_t>(count);
  examples.pixels = *Tensor::Allocate(DType::kU8, {n, 1, 8, 8});
  const auto pixels = examples.pixels.MutableData<std::uint8_t>();
  ops::Random random(5.0F);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const bool right_half = i % 8 >= 4,
               bright = (i / 64) % 2 == static_cast<std::size_t>(right_half);
    pixels[i] = static_cast<std::uint8_t>(random.Bits() % 100 + (bright ? 100 : 0));
  }
  for (std::size_t i = 0; i < count; ++i)
    examples.labels.push_back(static_cast<std::int64_t>(i % 2));
  return examples;
}

// Convolution, normalisation, maximum, matrix product; the weights are drawn by Initialize.
Graph SmallNetwork() {
  Graph graph(ops::Standard());
  const auto weights = [&](Dims dims) {
    Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
    std::fill_n(tensor.MutableData<float>().begin(), tensor.count(), 0.0F);
    return graph.AddConstant(std::move(tensor), "w");
  };
  ValueId x = graph.AddInput("image", Type::Tensor(DType::kF32, {Dim::Symbol("N"), 1, 8, 8}));
  x = *graph.Add("Conv", {x, weights({4, 1, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
  x = *graph.Add("BatchNormalization", {x, weights({4}), weights({4}), weights({4}), weights({4})});
  x = *graph.Add("Relu", {x});
  x = *graph.Add("MaxPool", {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  x = *graph.Add("Flatten", {x});
  graph.AddOutput("logits", *graph.Add("Gemm", {x, weights({64, 2}), weights({2})}));
  return graph;
}

Tensor FirstConstant(const Graph& graph) {
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    if (const Tensor* constant = graph.Constant(static_cast<ValueId>(i))) return *constant;
  }
  return {};
}

class TrainWith : public testing::TestWithParam<std::string> {};

TEST_P(TrainWith, LearnsAndRepeatsItself) {
  Graph model = SmallNetwork();
  ASSERT_TRUE(Initialize(model, 3).ok());
  double last = 0;
  TrainOptions options = {.epochs = 6, .learning_rate = 1e-2, .seed = 2};
  options.step.batch = 8;
  options.step.optimizer = GetParam();
  options.on_epoch = [&](int, double, double accuracy) { last = accuracy; };
  const Result<Graph> first = Train(model, Lights(64), options);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_GE(last, 0.95);
  options.threads = 1;
  const Result<Graph> second = Train(model, Lights(64), options);
  ASSERT_TRUE(second.ok());
  const Tensor a = FirstConstant(*first), b = FirstConstant(*second);
  EXPECT_TRUE(std::equal(a.Data<float>().begin(), a.Data<float>().end(), b.Data<float>().begin()));
}

INSTANTIATE_TEST_SUITE_P(Optimizers, TrainWith, testing::Values("adam", "sgd"));

TEST(Train, RefusesExamplesThatDoNotFit) {
  Examples examples = Lights(4);
  EXPECT_EQ(Train(SmallNetwork(), examples, {}).status().message(),
            "4 pictures do not fill a batch of 64");
  examples.labels.pop_back();
  EXPECT_EQ(Train(SmallNetwork(), examples, {.step = {.batch = 2}}).status().message(),
            "4 pictures and 3 labels; one each is expected");
  examples.labels.push_back(7);
  EXPECT_EQ(Train(SmallNetwork(), examples, {.step = {.batch = 2}}).status().code(),
            ErrorCode::kDataError);
  EXPECT_EQ(
      Train(SmallNetwork(), examples, {.step = {.batch = 2, .optimizer = "adan"}}).status().code(),
      ErrorCode::kUnknownName);
}

}  // namespace
}  // namespace athanor::train
