// The operators that have formulas: arithmetic, movement of elements, reductions.
#include "codegen/table/lowering.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "codegen/table/tables.h"
#include "core/checked.h"
#include "ir/evaluate.h"
#include "ops/broadcast.h"
#include "ops/math/axes.h"

namespace athanor::codegen {
namespace {

// One sum of many; f(f(a, b), c) of other functions.
TermId Joined(TermMaker& make, Fn fn, DType dtype, const std::vector<TermId>& line) {
  if (line.size() > 1 && fn == Fn::kAdd) return make.Call(fn, dtype, line);
  TermId joined = line[0];
  for (std::size_t i = 1; i < line.size(); ++i) joined = make.Call(fn, dtype, {joined, line[i]});
  return joined;
}

// ---- element by element

using Lower = std::function<Status(Lowering&)>;

// Real numbers and bools are written; integers only where they are compared or moved.
Status CheckReal(DType dtype) {
  if (dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBool) return {};
  return Unsupported("arithmetic in {}; f32 and f64 are written", Name(dtype));
}

// A function of as many arguments as there are inputs.
Lower Each(Fn fn) {
  return [fn](Lowering& l) -> Status {
    ATH_RETURN_IF_ERROR(CheckReal(l.OutType()));
    std::vector<std::vector<TermId>> in;
    for (std::size_t i = 0; i < l.in.size(); ++i) in.push_back(l.Spread(i));
    std::vector<TermId> out;
    for (std::size_t at = 0; at < in[0].size(); ++at) {
      std::vector<TermId> args;
      for (const std::vector<TermId>& terms : in) args.push_back(terms[at]);
      out.push_back(l.make.Call(fn, l.OutType(), std::move(args)));
    }
    l.SetOut(std::move(out));
    return {};
  };
}

// The same function of any number of inputs.
Lower EachOf(Fn fn) {
  return [fn](Lowering& l) -> Status {
    ATH_RETURN_IF_ERROR(CheckReal(l.OutType()));
    std::vector<std::vector<TermId>> lines;
    for (std::size_t i = 0; i < l.in.size(); ++i) {
      const std::vector<TermId> terms = l.Spread(i);
      lines.resize(terms.size());
      for (std::size_t at = 0; at < terms.size(); ++at) lines[at].push_back(terms[at]);
    }
    std::vector<TermId> out;
    for (const std::vector<TermId>& line : lines)
      out.push_back(Joined(l.make, fn, l.OutType(), line));
    l.SetOut(std::move(out));
    return {};
  };
}

// A formula of one argument.
Lower Formula(std::function<TermId(TermMaker&, TermId)> formula) {
  return [formula = std::move(formula)](Lowering& l) -> Status {
    ATH_RETURN_IF_ERROR(CheckReal(l.OutType()));
    std::vector<TermId> out;
    for (const TermId x : l.in[0].terms) out.push_back(formula(l.make, x));
    l.SetOut(std::move(out));
    return {};
  };
}

TermId Reciprocal(TermMaker& make, TermId x) {
  const DType dtype = make[x].dtype;
  return make.Call(Fn::kDiv, dtype, {make.Number(dtype, 1), x});
}
TermId Relu(TermMaker& make, TermId x) {
  const DType dtype = make[x].dtype;
  return make.Call(Fn::kMax, dtype, {x, make.Number(dtype, 0)});
}
TermId Softplus(TermMaker& make, TermId x) {
  const DType dtype = make[x].dtype;
  const TermId power = make.Call(Fn::kExp, dtype, {x});
  return make.Call(Fn::kLog, dtype, {make.Call(Fn::kAdd, dtype, {power, make.Number(dtype, 1)})});
}

Status Where(Lowering& l) {
  const std::vector<TermId> truth = l.Spread(0), yes = l.Spread(1), no = l.Spread(2);
  std::vector<TermId> out;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const Term& condition = l.make[truth[i]];
    if (condition.kind == Term::Kind::kConstant) {
      out.push_back(condition.number != 0 ? yes[i] : no[i]);
    } else {
      out.push_back(l.make.Call(Fn::kWhere, l.OutType(), {truth[i], yes[i], no[i]}));
    }
  }
  l.SetOut(std::move(out));
  return {};
}

Status Cast(Lowering& l) {
  const DType to = l.OutType(), from = l.in[0].dtype;
  const auto is_number = [](DType dtype) {
    return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kI64 ||
           dtype == DType::kBool;
  };
  if (to != from && !(is_number(to) && is_number(from)))
    return Unsupported("{} to {}; f32, f64, i64 and bool are cast", Name(from), Name(to));
  std::vector<TermId> out;
  for (const TermId x : l.in[0].terms) out.push_back(l.make.Cast(to, x));
  l.SetOut(std::move(out));
  return {};
}

// Limits come as inputs that may be omitted.
Status Clip(Lowering& l) {
  ATH_RETURN_IF_ERROR(CheckReal(l.OutType()));
  std::vector<TermId> out = l.in[0].terms;
  for (TermId& x : out) {
    if (l.Has(1)) x = l.make.Call(Fn::kMax, l.OutType(), {x, l.in[1].terms[0]});
    if (l.Has(2)) x = l.make.Call(Fn::kMin, l.OutType(), {x, l.in[2].terms[0]});
  }
  l.SetOut(std::move(out));
  return {};
}

// ---- elements that move

// The operator's own reference moves the numbers of the terms. Inputs from `parameters` on say how.
Lower Move(std::size_t parameters) {
  return [parameters](Lowering& l) -> Status {
    std::vector<Datum> in;
    for (std::size_t i = 0; i < l.in.size(); ++i) {
      if (!l.Has(i)) {
        in.emplace_back();
      } else if (i < parameters) {
        const std::vector<std::int64_t> ids(l.in[i].terms.begin(), l.in[i].terms.end());
        in.emplace_back(Tensor::FromVector(l.in[i].dims, ids));
      } else {
        if (l.Constant(i) == nullptr)
          return Unsupported("input {} is computed; a constant is expected", i);
        in.emplace_back(*l.Constant(i));
      }
    }
    ATH_TRY(const std::vector<Datum> moved, EvaluateNode(l.node(), in));
    for (std::size_t i = 0; i < moved.size(); ++i) {
      if (l.node().outputs[i] == kNoValue) continue;
      const auto ids = moved[i].tensor().Data<std::int64_t>();
      l.SetOut(std::vector<TermId>(ids.begin(), ids.end()), i);
    }
    return {};
  };
}

struct AxisAttrs {
  std::int64_t axis = 0;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "which axis");
  }
};

