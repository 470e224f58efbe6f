// Edges of arithmetic that a conformance suite does not reach: overflow, empty sets, bad
// attributes.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/math/number_cast.h"
#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kLargest = std::numeric_limits<std::int32_t>::max();

template <class T>
Tensor List(const std::vector<T>& values) {
  return Tensor::FromVector<T>({static_cast<std::int64_t>(values.size())}, values);
}

template <class T>
std::vector<T> Values(const Result<std::vector<Tensor>>& result, std::size_t output = 0) {
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  if (!result.ok()) return {};
  const auto data = (*result)[output].Data<T>();
  return {data.begin(), data.end()};
}

using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Floats = std::vector<float>;

TEST(Arithmetic, WrapsAroundOnOverflow) {
  EXPECT_EQ(Values<std::int32_t>(
                RunOperator("Add", {List<std::int32_t>({kLargest}), List<std::int32_t>({1})})),
            Ints{kLowest});
  EXPECT_EQ(Values<std::int32_t>(RunOperator("Neg", {List<std::int32_t>({kLowest, 3})})),
            (Ints{kLowest, -3}));
  EXPECT_EQ(Values<std::int32_t>(RunOperator("Abs", {List<std::int32_t>({kLowest, -3})})),
            (Ints{kLowest, 3}));
  EXPECT_EQ(Values<std::int32_t>(
                RunOperator("Div", {List<std::int32_t>({kLowest}), List<std::int32_t>({-1})})),
            Ints{kLowest});
}

TEST(Arithmetic, RefusesIntegerDivisionByZero) {
  for (const char* op : {"Div", "Mod"}) {
    const auto result = RunOperator(op, {List<std::int32_t>({1}), List<std::int32_t>({0})});
    EXPECT_EQ(result.status().code(), ErrorCode::kDataError) << op;
  }
}

