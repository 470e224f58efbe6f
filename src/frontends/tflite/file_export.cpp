#include "frontends/tflite/file_export.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "frontends/nhwc/window.h"

namespace athanor::tflite {
namespace {

constexpr std::string_view kMoves[] = {
    "Concat",   "DepthToSpace", "Expand", "Flatten",   "Gather",    "GatherND",
    "Identity", "MaxPool",      "Pad",    "Reshape",   "Slice",     "SpaceToDepth",
    "Split",    "Squeeze",      "Tile",   "Transpose", "Unsqueeze", "Where",
};

// The version of an operator that computes on these numbers (TensorFlow Lite, "Operator versions").
struct VersionRow {
  schema::BuiltinOperator code;
  int other, i8, i16;
};
constexpr VersionRow kVersions[] = {
    {schema::BuiltinOperator_BROADCAST_TO, 2, 2, 3},
    {schema::BuiltinOperator_CAST, 1, 1, 1},
    {schema::BuiltinOperator_CONV_2D, 1, 3, 4},
    {schema::BuiltinOperator_DEPTHWISE_CONV_2D, 2, 3, 5},
    {schema::BuiltinOperator_EXPAND_DIMS, 1, 1, 1},
    {schema::BuiltinOperator_FULLY_CONNECTED, 1, 4, 7},
    {schema::BuiltinOperator_RESHAPE, 1, 1, 1},
    {schema::BuiltinOperator_RESIZE_BILINEAR, 3, 3, 3},
    {schema::BuiltinOperator_RESIZE_NEAREST_NEIGHBOR, 3, 3, 3},
    {schema::BuiltinOperator_SHAPE, 1, 1, 1},
    {schema::BuiltinOperator_TRANSPOSE_CONV, 4, 4, 4},
};

int VersionOf(schema::BuiltinOperator code, DType dtype) {
  VersionRow row = {code, 1, 2, 3};
  for (const VersionRow& known : kVersions) {
    if (known.code == code) row = known;
  }
  if (dtype == DType::kI8) return row.i8;
  return dtype == DType::kI16 ? row.i16 : row.other;
}

bool IsStored(DType dtype) {
  return dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI16;
}

Result<Tensor> Dequantized(const Tensor& tensor, const Quantization& scale) {
  ATH_TRY(const std::vector<double> values, ToDoubles(tensor));
  ATH_TRY(Tensor result, Tensor::Allocate(DType::kF32, tensor.dims()));
  std::size_t inner = 1;
  for (std::int64_t axis = scale.axis + 1; axis < tensor.rank(); ++axis)
    inner *= static_cast<std::size_t>(tensor.dim(axis));
  const auto out = result.MutableData<float>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = scale.scales.size() == 1 ? 0 : i / inner % scale.scales.size();
    out[i] = static_cast<float>(values[i] - static_cast<double>(scale.zero_points[at])) *
             scale.scales[at];
  }
  return result;
}

Tensor SignedBytes(const Tensor& tensor) {
  const auto bytes = tensor.Data<std::uint8_t>();
  std::vector<std::int8_t> moved;
  moved.reserve(bytes.size());
  for (const std::uint8_t byte : bytes) moved.push_back(static_cast<std::int8_t>(byte ^ 0x80U));
  return Tensor::FromVector(tensor.dims(), moved);
}

}  // namespace

Quantization ScaleOfNode(const Graph& graph, const Node& node) {
  Quantization scale;
  const Tensor* factors = graph.Constant(node.inputs[1]);
  const bool has_zero = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  const Tensor* zero = has_zero ? graph.Constant(node.inputs[2]) : nullptr;
  const AttrValue* block = node.attributes.Find("block_size");
  if (factors == nullptr || factors->dtype() != DType::kF32 || factors->rank() > 1 ||
      (has_zero && zero == nullptr) || (block != nullptr && std::get<std::int64_t>(*block) != 0))
    return scale;
  const auto values = factors->Data<float>();
  Result<Ints> zeros = zero == nullptr ? Result<Ints>(Ints(values.size(), 0)) : ToInts(*zero);
  if (!zeros.ok() || zeros->size() != values.size()) return scale;
  scale.scales.assign(values.begin(), values.end());
  scale.zero_points = *std::move(zeros);
  const Type& type = graph.value(node.inputs[0]).type;
  const AttrValue* axis = node.attributes.Find("axis");
  if (scale.scales.size() > 1 && type.HasRank()) {
    scale.axis = axis == nullptr ? 1 : std::get<std::int64_t>(*axis);
    if (scale.axis < 0) scale.axis += type.rank();
  }
  return scale;
}

