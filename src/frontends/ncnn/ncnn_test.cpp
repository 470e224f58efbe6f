#include <gtest/gtest.h>

#include <cstring>

#include "frontends/ncnn/import.h"
#include "frontends/ncnn/param_file.h"
#include "ir/evaluate.h"
#include "ir/text.h"

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

// Runs a network of one input on the given values.
std::vector<float> Answer(const Result<Graph>& graph, Dims dims, const std::vector<float>& values) {
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return {};
  const auto out = Evaluate(*graph, {Datum(Tensor::FromVector<float>(std::move(dims), values))});
  EXPECT_TRUE(out.ok()) << out.status().ToString();
  if (!out.ok()) return {};
  const auto data = (*out)[0].tensor().Data<float>();
  return {data.begin(), data.end()};
}

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

TEST(NcnnImport, EightBitWeightsAreRefusedWithAReason) {
  const auto marked =
      Bin().Mark(0x000D4B38).Read({"Input x 0 1 x 0=3", "InnerProduct f 1 1 x y 0=1 2=3"});
  EXPECT_EQ(marked.status().code(), ErrorCode::kUnsupported);
  const auto layer = Bin().Read({"Input x 0 1 x 0=3", "InnerProduct f 1 1 x y 0=1 2=3 8=1"});
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

}  // namespace
}  // namespace athanor::ncnn