TEST(Arithmetic, BroadcastsOverInnerAndOuterAxesAtOnce) {
  const Tensor a = Tensor::FromVector<float>({2, 1, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::FromVector<float>({3, 1}, {10, 20, 30});
  EXPECT_EQ(Values<float>(RunOperator("Add", {a, b})),
            (Floats{11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34}));
}

TEST(Mod, FollowsTheSignOfTheChosenSide) {
  const auto a = List<std::int32_t>({-4, 4, kLowest}), b = List<std::int32_t>({3, -3, -1});
  EXPECT_EQ(Values<std::int32_t>(RunOperator("Mod", {a, b})), (Ints{2, -2, 0}));
  EXPECT_EQ(Values<std::int32_t>(RunOperator("Mod", {a, b}, {{"fmod", std::int64_t{1}}})),
            (Ints{-1, 1, 0}));
}

TEST(Pow, HandlesNegativeIntegerExponents) {
  const auto result = RunOperator(
      "Pow", {List<std::int32_t>({2, 1, -1, 0, 3}), List<std::int32_t>({-1, -5, -3, -1, 40})});
  // 3^40 modulo 2^32, as two's complement.
  EXPECT_EQ(Values<std::int32_t>(result), (Ints{0, 1, -1, 0, 689956897}));
}

TEST(BitShift, ShiftsEverythingOutBeyondTheWidth) {
  const AttrMap left = {{"direction", std::string("LEFT")}};
  const AttrMap right = {{"direction", std::string("RIGHT")}};
  const auto x = List<std::int32_t>({1, -8, -8, 5}), n = List<std::int32_t>({31, 1, 32, -1});
  EXPECT_EQ(Values<std::int32_t>(RunOperator("BitShift", {x, n}, left)),
            (Ints{kLowest, -16, 0, 0}));
  EXPECT_EQ(Values<std::int32_t>(RunOperator("BitShift", {x, n}, right)), (Ints{0, -4, -1, 0}));
  EXPECT_EQ(RunOperator("BitShift", {x, n}, {{"direction", std::string("UP")}}).status().code(),
            ErrorCode::kInvalidModel);
}

TEST(Maximum, LetsNanWin) {
  const auto y = Values<float>(RunOperator("Max", {List<float>({NAN, 1}), List<float>({2, NAN})}));
  ASSERT_EQ(y.size(), 2U);
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
}

TEST(Round, SendsHalvesToTheEvenInteger) {
  EXPECT_EQ(Values<float>(RunOperator("Round", {List<float>({0.5F, 1.5F, 2.5F, -0.5F, -1.5F})})),
            (Floats{0, 2, 2, 0, -2}));
}

TEST(Clip, LetsTheUpperBoundWinWhereBoundsCross) {
  const auto y =
      RunOperator("Clip", {List<float>({-5, 1, 9}), Tensor::Scalar(4.0F), Tensor::Scalar(2.0F)});
  EXPECT_EQ(Values<float>(y), (Floats{2, 2, 2}));
}

TEST(Elementwise, NamesTheAcceptedTypes) {
  const auto result = RunOperator("Sqrt", {List<std::int32_t>({4})});
  EXPECT_EQ(result.status().code(), ErrorCode::kUnsupportedType);
  EXPECT_NE(result.status().message().find("f32, f64, f16, bf16"), std::string::npos);
}

TEST(Reduce, GivesTheNeutralElementOfAnEmptySet) {
  const Tensor empty = Tensor::FromVector<float>({2, 0}, {});
  const auto run = [&](const char* op) {
    return Values<float>(RunOperator(op, {empty, List<std::int64_t>({1})}));
  };
  EXPECT_EQ(run("ReduceSum"), (Floats{0, 0}));
  EXPECT_EQ(run("ReduceProd"), (Floats{1, 1}));
  EXPECT_EQ(run("ReduceMax"), (Floats{-INFINITY, -INFINITY}));
  EXPECT_EQ(run("ReduceMin"), (Floats{INFINITY, INFINITY}));
  EXPECT_EQ(run("ReduceLogSumExp"), (Floats{-INFINITY, -INFINITY}));
  EXPECT_TRUE(std::isnan(run("ReduceMean")[0]));
}

TEST(Reduce, WithoutAxesReducesAllUnlessToldNotTo) {
  const Tensor x = Tensor::FromVector<float>({2, 2}, {1, -2, 3, -4});
  EXPECT_EQ(Values<float>(RunOperator("ReduceSum", {x})), Floats{-2});
  EXPECT_EQ(
      Values<float>(RunOperator("ReduceL1", {x}, {{"noop_with_empty_axes", std::int64_t{1}}})),
      (Floats{1, 2, 3, 4}));
}

TEST(Reduce, RefusesBadAxes) {
  const Tensor x = Tensor::FromVector<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(RunOperator("ReduceSum", {x, List<std::int64_t>({2})}).status().code(),
            ErrorCode::kInvalidModel);
  EXPECT_EQ(RunOperator("ReduceSum", {x, List<std::int64_t>({0, -2})}).status().code(),
            ErrorCode::kInvalidModel);
}

TEST(ArgMax, PrefersTheFirstUnlessAskedForTheLast) {
  const Tensor x = List<float>({1, 3, 3, 2});
  EXPECT_EQ(Values<std::int64_t>(RunOperator("ArgMax", {x})), Longs{1});
  EXPECT_EQ(
      Values<std::int64_t>(RunOperator("ArgMax", {x}, {{"select_last_index", std::int64_t{1}}})),
      Longs{2});
  EXPECT_EQ(RunOperator("ArgMax", {x}, {{"axis", std::int64_t{1}}}).status().code(),
            ErrorCode::kInvalidModel);
}

TEST(TopK, KeepsTheOrderOfEqualElementsAndChecksK) {
  const Tensor x = List<float>({2, 5, 5, NAN, 1});
  const auto largest = RunOperator("TopK", {x, List<std::int64_t>({3})}, {}, 2);
  EXPECT_EQ(Values<std::int64_t>(largest, 1), (Longs{3, 1, 2}));
  const auto smallest =
      RunOperator("TopK", {x, List<std::int64_t>({2})}, {{"largest", std::int64_t{0}}}, 2);
  EXPECT_EQ(Values<float>(smallest), (Floats{1, 2}));
  for (const std::int64_t k : {-1, 6})
    EXPECT_EQ(RunOperator("TopK", {x, List<std::int64_t>({k})}, {}, 2).status().code(),
              ErrorCode::kInvalidModel);
}

TEST(Softmax, SurvivesLargeNumbers) {
  EXPECT_EQ(Values<float>(RunOperator("Softmax", {List<float>({1e30F, 1e30F, -1e30F})})),
            (Floats{0.5F, 0.5F, 0}));
}

TEST(Gemm, ComputesTransposedProductsWithABroadcastTerm) {
  const Tensor a = Tensor::FromVector<std::int32_t>({2, 2}, {1, 2, 3, 4});
  const AttrMap both = {
      {"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}, {"alpha", 2.0F}, {"beta", -1.0F}};
  EXPECT_EQ(Values<std::int32_t>(RunOperator("Gemm", {a, a, List<std::int32_t>({1, 10})}, both)),
            (Ints{13, 20, 19, 34}));
  const Tensor c = Tensor::FromVector<std::int32_t>({3}, {0, 0, 0});
  EXPECT_EQ(RunOperator("Gemm", {a, a, c}).status().code(), ErrorCode::kInvalidModel);
}

TEST(Einsum, TakesDiagonalsEllipsesAndImplicitOutputs) {
  const Tensor a = Tensor::FromVector<float>({2, 2}, {1, 2, 3, 4});
  const auto run = [](const char* equation, std::vector<Tensor> inputs) {
    return RunOperator("Einsum", std::move(inputs), {{"equation", std::string(equation)}});
  };
  EXPECT_EQ(Values<float>(run("ii->i", {a})), (Floats{1, 4}));
  EXPECT_EQ(Values<float>(run("ii", {a})), Floats{5});
  EXPECT_EQ(Values<float>(run("ba", {a})), (Floats{1, 3, 2, 4}));
  EXPECT_EQ(Values<float>(run("...j, j k -> ... k", {a, a})), (Floats{7, 10, 15, 22}));
  for (const char* bad : {"ij,jk->ik", "ij->ik", "i->i", "ij->ii", "i1->i", "..ij->i", ""})
    EXPECT_EQ(run(bad, {a}).status().code(), ErrorCode::kInvalidModel) << bad;
}

TEST(Einsum, RefusesWorkWithoutEnd) {
  const Tensor x = Tensor::FromVector<std::int8_t>({5000}, std::vector<std::int8_t>(5000));
  EXPECT_EQ(
      RunOperator("Einsum", {x, x, x, x}, {{"equation", std::string("a,b,c,d->")}}).status().code(),
      ErrorCode::kResource);
}

TEST(Loss, ChecksLabelsButSkipsTheIgnoredOne) {
  const Tensor scores = Tensor::FromVector<float>({2, 2}, {-1, -2, -3, -4});
  const auto run = [&](std::int64_t label, AttrMap attributes) {
    return RunOperator("NegativeLogLikelihoodLoss", {scores, List<std::int64_t>({1, label})},
                       std::move(attributes));
  };
  EXPECT_EQ(Values<float>(run(0, {})), Floats{2.5F});
  EXPECT_EQ(Values<float>(run(7, {{"ignore_index", std::int64_t{7}}})), Floats{2});
  EXPECT_EQ(run(7, {}).status().code(), ErrorCode::kDataError);
  EXPECT_EQ(run(-1, {}).status().code(), ErrorCode::kDataError);
}

TEST(Cast, SaturatesFloatsAndKeepsLowBitsOfIntegers) {
  const AttrMap to_i8 = {{"to", DType::kI8}};
  EXPECT_EQ(Values<std::int8_t>(RunOperator("Cast", {List<float>({300, -300, NAN, -1.9F})}, to_i8)),
            (std::vector<std::int8_t>{127, -128, 0, -1}));
  EXPECT_EQ(Values<std::int8_t>(RunOperator("Cast", {List<std::int32_t>({200, 256})}, to_i8)),
            (std::vector<std::int8_t>{-56, 0}));
}

TEST(Cast, RoundsDoublesToHalfOnce) {
  // Just above the middle of two halves: by way of float it would become the middle exactly.
  const double x = 1.0 + 0x1p-11 + 0x1p-40;
  const auto y = Values<Half>(RunOperator("Cast", {List<double>({x})}, {{"to", DType::kF16}}));
  ASSERT_EQ(y.size(), 1U);
  EXPECT_EQ(y[0].bits, 0x3C01);
}

TEST(Cast, ReadsAndPrintsNumbers) {
  const auto printed = RunOperator("Cast", {List<float>({1, 0.1F, 1e20F, -INFINITY, NAN})},
                                   {{"to", DType::kString}});
  EXPECT_EQ(Values<std::string>(printed),
            (std::vector<std::string>{"1.0", "0.1", "1e+20", "-inf", "nan"}));
  const auto read = RunOperator("Cast", {List<std::string>({"3.5", " +INF ", "-1e400", "1e-400"})},
                                {{"to", DType::kF32}});
  EXPECT_EQ(Values<float>(read), (Floats{3.5F, INFINITY, -INFINITY, 0}));
  for (const char* bad : {"", "x", "1.5.2", "1 2", "++1"}) {
    const auto result = RunOperator("Cast", {List<std::string>({bad})}, {{"to", DType::kI32}});
    EXPECT_EQ(result.status().code(), ErrorCode::kDataError) << bad;
  }
}

TEST(Cast, PrintsTheShortestTextOfHalf) {
  EXPECT_EQ(PrintNumber(Half(0.1F)), "0.1");
  EXPECT_EQ(PrintNumber(Half(2048.0F)), "2048.0");
}

TEST(BitCast, RefusesAnotherWidth) {
  EXPECT_EQ(RunOperator("BitCast", {List<float>({1})}, {{"to", DType::kI64}}).status().code(),
            ErrorCode::kInvalidModel);
  EXPECT_EQ(Values<std::int32_t>(RunOperator("BitCast", {List<float>({1})}, {{"to", DType::kI32}})),
            Ints{0x3F800000});
}

TEST(ShapeArithmetic, FollowsSymbolsThroughChoicesAndProducts) {
  Graph graph(Standard());
  const Dim n = Dim::Symbol("N");
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {n, 3, 4}));
  const ValueId shape = *graph.Add("Shape", {x});
  const ValueId product = *graph.Add("ReduceProd", {shape});
  EXPECT_EQ((*graph.value(product).ints)[0].ToString(), (n * Dim(12)).ToString());
  // -1 stands for "as it is" in exported Expand: no size is ever -1.
  const ValueId minus_one = graph.AddConstant(List<std::int64_t>({-1, -1, -1}));
  const ValueId ones = graph.AddConstant(List<std::int64_t>({1, 1, 1}));
  const ValueId same = *graph.Add("Equal", {shape, minus_one});
  const ValueId chosen = *graph.Add("Where", {same, ones, shape});
  ASSERT_TRUE(graph.value(chosen).ints.has_value());
  EXPECT_EQ(ToString(*graph.value(chosen).ints), ToString(Shape{n, 3, 4}));
}

// Truncated, -N / 2 is another number than floored where N is odd.
TEST(ShapeArithmetic, DoesNotFollowTheDivisionOfNegativeNumbers) {
  Graph graph(Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N")}));
  const ValueId two = graph.AddConstant(List<std::int64_t>({2}));
  const ValueId shape = *graph.Add("Shape", {x});
  const auto half_of = [&](ValueId value) {
    return graph.value(*graph.Add("Div", {value, two})).ints->front();
  };
  EXPECT_EQ(half_of(shape).ToString(), "floor((N)/(2))");
  const ValueId minus_one = graph.AddConstant(List<std::int64_t>({-1}));
  EXPECT_TRUE(half_of(*graph.Add("Mul", {shape, minus_one})).IsUnknown());
  EXPECT_EQ(half_of(graph.AddConstant(List<std::int64_t>({0}))), Dim(0));
}

// The sum of two bytes became a constant of more than a byte.
TEST(ShapeArithmetic, KnowsNothingOfNumbersThatWrapAround) {
  Graph graph(Standard());
  const auto sum_of = [&](const Tensor& a, const Tensor& b) {
    const ValueId sum = *graph.Add("Add", {graph.AddConstant(a), graph.AddConstant(b)});
    const ValueId wide = *graph.Add("Cast", {sum}, {{"to", DType::kI64}});
    return graph.value(wide).ints->front();
  };
  using Bytes = std::vector<std::uint8_t>;
  EXPECT_TRUE(sum_of(List(Bytes{200}), List(Bytes{100})).IsUnknown());
  EXPECT_TRUE(sum_of(List(Bytes{200}), List(Bytes{55})).Is(255));
  EXPECT_TRUE(sum_of(List(Ints{kLargest}), List(Ints{1})).IsUnknown());
  EXPECT_TRUE(sum_of(List(Ints{kLowest}), List(Ints{0})).Is(kLowest));
  using Unsigned = std::vector<std::uint64_t>;
  const ValueId huge = graph.AddConstant(List(Unsigned{~std::uint64_t{0}}));
  const ValueId other = graph.AddConstant(List(Unsigned{1}));
  EXPECT_FALSE(graph.value(*graph.Add("Max", {huge, other})).ints.has_value());
  const ValueId large = graph.AddConstant(List(Longs{std::int64_t{1} << 40}));
  const ValueId narrow = *graph.Add("Cast", {large}, {{"to", DType::kI32}});
  EXPECT_TRUE(graph.value(narrow).ints->front().IsUnknown());
}

}  // namespace
}  // namespace athanor::ops
