// Operators that are others under another name, rewritten once the shapes are known, so that the
// kernels of those run: Einsum becomes Transpose, ReduceSum and MatMul; a Gemm whose last operand
// is no row, or that multiplies integers, becomes its parts.
#include <algorithm>

#include "plan/stages.h"

namespace athanor::plan {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor IntList(const Ints& values) {
  return Tensor::FromVector<std::int64_t>({std::ssize(values)}, values);
}

// Emits nodes; every value has a known shape. Identities are left out.
class Emitter {
 public:
  Emitter(Graph& graph, std::string name) : graph_(graph), name_(std::move(name)) {}

  Dims DimsOf(ValueId id) const { return *graph_.value(id).type.StaticDims(); }

  Result<ValueId> Op(std::string_view op, Operands inputs, AttrMap attributes = {}) {
    return graph_.Add(op, inputs, std::move(attributes), name_);
  }
  Result<ValueId> Transpose(ValueId x, const Ints& perm) {
    if (std::is_sorted(perm.begin(), perm.end())) return x;
    return Op("Transpose", {x}, {{"perm", perm}});
  }
  Result<ValueId> Reshape(ValueId x, const Dims& dims) {
    if (DimsOf(x) == dims) return x;
    return Op("Reshape", {x, graph_.AddConstant(IntList(dims))});
  }
  Result<ValueId> Sum(ValueId x, const Ints& axes) {
    if (axes.empty()) return x;
    return Op("ReduceSum", {x, graph_.AddConstant(IntList(axes))}, {{"keepdims", std::int64_t{0}}});
  }

 private:
  Graph& graph_;
  std::string name_;
};

// ---- Einsum

// One operand: a label per dimension.
struct Term {
  ValueId value = kNoValue;
  std::string labels;
};

bool Contains(const std::string& labels, char label) {
  return labels.find(label) != std::string::npos;
}

std::int64_t SizeOf(const Emitter& emit, const Term& term, char label) {
  return emit.DimsOf(term.value)[term.labels.find(label)];
}

// The labels of a term of the equation; the dimensions of an ellipsis, counted from its end, have
// labels below every letter. "" when it has none to give.
std::string LabelsOf(std::string_view text, std::size_t rank) {
  std::string labels;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text[i] != '.') {
      labels += text[i];
      continue;
    }
    std::size_t letters = 0;
    for (const char c : text) letters += c != ' ' && c != '.' ? 1 : 0;
    for (std::size_t k = rank - letters; k-- > 0;) labels += static_cast<char>(1 + k);
    i += 2;
  }
  return labels;
}

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

// Nothing for what stays an Einsum: an equation without "->", repeated labels, broadcast sizes.
std::optional<Equation> ReadEquation(const Graph& graph, const Node& node) {
  const std::string text = std::get<std::string>(*node.attributes.Find("equation"));
  const std::size_t arrow = text.find("->");
  if (arrow == std::string::npos) return std::nullopt;
  Equation equation;
  std::size_t begin = 0, ellipsis = 0;
  for (const ValueId input : node.inputs) {
    const std::optional<Dims> dims = graph.value(input).type.StaticDims();
    if (!dims) return std::nullopt;
    const std::size_t end = std::min(text.find(',', begin), arrow);
    const std::string_view term = std::string_view(text).substr(begin, end - begin);
    equation.inputs.push_back(LabelsOf(term, dims->size()));
    if (term.find('.') != std::string_view::npos) {
      const auto letters =
          std::count_if(term.begin(), term.end(), [](char c) { return c != ' ' && c != '.'; });
      ellipsis = std::max(ellipsis, dims->size() - static_cast<std::size_t>(letters));
    }
    begin = end + 1;
  }
  const std::string_view right = std::string_view(text).substr(arrow + 2);
  const auto letters =
      std::count_if(right.begin(), right.end(), [](char c) { return c != ' ' && c != '.'; });
  equation.output = LabelsOf(right, static_cast<std::size_t>(letters) + ellipsis);
  return equation;
}

