#include "frontends/tflite/op_import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/checked.h"

namespace athanor::tflite {

Result<Tensor> TransposedTensor(const Tensor& tensor, const Ints& perm) {
  const std::size_t rank = perm.size();
  Dims dims(rank), strides(rank, 1), from(rank), index(rank, 0);
  for (std::size_t i = 0; i < rank; ++i) dims[i] = tensor.dim(perm[i]);
  ATH_TRY(Tensor result, Tensor::Allocate(tensor.dtype(), dims));
  if (result.count() == 0) return result;  // beside an axis of 0 the others may have any size
  for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * tensor.dims()[i];
  for (std::size_t i = 0; i < rank; ++i) from[i] = strides[static_cast<std::size_t>(perm[i])];
  const std::size_t bytes = ElementBytes(tensor.dtype());
  const auto* source = static_cast<const std::uint8_t*>(tensor.raw());
  auto* target = static_cast<std::uint8_t*>(result.mutable_raw());
  for (std::int64_t left = tensor.count(), at = 0; left > 0; --left, target += bytes) {
    std::memcpy(target, source + static_cast<std::size_t>(at) * bytes, bytes);
    for (std::size_t a = rank; a-- > 0;) {
      at += from[a];
      if (++index[a] < dims[a]) break;
      at -= from[a] * dims[a];
      index[a] = 0;
    }
  }
  return result;
}

namespace {

bool IsPermutation(const Ints& perm) {
  std::vector<bool> seen(perm.size(), false);
  for (const std::int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(perm.size())) return false;
    if (seen[static_cast<std::size_t>(axis)]) return false;
    seen[static_cast<std::size_t>(axis)] = true;
  }
  return true;
}

// Zero points as the type of what they belong to.
Result<Tensor> ZeroPoints(DType dtype, const Quantization& quantization, const Dims& dims) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, dims));
  using Types =
      TypeList<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, Int4>;
  ATH_RETURN_IF_ERROR(Dispatch(Types{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto values = tensor.MutableData<T>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::int64_t zero = quantization.zero_points[i];
      values[i] = static_cast<T>(static_cast<std::int32_t>(zero));
      if (static_cast<std::int64_t>(static_cast<std::int32_t>(values[i])) != zero)
        return InvalidModel("zero point {} does not fit {}", zero, Name(dtype));
    }
    return {};
  }));
  return tensor;
}

// Smallest and largest integer of a quantised type.
std::pair<double, double> RangeOf(DType dtype) {
  if (dtype == DType::kU8) return {0, 255};
  if (dtype == DType::kI8) return {-128, 127};
  return {-32768, 32767};
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What an activation limits its result to; nothing for those that do more.
std::optional<std::pair<float, float>> LimitsOf(schema::Activation activation) {
  switch (activation) {
    case schema::Activation_NONE:
      return std::pair(-kInfinity, kInfinity);
    case schema::Activation_RELU:
      return std::pair(0.0F, kInfinity);
    case schema::Activation_RELU_N1_TO_1:
      return std::pair(-1.0F, 1.0F);
    case schema::Activation_RELU6:
      return std::pair(0.0F, 6.0F);
    default:
      return std::nullopt;
  }
}

}  // namespace

Status OpImport::Expect(std::size_t num_inputs, std::size_t num_outputs) const {
  for (std::size_t i = 0; i < num_inputs; ++i) {
    if (Has(i)) continue;
    if (IsVariable(i))
      return Unsupported("input {} is a variable; only states of LSTM and SVDF may be", i);
    return InvalidModel("input {} is missing; {} are expected", i, num_inputs);
  }
  if (output_infos_.size() < num_outputs)
    return InvalidModel("{} outputs are expected, there are {}", num_outputs, output_infos_.size());
  return {};
}

Result<std::int64_t> OpImport::RankOf(std::size_t i) const {
  if (!InType(i).HasRank()) return Unsupported("input {} has no known rank", i);
  return InType(i).rank();
}

