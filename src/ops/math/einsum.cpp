// Einsum: sums of products, as an equation over index letters says.
#include <algorithm>
#include <map>

#include "core/checked.h"
#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

struct EinsumAttrs {
  std::string equation;
  template <class V>
  void Visit(V& v) {
    v("equation", equation, "\"ij,jk->ik\"; an ellipsis stands for broadcast dimensions",
      kRequired);
  }
};

// An index: a letter, or the n-th dimension of the ellipsis counted from its end.
using Label = int;
constexpr Label kFirstEllipsis = 256;
constexpr char kEllipsis = '.';  // one character for three

// A term as letters and at most one kEllipsis.
Result<std::string> ReadTerm(std::string_view text) {
  std::string term;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      term += c;
    } else if (text.substr(i, 3) == "..." && term.find(kEllipsis) == std::string::npos) {
      term += kEllipsis;
      i += 2;
    } else {
      return InvalidModel("term \"{}\" of the equation: letters and one ... are accepted", text);
    }
  }
  return term;
}

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

// Without "->": the ellipsis, then the letters that occur once, in order.
std::string ImplicitOutput(const std::vector<std::string>& inputs) {
  std::map<char, int> uses;
  for (const std::string& term : inputs) {
    for (const char c : term) ++uses[c];
  }
  std::string output;
  for (const auto& [c, count] : uses) {
    if (c == kEllipsis) {
      output.insert(output.begin(), c);
    } else if (count == 1) {
      output += c;
    }
  }
  return output;
}

Result<Equation> Parse(std::string_view text, std::size_t num_inputs) {
  Equation equation;
  const std::size_t arrow = text.find("->");
  std::string_view left = text.substr(0, arrow);
  while (true) {
    const std::size_t comma = left.find(',');
    ATH_TRY(std::string term, ReadTerm(left.substr(0, comma)));
    equation.inputs.push_back(std::move(term));
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  if (equation.inputs.size() != num_inputs)
    return InvalidModel("equation \"{}\" has {} terms for {} inputs", text, equation.inputs.size(),
                        num_inputs);
  if (arrow == std::string_view::npos) {
    equation.output = ImplicitOutput(equation.inputs);
    return equation;
  }
  ATH_TRY(equation.output, ReadTerm(text.substr(arrow + 2)));
  for (const char c : equation.output) {
    const bool known = c == kEllipsis ||
                       std::any_of(equation.inputs.begin(), equation.inputs.end(),
                                   [c](const auto& t) { return t.find(c) != std::string::npos; });
    if (!known || std::count(equation.output.begin(), equation.output.end(), c) > 1)
      return InvalidModel(
          "equation \"{}\": output index {} must occur in an input, and once in the "
          "output",
          text, c);
  }
  return equation;
}

// One label per dimension; `ellipsis` dimensions stand for "...".
std::vector<Label> Labels(const std::string& term, std::int64_t ellipsis) {
  std::vector<Label> labels;
  for (const char c : term) {
    if (c != kEllipsis) {
      labels.push_back(static_cast<unsigned char>(c));
      continue;
    }
    for (std::int64_t i = ellipsis; i-- > 0;)
      labels.push_back(kFirstEllipsis + static_cast<Label>(i));
  }
  return labels;
}

// How many dimensions the ellipsis of a term stands for at this rank; 0 without one.
Result<std::int64_t> EllipsisRank(const std::string& term, std::int64_t rank) {
  const bool has = term.find(kEllipsis) != std::string::npos;
  const std::int64_t rest = rank - static_cast<std::int64_t>(term.size()) + (has ? 1 : 0);
  if (rest < 0 || (!has && rest != 0))
    return InvalidModel("a term with {} indices is given for a tensor of rank {}",
                        term.size() - (has ? 1 : 0), rank);
  return rest;
}

// The size of every label; a dimension of 1 broadcasts.
Status AddSizes(const std::vector<Label>& labels, const Shape& shape, std::map<Label, Dim>& sizes) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Dim& size = sizes.emplace(labels[i], Dim(1)).first->second;
    const Dim& more = shape[i];
    if (more.Is(1) || size == more) continue;
    if (size.Is(1) || (!size.IsConst() && more.IsConst())) {
      size = more;
    } else if (size.IsConst() && more.IsConst()) {
      return InvalidModel("an index has sizes {} and {}", size.ToString(), more.ToString());
    } else if (!size.IsConst()) {
      size = Dim::Unknown();
    }
  }
  return {};
}

