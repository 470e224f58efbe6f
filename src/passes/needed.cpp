// What a Slice leaves out is not computed: the last step of a sequence, say, which is all that a
// classifier on causal convolutions reads.
//
// From the last node to the first, it is found out which places of each value are read along the
// axis of the Slice. They are an arithmetic progression: convolutions with dilation d read each
// d-th place only, if those of their own results that are read lie so far apart. Then each
// convolution is written anew for its places: what it reads lies closer together, so stride and
// dilation shrink.
#include <algorithm>
#include <numeric>
#include <set>

#include "passes/fold.h"
#include "passes/places.h"
#include "passes/rewrite.h"
#include "passes/structure.h"

namespace athanor::passes {
namespace {

using Ints = std::vector<std::int64_t>;

// Longer axes are not looked at: places are multiplied by strides and dilations.
constexpr std::int64_t kLongest = std::int64_t{1} << 30;

// Places begin, begin + step, ...: `count` of them, at least one.
struct Places {
  std::int64_t begin = 0, step = 1, count = 1;

  std::int64_t last() const { return begin + (count - 1) * step; }
  bool operator==(const Places&) const = default;
};

// All that are in one of the two, and perhaps more.
Places Both(const Places& a, const Places& b) {
  Places both = {.begin = std::min(a.begin, b.begin)};
  const std::int64_t last = std::max(a.last(), b.last());
  both.step = std::gcd(a.count > 1 ? a.step : 0, b.count > 1 ? b.step : 0);
  both.step = std::gcd(both.step, a.begin - b.begin);
  if (both.step == 0) both.step = 1;
  both.count = (last - both.begin) / both.step + 1;
  return both;
}

// What is read of a value: nothing yet, some places, or all of it.
struct Need {
  enum class Kind : std::uint8_t { kNothing, kPlaces, kAll } kind = Kind::kNothing;
  Places places;

  void Add(const Places& more) {
    if (kind == Kind::kPlaces) places = Both(places, more);
    if (kind == Kind::kNothing) *this = {Kind::kPlaces, more};
  }
};

// How a convolution walks along one axis.
struct Walk {
  std::int64_t kernel = 1, stride = 1, dilation = 1, pad = 0, length = 0;
};

// The window of some results: from `low` to `high`, each step-th place, padding included; and what
// of it lies in the input.
struct Window {
  std::int64_t low = 0, high = 0;
  Places inside;
};

std::optional<Window> WindowOf(const Walk& walk, const Places& results) {
  Window window;
  window.low = results.begin * walk.stride - walk.pad;
  window.high = results.last() * walk.stride - walk.pad + (walk.kernel - 1) * walk.dilation;
  std::int64_t step = std::gcd(results.count > 1 ? results.step * walk.stride : 0,
                               walk.kernel > 1 ? walk.dilation : 0);
  if (step == 0) step = 1;
  const std::int64_t before = window.low < 0 ? (-window.low + step - 1) / step : 0;
  const std::int64_t begin = window.low + before * step;
  const std::int64_t end = std::min(window.high, walk.length - 1);
  if (end < begin) return std::nullopt;  // nothing but padding
  window.inside = {begin, step, (end - begin) / step + 1};
  return window;
}

// A Slice of a known length along one spatial axis.
struct Cut {
  std::int64_t axis = 0;
  Places places;
};

std::optional<std::int64_t> LengthOf(const Graph& graph, ValueId id, std::int64_t axis) {
  const Type& type = graph.value(id).type;
  if (!type.HasRank() || axis >= type.rank() || !type.dim(axis).IsConst()) return std::nullopt;
  const std::int64_t length = type.dim(axis).value();
  return length > 0 && length <= kLongest ? std::optional(length) : std::nullopt;
}

std::optional<Cut> CutOf(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op->name != "Slice" || !IsFloat(graph.value(node.inputs[0]).type.dtype))
    return std::nullopt;
  const auto number = [&](std::size_t input, std::int64_t otherwise) {
    if (input >= node.inputs.size() || node.inputs[input] == kNoValue)
      return std::optional(otherwise);
    const std::optional<Ints> known = KnownInts(graph, node.inputs[input]);
    return known && known->size() == 1 ? std::optional(known->front()) : std::nullopt;
  };
  const auto start = number(1, 0), axis = number(3, 0), step = number(4, 1);
  const Type& type = graph.value(node.inputs[0]).type;
  if (!start || !axis || !step || *step < 1 || !type.HasRank()) return std::nullopt;
  const std::int64_t at = *axis < 0 ? *axis + type.rank() : *axis;
  if (at < 2 || at >= type.rank()) return std::nullopt;
  const auto length = LengthOf(graph, node.inputs[0], at);
  const auto count = LengthOf(graph, node.outputs[0], at);
  if (!length || !count) return std::nullopt;
  const std::int64_t begin =
      std::clamp<std::int64_t>(*start < 0 ? *start + *length : *start, 0, *length - 1);
  return Cut{at, {begin, *step, *count}};
}

class Needed {
 public:
  Needed(Graph& graph, std::int64_t axis)
      : graph_(graph), axis_(axis), needs_(graph.value_capacity()), now_(graph.value_capacity()) {}