bool OpImport::IsQuantized() const {
  for (const Port& port : inputs_) {
    if (port.info != nullptr && port.info->quantization) return true;
  }
  for (const TensorInfo* info : output_infos_) {
    if (info->quantization) return true;
  }
  return false;
}

Result<Ints> OpImport::KnownInts(std::size_t i) const {
  std::optional<Ints> numbers;
  if (const Tensor* constant = Constant(i)) {
    ATH_TRY(numbers, ToInts(*constant));
  } else if (const auto& known = graph.value(Stored(i)).ints) {
    const bool all =
        std::all_of(known->begin(), known->end(), [](const Dim& d) { return d.IsConst(); });
    if (all) numbers.emplace();
    for (std::size_t n = 0; all && n < known->size(); ++n) numbers->push_back((*known)[n].value());
  }
  if (!numbers)
    return Unsupported("input {} (\"{}\") is computed while running; a constant is expected", i,
                       In(i).name);
  // So that rows can compute with sizes and positions.
  constexpr std::int64_t kLargest = std::int64_t{1} << 40;
  for (const std::int64_t number : *numbers) {
    if (number < -kLargest || number > kLargest)
      return InvalidModel("input {} (\"{}\") holds {}, which is no size", i, In(i).name, number);
  }
  return *std::move(numbers);
}

// A few bytes of a file may ask for a state of any size, which a run would fill with zeros.
Result<ValueId> OpImport::Begin(const std::string& state, DType dtype, const Dims& dims,
                                std::uint8_t byte) {
  constexpr std::int64_t kLargest = std::int64_t{64} << 20;
  const auto count = CheckedCount(dims);
  if (!count || *count > kLargest / static_cast<std::int64_t>(ElementBytes(dtype)))
    return Unsupported("state \"{}\" is {}{}; states of up to 64 MiB are read", state, Name(dtype),
                       ToString(dims));
  return states->Begin(graph, state, {dtype, dims, byte});
}

Result<ValueId> OpImport::BeginState(std::size_t i, DType dtype, const Dims& dims) {
  if (!IsVariable(i)) return Unsupported("input {} is no variable; states must be", i);
  const TensorInfo& info = In(i);
  if (info.dtype != dtype)
    return Unsupported("state \"{}\" is {}; {} is read", info.name, Name(info.dtype), Name(dtype));
  // The file may write a state as a vector; what it holds is the operator's to say.
  const auto stored = Type::Tensor(info.dtype, info.shape).StaticDims();
  if (!stored || CheckedCount(*stored) != CheckedCount(dims))
    return InvalidModel("state \"{}\" is {}; {} numbers are expected", info.name,
                        ToString(info.shape), CheckedCount(dims).value_or(-1));
  if (info.quantization && info.quantization.zero_points[0] != 0 && dtype != DType::kI8)
    return Unsupported("state \"{}\" has zero point {}; 0 is read in {}", info.name,
                       info.quantization.zero_points[0], Name(dtype));
  const std::int64_t value = info.quantization ? info.quantization.zero_points[0] : 0;
  return Begin(inputs_[i].state, dtype, dims, static_cast<std::uint8_t>(value));
}

Status OpImport::EndState(std::size_t i, ValueId value) {
  return states->End(graph, inputs_[i].state, value);
}

Result<ValueId> OpImport::BeginOwnState(DType dtype, const Dims& dims, std::string_view what) {
  return Begin(fmt::format("{}.{}", name_, what), dtype, dims, 0);
}

Status OpImport::EndOwnState(ValueId value, std::string_view what) {
  return states->End(graph, fmt::format("{}.{}", name_, what), value);
}

Result<ValueId> OpImport::Permuted(ValueId value, const Ints& perm) {
  if (perm.empty()) return value;
  const Type& type = graph.value(value).type;
  if (!IsPermutation(perm)) return InvalidModel("the order of axes is no permutation");
  if (type.HasRank() && type.rank() != static_cast<std::int64_t>(perm.size()))
    return InvalidModel("a tensor of rank {} is expected, {} is given", perm.size(),
                        type.ToString());
  const Tensor* constant = graph.Constant(value);
  if (constant == nullptr) return Add("Transpose", {value}, {{"perm", perm}});
  ATH_TRY(Tensor tensor, TransposedTensor(*constant, perm));
  return graph.AddConstant(std::move(tensor), graph.value(value).name);
}

