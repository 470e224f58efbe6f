#include "frontends/tflite/weights_export.h"

#include <algorithm>
#include <cmath>

namespace athanor::tflite {

bool FitsWeights(const OpExport& ctx) {
  const ValueId data = ctx.Source(0), weights = ctx.Source(1);
  const Tensor* constant = ctx.graph.Constant(weights);
  if (constant == nullptr || (ctx.Has(2) && !ctx.file.ConstantOf(ctx.node.inputs[2]))) return false;
  const Quantization& scale = ctx.file.ScaleOf(weights);
  const DType dtype = ctx.graph.value(data).type.dtype;
  if (ctx.file.ScaleOf(data).scales.size() != 1) return false;
  const bool legacy = dtype == DType::kU8 && !ctx.file.bytes_are_signed();
  if (legacy) return constant->dtype() == DType::kU8 && scale.scales.size() == 1;
  return constant->dtype() == DType::kI8 &&
         std::all_of(scale.zero_points.begin(), scale.zero_points.end(),
                     [](std::int64_t zero) { return zero == 0; });
}

Result<TensorIndex> WeightsOf(OpExport& ctx, bool is_line, const Ints& perm) {
  const ValueId source = ctx.Source(1);
  const std::optional<Tensor> constant = ctx.on_integers
                                             ? std::optional<Tensor>(*ctx.graph.Constant(source))
                                             : ctx.file.ConstantOf(source);
  if (!constant) {
    if (is_line) return Unsupported("the weights of a convolution over 1 axis must be constants");
    return ctx.file.Permuted(ctx.In(1), perm);
  }
  Dims dims = constant->dims();
  if (is_line) dims.insert(dims.begin() + 2, 1);
  ATH_TRY(const Tensor permuted, TransposedTensor(constant->Reshaped(dims), perm));
  Quantization scale;
  if (ctx.on_integers) {
    scale = ctx.file.ScaleOf(source);
    const auto at = std::find(perm.begin(), perm.end(), scale.axis);
    scale.axis = scale.scales.size() == 1 ? 0 : at - perm.begin();
  }
  return ctx.file.Constant(permuted, ctx.graph.value(source).name, scale);
}

namespace {

// A bias that stands as 32-bit integers in nearly these units; they count as they are, because
// operators on integers add them to their sums without a look at the scale.
const Tensor* StoredUnits(const OpExport& ctx, std::size_t i, const Quantization& units) {
  if (!ctx.Has(i)) return nullptr;
  const Tensor* constant = ctx.graph.Constant(ctx.Source(i));
  const Quantization& scale = ctx.file.ScaleOf(ctx.Source(i));
  if (constant == nullptr || constant->dtype() != DType::kI32 || constant->rank() != 1 ||
      scale.scales.size() != units.scales.size())
    return nullptr;
  for (std::size_t n = 0; n < units.scales.size(); ++n) {
    if (scale.zero_points[n] != 0 ||
        std::abs(scale.scales[n] - units.scales[n]) > 1e-3F * units.scales[n])
      return nullptr;
  }
  return constant;
}

}  // namespace

Result<TensorIndex> BiasOf(OpExport& ctx, std::int64_t outputs, std::size_t i) {
  const auto count = static_cast<std::size_t>(outputs);
  if (!ctx.on_integers) {
    if (ctx.Has(i)) {
      const std::optional<Tensor> constant = ctx.file.ConstantOf(ctx.node.inputs[i]);
      if (!constant) return ctx.In(i);
      return ctx.file.Constant(constant->Reshaped({outputs}), ctx.node.name + "/bias");
    }
    return ctx.Floats({outputs}, std::vector<float>(count));
  }
  // In units of the products.
  const Quantization weights = ctx.file.ScaleOf(ctx.Source(1));
  Quantization scale;
  const double data = ctx.file.ScaleOf(ctx.Source(0)).scales[0];
  for (const float factor : weights.scales)
    scale.scales.push_back(static_cast<float>(data * static_cast<double>(factor)));
  scale.zero_points.assign(scale.scales.size(), 0);
  const bool wide = ctx.graph.value(ctx.Source(0)).type.dtype == DType::kI16;
  if (const Tensor* units = StoredUnits(ctx, i, scale); units != nullptr && !wide)
    return ctx.file.Constant(*units, ctx.node.name + "/bias", ctx.file.ScaleOf(ctx.Source(i)));
  std::vector<double> numbers(count);
  if (ctx.Has(i)) {
    ATH_TRY(numbers, ToDoubles(*ctx.file.ConstantOf(ctx.node.inputs[i])));
  }
  std::vector<std::int64_t> units;
  for (std::size_t n = 0; n < numbers.size(); ++n) {
    const double unit = static_cast<double>(scale.scales[scale.scales.size() == 1 ? 0 : n]);
    const double value = std::round(numbers[n] / unit);
    if (!(std::abs(value) < 2147483648.0))
      return Unsupported("bias {} does not fit 32 bits in units of {}", numbers[n], unit);
    units.push_back(static_cast<std::int64_t>(value));
  }
  const std::string name = ctx.node.name + "/bias";
  if (wide) return ctx.file.Constant(Tensor::FromVector({outputs}, units), name, scale);
  const std::vector<std::int32_t> narrow(units.begin(), units.end());
  return ctx.file.Constant(Tensor::FromVector({outputs}, narrow), name, scale);
}

}  // namespace athanor::tflite
