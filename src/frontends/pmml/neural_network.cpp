// NeuralNetwork: each layer is one product of matrices over the neurons it listens to.
#include <array>
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

// ---- activation functions

struct Activation {
  std::string_view name;
  ValueId (*apply)(Calculator& c, ValueId z);
};
constexpr std::array kActivations = {
    Activation{
        "Elliott",
        [](Calculator& c, ValueId z) { return c.Div(z, c.Add(c.Constant(1), c.Op("Abs", {z}))); }},
    Activation{"Gauss", [](Calculator& c, ValueId z) { return c.Exp(c.Neg(c.Mul(z, z))); }},
    Activation{"arctan",
               [](Calculator& c, ValueId z) {
                 return c.Mul(c.Constant(2 / std::numbers::pi), c.Op("Atan", {z}));
               }},
    Activation{"cosine", [](Calculator& c, ValueId z) { return c.Op("Cos", {z}); }},
    Activation{"exponential", [](Calculator& c, ValueId z) { return c.Exp(z); }},
    Activation{"identity", [](Calculator&, ValueId z) { return z; }},
    Activation{"logistic",
               [](Calculator& c, ValueId z) {
                 const ValueId one = c.Constant(1);
                 return c.Div(one, c.Add(one, c.Exp(c.Neg(z))));
               }},
    Activation{"reciprocal", [](Calculator& c, ValueId z) { return c.Div(c.Constant(1), z); }},
    Activation{"rectifier",
               [](Calculator& c, ValueId z) {
                 return c.Where(c.Op("Less", {z, c.Constant(0)}), c.Constant(0), z);
               }},
    Activation{"sine", [](Calculator& c, ValueId z) { return c.Op("Sin", {z}); }},
    Activation{"square", [](Calculator& c, ValueId z) { return c.Mul(z, z); }},
    Activation{"tanh", [](Calculator& c, ValueId z) { return c.Op("Tanh", {z}); }},
};

// Where a neuron's activation stands: a column of a layer.
struct Place {
  std::size_t layer = 0, column = 0;
};

class Network {
 public:
  Network(const Model& model, const Scope& scope)
      : model_(model), network_(model.element), c_(model.calculator()), scope_(scope) {}

  Status Read() {
    std::vector<ValueId> inputs;
    for (const Element& input : network_.child("NeuralInputs").children("NeuralInput")) {
      ATH_TRY(const Element expression, ExpressionIn(input.child("DerivedField")));
      ATH_TRY(const Field field, Evaluate(model_.document, scope_, expression));
      if (field.text && !field.truth())
        return InvalidModel("<NeuralInput> {} is text", Quote(Text(input, "id")));
      ATH_RETURN_IF_ERROR(SetPlace(Text(input, "id"), {0, inputs.size()}));
      inputs.push_back(field.column);
    }
    if (inputs.empty()) return InvalidModel("the network has no inputs");
    layers_.push_back(c_.SideBySide(std::move(inputs)));
    for (const Element& layer : network_.children("NeuralLayer")) {
      Status status = ReadLayer(layer);
      if (!status.ok())
        return std::move(status).In(fmt::format("<NeuralLayer> {}", layers_.size()));
    }
    return c_.status();
  }

  Result<ValueId> Neuron(std::string_view id) {
    ATH_TRY(const Place place, PlaceOf(id));
    return c_.ColumnAt(layers_[place.layer], place.column);
  }

 private:
  Status SetPlace(std::string_view id, Place place) {
    if (places_.emplace(std::string(id), place).second) return {};
    return InvalidModel("neuron {} stands twice", Quote(id));
  }
  Result<Place> PlaceOf(std::string_view id) const {
    const auto found = places_.find(id);
    if (found == places_.end()) return InvalidModel("there is no neuron {}", Quote(id));
    return found->second;
  }

  // The neurons that a layer listens to, layer after layer: their activations side by side, and at
  // which column each layer begins.
  struct Sources {
    ValueId x = kNoValue;
    std::map<std::size_t, std::size_t> begins = {};
    std::size_t width = 0;
  };
  Result<Sources> SourcesOf(const Element& layer) {
    Sources sources;
    for (const Element& neuron : layer.children("Neuron")) {
      for (const Element& connection : neuron.children("Con")) {
        ATH_TRY(const Place place, PlaceOf(Text(connection, "from")));
        sources.begins.emplace(place.layer, 0);
      }
    }
    if (sources.begins.empty()) return InvalidModel("no neuron has a connection");
    std::vector<ValueId> columns;
    for (auto& [index, begin] : sources.begins) {
      begin = sources.width;
      sources.width += widths_[index];
      columns.push_back(layers_[index]);
    }
    sources.x = columns.size() == 1 ? columns[0] : c_.SideBySide(std::move(columns));
    return sources;
  }