// 16-bit activations come with 64-bit biases, which nearly always fit 32 bits.
Result<ValueId> OpImport::Narrowed(ValueId value) {
  const Tensor* wide = graph.Constant(value);
  if (wide == nullptr) return Unsupported("64-bit integers with a scale must be constant");
  const auto numbers = wide->Data<std::int64_t>();
  std::vector<std::int32_t> narrow;
  for (const std::int64_t number : numbers) {
    narrow.push_back(static_cast<std::int32_t>(number));
    if (narrow.back() != number)
      return Unsupported("a 64-bit bias is {}; those that fit 32 bits are read", number);
  }
  return graph.AddConstant(Tensor::FromVector(wide->dims(), narrow), graph.value(value).name);
}

Result<ValueId> OpImport::Dequantized(ValueId value, const Quantization& quantization,
                                      std::int64_t axis) {
  if (graph.value(value).type.dtype == DType::kI64) {
    ATH_TRY(value, Narrowed(value));
  }
  const bool per_axis = quantization.scales.size() > 1;
  const Dims dims = per_axis ? Dims{static_cast<std::int64_t>(quantization.scales.size())} : Dims{};
  const Tensor scale = Tensor::FromVector<float>(dims, quantization.scales);
  ATH_TRY(Tensor zero, ZeroPoints(graph.value(value).type.dtype, quantization, dims));
  AttrMap attributes;
  if (per_axis) attributes.Set("axis", axis);
  return Add("DequantizeLinear",
             {value, graph.AddConstant(scale), graph.AddConstant(std::move(zero))},
             std::move(attributes));
}

Result<ValueId> OpImport::Real(std::size_t i, const Ints& perm) {
  ATH_TRY(const ValueId value, Permuted(Stored(i), perm));
  const Quantization& quantization = In(i).quantization;
  if (!quantization) return value;
  std::int64_t axis = quantization.axis;
  for (std::size_t a = 0; a < perm.size(); ++a) {
    if (perm[a] == quantization.axis) axis = static_cast<std::int64_t>(a);
  }
  return Dequantized(value, quantization, axis);
}

Result<ValueId> OpImport::RealOf(ValueId moved, std::size_t i) {
  const Quantization& quantization = In(i).quantization;
  if (!quantization) return moved;
  if (quantization.scales.size() > 1)
    return Unsupported("\"{}\" has one scale per index of an axis; only weights may", In(i).name);
  return Dequantized(moved, quantization, 0);
}

Result<ValueId> OpImport::Quantized(ValueId real, const TensorInfo& info) {
  if (info.quantization.scales.size() != 1)
    return Unsupported("\"{}\" has one scale per index of an axis; results with one scale are read",
                       info.name);
  ATH_TRY(Tensor zero, ZeroPoints(info.dtype, info.quantization, {}));
  const Tensor scale = Tensor::Scalar(info.quantization.scales[0]);
  return Add("QuantizeLinear", {real, graph.AddConstant(scale), graph.AddConstant(std::move(zero))},
             {{"arithmetic", std::string("fixed31")}});
}

namespace {

// Whether the integers of a type all stand for numbers within the limits, as writers choose scales.
bool CoversType(const TensorInfo& info, std::pair<float, float> limits) {
  const auto range = RangeOf(info.dtype);
  const auto quantize = [&](float x) {
    return std::round(static_cast<double>(x / info.quantization.scales[0])) +
           static_cast<double>(info.quantization.zero_points[0]);
  };
  return quantize(limits.first) <= range.first && quantize(limits.second) >= range.second;
}

}  // namespace

