#include "quant/table.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"
#include "quant/quantize.h"

namespace athanor::quant {
namespace {

struct Small {
  Graph graph;
  Candidates candidates;
  Calibration calibration;
};

Small Make() {
  Result<Graph> graph = ParseText(R"(
graph main(x: f32[1, 2]) -> (y: f32[1, 2]) {
  const %w: f32[2, 2] = [2, 0.5, -4, 0.25]
  %r = Relu(%x)
  %y = MatMul(%r, %w) @product
}
)",
                                  ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  Candidates candidates = *FindCandidates(*graph);
  const auto sample = [](std::size_t) -> Result<std::vector<Datum>> {
    return std::vector<Datum>{Tensor::FromVector<float>({1, 2}, {-1, 2.54F})};
  };
  Calibration calibration = *Calibrate(*graph, WatchedFor(*graph, candidates), 1, sample, {});
  return {*std::move(graph), std::move(candidates), std::move(calibration)};
}

// 2.54 / 127 = 0.02 = 0x3ca3d70a, and y = 2.54 * (-4, 0.25).
TEST(Table, WritesWhatTensorRtReads) {
  const Small small = Make();
  const Result<std::string> text = FormatCache(small.graph, small.calibration);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "TRT-8601-EntropyCalibration2\nr: 3ca3d70a\ny: 3da3d70a\n");
}

TEST(Table, WritesWhatNcnnReads) {
  const Small small = Make();
  const Result<std::string> text =
      FormatNcnnTable(small.graph, small.candidates, small.calibration);
  ASSERT_TRUE(text.ok());
  // 127 / 4, 127 / 0.5 and 127 / 2.54.
  EXPECT_EQ(*text, "product_param_0 31.75 254\nproduct 50\n");
}

TEST(Table, ReadsMagnitudesAndTakesTheirSideFromTheSamples) {
  for (const char* text : {"TRT-7000-EntropyCalibration2\nr: 3d000000\nother: 3f800000\n",
                           "product_param_0 1 2\r\nproduct 32\n"}) {
    Small small = Make();
    const Result<CalibrationTable> table = ParseTable(text);
    ASSERT_TRUE(table.ok()) << table.status().ToString();
    const auto used = ApplyTable(*table, small.graph, small.candidates, small.calibration);
    ASSERT_TRUE(used.ok()) << used.status().ToString();
    EXPECT_EQ(*used, 1U);
    const Calibrated& r =
        small.calibration.at(small.graph.node(small.candidates.nodes[0].node).inputs[0]);
    EXPECT_EQ(r.range.low, 0);
    EXPECT_NEAR(r.range.high, table->by_node ? 127.0 / 32 : 127.0 / 32, 1e-6);
    EXPECT_EQ(r.method, "table");
  }
}

// 0x3d000000 is 1/32: what TensorRT multiplies the integers by.
TEST(Table, GivesSymmetricRangesItsOwnScales) {
  Small small = Make();
  const Result<CalibrationTable> table = ParseTable("TRT-8601-MinMax\nr: 3d000000\n");
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  for (auto& [id, value] : small.calibration) value.range = Mirrored(value.range);
  ASSERT_TRUE(ApplyTable(*table, small.graph, small.candidates, small.calibration).ok());
  const Calibrated& r =
      small.calibration.at(small.graph.node(small.candidates.nodes[0].node).inputs[0]);
  EXPECT_EQ(r.range.low, -r.range.high);
  EXPECT_EQ(ScaleFor(r.range).scale, 1.0F / 32);
  EXPECT_EQ(ScaleFor(r.range).zero, 128);
  const Result<std::string> text = FormatCache(small.graph, small.calibration);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "TRT-8601-EntropyCalibration2\nr: 3d000000\ny: 3da3d70a\n");
}

TEST(Table, RefusesWhatIsNoTable) {
  for (const char* text :
       {"", "TRT-1\n", "TRT-1\nx 3f800000\n", "TRT-1\nx: 00000000\n", "TRT-1\nx: 7f800000\n",
        "TRT-1\nx: 3f80000g\n", "TRT-1\nx: \n", "TRT-1\n: 3f800000\n", "conv1 0\n", "conv1 -3\n",
        "conv1 inf\n", "conv1 nan\n", "conv1\n", "conv1 1e99\n", "\xff\xfe\n"}) {
    EXPECT_FALSE(ParseTable(text).ok()) << text;
  }
  Small small = Make();
  const auto used =
      ApplyTable(*ParseTable("nobody 3\n"), small.graph, small.candidates, small.calibration);
  EXPECT_EQ(used.status().code(), ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace athanor::quant
