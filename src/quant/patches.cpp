#include "quant/patches.h"

#include <algorithm>
#include <array>

#include "passes/pattern.h"
#include "quant/weights.h"

namespace athanor::quant {
namespace {

constexpr std::size_t kMostAxes = 3;

std::vector<std::int64_t> Ints(const Node& node, std::string_view name, std::size_t count,
                               std::int64_t otherwise) {
  const std::optional<AttrValue> value = passes::AttributeOf(node, name);
  const auto* list = value ? std::get_if<std::vector<std::int64_t>>(&*value) : nullptr;
  if (list != nullptr && list->size() == count) return *list;
  return std::vector<std::int64_t>(count, otherwise);
}

}  // namespace

std::optional<Patches> Patches::Of(const Graph& graph, const Candidate& c) {
  const Node& node = graph.node(c.node);
  const Tensor& w = *graph.Constant(node.inputs[*c.weights]);
  Patches patches;
  const WeightMatrix matrix(w, c);
  patches.columns_ = matrix.columns();
  patches.rows_ = matrix.rows();
  if (w.rank() <= 2) return patches;
  patches.axes_ = static_cast<std::size_t>(w.rank()) - 2;
  const std::optional<AttrValue> pad = passes::AttributeOf(node, "auto_pad");
  const auto* text = pad ? std::get_if<std::string>(&*pad) : nullptr;
  if (patches.axes_ > kMostAxes || (text != nullptr && *text != "NOTSET" && !text->empty()))
    return std::nullopt;
  const std::optional<AttrValue> group = passes::AttributeOf(node, "group");
  const auto* groups = group ? std::get_if<std::int64_t>(&*group) : nullptr;
  if (groups != nullptr) patches.groups_ = static_cast<std::size_t>(*groups);
  patches.inputs_ = w.dim(1);
  for (std::size_t i = 0; i < patches.axes_; ++i)
    patches.kernel_.push_back(w.dim(static_cast<std::int64_t>(i) + 2));
  patches.strides_ = Ints(node, "strides", patches.axes_, 1);
  patches.dilations_ = Ints(node, "dilations", patches.axes_, 1);
  patches.pads_ = Ints(node, "pads", 2 * patches.axes_, 0);
  return patches;
}

std::size_t Patches::Count(const Tensor& x) const {
  if (axes_ == 0) return static_cast<std::size_t>(x.count()) / std::max<std::size_t>(1, columns_);
  if (x.rank() != static_cast<std::int64_t>(axes_) + 2) return 0;
  std::int64_t places = x.dim(0);
  for (std::size_t i = 0; i < axes_; ++i) places *= std::max<std::int64_t>(0, Places(x, i));
  return static_cast<std::size_t>(places);
}

std::size_t Patches::CountOutput(const Tensor& y) const {
  return rows_ == 0 ? 0 : static_cast<std::size_t>(y.count()) / rows_;
}

void Patches::Cut(const Tensor& x, std::size_t group, std::size_t place,
                  std::vector<float>& out) const {
  const std::span<const float> data = x.Data<float>();
  out.resize(columns_);
  if (axes_ == 0) {
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(place * columns_), columns_,
                out.begin());
    return;
  }
  std::array<std::int64_t, kMostAxes> begin = {};
  auto rest = static_cast<std::int64_t>(place);
  for (std::size_t i = axes_; i-- > 0;) {
    const std::int64_t places = Places(x, i);
    begin[i] = rest % places * strides_[i] - pads_[i];
    rest /= places;
  }
  std::size_t at = 0;
  for (std::int64_t channel = 0; channel < inputs_; ++channel) {
    const std::int64_t from =
        rest * x.dim(1) + static_cast<std::int64_t>(group) * inputs_ + channel;
    std::array<std::int64_t, kMostAxes> k = {};
    do out[at++] = Read(x, data, from, begin.data(), k.data());
    while (Advance(k.data()));
  }
}

void Patches::CutOutput(const Tensor& y, std::size_t place, std::vector<float>& out) const {
  const std::span<const float> data = y.Data<float>();
  out.resize(rows_);
  if (axes_ == 0) {
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(place * rows_), rows_, out.begin());
    return;
  }
  const std::size_t positions =
      static_cast<std::size_t>(y.count() / std::max<std::int64_t>(1, y.dim(0) * y.dim(1)));
  const std::size_t picture = place / positions, position = place % positions;
  for (std::size_t row = 0; row < rows_; ++row)
    out[row] = data[(picture * rows_ + row) * positions + position];
}

std::int64_t Patches::Places(const Tensor& x, std::size_t axis) const {
  const std::int64_t length =
      x.dim(static_cast<std::int64_t>(axis) + 2) + pads_[axis] + pads_[axis + axes_];
  return (length - dilations_[axis] * (kernel_[axis] - 1) - 1) / strides_[axis] + 1;
}

float Patches::Read(const Tensor& x, std::span<const float> data, std::int64_t from,
                    const std::int64_t* begin, const std::int64_t* k) const {
  for (std::size_t i = 0; i < axes_; ++i) {
    const std::int64_t at = begin[i] + k[i] * dilations_[i];
    const std::int64_t length = x.dim(static_cast<std::int64_t>(i) + 2);
    if (at < 0 || at >= length) return 0;
    from = from * length + at;
  }
  return data[static_cast<std::size_t>(from)];
}

bool Patches::Advance(std::int64_t* k) const {
  for (std::size_t i = axes_; i-- > 0;) {
    if (++k[i] < kernel_[i]) return true;
    k[i] = 0;
  }
  return false;
}

}  // namespace athanor::quant
