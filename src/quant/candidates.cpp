#include "quant/candidates.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "passes/pattern.h"
#include "quant/decide.h"

namespace athanor::quant {
namespace {

enum class Kind : std::uint8_t {
  kConv,
  kGemm,
  kMatMul,
  kBinary,   // two tensors of one shape, or one and a number
  kUnary,    // one tensor; other inputs are constants
  kPool,     // one tensor, new scale
  kMover,    // one tensor, same scale
  kGatherer  // several tensors, same scale
};

// Cubic filters overshoot, and a crop shows what is no element: the scale would not do. In 31-bit
// arithmetic, which knows no others than it was made for, elements are moved and nothing else.
bool StaysWithinItsInput(const Node& node, bool fixed31) {
  const auto mode = passes::AttributeOr<std::string>(node, "mode", "");
  return (mode == "nearest" || (mode == "linear" && !fixed31)) &&
         passes::AttributeOr<std::string>(node, "coordinate_transformation_mode", "") !=
             "tf_crop_and_resize";
}

struct Row {
  std::string_view op;
  Kind kind;
  // Inputs but the first say how, they are not data.
  bool only_first = false;
  bool (*takes)(const Node&, bool fixed31) = nullptr;  // nullptr: all
};

constexpr Row kRows[] = {
    {"Add", Kind::kBinary},
    {"AveragePool", Kind::kPool},
    {"Clip", Kind::kUnary},
    {"Concat", Kind::kGatherer},
    {"Conv", Kind::kConv},
    {"DepthToSpace", Kind::kMover},
    {"Elu", Kind::kUnary},
    {"Flatten", Kind::kMover},
    {"Gelu", Kind::kUnary},
    {"Gemm", Kind::kGemm},
    {"GlobalAveragePool", Kind::kPool},
    {"HardSigmoid", Kind::kUnary},
    {"HardSwish", Kind::kUnary},
    {"LeakyRelu", Kind::kUnary},
    {"MatMul", Kind::kMatMul},
    {"MaxPool", Kind::kMover},
    {"Mish", Kind::kUnary},
    {"Mul", Kind::kBinary},
    {"Relu", Kind::kUnary},
    {"Reshape", Kind::kMover},
    {"Resize", Kind::kMover, true, StaysWithinItsInput},
    {"Sigmoid", Kind::kUnary},
    {"SpaceToDepth", Kind::kMover},
    {"Squeeze", Kind::kMover},
    {"Sub", Kind::kBinary},
    {"Swish", Kind::kUnary},
    {"Tanh", Kind::kUnary},
    {"Transpose", Kind::kMover},
    {"Unsqueeze", Kind::kMover},
};

const Row* RowOf(const Node& node) {
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&](const Row& r) { return r.op == node.op->name; });
  return row == std::end(kRows) ? nullptr : row;
}

bool IsProduct(Kind kind) {
  return kind == Kind::kConv || kind == Kind::kGemm || kind == Kind::kMatMul;
}

constexpr const char* kChosenFloat = "its integers would cost too much accuracy";

class Finder {
 public:
  Finder(const Graph& graph, const std::set<NodeId>& in_float, bool store, bool apart)
      : graph_(graph), in_float_(in_float), store_(store), apart_(apart) {}

  Result<Candidates> Run() {
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    for (const NodeId id : order) {
      const Node& node = graph_.node(id);
      const Row* row = RowOf(node);
      if (row == nullptr || covered_.contains(id)) continue;
      Candidate candidate = {.node = id};
      std::string reason = Look(node, *row, candidate);
      const bool chosen = reason.empty() && in_float_.contains(id);
      if (chosen) reason = kChosenFloat;
      if (!reason.empty()) {
        if (IsProduct(row->kind))
          found_.skipped.push_back({NameOf(graph_, id), node.op->name, reason, id});
        if (chosen && store_ && IsProduct(row->kind)) StoreOnly(node, std::move(candidate));
        continue;
      }
      candidate.result = ResultOf(node, row->kind);
      candidate.shares_scale = row->kind == Kind::kMover || row->kind == Kind::kGatherer;
      integers_.insert(candidate.result);
      found_.nodes.push_back(std::move(candidate));
    }
    found_.activations = covered_.size();
    return std::move(found_);
  }