bool IsPlain(const Graph& graph, const Node& node, const Equation& equation) {
  std::vector<std::pair<char, std::int64_t>> sizes;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const std::string& labels = equation.inputs[i];
    const Dims dims = *graph.value(node.inputs[i]).type.StaticDims();
    if (labels.size() != dims.size()) return false;
    for (std::size_t k = 0; k < labels.size(); ++k) {
      if (labels.find(labels[k], k + 1) != std::string::npos || dims[k] == 0) return false;
      for (const auto& [label, size] : sizes) {
        if (label == labels[k] && size != dims[k]) return false;
      }
      sizes.emplace_back(labels[k], dims[k]);
    }
  }
  return std::all_of(equation.output.begin(), equation.output.end(), [&](char c) {
    return std::any_of(sizes.begin(), sizes.end(), [&](const auto& s) { return s.first == c; });
  });
}

// Sums over the labels that nobody else wants.
Status SumOut(Emitter& emit, Term& term, const std::string& wanted) {
  Ints axes;
  std::string left;
  for (std::size_t k = 0; k < term.labels.size(); ++k) {
    if (Contains(wanted, term.labels[k])) {
      left += term.labels[k];
    } else {
      axes.push_back(static_cast<std::int64_t>(k));
    }
  }
  ATH_TRY(term.value, emit.Sum(term.value, axes));
  term.labels = left;
  return {};
}

Status Arrange(Emitter& emit, Term& term, const std::string& order) {
  Ints perm;
  for (const char label : order) perm.push_back(static_cast<std::int64_t>(term.labels.find(label)));
  ATH_TRY(term.value, emit.Transpose(term.value, perm));
  term.labels = order;
  return {};
}

// The labels of `from` for which keep(label).
template <class F>
std::string Select(const std::string& from, const F& keep) {
  std::string labels;
  std::copy_if(from.begin(), from.end(), std::back_inserter(labels), keep);
  return labels;
}

// The product of two terms, summed over the labels that are not wanted.
Result<Term> Contract(Emitter& emit, Term a, Term b, const std::string& wanted) {
  ATH_RETURN_IF_ERROR(SumOut(emit, a, wanted + b.labels));
  ATH_RETURN_IF_ERROR(SumOut(emit, b, wanted + a.labels));
  const std::string batch =
      Select(a.labels, [&](char c) { return Contains(b.labels, c) && Contains(wanted, c); });
  const std::string inner =
      Select(a.labels, [&](char c) { return Contains(b.labels, c) && !Contains(wanted, c); });
  const std::string rows = Select(a.labels, [&](char c) { return !Contains(b.labels, c); });
  const std::string columns = Select(b.labels, [&](char c) { return !Contains(a.labels, c); });
  const auto sizes = [&](const Term& term, const std::string& labels) {
    Dims dims;
    for (const char label : labels) dims.push_back(SizeOf(emit, term, label));
    return dims;
  };
  const auto count = [](const Dims& dims) {
    std::int64_t product = 1;
    for (const std::int64_t dim : dims) product *= dim;
    return product;
  };
  const Dims batch_dims = sizes(a, batch), row_dims = sizes(a, rows),
             column_dims = sizes(b, columns);
  const std::int64_t k = count(sizes(a, inner));
  ATH_RETURN_IF_ERROR(Arrange(emit, a, batch + rows + inner));
  ATH_RETURN_IF_ERROR(Arrange(emit, b, batch + inner + columns));
  ATH_TRY(const ValueId left, emit.Reshape(a.value, {count(batch_dims), count(row_dims), k}));
  ATH_TRY(const ValueId right, emit.Reshape(b.value, {count(batch_dims), k, count(column_dims)}));
  Term product = {.value = kNoValue, .labels = batch + rows + columns};
  ATH_TRY(product.value, emit.Op("MatMul", {left, right}));
  Dims dims = batch_dims;
  dims.insert(dims.end(), row_dims.begin(), row_dims.end());
  dims.insert(dims.end(), column_dims.begin(), column_dims.end());
  ATH_TRY(product.value, emit.Reshape(product.value, dims));
  return product;
}

