// Small models of Core ML for tests, which change and break them.
#pragma once

#include <string>
#include <vector>

#include "frontends/protobuf/wire.h"

namespace athanor::coreml {

// ---- fields of messages, written one by one

inline std::string TextOf(protobuf::Output& out) {
  return {out.bytes().begin(), out.bytes().end()};
}
inline std::string Part(int field, const std::string& bytes) {
  protobuf::Output out;
  out.Tag(field, protobuf::Wire::kLength);
  out.Varint(bytes.size());
  out.Raw(bytes.data(), bytes.size());
  return TextOf(out);
}
inline std::string Number(int field, std::int64_t value) {
  protobuf::Output out;
  out.Tag(field, protobuf::Wire::kVarint);
  out.Varint(static_cast<std::uint64_t>(value));
  return TextOf(out);
}
inline std::string Real(int field, float value) {
  protobuf::Output out;
  out.Tag(field, protobuf::Wire::kFixed32);
  out.Raw(&value, sizeof(value));
  return TextOf(out);
}
inline std::string Numbers(int field, const std::vector<std::int64_t>& values) {
  protobuf::Output out;
  for (const std::int64_t value : values) out.Varint(static_cast<std::uint64_t>(value));
  return Part(field, TextOf(out));
}
// WeightParams of plain numbers in a field.
inline std::string Weights(int field, const std::vector<float>& values) {
  protobuf::Output out;
  out.Raw(values.data(), values.size() * sizeof(float));
  return Part(field, Part(1, TextOf(out)));
}
// The same of numbers with fewer bits: what is kept, how many bits, scale and bias.
inline std::string LinearWeights(int field, const std::string& raw, std::int64_t bits,
                                 const std::vector<float>& scale, const std::vector<float>& bias) {
  protobuf::Output scales, biases;
  scales.Raw(scale.data(), scale.size() * sizeof(float));
  biases.Raw(bias.data(), bias.size() * sizeof(float));
  const std::string linear = Part(1, TextOf(scales)) + Part(2, TextOf(biases));
  return Part(field, Part(30, raw) + Part(40, Number(1, bits) + Part(101, linear)));
}

// ---- models

inline constexpr std::int64_t kFloat32 = 65568;

inline std::string LayerOf(const std::string& name, const std::vector<std::string>& inputs,
                           const std::vector<std::string>& outputs, int kind,
                           const std::string& parameters) {
  std::string layer = Part(1, name);
  for (const std::string& input : inputs) layer += Part(2, input);
  for (const std::string& output : outputs) layer += Part(3, output);
  return layer + Part(kind, parameters);
}

inline std::string FeatureOf(const std::string& name, const std::vector<std::int64_t>& shape,
                             std::int64_t type = kFloat32) {
  const std::string array = Numbers(1, shape) + Number(2, type);
  return Part(1, name) + Part(3, Part(5, array));
}

// A model while it is made: one network of arrays.
struct ModelMaker {
  std::vector<std::string> inputs, outputs, layers;
  std::int64_t array_mapping = 1;  // arrays have the axes the file says
  std::string more;                // behind the layers
  std::string names;               // of a classifier's outputs
  int kind = 500;
  std::int64_t version = 4;