 private:
  void StoreOnly(const Node& node, Candidate candidate) {
    candidate.activations.clear();
    candidate.result = node.outputs[0];
    candidate.real_result = true;
    found_.nodes.push_back(std::move(candidate));
  }

  bool IsReal(ValueId id) const {
    if (id == kNoValue) return false;
    const Type& type = graph_.value(id).type;
    return type.IsTensor() && type.dtype == DType::kF32;
  }
  const Tensor* Constant(const Node& node, std::size_t i) const {
    return i < node.inputs.size() ? graph_.Constant(node.inputs[i]) : nullptr;
  }
  bool Has(const Node& node, std::size_t i) const {
    return i < node.inputs.size() && node.inputs[i] != kNoValue;
  }

  // "" when the node is to be quantised.
  std::string Look(const Node& node, const Row& row, Candidate& c) const {
    if (row.takes != nullptr && !row.takes(node, apart_))
      return "it may leave the range of its input";
    if (!IsReal(node.outputs[0])) return "it does not compute f32";
    for (std::size_t i = 1; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue && graph_.num_uses(node.outputs[i]) > 0)
        return "it has several outputs";
    }
    return IsProduct(row.kind) ? LookProduct(node, row.kind, c) : LookFollower(node, row, c);
  }

  std::string LookProduct(const Node& node, Kind kind, Candidate& c) const {
    const Tensor* weights = Constant(node, 1);
    if (weights == nullptr || weights->dtype() != DType::kF32)
      return "its weights are computed by the model";
    if (graph_.Constant(node.inputs[0]) != nullptr) return "its data are constant";
    c.activations = {0};
    c.weights = 1;
    if (kind == Kind::kMatMul) {
      if (weights->rank() != 2) return "its weights are no matrix";
      c.weight_axis = 1;
      c.data_axis = -1;
    }
    if (kind == Kind::kGemm) {
      if (passes::AttributeOr<std::int64_t>(node, "transA", 0) != 0)
        return "it transposes its data";
      if (passes::AttributeOr(node, "alpha", 1.0F) != 1 ||
          passes::AttributeOr(node, "beta", 1.0F) != 1)
        return "it scales its data";
      c.weight_axis = passes::AttributeOr<std::int64_t>(node, "transB", 0) != 0 ? 0 : 1;
    }
    if (!Has(node, 2)) return "";
    const Tensor* bias = Constant(node, 2);
    const std::int64_t channels = weights->dim(c.weight_axis);
    if (bias == nullptr || bias->dtype() != DType::kF32) return "its bias is computed by the model";
    if (bias->rank() != 1 || bias->dim(0) != channels)
      return "its bias is not one value per channel";
    c.bias = 2;
    return "";
  }

  std::string LookFollower(const Node& node, const Row& row, Candidate& c) const {
    constexpr const char* kNotIntegers = "it reads real numbers";
    const Kind kind = row.kind;
    const std::size_t data = row.only_first ? 1 : node.inputs.size();
    for (std::size_t i = 0; i < data; ++i) {
      if (!Has(node, i) || !IsReal(node.inputs[i])) continue;
      if (const Tensor* constant = Constant(node, i)) {
        // A number is folded into a table of 256 results; anything larger is
        // left alone.
        if (constant->count() != 1 || kind == Kind::kGatherer) return "it reads a constant";
        continue;
      }
      if (!integers_.contains(node.inputs[i])) return kNotIntegers;
      c.activations.push_back(i);
    }
    if (c.activations.empty()) return kNotIntegers;
    if (kind != Kind::kBinary || c.activations.size() == 1) return "";
    const Type &a = graph_.value(node.inputs[0]).type, &b = graph_.value(node.inputs[1]).type;
    return a.shape && b.shape && *a.shape == *b.shape ? "" : "it repeats one of its inputs";
  }

  // The value after the activation that only this node feeds: quantising turns Relu and Clip into a
  // clamp, and a product of integers ends with any function of one number, so that its result is
  // rounded to bytes once.
  ValueId ResultOf(const Node& node, Kind kind) {
    const ValueId own = node.outputs[0];
    if (graph_.num_uses(own) != 1 || graph_.value(own).users.empty()) return own;
    const NodeId next_id = graph_.value(own).users[0];
    const Node& next = graph_.node(next_id);
    const Row* row = RowOf(next);
    const bool clamps = next.op->name == "Relu" || next.op->name == "Clip";
    const bool ends = !apart_ && IsProduct(kind) && row != nullptr && row->kind == Kind::kUnary;
    if ((!clamps && !ends) || next.inputs[0] != own) return own;
    for (std::size_t i = 1; i < next.inputs.size(); ++i) {
      const Tensor* limit = Constant(next, i);
      if (next.inputs[i] != kNoValue && (limit == nullptr || limit->count() != 1)) return own;
    }
    covered_.insert(next_id);
    return WithLimits(next.outputs[0]);
  }

  // The value after a Min with a constant, which only the activation feeds: a limit for each
  // channel, which quantising turns into one of the integers.
  ValueId WithLimits(ValueId own) {
    if (graph_.num_uses(own) != 1 || graph_.value(own).users.empty()) return own;
    const NodeId next_id = graph_.value(own).users[0];
    const Node& next = graph_.node(next_id);
    if (next.op->name != "Min" || next.inputs.size() != 2) return own;
    const Tensor* limits = Constant(next, next.inputs[0] == own ? 1 : 0);
    const Type &from = graph_.value(own).type, &to = graph_.value(next.outputs[0]).type;
    if (limits == nullptr || limits->dtype() != DType::kF32 || !from.shape || !to.shape ||
        *from.shape != *to.shape)
      return own;
    covered_.insert(next_id);
    return next.outputs[0];
  }

  const Graph& graph_;
  const std::set<NodeId>& in_float_;
  const bool store_, apart_;
  Candidates found_;
  std::set<ValueId> integers_;  // values that are quantised by their producer
  std::set<NodeId> covered_;    // activations that became part of the node before
};

}  // namespace

