#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "core/file.h"
#include "frontends/answer_for_test.h"
#include "frontends/ncnn/export.h"
#include "frontends/ncnn/import.h"
#include "frontends/ncnn/layer_export.h"
#include "frontends/ncnn/layer_import.h"
#include "frontends/ncnn/param_file.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::ncnn {
namespace {

std::string Lines(const std::vector<std::string>& layers) {
  std::string text = fmt::format("7767517\n{} {}\n", layers.size(), layers.size());
  for (const std::string& layer : layers) text += layer + "\n";
  return text;
}

// The bytes of a .bin file, piece by piece.
class Bin {
 public:
  Bin& Mark(std::uint32_t mark) { return Put(&mark, sizeof(mark)); }
  Bin& Floats(const std::vector<float>& values) {
    return Put(values.data(), values.size() * sizeof(float));
  }
  Bin& Put(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    bytes_->insert(bytes_->end(), bytes, bytes + size);
    return *this;
  }
  Result<Graph> Read(const std::vector<std::string>& layers) const {
    return Import(Lines(layers), *bytes_, bytes_);
  }

 private:
  std::shared_ptr<std::vector<std::uint8_t>> bytes_ = std::make_shared<std::vector<std::uint8_t>>();
};

using Floats = std::vector<float>;

TEST(NcnnImport, AConvolutionWithAFusedLeakyRelu) {
  const auto graph = Bin().Mark(0).Floats({1, -1}).Floats({0.5F, 0}).Read(
      {"Input x 0 1 x 0=2 1=1 2=1", "Convolution conv 1 1 x y 0=2 1=1 5=1 6=2 9=2 -23310=1,0.1"});
  EXPECT_EQ(Answer(graph, {1, 1, 1, 2}, {3, -4}), (Floats{3.5F, -0.35F, -0.3F, 4}));
}

TEST(NcnnImport, HalfPrecisionAndTableWeightsAreRead) {
  const std::uint16_t halves[] = {0x3C00, 0xC000, 0x3800, 0};  // 1, -2, 0.5 and filling
  const auto half = Bin()
                        .Mark(0x01306B47)
                        .Put(halves, sizeof(halves))
                        .Read({"Input x 0 1 x 0=3", "InnerProduct f 1 1 x y 0=1 2=3"});
  EXPECT_EQ(Answer(half, {1, 3}, {1, 1, 2}), (Floats{0}));
  Floats table(256, 0);
  table[7] = 2;
  table[9] = -1;
  const std::uint8_t indices[] = {7, 9, 7, 0};
  const auto indexed = Bin()
                           .Mark(0x01020304)
                           .Floats(table)
                           .Put(indices, 4)
                           .Read({"Input x 0 1 x 0=3", "InnerProduct f 1 1 x y 0=1 2=3"});
  EXPECT_EQ(Answer(indexed, {1, 3}, {1, 10, 100}), (Floats{192}));
}

// By hand: 1.26 * 100 = 126, -2 * 100 is cut to -127; products 126 * 3 and -127 * -2.
TEST(NcnnImport, LayersOnEightBitsRoundWhatTheyRead) {
  const std::int8_t bytes[] = {3, -2, 100, 50};
  const auto graph = Bin()
                         .Mark(0x000D4B38)
                         .Put(bytes, sizeof(bytes))
                         .Floats({0.5F, 0})     // bias
                         .Floats({10, 0, 100})  // scales of the weights, of the input
                         .Read({"Input x 0 1 x 0=2", "InnerProduct f 1 1 x y 0=2 1=1 2=4 8=1"});
  const Floats y = Answer(graph, {1, 2}, {1.26F, -2});
  EXPECT_NEAR(y[0], (126 * 3 + 127 * 2) / 1000.0F + 0.5F, 1e-5);
  EXPECT_EQ(y[1], 0);  // a scale of 0: a channel of zeros
}

TEST(NcnnImport, WeightsAreRoundedWhenTheFileHasThemAsFloats) {
  const auto graph =
      Bin()
          .Mark(0)
          .Floats({0.25F, -1.5F})
          .Floats({10, 100, 41})  // weights, input, output
          .Read({"Input x 0 1 x 0=1 1=1 2=2", "Convolution c 1 1 x y 0=1 1=1 6=2 8=101"});
  // 0.25 * 10 = 2.5 away from 0 is 3, -15; 100 * 3 + 50 * -15 = -450, / 1000 = -0.45, * 41 =
  // -18.45.
  const Floats y = Answer(graph, {1, 2, 1, 1}, {1, 0.5F});
  EXPECT_NEAR(y[0], -18 / 41.0F, 1e-6);
}

TEST(NcnnImport, OnlyConvolutionsHaveAScaleOfTheirResults) {
  const auto read = [](const std::string& term) {
    Bin bin;
    bin.Mark(0).Floats({1}).Floats({10, 10, 10});
    return bin.Read({"Input x 0 1 x 0=1", "InnerProduct f 1 1 x y 0=1 2=1 8=" + term});
  };
  EXPECT_NE(read("101").status().message().find("int8_scale_term is 101; only convolutions"),
            std::string::npos);
  EXPECT_NE(read("-1").status().message().find("int8_scale_term is -1"), std::string::npos);
}

TEST(NcnnImport, ScalesMustBePositive) {
  for (const float wrong : {0.0F, -1.0F, NAN, INFINITY}) {
    const auto graph = Bin()
                           .Mark(0)
                           .Floats({1})
                           .Floats({10, wrong})
                           .Read({"Input x 0 1 x 0=1", "InnerProduct f 1 1 x y 0=1 2=1 8=1"});
    EXPECT_FALSE(graph.ok());
  }
}

TEST(NcnnImport, TheInputsChannelsAreGuessedFromTheFirstConvolution) {
  const auto graph = Bin()
                         .Mark(0)
                         .Floats(Floats(54, 1))
                         .Read({"Input x 0 1 x", "Convolution c 1 1 x y 0=2 1=3 4=1 6=54"});
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->value(graph->inputs()[0]).type.ToString(), "f32[N, 3, H, W]");
}

