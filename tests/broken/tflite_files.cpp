#include <algorithm>
#include <cmath>

#include "corpus.h"
#include "frontends/load.h"
#include "frontends/tflite/model_for_test.h"

namespace athanor::broken {
namespace {

using tflite::ModelMaker;
namespace schema = tflite::schema;

// Something wrong with the meaning, not with the bytes.
struct Mistake {
  const char* name;
  void (*make)(ModelMaker& m);
};

schema::Conv2DOptionsT& Conv(ModelMaker& m) {
  return *m.graph().operators[0]->builtin_options.AsConv2DOptions();
}

constexpr Mistake kMistakes[] = {
    {"version_0", [](ModelMaker& m) { m.model.version = 0; }},
    {"no_graph", [](ModelMaker& m) { m.model.subgraphs.clear(); }},
    {"no_codes", [](ModelMaker& m) { m.model.operator_codes.clear(); }},
    {"no_buffers", [](ModelMaker& m) { m.model.buffers.clear(); }},
    {"no_tensors", [](ModelMaker& m) { m.graph().tensors.clear(); }},
    {"unknown_code",
     [](ModelMaker& m) {
       m.model.operator_codes[0]->builtin_code = static_cast<schema::BuiltinOperator>(30000);
     }},
    {"negative_code",
     [](ModelMaker& m) {
       m.model.operator_codes[0]->builtin_code = static_cast<schema::BuiltinOperator>(-5);
       m.model.operator_codes[0]->deprecated_builtin_code = -7;
     }},
    {"code_index", [](ModelMaker& m) { m.graph().operators[0]->opcode_index = 0xFFFFFFFFU; }},
    {"input_index", [](ModelMaker& m) { m.graph().operators[0]->inputs[0] = INT32_MAX; }},
    {"input_negative", [](ModelMaker& m) { m.graph().operators[0]->inputs[0] = INT32_MIN; }},
    {"output_index", [](ModelMaker& m) { m.graph().operators[0]->outputs[0] = INT32_MAX; }},
    {"output_omitted", [](ModelMaker& m) { m.graph().operators[0]->outputs[0] = -1; }},
    {"no_inputs", [](ModelMaker& m) { m.graph().operators[0]->inputs.clear(); }},
    {"no_outputs", [](ModelMaker& m) { m.graph().operators[0]->outputs.clear(); }},
    {"own_output", [](ModelMaker& m) { m.graph().operators[0]->inputs[0] = 3; }},
    {"made_twice", [](ModelMaker& m) { m.graph().operators[1]->outputs[0] = 3; }},
    {"input_twice",
     [](ModelMaker& m) {
       m.graph().inputs = {0, 0};
     }},
    {"graph_input_index", [](ModelMaker& m) { m.graph().inputs = {1000}; }},
    {"graph_output_index", [](ModelMaker& m) { m.graph().outputs = {-2}; }},
    {"type_99",
     [](ModelMaker& m) { m.graph().tensors[0]->type = static_cast<schema::TensorType>(99); }},
    {"weight_type", [](ModelMaker& m) { m.graph().tensors[1]->type = schema::TensorType_INT64; }},
    {"shape_huge",
     [](ModelMaker& m) {
       m.graph().tensors[1]->shape = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
     }},
    {"shape_negative",
     [](ModelMaker& m) {
       m.graph().tensors[1]->shape = {-3, -3, 3, 2};
     }},
    {"shape_of_nothing",
     [](ModelMaker& m) {
       m.graph().tensors[1]->shape = {0, INT32_MAX, INT32_MAX, INT32_MAX};
       m.model.buffers[m.graph().tensors[1]->buffer]->data.clear();
     }},
    {"shape_rank", [](ModelMaker& m) { m.graph().tensors[1]->shape.assign(5000, 1); }},
    {"weight_rank",
     [](ModelMaker& m) {
       m.graph().tensors[1]->shape = {27, 2};
     }},
    {"input_rank", [](ModelMaker& m) { m.graph().tensors[0]->shape = {40}; }},
    {"picture_huge",
     [](ModelMaker& m) {
       m.graph().tensors[0]->shape_signature = {-1, -1, -1, -1};
       const std::int32_t shape =
           m.Constant<std::int64_t>("shape", schema::TensorType_INT64, {4}, {1, INT64_MAX, 1, 2});
       const std::int32_t huge = m.Tensor("huge", schema::TensorType_FLOAT32, {1, 1, 1, 2});
       m.Operator(schema::BuiltinOperator_RESHAPE, {0, shape}, {huge});
       auto& operators = m.graph().operators;
       std::rotate(operators.begin(), operators.end() - 1, operators.end());
       operators[1]->inputs[0] = huge;
     }},
    {"stride_0", [](ModelMaker& m) { Conv(m).stride_h = 0; }},
    {"stride_min", [](ModelMaker& m) { Conv(m).stride_w = INT32_MIN; }},
    {"dilation_max", [](ModelMaker& m) { Conv(m).dilation_h = INT32_MAX; }},
    {"padding_9", [](ModelMaker& m) { Conv(m).padding = static_cast<schema::Padding>(9); }},
    {"activation_99",
     [](ModelMaker& m) { Conv(m).activation = static_cast<schema::Activation>(99); }},
    {"other_options",
     [](ModelMaker& m) { m.graph().operators[0]->builtin_options.Set(schema::PackOptionsT()); }},
    {"buffer_index", [](ModelMaker& m) { m.graph().tensors[1]->buffer = 0xFFFFFFFFU; }},
    {"buffer_short", [](ModelMaker& m) { m.model.buffers[1]->data.pop_back(); }},
    {"buffer_beyond",
     [](ModelMaker& m) {
       m.model.buffers[1]->offset = UINT64_MAX;
       m.model.buffers[1]->size = 216;
     }},
    {"scale_nan",
     [](ModelMaker& m) {
       m.graph().tensors[0]->type = schema::TensorType_INT8;
       m.Quantize(0, {std::nanf("")}, {0});
     }},
    {"zero_points",
     [](ModelMaker& m) {
       m.graph().tensors[0]->type = schema::TensorType_INT8;
       m.Quantize(0, {1, 2, 3}, {0, 0});
     }},
    {"axis_of_scales",
     [](ModelMaker& m) {
       m.graph().tensors[0]->type = schema::TensorType_INT8;
       m.Quantize(0, {1, 2, 3}, {0, 0, 0}, INT32_MAX);
     }},
    {"mean_axis", [](ModelMaker& m) { m.model.buffers[3]->data.assign(8, 0x7F); }},
    {"sparse",
     [](ModelMaker& m) {
       m.graph().tensors[1]->sparsity = std::make_unique<schema::SparsityParametersT>();
     }},
};

Status Read(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = "tflite"});
  return std::move(graph).status();
}

