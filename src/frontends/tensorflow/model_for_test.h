// Small TensorFlow models in memory, for tests and for the corpus of broken files.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "frontends/tensorflow/schema.h"
#include "frontends/tensorflow/sorted_table.h"

namespace athanor::tensorflow {

inline constexpr std::int32_t kFloat = 1, kInt32 = 3;

inline ShapeProto ShapeOfSizes(const std::vector<std::int64_t>& sizes) {
  ShapeProto shape;
  for (const std::int64_t size : sizes) shape.dim.push_back({size});
  return shape;
}

// Adds nodes to a graph or function.
class NodeMaker {
 public:
  explicit NodeMaker(std::vector<NodeDef>& nodes) : nodes_(nodes) {}

  NodeDef& Add(const std::string& name, const std::string& op,
               std::vector<std::string> inputs = {}) {
    return nodes_.emplace_back(NodeDef{name, op, std::move(inputs), {}});
  }
  static AttrProto& Set(NodeDef& node, const std::string& name) {
    node.attr.push_back({name, std::make_shared<AttrProto>()});
    return *node.attr.back().value;
  }
  void Placeholder(const std::string& name, const std::vector<std::int64_t>& sizes) {
    NodeDef& node = Add(name, "Placeholder");
    Set(node, "dtype").type = kFloat;
    Set(node, "shape").shape = std::make_shared<ShapeProto>(ShapeOfSizes(sizes));
  }
  void Floats(const std::string& name, const std::vector<std::int64_t>& sizes,
              std::vector<float> values) {
    auto tensor = std::make_shared<TensorProto>();
    tensor->dtype = kFloat;
    tensor->shape = ShapeOfSizes(sizes);
    tensor->float_val = std::move(values);
    Set(Add(name, "Const"), "value").tensor = std::move(tensor);
  }
  void Integers(const std::string& name, const std::vector<std::int64_t>& sizes,
                std::vector<std::int32_t> values) {
    auto tensor = std::make_shared<TensorProto>();
    tensor->dtype = kInt32;
    tensor->shape = ShapeOfSizes(sizes);
    tensor->int_val = std::move(values);
    Set(Add(name, "Const"), "value").tensor = std::move(tensor);
  }

