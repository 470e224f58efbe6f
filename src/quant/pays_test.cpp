#include "quant/pays.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/text.h"
#include "ops/catalog.h"
#include "quant/quantize.h"

namespace athanor::quant {
namespace {

using Labels = std::vector<bool>;

// A chain of products, each read by the next, with one cost of conversion in between.
TimedProducts Chain(const std::vector<double>& real, const std::vector<double>& integers,
                    double conversion) {
  TimedProducts timed;
  for (std::size_t i = 0; i < real.size(); ++i) {
    timed.products.push_back(
        {.real = real[i], .integers = integers[i], .known = true, .on_integers = true});
    timed.own.push_back(integers[i]);
    if (i == 0) continue;
    timed.borders.push_back(
        {.made_by = {i - 1}, .read_by = {i}, .to_integers = conversion, .to_real = conversion});
  }
  return timed;
}

// The time of all products and conversions, from the definition.
double TimeOf(const TimedProducts& timed, const Labels& in_float) {
  double ns = 0;
  for (std::size_t i = 0; i < in_float.size(); ++i)
    ns += in_float[i] ? timed.products[i].real : timed.own[i];
  for (const ProductBorder& border : timed.borders) {
    bool made[2] = {}, read[2] = {};
    for (const std::size_t one : border.made_by) made[in_float[one] ? 1 : 0] = true;
    for (const std::size_t one : border.read_by) read[in_float[one] ? 1 : 0] = true;
    ns += made[1] && read[0] ? border.to_integers : 0;
    ns += made[0] && read[1] ? border.to_real : 0;
  }
  return ns;
}

TEST(NotWorthIntegers, KeepsWhatIsFasterOnThem) {
  EXPECT_EQ(NotWorthIntegers(Chain({5, 5, 5}, {2, 2, 2}, 1)), Labels({false, false, false}));
}

TEST(NotWorthIntegers, ReturnsTheEndOfAChainThatIsSlower) {
  EXPECT_EQ(NotWorthIntegers(Chain({5, 5, 5}, {2, 2, 9}, 1)), Labels({false, false, true}));
}

// Alone it is slower on integers, but two conversions would cost more than that.
TEST(NotWorthIntegers, KeepsOneWhoseNeighboursAreOnIntegers) {
  EXPECT_EQ(NotWorthIntegers(Chain({5, 5, 5}, {2, 6, 2}, 1)), Labels({false, false, false}));
  EXPECT_EQ(NotWorthIntegers(Chain({5, 5, 5}, {2, 8, 2}, 1)), Labels({false, true, false}));
}

// Alone each saves less than its two conversions cost.
TEST(NotWorthIntegers, ReturnsARunThatPaysTogether) {
  EXPECT_EQ(NotWorthIntegers(Chain({5, 5, 5, 5}, {2, 6.5, 6.5, 2}, 1)),
            Labels({false, true, true, false}));
}

// One that is faster on integers goes with its neighbours when these are slower.
TEST(NotWorthIntegers, ReturnsAFastOneBetweenSlowOnes) {
  EXPECT_EQ(NotWorthIntegers(Chain({5, 5, 5}, {9, 4, 9}, 2)), Labels({true, true, true}));
}

TEST(NotWorthIntegers, LeavesEquallyFastOnesOnIntegers) {
  EXPECT_EQ(NotWorthIntegers(Chain({5, 5}, {5, 5}, 1)), Labels({false, false}));
}

// What is in float already stays there and is not told again; what no plan knows decides nothing.
TEST(NotWorthIntegers, ConcernsKnownProductsOnIntegers) {
  TimedProducts timed = Chain({5, 5, 5}, {9, 9, 9}, 1);
  timed.products[0].on_integers = false;
  timed.products[2].known = false;
  EXPECT_EQ(NotWorthIntegers(timed), Labels({false, true, false}));
}

TEST(NotWorthIntegers, IsTheBestOfAllChoices) {
  std::uint64_t state = 7;
  const auto random = [&](std::uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>((state >> 33) % below);
  };
  constexpr std::size_t kProducts = 7;
  for (int round = 0; round < 200; ++round) {
    TimedProducts timed = Chain(std::vector<double>(kProducts), std::vector<double>(kProducts), 0);
    for (std::size_t i = 0; i < kProducts; ++i) {
      timed.products[i].real = random(20);
      timed.own[i] = random(20);
    }
    for (ProductBorder& border : timed.borders) {
      border.to_integers = random(6);
      border.to_real = random(6);
    }
    // A value of two makers with two readers.
    timed.borders.push_back(
        {.made_by = {0, 1}, .read_by = {4, 6}, .to_integers = random(9), .to_real = random(9)});
    double best = std::numeric_limits<double>::infinity();
    for (unsigned choice = 0; choice < 1U << kProducts; ++choice) {
      Labels labels;
      for (std::size_t i = 0; i < kProducts; ++i) labels.push_back((choice >> i & 1) != 0);
      best = std::min(best, TimeOf(timed, labels));
    }
    EXPECT_DOUBLE_EQ(TimeOf(timed, NotWorthIntegers(timed)), best);
  }
}

// Two convolutions and a pool, then one that stays in float. Names are all the same, as in files of
// some exporters.
constexpr const char* kNetwork = R"(graph main(x: f32[1, 16, 8, 8]) -> (y: f32[1, 16, 4, 4]) {
  const %a: f32[16, 16, 3, 3] = random(1)
  const %b: f32[16, 16, 3, 3] = random(2)
  const %c: f32[16, 16, 3, 3] = random(3)
  %p = Conv(%x, %a) {pads = [1, 1, 1, 1]} @conv
  %q = Relu(%p)
  %r = MaxPool(%q) {kernel_shape = [2, 2], strides = [2, 2]} @conv
  %s = Conv(%r, %b) {pads = [1, 1, 1, 1]} @conv
  %y = Conv(%s, %c) {pads = [1, 1, 1, 1]} @conv
})";

