// Operators of TFLite with results worked out by hand from their definitions.
#include <flatbuffers/flexbuffers.h>
#include <gtest/gtest.h>

#include "frontends/tflite/import.h"
#include "frontends/tflite/model_for_test.h"
#include "ir/evaluate.h"

namespace athanor::tflite {
namespace {

using Floats = std::vector<float>;
using schema::TensorType_FLOAT32;
using schema::TensorType_INT32;

// All outputs as numbers.
std::vector<Floats> Outputs(const ModelMaker& maker, std::vector<Datum> inputs) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(maker.Bytes());
  const Result<Graph> graph = Import(*bytes, bytes);
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return {};
  const auto outputs = Evaluate(*graph, std::move(inputs));
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  std::vector<Floats> results;
  for (std::size_t i = 0; outputs.ok() && i < outputs->size(); ++i) {
    const auto values = ToDoubles((*outputs)[i].tensor());
    EXPECT_TRUE(values.ok());
    results.emplace_back(values->begin(), values->end());
  }
  return results;
}

Tensor Vector(const Floats& values) {
  return Tensor::FromVector<float>({static_cast<std::int64_t>(values.size())}, values);
}

// A graph x -> x op x of two numbers.
std::int32_t AddSquare(ModelMaker& m, schema::BuiltinOperator code) {
  const std::int32_t graph = m.BeginGraph();
  const std::int32_t x = m.Tensor("x", TensorType_FLOAT32, {2});
  const std::int32_t y = m.Tensor("y", TensorType_FLOAT32, {2});
  m.Operator(code, {x, x}, {y});
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  return graph;
}

ModelMaker Branches() {
  ModelMaker m;
  const std::int32_t which = m.Tensor("which", schema::TensorType_BOOL, {1});
  const std::int32_t x = m.Tensor("x", TensorType_FLOAT32, {2});
  const std::int32_t y = m.Tensor("y", TensorType_FLOAT32, {2});
  m.graph().inputs = {which, x};
  m.graph().outputs = {y};
  schema::IfOptionsT options;
  options.then_subgraph_index = AddSquare(m, schema::BuiltinOperator_ADD);
  options.else_subgraph_index = AddSquare(m, schema::BuiltinOperator_MUL);
  m.current = 0;
  m.Operator(schema::BuiltinOperator_IF, {which, x}, {y}).builtin_options.Set(options);
  return m;
}

TEST(TfliteRows, IfRunsOneOfTwoGraphs) {
  for (const bool which : {true, false}) {
    const auto results =
        Outputs(Branches(), {Tensor::FromVector<bool>({1}, {which}), Vector({3, 5})});
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0], which ? Floats({6, 10}) : Floats({9, 25}));
  }
}

// i and x, as long as i < 5: i + 1 and x + x.
ModelMaker Doubling() {
  ModelMaker m;
  const auto states = [&m](const char* name) {
    return std::pair(m.Tensor(std::string("i") + name, TensorType_INT32, {}),
                     m.Tensor(std::string("x") + name, TensorType_FLOAT32, {2}));
  };
  const auto [i, x] = states("");
  const auto [last_i, last_x] = states("_last");
  m.graph().inputs = {i, x};
  m.graph().outputs = {last_i, last_x};
  schema::WhileOptionsT options;
  options.cond_subgraph_index = m.BeginGraph();
  {
    const auto [now_i, now_x] = states("_asked");
    const std::int32_t most = m.Constant<std::int32_t>("most", TensorType_INT32, {}, {5});
    const std::int32_t go = m.Tensor("go", schema::TensorType_BOOL, {});
    m.Operator(schema::BuiltinOperator_LESS, {now_i, most}, {go});
    m.graph().inputs = {now_i, now_x};
    m.graph().outputs = {go};
  }
  options.body_subgraph_index = m.BeginGraph();
  {
    const auto [now_i, now_x] = states("_now");
    const auto [next_i, next_x] = states("_next");
    const std::int32_t one = m.Constant<std::int32_t>("one", TensorType_INT32, {}, {1});
    m.Operator(schema::BuiltinOperator_ADD, {now_i, one}, {next_i});
    m.Operator(schema::BuiltinOperator_ADD, {now_x, now_x}, {next_x});
    m.graph().inputs = {now_i, now_x};
    m.graph().outputs = {next_i, next_x};
  }
  m.current = 0;
  m.Operator(schema::BuiltinOperator_WHILE, {i, x}, {last_i, last_x}).builtin_options.Set(options);
  return m;
}