  std::string Bytes() const {
    std::string description, network;
    for (const std::string& input : inputs) description += Part(1, input);
    for (const std::string& output : outputs) description += Part(10, output);
    for (const std::string& layer : layers) network += Part(1, layer);
    description += names;
    network += Number(5, array_mapping) + more;
    return Number(1, version) + Part(2, description) + Part(kind, network);
  }
};

// relu(x w' + b) of x [1, 3], w [2, 3].
inline ModelMaker SmallModel() {
  const std::string product = Number(1, 3) + Number(2, 2) + Number(10, 1) +
                              Weights(20, {1, 0, 2, 0, -1, 1}) + Weights(21, {0.5F, -1});
  ModelMaker m;
  m.inputs = {FeatureOf("x", {1, 3})};
  m.outputs = {FeatureOf("y", {1, 2})};
  m.layers = {LayerOf("product", {"x"}, {"t"}, 140, product),
              LayerOf("act", {"t"}, {"y"}, 130, Part(10, ""))};
  return m;
}

// ---- ML Programs

inline constexpr std::int64_t kMilBool = 1, kMilFloat16 = 10, kMilFloat32 = 11, kMilInt32 = 23;

inline std::string MilType(std::int64_t type, const std::vector<std::int64_t>& dims) {
  std::string tensor = Number(1, type) + Number(2, static_cast<std::int64_t>(dims.size()));
  for (const std::int64_t size : dims) tensor += Part(3, Part(1, Number(1, size)));
  return Part(1, tensor);
}
inline std::string MilFloats(const std::vector<std::int64_t>& dims,
                             const std::vector<float>& values) {
  protobuf::Output out;
  out.Raw(values.data(), values.size() * sizeof(float));
  return Part(2, MilType(kMilFloat32, dims)) + Part(3, Part(1, Part(1, Part(1, TextOf(out)))));
}
inline std::string MilInts(const std::vector<std::int64_t>& values) {
  return Part(2, MilType(kMilInt32, {static_cast<std::int64_t>(values.size())})) +
         Part(3, Part(1, Part(2, Numbers(1, values))));
}
// Elements of any type as their bytes.
inline std::string MilBytes(std::int64_t type, const std::vector<std::int64_t>& dims,
                            const std::string& bytes) {
  return Part(2, MilType(type, dims)) + Part(3, Part(1, Part(7, Part(1, bytes))));
}
inline std::string MilText(const std::string& text) {
  constexpr std::int64_t kString = 2;
  return Part(2, MilType(kString, {})) + Part(3, Part(1, Part(4, Part(1, text))));
}
// Floats that lie in a file, described there at `offset`.
inline std::string MilBlob(const std::vector<std::int64_t>& dims, const std::string& file,
                           std::int64_t offset) {
  return Part(2, MilType(kMilFloat32, dims)) + Part(5, Part(1, file) + Number(2, offset));
}
inline std::string MilConstant(const std::string& name, const std::string& value) {
  return Part(1, "const") + Part(3, Part(1, name)) + Part(5, Part(1, "val") + Part(2, value));
}
// Inputs: the parameter and the name of its value. declared: what the file says of the result.
inline std::string MilOperation(const std::string& type,
                                const std::vector<std::pair<std::string, std::string>>& inputs,
                                const std::string& output, const std::string& declared = "") {
  std::string operation = Part(1, type);
  for (const auto& [key, value] : inputs)
    operation += Part(2, Part(1, key) + Part(2, Part(1, Part(1, value))));
  return operation + Part(3, Part(1, output) + (declared.empty() ? "" : Part(2, declared)));
}

// An operation with bodies: adds `blocks` to it.
inline std::string MilBlock(const std::vector<std::string>& inputs,
                            const std::vector<std::string>& operations,
                            const std::vector<std::string>& outputs) {
  std::string block;
  for (const std::string& input : inputs) block += Part(1, input);
  for (const std::string& output : outputs) block += Part(2, output);
  for (const std::string& operation : operations) block += Part(3, operation);
  return Part(4, block);
}
inline std::string MilNamed(const std::string& name, const std::string& type) {
  return Part(1, name) + Part(2, type);
}

struct ProgramMaker {
  std::vector<std::string> operations;
  std::vector<std::int64_t> input = {1, 3};
  std::string output = "y", opset = "CoreML5", more;  // more: in the function
  std::string function = "main";

  std::string Bytes() const {
    std::string block = Part(2, output);
    for (const std::string& operation : operations) block += Part(3, operation);
    const std::string x = Part(1, "x") + Part(2, MilType(kMilFloat32, input));
    const std::string body =
        Part(1, x) + Part(2, opset) + Part(3, Part(1, "CoreML5") + Part(2, block)) + more;
    const std::string description =
        Part(1, FeatureOf("x", input)) + Part(10, FeatureOf(output, {1, 2}));
    const std::string program = Number(1, 1) + Part(2, Part(1, function) + Part(2, body));
    return Number(1, 6) + Part(2, description) + Part(502, program);
  }
};

// relu(x w' + b) as SmallModel has it.
inline ProgramMaker SmallProgram() {
  ProgramMaker m;
  m.operations = {MilConstant("w", MilFloats({2, 3}, {1, 0, 2, 0, -1, 1})),
                  MilConstant("b", MilFloats({2}, {0.5F, -1})),
                  MilOperation("linear", {{"x", "x"}, {"weight", "w"}, {"bias", "b"}}, "t"),
                  MilOperation("relu", {{"x", "t"}}, "y")};
  return m;
}

}  // namespace athanor::coreml