TEST(NcnnImport, ABlobsAxesAreOnesOfItsValueWithABatchBefore) {
  const auto graph = Bin().Read({"Input x 0 1 x 0=3 1=2", "Permute p 1 1 x y 0=1"});
  EXPECT_EQ(Answer(graph, {1, 2, 3}, {1, 2, 3, 4, 5, 6}), (Floats{1, 4, 2, 5, 3, 6}));
}

TEST(NcnnImport, PoolingRoundsItsSizeUpUnlessToldOtherwise) {
  const std::string input = "Input x 0 1 x 0=3 1=1 2=1";
  const auto up = Bin().Read({input, "Pooling p 1 1 x y 0=0 1=2 2=2 11=1 12=1"});
  EXPECT_EQ(Answer(up, {1, 1, 1, 3}, {1, 2, 3}), (Floats{2, 3}));
  const auto down = Bin().Read({input, "Pooling p 1 1 x y 0=0 1=2 2=2 11=1 12=1 5=1"});
  EXPECT_EQ(Answer(down, {1, 1, 1, 3}, {1, 2, 3}), (Floats{2}));
  // The average of a window that sticks out counts what lies inside.
  const auto mean = Bin().Read({input, "Pooling p 1 1 x y 0=1 1=2 2=2 11=1 12=1"});
  EXPECT_EQ(Answer(mean, {1, 1, 1, 3}, {1, 2, 3}), (Floats{1.5F, 3}));
}

TEST(NcnnImport, ARowIsSpreadOverTheChannelsOfABlob) {
  const auto graph = Bin().Floats({10, 20}).Read(
      {"Input x 0 1 x 0=1 1=2 2=2", "MemoryData m 0 1 m 0=2", "BinaryOp b 2 1 x m y 0=0"});
  EXPECT_EQ(Answer(graph, {1, 2, 2, 1}, {1, 2, 3, 4}), (Floats{11, 12, 23, 24}));
}

TEST(NcnnImport, DeconvolutionFiltersAreStoredByOutput) {
  // Two inputs, one output, a window of two: out = a * (1, 2) + b * (3, 4).
  const auto graph =
      Bin()
          .Mark(0)
          .Floats({1, 2, 3, 4})
          .Read({"Input x 0 1 x 0=1 1=1 2=2", "Deconvolution d 1 1 x y 0=1 1=2 11=1 3=2 6=4"});
  EXPECT_EQ(Answer(graph, {1, 2, 1, 1}, {10, 100}), (Floats{310, 420}));
}

TEST(NcnnImport, ShuffleAndSliceMoveChannels) {
  const auto graph = Bin().Read({"Input x 0 1 x 0=1 1=1 2=4", "ShuffleChannel s 1 1 x s 0=2",
                                 "Slice c 1 2 s a b -23300=2,-233,-233", "Concat k 2 1 b a y 0=0"});
  EXPECT_EQ(Answer(graph, {1, 4, 1, 1}, {1, 2, 3, 4}), (Floats{2, 4, 1, 3}));
}

