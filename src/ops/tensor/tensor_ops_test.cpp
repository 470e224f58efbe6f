// Unhappy paths of the data-movement operators: nothing a file or its data say may lead outside a
// tensor, into endless work or beyond memory.
#include <gtest/gtest.h>

#include <limits>

#include "ir/evaluate.h"
#include "ops/catalog.h"

namespace athanor::ops {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

Tensor Ints(const std::vector<std::int64_t>& values) {
  return Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
Tensor Floats(Dims dims, const std::vector<float>& values) {
  return Tensor::FromVector<float>(std::move(dims), values);
}

// Runs one node on inputs of unknown shape, so that nothing is checked before there are values.
Result<std::vector<Datum>> RunOp(std::string_view op, const std::vector<Tensor>& inputs,
                                 AttrMap attributes = {}, std::size_t outputs = 1) {
  Graph graph(Standard());
  std::vector<ValueId> values;
  std::vector<Datum> data;
  for (const Tensor& tensor : inputs) {
    values.push_back(graph.AddInput("x", Type::TensorOfUnknownRank(tensor.dtype())));
    data.emplace_back(tensor);
  }
  ATH_TRY(const NodeId id, graph.AddNode({.op = op,
                                          .inputs = std::move(values),
                                          .attributes = std::move(attributes),
                                          .num_outputs = outputs}));
  for (const ValueId output : graph.node(id).outputs) graph.AddOutput("y", output);
  return Evaluate(graph, std::move(data));
}

ErrorCode CodeOf(std::string_view op, const std::vector<Tensor>& inputs, AttrMap attributes = {}) {
  const Result<std::vector<Datum>> result = RunOp(op, inputs, std::move(attributes));
  return result.ok() ? ErrorCode::kOk : result.status().code();
}

TEST(Slice, ClampsBoundsAtBothEndsOfTheIntegerRange) {
  const Tensor x = Ints({0, 1, 2, 3, 4});
  const auto forward = RunOp("Slice", {x, Ints({-kHuge}), Ints({kHuge}), Ints({0}), Ints({2})});
  ASSERT_TRUE(forward.ok()) << forward.status().ToString();
  EXPECT_TRUE((*forward)[0].tensor().SameAs(Ints({0, 2, 4})));
  const auto backward =
      RunOp("Slice", {x, Ints({kHuge}), Ints({-kHuge - 1}), Ints({-1}), Ints({-kHuge - 1})});
  ASSERT_TRUE(backward.ok()) << backward.status().ToString();
  EXPECT_TRUE((*backward)[0].tensor().SameAs(Ints({4})));
}

TEST(Slice, RefusesAStepOfZeroAndAnAxisTwice) {
  const Tensor x = Ints({0, 1, 2});
  EXPECT_EQ(CodeOf("Slice", {x, Ints({0}), Ints({2}), Ints({0}), Ints({0})}),
            ErrorCode::kInvalidModel);
  EXPECT_EQ(CodeOf("Slice", {x, Ints({0, 0}), Ints({2, 2}), Ints({0, -1})}),
            ErrorCode::kInvalidModel);
  EXPECT_EQ(CodeOf("Slice", {x, Ints({0, 0}), Ints({2})}), ErrorCode::kInvalidModel);
}

TEST(Gather, RefusesIndicesOutsideTheAxis) {
  const Tensor x = Floats({3}, {1, 2, 3});
  EXPECT_EQ(CodeOf("Gather", {x, Ints({3})}), ErrorCode::kDataError);
  EXPECT_EQ(CodeOf("Gather", {x, Ints({-4})}), ErrorCode::kDataError);
  EXPECT_EQ(CodeOf("GatherElements", {x, Ints({kHuge})}), ErrorCode::kDataError);
  EXPECT_EQ(CodeOf("GatherND", {x, Tensor::FromVector<std::int64_t>({1, 1}, {-4})}),
            ErrorCode::kDataError);
  EXPECT_EQ(CodeOf("Gather", {x, Ints({0})}, {{"axis", std::int64_t{1}}}),
            ErrorCode::kInvalidModel);
}

TEST(Gather, FromNothingGivesNothing) {
  const auto y = RunOp("Gather", {Floats({0, 2}, {}), Ints({})});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_EQ((*y)[0].tensor().dims(), (Dims{0, 2}));
  EXPECT_EQ(CodeOf("Gather", {Floats({0, 2}, {}), Ints({0})}), ErrorCode::kDataError);
}

TEST(Scatter, TheLastOfOverlappingUpdatesWins) {
  const auto y = RunOp("ScatterElements", {Ints({0, 0, 0}), Ints({1, 1, -2}), Ints({5, 6, 7})});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_TRUE((*y)[0].tensor().SameAs(Ints({0, 7, 0})));
}

TEST(Scatter, AddsOverlappingUpdates) {
  const auto y = RunOp("ScatterElements", {Ints({1, 0, 0}), Ints({0, 0, 0}), Ints({5, 6, 7})},
                       {{"reduction", std::string("add")}});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_TRUE((*y)[0].tensor().SameAs(Ints({19, 0, 0})));
}

TEST(Scatter, RefusesIndicesAndShapesThatDoNotFit) {
  EXPECT_EQ(CodeOf("ScatterElements", {Ints({0}), Ints({1}), Ints({5})}), ErrorCode::kDataError);
  EXPECT_EQ(CodeOf("ScatterElements", {Ints({0, 0}), Ints({0}), Ints({5, 6})}),
            ErrorCode::kInvalidModel);
  const Tensor index = Tensor::FromVector<std::int64_t>({1, 1}, {9});
  EXPECT_EQ(CodeOf("ScatterND", {Ints({0}), index, Ints({5})}), ErrorCode::kDataError);
  EXPECT_EQ(CodeOf("ScatterND", {Ints({0}), index, Ints({5, 6})}), ErrorCode::kInvalidModel);
}

TEST(TensorScatter, RefusesToWriteBeyondTheCacheUnlessCircular) {
  const std::vector<Tensor> inputs = {Floats({1, 3, 1}, {0, 0, 0}), Floats({1, 2, 1}, {1, 2}),
                                      Ints({2})};
  EXPECT_EQ(CodeOf("TensorScatter", inputs), ErrorCode::kDataError);
  const auto y = RunOp("TensorScatter", inputs, {{"mode", std::string("circular")}});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_TRUE((*y)[0].tensor().SameAs(Floats({1, 3, 1}, {2, 0, 1})));
}

TEST(Pad, WrapsAndReflectsFartherThanTheTensorIsLong) {
  const auto wrap = RunOp("Pad", {Ints({1, 2}), Ints({3, 2})}, {{"mode", std::string("wrap")}});
  ASSERT_TRUE(wrap.ok()) << wrap.status().ToString();
  EXPECT_TRUE((*wrap)[0].tensor().SameAs(Ints({2, 1, 2, 1, 2, 1, 2})));
  const auto reflect =
      RunOp("Pad", {Ints({1, 2, 3}), Ints({4, -1})}, {{"mode", std::string("reflect")}});
  ASSERT_TRUE(reflect.ok()) << reflect.status().ToString();
  EXPECT_TRUE((*reflect)[0].tensor().SameAs(Ints({1, 2, 3, 2, 1, 2})));
}

TEST(Pad, RefusesToRemoveMoreThanThereIsOrToGrowWithoutEnd) {
  EXPECT_EQ(CodeOf("Pad", {Ints({1, 2}), Ints({-2, -1})}), ErrorCode::kInvalidModel);
  EXPECT_EQ(CodeOf("Pad", {Ints({1, 2}), Ints({kHuge, kHuge})}), ErrorCode::kResource);
  EXPECT_EQ(CodeOf("Pad", {Ints({1, 2}), Ints({kHuge / 16, 0})}), ErrorCode::kResource);
  EXPECT_EQ(CodeOf("Pad", {Ints({}), Ints({1, 1})}, {{"mode", std::string("edge")}}),
            ErrorCode::kInvalidModel);
}

TEST(Tile, RefusesNegativeAndHugeRepeats) {
  EXPECT_EQ(CodeOf("Tile", {Ints({1, 2}), Ints({-1})}), ErrorCode::kInvalidModel);
  EXPECT_EQ(CodeOf("Tile", {Ints({1, 2}), Ints({kHuge})}), ErrorCode::kResource);
  EXPECT_EQ(CodeOf("Tile", {Ints({1, 2}), Ints({kHuge / 64})}), ErrorCode::kResource);
  EXPECT_EQ(CodeOf("Expand", {Ints({1}), Ints({kHuge / 64})}), ErrorCode::kResource);
  EXPECT_EQ(CodeOf("Expand", {Ints({1}), Ints({-3})}), ErrorCode::kInvalidModel);
}

TEST(Range, RefusesAStepOfZeroAndARangeWithoutEnd) {
  const auto range = [](auto start, auto limit, auto delta) {
    return CodeOf("Range", {Tensor::Scalar(start), Tensor::Scalar(limit), Tensor::Scalar(delta)});
  };
  EXPECT_EQ(range(std::int64_t{0}, std::int64_t{5}, std::int64_t{0}), ErrorCode::kDataError);
  EXPECT_EQ(range(-kHuge, kHuge, std::int64_t{1}), ErrorCode::kResource);
  EXPECT_EQ(range(0.0F, std::numeric_limits<float>::infinity(), 1.0F), ErrorCode::kResource);
  EXPECT_EQ(range(0.0F, 1.0F, std::numeric_limits<float>::quiet_NaN()), ErrorCode::kResource);
}

TEST(Split, RefusesPartsThatDoNotMakeTheAxis) {
  const Tensor x = Ints({1, 2, 3});
  EXPECT_FALSE(RunOp("Split", {x, Ints({1, 1})}, {}, 2).ok());
  EXPECT_FALSE(RunOp("Split", {x, Ints({4, -1})}, {}, 2).ok());
  EXPECT_FALSE(RunOp("Split", {x}, {}, 2).ok());
  const auto uneven = RunOp("Split", {x}, {{"num_outputs", std::int64_t{2}}}, 2);
  ASSERT_TRUE(uneven.ok()) << uneven.status().ToString();
  EXPECT_TRUE((*uneven)[1].tensor().SameAs(Ints({3})));
}

TEST(OneHot, IsOffEverywhereForAnIndexOutside) {
  const auto y =
      RunOp("OneHot", {Floats({3}, {1, -1, 7}), Tensor::Scalar<std::int64_t>(2), Ints({0, 9})});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_TRUE(
      (*y)[0].tensor().SameAs(Tensor::FromVector<std::int64_t>({3, 2}, {0, 9, 0, 9, 0, 0})));
  EXPECT_EQ(CodeOf("OneHot", {Ints({0}), Tensor::Scalar<std::int64_t>(-1), Ints({0, 1})}),
            ErrorCode::kDataError);
}

TEST(Unique, TreatsAllNaNsAsOne) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto y = RunOp("Unique", {Floats({4}, {nan, 2, nan, 1})}, {}, 4);
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_EQ((*y)[0].tensor().count(), 3);
  EXPECT_TRUE((*y)[1].tensor().SameAs(Ints({3, 1, 0})));
  EXPECT_TRUE((*y)[3].tensor().SameAs(Ints({1, 1, 2})));
}

TEST(DepthToSpace, RefusesBlocksThatDoNotDivideTheChannels) {
  const Tensor x = Floats({1, 3, 1, 1}, {1, 2, 3});
  EXPECT_EQ(CodeOf("DepthToSpace", {x}, {{"blocksize", std::int64_t{2}}}),
            ErrorCode::kInvalidModel);
  EXPECT_EQ(CodeOf("DepthToSpace", {x}, {{"blocksize", std::int64_t{0}}}),
            ErrorCode::kInvalidModel);
  EXPECT_EQ(CodeOf("SpaceToDepth", {x}, {{"blocksize", kHuge}}), ErrorCode::kInvalidModel);
}

TEST(ReverseSequence, RefusesALengthBeyondTheAxis) {
  EXPECT_EQ(CodeOf("ReverseSequence", {Floats({2, 1}, {1, 2}), Ints({3})}), ErrorCode::kDataError);
}

TEST(SequenceAt, RefusesAPositionOutside) {
  Graph graph(Standard());
  const ValueId items = *graph.Add("SequenceConstruct", {graph.AddConstant(Ints({1}))});
  const ValueId at = graph.AddConstant(Tensor::Scalar<std::int64_t>(1));
  graph.AddOutput("y", *graph.Add("SequenceAt", {items, at}));
  const auto y = Evaluate(graph, {});
  ASSERT_FALSE(y.ok());
  EXPECT_EQ(y.status().code(), ErrorCode::kDataError);
}

TEST(Shapes, AreFollowedThroughShapeGatherConcatAndReshape) {
  Graph graph(Standard());
  const ValueId x =
      graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim(4), Dim::Symbol("H")}));
  const ValueId shape = *graph.Add("Shape", {x});
  const ValueId first = *graph.Add("Gather", {shape, graph.AddConstant(Ints({0}))});
  const ValueId rest =
      *graph.Add("Slice", {shape, graph.AddConstant(Ints({2})), graph.AddConstant(Ints({kHuge}))});
  const ValueId target = *graph.Add("Concat", {first, rest, graph.AddConstant(Ints({2, 2}))},
                                    {{"axis", std::int64_t{0}}});
  const ValueId y = *graph.Add("Reshape", {x, target});
  EXPECT_EQ(graph.value(y).type.ToString(), "f32[N, H, 2, 2]");
}