Result<ValueId> LowerEinsum(Graph& graph, const Node& node, const Equation& equation) {
  Emitter emit(graph, node.name);
  const std::vector<ValueId> inputs = node.inputs;  // the node moves as others are added
  Term result = {inputs[0], equation.inputs[0]};
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    std::string wanted = equation.output;
    for (std::size_t later = i + 1; later < inputs.size(); ++later)
      wanted += equation.inputs[later];
    ATH_TRY(result, Contract(emit, result, {inputs[i], equation.inputs[i]}, wanted));
  }
  ATH_RETURN_IF_ERROR(SumOut(emit, result, equation.output));
  ATH_RETURN_IF_ERROR(Arrange(emit, result, equation.output));
  return result.value;
}

// ---- Gemm

float FloatOf(const Node& node, std::string_view name) {
  const AttrValue* value = node.attributes.Find(name);
  return value == nullptr ? 1.0F : std::get<float>(*value);
}

bool Flag(const Node& node, std::string_view name) {
  const AttrValue* value = node.attributes.Find(name);
  return value != nullptr && std::get<std::int64_t>(*value) != 0;
}

bool HasBias(const Node& node) { return node.inputs.size() > 2 && node.inputs[2] != kNoValue; }

// The product and the sum apart.
bool NeedsParts(const Graph& graph, const Node& node) {
  const Type &a = graph.value(node.inputs[0]).type, &out = graph.value(node.outputs[0]).type;
  if (HasQuantSpec(node.attributes) || !a.StaticDims() || !out.StaticDims()) return false;
  if (IsInteger(a.dtype)) return FloatOf(node, "alpha") == 1 && FloatOf(node, "beta") == 1;
  if (!HasBias(node)) return false;
  const std::optional<Dims> c = graph.value(node.inputs[2]).type.StaticDims();
  if (!c) return false;
  const std::int64_t columns = (*out.StaticDims())[1];
  const bool is_row = !c->empty() && c->back() == columns && (c->size() == 1 || (*c)[0] == 1);
  return !is_row || FloatOf(node, "beta") != 1;
}

Result<ValueId> LowerGemm(Graph& graph, const Node& node) {
  Emitter emit(graph, node.name);
  const std::vector<ValueId> inputs = node.inputs;
  const bool bias = HasBias(node), trans_a = Flag(node, "transA"), trans_b = Flag(node, "transB");
  const float beta = FloatOf(node, "beta");
  const DType dtype = graph.value(inputs[0]).type.dtype;
  AttrMap attributes = node.attributes;
  ValueId product = kNoValue;
  if (IsInteger(dtype)) {
    ATH_TRY(const ValueId a, emit.Transpose(inputs[0], trans_a ? Ints{1, 0} : Ints{0, 1}));
    ATH_TRY(const ValueId b, emit.Transpose(inputs[1], trans_b ? Ints{1, 0} : Ints{0, 1}));
    ATH_TRY(product, emit.Op("MatMul", {a, b}));
  } else {
    attributes.Set("beta", 1.0F);
    ATH_TRY(product, emit.Op("Gemm", {inputs[0], inputs[1]}, std::move(attributes)));
  }
  if (!bias) return product;
  ValueId c = inputs[2];
  if (beta != 1) {
    ValueId factor = graph.AddConstant(Tensor::Scalar(beta));
    if (dtype != DType::kF32) {
      ATH_TRY(factor, emit.Op("Cast", {factor}, {{"to", dtype}}));
    }
    ATH_TRY(c, emit.Op("Mul", {c, factor}));
  }
  return emit.Op("Add", {product, c});
}

}  // namespace

Result<bool> LowerForKernels(Graph& graph) {
  bool changed = false;
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    std::optional<Result<ValueId>> made;
    if (node.op->name == "Einsum") {
      const std::optional<Equation> equation = ReadEquation(graph, node);
      if (equation && IsPlain(graph, node, *equation)) made = LowerEinsum(graph, node, *equation);
    } else if (node.op->name == "Gemm" && NeedsParts(graph, node)) {
      made = LowerGemm(graph, node);
    }
    if (!made) continue;
    ATH_TRY(const ValueId result, std::move(*made));
    const ValueId before = graph.node(id).outputs[0];
    graph.ReplaceUses(before, result);
    graph.SetName(result, graph.value(before).name);
    graph.EraseNode(id);
    changed = true;
  }
  return changed;
}

}  // namespace athanor::plan
