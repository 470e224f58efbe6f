#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <list>
#include <sstream>

#include "core/checked.h"
#include "frontends/answer_for_test.h"
#include "frontends/caffe/export.h"
#include "frontends/caffe/import.h"
#include "frontends/caffe/layer_export.h"
#include "frontends/caffe/layer_import.h"
#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::caffe {
namespace {

using Floats = std::vector<float>;

// The weights of a network, layer by layer, as a .caffemodel.
class Model {
 public:
  Model& Layer(std::string_view name, std::vector<Floats> blobs) {
    Message& layer = net_.AddChild("layer");
    layer.String("name", name);
    for (Floats& numbers : blobs) {
      const Floats& kept = kept_.emplace_back(std::move(numbers));
      Message& blob = layer.AddChild("blobs");
      blob.AddChild("shape").Number("dim", static_cast<double>(kept.size()));
      FieldValue& data = blob.Add("data");
      data.kind = FieldValue::Kind::kFloats;
      data.packed = {reinterpret_cast<const std::uint8_t*>(kept.data()),
                     kept.size() * sizeof(float)};
    }
    return *this;
  }

  Result<Graph> Read(std::string_view text) const {
    auto bytes = std::make_shared<std::vector<std::uint8_t>>(PrintBytes(net_, "Net"));
    const std::span<const std::uint8_t> weights(*bytes);
    return Import({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, &weights,
                  bytes);
  }

 private:
  Message net_;
  std::list<Floats> kept_;
};

std::string Input(const Dims& dims) {
  std::string text = "input: \"x\" input_shape {";
  for (const std::int64_t dim : dims) text += fmt::format(" dim: {}", dim);
  return text + " }\n";
}

std::string One(std::string_view type, std::string_view rest = "") {
  return fmt::format("layer {{ name: \"l\" type: \"{}\" bottom: \"x\" top: \"y\" {} }}", type,
                     rest);
}

std::string Problem(const std::string& text) { return Model().Read(text).status().ToString(); }

TEST(CaffeImport, ThreeAgesOfTheFormatMeanTheSame) {
  const char* newest = R"(input: "x" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 2
    layer { name: "c" type: "Convolution" bottom: "x" top: "c"
            convolution_param { num_output: 1 kernel_size: 1 pad: 1 } }
    layer { name: "r" type: "ReLU" bottom: "c" top: "c" })";
  const char* second = R"(input: "x" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 2
    layers { name: "c" type: CONVOLUTION bottom: "x" top: "c" blobs_lr: 1 weight_decay: 0
             convolution_param { num_output: 1 kernel_size: 1 pad: 1 } }
    layers { name: "r" type: RELU bottom: "c" top: "c" })";
  // In the oldest, padding is a layer.
  const char* oldest = R"(input: "x" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 2
    layers { layer { name: "p" type: "padding" pad: 1 } bottom: "x" top: "p" }
    layers { layer { name: "c" type: "conv" num_output: 1 kernelsize: 1 biasterm: true } bottom: "p" top: "c" }
    layers { layer { name: "r" type: "relu" } bottom: "c" top: "c" })";
  Model model;
  model.Layer("c", {{2}, {-1}});
  for (const char* text : {newest, second, oldest})
    EXPECT_EQ(Answer(model.Read(text), {1, 1, 1, 2}, {3, 0}),
              (Floats{0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0}))
        << text;
}

TEST(CaffeImport, PoolingRoundsUpAndAveragesCountThePad) {
  const std::string input = Input({1, 1, 1, 4});
  const std::string max =
      input + One("Pooling", "pooling_param { kernel_h: 1 kernel_w: 3 stride: 2 }");
  EXPECT_EQ(Answer(Model().Read(max), {1, 1, 1, 4}, {1, 2, 3, 9}), (Floats{3, 9}));
  // Windows [pad 1 2], [2 3 9], and [9 pad]: the last one reaches beyond the pad and ends with it.
  const std::string mean =
      input + One("Pooling",
                  "pooling_param { pool: AVE kernel_h: 1 kernel_w: 3 stride_h: 1 "
                  "stride_w: 2 pad_h: 0 pad_w: 1 }");
  EXPECT_EQ(Answer(Model().Read(mean), {1, 1, 1, 4}, {1, 2, 3, 9}), (Floats{1, 14.0F / 3, 4.5F}));
}

TEST(CaffeImport, StatisticsAreDividedByTheirWeight) {
  const auto graph =
      Model()
          .Layer("l", {{4}, {18}, {2}})
          .Read(Input({1, 1, 1, 2}) + One("BatchNorm", "batch_norm_param { eps: 0 }"));
  // mean 2, variance 9
  EXPECT_EQ(Answer(graph, {1, 1, 1, 2}, {5, -4}), (Floats{1, -2}));
}