TEST(TfliteRows, WhileAsksBeforeEachRound) {
  const auto three = Outputs(Doubling(), {Tensor::Scalar<std::int32_t>(2), Vector({1, 3})});
  EXPECT_EQ(three, (std::vector<Floats>{{5}, {8, 24}}));
  const auto none = Outputs(Doubling(), {Tensor::Scalar<std::int32_t>(7), Vector({1, 3})});
  EXPECT_EQ(none, (std::vector<Floats>{{7}, {1, 3}}));
}

TEST(TfliteRows, AGraphThatRunsItselfIsRefused) {
  ModelMaker m = Branches();
  for (const auto& op : m.model.subgraphs[0]->operators) {
    auto* options = op->builtin_options.AsIfOptions();
    if (options != nullptr) options->then_subgraph_index = 0;
  }
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(m.Bytes());
  EXPECT_FALSE(Import(*bytes, bytes).ok());
}

// Encodings of 0 make the anchors the boxes. The second hides the first (they overlap by 0.9); the
// third is elsewhere. Entries behind the second are 0.
TEST(TfliteRows, DetectionsAreTheBestThatDoNotOverlap) {
  ModelMaker m;
  const std::int32_t codes = m.Tensor("codes", TensorType_FLOAT32, {1, 3, 4});
  const std::int32_t scores = m.Tensor("scores", TensorType_FLOAT32, {1, 3, 3});
  const std::int32_t anchors =
      m.Constant<float>("anchors", TensorType_FLOAT32, {3, 4},
                        {0.5F, 0.5F, 1, 1, 0.5F, 0.5625F, 1, 1, 2, 2, 0.5F, 0.5F});
  const std::int32_t boxes = m.Tensor("boxes", TensorType_FLOAT32, {1, 3, 4});
  const std::int32_t classes = m.Tensor("classes", TensorType_FLOAT32, {1, 3});
  const std::int32_t best = m.Tensor("best", TensorType_FLOAT32, {1, 3});
  const std::int32_t count = m.Tensor("count", TensorType_FLOAT32, {1});
  m.graph().inputs = {codes, scores};
  m.graph().outputs = {boxes, classes, best, count};
  schema::OperatorT& op = m.Operator(schema::BuiltinOperator_CUSTOM, {codes, scores, anchors},
                                     {boxes, classes, best, count});
  m.model.operator_codes.back()->custom_code = "TFLite_Detection_PostProcess";
  for (const bool by_class : {false, true}) {
    flexbuffers::Builder options;
    options.Map([&] {
      options.Int("max_detections", 3);
      options.Int("max_classes_per_detection", 1);
      options.Int("num_classes", 2);
      options.Int("detections_per_class", 5);
      options.Bool("use_regular_nms", by_class);
      options.Float("nms_score_threshold", 0.25F);
      options.Float("nms_iou_threshold", 0.5F);
      for (const char* scale : {"y_scale", "x_scale", "h_scale", "w_scale"})
        options.Float(scale, 5.0F);
    });
    options.Finish();
    op.custom_options = options.GetBuffer();
    const auto results =
        Outputs(m, {Tensor::FromVector<float>({1, 3, 4}, Floats(12)),
                    Tensor::FromVector<float>(
                        {1, 3, 3}, {0.9F, 0.6F, 0.125F, 0, 0.2F, 0.875F, 0, 0.5F, 0.25F})});
    ASSERT_EQ(results.size(), 4U);
    const Floats shifted = {0, 0.0625F, 1, 1.0625F}, third = {1.75F, 1.75F, 2.25F, 2.25F};
    Floats expected = shifted;
    if (by_class) {
      // The first is the best of class 0, in which nothing hides it; the third comes after it.
      for (const float side : {0.0F, 0.0F, 1.0F, 1.0F}) expected.push_back(side);
      expected.insert(expected.end(), third.begin(), third.end());
      EXPECT_EQ(results[1], (Floats{1, 0, 0}));
      EXPECT_EQ(results[2], (Floats{0.875F, 0.6F, 0.5F}));
      EXPECT_EQ(results[3], (Floats{3}));
    } else {
      expected.insert(expected.end(), third.begin(), third.end());
      expected.resize(12);
      EXPECT_EQ(results[1], (Floats{1, 0, 0}));
      EXPECT_EQ(results[2], (Floats{0.875F, 0.5F, 0}));
      EXPECT_EQ(results[3], (Floats{2}));
    }
    EXPECT_EQ(results[0], expected);
  }
}

struct Row {
  schema::BuiltinOperator code;
  Floats x;
  std::vector<std::int32_t> y;  // the second input, as i32
  Floats expected;
};