bool OnlyMoves(std::string_view op) {
  return std::find(std::begin(kMoves), std::end(kMoves), op) != std::end(kMoves);
}

Type PermutedType(const Type& type, const Ints& perm) {
  Type result = type;
  for (std::size_t i = 0; i < perm.size(); ++i) (*result.shape)[i] = type.dim(perm[i]);
  return result;
}

FileExport::FileExport(const Graph& graph) : graph(graph) {
  for (const ValueId id : graph.inputs()) UniqueName(graph.value(id).name);
  for (const GraphOutput& output : graph.outputs()) UniqueName(output.name);
  FindScales();
  bytes_are_signed_ = FindSigns();
}

// From the nodes that quantise and dequantise, and along those that only move.
void FileExport::FindScales() {
  const auto order = graph.Order();
  if (!order.ok()) return;
  for (const NodeId id : *order) {
    const Node& node = graph.node(id);
    const bool in = node.op->name == "DequantizeLinear";
    if (!in && node.op->name != "QuantizeLinear") continue;
    const ValueId integers = in ? node.inputs[0] : node.outputs[0];
    Quantization scale = ScaleOfNode(graph, node);
    if (!in && (scale.scales.size() != 1 || !IsStored(graph.value(integers).type.dtype))) continue;
    if (scale) scales_.try_emplace(integers, std::move(scale));
  }
  bool changed = true;
  while (changed) {
    changed = false;
    for (const NodeId id : *order) {
      const Node& node = graph.node(id);
      if (!OnlyMoves(node.op->name)) continue;
      const std::size_t first = node.op->name == "Where" ? 1 : 0;
      const std::size_t last =
          node.op->name == "Concat" || first > 0 ? node.inputs.size() : std::size_t{1};
      std::vector<ValueId> same(node.inputs.begin() + static_cast<std::ptrdiff_t>(first),
                                node.inputs.begin() + static_cast<std::ptrdiff_t>(last));
      same.insert(same.end(), node.outputs.begin(), node.outputs.end());
      const Quantization* scale = nullptr;
      for (const ValueId value : same) {
        const auto found = scales_.find(value);
        if (found != scales_.end() && found->second.scales.size() == 1) scale = &found->second;
      }
      if (scale == nullptr) continue;
      const Quantization copy = *scale;  // the map grows
      for (const ValueId value : same) {
        if (value != kNoValue && IsStored(graph.value(value).type.dtype))
          changed |= scales_.try_emplace(value, copy).second;
      }
    }
  }
}

// u8 becomes i8, the form of today's TFLite, unless someone looks at the bytes themselves, or
// weights are u8: then the network is of the older kind that computes on u8.
bool FileExport::FindSigns() const {
  for (const auto& [id, scale] : scales_) {
    const Value& value = graph.value(id);
    if (value.type.dtype != DType::kU8) continue;
    if (value.constant && value.constant->rank() > 1) return false;
    for (const NodeId user : value.users) {
      const std::string_view op = graph.node(user).op->name;
      if (op != "DequantizeLinear" && !OnlyMoves(op)) return false;
    }
  }
  return true;
}

const Quantization& FileExport::ScaleOf(ValueId id) const {
  static const Quantization none;
  const auto found = scales_.find(id);
  return found == scales_.end() ? none : found->second;
}

std::pair<Type, Quantization> FileExport::InFile(Type type, const Quantization& scale) const {
  Quantization moved = scale;
  if (bytes_are_signed_ && type.dtype == DType::kU8 && scale) {
    type.dtype = DType::kI8;
    for (std::int64_t& zero : moved.zero_points) zero -= 128;
  }
  return {std::move(type), std::move(moved)};
}

std::string FileExport::UniqueName(std::string_view wish) {
  std::string name(wish.empty() ? "tensor" : wish);
  int& taken = names_[name];
  if (taken++ == 0) return name;
  return UniqueName(fmt::format("{}_{}", name, taken));
}

TensorIndex FileExport::AddTensor(std::string_view name, const Type& type,
                                  const Quantization& scale) {
  tensors_.push_back({UniqueName(name), type, scale});
  return static_cast<TensorIndex>(tensors_.size()) - 1;
}

TensorIndex FileExport::Variable(std::string_view name, const Type& type) {
  const TensorIndex index = AddTensor(name, type);
  tensors_.back().is_variable = true;
  return index;
}

TensorIndex FileExport::Constant(const Tensor& tensor, std::string_view name,
                                 const Quantization& scale) {
  const TensorIndex index = AddTensor(name, Type::Of(tensor), scale);
  weights_.push_back(tensor);
  tensors_.back().buffer = static_cast<std::uint32_t>(weights_.size());
  return index;
}