// Rows of a table of constants by the leaf of a tree: every number that may come is a row.
Status GatherRows(Lowering& l) {
  const Tensor& table = *l.Constant(0);
  if (l.Attrs<AxisAttrs>().axis != 0 || table.rank() < 1)
    return Unsupported("a table of constants is read by its first axis");
  for (const DType dtype : {DType::kString, DType::kI64, DType::kF32, DType::kF64}) {
    if (table.dtype() == dtype) break;
    if (dtype == DType::kF64) return Unsupported("a table of {}", Name(table.dtype()));
  }
  const std::int64_t rows = table.dim(0);
  const std::int64_t width = rows == 0 ? 0 : table.count() / rows;
  std::vector<std::int64_t> keys(static_cast<std::size_t>(rows));
  std::iota(keys.begin(), keys.end(), 0);
  const Tensor key_tensor = Tensor::FromVector({rows}, keys);
  std::vector<std::size_t> columns;
  RowProgram& program = l.make.program();
  for (std::int64_t c = 0; c < width; ++c) {
    ATH_TRY(Tensor values, Tensor::Allocate(table.dtype(), {rows}));
    ATH_TRY(Tensor otherwise, Tensor::Allocate(table.dtype(), {1}));
    const auto copy = [&]<class T>(TypeList<T>) {
      for (std::int64_t r = 0; r < rows; ++r)
        values.MutableData<T>()[static_cast<std::size_t>(r)] =
            table.Data<T>()[static_cast<std::size_t>(r * width + c)];
      otherwise.MutableData<T>()[0] = T();
    };
    if (table.dtype() == DType::kF32) copy(TypeList<float>{});
    if (table.dtype() == DType::kF64) copy(TypeList<double>{});
    if (table.dtype() == DType::kI64) copy(TypeList<std::int64_t>{});
    if (table.dtype() == DType::kString) copy(TypeList<std::string>{});
    columns.push_back(program.lookups.size());
    program.lookups.push_back({key_tensor, std::move(values), std::move(otherwise)});
  }
  std::vector<TermId> out;
  for (const TermId index : l.in[1].terms) {
    const auto leaves = program.LeavesOf(index);
    const bool known = leaves && std::all_of(leaves->begin(), leaves->end(), [&](double leaf) {
                         return leaf >= 0 && leaf < static_cast<double>(rows);
                       });
    if (!known) return Unsupported("a position that is computed; the leaf of one tree is written");
    for (const std::size_t column : columns) out.push_back(l.make.Find(index, column));
  }
  l.SetOut(std::move(out));
  return {};
}