 private:
  std::vector<NodeDef>& nodes_;
};

// function "squash": tanh(x) of its argument.
inline FunctionDef SquashFunction() {
  FunctionDef function;
  function.signature = {"squash", {{"x", kFloat, ""}}, {{"y", kFloat, ""}}};
  NodeMaker(function.node).Add("tanh", "Tanh", {"x"});
  function.ret = {{"y", "tanh:y:0"}};
  return function;
}

// A convolution, a bias, a mean over the picture, and a call of "squash".
inline GraphDef SmallGraph() {
  GraphDef graph;
  graph.versions.producer = 100;
  graph.library.function.push_back(SquashFunction());
  NodeMaker make(graph.node);
  make.Placeholder("image", {1, 4, 4, 2});
  make.Floats("weights", {3, 3, 2, 3}, std::vector<float>(54, 0.25F));
  NodeDef& conv = make.Add("conv", "Conv2D", {"image", "weights"});
  auto strides = std::make_shared<ListValue>();
  strides->i = {1, 2, 2, 1};
  NodeMaker::Set(conv, "strides").list = std::move(strides);
  NodeMaker::Set(conv, "padding").s = "SAME";
  make.Floats("bias", {3}, {0.5F, -1, 2});
  make.Add("biased", "BiasAdd", {"conv", "bias"});
  make.Integers("axes", {2}, {1, 2});
  make.Add("mean", "Mean", {"biased", "axes"});
  auto squash = std::make_shared<FunctionName>(FunctionName{"squash"});
  NodeMaker::Set(make.Add("call", "PartitionedCall", {"mean"}), "f").func = std::move(squash);
  return graph;
}

// y = x * 2^3, as tf.while_loop of TensorFlow 1 writes it.
inline GraphDef LoopGraph() {
  GraphDef graph;
  graph.versions.producer = 100;
  NodeMaker make(graph.node);
  make.Placeholder("x", {2});
  make.Integers("zero", {}, {0});
  for (const auto& [name, from] : {std::pair("i", "zero"), std::pair("y", "x")}) {
    const std::string n = name;
    NodeMaker::Set(make.Add(n + "/enter", "Enter", {from}), "frame_name").s = "loop";
    make.Add(n + "/merge", "Merge", {n + "/enter", n + "/next"});
    make.Add(n + "/switch", "Switch", {n + "/merge", "go"});
  }
  make.Integers("three", {}, {3});
  make.Add("less", "Less", {"i/merge", "three"});
  make.Add("go", "LoopCond", {"less"});
  make.Integers("one", {}, {1});
  make.Add("more", "Add", {"i/switch:1", "one"});
  make.Add("twice", "Add", {"y/switch:1", "y/switch:1"});
  make.Add("i/next", "NextIteration", {"more"});
  make.Add("y/next", "NextIteration", {"twice"});
  make.Add("result", "Exit", {"y/switch"});
  return graph;
}

// The parts of a SavedModel's folder.
struct SavedFiles {
  std::vector<std::uint8_t> graph, index, data;
};

namespace for_test {

inline void AppendVarint(std::string& out, std::uint64_t value) {
  protobuf::Output bytes;
  bytes.Varint(value);
  out.append(reinterpret_cast<const char*>(bytes.bytes().data()), bytes.bytes().size());
}

template <class T>
void AppendFixed(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Entries without shared prefixes, one restart point, then the trailer; gives its handle.
inline std::string AppendBlock(std::string& file,
                               const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string block;
  for (const auto& [key, value] : entries) {
    AppendVarint(block, 0);
    AppendVarint(block, key.size());
    AppendVarint(block, value.size());
    block += key + value;
  }
  AppendFixed<std::uint32_t>(block, 0);
  AppendFixed<std::uint32_t>(block, 1);
  std::string handle;
  AppendVarint(handle, file.size());
  AppendVarint(handle, block.size());
  block += '\0';  // not compressed
  const std::uint32_t crc =
      Crc32c({reinterpret_cast<const std::uint8_t*>(block.data()), block.size()});
  AppendFixed<std::uint32_t>(block, (crc >> 15 | crc << 17) + 0xA282EAD8U);
  file += block;
  return handle;
}

}  // namespace for_test

inline std::vector<std::uint8_t> SortedTable(
    const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string file;
  const std::string data = for_test::AppendBlock(file, entries);
  const std::string meta = for_test::AppendBlock(file, {});
  const std::string index = for_test::AppendBlock(file, {{"~", data}});
  std::string footer = meta + index;
  footer.resize(40, '\0');
  for_test::AppendFixed<std::uint64_t>(footer, 0xDB4775248B80FB57U);
  file += footer;
  return {file.begin(), file.end()};
}

template <class M>
std::string SerializedText(M message) {
  const std::vector<std::uint8_t> bytes = protobuf::Serialize(message);
  return {bytes.begin(), bytes.end()};
}

// y = x * weight, with the weight a variable that "save/restore" restores.
inline SavedModel SmallSavedModel() {
  SavedModel saved;
  saved.schema_version = 1;
  MetaGraph& meta = saved.meta_graphs.emplace_back();
  meta.info.tags = {"serve"};
  NodeMaker make(meta.graph.node);
  make.Placeholder("x", {-1, 2});
  make.Add("weight", "VarHandleOp");
  make.Add("read", "ReadVariableOp", {"weight"});
  make.Add("y", "MatMul", {"x", "read"});
  auto names = std::make_shared<TensorProto>();
  names->dtype = 7;
  names->shape = ShapeOfSizes({1});
  names->string_val = {"layer/kernel"};
  NodeMaker::Set(make.Add("names", "Const"), "value").tensor = std::move(names);
  make.Add("restored", "RestoreV2", {"names", "names", "names"});
  make.Add("assign", "AssignVariableOp", {"weight", "restored"});
  SignatureDef signature;
  signature.inputs = {{"input", {"x:0", kFloat, ShapeOfSizes({-1, 2})}}};
  signature.outputs = {{"output", {"y:0", kFloat, ShapeOfSizes({-1, 3})}}};
  meta.signatures = {{"serving_default", signature}};
  return saved;
}

inline SavedFiles SmallSavedFiles() {
  SavedModel saved = SmallSavedModel();
  SavedFiles files = {protobuf::Serialize(saved), {}, std::vector<std::uint8_t>(24)};
  const float weights[6] = {1, 2, 3, 4, 5, 6};
  std::memcpy(files.data.data(), weights, sizeof(weights));
  BundleHeader header;
  header.num_shards = 1;
  BundleEntry entry;
  entry.dtype = kFloat;
  entry.shape = ShapeOfSizes({2, 3});
  entry.size = 24;
  files.index =
      SortedTable({{"", SerializedText(header)}, {"layer/kernel", SerializedText(entry)}});
  return files;
}

}  // namespace athanor::tensorflow