void FileExport::AddOperator(schema::BuiltinOperator code, std::vector<TensorIndex> inputs,
                             std::vector<TensorIndex> outputs, const Options& options) {
  const std::uint32_t index = IndexOf({code, VersionOf(code, TypeOf(inputs[0]).dtype)});
  operators_.push_back({index, std::move(inputs), std::move(outputs), options});
}

void FileExport::AddCustom(std::string_view name, std::vector<std::uint8_t> options,
                           std::vector<TensorIndex> inputs, std::vector<TensorIndex> outputs) {
  const std::uint32_t index = IndexOf({schema::BuiltinOperator_CUSTOM, 1, std::string(name)});
  operators_.push_back({index, std::move(inputs), std::move(outputs), {}, std::move(options)});
}

std::uint32_t FileExport::IndexOf(const Code& code) {
  auto at = std::find(codes_.begin(), codes_.end(), code);
  if (at == codes_.end()) at = codes_.insert(at, code);
  return static_cast<std::uint32_t>(at - codes_.begin());
}

bool FileExport::Has(ValueId id, Axes axes) const {
  const Value& value = graph.value(id);
  if (value.type.rank() < 3 || value.constant) return true;
  const auto held = held_.find(id);
  if (held != held_.end() && (held->second.plain != kNoTensor || held->second.last != kNoTensor))
    return (axes == Axes::kPlain ? held->second.plain : held->second.last) != kNoTensor;
  const auto from = stored.find(id);
  return from != stored.end() && Has(from->second, axes);
}

void FileExport::Hold(ValueId id, Axes axes, TensorIndex tensor) {
  Held& held = held_[id];
  const bool plain = axes == Axes::kPlain || graph.value(id).type.rank() < 3;
  (plain ? held.plain : held.last) = tensor;
}

void FileExport::Alias(ValueId from, ValueId to) {
  const auto integers = stored.find(from);
  if (integers != stored.end()) {
    const ValueId id = integers->second;
    stored[to] = id;
    return;
  }
  const Axes axes = Has(from, Axes::kPlain) ? Axes::kPlain : Axes::kLast;
  Hold(to, axes, Get(from, axes));
}

TensorIndex FileExport::NewTensor(ValueId id, Axes axes) {
  const Value& value = graph.value(id);
  const auto [type, scale] = InFile(value.type, ScaleOf(id));
  const auto rank = static_cast<std::size_t>(type.rank());
  const bool last = axes == Axes::kLast && rank > 2;
  const TensorIndex tensor =
      AddTensor(value.name, last ? PermutedType(type, nhwc::ChannelsLast(rank)) : type, scale);
  Hold(id, axes, tensor);
  return tensor;
}

TensorIndex FileExport::Get(ValueId id, Axes axes) {
  if (graph.value(id).type.rank() < 3) axes = Axes::kPlain;
  Held& held = held_[id];
  TensorIndex& wanted = axes == Axes::kPlain ? held.plain : held.last;
  if (wanted == kNoTensor) wanted = Made(id, axes);
  return wanted;
}

// A value in an order in which it does not stand yet.
TensorIndex FileExport::Made(ValueId id, Axes axes) {
  const Value& value = graph.value(id);
  if (value.constant) return GraphConstant(id, *value.constant, axes);
  const auto from = stored.find(id);
  const Held& held = held_[id];
  const TensorIndex other = axes == Axes::kPlain ? held.last : held.plain;
  if (other != kNoTensor) {
    const auto rank = static_cast<std::size_t>(value.type.rank());
    return Permuted(other,
                    axes == Axes::kPlain ? nhwc::ChannelsFirst(rank) : nhwc::ChannelsLast(rank));
  }
  ATH_CHECK(from != stored.end(), "nodes come in order, so only stored numbers have no tensor yet");
  if (auto numbers = ConstantOf(id)) return GraphConstant(id, *std::move(numbers), axes);
  const TensorIndex integers = Get(from->second, axes);
  Type type = TypeOf(integers);
  type.dtype = DType::kF32;
  const TensorIndex real = AddTensor(value.name, type);
  AddOperator(schema::BuiltinOperator_DEQUANTIZE, {integers}, {real});
  return real;
}

std::optional<Tensor> FileExport::ConstantOf(ValueId id) const {
  if (const Tensor* constant = graph.Constant(id)) return *constant;
  const auto from = stored.find(id);
  const Tensor* constant = from == stored.end() ? nullptr : graph.Constant(from->second);
  if (constant == nullptr) return std::nullopt;
  Result<Tensor> numbers = Dequantized(*constant, ScaleOf(from->second));
  ATH_CHECK(numbers.ok(), "integers were given a scale only where they are numbers");
  return *std::move(numbers);
}