// A file of a few hundred bytes that asks for a state of `batch` numbers.
std::vector<std::uint8_t> WithState(std::int32_t batch) {
  ModelMaker m;
  const std::int32_t x = m.Tensor("x", TensorType_FLOAT32, {batch, 1});
  const std::int32_t feature = m.Constant<float>("f", TensorType_FLOAT32, {1, 1}, {1});
  const std::int32_t time = m.Constant<float>("t", TensorType_FLOAT32, {1, 1}, {1});
  const std::int32_t state = m.Tensor("memory", TensorType_FLOAT32, {batch, 1});
  m.graph().tensors.back()->is_variable = true;
  const std::int32_t y = m.Tensor("y", TensorType_FLOAT32, {batch, 1});
  schema::SVDFOptionsT options;
  options.rank = 1;
  m.Operator(schema::BuiltinOperator_SVDF, {x, feature, time, -1, state}, {y})
      .builtin_options.Set(options);
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  return m.Bytes();
}

// Likewise, for as many bands.
std::vector<std::uint8_t> WithBands(std::int32_t bands) {
  ModelMaker m;
  const std::int32_t x = m.Tensor("x", schema::TensorType_UINT32, {bands});
  const std::int32_t y = m.Tensor("y", schema::TensorType_UINT32, {bands});
  const std::int32_t noise = m.Tensor("noise", schema::TensorType_UINT32, {bands});
  ModelMaker::Options options;
  for (const char* name :
       {"smoothing", "one_minus_smoothing", "alternate_smoothing", "alternate_one_minus_smoothing",
        "smoothing_bits", "spectral_subtraction_bits", "min_signal_remaining", "clamping"})
    options.push_back({name, 1});
  m.Custom("SignalFilterBankSpectralSubtraction", options, {x}, {y, noise});
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  return m.Bytes();
}

TEST(TfliteRows, AStateHasABound) {
  constexpr std::int32_t kMost = 1 << 24;  // of 4 bytes each
  for (const auto make : {WithState, WithBands}) {
    for (const bool states : {false, true}) {
      const auto small = std::make_shared<std::vector<std::uint8_t>>(make(4));
      const Result<Graph> read = Import(*small, small, states);
      EXPECT_TRUE(read.ok()) << read.status().ToString();
      const auto large = std::make_shared<std::vector<std::uint8_t>>(make(kMost + 1));
      const Status refused = Result<Graph>(Import(*large, large, states)).status();
      EXPECT_EQ(refused.code(), ErrorCode::kUnsupported);
      EXPECT_NE(refused.message().find("[16777217"), std::string::npos) << refused.message();
    }
  }
}

struct Stream {
  const char* op;
  ModelMaker::Options options;
  std::vector<std::int32_t> x;
  const char* refused;  // "": it is read
};