TEST(CaffeImport, ASumTakesCoefficients) {
  const auto graph = Model().Read(Input({1, 2}) +
                                  R"(layer { name: "r" type: "ReLU" bottom: "x" top: "r" }
         layer { name: "s" type: "Eltwise" bottom: "x" bottom: "r" top: "y" eltwise_param { coeff: 2 coeff: -1 } })");
  EXPECT_EQ(Answer(graph, {1, 2}, {3, -4}), (Floats{3, -8}));
}

TEST(CaffeImport, LayersInPlaceChangeWhatComesAfterThem) {
  const auto graph = Model().Read(Input({1, 2}) +
                                  R"(layer { name: "a" type: "AbsVal" bottom: "x" top: "a" }
                                     layer { name: "r" type: "ReLU" bottom: "x" top: "x" }
                                     layer { name: "s" type: "Eltwise" bottom: "x" bottom: "a" top: "y" })");
  EXPECT_EQ(Answer(graph, {1, 2}, {3, -4}), (Floats{6, 4}));
}

TEST(CaffeImport, ShapesKeepAxesAndTakeTheRest) {
  const auto graph = Model().Read(
      Input({2, 3, 4, 5}) + One("Reshape", "reshape_param { axis: 1 shape { dim: -1 dim: 2 } }"));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->value(graph->outputs()[0].value).type.ToString(), "f32[2, 30, 2]");
}

TEST(CaffeImport, OnlyLayersOfTheTestPhaseAreRead) {
  const auto graph = Model().Read(
      Input({1, 2}) +
      R"(layer { name: "n" type: "NoSuchLayer" bottom: "x" top: "n" include { phase: TRAIN } }
         layer { name: "p" type: "Power" bottom: "x" top: "y" include { phase: TEST } power_param { scale: 2 } }
         layer { name: "a" type: "Accuracy" bottom: "y" bottom: "x" top: "a" })");
  EXPECT_EQ(Answer(graph, {1, 2}, {3, -4}), (Floats{6, -8}));
}

TEST(CaffeImport, ADataLayerBecomesAnInputOfPixels) {
  const auto graph = Model().Read(
      R"(layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "lmdb" batch_size: 1 }
                 transform_param { crop_size: 1 scale: 0.5 mirror: true mean_value: 1 mean_value: 2 mean_value: 3 } }
         layer { name: "r" type: "ReLU" bottom: "data" top: "r" }
         layer { name: "l" type: "SoftmaxWithLoss" bottom: "r" bottom: "label" top: "loss" })");
  const Floats y = Answer(graph, {1, 3, 1, 1}, {1, 4, 9});
  const float sum = std::exp(0.0F) + std::exp(1.0F) + std::exp(3.0F);
  ASSERT_EQ(y.size(), 3U);
  EXPECT_NEAR(y[1], std::exp(1.0F) / sum, 1e-6);
  EXPECT_NE(Problem(R"(layer { name: "d" type: "Data" top: "d" })").find("Input"),
            std::string::npos);
}

TEST(CaffeImport, PriorsLieAroundTheMiddleOfTheirCells) {
  const auto graph = Model().Read(
      Input({1, 1, 1, 1}) +
      R"(layer { name: "p" type: "PriorBox" bottom: "x" bottom: "x" top: "y" prior_box_param
         { img_size: 10 min_size: 2 aspect_ratio: 4 flip: false step: 10 variance: 0.5 } })");
  EXPECT_EQ(Answer(graph, {1, 1, 1, 1}, {0}),
            (Floats{0.4F, 0.4F, 0.6F, 0.6F, 0.3F, 0.45F, 0.7F, 0.55F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F,
                    0.5F, 0.5F, 0.5F}));
}

TEST(CaffeImport, ReorgReadsAGridOfPictures) {
  Floats x(16);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const auto graph = Model().Read(Input({1, 4, 2, 2}) + One("Reorg", "reorg_param { stride: 2 }"));
  // One channel of 4 x 4, of which every second column of every second row is a plane.
  EXPECT_EQ(Answer(graph, {1, 4, 2, 2}, x),
            (Floats{0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15}));
}

