// How each operator is called in C. The formulas of the multipliers are those of the references.
#include <algorithm>

#include "codegen/writer.h"
#include "core/checked.h"
#include "ops/nn/conv.h"
#include "ops/nn/pool.h"
#include "ops/quant/fixed31_scales.h"

namespace athanor::codegen {
namespace {

using ops::fixed::Multiplier;

// Checked when the tensor was made.
std::int64_t Count(const Dims& dims) { return *CheckedCount(dims); }

Result<std::vector<std::int64_t>> ConstantInts(const NodeWriter& w, std::size_t input) {
  const Tensor* tensor = w.Constant(input);
  if (tensor == nullptr) return Unsupported("input {} is computed; a constant is expected", input);
  return ToInts(*tensor);
}

// Weights as they are; their zero point must be 0.
Result<std::string> Weights(NodeWriter& w) {
  const QuantPort& port = w.in_port(1);
  if (port.dtype != DType::kI8 || std::any_of(port.zeros.begin(), port.zeros.end(),
                                              [](std::int64_t zero) { return zero != 0; }))
    return Unsupported("weights of {} with a zero point; i8 without one is written",
                       Name(port.dtype));
  ATH_TRY(const std::vector<std::int64_t> values, ConstantInts(w, 1));
  return w.Array("weights", "int8_t", values, 1);
}

// "bias, multiplier, shift" as arguments.
Result<std::string> PerChannel(NodeWriter& w, std::int64_t channels, bool is_matrix) {
  std::vector<std::int64_t> bias(static_cast<std::size_t>(channels), 0);
  if (w.Has(2)) {
    ATH_TRY(const std::vector<std::int64_t> given, ConstantInts(w, 2));
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = given[given.size() == 1 ? 0 : i];
  }
  std::vector<std::int64_t> multipliers, shifts;
  for (const Multiplier& m : ops::ProductMultipliers(w.spec(), channels, is_matrix)) {
    multipliers.push_back(m.value);
    shifts.push_back(m.shift);
  }
  return fmt::format("{}, {}, {}", w.Array("bias", "int32_t", bias, 4),
                     w.Array("multiplier", "int32_t", multipliers, 4),
                     w.Array("shift", "int8_t", shifts, 1));
}

// The parameters of a window over two axes, after those in `fields`; one axis counts as the second.
Status AppendWindow(std::vector<ops::WindowAxis> axes, std::vector<NodeWriter::Field>& fields) {
  if (axes.size() == 1) axes.insert(axes.begin(), ops::WindowAxis{.in = 1, .out = 1});
  if (axes.size() != 2) return Unsupported("one or two spatial axes are written");
  const ops::WindowAxis &h = axes[0], &v = axes[1];
  fields.insert(fields.end(), {{"in_h", h.in},
                               {"in_w", v.in},
                               {"out_h", h.out},
                               {"out_w", v.out},
                               {"kernel_h", h.kernel},
                               {"kernel_w", v.kernel},
                               {"stride_h", h.stride},
                               {"stride_w", v.stride},
                               {"dilation_h", h.dilation},
                               {"dilation_w", v.dilation},
                               {"pad_top", h.pad_begin},
                               {"pad_left", v.pad_begin}});
  return {};
}

// An operand of a sum: an activation, or a constant.
Result<std::string> Operand(NodeWriter& w, std::size_t i) {
  const Tensor* constant = w.Constant(i);
  if (constant == nullptr) return w.In(i);
  if (constant->dtype() != DType::kI8)
    return Unsupported("a constant of {}; i8 is written", Name(constant->dtype()));
  ATH_TRY(const std::vector<std::int64_t> values, ToInts(*constant));
  return w.Array(fmt::format("operand{}", i), "int8_t", values, 1);
}

Status WriteConv(NodeWriter& w) {
  ATH_TRY(const ops::ConvGeometry conv,
          ops::ResolveConv(w.Attrs<ops::ConvAttrs>(), w.InDims(0), w.InDims(1)));
  if (conv.batch != 1) return Unsupported("a batch of {}; 1 is written", conv.batch);
  std::vector<NodeWriter::Field> fields = {{"groups", conv.group},
                                           {"in_channels", conv.in_channels / conv.group},
                                           {"out_channels", conv.out_channels / conv.group}};
  ATH_RETURN_IF_ERROR(AppendWindow(conv.axes, fields));
  fields.insert(fields.end(), {{"x_zero", w.in_port(0).zeros[0]},
                               {"y_zero", w.out_port().zeros[0]},
                               {"low", w.Low()},
                               {"high", w.High()}});
  w.Use("conv.h");
  ATH_TRY(const std::string weights, Weights(w));
  ATH_TRY(const std::string channels, PerChannel(w, conv.out_channels, false));
  const std::string parameters = w.Struct("ath_conv", fields);
  w.Call(fmt::format("ath_conv_i8(&{}, {}, {}, {}, {})", parameters, w.In(0), weights, channels,
                     w.Out()));
  return {};
}

Status WriteGemm(NodeWriter& w) {
  const AttrMap& attributes = w.node().attributes;
  const AttrValue* transposed = attributes.Find("transB");
  if (attributes.Find("alpha") != nullptr || attributes.Find("beta") != nullptr ||
      attributes.Find("transA") != nullptr || transposed == nullptr)
    return Unsupported("a product other than x * transposed w + b");
  const Dims out = w.OutDims();
  w.Use("gemm.h");
  ATH_TRY(const std::string weights, Weights(w));
  ATH_TRY(const std::string channels, PerChannel(w, out[1], true));
  const std::string parameters = w.Struct("ath_gemm", {{"rows", out[0]},
                                                       {"columns", out[1]},
                                                       {"depth", w.InDims(0)[1]},
                                                       {"x_zero", w.in_port(0).zeros[0]},
                                                       {"y_zero", w.out_port().zeros[0]},
                                                       {"low", w.Low()},
                                                       {"high", w.High()}});
  w.Call(fmt::format("ath_gemm_i8(&{}, {}, {}, {}, {})", parameters, w.In(0), weights, channels,
                     w.Out()));
  return {};
}

template <int kSign>
Status WriteSum(NodeWriter& w) {
  if (w.InDims(0) != w.OutDims() || w.InDims(1) != w.OutDims())
    return Unsupported("a sum with broadcasting; equal shapes are written");
  w.Use("add.h");
  const ops::SumMultipliers m =
      ops::MultipliersOfSum(w.in_port(0).scales[0], w.in_port(1).scales[0], w.out_port().scales[0]);
  const std::string parameters = w.Struct("ath_add", {{"a_zero", w.in_port(0).zeros[0]},
                                                      {"b_zero", w.in_port(1).zeros[0]},
                                                      {"y_zero", w.out_port().zeros[0]},
                                                      {"low", w.Low()},
                                                      {"high", w.High()},
                                                      {"a_multiplier", m.a.value},
                                                      {"b_multiplier", m.b.value},
                                                      {"y_multiplier", m.y.value},
                                                      {"a_shift", m.a.shift},
                                                      {"b_shift", m.b.shift},
                                                      {"y_shift", m.y.shift},
                                                      {"sign", kSign}});
  ATH_TRY(const std::string a, Operand(w, 0));
  ATH_TRY(const std::string b, Operand(w, 1));
  w.Call(fmt::format("ath_add_i8(&{}, {}, {}, {}, {})", parameters, a, b, Count(w.OutDims()),
                     w.Out()));
  return {};
}

Status WritePool(NodeWriter& w, const ops::PoolAttrs& attrs, bool mean) {
  ATH_TRY(const ops::PoolGeometry pool, ops::ResolvePool(attrs, w.InDims(0)));
  // MaxPool of unchanged scales is only moved, so it may come without a QuantSpec.
  const bool quantized = !w.spec().outputs.empty();
  std::vector<NodeWriter::Field> fields = {{"planes", pool.planes}};
  ATH_RETURN_IF_ERROR(AppendWindow(pool.axes, fields));
  fields.insert(fields.end(),
                {{"low", quantized ? w.Low() : -128}, {"high", quantized ? w.High() : 127}});
  w.Use("pool.h");
  const std::string parameters = w.Struct("ath_pool", fields);
  w.Call(fmt::format("ath_pool_i8(&{}, {}, {}, {})", parameters, mean ? 1 : 0, w.In(0), w.Out()));
  return {};
}

Status WriteAveragePool(NodeWriter& w) {
  const auto attrs = w.Attrs<ops::AveragePoolAttrs>();
  if (attrs.count_include_pad) return Unsupported("a mean that counts its padding");
  // Halves are rounded away from the integer 0, which is another number in u8.
  if (w.spec().outputs[0].dtype != DType::kI8)
    return Unsupported("AveragePool of u8; i8 is written");
  return WritePool(w, attrs, true);
}
Status WriteMaxPool(NodeWriter& w) { return WritePool(w, w.Attrs<ops::MaxPoolAttrs>(), false); }

Status WritePlaneMeans(NodeWriter& w) {
  const std::int64_t planes = Count(w.OutDims());
  const std::int64_t size = Count(w.InDims(0)) / std::max<std::int64_t>(planes, 1);
  w.Use("mean.h");
  const Multiplier m = ops::MeanMultiplier(w.in_port(0).scales[0], w.out_port().scales[0], size);
  const std::string parameters = w.Struct("ath_mean", {{"planes", planes},
                                                       {"size", size},
                                                       {"x_zero", w.in_port(0).zeros[0]},
                                                       {"y_zero", w.out_port().zeros[0]},
                                                       {"low", w.Low()},
                                                       {"high", w.High()},
                                                       {"multiplier", m.value},
                                                       {"shift", m.shift}});
  w.Call(fmt::format("ath_mean_i8(&{}, {}, {})", parameters, w.In(0), w.Out()));
  return {};
}

// Means over the last axes are means of planes.
Status WriteReduceMean(NodeWriter& w) {
  ATH_TRY(std::vector<std::int64_t> axes, ConstantInts(w, 1));
  const std::int64_t rank = std::ssize(w.InDims(0));
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != rank - std::ssize(axes) + static_cast<std::int64_t>(i))
      return Unsupported("a mean over other than the last axes");
  }
  return WritePlaneMeans(w);
}

