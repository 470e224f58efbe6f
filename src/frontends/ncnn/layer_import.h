// What a row of the layer table sees of one ncnn layer: its inputs in the graph, its parameters by
// id, its weights in order, and the graph to add nodes to.
//
// An ncnn blob has no batch: a blob of c x h x w is a value [N, c, h, w] here, so axis a of a blob
// is axis a + 1 of its value, and a model that is read can run on batches.
#pragma once

#include <functional>
#include <optional>

#include "frontends/ncnn/param_file.h"
#include "frontends/ncnn/weights.h"
#include "ir/graph.h"

namespace athanor::ncnn {

class LayerImport {
 public:
  LayerImport(Graph& graph, const Layer& layer, WeightReader& weights, std::vector<ValueId> inputs)
      : graph(graph), layer(layer), weights(weights), inputs(std::move(inputs)) {}

  Graph& graph;
  const Layer& layer;
  WeightReader& weights;
  const std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;  // filled by the row, one per top

  // Parameters; a kind that does not fit is remembered and reported after the row.
  std::int64_t Int(int id, std::int64_t otherwise) const;
  float Float(int id, float otherwise) const;
  std::vector<std::int64_t> Ints(int id) const;
  std::vector<float> Floats(int id) const;
  bool Has(int id) const { return layer.params.count(id) != 0; }
  const Status& problem() const { return problem_; }

  ValueId In(std::size_t i = 0) const { return inputs[i]; }
  const Type& InType(std::size_t i = 0) const { return graph.value(inputs[i]).type; }
  // How many axes the blob has; its value has one more.
  Result<std::int64_t> BlobRank(std::size_t i = 0) const;
  // Axis `axis` of a blob, which may count from the end, as an axis of its value.
  Result<std::int64_t> Axis(std::int64_t axis, std::size_t i = 0) const;

  ValueId Constant(Tensor tensor) { return graph.AddConstant(std::move(tensor)); }
  ValueId ConstantInts(const std::vector<std::int64_t>& values);
  ValueId Scalar(float value) { return Constant(Tensor::Scalar<float>(value)); }
  // Adds a node with one output, named after the layer.
  Result<ValueId> Add(std::string_view op, Operands in, AttrMap attributes = {});
  // One value per channel, shaped to be broadcast against a value of blob rank `rank`.
  Result<ValueId> PerChannel(const Tensor& values, std::int64_t rank);
  Result<ValueId> Unsqueeze(ValueId x, const std::vector<std::int64_t>& axes);
  // The activation that parameters `type_id` and the next say is part of the layer.
  Result<ValueId> Activate(ValueId x, int type_id = 9);

  // The value of the only output.
  Status Give(Result<ValueId> value);

 private:
  const Param* Find(int id, bool list) const;

  mutable Status problem_;
};

struct Row {
  std::string_view type;
  int inputs = 1;   // -1: one or more
  int outputs = 1;  // -1: one or more
  std::function<Status(LayerImport&)> make;
};

// The rows by topic, alphabetical within each.
std::vector<Row> NnRows();
std::vector<Row> MathRows();
std::vector<Row> TensorRows();
const std::vector<Row>& Table();
const Row* FindRow(std::string_view type);
// The row, or what reads layers of that type by a plug-in; nullptr when neither does.
const Row* FindRowOrForeign(std::string_view type);

}  // namespace athanor::ncnn