TEST(NcnnImport, EveryUnknownLayerIsListedWithItsLine) {
  const auto graph = Bin().Read({"Input x 0 1 x 0=4", "Relu a 1 1 x a", "Yolo b 1 1 a b"});
  const std::string message = graph.status().ToString();
  EXPECT_NE(message.find("line 4, layer \"a\" (Relu)"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean \"ReLU\""), std::string::npos) << message;
  EXPECT_NE(message.find("layer \"b\" (Yolo)"), std::string::npos) << message;
}

TEST(NcnnImport, EightBitsAreRefusedWithAReasonWhereTheyAreNotRead) {
  const auto marked =
      Bin().Mark(0x000D4B38).Read({"Input x 0 1 x 0=3", "InnerProduct f 1 1 x y 0=1 2=3"});
  EXPECT_EQ(marked.status().code(), ErrorCode::kUnsupported);
  const auto layer =
      Bin().Read({"Input x 0 1 x 0=3 1=3 2=1", "Deconvolution d 1 1 x y 0=1 1=1 6=1 8=1"});
  EXPECT_EQ(layer.status().code(), ErrorCode::kUnsupported);
}

TEST(NcnnImport, WeightsOfTheWrongLengthAreCorrupt) {
  const std::vector<std::string> layers = {"Input x 0 1 x 0=3", "InnerProduct f 1 1 x y 0=1 2=3"};
  EXPECT_EQ(Bin().Mark(0).Floats({1, 2}).Read(layers).status().code(), ErrorCode::kCorruptFile);
  EXPECT_EQ(Bin().Mark(0).Floats({1, 2, 3, 4}).Read(layers).status().code(),
            ErrorCode::kCorruptFile);
}

TEST(NcnnParam, TextComesBackTheSame) {
  const std::string text = Lines(
      {"Input x 0 1 x 0=4", "Clip c 1 1 x y 0=-1.5 1=6", "Slice s 1 2 y a b -23300=2,-233,-233"});
  const auto once = ParseParam(text);
  ASSERT_TRUE(once.ok()) << once.status().ToString();
  const auto again = ParseParam(PrintParam(*once));
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(PrintParam(*once), PrintParam(*again));
  EXPECT_EQ((*again)[1].params.at(0).values[0], -1.5);
  EXPECT_EQ((*again)[2].params.at(0).values, (std::vector<double>{-233, -233}));
}

// The answers of a network before it was written and after it was read again.
void ExpectSameAnswers(std::string_view text, Dims dims) {
  const Result<Graph> graph = ParseText(text, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto files = ExportNcnn(*graph);
  ASSERT_TRUE(files.ok()) << files.status().ToString();
  auto owner = std::make_shared<std::vector<std::uint8_t>>(files->bin);
  const auto back = Import(files->param, *owner, owner);
  ASSERT_TRUE(back.ok()) << back.status().ToString() << files->param;
  Floats values;
  for (std::int64_t i = 0; i < *CheckedCount(dims); ++i)
    values.push_back(static_cast<float>((i * 37) % 19) / 10 - 0.9F);
  const Floats before = Answer(graph->Clone(), dims, values);
  const Floats after = Answer(back->Clone(), dims, values);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-5F);
}

TEST(NcnnExport, LayersWithWeightsComeBackTheSame) {
  ExpectSameAnswers(R"(graph g(x: f32[N, 4, 5, 5]) -> (y) {
    const %w: f32[6, 4, 3, 3] = random(1)
    const %b: f32[6] = random(2)
    const %d: f32[6, 1, 3, 3] = random(3)
    const %t: f32[6, 2, 2, 2] = random(4)
    const %m: f32[4, 3] = random(5)
    %a = Conv(%x, %w, %b) {pads = [1, 0, 1, 2], strides = [2, 1]}
    %c = Conv(%a, %d) {group = 6, auto_pad = "SAME_UPPER"}
    %e = ConvTranspose(%c, %t) {group = 2, strides = [2, 2]}
    %f = AveragePool(%e) {kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 0, 0]}
    %g = GlobalMaxPool(%f)
    %h = Flatten(%g)
    %y = Gemm(%h, %m)
  })",
                    {1, 4, 5, 5});
}

