#include "ir/quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace athanor {
namespace {

constexpr std::string_view kMark = "quant.arithmetic";  // every spec has it
constexpr std::size_t kMostPorts = 4096;

// The spec as attributes: lists over all ports, inputs first.
struct QuantAttrs {
  std::string arithmetic = {};
  std::vector<std::string> inputs = {}, outputs = {};
  std::vector<std::int64_t> axes = {}, counts = {}, zeros = {}, clamp = {};
  std::vector<float> scales = {};
  template <class V>
  void Visit(V& v) {
    v("quant.arithmetic", arithmetic, "\"float\" or \"fixed31\"", kRequired);
    v("quant.inputs", inputs, "element type of each quantised input, \"-\" of the others");
    v("quant.outputs", outputs, "element type of each quantised output, \"-\" of the others");
    v("quant.axes", axes, "axis of the scales of each input and output");
    v("quant.counts", counts, "number of scales of each input and output");
    v("quant.scales", scales, "scales of all inputs and outputs");
    v("quant.zeros", zeros, "zero points of all inputs and outputs");
    v("quant.clamp", clamp, "least and largest integer of output 0");
  }
};

Status CheckPort(const QuantPort& port) {
  const std::optional<IntRange> range = QuantRange(port.dtype);
  if (!range)
    return InvalidModel("{} is not a quantised type; i8, u8, i16, u16 and i32 are",
                        Name(port.dtype));
  if (port.scales.empty()) return InvalidModel("a quantised tensor has no scale");
  for (std::size_t i = 0; i < port.scales.size(); ++i) {
    if (!std::isfinite(port.scales[i]) || port.scales[i] <= 0)
      return InvalidModel("a scale is {}; a finite positive number is expected", port.scales[i]);
    if (port.zeros[i] < range->low || port.zeros[i] > range->high)
      return InvalidModel("zero point {} does not fit {}", port.zeros[i], Name(port.dtype));
  }
  return {};
}

// Cuts the next port off the lists.
class PortReader {
 public:
  explicit PortReader(const QuantAttrs& attrs) : attrs_(attrs) {}

  Result<std::vector<QuantPort>> Read(const std::vector<std::string>& types) {
    std::vector<QuantPort> ports;
    for (const std::string& type : types) {
      ATH_TRY(QuantPort port, ReadOne(type));
      ports.push_back(std::move(port));
    }
    return ports;
  }
  bool AtEnd() const {
    return port_ == attrs_.counts.size() && port_ == attrs_.axes.size() &&
           scale_ == attrs_.scales.size() && scale_ == attrs_.zeros.size();
  }

 private:
  Result<QuantPort> ReadOne(const std::string& type) {
    if (port_ >= attrs_.counts.size() || port_ >= attrs_.axes.size())
      return InvalidModel("quant.counts and quant.axes must have a value for every port");
    QuantPort port;
    port.axis = attrs_.axes[port_];
    const std::int64_t count = attrs_.counts[port_++];
    const auto left =
        static_cast<std::int64_t>(std::min(attrs_.scales.size(), attrs_.zeros.size()) - scale_);
    if (count < 0 || count > left)
      return InvalidModel("quant.counts says {}, but {} scales and zero points are left", count,
                          left);
    for (std::int64_t i = 0; i < count; ++i, ++scale_) {
      port.scales.push_back(attrs_.scales[scale_]);
      port.zeros.push_back(attrs_.zeros[scale_]);
    }
    if (type == "-") return port;
    const std::optional<DType> dtype = DTypeFromName(type);
    if (!dtype) return InvalidModel("there is no element type \"{}\"", type);
    port.dtype = *dtype;
    ATH_RETURN_IF_ERROR(CheckPort(port));
    return port;
  }

  const QuantAttrs& attrs_;
  std::size_t port_ = 0, scale_ = 0;
};

// Which of several scales an element has.
class ScaleIndex {
 public:
  ScaleIndex(const Tensor& tensor, const QuantPort& port) {
    if (port.per_tensor()) return;
    length_ = port.scales.size();
    for (std::int64_t i = port.axis + 1; i < tensor.rank(); ++i)
      inner_ *= static_cast<std::size_t>(tensor.dim(i));
  }
  std::size_t operator()(std::size_t element) const { return element / inner_ % length_; }

 private:
  std::size_t length_ = 1, inner_ = 1;
};

Status CheckScales(const Type& type, const QuantPort& port, std::string_view what, std::size_t i) {
  if (port.per_tensor() || !type.HasRank()) return {};
  if (port.axis < 0 || port.axis >= type.rank())
    return InvalidModel("{} {} has scales along axis {}, but is {}", what, i, port.axis,
                        type.ToString());
  const Dim& length = type.dim(port.axis);
  if (length.IsConst() && length.value() != std::ssize(port.scales))
    return InvalidModel("{} {} has {} scales along axis {} of {}", what, i, port.scales.size(),
                        port.axis, type.ToString());
  return {};
}

using QuantTypes = TypeList<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t>;

}  // namespace