struct Quantised {
  Graph real, made;
  std::vector<NodeId> products;
  std::vector<Datum> inputs;
};

// `name`: of all nodes.
Result<Quantised> QuantiseNetwork(const std::set<std::size_t>& in_float,
                                  const std::string& name = "conv") {
  std::string text = kNetwork;
  for (std::size_t at = 0; (at = text.find("@conv", at)) != std::string::npos; at += name.size())
    text.replace(at, 5, "@" + name);
  ATH_TRY(Graph graph, ParseText(text, ops::Standard()));
  std::vector<float> values(16 * 64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  const std::vector<Datum> inputs = {Datum(Tensor::FromVector<float>({1, 16, 8, 8}, values))};
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  std::vector<NodeId> products;
  QuantizeOptions options;
  options.real_answers = false;
  for (const Candidate& one : candidates.nodes) {
    if (!one.weights) continue;
    if (in_float.contains(products.size())) options.in_float.insert(one.node);
    products.push_back(one.node);
  }
  QuantizeReport report;
  ATH_TRY(Graph made,
          QuantizeGraph(
              graph, 1, [&](std::size_t) -> Result<std::vector<Datum>> { return inputs; }, options,
              report));
  return Quantised{std::move(graph), std::move(made), products, inputs};
}

TEST(TimeProducts, GivesEachItsStepsAndConversions) {
  Result<Quantised> network = QuantiseNetwork({2});
  ASSERT_TRUE(network.ok()) << network.status().message();
  const Result<TimedProducts> timed = TimeProducts(network->real, network->made, network->products,
                                                   network->inputs, 1, TimedBy::kEstimate);
  ASSERT_TRUE(timed.ok()) << timed.status().message();
  ASSERT_EQ(timed->products.size(), 3);
  double real = 0, integers = 0;
  for (const ProductTimes& one : timed->products) {
    EXPECT_TRUE(one.known);
    EXPECT_GT(one.real, 0);
    EXPECT_GT(one.integers, 0);
    real += one.real;
    integers += one.integers;
  }
  // Nothing of the network belongs to nobody.
  EXPECT_NEAR(real, timed->real, 1e-6 * real);
  EXPECT_NEAR(integers, timed->integers, 1e-6 * integers);
  EXPECT_TRUE(timed->products[0].on_integers);
  EXPECT_TRUE(timed->products[1].on_integers);
  EXPECT_FALSE(timed->products[2].on_integers);
  // The picture becomes bytes for the first, and the second gives real numbers to the third.
  EXPECT_GT(timed->products[0].conversions, 0);
  EXPECT_GT(timed->products[1].conversions, 0);
  EXPECT_EQ(timed->products[2].conversions, 0);
  EXPECT_EQ(timed->own[0], timed->products[0].integers);
  EXPECT_DOUBLE_EQ(timed->own[1], timed->products[1].integers - timed->products[1].conversions);
  ASSERT_EQ(timed->borders.size(), 2);
  for (const ProductBorder& border : timed->borders) {
    EXPECT_GT(border.to_integers, 0);
    EXPECT_GT(border.to_real, 0);
  }
}

TEST(TimeProducts, TakesNoNodeForAProductByItsName) {
  Result<Quantised> usual = QuantiseNetwork({});
  ASSERT_TRUE(usual.ok()) << usual.status().message();
  const auto estimates = [](const Quantised& network) {
    const Result<TimedProducts> timed = TimeProducts(network.real, network.made, network.products,
                                                     network.inputs, 1, TimedBy::kEstimate);
    EXPECT_TRUE(timed.ok());
    return timed.ok() ? timed->own : std::vector<double>();
  };
  for (const std::string name :
       {"athanor.product.1", "athanor.product.x", "athanor.product.4000000000",
        "athanor.product.99999999999999999999999", "athanor.product.."}) {
    Result<Quantised> network = QuantiseNetwork({}, '"' + name + '"');
    ASSERT_TRUE(network.ok()) << network.status().message();
    EXPECT_EQ(estimates(*network), estimates(*usual)) << name;
  }
}

TEST(TimeProducts, EstimatesTheSameAgain) {
  Result<Quantised> network = QuantiseNetwork({});
  ASSERT_TRUE(network.ok()) << network.status().message();
  std::vector<double> before;
  for (int round = 0; round < 2; ++round) {
    const Result<TimedProducts> timed = TimeProducts(
        network->real, network->made, network->products, network->inputs, 1, TimedBy::kEstimate);
    ASSERT_TRUE(timed.ok());
    std::vector<double> now = timed->own;
    for (const ProductTimes& one : timed->products) now.push_back(one.real);
    if (round > 0) {
      EXPECT_EQ(now, before);
    }
    before = now;
  }
}

TEST(TimeProducts, Measures) {
  Result<Quantised> network = QuantiseNetwork({});
  ASSERT_TRUE(network.ok()) << network.status().message();
  const Result<TimedProducts> timed = TimeProducts(network->real, network->made, network->products,
                                                   network->inputs, 1, TimedBy::kMeasurement);
  ASSERT_TRUE(timed.ok()) << timed.status().message();
  for (const ProductTimes& one : timed->products) {
    EXPECT_GT(one.real, 0);
    EXPECT_GT(one.integers, 0);
  }
  const Result<std::vector<double>> least =
      LeastTimes({&network->real, &network->made}, network->inputs, 1);
  ASSERT_TRUE(least.ok());
  EXPECT_GT((*least)[0], 0);
  EXPECT_GT((*least)[1], 0);
}

}  // namespace
}  // namespace athanor::quant
