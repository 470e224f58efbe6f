#include "frontends/coreml/layer_import.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "core/small_types.h"
#include "frontends/row_table.h"
#include "frontends/tensorflow/tensor.h"

namespace athanor::coreml {
namespace {

// Layers that the specification has and no row reads.
constexpr std::pair<std::int64_t, std::string_view> kUnread[] = {{212, "cropResize"},
                                                                 {500, "custom"},
                                                                 {605, "branch"},
                                                                 {615, "loop"},
                                                                 {620, "loopBreak"},
                                                                 {625, "loopContinue"},
                                                                 {1000, "sliceDynamic"},
                                                                 {1170, "randomNormalLike"},
                                                                 {1175, "randomNormalStatic"},
                                                                 {1180, "randomNormalDynamic"},
                                                                 {1190, "randomUniformLike"},
                                                                 {1195, "randomUniformStatic"},
                                                                 {1200, "randomUniformDynamic"},
                                                                 {1210, "randomBernoulliLike"},
                                                                 {1215, "randomBernoulliStatic"},
                                                                 {1220, "randomBernoulliDynamic"},
                                                                 {1230, "categoricalDistribution"},
                                                                 {1400, "NonMaximumSuppression"},
                                                                 {1470, "sliceBySize"}};

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = SortedRows(
      {ElementwiseRows, IndexRows, LayerRows, RecurrentRows, ReduceRows, ShapeRows}, &Row::kind);
  return rows;
}

// Numbers of 1 to 8 bits, the highest bit first, as the converter packs them.
std::uint32_t BitsAt(Bytes bytes, std::size_t i, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t bit = i * width; bit < (i + 1) * width; ++bit)
    value = value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1U);
  return value;
}

}  // namespace

const Row* FindRow(std::int64_t kind) { return FindSorted(Rows(), &Row::kind, kind); }

std::string NameOf(std::int64_t kind) {
  if (const Row* row = FindRow(kind)) return std::string(row->name);
  for (const auto& [number, name] : kUnread) {
    if (number == kind) return std::string(name);
  }
  return fmt::format("number {}", kind);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Row& row : Rows()) names.emplace_back(row.name);
  std::sort(names.begin(), names.end());
  return names;
}

ValueId LayerImport::In(std::size_t i) {
  if (!ok()) return kNoValue;
  if (i < inputs_.size()) return inputs_[i];
  Fail(InvalidModel("input {} is missing", i));
  return kNoValue;
}

std::int64_t LayerImport::Size(std::int64_t value, std::string_view what, std::int64_t least) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (Expect(value >= least && value <= kMost, "{} is {}", what, value)) return value;
  return least;
}

IntList LayerImport::Sizes(IntList values, std::size_t count, std::int64_t otherwise,
                           std::string_view what, std::int64_t least) {
  if (values.empty()) values.assign(count, otherwise);
  Expect(values.size() == count, "{} has {} numbers; {} are wanted", what, values.size(), count);
  for (std::int64_t& value : values) value = Size(value, what, least);
  values.resize(count, otherwise);
  return values;
}

std::int64_t LayerImport::CountOf(const WeightParams& weights) {
  return static_cast<std::int64_t>(std::max(weights.floats.size() / 4, weights.halves.size() / 2));
}

Tensor LayerImport::Weights(const WeightParams& weights, const Dims& dims, std::string_view what,
                            std::size_t axis) {
  if (!ok()) return Tensor::Scalar<float>(0);
  Result<Tensor> tensor = [&]() -> Result<Tensor> {
    if (!weights.floats.empty())
      return tensorflow::ViewOrCopy(DType::kF32, dims, weights.floats, owner_);
    if (!weights.halves.empty()) {
      ATH_TRY(const Tensor halves,
              tensorflow::ViewOrCopy(DType::kF16, dims, weights.halves, owner_));
      ATH_TRY(Tensor floats, Tensor::Allocate(DType::kF32, dims));
      const auto from = halves.Data<Half>();
      std::copy(from.begin(), from.end(), floats.MutableData<float>().begin());
      return floats;
    }
    if (!weights.raw.empty() && weights.quantization) return Dequantized(weights, dims, axis);
    if (!weights.signed_raw.empty())
      return Unsupported("weights for products of 8-bit numbers (int8DynamicQuantize) are not read")
          .Fix("quantise it without dynamic products: quantize_weights(model, nbits=8)");
    return InvalidModel("it has no numbers");
  }();
  if (tensor.ok() && ok()) return *std::move(tensor);
  if (!tensor.ok()) Fail(std::move(tensor).status().In(what));
  return Tensor::Scalar<float>(0);
}

// scale * q + bias, with one pair for each place along `axis` or one for all; or a table's entry.
Tensor LayerImport::Dequantized(const WeightParams& weights, const Dims& dims, std::size_t axis) {
  const Tensor nothing = Tensor::Scalar<float>(0);
  const Quantization& quantization = *weights.quantization;
  const std::int64_t bits = quantization.bits;
  const auto count = CheckedCount(dims);
  if (!Expect(bits >= 1 && bits <= 8, "numbers of {} bits are not read; 1 to 8 are", bits) ||
      !Expect(count && *count < std::int64_t{1} << 40, "a shape of {}", ToString(dims)) ||
      !Expect(weights.raw.size() == static_cast<std::size_t>(*count * bits + 7) / 8,
              "{} numbers of {} bits lie in {} bytes", *count, bits, weights.raw.size()))
    return nothing;
  Result<Tensor> made = Tensor::Allocate(DType::kF32, dims);
  if (!made.ok()) {
    Fail(std::move(made).status());
    return nothing;
  }
  const auto width = static_cast<std::size_t>(bits);
  const std::span<float> out = made->MutableData<float>();
  if (quantization.table) {
    const std::vector<float>& table = quantization.table->values;
    if (!Expect(table.size() == std::size_t{1} << width, "a table of {} entries for {} bits",
                table.size(), bits))
      return nothing;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = table[BitsAt(weights.raw, i, width)];
    return *std::move(made);
  }
  if (!Expect(quantization.linear.has_value(), "neither scales nor a table")) return nothing;
  const auto& [scale, bias] = *quantization.linear;
  const auto channels = static_cast<std::size_t>(axis < dims.size() ? dims[axis] : 1);
  const bool fits = scale.size() == 1 || scale.size() == channels;
  if (!Expect(fits && (bias.empty() || bias.size() == scale.size()),
              "{} scales and {} biases for {} channels", scale.size(), bias.size(), channels))
    return nothing;
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < dims.size(); ++i) inner *= static_cast<std::size_t>(dims[i]);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t channel = scale.size() == 1 ? 0 : i / inner % channels;
    out[i] = scale[channel] * static_cast<float>(BitsAt(weights.raw, i, width)) +
             (bias.empty() ? 0.0F : bias[channel]);
  }
  return *std::move(made);
}

std::int64_t LayerImport::FromEnd(ValueId x, std::int64_t axis) {
  const std::int64_t rank = Rank(x);
  if (Expect(rank + axis >= 0, "an input of {} axes; {} are wanted", rank, -axis))
    return rank + axis;
  return 0;
}

ValueId LayerImport::MergeLeading(ValueId x) {
  const std::int64_t rank = Rank(x);
  return Op("Reshape", {x, Join({Ints({-1}), ShapeOf(x, rank - 3, rank)}, 0)});
}

}  // namespace athanor::coreml