Status Gather(Lowering& l) {
  return l.Constant(0) != nullptr && l.Constant(1) == nullptr ? GatherRows(l) : Move(1)(l);
}

// ---- along an axis

// The terms of each line along an axis, and the lines in the order of the output.
std::vector<std::vector<TermId>> Lines(const Elements& x, std::int64_t axis) {
  const ops::AxisView view = ops::AlongAxis(x.dims, axis);
  std::vector<std::vector<TermId>> lines;
  if (view.length == 0) return lines;
  for (std::int64_t i = 0; i < view.outer; ++i) {
    for (std::int64_t k = 0; k < view.inner; ++k) {
      std::vector<TermId>& line = lines.emplace_back();
      for (std::int64_t j = 0; j < view.length; ++j)
        line.push_back(x.terms[static_cast<std::size_t>((i * view.length + j) * view.inner + k)]);
    }
  }
  return lines;
}

// The axes input of a reduction: one axis, or all of a tensor of one row.
Result<std::int64_t> ReducedAxis(const Lowering& l) {
  const auto rank = static_cast<std::int64_t>(l.in[0].dims.size());
  const Tensor* axes = l.Constant(1);
  if (axes != nullptr && axes->count() == 1) {
    ATH_TRY(const std::vector<std::int64_t> list, ToInts(*axes));
    return ops::NormalizeAxis(list[0], rank);
  }
  return Unsupported("reductions are written along one known axis");
}

using Combine = std::function<TermId(TermMaker&, DType, const std::vector<TermId>&)>;

Lower Reduce(Combine combine) {
  return [combine = std::move(combine)](Lowering& l) -> Status {
    ATH_RETURN_IF_ERROR(CheckReal(l.OutType()));
    ATH_TRY(const std::int64_t axis, ReducedAxis(l));
    std::vector<TermId> out;
    for (const std::vector<TermId>& line : Lines(l.in[0], axis)) {
      out.push_back(combine(l.make, l.OutType(), line));
    }
    l.SetOut(std::move(out));
    return {};
  };
}

TermId MeanOf(TermMaker& make, DType dtype, const std::vector<TermId>& line) {
  return make.Call(
      Fn::kDiv, dtype,
      {Joined(make, Fn::kAdd, dtype, line), make.Number(dtype, static_cast<double>(line.size()))});
}

Combine With(Fn fn) {
  return [fn](TermMaker& make, DType dtype, const std::vector<TermId>& line) {
    return Joined(make, fn, dtype, line);
  };
}

// The first of the best: each that is better than all before it takes the place.
Lower Arg(Fn better, Fn best_of) {
  return [better, best_of](Lowering& l) -> Status {
    ATH_TRY(const std::int64_t axis,
            ops::NormalizeAxis(l.Attrs<AxisAttrs>().axis,
                               static_cast<std::int64_t>(l.in[0].dims.size())));
    if (const AttrValue* last = l.node().attributes.Find("select_last_index");
        last != nullptr && std::get<std::int64_t>(*last) != 0)
      return Unsupported("select_last_index");
    std::vector<TermId> out;
    for (const std::vector<TermId>& line : Lines(l.in[0], axis)) {
      TermId at = l.make.Number(DType::kI64, 0), best = line[0];
      for (std::size_t i = 1; i < line.size(); ++i) {
        const TermId is_better = l.make.Call(better, DType::kBool, {line[i], best});
        at = l.make.Call(Fn::kWhere, DType::kI64,
                         {is_better, l.make.Number(DType::kI64, static_cast<double>(i)), at});
        best = l.make.Call(best_of, l.in[0].dtype, {best, line[i]});
      }
      out.push_back(at);
    }
    l.SetOut(std::move(out));
    return {};
  };
}

