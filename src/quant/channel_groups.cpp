#include "quant/channel_groups.h"

#include <algorithm>
#include <map>

#include "core/checked.h"
#include "ir/evaluate.h"
#include "passes/pattern.h"
#include "quant/weights.h"

namespace athanor::quant {
namespace {

// A value of more elements is not followed place by place.
constexpr std::size_t kMostElements = std::size_t{1} << 21;
// Floats count so far without gaps.
constexpr std::size_t kMostIds = std::size_t{1} << 24;

template <std::size_t n>
bool IsOneOf(const Node& node, const std::string_view (&names)[n]) {
  return std::find(std::begin(names), std::end(names), node.op->name) != std::end(names);
}

// f(s x) = s f(x) for each channel and s > 0.
bool IsHomogeneous(const Node& node) {
  constexpr std::string_view kNames[] = {
      "AveragePool", "GlobalAveragePool", "Identity", "LeakyRelu", "MaxPool", "Relu", "Resize"};
  return IsOneOf(node, kNames);
}

bool OnlyMoves(const Node& node) {
  constexpr std::string_view kNames[] = {"Concat", "Flatten", "Gather",    "Reshape",  "Slice",
                                         "Split",  "Squeeze", "Transpose", "Unsqueeze"};
  return IsOneOf(node, kNames);
}

// The upper end of a Clip that begins at 0.
std::optional<double> UpperLimit(const Graph& graph, const Node& node) {
  const auto number = [&](std::size_t i) -> std::optional<double> {
    const Tensor* limit = i < node.inputs.size() ? graph.Constant(node.inputs[i]) : nullptr;
    if (limit == nullptr || limit->dtype() != DType::kF32 || limit->count() != 1)
      return std::nullopt;
    return limit->Data<float>()[0];
  };
  if (node.op->name != "Clip" || number(1) != 0.0) return std::nullopt;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue)
    return std::numeric_limits<double>::infinity();
  return number(2);
}

class Tracer {
 public:
  Tracer(const Graph& graph, const Candidates& candidates) : graph_(graph) {
    for (const Candidate& c : candidates.nodes) {
      if (c.weights) products_[c.node] = &c;
    }
  }

  Result<std::vector<ChannelGroup>> Run() {
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    for (const NodeId id : order) ATH_RETURN_IF_ERROR(Follow(id));
    for (const GraphOutput& output : graph_.outputs()) Pin(output.value);
    return Collect();
  }

 private:
  using Ids = std::vector<std::size_t>;

  std::size_t Root(std::size_t id) {
    while (parent_[id] != id) id = parent_[id] = parent_[parent_[id]];
    return id;
  }
  // The smaller leads, whatever the order.
  void Tie(std::size_t a, std::size_t b) {
    a = Root(a);
    b = Root(b);
    const bool pinned = pinned_[a] || pinned_[b];
    parent_[std::max(a, b)] = std::min(a, b);
    pinned_[std::min(a, b)] = pinned;
  }
  void Pin(ValueId value) {
    const auto channels = channels_.find(value);
    if (channels != channels_.end()) {
      for (const std::size_t id : channels->second) pinned_[Root(id)] = true;
    }
    const auto elements = elements_.find(value);
    if (elements == elements_.end()) return;
    for (const float id : elements->second.Data<float>())
      pinned_[Root(static_cast<std::size_t>(id))] = true;
  }
  void PinInputs(const Node& node) {
    for (const ValueId input : node.inputs) Pin(input);
  }

  Status Follow(NodeId id) {
    const Node& node = graph_.node(id);
    const auto product = products_.find(id);
    if (product != products_.end()) {
      Product(*product->second);
      return {};
    }
    if (IsHomogeneous(node) || UpperLimit(graph_, node)) {
      Pass(node);
      return {};
    }
    if (node.op->name == "Add" && Sum(node)) return {};
    if (OnlyMoves(node)) return Move(node);
    PinInputs(node);
    return {};
  }