std::string NameOf(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  return node.name.empty() && !node.outputs.empty() ? graph.value(node.outputs[0]).name : node.name;
}

Result<Candidates> FindCandidates(const Graph& graph, const std::set<NodeId>& in_float, bool store,
                                  bool apart) {
  return Finder(graph, in_float, store, apart).Run();
}

namespace {

// Whether a product reads the value, or what is made of it.
bool LeadsToProducts(const Graph& graph, ValueId value) {
  std::vector<ValueId> open = {value};
  std::set<ValueId> seen = {value};
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    for (const NodeId user : graph.value(id).users) {
      const Node& node = graph.node(user);
      const Row* row = RowOf(node);
      if (row != nullptr && IsProduct(row->kind)) return true;
      for (const ValueId output : node.outputs) {
        if (output != kNoValue && seen.insert(output).second) open.push_back(output);
      }
    }
  }
  return false;
}

// A product that computes on real numbers reads bytes where its data lie in bytes anyway: making
// bytes of them for it alone would win nothing and lose accuracy.
void ReadFloatsAsTheyAre(const Graph& graph, std::vector<Candidate>& kept) {
  std::set<ValueId> bytes;
  for (const Candidate& c : kept) {
    if (c.real_result) continue;
    bytes.insert(c.result);
    for (const std::size_t i : c.activations) bytes.insert(graph.node(c.node).inputs[i]);
  }
  for (Candidate& c : kept) {
    const bool reads_bytes = std::ranges::any_of(
        c.activations, [&](std::size_t i) { return bytes.contains(graph.node(c.node).inputs[i]); });
    if (c.real_result && !reads_bytes) c.activations.clear();
  }
}

}  // namespace