Status Softmax(Lowering& l) {
  ATH_RETURN_IF_ERROR(CheckReal(l.OutType()));
  AxisAttrs attrs = {.axis = -1};
  attrs = l.node().attributes.Find("axis") == nullptr ? attrs : l.Attrs<AxisAttrs>();
  ATH_TRY(const std::int64_t axis,
          ops::NormalizeAxis(attrs.axis, static_cast<std::int64_t>(l.in[0].dims.size())));
  if (ops::AlongAxis(l.in[0].dims, axis).inner != 1)
    return Unsupported("Softmax is written along the last axis");
  const DType dtype = l.OutType();
  std::vector<TermId> out;
  for (const std::vector<TermId>& line : Lines(l.in[0], axis)) {
    const std::vector<TermId> shares = SoftmaxOf(l.make, dtype, line);
    out.insert(out.end(), shares.begin(), shares.end());
  }
  l.SetOut(std::move(out));
  return {};
}

struct TopKAttrs {
  std::int64_t axis = -1;
  bool largest = true;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "which axis");
    v("largest", largest, "or the smallest");
  }
};

// Each element's place is the number of those before it; equal ones keep their order.
Status TopK(Lowering& l) {
  constexpr std::size_t kMostRanked = 64;  // places take the square of it
  const auto attrs = l.Attrs<TopKAttrs>();
  const std::vector<TermId>& x = l.in[0].terms;
  if (l.in[0].dims.empty() || l.in[0].dims.back() != static_cast<std::int64_t>(x.size()) ||
      x.empty() || x.size() > kMostRanked || l.Constant(1) == nullptr)
    return Unsupported("{} elements are ranked; up to {} of one row are written", x.size(),
                       kMostRanked);
  TermMaker& make = l.make;
  const DType dtype = l.in[0].dtype;
  const Fn before = attrs.largest ? Fn::kGreater : Fn::kLess;
  const Fn before_or_equal = attrs.largest ? Fn::kGreaterOrEqual : Fn::kLessOrEqual;
  std::vector<TermId> places;
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<TermId> ahead = {make.Number(DType::kF64, 0)};
    for (std::size_t j = 0; j < x.size(); ++j) {
      if (i == j) continue;
      const TermId is_ahead =
          make.Call(j < i ? before_or_equal : before, DType::kBool, {x[j], x[i]});
      ahead.push_back(make.Cast(DType::kF64, is_ahead));
    }
    places.push_back(Joined(make, Fn::kAdd, DType::kF64, ahead));
  }
  std::vector<TermId> values, positions;
  ATH_TRY(const std::vector<std::int64_t> count, ToInts(*l.Constant(1)));
  for (std::size_t place = 0; place < static_cast<std::size_t>(count[0]); ++place) {
    TermId value = x[0], position = make.Number(DType::kI64, 0);
    for (std::size_t i = 1; i < x.size(); ++i) {
      const TermId is_here =
          make.Call(Fn::kEqual, DType::kBool,
                    {places[i], make.Number(DType::kF64, static_cast<double>(place))});
      value = make.Call(Fn::kWhere, dtype, {is_here, x[i], value});
      position = make.Call(Fn::kWhere, DType::kI64,
                           {is_here, make.Number(DType::kI64, static_cast<double>(i)), position});
    }
    values.push_back(value);
    positions.push_back(position);
  }
  if (l.node().outputs[0] != kNoValue) l.SetOut(std::move(values), 0);
  if (l.out.size() > 1 && l.node().outputs[1] != kNoValue) l.SetOut(std::move(positions), 1);
  return {};
}

// ---- matrices

struct GemmAttrs {
  float alpha = 1, beta = 1;
  std::int64_t transA = 0, transB = 0;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "of the product");
    v("beta", beta, "of c");
    v("transA", transA, "a is given transposed");
    v("transB", transB, "b is given transposed");
  }
};