  void Product(const Candidate& c) {
    const Node& node = graph_.node(c.node);
    const ValueId weights = node.inputs[*c.weights];
    // Weights that others share would have to be stored twice.
    const bool own = graph_.num_uses(weights) == 1 && node.op->name != "MatMul";
    const Tensor& w = *graph_.Constant(weights);
    const auto data = channels_.find(node.inputs[0]);
    const std::size_t channels = data == channels_.end() ? 0 : data->second.size();
    const WeightMatrix matrix(w, c, channels);
    if (!own || matrix.rows() == 0 || matrix.columns() == 0) return PinInputs(node);
    // The last channel that it reads is the last that there is.
    const bool fits = matrix.Channel(matrix.rows() - 1, matrix.columns() - 1) + 1 == channels;
    if (!fits) PinInputs(node);
    for (std::size_t k = 0; fits && k < channels; ++k)
      readers_.emplace_back(data->second[k], ChannelEnd{&c, k});
    if (parent_.size() + matrix.rows() > kMostIds) return;
    Ids& rows = channels_[node.outputs[0]];
    for (std::size_t row = 0; row < matrix.rows(); ++row) {
      rows.push_back(parent_.size());
      makers_.emplace_back(parent_.size(), ChannelEnd{&c, row});
      parent_.push_back(parent_.size());
      pinned_.push_back(false);
    }
  }

  void Pass(const Node& node) {
    for (std::size_t i = 1; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) return PinInputs(node);
    }
    const auto data = channels_.find(node.inputs[0]);
    if (data == channels_.end()) return PinInputs(node);
    const Type& result = graph_.value(node.outputs[0]).type;
    const bool same =
        result.HasRank() && result.rank() > 1 && result.dim(1).Is(std::ssize(data->second));
    if (!same) return PinInputs(node);
    channels_[node.outputs[0]] = Ids(data->second);
    const std::optional<double> limit = UpperLimit(graph_, node);
    if (limit) limits_[node.outputs[0]] = *limit;
  }

  bool Sum(const Node& node) {
    const auto a = channels_.find(node.inputs[0]), b = channels_.find(node.inputs[1]);
    if (a == channels_.end() || b == channels_.end()) return false;
    const Type &x = graph_.value(node.inputs[0]).type, &y = graph_.value(node.inputs[1]).type;
    if (!x.shape || !y.shape || *x.shape != *y.shape) return false;
    for (std::size_t i = 0; i < a->second.size(); ++i) Tie(a->second[i], b->second[i]);
    channels_[node.outputs[0]] = Ids(a->second);
    return true;
  }

