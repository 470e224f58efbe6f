#include <gtest/gtest.h>

#include <cstring>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/graph_for_test.h"
#include "runtime/session.h"

namespace athanor {
namespace {

using Ints = std::vector<std::int64_t>;

// y = Q(function(DQ(Q(maker(DQ(Q(x))))))) in bytes. `apart`: what the maker gives is an output too,
// so that the function cannot run behind it.
class Network {
 public:
  Network(bool apart, bool is_signed) : apart_(apart), signed_(is_signed) {}

  ValueId Input(const Dims& dims) {
    Shape shape;
    for (const std::int64_t dim : dims) shape.emplace_back(dim);
    return Real(Bytes(graph_.AddInput("x", Type::Tensor(DType::kF32, shape)), 0.02F));
  }
  ValueId Weights(Dims dims) {
    Tensor weights = *Tensor::Allocate(DType::kI8, std::move(dims));
    auto* bytes = static_cast<std::int8_t*>(weights.mutable_raw());
    for (std::int64_t i = 0; i < weights.count(); ++i)
      bytes[i] = static_cast<std::int8_t>(i * 37 % 251 - 125);
    return Op(graph_, "DequantizeLinear", {graph_.AddConstant(std::move(weights)), Number(0.003F)});
  }
  ValueId Number(float value) { return graph_.AddConstant(Tensor::Scalar(value)); }
  // Of the maker, and of every function but the last.
  ValueId Between(ValueId real) {
    const ValueId bytes = Bytes(real, 0.03F);
    if (apart_) graph_.AddOutput(fmt::format("between{}", graph_.outputs().size()), bytes);
    return Real(bytes);
  }
  void Output(ValueId real) { graph_.AddOutput("y", Bytes(real, 0.015F)); }
  Graph& graph() { return graph_; }

 private:
  ValueId Bytes(ValueId real, float scale) {
    scale_ = Number(scale);
    zero_ = graph_.AddConstant(signed_ ? Tensor::Scalar(std::int8_t{-20})
                                       : Tensor::Scalar(std::uint8_t{100}));
    return Op(graph_, "QuantizeLinear", {real, scale_, zero_});
  }
  ValueId Real(ValueId bytes) { return Op(graph_, "DequantizeLinear", {bytes, scale_, zero_}); }

  Graph graph_{ops::Standard()};
  bool apart_ = false, signed_ = false;
  ValueId scale_ = kNoValue, zero_ = kNoValue;
};

using Maker = ValueId (*)(Network&);
struct MakerCase {
  const char* name;
  Dims dims;
  Maker make;
};

ValueId Conv(Network& net, const Dims& in, const Dims& weights, AttrMap attributes) {
  const ValueId x = net.Input(in);
  return Op(net.graph(), "Conv", {x, net.Weights(weights)}, std::move(attributes));
}

const std::vector<MakerCase>& Makers() {
  static const std::vector<MakerCase> makers = {
      {"Conv",
       {1, 19, 9, 11},
       [](Network& net) {
         return Conv(net, {1, 19, 9, 11}, {37, 19, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}});
       }},
      {"Conv",
       {2, 33, 7, 5},
       [](Network& net) {
         return Conv(net, {2, 33, 7, 5}, {20, 33, 1, 1}, {});
       }},
      {"Conv",
       {1, 21, 10, 10},
       [](Network& net) {
         return Conv(net, {1, 21, 10, 10}, {21, 1, 5, 5},
                     {{"pads", Ints{2, 2, 2, 2}}, {"group", std::int64_t{21}}});
       }},
      {"Conv",
       {2, 6, 50},
       [](Network& net) {
         return Conv(net, {2, 6, 50}, {9, 6, 5}, {{"pads", Ints{2, 2}}});
       }},
      {"Gemm",
       {3, 70},
       [](Network& net) {
         const ValueId x = net.Input({3, 70});
         return Op(net.graph(), "Gemm", {x, net.Weights({70, 45})});
       }},
      {"MatMul",
       {2, 5, 16},
       [](Network& net) {
         const ValueId x = net.Input({2, 5, 16});
         return Op(net.graph(), "MatMul", {x, net.Weights({16, 10})});
       }},
      {"Add",
       {1, 3, 5, 7},
       [](Network& net) {
         const ValueId x = net.Input({1, 3, 5, 7});
         return Op(net.graph(), "Add", {x, net.Between(Op(net.graph(), "Neg", {x}))});
       }},
  };
  return makers;
}

ValueId Function(Network& net, std::string_view op, ValueId x) {
  const bool slope = op == "PRelu";
  return Op(net.graph(), op, slope ? std::vector{x, net.Number(0.3F)} : std::vector{x});
}

Tensor Data(const Dims& dims) {
  Tensor x = Ramp(dims, 0.7F);
  for (float& value : x.MutableData<float>()) value *= 2.5F;
  return x;
}

// How many nodes run behind the one that makes what they take.
std::size_t Joined(Session& session, const Tensor& x) {
  std::size_t joined = 0;
  for (const Step& step : (*session.PlanFor({Type::Of(x)}))->steps) joined += step.nodes.size() - 1;
  return joined;
}

// Nowhere off by more than a step, and seldom by one.
void CheckNear(const Tensor& bytes, const Tensor& expected, const std::string& what) {
  const std::vector<double> a = *ToDoubles(bytes), b = *ToDoubles(expected);
  ASSERT_EQ(a.size(), b.size()) << what;
  std::size_t off = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_LE(std::abs(a[i] - b[i]), 1) << what;
    if (a[i] != b[i]) ++off;
  }
  EXPECT_LE(off, a.size() / 10 + 2) << what;
}

