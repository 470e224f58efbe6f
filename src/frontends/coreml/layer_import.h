// What a row of the layer table sees of one layer: its inputs as values of the graph, its
// parameters, and the graph to add nodes to.
//
// All numbers in a network are floats, positions and truth included; rows cast where an operator
// of the graph wants another type. Axes are counted from the end: -3 are channels, -2 and -1
// height and width, and what stands in front of them is a batch.
#pragma once

#include <map>
#include <memory>

#include "frontends/coreml/layer.h"
#include "frontends/value_steps.h"

namespace athanor::coreml {

class LayerImport;

struct Row {
  std::int64_t kind = 0;
  std::string_view name;  // of the field, as the specification has it
  void (*make)(LayerImport&) = nullptr;
  std::string_view op = "";  // the graph's operator, for rows that share `make`
  int least = 1, most = 1;   // how many inputs (-1: any number)
  int outputs = 1;           // the most; -1: any number
};

// How the five axes [sequence, batch, channels, height, width] of old networks are kept.
enum class Form : std::uint8_t {
  kExact,   // axes are what the file says
  kMerged,  // [sequence * batch, channels, height, width]: one of the two is 1
  kFive,    // all five
};

class LayerImport : public ValueSteps {
 public:
  LayerImport(Graph& graph, const Layer& layer, const Row& row, std::vector<ValueId> inputs,
              Form form, std::shared_ptr<const void> owner)
      : ValueSteps(graph, layer.name),
        layer(layer),
        row(row),
        form(form),
        inputs_(std::move(inputs)),
        owner_(std::move(owner)) {}

  const Layer& layer;
  const Row& row;
  const Form form;
  std::vector<ValueId> outputs;  // filled by the row

  std::size_t count() const { return inputs_.size(); }
  bool Has(std::size_t i) const { return i < inputs_.size(); }
  ValueId In(std::size_t i = 0);
  const std::vector<ValueId>& All() const { return inputs_; }
  void Give(ValueId value) { outputs = {value}; }

  template <class P>
  P Parameters() {
    Result<P> parsed = protobuf::Parse<P>(layer.parameters, "layer");
    if (parsed.ok()) return *std::move(parsed);
    Fail(std::move(parsed).status());
    return {};
  }

  // ---- numbers of the file
  // As floats of this shape. Scales of quantised ones belong to `axis`.
  Tensor Weights(const WeightParams& weights, const Dims& dims, std::string_view what,
                 std::size_t axis = 0);
  ValueId WeightValue(const WeightParams& weights, const Dims& dims, std::string_view what,
                      std::size_t axis = 0) {
    return Constant(Weights(weights, dims, what, axis));
  }
  // How many numbers there are of plain ones.
  static std::int64_t CountOf(const WeightParams& weights);
  // A number of the file as a size, which rows can compute with.
  std::int64_t Size(std::int64_t value, std::string_view what, std::int64_t least = 1);
  // `count` numbers, `otherwise` each where the file has none.
  IntList Sizes(IntList values, std::size_t count, std::int64_t otherwise, std::string_view what,
                std::int64_t least = 1);

  // ---- values
  ValueId Real(double value) { return Scalar(static_cast<float>(value)); }
  // Truth and positions are floats.
  ValueId AsFloat(ValueId x) { return Cast(x, DType::kF32); }
  ValueId AsInts(ValueId x) { return Cast(x, DType::kI64); }
  ValueId AsTruth(ValueId x) { return Cast(x, DType::kBool); }
  // The sizes of axes [begin, end) as i64.
  ValueId ShapeOf(ValueId x, std::int64_t begin, std::int64_t end) {
    return Op("Shape", {x}, {{"start", begin}, {"end", end}});
  }
  // -3 for channels and so on, from the front; fails where there are fewer axes.
  std::int64_t FromEnd(ValueId x, std::int64_t axis);
  // An axis of a layer whose parameters count the axes themselves.
  std::int64_t AxisOf(ValueId x, std::int64_t axis) { return Axis(axis, Rank(x)); }
  // What `make` gives for [batch, channels, height, width], whatever the number of axes.
  template <class Make>
  ValueId WithFourAxes(ValueId x, Make make) {
    const std::int64_t rank = Rank(x);
    if (!Expect(rank >= 3, "an input of {} axes; 3 are wanted", rank)) return kNoValue;
    if (rank == 4) return make(x);
    if (rank == 3) return Squeeze(make(Unsqueeze(x, {0})), {0});
    const ValueId lead = ShapeOf(x, 0, rank - 3);
    const ValueId y = make(MergeLeading(x));
    return Op("Reshape", {y, Join({lead, ShapeOf(y, 1, 4)}, 0)});
  }
  // All axes before the last three as one.
  ValueId MergeLeading(ValueId x);

 private:
  Tensor Dequantized(const WeightParams& weights, const Dims& dims, std::size_t axis);

  std::vector<ValueId> inputs_;
  std::shared_ptr<const void> owner_;
};

// f(x) of an activation layer; also within recurrent ones, by name.
ValueId AddActivation(LayerImport& ctx, const Activation& activation, ValueId x);

// The rows by topic.
std::vector<Row> ElementwiseRows();
std::vector<Row> IndexRows();
std::vector<Row> LayerRows();
std::vector<Row> RecurrentRows();
std::vector<Row> ReduceRows();
std::vector<Row> ShapeRows();

const Row* FindRow(std::int64_t kind);
// The name of a kind of layer, whether it is read or not.
std::string NameOf(std::int64_t kind);
// The names of all rows, in alphabetical order.
std::vector<std::string> Names();

}  // namespace athanor::coreml
