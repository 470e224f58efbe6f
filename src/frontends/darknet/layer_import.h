// What a row of the layer table sees of one section of a .cfg file.
#pragma once

#include <functional>

#include "frontends/darknet/cfg.h"
#include "frontends/darknet/weights.h"
#include "frontends/layer_steps.h"

namespace athanor::darknet {

// What a layer has made: what layers behind it read, and detections where it is a detector's head.
struct Made {
  ValueId value = kNoValue;
  ValueId detections = kNoValue;
};

struct NetState {
  Graph& graph;
  Weights& weights;
  std::int64_t width = 0, height = 0;  // of the picture
  std::vector<Made> layers = {};
};

class LayerImport : public LayerSteps {
 public:
  // Layer `index` of the network, whose input is what the one before it made.
  LayerImport(NetState& net, const Section& section, std::size_t index, ValueId input)
      : LayerSteps(net.graph, NameOf(section, index)),
        net(net),
        options(section, problem_),
        type(section.type),
        index(index),
        input(input) {}

  static std::string NameOf(const Section& section, std::size_t index) {
    return fmt::format("{}_{}", section.type, index);
  }

  NetState& net;
  Options options;
  const std::string type;
  const std::size_t index;
  const ValueId input;

  // Channels, height, width of a value [N, C, H, W]; [N, C] counts as C x 1 x 1.
  Dims Sizes(ValueId value);
  // What layer `from` made: from the front, or counted back from this one if negative.
  ValueId Layer(std::int64_t from);
  Tensor Weight(const Dims& dims, Fill fill);
  // [N, C, H, W] -> [N, C H W]
  ValueId Flat(ValueId value);
  // By the name that darknet has for it.
  ValueId Activate(ValueId x, const std::string& activation);
  ValueId Activate(ValueId x) { return Activate(x, options.Text("activation", "logistic")); }
  // What normalisation takes, in its order: scales, then the biases that stand before them in the
  // file, means and variances.
  std::vector<ValueId> Statistics(const Tensor& biases);
  // y [N, C, ...]
  ValueId BatchNorm(ValueId y, std::vector<ValueId> statistics);
};

struct Row {
  std::string_view type;
  std::function<Result<Made>(LayerImport&)> make;
};

std::vector<Row> LayerRows();
std::vector<Row> HeadRows();
// All rows, by type.
const std::vector<Row>& Table();
const Row* FindRow(std::string_view type);

}  // namespace athanor::darknet