Status WriteIdentity(NodeWriter& w) {
  w.Use("requantize.h");
  const Multiplier m = ops::RatioMultiplier(w.in_port(0).scales[0], w.out_port().scales[0]);
  const std::string parameters = w.Struct("ath_requantize", {{"x_zero", w.in_port(0).zeros[0]},
                                                             {"y_zero", w.out_port().zeros[0]},
                                                             {"low", w.Low()},
                                                             {"high", w.High()},
                                                             {"multiplier", m.value},
                                                             {"shift", m.shift}});
  w.Call(fmt::format("ath_requantize_i8(&{}, {}, {}, {})", parameters, w.In(0), Count(w.OutDims()),
                     w.Out()));
  return {};
}

Status WriteSoftmax(NodeWriter& w) {
  const Dims dims = w.InDims(0);
  const AttrValue* axis = w.node().attributes.Find("axis");
  const std::int64_t at = axis == nullptr ? -1 : std::get<std::int64_t>(*axis);
  if (at != -1 && at != std::ssize(dims) - 1)
    return Unsupported("Softmax along the last axis only");
  w.Use("softmax.h");
  const ops::SoftmaxScale scale = ops::SoftmaxScaleOf(w.in_port(0).scales[0]);
  const std::string parameters = w.Struct("ath_softmax", {{"lines", Count(dims) / dims.back()},
                                                          {"size", dims.back()},
                                                          {"multiplier", scale.multiplier.value},
                                                          {"shift", scale.multiplier.shift},
                                                          {"lowest", scale.lowest}});
  w.Call(fmt::format("ath_softmax_i8(&{}, {}, {})", parameters, w.In(0), w.Out()));
  return {};
}