struct Analysis {
  std::vector<std::vector<Label>> inputs;
  std::vector<Label> output;
  std::map<Label, Dim> sizes;
};

// Needs the rank of every input.
Result<Analysis> Analyse(const Equation& equation, std::span<const Shape> shapes) {
  Analysis analysis;
  std::int64_t ellipsis = 0;
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    const std::string& term = equation.inputs[k];
    ATH_TRY(const std::int64_t here,
            EllipsisRank(term, static_cast<std::int64_t>(shapes[k].size())));
    ellipsis = std::max(ellipsis, here);
    analysis.inputs.push_back(Labels(term, here));
    ATH_RETURN_IF_ERROR(AddSizes(analysis.inputs.back(), shapes[k], analysis.sizes));
  }
  analysis.output = Labels(equation.output, ellipsis);
  return analysis;
}

Status InferEinsum(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, NumericTypes{}));
  ATH_TRY(const Equation equation, Parse(ctx.Attrs<EinsumAttrs>().equation, ctx.num_inputs()));
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, i));
    if (ctx.In(i).HasRank()) shapes.push_back(*ctx.In(i).shape);
  }
  if (shapes.size() < ctx.num_inputs()) {
    const bool any = equation.output.find(kEllipsis) != std::string::npos;
    ctx.out[0] = any ? Type::TensorOfUnknownRank(ctx.InDType(0))
                     : Type::Tensor(ctx.InDType(0), Shape(equation.output.size()));
    return {};
  }
  ATH_TRY(const Analysis analysis, Analyse(equation, shapes));
  Shape out;
  for (const Label label : analysis.output) out.push_back(analysis.sizes.at(label));
  ctx.out[0] = Type::Tensor(ctx.InDType(0), std::move(out));
  return {};
}

// All labels in the order of the loops: those of the output, then those that are summed over.
struct Loops {
  Dims sizes;
  std::size_t num_output = 0;
  std::vector<Dims> strides;  // per input, one per loop; repeated labels add up to a diagonal
};

Result<Loops> MakeLoops(RefCtx& ctx) {
  ATH_TRY(const Equation equation, Parse(ctx.Attrs<EinsumAttrs>().equation, ctx.num_inputs()));
  std::vector<Shape> shapes;
  for (std::size_t k = 0; k < ctx.num_inputs(); ++k)
    shapes.emplace_back(ctx.In(k).dims().begin(), ctx.In(k).dims().end());
  ATH_TRY(const Analysis analysis, Analyse(equation, shapes));
  std::vector<Label> order = analysis.output;
  for (const auto& [label, size] : analysis.sizes) {
    if (std::find(order.begin(), order.end(), label) == order.end()) order.push_back(label);
  }
  Loops loops;
  loops.num_output = analysis.output.size();
  for (const Label label : order) loops.sizes.push_back(analysis.sizes.at(label).value());
  for (std::size_t k = 0; k < ctx.num_inputs(); ++k) {
    const Dims& dims = ctx.In(k).dims();
    const Dims own = Strides(dims);
    Dims strides(order.size(), 0);
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const auto at = std::find(order.begin(), order.end(), analysis.inputs[k][i]) - order.begin();
      if (dims[i] != 1) strides[static_cast<std::size_t>(at)] += own[i];
    }
    loops.strides.push_back(std::move(strides));
  }
  // Small tensors can ask for work without end.
  constexpr std::int64_t kMostProducts = std::int64_t{1} << 42;
  const std::optional<std::int64_t> products = CheckedCount(loops.sizes);
  if (!products || *products > kMostProducts)
    return Error(ErrorCode::kResource, "the equation sums over more than {} products",
                 kMostProducts);
  return loops;
}