  Status ReadLayer(const Element& layer) {
    if (widths_.empty()) widths_.push_back(places_.size());
    ATH_TRY(const Sources sources, SourcesOf(layer));
    std::string_view function = Text(layer, "activationFunction");
    if (function.empty()) function = Text(network_, "activationFunction");
    const auto neurons = layer.children("Neuron");
    const auto count = static_cast<std::size_t>(std::distance(neurons.begin(), neurons.end()));
    std::vector<double> weights(sources.width * count, 0), biases;
    std::size_t column = 0;
    for (const Element& neuron : neurons) {
      for (const Element& connection : neuron.children("Con")) {
        ATH_TRY(const Place place, PlaceOf(Text(connection, "from")));
        const std::size_t row = sources.begins.at(place.layer) + place.column;
        ATH_TRY(weights[row * count + column], Number(connection, "weight"));
      }
      ATH_TRY(const double bias, NumberOr(neuron, "bias", 0));
      biases.push_back(bias);
      ATH_RETURN_IF_ERROR(SetPlace(Text(neuron, "id"), {layers_.size(), column++}));
    }
    widths_.push_back(count);
    const auto rows = static_cast<std::int64_t>(sources.width);
    const auto columns = static_cast<std::int64_t>(count);
    ValueId y;
    if (function == "radialBasis") {
      ATH_TRY(y, RadialBasis(layer, sources, weights, count));
    } else {
      const ValueId z =
          c_.Add(c_.Op("MatMul", {sources.x, c_.Matrix(rows, columns, std::move(weights))}),
                 c_.Row(biases));
      ATH_TRY(y, Activate(layer, function, z));
    }
    ATH_TRY(y, NormalizeLayer(layer, y));
    layers_.push_back(y);
    return c_.status();
  }

  Result<ValueId> Activate(const Element& layer, std::string_view function, ValueId z) {
    if (function == "threshold") {
      ATH_TRY(const double usual, NumberOr(network_, "threshold", 0));
      ATH_TRY(const double threshold, NumberOr(layer, "threshold", usual));
      return c_.Compare("Greater", z, c_.Constant(threshold));
    }
    std::vector<std::string> known = {"threshold", "radialBasis"};
    for (const Activation& activation : kActivations) {
      if (activation.name == function) return activation.apply(c_, z);
      known.emplace_back(activation.name);
    }
    return InvalidModel("activationFunction {} is not known; {} are", Quote(function),
                        Join(known, ", "));
  }

  // exp(n ln(altitude) - |x - w|^2 / (2 width^2)), n the number of connections.
  Result<ValueId> RadialBasis(const Element& layer, const Sources& sources,
                              const std::vector<double>& weights, std::size_t count) {
    std::vector<double> centers(weights.size()), scales, heights;
    for (std::size_t row = 0; row < sources.width; ++row) {
      for (std::size_t column = 0; column < count; ++column)
        centers[column * sources.width + row] = weights[row * count + column];
    }
    for (const Element& neuron : layer.children("Neuron")) {
      double width = 0, altitude = 1;
      for (const Element& holder : {network_, layer, neuron}) {
        ATH_TRY(width, NumberOr(holder, "width", width));
        ATH_TRY(altitude, NumberOr(holder, "altitude", altitude));
      }
      if (!(width != 0) || !(altitude > 0))
        return InvalidModel("neuron {} has no width or altitude", Quote(Text(neuron, "id")));
      const auto connections = neuron.children("Con");
      const auto fan_in = std::distance(connections.begin(), connections.end());
      if (static_cast<std::size_t>(fan_in) != sources.width)
        return Unsupported("a radial basis over a part of the layer before");
      scales.push_back(-1 / (2 * width * width));
      heights.push_back(static_cast<double>(fan_in) * std::log(altitude));
    }
    const ValueId points = c_.Matrix(static_cast<std::int64_t>(count),
                                     static_cast<std::int64_t>(sources.width), std::move(centers));
    const ValueId distance = c_.Op("PairwiseMeasure", {sources.x, points});
    const ValueId y = c_.Exp(c_.Add(c_.Mul(distance, c_.Row(scales)), c_.Row(heights)));
    // The measure leaves out what is missing.
    return c_.Where(c_.IsMissing(c_.Sum(sources.x)), c_.Missing(), y);
  }