std::optional<IntRange> QuantRange(DType dtype) {
  const auto range = [](auto tag) {
    using Limits = std::numeric_limits<decltype(tag)>;
    return IntRange{Limits::min(), Limits::max()};
  };
  if (dtype == DType::kI8) return range(std::int8_t{});
  if (dtype == DType::kU8) return range(std::uint8_t{});
  if (dtype == DType::kI16) return range(std::int16_t{});
  if (dtype == DType::kU16) return range(std::uint16_t{});
  if (dtype == DType::kI32) return range(std::int32_t{});
  return std::nullopt;
}

bool HasQuantSpec(const AttrMap& attributes) { return attributes.Find(kMark) != nullptr; }

const std::vector<AttrSpec>& QuantAttributes() {
  static const std::vector<AttrSpec> specs = Describe<QuantAttrs>();
  return specs;
}

Result<QuantSpec> ReadQuantSpec(const AttrMap& attributes) {
  const auto attrs = ReadAttributes<QuantAttrs>(attributes);
  if (attrs.arithmetic != "float" && attrs.arithmetic != "fixed31")
    return InvalidModel("quant.arithmetic is \"{}\"; \"float\" or \"fixed31\" is expected",
                        attrs.arithmetic);
  if (attrs.inputs.size() > kMostPorts || attrs.outputs.size() > kMostPorts)
    return InvalidModel("more than {} quantised inputs or outputs", kMostPorts);
  QuantSpec spec;
  spec.arithmetic = attrs.arithmetic;
  PortReader reader(attrs);
  ATH_TRY(spec.inputs, reader.Read(attrs.inputs));
  ATH_TRY(spec.outputs, reader.Read(attrs.outputs));
  if (!reader.AtEnd())
    return InvalidModel("the lists of quantisation attributes have different lengths");
  if (attrs.clamp.empty()) return spec;
  if (attrs.clamp.size() != 2 || attrs.clamp[0] > attrs.clamp[1] || spec.outputs.empty() ||
      !spec.outputs[0].quantized())
    return InvalidModel("quant.clamp must be the least and the largest integer of output 0");
  const IntRange range = *QuantRange(spec.outputs[0].dtype);
  if (attrs.clamp[0] < range.low || attrs.clamp[1] > range.high)
    return InvalidModel("quant.clamp does not fit {}", Name(spec.outputs[0].dtype));
  spec.clamp = QuantSpec::Clamp{attrs.clamp[0], attrs.clamp[1]};
  return spec;
}

void WriteQuantSpec(const QuantSpec& spec, AttrMap& attributes) {
  QuantAttrs attrs = {.arithmetic = spec.arithmetic};
  const auto write = [&attrs](const std::vector<QuantPort>& ports,
                              std::vector<std::string>& types) {
    for (const QuantPort& port : ports) {
      types.emplace_back(port.quantized() ? Name(port.dtype) : "-");
      attrs.axes.push_back(port.axis);
      attrs.counts.push_back(std::ssize(port.scales));
      attrs.scales.insert(attrs.scales.end(), port.scales.begin(), port.scales.end());
      attrs.zeros.insert(attrs.zeros.end(), port.zeros.begin(), port.zeros.end());
    }
  };
  write(spec.inputs, attrs.inputs);
  write(spec.outputs, attrs.outputs);
  if (spec.clamp) attrs.clamp = {spec.clamp->low, spec.clamp->high};
  for (const auto& [name, value] : WriteAttributes(attrs)) attributes.Set(name, value);
}

AttrMap WithoutQuantSpec(const AttrMap& attributes) {
  AttrMap rest;
  for (const auto& [name, value] : attributes) {
    if (!name.starts_with("quant.")) rest.Set(name, value);
  }
  return rest;
}

std::int64_t QuantizeOne(float value, float scale, std::int64_t zero, IntRange range) {
  const float quotient = value / scale;
  const double q = std::isnan(quotient) ? 0.0 : std::nearbyint(quotient);
  return static_cast<std::int64_t>(std::clamp(q + static_cast<double>(zero),
                                              static_cast<double>(range.low),
                                              static_cast<double>(range.high)));
}

Result<Tensor> Dequantize(const Tensor& tensor, const QuantPort& port) {
  ATH_TRY(Tensor real, Tensor::Allocate(DType::kF32, tensor.dims()));
  const ScaleIndex index(tensor, port);
  const std::span<float> out = real.MutableData<float>();
  ATH_RETURN_IF_ERROR(Dispatch(QuantTypes{}, tensor.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<const T> in = tensor.Data<T>();
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::size_t s = index(i);
      // Exact before scaling for every type but i32.
      out[i] = static_cast<float>(static_cast<double>(in[i]) - static_cast<double>(port.zeros[s])) *
               port.scales[s];
    }
    return {};
  }));
  return real;
}