TEST(Random, GivesTheSameNumbersForTheSameSeed) {
  const AttrMap attributes = {{"shape", std::vector<std::int64_t>{64}}, {"seed", 7.0F}};
  const auto a = RunOp("RandomNormal", {}, attributes), b = RunOp("RandomNormal", {}, attributes);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_TRUE((*a)[0].tensor().SameAs((*b)[0].tensor()));
  const AttrMap fresh = {{"shape", std::vector<std::int64_t>{64}}};
  const auto c = RunOp("RandomNormal", {}, fresh), d = RunOp("RandomNormal", {}, fresh);
  ASSERT_TRUE(c.ok() && d.ok());
  EXPECT_FALSE((*c)[0].tensor().SameAs((*d)[0].tensor()));
}

TEST(RegexFullMatch, RefusesWhatIsNoRegularExpression) {
  EXPECT_EQ(
      CodeOf("RegexFullMatch", {Tensor::Scalar(std::string("a"))}, {{"pattern", std::string("(")}}),
      ErrorCode::kInvalidModel);
}

TEST(StringNormalizer, ChangesTheCaseOfLettersBeyondAscii) {
  const Tensor x = Tensor::FromVector<std::string>({2}, {"\xC3\x84pfel", "\xFF!"});
  const auto y = RunOp("StringNormalizer", {x}, {{"case_change_action", std::string("LOWER")}});
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_EQ((*y)[0].tensor().Data<std::string>()[0], "\xC3\xA4pfel");
  EXPECT_EQ((*y)[0].tensor().Data<std::string>()[1], "\xFF!");
}

}  // namespace
}  // namespace athanor::ops
