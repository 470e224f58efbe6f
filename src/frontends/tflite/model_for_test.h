// A small network as flatbuffers' objects, for tests to change and write: one 3x3 convolution with
// RELU6, a mean over the picture and a dense layer, all floating point.
#pragma once

#include <flatbuffers/flexbuffers.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "frontends/tflite/tflite_generated.h"

namespace athanor::tflite {

// Adds tensors, constants and operators to a graph of a model: the first, until another is begun.
class ModelMaker {
 public:
  ModelMaker() {
    model.version = 3;
    model.subgraphs.push_back(std::make_unique<schema::SubGraphT>());
    model.buffers.push_back(std::make_unique<schema::BufferT>());
  }

  schema::ModelT model;
  schema::SubGraphT& graph() { return *model.subgraphs[current]; }
  std::size_t current = 0;
  // From here on all goes to a new graph; gives its number.
  std::int32_t BeginGraph() {
    model.subgraphs.push_back(std::make_unique<schema::SubGraphT>());
    current = model.subgraphs.size() - 1;
    return static_cast<std::int32_t>(current);
  }

  std::int32_t Tensor(std::string name, schema::TensorType type, std::vector<std::int32_t> shape) {
    auto tensor = std::make_unique<schema::TensorT>();
    tensor->name = std::move(name);
    tensor->type = type;
    tensor->shape = std::move(shape);
    graph().tensors.push_back(std::move(tensor));
    return static_cast<std::int32_t>(graph().tensors.size()) - 1;
  }
  template <class T>
  std::int32_t Constant(std::string name, schema::TensorType type, std::vector<std::int32_t> shape,
                        const std::vector<T>& values) {
    const std::int32_t tensor = Tensor(std::move(name), type, std::move(shape));
    auto buffer = std::make_unique<schema::BufferT>();
    buffer->data.resize(values.size() * sizeof(T));
    std::memcpy(buffer->data.data(), values.data(), buffer->data.size());
    graph().tensors.back()->buffer = static_cast<std::uint32_t>(model.buffers.size());
    model.buffers.push_back(std::move(buffer));
    return tensor;
  }
  void Quantize(std::int32_t tensor, std::vector<float> scales, std::vector<std::int64_t> zeros,
                std::int32_t axis = 0) {
    auto quantization = std::make_unique<schema::QuantizationParametersT>();
    quantization->scale = std::move(scales);
    quantization->zero_point = std::move(zeros);
    quantization->quantized_dimension = axis;
    graph().tensors[static_cast<std::size_t>(tensor)]->quantization = std::move(quantization);
  }
  schema::OperatorT& Operator(schema::BuiltinOperator code, std::vector<std::int32_t> inputs,
                              std::vector<std::int32_t> outputs) {
    auto entry = std::make_unique<schema::OperatorCodeT>();
    entry->builtin_code = code;
    entry->deprecated_builtin_code = static_cast<std::int8_t>(code);
    auto op = std::make_unique<schema::OperatorT>();
    op->opcode_index = static_cast<std::uint32_t>(model.operator_codes.size());
    op->inputs = std::move(inputs);
    op->outputs = std::move(outputs);
    model.operator_codes.push_back(std::move(entry));
    graph().operators.push_back(std::move(op));
    return *graph().operators.back();
  }

  using Options = std::vector<std::pair<const char*, std::int64_t>>;
  // A custom operator with these numbers as its options.
  schema::OperatorT& Custom(const std::string& name, const Options& numbers,
                            std::vector<std::int32_t> inputs, std::vector<std::int32_t> outputs) {
    flexbuffers::Builder options;
    options.Map([&] {
      for (const auto& [key, value] : numbers) options.Int(key, value);
    });
    options.Finish();
    schema::OperatorT& op =
        Operator(schema::BuiltinOperator_CUSTOM, std::move(inputs), std::move(outputs));
    op.custom_options = options.GetBuffer();
    model.operator_codes.back()->custom_code = name;
    return op;
  }

  std::vector<std::uint8_t> Bytes() const {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(schema::Model::Pack(builder, &model), "TFL3");
    return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
  }
};

inline ModelMaker SmallModel() {
  using schema::TensorType_FLOAT32;
  ModelMaker m;
  const std::int32_t x = m.Tensor("x", TensorType_FLOAT32, {1, 4, 5, 2});
  std::vector<float> taps(3 * 3 * 3 * 2);
  for (std::size_t i = 0; i < taps.size(); ++i) taps[i] = static_cast<float>(i % 7) - 3.0F;
  const std::int32_t w = m.Constant<float>("w", TensorType_FLOAT32, {3, 3, 3, 2}, taps);
  const std::int32_t b = m.Constant<float>("b", TensorType_FLOAT32, {3}, {0.5F, -1.0F, 2.0F});
  const std::int32_t c = m.Tensor("c", TensorType_FLOAT32, {1, 2, 3, 3});
  schema::Conv2DOptionsT conv;
  conv.padding = schema::Padding_SAME;
  conv.stride_h = conv.stride_w = 2;
  conv.activation = schema::Activation_RELU6;
  m.Operator(schema::BuiltinOperator_CONV_2D, {x, w, b}, {c}).builtin_options.Set(conv);
  const std::int32_t axes = m.Constant<std::int32_t>("axes", schema::TensorType_INT32, {2}, {1, 2});
  const std::int32_t mean = m.Tensor("mean", TensorType_FLOAT32, {1, 3});
  m.Operator(schema::BuiltinOperator_MEAN, {c, axes}, {mean})
      .builtin_options.Set(schema::ReducerOptionsT());
  const std::int32_t dense =
      m.Constant<float>("dense", TensorType_FLOAT32, {2, 3}, {1, 2, 3, -1, 0, 1});
  const std::int32_t y = m.Tensor("y", TensorType_FLOAT32, {1, 2});
  m.Operator(schema::BuiltinOperator_FULLY_CONNECTED, {mean, dense, -1}, {y})
      .builtin_options.Set(schema::FullyConnectedOptionsT());
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  return m;
}

// One operator on a stream of 16-bit integers; `valid`: with a second output.
inline ModelMaker SignalModel(const std::string& name, const ModelMaker::Options& options,
                              std::vector<std::int32_t> x, std::vector<std::int32_t> y,
                              bool valid = false) {
  ModelMaker m;
  const std::int32_t in = m.Tensor("x", schema::TensorType_INT16, std::move(x));
  std::vector<std::int32_t> outputs = {m.Tensor("y", schema::TensorType_INT16, std::move(y))};
  if (valid) outputs.push_back(m.Tensor("valid", schema::TensorType_BOOL, {}));
  m.Custom(name, options, {in}, outputs);
  m.graph().inputs = {in};
  m.graph().outputs = outputs;
  return m;
}

}  // namespace athanor::tflite