Result<Tensor> Quantize(const Tensor& f32, const QuantPort& port) {
  ATH_TRY(Tensor quantized, Tensor::Allocate(port.dtype, f32.dims()));
  const ScaleIndex index(f32, port);
  const IntRange range = *QuantRange(port.dtype);
  const std::span<const float> in = f32.Data<float>();
  ATH_RETURN_IF_ERROR(Dispatch(QuantTypes{}, port.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<T> out = quantized.MutableData<T>();
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::size_t s = index(i);
      out[i] = static_cast<T>(QuantizeOne(in[i], port.scales[s], port.zeros[s], range));
    }
    return {};
  }));
  return quantized;
}

Status InferQuantized(const OpDef& op, InferCtx& ctx) {
  ATH_TRY(const QuantSpec spec, ReadQuantSpec(ctx.attributes()));
  if (!ctx.bodies().empty()) return InvalidModel("a node with sub-graphs cannot be quantised");
  if (spec.inputs.size() != ctx.num_inputs() || spec.outputs.size() != ctx.num_outputs())
    return InvalidModel("{} inputs and {} outputs are quantised; the node has {} and {}",
                        spec.inputs.size(), spec.outputs.size(), ctx.num_inputs(),
                        ctx.num_outputs());
  // As the operator itself sees it: real numbers.
  std::vector<Type> types(ctx.num_inputs());
  std::vector<InferCtx::Input> inputs(ctx.num_inputs());
  std::vector<Shape> ints(ctx.num_inputs());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!ctx.Has(i)) continue;
    types[i] = ctx.In(i);
    inputs[i] = {&types[i], ctx.Const(i), nullptr};
    const QuantPort& port = spec.inputs[i];
    if (!port.quantized()) {
      if (std::optional<Shape> known = ctx.Ints(i)) {
        ints[i] = *std::move(known);
        inputs[i].ints = &ints[i];
      }
      continue;
    }
    if (types[i].dtype != port.dtype)
      return InvalidModel("input {} is quantised as {}, but is {}", i, Name(port.dtype),
                          types[i].ToString());
    ATH_RETURN_IF_ERROR(CheckScales(types[i], port, "input", i));
    types[i].dtype = DType::kF32;
    inputs[i].constant = nullptr;
  }
  const AttrMap own = WithoutQuantSpec(ctx.attributes());
  InferCtx real(std::move(inputs), own, {}, ctx.num_outputs());
  ATH_RETURN_IF_ERROR(Infer(op, real));
  for (std::size_t i = 0; i < spec.outputs.size(); ++i) {
    ctx.out[i] = std::move(real.out[i]);
    const QuantPort& port = spec.outputs[i];
    if (!port.quantized()) continue;
    if (!ctx.out[i].IsTensor() || ctx.out[i].dtype != DType::kF32)
      return InvalidModel("output {} is {}; only f32 can be quantised", i, ctx.out[i].ToString());
    ATH_RETURN_IF_ERROR(CheckScales(ctx.out[i], port, "output", i));
    ctx.out[i].dtype = port.dtype;
  }
  return {};
}

Result<std::vector<Datum>> EvaluateQuantized(const Node& node, std::span<const Datum> inputs,
                                             std::vector<Datum> outputs) {
  ATH_TRY(const QuantSpec spec, ReadQuantSpec(node.attributes));
  if (spec.fixed31() && node.op->fixed31 != nullptr) {
    RefCtx ctx(inputs, outputs, node.attributes, nullptr);
    ATH_RETURN_IF_ERROR(node.op->fixed31(ctx));
    return outputs;
  }
  if (spec.fixed31())
    return Unsupported("{} has no form with 31-bit multipliers (fixed31); arithmetic \"float\" has",
                       node.op->name);
  std::vector<Datum> real(inputs.begin(), inputs.end());
  for (std::size_t i = 0; i < real.size(); ++i) {
    if (!spec.inputs[i].quantized() || !real[i].IsTensor()) continue;
    ATH_TRY(real[i], Dequantize(real[i].tensor(), spec.inputs[i]));
  }
  const Node plain = {
      node.op, node.name, node.inputs, node.outputs, WithoutQuantSpec(node.attributes), {}, 0};
  ATH_TRY(outputs, EvaluateNode(plain, real));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!spec.outputs[i].quantized() || !outputs[i].IsTensor()) continue;
    ATH_TRY(outputs[i], Quantize(outputs[i].tensor(), spec.outputs[i]));
  }
  if (!spec.clamp) return outputs;
  ATH_RETURN_IF_ERROR(Dispatch(QuantTypes{}, outputs[0].tensor().dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    for (T& q : outputs[0].tensor().MutableData<T>())
      q = std::clamp(q, static_cast<T>(spec.clamp->low), static_cast<T>(spec.clamp->high));
    return {};
  }));
  return outputs;
}

}  // namespace athanor
