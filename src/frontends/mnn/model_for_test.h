// A small network as flatbuffers' objects, for tests to change and write: one 1x1 convolution with
// ReLU, a mean over the picture and a sum with a constant.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "frontends/mnn/mnn_generated.h"

namespace athanor::mnn {

// Adds tensors and operators to a network.
class NetMaker {
 public:
  schema::NetT net;

  std::int32_t Tensor(std::string name) {
    net.tensor_names.push_back(std::move(name));
    return static_cast<std::int32_t>(net.tensor_names.size()) - 1;
  }
  schema::OpT& Op(schema::OpType type, std::vector<std::int32_t> inputs,
                  std::vector<std::int32_t> outputs) {
    auto op = std::make_unique<schema::OpT>();
    op->type = type;
    op->name = net.tensor_names[static_cast<std::size_t>(outputs[0])];
    op->inputs = std::move(inputs);
    op->outputs = std::move(outputs);
    net.ops.push_back(std::move(op));
    return *net.ops.back();
  }
  // One operator with one output, which is given.
  template <class T>
  std::int32_t Add(schema::OpType type, std::vector<std::int32_t> inputs, std::string name,
                   schema::Parameter kind, T parameters) {
    const std::int32_t tensor = Tensor(std::move(name));
    schema::OpT& op = Op(type, std::move(inputs), {tensor});
    op.main.type = kind;
    op.main.value = new T(std::move(parameters));  // the union deletes it
    return tensor;
  }
  std::int32_t Input(std::string name, std::vector<std::int32_t> dims,
                     schema::Format format = schema::Format_NCHW) {
    schema::InputT input;
    input.dims = std::move(dims);
    input.format = format;
    return Add(schema::OpType_Input, {}, std::move(name), schema::Parameter_Input, input);
  }
  std::int32_t Ints(std::string name, std::vector<std::int32_t> dims,
                    std::vector<std::int32_t> values) {
    schema::BlobT blob;
    blob.dims = std::move(dims);
    blob.type = schema::DataType_INT32;
    blob.int32s = std::move(values);
    return Add(schema::OpType_Const, {}, std::move(name), schema::Parameter_Blob, blob);
  }
  std::int32_t Floats(std::string name, std::vector<std::int32_t> dims, std::vector<float> values) {
    schema::BlobT blob;
    blob.dims = std::move(dims);
    blob.float32s = std::move(values);
    return Add(schema::OpType_Const, {}, std::move(name), schema::Parameter_Blob, blob);
  }
  std::int32_t Binary(schema::Binary type, std::int32_t a, std::int32_t b, std::string name) {
    schema::BinaryOpT binary;
    binary.type = type;
    return Add(schema::OpType_BinaryOp, {a, b}, std::move(name), schema::Parameter_BinaryOp,
               binary);
  }

  std::shared_ptr<std::vector<std::uint8_t>> Bytes() const {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(schema::Net::Pack(builder, &net));
    return std::make_shared<std::vector<std::uint8_t>>(
        builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  }
};

// 1x1 filters over 2 channels.
inline schema::Convolution2DT SmallLayer(std::vector<float> weights, std::vector<float> bias) {
  schema::Convolution2DT layer;
  layer.common = std::make_unique<schema::Convolution2DCommonT>();
  layer.common->output_count = static_cast<std::int32_t>(bias.size());
  layer.common->input_count = 2;
  layer.weight = std::move(weights);
  layer.bias = std::move(bias);
  return layer;
}

inline NetMaker SmallNet() {
  NetMaker m;
  const std::int32_t x = m.Input("x", {1, 2, 1, 2});
  schema::Convolution2DT layer = SmallLayer({1, 2, -1, 1}, {0.5F, -1});
  layer.common->relu = true;
  const std::int32_t c = m.Add(schema::OpType_Convolution, {x}, "c",
                               schema::Parameter_Convolution2D, std::move(layer));
  schema::ReductionParamT mean;
  mean.type = schema::Reduction_MEAN;
  mean.dims = {2, 3};
  const std::int32_t r =
      m.Add(schema::OpType_Reduction, {c}, "r", schema::Parameter_ReductionParam, mean);
  const std::int32_t shift = m.Floats("shift", {2}, {10, 20});
  m.Binary(schema::Binary_ADD, r, shift, "y");
  return m;
}

}  // namespace athanor::mnn