  // What of each value is read; whether convolutions compute less when they know.
  bool Find(const std::vector<NodeId>& order) {
    bool less = false;
    for (const GraphOutput& output : graph_.outputs()) NeedAll(output.value);
    for (auto at = order.rbegin(); at != order.rend(); ++at) {
      const Node& node = graph_.node(*at);
      if (const std::optional<Cut> cut = CutOf(graph_, *at); cut && cut->axis == axis_) {
        NeedOf(node.inputs[0]).Add(cut->places);
      } else if (IsRestricted(*at)) {
        less = less || IsConv(graph_, *at);
        Pass(*at);
      } else {
        for (const ValueId output : node.outputs) NeedAll(output);
        for (const ValueId input : node.inputs) NeedAll(input);
      }
    }
    return less;
  }

  // Computes what is read and puts it in place of the Slices. How many.
  int Rewrite(const std::vector<NodeId>& order) {
    int replaced = 0;
    for (const NodeId id : order) {
      const Node& node = graph_.node(id);
      if (IsRestricted(id)) {
        Restrict(id);
      } else if (const std::optional<Cut> cut = CutOf(graph_, id);
                 cut && cut->axis == axis_ && IsPlaces(node.inputs[0])) {
        replaced += Replace(id, cut->places) ? 1 : 0;
      }
    }
    return replaced;
  }

 private:
  Need& NeedOf(ValueId id) { return needs_[static_cast<std::size_t>(id)]; }
  void NeedAll(ValueId id) {
    if (id != kNoValue) NeedOf(id).kind = Need::Kind::kAll;
  }
  bool IsPlaces(ValueId id) { return NeedOf(id).kind == Need::Kind::kPlaces; }

  std::optional<Walk> WalkOf(NodeId id) const {
    const Match conv(graph_, id);
    const Node& node = graph_.node(id);
    const Tensor* w = graph_.Constant(node.inputs[1]);
    const auto length = LengthOf(graph_, node.inputs[0], axis_);
    if (w == nullptr || !length || axis_ >= w->rank() || !HasFixedPads(conv)) return std::nullopt;
    const auto at = static_cast<std::size_t>(axis_ - 2);
    const Ints strides = StridesOf(graph_, id), dilations = conv.IntsAttr("dilations"),
               pads = conv.IntsAttr("pads");
    const Walk walk = {.kernel = w->dim(axis_),
                       .stride = strides[at],
                       .dilation = dilations.empty() ? 1 : dilations[at],
                       .pad = pads.empty() ? 0 : pads[at],
                       .length = *length};
    const auto fits = [](std::int64_t n) { return n >= 0 && n <= kLongest; };
    return fits(walk.kernel) && fits(walk.stride) && fits(walk.dilation) && fits(walk.pad)
               ? std::optional(walk)
               : std::nullopt;
  }

  // Whether the node will compute only some places of its result: at most three quarters.
  bool IsRestricted(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.outputs.size() != 1 || !IsPlaces(node.outputs[0])) return false;
    const Places& places = NeedOf(node.outputs[0]).places;
    const auto length = LengthOf(graph_, node.outputs[0], axis_);
    if (!length || places.count > *length / 4 * 3) return false;
    if (!IsConv(graph_, id)) return IsPlainElementwise(graph_, id);
    const std::optional<Walk> walk = WalkOf(id);
    return walk && WindowOf(*walk, places);
  }

  // Its inputs are read where its result is.
  void Pass(NodeId id) {
    const Node& node = graph_.node(id);
    const Places places = NeedOf(node.outputs[0]).places;
    if (IsConv(graph_, id)) {
      NeedOf(node.inputs[0]).Add(WindowOf(*WalkOf(id), places)->inside);
      return;
    }
    for (const ValueId input : node.inputs) {
      if (input != kNoValue && graph_.Constant(input) == nullptr) NeedOf(input).Add(places);
    }
  }