// Counts through the loops [first, last), moving an offset per input along.
class Counter {
 public:
  Counter(const Loops& loops, std::size_t first, std::size_t last)
      : loops_(loops), first_(first), last_(last), index_(last - first, 0) {}
  // False when it has come round to the start.
  bool Next(std::vector<std::int64_t>& offsets) {
    for (std::size_t axis = last_; axis-- > first_;) {
      std::int64_t& index = index_[axis - first_];
      const bool more = ++index < loops_.sizes[axis];
      for (std::size_t k = 0; k < offsets.size(); ++k) {
        const std::int64_t stride = loops_.strides[k][axis];
        offsets[k] += more ? stride : -stride * (loops_.sizes[axis] - 1);
      }
      if (more) return true;
      index = 0;
    }
    return false;
  }

 private:
  const Loops& loops_;
  std::size_t first_, last_;
  Dims index_;
};

Status EinsumReference(RefCtx& ctx) {
  ATH_TRY(const Loops loops, MakeLoops(ctx));
  const std::size_t count = ctx.num_inputs();
  const bool empty_sum = *CheckedCount(loops.sizes) == 0;
  return Dispatch(NumericTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Sum = std::conditional_t<std::is_integral_v<T>, T, double>;
    const auto multiply = [](auto a, auto b) { return a * b; };
    const auto add = [](auto a, auto b) { return a + b; };
    std::vector<const T*> data(count);
    for (std::size_t k = 0; k < count; ++k) data[k] = ctx.Data<T>(k).data();
    std::vector<std::int64_t> offsets(count, 0);
    Counter outputs(loops, 0, loops.num_output);
    for (T& y : ctx.OutData<T>(0)) {
      Sum sum = 0;
      Counter terms(loops, loops.num_output, loops.sizes.size());
      bool more = !empty_sum;
      while (more) {
        Sum product = 1;
        for (std::size_t k = 0; k < count; ++k)
          product = Wrapping(product, static_cast<Sum>(data[k][offsets[k]]), multiply);
        sum = Wrapping(sum, product, add);
        more = terms.Next(offsets);
      }
      y = static_cast<T>(sum);
      outputs.Next(offsets);
    }
    return {};
  });
}

// One multiplication per input and an addition, for every combination of all indices.
Dim EinsumCost(const CostCtx& ctx) {
  std::vector<Shape> shapes;
  for (const Type* type : ctx.in) {
    if (!type->HasRank()) return Dim::Unknown();
    shapes.push_back(*type->shape);
  }
  const auto attrs = ReadAttributes<EinsumAttrs>(ctx.attributes);
  const Result<Equation> equation = Parse(attrs.equation, shapes.size());
  if (!equation.ok()) return Dim::Unknown();
  const Result<Analysis> analysis = Analyse(*equation, shapes);
  if (!analysis.ok()) return Dim::Unknown();
  Dim total = static_cast<std::int64_t>(shapes.size());
  for (const auto& [label, size] : analysis->sizes) total = total * size;
  return total;
}

}  // namespace

OpDef Einsum() {
  return {
      .name = "Einsum",
      .summary =
          "Products of elements summed over every index that the output does not name. A repeated "
          "index takes the diagonal.",
      .inputs = {{"x", "numeric; all of one element type", kVariadicPort}},
      .outputs = {{"y", "one dimension per index of the output"}},
      .attributes = Describe<EinsumAttrs>(),
      .infer = InferEinsum,
      .reference = EinsumReference,
      .flops = EinsumCost,
  };
}

}  // namespace athanor::ops