Status WriteTranspose(NodeWriter& w) {
  const Dims in = w.InDims(0);
  if (in.size() > 4) return Unsupported("a Transpose of {} axes; at most 4 are written", in.size());
  const AttrValue* given = w.node().attributes.Find("perm");
  std::vector<std::int64_t> perm;
  for (std::size_t i = in.size(); i-- > 0;) perm.push_back(static_cast<std::int64_t>(i));
  if (given != nullptr) perm = std::get<std::vector<std::int64_t>>(*given);
  std::vector<std::int64_t> stride(in.size(), 1), size(4 - in.size(), 1), step(4 - in.size(), 0);
  for (std::size_t i = in.size(); i-- > 1;) stride[i - 1] = stride[i] * in[i];
  for (const std::int64_t axis : perm) {
    size.push_back(in[static_cast<std::size_t>(axis)]);
    step.push_back(stride[static_cast<std::size_t>(axis)]);
  }
  w.Use("transpose.h");
  const std::string sizes = w.Array("size", "int32_t", size, 4);
  w.Call(fmt::format("ath_transpose_i8({}, {}, {}, {})", sizes, w.Array("step", "int32_t", step, 4),
                     w.In(0), w.Out()));
  return {};
}

constexpr Row kRows[] = {
    {"Add", WriteSum<1>},
    {"AveragePool", WriteAveragePool},
    {"Conv", WriteConv},
    {"Flatten", nullptr, true},
    {"Gemm", WriteGemm},
    {"GlobalAveragePool", WritePlaneMeans},
    {"Identity", WriteIdentity},
    {"MaxPool", WriteMaxPool},
    {"ReduceMean", WriteReduceMean},
    {"Reshape", nullptr, true},
    {"Softmax", WriteSoftmax},
    {"Squeeze", nullptr, true},
    {"Sub", WriteSum<-1>},
    {"Transpose", WriteTranspose},
    {"Unsqueeze", nullptr, true},
};

}  // namespace

std::span<const Row> Rows() { return kRows; }

}  // namespace athanor::codegen