  // Some places of a value, from what is computed of it.
  Expr Take(Builder& g, ValueId id, Places places) {
    Expr whole = g.Give(id);
    std::int64_t length = *LengthOf(graph_, id, axis_);
    if (const std::optional<ValueId> now = now_[static_cast<std::size_t>(id)]) {
      const Places& have = NeedOf(id).places;
      whole = g.Give(*now);
      length = have.count;
      places.begin = (places.begin - have.begin) / have.step;
      places.step = std::max<std::int64_t>(1, places.step / have.step);
    }
    if (places == Places{0, 1, length}) return whole;
    return g.Op("Slice", {whole, g.Ints({places.begin}), g.Ints({places.last() + 1}),
                          g.Ints({axis_}), g.Ints({places.step})});
  }

  // A convolution that gives some of its results from what they need of the input.
  Expr Conv(Builder& g, NodeId id, const Places& places) {
    const Walk walk = *WalkOf(id);
    const Window window = *WindowOf(walk, places);
    const std::int64_t step = window.inside.step;
    const std::vector<ValueId> inputs = graph_.node(id).inputs;
    AttrMap attributes = graph_.node(id).attributes;
    const std::size_t at = static_cast<std::size_t>(axis_ - 2);
    Ints strides = StridesOf(graph_, id), dilations = Match(graph_, id).IntsAttr("dilations"),
         pads = Match(graph_, id).IntsAttr("pads");
    dilations.resize(strides.size(), 1);
    pads.resize(2 * strides.size(), 0);
    strides[at] = places.count > 1 ? places.step * walk.stride / step : 1;
    dilations[at] = walk.kernel > 1 ? walk.dilation / step : 1;
    pads[at] = (window.inside.begin - window.low) / step;
    pads[at + strides.size()] = (window.high - window.inside.last()) / step;
    attributes.Set("strides", strides);
    attributes.Set("dilations", dilations);
    attributes.Set("pads", pads);
    attributes.Erase("auto_pad");
    std::vector<Expr> given = {Take(g, inputs[0], window.inside)};
    for (std::size_t i = 1; i < inputs.size(); ++i) given.push_back(g.Give(inputs[i]));
    return g.Op("Conv", given, attributes);
  }

  void Restrict(NodeId id) {
    Builder g(graph_, Match(graph_, id));
    const ValueId old = graph_.node(id).outputs[0];
    const Places places = NeedOf(old).places;
    Expr made;
    if (IsConv(graph_, id)) {
      made = Conv(g, id, places);
    } else {
      const std::string op = graph_.node(id).op->name;
      const AttrMap attributes = graph_.node(id).attributes;
      const std::vector<ValueId> inputs = graph_.node(id).inputs;
      std::vector<Expr> given;
      for (const ValueId input : inputs) {
        const bool stays = input == kNoValue || graph_.Constant(input) != nullptr;
        given.push_back(stays ? g.Give(input) : Take(g, input, places));
      }
      made = g.Op(op, given, attributes);
    }
    if (!g.ok() || LengthOf(graph_, made.id, axis_) != places.count) return Forget(g);
    graph_.SetName(made.id, graph_.value(old).name);
    now_[static_cast<std::size_t>(old)] = made.id;
  }

  bool Replace(NodeId id, const Places& places) {
    Builder g(graph_, Match(graph_, id));
    const ValueId old = graph_.node(id).outputs[0];
    const ValueId whole = graph_.node(id).inputs[0];
    if (!now_[static_cast<std::size_t>(whole)]) return false;
    const Expr taken = Take(g, whole, places);
    if (!g.ok() || !graph_.RefineType(taken.id, graph_.value(old).type).ok()) {
      Forget(g);
      return false;
    }
    graph_.SetName(taken.id, graph_.value(old).name);
    graph_.ReplaceUses(old, taken.id);
    EraseIfUnused(graph_, id);
    return true;
  }

  void Forget(const Builder& g) {
    for (auto id = g.added().rbegin(); id != g.added().rend(); ++id) graph_.EraseNode(*id);
  }

  Graph& graph_;
  const std::int64_t axis_;
  std::vector<Need> needs_;
  std::vector<std::optional<ValueId>> now_;  // what is computed of a value, where that is not all
};

}  // namespace

Result<int> ComputeOnlyWhatIsRead(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  std::set<std::int64_t> tried;  // one look at an axis is at all Slices along it
  for (const NodeId id : order) {
    const std::optional<Cut> cut = CutOf(graph, id);
    if (!cut || !tried.insert(cut->axis).second) continue;
    Needed needed(graph, cut->axis);
    if (needed.Find(order)) return needed.Rewrite(order);
  }
  return 0;
}

}  // namespace athanor::passes