TEST(CaffeImport, ProposalsAreTheBestBoxesInsideThePicture) {
  const auto graph = Model().Read(
      R"(input: "s" input_shape { dim: 1 dim: 2 dim: 1 dim: 2 }
         input: "d" input_shape { dim: 1 dim: 4 dim: 1 dim: 2 }
         input: "i" input_shape { dim: 1 dim: 3 }
         layer { name: "p" type: "Proposal" bottom: "s" bottom: "d" bottom: "i" top: "rois"
                 proposal_param { ratio: 1 scale: 1 min_size: 2 } })");
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  // One anchor of 16 x 16 in each of two cells; the second one scores better, and sticks out.
  const auto out =
      Evaluate(*graph, {Datum(Tensor::FromVector<float>({1, 2, 1, 2}, {0.7F, 0.1F, 0.3F, 0.9F})),
                        Datum(Tensor::FromVector<float>({1, 4, 1, 2}, Floats(8, 0.0F))),
                        Datum(Tensor::FromVector<float>({1, 3}, {32, 32, 1}))});
  ASSERT_TRUE(out.ok()) << out.status().ToString();
  const auto rois = (*out)[0].tensor().Data<float>();
  EXPECT_EQ(Floats(rois.begin(), rois.end()), (Floats{0, 16, 0, 31, 16, 0, 0, 0, 16, 16}));
}

TEST(CaffeImport, AFieldThatNobodyReadsIsRefused) {
  const std::string message =
      Problem(Input({1, 2}) + One("ReLU", "relu_param { negative_slop: 0.1 }"));
  EXPECT_NE(message.find("negative_slop is not a field of relu_param"), std::string::npos)
      << message;
  EXPECT_NE(message.find("did you mean \"negative_slope\""), std::string::npos) << message;
}

TEST(CaffeImport, EveryUnknownLayerIsListedWithItsLine) {
  const std::string message = Problem(Input({1, 2}) + One("Relu") + "\n" + One("Warp"));
  EXPECT_NE(message.find("line 2, layer \"l\" (Relu)"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean \"ReLU\""), std::string::npos) << message;
  EXPECT_NE(message.find("(Warp)"), std::string::npos) << message;
}

TEST(CaffeImport, WeightsMustFit) {
  const std::string text =
      Input({1, 2}) + One("InnerProduct", "inner_product_param { num_output: 1 }");
  EXPECT_EQ(Answer(Model().Layer("l", {{1, 2}, {3}}).Read(text), {1, 2}, {1, 1}), (Floats{6}));
  const std::string wrong = Model().Layer("l", {{1, 2, 3}, {3}}).Read(text).status().ToString();
  EXPECT_NE(wrong.find("has 3 numbers"), std::string::npos) << wrong;
  const std::string other = Model().Layer("ll", {{1, 2}, {3}}).Read(text).status().ToString();
  EXPECT_NE(other.find("did you mean \"ll\""), std::string::npos) << other;
}

TEST(CaffeImport, MadeUpWeightsAreTheSameEachTime) {
  const std::string text =
      Input({1, 2}) + One("InnerProduct", "inner_product_param { num_output: 3 }");
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(text.data()),
                                            text.size());
  const Floats a = Answer(ImportSeeded(bytes), {1, 2}, {1, 1});
  EXPECT_EQ(a, Answer(ImportSeeded(bytes), {1, 2}, {1, 1}));
  EXPECT_NE(a[0], a[1]);
}

TEST(CaffeText, SpellingsOfOneNetwork) {
  const auto message = ParseText(
      "# a comment\nname: 'two' \"parts\"; list: [1, 0x10, -2.5e1f], sub < yes: true > inf: -inf");
  ASSERT_TRUE(message.ok()) << message.status().ToString();
  EXPECT_EQ(message->Text("name"), "twoparts");
  const std::vector<FieldValue>& list = *message->Find("list");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[1].number, 16);
  EXPECT_EQ(list[2].number, -25);
  EXPECT_EQ(message->Child("sub")->Text("yes"), "true");
  EXPECT_EQ(message->Last("inf")->number, -HUGE_VAL);
}

TEST(CaffeText, TextAndBytesAreTwoFormsOfOneMessage) {
  const std::string text =
      "name: \"n\"\n" + One("Pooling", "pooling_param { pool: AVE kernel_size: 3 }");
  const auto once = ParseText(text);
  ASSERT_TRUE(once.ok()) << once.status().ToString();
  const std::vector<std::uint8_t> bytes = PrintBytes(*once, "Net");
  EXPECT_TRUE(IsBytes(bytes));
  const auto again = ParseBytes(bytes, "Net");
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(PrintText(*once, "Net"), PrintText(*again, "Net"));
}

TEST(CaffeDocument, ListsEveryLayerAndEveryOperator) {
  std::stringstream file;
  file << std::ifstream("docs/formats/caffe.md").rdbuf();
  const std::string text = file.str();
  for (const Row& row : Table())
    EXPECT_NE(text.find(fmt::format("`{}`", row.type)), std::string::npos) << row.type;
  for (const ExportRow& row : ExportTable())
    EXPECT_NE(text.find(fmt::format("`{}`", row.op), text.find("## Writing")), std::string::npos)
        << row.op;
  for (const Dialect& dialect : Dialects())
    EXPECT_NE(text.find(fmt::format("`{}`", dialect.name)), std::string::npos) << dialect.name;
}