// The same network on signed bytes.
ModelMaker Quantised() {
  ModelMaker m = tflite::SmallModel();
  for (const std::int32_t tensor : {0, 3, 5, 7}) {
    m.graph().tensors[static_cast<std::size_t>(tensor)]->type = schema::TensorType_INT8;
    m.Quantize(tensor, {0.0625F}, {-3});
  }
  for (const std::int32_t tensor : {1, 6}) {
    auto& info = *m.graph().tensors[static_cast<std::size_t>(tensor)];
    info.type = schema::TensorType_INT8;
    m.Quantize(tensor, {0.5F}, {0});
    m.model.buffers[info.buffer]->data.resize(m.model.buffers[info.buffer]->data.size() / 4);
  }
  m.graph().tensors[2]->type = schema::TensorType_INT32;
  m.Quantize(2, {0.03125F}, {0});
  return m;
}

}  // namespace

Family TfliteFamily() {
  Family family = {"tflite", {}, {}, Read};
  family.good.push_back({"small", tflite::SmallModel().Bytes()});
  family.good.push_back({"quantised", Quantised().Bytes()});
  family.good.push_back(
      {"frames",
       tflite::SignalModel("SignalFramer", {{"frame_size", 5}, {"frame_step", 3}, {"prefill", 0}},
                           {2, 6}, {2, 2, 5}, true)
           .Bytes()});
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  for (const Mistake& mistake : kMistakes) {
    ModelMaker m = tflite::SmallModel();
    mistake.make(m);
    family.bad.push_back({mistake.name, m.Bytes(), true});
  }
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace athanor::broken