void LeaveAnswersReal(const Graph& graph, Candidates& candidates) {
  // What a product may cost on real numbers: its share of all operations, and floats to be read.
  constexpr double kSmallShare = 0.08;
  constexpr std::int64_t kFewWeights = std::int64_t{1} << 19;
  double all = 0;
  for (const Candidate& c : candidates.nodes) all += c.weights ? SavedWork(graph, c.node) : 0;
  std::set<ValueId> read;  // by what computes on integers
  const auto keeps = [&](Candidate& c) {
    if (c.InFloat()) return true;
    const bool is_read = read.contains(c.result);
    if (c.weights) {
      const bool cheap =
          SavedWork(graph, c.node) <= kSmallShare * all &&
          graph.Constant(graph.node(c.node).inputs[*c.weights])->count() <= kFewWeights;
      c.real_result = !is_read && cheap;
    }
    if (!c.weights && !is_read) return false;
    for (const std::size_t i : c.activations) read.insert(graph.node(c.node).inputs[i]);
    return true;
  };
  std::vector<Candidate> kept;
  for (auto c = candidates.nodes.rbegin(); c != candidates.nodes.rend(); ++c) {
    if (keeps(*c)) kept.push_back(std::move(*c));
  }
  std::reverse(kept.begin(), kept.end());
  // A network of one product, or of products side by side: integers somewhere, else nothing is won.
  const bool any = std::any_of(kept.begin(), kept.end(),
                               [](const Candidate& c) { return c.weights && !c.real_result; });
  for (Candidate& c : kept) c.real_result = c.InFloat() || (c.real_result && any);
  candidates.activations = 0;
  for (const Candidate& c : kept) {
    const Node& node = graph.node(c.node);
    for (ValueId at = c.result; !c.real_result && at != node.outputs[0];) {
      const Node& clamp = graph.node(graph.value(at).producer);
      at = clamp.inputs[graph.Constant(clamp.inputs[0]) != nullptr ? 1 : 0];
      ++candidates.activations;
    }
    if (!c.real_result || c.InFloat()) continue;
    candidates.skipped.push_back({NameOf(graph, c.node), node.op->name,
                                  LeadsToProducts(graph, c.result)
                                      ? "what reads it computes in float"
                                      : "nothing but answers is made of it",
                                  c.node});
  }
  ReadFloatsAsTheyAre(graph, kept);
  candidates.nodes = std::move(kept);
}

Status CheckWeights(const Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    const Row* row = RowOf(node);
    if (row == nullptr || !IsProduct(row->kind)) continue;
    for (const ValueId input : node.inputs) {
      const Tensor* constant = graph.Constant(input);
      if (constant == nullptr || constant->dtype() != DType::kF32) continue;
      const auto weights = constant->Data<float>();
      const auto bad = std::ranges::find_if(weights, [](float w) { return !std::isfinite(w); });
      if (bad != weights.end())
        return DataError("node \"{}\" ({}): weight {} of \"{}\" is {}, which is no finite number",
                         node.name, node.op->name, bad - weights.begin(), graph.value(input).name,
                         *bad);
    }
  }
  return {};
}

Status CheckFloat(const Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  const auto makes_reals = [&](ValueId id) {
    const NodeId maker = id == kNoValue ? kNoNode : graph.value(id).producer;
    return maker != kNoNode && graph.node(maker).op->name == "DequantizeLinear";
  };
  std::ptrdiff_t pairs = 0, products = 0, stored = 0;
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    pairs += node.op->name == "QuantizeLinear" ? 1 : 0;
    const Row* row = RowOf(node);
    if (row == nullptr || !IsProduct(row->kind)) continue;
    ++products;
    stored += node.inputs.size() > 1 && makes_reals(node.inputs[1]) ? 1 : 0;
  }
  constexpr const char* kFix = "quantise the float model that it was made from";
  if (pairs > 0)
    return Unsupported("the model is quantised already: it has {} QuantizeLinear nodes", pairs)
        .Fix(kFix);
  if (stored > 0 && stored == products)
    return Unsupported("the model is quantised already: the weights of its products are integers")
        .Fix(kFix);
  return {};
}

Status CheckQuantizable(const Graph& graph, const Candidates& candidates) {
  ATH_RETURN_IF_ERROR(CheckFloat(graph));
  if (!candidates.nodes.empty()) return {};
  return Unsupported(
             "no product of this model can be quantised: there is no Conv, Gemm or MatMul with "
             "constant f32 weights{}",
             candidates.skipped.empty()
                 ? ""
                 : fmt::format(" that can: {} of \"{}\"", candidates.skipped[0].reason,
                               candidates.skipped[0].node))
      .Fix("--weight-bits f16, which halves all other constants too");
}

}  // namespace athanor::quant
