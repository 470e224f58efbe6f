// What a row of the layer table sees of one Caffe layer: its inputs in the graph, its parameters,
// its weights, and the graph to add nodes to.
//
// After a mistake, sizes that are asked for are 0. Who calls the row looks at problem() afterwards.
#pragma once

#include <functional>
#include <limits>
#include <list>

#include "frontends/caffe/params.h"
#include "frontends/caffe/weights.h"
#include "frontends/layer_steps.h"

namespace athanor::caffe {

// What the layers of one network share.
struct NetState {
  Graph& graph;
  WeightSource& weights;
  // The positions of largest values that pooling found, as MaxPool counts them, by the mask of them
  // that Caffe's layer gives.
  std::map<ValueId, ValueId> pooled_from = {};
};

class LayerImport : public LayerSteps {
 public:
  LayerImport(NetState& net, const Message& layer, std::vector<ValueId> inputs);

  NetState& net;
  const std::string type;
  const std::vector<std::string> tops;
  const std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;  // filled by the row, one per top

  const Message& layer() const { return layer_; }
  Params& Param(std::string_view field);
  // Of all parameters that the row asked for.
  Status CheckAllRead() const;

  ValueId In(std::size_t i = 0) const { return inputs[i]; }
  bool Has(std::size_t i) const { return i < inputs.size() && inputs[i] != kNoValue; }
  const Type& InType(std::size_t i = 0) const { return graph.value(inputs[i]).type; }
  std::int64_t Rank(std::size_t i = 0);
  // Axis `axis`, which may count from the end; up to the rank itself where `end` is allowed.
  std::int64_t Axis(std::int64_t axis, std::size_t i = 0, bool end = false);
  // A size that must be known.
  std::int64_t Dim(std::int64_t axis, std::size_t i = 0);
  // The sizes of axes [begin, end), which must be known.
  Dims DimsOf(std::int64_t begin, std::int64_t end, std::size_t i = 0);
  // The number of elements along axes [begin, end).
  std::int64_t Count(std::int64_t begin, std::int64_t end, std::size_t i = 0);

  // How many weights the file has for this layer; `otherwise` when they are made up.
  std::size_t NumWeights(std::size_t otherwise) const;
  Tensor WeightTensor(std::size_t i, const Dims& dims, Fill fill);
  ValueId Weight(std::size_t i, const Dims& dims, Fill fill);
  // The value of the only output.
  Status Give(ValueId value) {
    outputs = {value};
    return problem_;
  }

 private:
  const Message& layer_;
  std::list<std::pair<std::string, Params>> params_;
};

struct Ports {
  std::size_t least = 1, most = 1;
};
inline constexpr std::size_t kMany = std::numeric_limits<std::size_t>::max();

struct Row {
  std::string_view type;
  Ports inputs = {1, 1};
  Ports outputs = {1, 1};
  std::function<Status(LayerImport&)> make;
  std::size_t needed = kMany;        // inputs after these may be labels, which nobody gives
  std::string_view origin = "BVLC";  // whose Caffe has the layer
};

// The rows by topic, alphabetical within each.
std::vector<Row> DataRows();
std::vector<Row> DetectionRows();
std::vector<Row> MathRows();
std::vector<Row> NnRows();
std::vector<Row> NormRows();
std::vector<Row> RcnnRows();
std::vector<Row> RecurrentRows();
std::vector<Row> TensorRows();
// All of them, by type.
const std::vector<Row>& Table();
const Row* FindRow(std::string_view type);
// The same, or a row for what a plug-in reads (foreign.cpp).
const Row* FindRowOrForeign(std::string_view type);

}  // namespace athanor::caffe