  Result<ValueId> NormalizeLayer(const Element& layer, ValueId y) {
    std::string_view method = Text(layer, "normalizationMethod");
    const bool last = !layer.next_sibling("NeuralLayer");
    if (method.empty() && last) method = Text(network_, "normalizationMethod");
    if (method.empty() || method == "none") return y;
    if (method == "softmax") return c_.Op("Softmax", {y}, {{"axis", std::int64_t{1}}});
    if (method == "simplemax") return c_.Div(y, c_.Sum(y));
    return InvalidModel("normalizationMethod {} is not known", Quote(method));
  }

  const Model& model_;
  Element network_;
  Calculator& c_;
  const Scope& scope_;
  std::vector<ValueId> layers_;  // [rows, neurons], the inputs first
  std::vector<std::size_t> widths_;
  std::map<std::string, Place, std::less<>> places_;
};

// From a neuron's activation to the number that it stands for: a <NormContinuous> backwards.
Result<ValueId> Denormalize(Calculator& c, const Element& expression, ValueId y) {
  std::vector<std::pair<double, double>> points;
  for (const Element& point : expression.children("LinearNorm")) {
    ATH_TRY(const double orig, Number(point, "orig"));
    ATH_TRY(const double norm, Number(point, "norm"));
    if (!points.empty() && norm == points.back().second)
      return InvalidModel("two points of <NormContinuous> have one norm");
    points.emplace_back(orig, norm);
  }
  if (points.size() < 2) return InvalidModel("<NormContinuous> needs two points");
  const auto line = [&](std::size_t i) {
    const auto [x0, y0] = points[i];
    const auto [x1, y1] = points[i + 1];
    const ValueId along = c.Div(c.Sub(y, c.Constant(y0)), c.Constant(y1 - y0));
    return c.Add(c.Constant(x0), c.Mul(along, c.Constant(x1 - x0)));
  };
  const bool rises = points.back().second > points.front().second;
  ValueId x = line(points.size() - 2);
  for (std::size_t i = points.size() - 2; i-- > 0;) {
    const ValueId before = c.Op(rises ? "Less" : "Greater", {y, c.Constant(points[i + 1].second)});
    x = c.Where(before, line(i), x);
  }
  return x;
}

}  // namespace

Result<Answer> ReadNeuralNetwork(const Model& model, const Scope& scope, int) {
  Calculator& c = model.calculator();
  Network network(model, scope);
  ATH_RETURN_IF_ERROR(network.Read());
  Answer answer = model.NewAnswer();
  std::vector<ValueId> shares;
  std::vector<std::size_t> order;
  for (const Element& output : model.element.child("NeuralOutputs").children("NeuralOutput")) {
    ATH_TRY(const ValueId y, network.Neuron(Text(output, "outputNeuron")));
    ATH_TRY(const Element expression, ExpressionIn(output.child("DerivedField")));
    const std::string_view kind = expression.name();
    if (answer.classification && kind == "NormDiscrete") {
      ATH_TRY(const std::size_t at, model.ClassIndex(Text(expression, "value")));
      shares.push_back(y);
      order.push_back(at);
    } else if (!answer.classification && kind == "FieldRef") {
      answer.value = y;
    } else if (!answer.classification && kind == "NormContinuous") {
      ATH_TRY(answer.value, Denormalize(c, expression, y));
    } else {
      return Unsupported("<NeuralOutput> with <{}>", kind);
    }
  }
  if (!answer.classification) {
    if (answer.value == kNoValue) return InvalidModel("the network has no outputs");
    return answer;
  }
  // One neuron for two classes: the other class has the rest.
  if (shares.size() == 1 && model.classes.size() == 2) {
    shares.push_back(c.Sub(c.Constant(1), shares[0]));
    order.push_back(1 - order[0]);
  }
  ATH_TRY(answer.probabilities, model.ByClass(shares, order));
  answer.value = c.Best(answer.probabilities);
  return answer;
}

}  // namespace athanor::pmml