  // Moves the numbers of the channels as the operator moves the values.
  Status Move(const Node& node) {
    if (JoinChannels(node)) return {};
    std::vector<Datum> inputs;
    for (const ValueId input : node.inputs) {
      const Tensor* constant = graph_.Constant(input);
      // Numbers among the values are of no channel: only sizes and places may be constants.
      if (constant != nullptr && constant->dtype() == DType::kF32) {
        PinInputs(node);
        return {};
      }
      if (constant != nullptr) {
        inputs.emplace_back(*constant);
        continue;
      }
      if (input == kNoValue) {
        inputs.emplace_back();
        continue;
      }
      ATH_TRY(std::optional<Tensor> elements, Elements(input));
      if (!elements) {
        PinInputs(node);
        return {};
      }
      inputs.emplace_back(*std::move(elements));
    }
    const Result<std::vector<Datum>> moved = EvaluateNode(node, inputs);
    // Shapes that are known only when the network runs.
    if (!moved.ok()) {
      PinInputs(node);
      return {};
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue && (*moved)[i].IsTensor())
        Remember(node.outputs[i], (*moved)[i].tensor());
    }
    return {};
  }

  // A Concat of channels, however large.
  bool JoinChannels(const Node& node) {
    const std::optional<AttrValue> axis = passes::AttributeOf(node, "axis");
    const auto* at = axis ? std::get_if<std::int64_t>(&*axis) : nullptr;
    if (node.op->name != "Concat" || at == nullptr || *at != 1) return false;
    Ids all;
    for (const ValueId input : node.inputs) {
      const auto channels = channels_.find(input);
      if (channels == channels_.end()) return false;
      all.insert(all.end(), channels->second.begin(), channels->second.end());
    }
    channels_[node.outputs[0]] = std::move(all);
    return true;
  }

  // The number of the channel of each place; nothing where that is not known or would be long.
  Result<std::optional<Tensor>> Elements(ValueId value) {
    const auto known = elements_.find(value);
    if (known != elements_.end()) return std::optional<Tensor>(known->second);
    const auto channels = channels_.find(value);
    const Type& type = graph_.value(value).type;
    if (channels == channels_.end() || !type.HasRank() || type.rank() < 2)
      return std::optional<Tensor>();
    Dims dims;
    std::int64_t count = 1;
    for (std::int64_t i = 0; i < type.rank(); ++i) {
      // Samples are alike.
      if (!type.dim(i).IsConst() && i > 0) return std::optional<Tensor>();
      dims.push_back(type.dim(i).IsConst() ? type.dim(i).value() : 1);
      const std::optional<std::int64_t> more = CheckedMul(count, dims.back());
      if (!more) return std::optional<Tensor>();
      count = *more;
    }
    if (count > static_cast<std::int64_t>(kMostElements) || count == 0 ||
        dims[1] != std::ssize(channels->second))
      return std::optional<Tensor>();
    const std::int64_t inner = count / dims[0] / dims[1];
    ATH_TRY(Tensor elements, Tensor::Allocate(DType::kF32, dims));
    const std::span<float> data = elements.MutableData<float>();
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<float>(
          channels->second[i / static_cast<std::size_t>(inner) % channels->second.size()]);
    return std::optional<Tensor>(std::move(elements));
  }

  void Remember(ValueId value, const Tensor& elements) {
    if (elements.dtype() != DType::kF32) return;
    const std::span<const float> data = elements.Data<float>();
    const std::size_t channels =
        elements.rank() < 2 ? 0 : static_cast<std::size_t>(elements.dim(1));
    Ids ids;
    if (channels > 0 && !data.empty()) {
      const std::size_t inner = data.size() / channels / static_cast<std::size_t>(elements.dim(0));
      for (std::size_t k = 0; k < channels; ++k)
        ids.push_back(static_cast<std::size_t>(data[k * inner]));
      bool same = true;
      for (std::size_t i = 0; same && i < data.size(); ++i)
        same = static_cast<std::size_t>(data[i]) == ids[i / inner % channels];
      if (same) {
        channels_[value] = std::move(ids);
        return;
      }
    }
    elements_[value] = elements;
  }

  Result<std::vector<ChannelGroup>> Collect() {
    std::map<std::size_t, ChannelGroup> groups;
    for (const auto& [id, end] : makers_) groups[Root(id)].makers.push_back(end);
    for (const auto& [id, end] : readers_) groups[Root(id)].readers.push_back(end);
    for (const auto& [value, ids] : channels_) {
      const auto limit = limits_.find(value);
      for (std::size_t k = 0; k < ids.size(); ++k) {
        ChannelPlace place = {.value = value, .channel = k};
        if (limit != limits_.end()) place.limit = limit->second;
        groups[Root(ids[k])].places.push_back(place);
      }
    }
    std::vector<ChannelGroup> free;
    for (auto& [root, group] : groups) {
      if (!pinned_[root] && !group.makers.empty() && !group.readers.empty())
        free.push_back(std::move(group));
    }
    return free;
  }

  const Graph& graph_;
  std::map<NodeId, const Candidate*> products_;
  std::map<ValueId, Ids> channels_;     // of axis 1
  std::map<ValueId, Tensor> elements_;  // where axis 1 does not tell the channels apart
  std::map<ValueId, double> limits_;
  std::vector<std::pair<std::size_t, ChannelEnd>> makers_, readers_;
  std::vector<std::size_t> parent_;
  std::vector<bool> pinned_;
};

}  // namespace

Result<std::vector<ChannelGroup>> FindChannelGroups(const Graph& graph,
                                                    const Candidates& candidates) {
  return Tracer(graph, candidates).Run();
}

}  // namespace athanor::quant