TEST(NcnnExport, MovementAndArithmeticComeBackTheSame) {
  ExpectSameAnswers(R"(graph g(x: f32[1, 4, 2, 6]) -> (y) {
    const %half: f32[] = 0.5
    const %row: f32[4, 1, 1] = [1, 2, 3, 4]
    const %low: f32[] = -0.5
    const %high: f32[] = 2
    const %split: i64[2] = [1, 3]
    const %shape: i64[4] = [1, 2, 4, 3]
    const %axes: i64[1] = [-1]
    const %flat: i64[2] = [0, -1]
    %a = Sub(%half, %x)
    %b = Mul(%a, %row)
    %c, %d = Split(%b, %split) {axis = 1}
    %e = Concat(%d, %c) {axis = 1}
    %f = Clip(%e, %low, %high)
    %g = Transpose(%f) {perm = [0, 3, 1, 2]}
    %h = HardSwish(%g)
    %i = Add(%h, %g)
    %j = ReduceMean(%i, %axes)
    %k = Mul(%i, %j)
    %l = Reshape(%k, %flat)
    %y = Softmax(%l)
  })",
                    {1, 4, 2, 6});
}

TEST(NcnnExport, ABlobWithSeveralReadersGoesThroughASplit) {
  const auto graph = ParseText(R"(graph g(x: f32[N, 4]) -> (a, y) {
    %a = Relu(%x)
    %y = Add(%a, %a)
  })",
                               ops::Standard());
  const auto files = ExportNcnn(*graph);
  ASSERT_TRUE(files.ok()) << files.status().ToString();
  const auto layers = ParseParam(files->param);
  ASSERT_EQ(layers->size(), 4U);
  EXPECT_EQ((*layers)[2].type, "Split");
  EXPECT_EQ((*layers)[2].tops.size(), 3U);
  EXPECT_EQ((*layers)[2].tops[0], "a");
}

TEST(NcnnExport, WritesFiniteNumbersOnly) {
  const auto padded = ParseText(R"(graph g(x: f32[N, 4, 6, 6]) -> (y) {
    const %pads: i64[8] = [0, 0, 1, 1, 0, 0, 1, 1]
    const %lowest: f32[] = -inf
    %p = Pad(%x, %pads, %lowest)
    %y = MaxPool(%p) {kernel_shape = [2, 2]}
  })",
                                ops::Standard());
  ASSERT_TRUE(padded.ok()) << padded.status().ToString();
  const Status status = ExportNcnn(*padded).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported) << status.ToString();
  EXPECT_NE(status.message().find("finite numbers"), std::string::npos) << status.ToString();
  const auto clipped = ParseText(R"(graph g(x: f32[N, 4]) -> (y) {
    const %low: f32[] = 0
    const %high: f32[] = inf
    %y = Clip(%x, %low, %high)
  })",
                                 ops::Standard());
  ASSERT_TRUE(clipped.ok()) << clipped.status().ToString();
  const auto files = ExportNcnn(*clipped);
  ASSERT_TRUE(files.ok()) << files.status().ToString();
  const auto layers = ParseParam(files->param);
  ASSERT_TRUE(layers.ok()) << layers.status().ToString();
  EXPECT_NEAR(layers->back().params.at(1).values[0] / 3.4028234663852886e38, 1, 1e-7);
}

TEST(NcnnExport, WhatNcnnCannotSayIsListedAtOnce) {
  const auto graph = ParseText(R"(graph g(x: f32[N, 4, 4]) -> (y) {
    %a = Erf(%x)
    %b = Transpose(%a) {perm = [1, 0, 2]}
    %y = Softmax(%b) {axis = 0}
  })",
                               ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const std::string message = ExportNcnn(*graph).status().ToString();
  EXPECT_NE(message.find("(Erf)"), std::string::npos) << message;
  EXPECT_NE(message.find("the batch must stay"), std::string::npos) << message;
  EXPECT_NE(message.find("axis 0, which is the batch"), std::string::npos) << message;
}

TEST(NcnnTables, TheDocumentListsEveryRow) {
  const Result<std::string> text = ReadTextFile("docs/formats/ncnn.md");
  ASSERT_TRUE(text.ok());
  const std::size_t read = text->find("## Layers read"),
                    written = text->find("## Operators written");
  ASSERT_LT(read, written);
  ASSERT_NE(written, std::string::npos);
  const auto check = [](const std::string& list, const auto& rows, auto name) {
    EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * static_cast<int>(rows.size()));
    for (const auto& row : rows)
      EXPECT_NE(list.find("`" + std::string(row.*name) + "`"), std::string::npos) << row.*name;
  };
  check(text->substr(read, written - read), Table(), &Row::type);
  std::vector<ExportRow> rows;
  for (auto* topic : {NnExportRows, MathExportRows, TensorExportRows}) {
    for (ExportRow& row : topic()) rows.push_back(std::move(row));
  }
  check(text->substr(written), rows, &ExportRow::op);
}

}  // namespace
}  // namespace athanor::ncnn