TensorIndex FileExport::GraphConstant(ValueId id, Tensor tensor, Axes axes) {
  Quantization scale = tensor.dtype() == DType::kF32 ? Quantization() : ScaleOf(id);
  if (bytes_are_signed_ && tensor.dtype() == DType::kU8 && scale) {
    scale = InFile(Type::Of(tensor), scale).second;
    tensor = SignedBytes(tensor);
  }
  if (axes == Axes::kLast) {
    Result<Tensor> permuted =
        TransposedTensor(tensor, nhwc::ChannelsLast(static_cast<std::size_t>(tensor.rank())));
    ATH_CHECK(permuted.ok(), "a constant of the graph has a copy in memory");
    tensor = *std::move(permuted);
  }
  return Constant(tensor, graph.value(id).name, scale);
}

TensorIndex FileExport::Extended(ValueId id, std::int64_t rank) {
  const std::optional<Tensor> tensor = ConstantOf(id);
  ATH_CHECK(tensor.has_value(), "the caller asked whether it is a constant");
  Dims dims(static_cast<std::size_t>(rank - tensor->rank()), 1);
  dims.insert(dims.end(), tensor->dims().begin(), tensor->dims().end());
  return GraphConstant(id, tensor->Reshaped(dims), Axes::kLast);
}

TensorIndex FileExport::Permuted(TensorIndex tensor, const Ints& perm) {
  const Type from = TypeOf(tensor);  // copies: tensors are added below
  const Quantization scale = ScaleOf(tensor);
  const Type type = PermutedType(from, perm);
  std::int64_t before = -1;
  bool in_order = true;
  Ints shape;
  std::size_t open = 0;
  for (const std::int64_t axis : perm) {
    const Dim& dim = from.dim(axis);
    shape.push_back(dim.IsConst() ? dim.value() : -1);
    open += dim.IsConst() ? 0 : 1;
    if (dim.Is(1)) continue;
    in_order &= axis > before;
    before = axis;
  }
  const TensorIndex result = AddTensor(Slot(tensor).name + "/permuted", type, scale);
  // Axes of one element may go anywhere.
  const bool moves = !in_order || open > 1;
  const Ints& list = moves ? perm : shape;
  const TensorIndex order =
      Constant(Tensor::FromVector<std::int32_t>({static_cast<std::int64_t>(list.size())},
                                                {list.begin(), list.end()}),
               moves ? "perm" : "shape");
  AddOperator(moves ? schema::BuiltinOperator_TRANSPOSE : schema::BuiltinOperator_RESHAPE,
              {tensor, order}, {result});
  return result;
}

void FileExport::AddInput(ValueId id) {
  const Value& value = graph.value(id);
  const auto [type, scale] = InFile(value.type, ScaleOf(id));
  tensors_.push_back({value.name, value.type, ScaleOf(id)});
  TensorIndex tensor = static_cast<TensorIndex>(tensors_.size()) - 1;
  inputs_.push_back(tensor);
  if (type.dtype != value.type.dtype) {
    const TensorIndex moved = AddTensor(value.name, type, scale);
    AddOperator(schema::BuiltinOperator_QUANTIZE, {tensor}, {moved});
    tensor = moved;
  }
  Hold(id, Axes::kPlain, tensor);
}

void FileExport::AddOutput(const GraphOutput& output) {
  const Type& type = graph.value(output.value).type;
  TensorIndex tensor = Get(output.value, Axes::kPlain);
  const auto listed = [tensor](const std::vector<TensorIndex>& list) {
    return std::find(list.begin(), list.end(), tensor) != list.end();
  };
  const bool moves = TypeOf(tensor).dtype != type.dtype;
  if (moves || listed(inputs_) || listed(outputs_) || Slot(tensor).buffer != 0) {
    // A name of its own needs a tensor of its own.
    const TensorIndex copy =
        AddTensor(output.name, type, moves ? ScaleOf(output.value) : ScaleOf(tensor));
    if (moves) {
      AddOperator(schema::BuiltinOperator_QUANTIZE, {tensor}, {copy});
    } else {
      const TensorIndex shape = AddTensor("shape", Type::Tensor(DType::kI32, {type.rank()}));
      schema::ShapeOptionsT options;
      options.out_type = schema::TensorType_INT32;
      AddOperator(schema::BuiltinOperator_SHAPE, {tensor}, {shape}, With(options));
      AddOperator(schema::BuiltinOperator_RESHAPE, {tensor, shape}, {copy});
    }
    tensor = copy;
  }
  tensors_[static_cast<std::size_t>(tensor)].name = output.name;
  outputs_.push_back(tensor);
}

}  // namespace athanor::tflite