// Options are numbers of the file: none may ask for what a few bytes should not.
TEST(TfliteRows, StreamsAreCutWithinBounds) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  const auto framed = [](std::int64_t size, std::int64_t step, std::int64_t prefill) {
    return ModelMaker::Options{{"frame_size", size}, {"frame_step", step}, {"prefill", prefill}};
  };
  const auto stacked = [](std::int64_t n, std::int64_t left, std::int64_t right,
                          std::int64_t step) {
    return ModelMaker::Options{{"num_channels", n},
                               {"stacker_left_context", left},
                               {"stacker_right_context", right},
                               {"stacker_step", step}};
  };
  const Stream streams[] = {
      {"SignalDelay", {{"delay_length", 3}}, {2, 4}, ""},
      {"SignalDelay", {{"delay_length", 0}}, {4}, ""},
      {"SignalDelay", {{"delay_length", -1}}, {4}, "delay_length is -1"},
      {"SignalDelay", {{"delay_length", kHuge}}, {4}, "delay_length is 4611686018427387904"},
      {"SignalDelay", {{"delay_length", 1 << 22}}, {1 << 10, 4}, "states of up to 64 MiB"},
      {"SignalDelay", {}, {4}, "lack the number \"delay_length\""},
      {"SignalDelay", {{"delay_length", 3}}, {0, 4}, "a stream of i16[0, 4] is not read"},
      {"SignalFramer", framed(5, 3, 1), {2, 6}, ""},
      {"SignalFramer", framed(5, 3, 0), {2, 6}, ""},
      {"SignalFramer", framed(3, 3, 0), {6}, ""},
      {"SignalFramer", framed(2, 3, 0), {6}, ""},
      {"SignalFramer", framed(2, 3, 1), {6}, "frames of 2 every 3 cannot be filled up"},
      {"SignalFramer", framed(5, 0, 1), {6}, "frame_step is 0"},
      {"SignalFramer", framed(5, 4, 1), {6}, "a stream of 6 for steps of 4"},
      {"SignalFramer", framed(kHuge, 3, 1), {6}, "frame_size is 4611686018427387904"},
      {"SignalFramer", framed(1 << 22, 1, 1), {2}, "hold 8388608 numbers in all"},
      {"SignalStacker", stacked(3, 2, 1, 3), {3}, ""},
      {"SignalStacker", stacked(3, 0, 0, 1), {3}, ""},
      {"SignalStacker", stacked(3, 2, 1, 5), {3}, "steps of 5 over 4 frames"},
      {"SignalStacker", stacked(3, 2, 1, 0), {3}, "stacker_step is 0"},
      {"SignalStacker", stacked(4, 2, 1, 1), {3}, "a stream of [3] for 4 channels"},
      {"SignalStacker", stacked(3, 1 << 22, 1 << 22, 1), {3}, "8388609 frames of 3 channels"},
      {"SignalOverlapAdd", {{"frame_step", 2}}, {2, 5}, ""},
      {"SignalOverlapAdd", {{"frame_step", 6}}, {2, 5}, "frames of 5 every 6"},
      {"SignalOverlapAdd", {{"frame_step", 0}}, {2, 5}, "frame_step is 0"},
      {"SignalOverlapAdd", {{"frame_step", 2}}, {5}, "known sizes of 2 axes or more"},
      {"SignalIrfft", {{"fft_length", 8}}, {2, 10}, ""},
      {"SignalIrfft", {{"fft_length", 8}}, {2, 9}, "spectra of 9 numbers for 8 points"},
      {"SignalIrfft", {{"fft_length", 6}}, {2, 8}, "a power of two from 4"},
      {"SignalIrfft", {{"fft_length", kHuge}}, {2, 8}, "a power of two from 4"},
  };
  for (const Stream& stream : streams) {
    const bool valid = std::string_view(stream.op) == "SignalFramer" ||
                       std::string_view(stream.op) == "SignalStacker";
    const ModelMaker m = tflite::SignalModel(stream.op, stream.options, stream.x, {}, valid);
    for (const bool states : {false, true}) {
      const auto bytes = std::make_shared<std::vector<std::uint8_t>>(m.Bytes());
      const Status status = Result<Graph>(Import(*bytes, bytes, states)).status();
      if (*stream.refused == 0) {
        EXPECT_TRUE(status.ok()) << stream.op << ": " << status.ToString();
      } else {
        EXPECT_NE(status.ToString().find(stream.refused), std::string::npos)
            << stream.op << ": " << status.ToString();
      }
    }
  }
}

TEST(TfliteRows, SegmentsAndOrders) {
  const Row rows[] = {
      {schema::BuiltinOperator_TOPK_V2, {3, 9, 5, 9}, {2}, {9, 9}},
      {schema::BuiltinOperator_REVERSE_V2, {3, 9, 5}, {0}, {5, 9, 3}},
      {schema::BuiltinOperator_SEGMENT_SUM, {3, 9, 5, 9}, {0, 0, 2, 2}, {12, 0, 14}},
  };
  for (const Row& row : rows) {
    ModelMaker m;
    const auto size = [](const auto& list) { return static_cast<std::int32_t>(list.size()); };
    const std::int32_t x = m.Tensor("x", TensorType_FLOAT32, {size(row.x)});
    const bool scalar = row.code == schema::BuiltinOperator_TOPK_V2;
    const std::int32_t y = m.Constant<std::int32_t>(
        "y", TensorType_INT32, scalar ? std::vector<std::int32_t>() : std::vector{size(row.y)},
        row.y);
    const std::int32_t z = m.Tensor("z", TensorType_FLOAT32, {size(row.expected)});
    std::vector<std::int32_t> outputs = {z};
    if (scalar) outputs.push_back(m.Tensor("places", TensorType_INT32, {size(row.expected)}));
    m.Operator(row.code, {x, y}, outputs);
    m.graph().inputs = {x};
    m.graph().outputs = outputs;
    const auto results = Outputs(m, {Vector(row.x)});
    ASSERT_FALSE(results.empty());
    EXPECT_EQ(results[0], row.expected) << schema::EnumNameBuiltinOperator(row.code);
    if (scalar) {
      EXPECT_EQ(results[1], (Floats{1, 3}));
    }
  }
}

}  // namespace
}  // namespace athanor::tflite