// What `functions` give one after the other behind a maker, joined with it and apart.
void CheckJoined(const MakerCase& maker, const std::vector<std::string_view>& functions,
                 bool is_signed, const SessionOptions& options) {
  const Tensor x = Data(maker.dims);
  std::vector<Tensor> results;
  std::vector<std::size_t> joined;
  for (const bool apart : {true, false}) {
    Network net(apart, is_signed);
    ValueId value = maker.make(net);
    for (const std::string_view op : functions) value = Function(net, op, net.Between(value));
    net.Output(value);
    const auto session = *Session::Create(std::move(net.graph()), options);
    joined.push_back(Joined(*session, x));
    results.push_back((*session->Run({Datum(x)})).back().tensor());
  }
  const std::string what = fmt::format("{} {} {}", maker.name, functions[0], Name(*options.isa));
  EXPECT_GE(joined[1], joined[0] + functions.size()) << what;
  ASSERT_EQ(results[0].bytes(), results[1].bytes());
  EXPECT_EQ(std::memcmp(results[0].raw(), results[1].raw(), results[0].bytes()), 0) << what;
}

TEST(FunctionsOfBytes, GiveBehindWhatMakesThemTheSameBytes) {
  for (const Isa isa : AvailableIsas()) {
    for (const MakerCase& maker : Makers()) {
      for (const bool is_signed : {false, true}) {
        for (const int threads : {1, 2}) {
          const SessionOptions options = {.threads = threads, .isa = isa, .poison = true};
          CheckJoined(maker, {"Swish"}, is_signed, options);
          CheckJoined(maker, {"Tanh", "LeakyRelu"}, is_signed, options);
        }
      }
    }
  }
}

TEST(FunctionsOfBytes, AreAllThatTurnOneByteIntoAnother) {
  for (const std::string_view op :
       {"Abs", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg",
        "PRelu", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh"})
    CheckJoined(Makers()[0], {op}, false, {.threads = 1, .isa = BestIsa()});
}

// One rounding instead of two: Q(function(maker(...))).
TEST(FunctionsOfBytes, OfRealNumbersAreNearAndTheSameOnEveryInstructionSet) {
  for (const MakerCase& maker : Makers()) {
    if (std::string_view(maker.name) == "Add") continue;  // no product
    for (const std::string_view op : {"Swish", "HardSwish", "LeakyRelu", "PRelu", "Gelu"}) {
      for (const bool is_signed : {false, true}) {
        const auto made = [&] {
          Network net(false, is_signed);
          net.Output(Function(net, op, maker.make(net)));
          return std::move(net.graph());
        };
        const Tensor x = Data(maker.dims);
        const auto exact = *Session::Create(made(), {.device = "reference"});
        const Tensor expected = (*exact->Run({Datum(x)}))[0].tensor();
        std::optional<Tensor> first;
        for (const Isa isa : AvailableIsas()) {
          const std::string what = fmt::format("{} {} {}", maker.name, op, Name(isa));
          const SessionOptions options = {.threads = 1, .isa = isa, .poison = true};
          const auto session = *Session::Create(made(), options);
          EXPECT_GE(Joined(*session, x), 1U) << what;
          const Tensor y = (*session->Run({Datum(x)}))[0].tensor();
          if (!first) first = y;
          EXPECT_TRUE(y.SameAs(*first)) << what;
          CheckNear(y, expected, what);
        }
      }
    }
  }
}

// A slope of its own for each channel is more than one byte's function.
TEST(FunctionsOfBytes, StandAloneWhereTheyAreNotThatOfOneByte) {
  Network net(false, false);
  const ValueId x = net.Between(Makers()[0].make(net));
  const ValueId slopes = net.graph().AddConstant(Ramp({37, 1, 1}, 1));
  net.Output(Op(net.graph(), "PRelu", {x, slopes}));
  const auto session = *Session::Create(std::move(net.graph()), {.threads = 1});
  EXPECT_EQ(Joined(*session, Data(Makers()[0].dims)), 0U);
}

}  // namespace
}  // namespace athanor