// The answers of a network before it was written and after it was read again.
void ExpectSameAnswers(std::string_view text, const Dims& dims) {
  const Result<Graph> graph = athanor::ParseText(text, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto files = ExportCaffe(*graph);
  ASSERT_TRUE(files.ok()) << files.status().ToString();
  const std::span<const std::uint8_t> weights(files->caffemodel);
  const auto back = Import(
      {reinterpret_cast<const std::uint8_t*>(files->prototxt.data()), files->prototxt.size()},
      &weights, std::make_shared<CaffeFiles>(*files));
  ASSERT_TRUE(back.ok()) << back.status().ToString() << files->prototxt;
  Floats values;
  for (std::int64_t i = 0; i < *CheckedCount(dims); ++i)
    values.push_back(static_cast<float>((i * 37) % 19) / 10 - 0.9F);
  const Floats before = Answer(graph->Clone(), dims, values);
  const Floats after = Answer(back->Clone(), dims, values);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(before[i], after[i], 1e-5F * std::max(1.0F, std::abs(before[i])));
}

TEST(CaffeExport, LayersWithWeightsComeBackTheSame) {
  ExpectSameAnswers(R"(graph g(x: f32[N, 4, 7, 7]) -> (y) {
    const %w: f32[6, 4, 3, 3] = random(1)
    const %b: f32[6] = random(2)
    const %d: f32[6, 1, 3, 3] = random(3)
    const %t: f32[6, 2, 2, 2] = random(4)
    const %m: f32[4, 3] = random(5)
    const %v: f32[4] = [1, 2, 3, 4]
    %a = Conv(%x, %w, %b) {pads = [1, 0, 1, 0], strides = [2, 1]}
    %c = Conv(%a, %d) {group = 6, auto_pad = "SAME_UPPER"}
    %e = ConvTranspose(%c, %t) {group = 2, strides = [2, 2]}
    %n = BatchNormalization(%e, %v, %v, %v, %v)
    %f = MaxPool(%n) {kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]}
    %q = AveragePool(%f) {kernel_shape = [2, 2], pads = [1, 1, 1, 1], count_include_pad = 1}
    %g = GlobalAveragePool(%q)
    %h = Flatten(%g)
    %y = Gemm(%h, %m)
  })",
                    {1, 4, 7, 7});
}

TEST(CaffeExport, MovementAndArithmeticComeBackTheSame) {
  ExpectSameAnswers(R"(graph g(x: f32[1, 4, 2, 6]) -> (y) {
    const %half: f32[] = 0.5
    const %row: f32[4, 1, 1] = [1, 2, 3, 4]
    const %low: f32[] = -0.5
    const %high: f32[] = 2
    const %split: i64[2] = [1, 3]
    const %one: i64[1] = [1]
    const %five: i64[1] = [5]
    const %three: i64[1] = [3]
    const %axes: i64[2] = [2, 3]
    const %flat: i64[2] = [0, -1]
    %a = Sub(%half, %x)
    %b = Mul(%a, %row)
    %c, %d = Split(%b, %split) {axis = 1}
    %e = Concat(%d, %c) {axis = 1}
    %f = Clip(%e, %low, %high)
    %g = Transpose(%f) {perm = [0, 2, 1, 3]}
    %h = HardSwish(%g)
    %i = Add(%h, %g)
    %j = ReduceMean(%i, %axes)
    %k = Mul(%i, %j)
    %s = Slice(%k, %one, %five, %three)
    %l = Reshape(%s, %flat)
    %y = Softmax(%l)
  })",
                    {1, 4, 2, 6});
}

TEST(CaffeExport, WhatCannotBeSaidIsListedWithItsNodes) {
  const auto graph = athanor::ParseText(R"(graph g(x: f32[N, 4, 4]) -> (y) {
    %a = Erf(%x)
    %y = Transpose(%a) {perm = [0, 2, 1]}
  })",
                                        ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const std::string any = ExportCaffe(*graph).status().ToString();
  EXPECT_NE(any.find("(Erf)"), std::string::npos) << any;
  EXPECT_EQ(any.find("Permute"), std::string::npos) << any;
  const std::string bvlc = ExportCaffe(*graph, "bvlc").status().ToString();
  EXPECT_NE(bvlc.find("it needs the layer Permute, which the dialect bvlc lacks"),
            std::string::npos)
      << bvlc;
  const std::string unknown = ExportCaffe(*graph, "sdd").status().ToString();
  EXPECT_NE(unknown.find("did you mean \"ssd\""), std::string::npos) << unknown;
}

}  // namespace
}  // namespace athanor::caffe