// One row times a matrix.
Result<std::vector<TermId>> Product(Lowering& l, bool transposed) {
  ATH_RETURN_IF_ERROR(CheckReal(l.OutType()));
  const Elements &x = l.in[0], &w = l.in[1];
  const auto inner = static_cast<std::int64_t>(x.terms.size());
  if (w.dims.size() != 2 || x.dims.empty() || x.dims.back() != inner)
    return Unsupported("products are written of one row and a matrix");
  const std::int64_t columns = w.dims[transposed ? 0 : 1];
  std::vector<TermId> out;
  for (std::int64_t c = 0; c < columns; ++c) {
    std::vector<TermId> parts;
    for (std::int64_t k = 0; k < inner; ++k) {
      const std::int64_t at = transposed ? c * inner + k : k * columns + c;
      parts.push_back(l.make.Call(
          Fn::kMul, l.OutType(),
          {x.terms[static_cast<std::size_t>(k)], w.terms[static_cast<std::size_t>(at)]}));
    }
    out.push_back(Joined(l.make, Fn::kAdd, l.OutType(), parts));
  }
  return out;
}

Status MatMul(Lowering& l) {
  ATH_TRY(std::vector<TermId> out, Product(l, false));
  l.SetOut(std::move(out));
  return {};
}

Status Gemm(Lowering& l) {
  const auto attrs = l.Attrs<GemmAttrs>();
  if (attrs.alpha != 1 || attrs.beta != 1 || attrs.transA != 0)
    return Unsupported("alpha, beta or transA; x * w + c is written");
  ATH_TRY(std::vector<TermId> out, Product(l, attrs.transB != 0));
  if (l.Has(2)) {
    const std::vector<TermId> bias = l.Spread(2);
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = l.make.Call(Fn::kAdd, l.OutType(), {out[i], bias[i]});
  }
  l.SetOut(std::move(out));
  return {};
}

std::vector<LoweringRow> PlainLowerings() {
  constexpr std::size_t kAll = 1U << 20;
  return {
      {"Abs", Each(Fn::kAbs)},
      {"Acos", Each(Fn::kAcos)},
      {"Add", Each(Fn::kAdd)},
      {"And", Each(Fn::kAnd)},
      {"ArgMax", Arg(Fn::kGreater, Fn::kMax)},
      {"ArgMin", Arg(Fn::kLess, Fn::kMin)},
      {"Asin", Each(Fn::kAsin)},
      {"Atan", Each(Fn::kAtan)},
      {"Cast", Cast},
      {"Ceil", Each(Fn::kCeil)},
      {"Clip", Clip},
      {"Concat", Move(kAll)},
      {"Cos", Each(Fn::kCos)},
      {"Cosh", Each(Fn::kCosh)},
      {"Div", Each(Fn::kDiv)},
      {"Equal", Each(Fn::kEqual)},
      {"Erf", Each(Fn::kErf)},
      {"Exp", Each(Fn::kExp)},
      {"Expand", Move(1)},
      {"Flatten", Move(1)},
      {"Floor", Each(Fn::kFloor)},
      {"Gather", Gather},
      {"Gemm", Gemm},
      {"Greater", Each(Fn::kGreater)},
      {"GreaterOrEqual", Each(Fn::kGreaterOrEqual)},
      {"Identity", Move(1)},
      {"IsNaN", Each(Fn::kIsNan)},
      {"Less", Each(Fn::kLess)},
      {"LessOrEqual", Each(Fn::kLessOrEqual)},
      {"Log", Each(Fn::kLog)},
      {"MatMul", MatMul},
      {"Max", EachOf(Fn::kMax)},
      {"Min", EachOf(Fn::kMin)},
      {"Mul", Each(Fn::kMul)},
      {"Neg", Each(Fn::kNeg)},
      {"Not", Each(Fn::kNot)},
      {"Or", Each(Fn::kOr)},
      {"Pow", Each(Fn::kPow)},
      {"Reciprocal", Formula(Reciprocal)},
      {"ReduceMax", Reduce(With(Fn::kMax))},
      {"ReduceMean", Reduce(MeanOf)},
      {"ReduceMin", Reduce(With(Fn::kMin))},
      {"ReduceSum", Reduce(With(Fn::kAdd))},
      {"Relu", Formula(Relu)},
      {"Reshape", Move(1)},
      {"Round", Each(Fn::kRound)},
      {"Sigmoid", Each(Fn::kSigmoid)},
      {"Sin", Each(Fn::kSin)},
      {"Sinh", Each(Fn::kSinh)},
      {"Slice", Move(1)},
      {"Softmax", Softmax},
      {"Softplus", Formula(Softplus)},
      {"Split", Move(1)},
      {"Sqrt", Each(Fn::kSqrt)},
      {"Squeeze", Move(1)},
      {"Sub", Each(Fn::kSub)},
      {"Sum", EachOf(Fn::kAdd)},
      {"Tan", Each(Fn::kTan)},
      {"Tanh", Each(Fn::kTanh)},
      {"Tile", Move(1)},
      {"TopK", TopK},
      {"Transpose", Move(1)},
      {"Unsqueeze", Move(1)},
      {"Where", Where},
      {"Xor", Each(Fn::kXor)},
  };
}

}  // namespace