Result<ValueId> OpImport::Activated(ValueId value, schema::Activation activation,
                                    const TensorInfo& info) {
  const auto limits = LimitsOf(activation);
  if (!limits) {
    if (activation != schema::Activation_TANH || info.quantization)
      return Unsupported("fused activation {} is not read", schema::EnumNameActivation(activation));
    return Add("Tanh", {value});
  }
  if (activation == schema::Activation_NONE) return value;
  const DType dtype = graph.value(value).type.dtype;
  if (info.quantization && IsFloat(dtype) && CoversType(info, *limits)) return value;
  if (info.quantization && !IsFloat(dtype))
    return Unsupported("a fused activation on integers that only move is not read");
  if (activation == schema::Activation_RELU) return Add("Relu", {value});
  if (!IsFloat(dtype))
    return Unsupported("fused activation {} on {} is not read; on f32 it is",
                       schema::EnumNameActivation(activation), Name(dtype));
  return Add("Clip", {value, Number(limits->first, dtype), Number(limits->second, dtype)});
}

// A quantised result must be what TFLite computes, bit by bit: the operator behind it must have
// integer arithmetic of its own.
Status OpImport::CheckArithmetic(ValueId real, const TensorInfo& info) const {
  const NodeId producer = graph.value(real).producer;
  if (producer == kNoNode) return {};
  const OpDef& operation = *graph.node(producer).op;
  const std::string_view name = operation.name;
  if (info.dtype == DType::kI16 && name != "Conv" && name != "Identity" && name != "Softmax")
    return Unsupported("{} on 16-bit quantised numbers is not read; Conv, Softmax and Identity are",
                       name);
  if (operation.fixed31 != nullptr) return {};
  return Unsupported("{} on quantised numbers is not read; on floating-point numbers it is",
                     graph.node(producer).op->name);
}

Status OpImport::Give(Result<ValueId> real, schema::Activation activation, const Ints& perm,
                      std::size_t o) {
  ATH_TRY(ValueId value, std::move(real));
  const TensorInfo& info = Out(o);
  if (!info.quantization) return GiveStored(value, activation, perm, o);
  ATH_RETURN_IF_ERROR(CheckArithmetic(value, info));
  ATH_TRY(value, Activated(value, activation, info));
  ATH_TRY(value, Quantized(value, info));
  return GiveStored(value, schema::Activation_NONE, perm, o);
}

Status OpImport::GiveStored(Result<ValueId> value, schema::Activation activation, const Ints& perm,
                            std::size_t o) {
  ATH_TRY(ValueId stored, std::move(value));
  ATH_TRY(stored, Activated(stored, activation, Out(o)));
  ATH_TRY(outputs[o], Permuted(stored, perm));
  const DType dtype = graph.value(outputs[o]).type.dtype;
  if (dtype != Out(o).dtype)
    return InvalidModel("output \"{}\" is {} in the file, but {} follows from the inputs",
                        Out(o).name, Name(Out(o).dtype), Name(dtype));
  return {};
}

Status OpImport::ExpectSameScale(std::size_t i, std::size_t o) const {
  const Quantization &in = In(i).quantization, &out = Out(o).quantization;
  if (in.scales.size() > 1 || out.scales.size() > 1)
    return Unsupported("a scale per index of an axis is read for weights only");
  if (in == out || !in || !out) return {};
  return Unsupported("\"{}\" and \"{}\" have different scales; the same are expected", In(i).name,
                     Out(o).name);
}

ValueId OpImport::Constants(const Ints& values) {
  return graph.AddConstant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

ValueId OpImport::Number(float value, DType dtype) {
  if (dtype == DType::kF16) return graph.AddConstant(Tensor::Scalar(Half(value)));
  return graph.AddConstant(Tensor::Scalar(value));
}

Result<ValueId> OpImport::Add(std::string_view name, Operands node_inputs, AttrMap attributes) {
  return graph.Add(name, node_inputs, std::move(attributes), name_);
}

Result<std::vector<ValueId>> OpImport::AddMany(std::string_view name, Operands node_inputs,
                                               AttrMap attributes, std::size_t count) {
  ATH_TRY(const NodeId id, graph.AddNode({.op = name,
                                          .inputs = node_inputs.ToVector(),
                                          .attributes = std::move(attributes),
                                          .num_outputs = count,
                                          .name = name_}));
  return graph.node(id).outputs;
}

}  // namespace athanor::tflite
