// What a row of the layer table sees of one layer of an OpenVINO network: its inputs in the graph,
// its attributes, and the graph to add nodes to.
#pragma once

#include <functional>
#include <optional>

#include "frontends/openvino/network.h"
#include "ir/graph.h"

namespace athanor::openvino {

using Ints = std::vector<std::int64_t>;

class LayerImport {
 public:
  // Reads a body of the layer into `body`, whose inputs the caller has added: `parameters` are
  // their values by layer of the body's network. Gives the values that Results read.
  using Values = std::map<std::size_t, ValueId>;
  using ReadBody = std::function<Result<Values>(const Network&, Graph& body, Values parameters)>;

  LayerImport(Graph& graph, const Layer& layer, std::vector<ValueId> inputs, ReadBody read_body)
      : graph(graph), layer(layer), inputs(std::move(inputs)), read_body(std::move(read_body)) {}

  Graph& graph;
  const Layer& layer;
  const std::vector<ValueId> inputs;
  const ReadBody read_body;
  std::vector<ValueId> outputs;  // filled by the row, one per output port

  // Attributes; one that does not read as asked is remembered and reported after the row.
  bool Has(std::string_view name) const { return layer.attributes.count(name) != 0; }
  std::int64_t Int(std::string_view name, std::int64_t otherwise) const;
  float Float(std::string_view name, float otherwise) const;
  bool Bool(std::string_view name, bool otherwise) const;
  std::string Text(std::string_view name, std::string_view otherwise) const;
  Ints List(std::string_view name) const;
  std::vector<float> Floats(std::string_view name) const;
  const Status& problem() const { return problem_; }

  bool HasIn(std::size_t i) const { return i < inputs.size(); }
  bool IsUsed(std::size_t output) const {
    return output < layer.output_used.size() && layer.output_used[output];
  }
  ValueId In(std::size_t i = 0) const { return inputs[i]; }
  const Type& TypeOf(ValueId id) const { return graph.value(id).type; }
  const Type& InType(std::size_t i = 0) const { return TypeOf(inputs[i]); }
  const Tensor* Constant(std::size_t i) const { return graph.Constant(inputs[i]); }
  Result<std::int64_t> Rank(std::size_t i = 0) const;
  // Sizes that must all be known.
  Result<Dims> StaticDims(std::size_t i) const;
  Result<std::int64_t> Axis(std::int64_t axis, std::int64_t rank) const;
  // The integers of an input, which must be known when the model is read.
  Result<Ints> KnownInts(std::size_t i) const;
  Result<std::int64_t> KnownInt(std::size_t i) const;
  Result<std::vector<float>> KnownFloats(std::size_t i) const;
  // An input as i64, and as a list of one if it is a scalar.
  Result<ValueId> AsInts(std::size_t i);

  ValueId ConstantInts(const Ints& values);
  ValueId ConstantInt(std::int64_t value);
  // One number of the element type that `like` has.
  Result<ValueId> Number(double value, ValueId like);
  // Adds a node with one output, named after the layer.
  Result<ValueId> Add(std::string_view op, Operands in, AttrMap attributes = {});
  Result<std::vector<ValueId>> AddMany(std::string_view op, Operands in, AttrMap attributes,
                                       std::size_t count);
  Result<ValueId> Cast(ValueId x, DType to);
  Result<ValueId> Permuted(ValueId x, const Ints& perm);
  Result<ValueId> Shaped(ValueId x, const Ints& shape);
  // The element type that an attribute names.
  Result<DType> TypeAttribute(std::string_view name, std::string_view otherwise) const;

  // The value of the first output.
  Status Give(Result<ValueId> value);

 private:
  const std::string* Find(std::string_view name) const;
  void Wrong(std::string_view name, std::string_view expected) const;

  mutable Status problem_;
};

struct Row {
  std::string_view type;
  int least = 1, most = 1;  // inputs; -1: any number
  std::function<Status(LayerImport&)> make;
};

// The operator of the same meaning and inputs, without attributes.
std::function<Status(LayerImport&)> Same(std::string_view op);

// The rows by topic, alphabetical within each.
std::vector<Row> ControlRows();
std::vector<Row> MathRows();
std::vector<Row> NnRows();
std::vector<Row> RecurrentRows();
std::vector<Row> TensorRows();
const std::vector<Row>& Table();
const Row* FindRow(std::string_view type);
// The row of a layer of an operator set, or what reads others by a plug-in; nullptr when neither
// does.
const Row* RowOf(const Layer& layer);

}  // namespace athanor::openvino
