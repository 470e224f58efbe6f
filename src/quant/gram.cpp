#include "quant/gram.h"

#include <algorithm>
#include <array>
#include <cmath>

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

// Cuts the columns of one product's input out of a tensor.
class Patches {
 public:
  // False when the product is of a form that is not cut.
  static std::optional<Patches> Of(const Graph& graph, const Candidate& c) {
    const Node& node = graph.node(c.node);
    const Tensor& w = *graph.Constant(node.inputs[*c.weights]);
    Patches patches;
    patches.columns_ = WeightMatrix(w, c).columns();
    if (w.rank() <= 2) return patches;
    patches.axes_ = static_cast<std::size_t>(w.rank()) - 2;
    const std::optional<AttrValue> pad = passes::AttributeOf(node, "auto_pad");
    const auto* text = pad ? std::get_if<std::string>(&*pad) : nullptr;
    if (patches.axes_ > kMostAxes || (text != nullptr && *text != "NOTSET" && !text->empty()))
      return std::nullopt;
    patches.inputs_ = w.dim(1);
    for (std::size_t i = 0; i < patches.axes_; ++i)
      patches.kernel_.push_back(w.dim(static_cast<std::int64_t>(i) + 2));
    patches.strides_ = Ints(node, "strides", patches.axes_, 1);
    patches.dilations_ = Ints(node, "dilations", patches.axes_, 1);
    patches.pads_ = Ints(node, "pads", 2 * patches.axes_, 0);
    return patches;
  }

  std::size_t columns() const { return columns_; }

  // How many places of the output one group of rows has.
  std::size_t Count(const Tensor& x) const {
    if (axes_ == 0) return static_cast<std::size_t>(x.count()) / std::max<std::size_t>(1, columns_);
    if (x.rank() != static_cast<std::int64_t>(axes_) + 2) return 0;
    std::int64_t places = x.dim(0);
    for (std::size_t i = 0; i < axes_; ++i) places *= std::max<std::int64_t>(0, Places(x, i));
    return static_cast<std::size_t>(places);
  }

  // What the output at `place` of the group is summed from.
  void Cut(const Tensor& x, std::size_t group, std::size_t place, std::vector<float>& out) const {
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
      do out[at++] = Read(x, data, from, begin, k);
      while (Advance(k));
    }
  }

 private:
  std::int64_t Places(const Tensor& x, std::size_t i) const {
    const std::int64_t length =
        x.dim(static_cast<std::int64_t>(i) + 2) + pads_[i] + pads_[i + axes_];
    return (length - dilations_[i] * (kernel_[i] - 1) - 1) / strides_[i] + 1;
  }
  float Read(const Tensor& x, std::span<const float> data, std::int64_t from,
             const std::array<std::int64_t, kMostAxes>& begin,
             const std::array<std::int64_t, kMostAxes>& k) const {
    for (std::size_t i = 0; i < axes_; ++i) {
      const std::int64_t at = begin[i] + k[i] * dilations_[i];
      const std::int64_t length = x.dim(static_cast<std::int64_t>(i) + 2);
      if (at < 0 || at >= length) return 0;
      from = from * length + at;
    }
    return data[static_cast<std::size_t>(from)];
  }
  bool Advance(std::array<std::int64_t, kMostAxes>& k) const {
    for (std::size_t i = axes_; i-- > 0;) {
      if (++k[i] < kernel_[i]) return true;
      k[i] = 0;
    }
    return false;
  }

  std::size_t columns_ = 0, axes_ = 0;
  std::int64_t inputs_ = 1;
  std::vector<std::int64_t> kernel_, strides_, dilations_, pads_;
};

struct GramOf {
  NodeId node;
  Patches patches;
  std::size_t groups = 1;
  std::optional<ByteScale> rounded = {};
  Gram gram = {};
  std::size_t places = 0;
};

void RoundToBytes(ByteScale by, std::vector<float>& values) {
  const float low = -static_cast<float>(by.zero), high = 255.0F - static_cast<float>(by.zero);
  for (float& value : values)
    value = std::clamp(std::nearbyint(value / by.scale), low, high) * by.scale;
}

void AddOuter(const std::vector<float>& x, std::vector<double>& sum) {
  const std::size_t n = x.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double value = x[i];
    if (value == 0) continue;
    double* row = sum.data() + i * n;
    for (std::size_t j = i; j < n; ++j) row[j] += value * x[j];
  }
}

// Evenly spread over the tensor, from another begin in each sample.
void AddSample(const Tensor& x, std::size_t sample, std::size_t wanted, GramOf& product) {
  const std::size_t places = product.patches.Count(x);
  if (places == 0) return;
  const std::size_t taken = std::min(places, wanted);
  std::vector<float> columns;
  for (std::size_t i = 0; i < taken; ++i) {
    const std::size_t place = (i * places / taken + sample * 7919) % places;
    for (std::size_t group = 0; group < product.groups; ++group) {
      product.patches.Cut(x, group, place, columns);
      if (product.rounded) RoundToBytes(*product.rounded, columns);
      AddOuter(columns, product.gram.groups[group]);
    }
  }
  product.places += taken;
}

void Finish(GramOf& product) {
  const std::size_t n = product.gram.size;
  const double share = product.places == 0 ? 0 : 1 / static_cast<double>(product.places);
  for (std::vector<double>& sum : product.gram.groups) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i; j < n; ++j) sum[j * n + i] = sum[i * n + j] *= share;
    }
  }
}

}  // namespace

Result<std::map<NodeId, Gram>> CollectGrams(const Graph& graph, const Candidates& candidates,
                                            const Calibration* calibration, std::size_t count,
                                            const SampleSource& source,
                                            const GramOptions& options) {
  std::vector<GramOf> products;
  std::vector<Watch> watched;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    std::optional<Patches> patches = Patches::Of(graph, c);
    const std::size_t size = patches ? patches->columns() : 0;
    if (size == 0 || size > options.largest) continue;
    const ValueId data = graph.node(c.node).inputs[c.activations[0]];
    const Tensor& w = *graph.Constant(graph.node(c.node).inputs[*c.weights]);
    const std::optional<AttrValue> group = passes::AttributeOf(graph.node(c.node), "group");
    const auto* groups = group ? std::get_if<std::int64_t>(&*group) : nullptr;
    GramOf product = {.node = c.node, .patches = *std::move(patches)};
    if (w.rank() > 2 && groups != nullptr) product.groups = static_cast<std::size_t>(*groups);
    product.gram.size = size;
    product.gram.groups.assign(product.groups, std::vector<double>(size * size, 0.0));
    if (calibration != nullptr) {
      const auto found = calibration->find(data);
      if (found == calibration->end()) continue;
      product.rounded = ScaleFor(found->second.range);
    }
    products.push_back(std::move(product));
    watched.push_back({data});
  }
  ATH_TRY(Watcher watcher,
          Watcher::Open(graph, watched,
                        {.threads = options.threads, .after_sample = options.after_sample}));
  const std::size_t wanted = (options.places + count - 1) / std::max<std::size_t>(1, count);
  std::vector<std::size_t> sample(products.size(), 0);
  ATH_RETURN_IF_ERROR(watcher.ForEach(count, source, [&](std::size_t i, const Tensor& x) {
    AddSample(x, sample[i]++, wanted, products[i]);
    return Status();
  }));
  std::map<NodeId, Gram> grams;
  for (GramOf& product : products) {
    Finish(product);
    if (product.places > 0) grams[product.node] = std::move(product.gram);
  }
  return grams;
}

}  // namespace athanor::quant
