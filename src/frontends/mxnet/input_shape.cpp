#include "frontends/mxnet/input_shape.h"

#include <algorithm>
#include <map>

#include "core/text.h"

namespace athanor::mxnet {
namespace {

constexpr std::size_t kMostRank = 16;

// Layers that keep the number of axes and the size of axis 1.
constexpr std::string_view kKeepChannels[] = {
    "Activation",     "BatchNorm",     "BlockGrad",     "Cast",          "Dropout",
    "InstanceNorm",   "LRN",           "LeakyReLU",     "Pad",           "Pooling",
    "_copy",          "_div_scalar",   "_minus_scalar", "_mul_scalar",   "_plus_scalar",
    "_rminus_scalar", "amp_cast",      "broadcast_add", "broadcast_div", "broadcast_minus",
    "broadcast_mul",  "broadcast_sub", "cast",          "elemwise_add",  "elemwise_mul",
    "elemwise_sub",   "identity",      "pad",           "relu"};

Dim Open(const Node& variable, std::size_t axis) {
  return Dim::Symbol(fmt::format("{}_{}", variable.name.substr(0, 100), axis));
}

// Layers that keep the number of axes, in another order.
constexpr std::string_view kMoveAxes[] = {"SwapAxis", "swapaxes", "transpose"};

Shape AllOpen(const Node& variable, std::size_t axes) {
  Shape shape;
  for (std::size_t axis = 0; axis < axes; ++axis) shape.push_back(Open(variable, axis));
  return shape;
}

// The shape that a layer wants of its first input; empty when it does not say.
Shape WantedBy(const Node& layer, const Symbol& symbol, const Parameters& parameters,
               const Node& variable) {
  if (layer.op == "RNN") return AllOpen(variable, 3);
  if (layer.inputs.size() < 2) return {};
  const auto weight = parameters.find(symbol.nodes[layer.inputs[1].node].name);
  if (weight == parameters.end()) return {};
  const Tensor& tensor = weight->second;
  if (layer.op == "FullyConnected" && tensor.rank() == 2)
    return {Open(variable, 0), Dim(tensor.dim(1))};
  const bool transposed = layer.op == "Deconvolution";
  if ((layer.op != "Convolution" && layer.op != "Convolution_v1" && !transposed) ||
      tensor.rank() < 3)
    return {};
  std::int64_t groups = 1;
  if (const std::string* text = layer.Find("num_group")) {
    const Result<IntList> list = ParseInts(*text, 1);
    if (list.ok() && list->size() == 1) groups = std::clamp<std::int64_t>((*list)[0], 1, 1 << 20);
  }
  Shape shape = AllOpen(variable, static_cast<std::size_t>(tensor.rank()));
  const std::int64_t channels = tensor.dim(transposed ? 0 : 1);
  if (channels <= (std::int64_t{1} << 40)) shape[1] = Dim(channels * (transposed ? 1 : groups));
  return shape;
}

template <std::size_t kCount>
bool Contains(const std::string_view (&sorted)[kCount], std::string_view op) {
  return std::binary_search(std::begin(sorted), std::end(sorted), op);
}

// What the first layer that computes with the input wants of it.
Shape Deduced(const Symbol& symbol, const Parameters& parameters, std::size_t variable) {
  // Nodes with as many axes; true: in the same order.
  std::map<std::size_t, bool> like = {{variable, true}};
  for (std::size_t i = variable + 1; i < symbol.nodes.size(); ++i) {
    const Node& node = symbol.nodes[i];
    const auto from = node.inputs.empty() ? like.end() : like.find(node.inputs[0].node);
    if (from == like.end()) continue;
    const bool in_order = from->second;
    const Shape shape = WantedBy(node, symbol, parameters, symbol.nodes[variable]);
    if (!shape.empty()) return in_order ? shape : AllOpen(symbol.nodes[variable], shape.size());
    if (Contains(kKeepChannels, node.op) || Contains(kMoveAxes, node.op))
      like[i] = in_order && !Contains(kMoveAxes, node.op);
  }
  return {};
}

}  // namespace

Result<Shape> SaidShape(const Node& variable) {
  const std::string* text = variable.Find("__shape__");
  if (text == nullptr) return Shape{};
  ATH_TRY(const IntList sizes, ParseInts(*text, 0));
  if (sizes.size() > kMostRank) return Unsupported("rank {} is not read", sizes.size());
  Shape shape;
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    if (sizes[axis] < -1) return InvalidModel("size {} of axis {}", sizes[axis], axis);
    shape.push_back(sizes[axis] > 0 ? Dim(sizes[axis]) : Open(variable, axis));
  }
  return shape;
}

Result<Type> TypeOfInput(const Symbol& symbol, const Parameters& parameters, std::size_t variable) {
  const Node& node = symbol.nodes[variable];
  DType dtype = DType::kF32;
  if (const std::string* text = node.Find("__dtype__")) {
    ATH_TRY(const IntList flag, ParseInts(*text, -1));
    if (flag.size() != 1) return InvalidModel("its element type is {}", Quote(text->substr(0, 40)));
    // -1: what the layers behind it have.
    if (flag[0] != -1) dtype = DTypeOfFlag(flag[0]);
    if (dtype == DType::kUndefined)
      return Error(ErrorCode::kUnsupportedType, "element type {} is not read", flag[0]);
  }
  ATH_TRY(Shape shape, SaidShape(node));
  if (shape.empty()) shape = Deduced(symbol, parameters, variable);
  if (!shape.empty()) return Type::Tensor(dtype, std::move(shape));
  return InvalidModel(
             "it is not in the .params file, and for an input its shape is not known: neither the "
             "symbol nor the layer that reads it says how many axes it has")
      .Fix(fmt::format("give it one in MXNet: mx.sym.Variable(\"{}\", shape=(0, 3, 224, 224))",
                       node.name.substr(0, 100)));
}

}  // namespace athanor::mxnet