bool IsTableModel(const Graph& graph) {
  const std::vector<LoweringRow> classical = MlLowerings();
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const Node& node = graph.node(static_cast<NodeId>(i));
    const bool is_classical = node.op != nullptr && std::any_of(classical.begin(), classical.end(),
                                                                [&](const LoweringRow& row) {
                                                                  return row.op == node.op->name;
                                                                });
    if (is_classical) return true;
  }
  return std::all_of(graph.inputs().begin(), graph.inputs().end(), [&](ValueId id) {
    const Type& type = graph.value(id).type;
    return type.HasRank() && (type.rank() == 1 || (type.rank() == 2 && type.dim(1) == Dim(1)));
  });
}

std::vector<TermId> SoftmaxOf(TermMaker& make, DType dtype, const std::vector<TermId>& line) {
  const TermId largest = Joined(make, Fn::kMax, dtype, line);
  std::vector<TermId> powers, shares;
  for (const TermId x : line)
    powers.push_back(make.Call(Fn::kExp, dtype, {make.Call(Fn::kSub, dtype, {x, largest})}));
  const TermId sum = Joined(make, Fn::kAdd, dtype, powers);
  for (const TermId power : powers) shares.push_back(make.Call(Fn::kDiv, dtype, {power, sum}));
  return shares;
}

Result<Elements> ElementsOfConstant(TermMaker& make, const Tensor& tensor) {
  Elements elements = {tensor.dims(), tensor.dtype(), {}};
  if (tensor.dtype() == DType::kString) {
    for (const std::string& text : tensor.Data<std::string>())
      elements.terms.push_back(make.Text(text));
    return elements;
  }
  ATH_TRY(const std::vector<double> numbers, ToDoubles(tensor));
  for (const double number : numbers) {
    if (tensor.dtype() == DType::kI64 && std::abs(number) > 0x1p53)
      return Unsupported("an integer beyond 2^53");
    elements.terms.push_back(make.Number(tensor.dtype(), number));
  }
  return elements;
}

bool Lowering::Skips(std::size_t i) const {
  return i == 0 && node_.op->name == "Gather" && Constant(0) != nullptr && Constant(1) == nullptr;
}

std::vector<TermId> Lowering::Spread(std::size_t i) const {
  const Dims dims = OutDims();
  const Dims* const inputs[] = {&in[i].dims};
  std::vector<TermId> terms;
  for (ops::BroadcastWalk walk(dims, inputs); !walk.done(); walk.Next())
    terms.push_back(in[i].terms[static_cast<std::size_t>(walk.offset(0))]);
  return terms;
}

const LoweringRow* FindLowering(std::string_view op) {
  static const std::vector<LoweringRow> kRows = [] {
    std::vector<LoweringRow> rows = PlainLowerings();
    std::vector<LoweringRow> more = MlLowerings();
    rows.insert(rows.end(), more.begin(), more.end());
    return rows;
  }();
  const auto found = std::find_if(kRows.begin(), kRows.end(),
                                  [&](const LoweringRow& row) { return row.op == op; });
  return found == kRows.end() ? nullptr : &*found;
}

}  // namespace athanor::codegen
