#include "frontends/pytorch/numbers.h"

#include <algorithm>
#include <cmath>

#include "core/checked.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;

std::optional<std::int64_t> FloorDivide(std::int64_t a, std::int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
std::optional<std::int64_t> Modulo(std::int64_t a, std::int64_t b) {
  if (b == 0 || b == -1) return b == 0 ? std::nullopt : std::optional<std::int64_t>(0);
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
std::optional<std::int64_t> Subtract(std::int64_t a, std::int64_t b) {
  std::int64_t result;
  if (__builtin_sub_overflow(a, b, &result)) return std::nullopt;
  return result;
}
std::optional<std::int64_t> Smaller(std::int64_t a, std::int64_t b) { return std::min(a, b); }
std::optional<std::int64_t> Larger(std::int64_t a, std::int64_t b) { return std::max(a, b); }

// What both the importer (on integers, on reals) and the graph can do.
struct Operation {
  std::string_view name;
  std::optional<std::int64_t> (*integers)(std::int64_t, std::int64_t) = nullptr;
  double (*reals)(double, double) = nullptr;
  std::string_view node = "";  // on sizes, which are at least 0: division rounds down
};
constexpr Operation kOperations[] = {
    {"add", CheckedAdd<std::int64_t>, [](double a, double b) { return a + b; }, "Add"},
    {"floordiv", FloorDivide, [](double a, double b) { return std::floor(a / b); }, "Div"},
    {"max", Larger, [](double a, double b) { return std::max(a, b); }, "Max"},
    {"min", Smaller, [](double a, double b) { return std::min(a, b); }, "Min"},
    {"mod", Modulo, [](double a, double b) { return a - std::floor(a / b) * b; }, "Mod"},
    {"mul", CheckedMul<std::int64_t>, [](double a, double b) { return a * b; }, "Mul"},
    {"pow", nullptr, [](double a, double b) { return std::pow(a, b); }, ""},
    {"sub", Subtract, [](double a, double b) { return a - b; }, "Sub"},
    {"truediv", nullptr, [](double a, double b) { return a / b; }, ""},
};

struct Comparison {
  std::string_view name;
  bool (*holds)(double, double) = nullptr;
};
constexpr Comparison kComparisons[] = {
    {"and", [](double a, double b) { return a != 0 && b != 0; }},
    {"eq", [](double a, double b) { return a == b; }},
    {"ge", [](double a, double b) { return a >= b; }},
    {"gt", [](double a, double b) { return a > b; }},
    {"le", [](double a, double b) { return a <= b; }},
    {"lt", [](double a, double b) { return a < b; }},
    {"ne", [](double a, double b) { return a != b; }},
    {"or", [](double a, double b) { return a != 0 || b != 0; }},
};

struct Unary {
  std::string_view name;
  double (*apply)(double) = nullptr;
  bool gives_int = false;
};
constexpr Unary kUnaries[] = {
    {"ceil", [](double x) { return std::ceil(x); }, true},
    {"float", [](double x) { return x; }},
    {"floor", [](double x) { return std::floor(x); }, true},
    {"int", [](double x) { return std::trunc(x); }, true},
    {"neg", [](double x) { return -x; }},
    {"round", [](double x) { return std::nearbyint(x); }},
    {"sqrt", [](double x) { return std::sqrt(x); }},
    {"trunc", [](double x) { return std::trunc(x); }, true},
};

template <class Table>
const auto* FindIn(const Table& table, std::string_view name) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [&](const auto& row) { return row.name == name; });
  return found == std::end(table) ? nullptr : found;
}

Result<Value> AsInt(double x) {
  if (!(x >= -0x1p63 && x < 0x1p63)) return InvalidModel("{} is no int", x);
  return Value::Int(static_cast<std::int64_t>(x));
}

Result<Value> ApplyUnary(Graph& graph, const Unary& unary, const Value& x) {
  if (x.IsSymbol()) {
    // An integer already; only the sign can change.
    if (unary.gives_int) return x;
    if (unary.name != "neg") return Unsupported("{} of a size is not read", unary.name);
    ATH_TRY(const ValueId negative, graph.Add("Neg", {x.symbol}));
    return Value::Symbol(negative);
  }
  if (x.kind != Kind::kFloat) {
    if (unary.gives_int) return Value::Int(x.integer);
    if (unary.name == "neg" && x.integer != INT64_MIN) return Value::Int(-x.integer);
  }
  const double result = unary.apply(x.AsReal());
  if (unary.gives_int) return AsInt(result);
  return Value::Float(result);
}

Result<ValueId> SymbolOf(Graph& graph, const Value& value) {
  if (value.IsSymbol()) return value.symbol;
  if (value.Is(Kind::kFloat)) return Unsupported("a size meets a number that is none");
  return graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {value.integer}));
}

Result<Value> ApplyBinary(Graph& graph, const Operation& operation, const Value& a,
                          const Value& b) {
  if (a.IsSymbol() || b.IsSymbol()) {
    if (operation.node.empty())
      return Unsupported("{} of a size that is known only while running is not read",
                         operation.name);
    ATH_TRY(const ValueId left, SymbolOf(graph, a));
    ATH_TRY(const ValueId right, SymbolOf(graph, b));
    ATH_TRY(const ValueId result, graph.Add(operation.node, {left, right}));
    return Settled(graph, Value::Symbol(result));
  }
  const bool reals = a.Is(Kind::kFloat) || b.Is(Kind::kFloat) || operation.integers == nullptr;
  if (!reals) {
    const auto result = operation.integers(a.integer, b.integer);
    if (!result)
      return InvalidModel("{} of {} and {} is no int", operation.name, a.integer, b.integer);
    return Value::Int(*result);
  }
  const double result = operation.reals(a.AsReal(), b.AsReal());
  const bool ints = !a.Is(Kind::kFloat) && !b.Is(Kind::kFloat);
  if (ints && operation.name == "pow" && b.integer >= 0) return AsInt(result);
  return Value::Float(result);
}

}  // namespace

Value Settled(const Graph& graph, Value value) {
  if (!value.IsSymbol()) return value;
  const auto& ints = graph.value(value.symbol).ints;
  if (ints && ints->size() == 1 && (*ints)[0].IsConst()) return Value::Int((*ints)[0].value());
  return value;
}

bool IsNumberOperation(std::string_view op) {
  return FindIn(kOperations, op) != nullptr || FindIn(kComparisons, op) != nullptr ||
         FindIn(kUnaries, op) != nullptr || op == "not" || op == "bool";
}

Result<Value> NumberOperation(Graph& graph, std::string_view op, std::span<const Value> arguments) {
  std::vector<Value> settled;
  for (const Value& value : arguments) {
    if (!value.IsNumber()) return InvalidModel("{} of {}", op, NameOf(value.kind));
    settled.push_back(Settled(graph, value));
  }
  const bool unary = settled.size() == 1;
  if (op == "not" || op == "bool") {
    if (!unary || settled[0].IsSymbol()) return Unsupported("{} of a size is not read", op);
    return Value::Bool((settled[0].AsReal() != 0) == (op == "bool"));
  }
  if (const Unary* row = FindIn(kUnaries, op); row != nullptr && unary)
    return ApplyUnary(graph, *row, settled[0]);
  if (settled.size() != 2) return InvalidModel("{} of {} numbers", op, settled.size());
  if (const Operation* row = FindIn(kOperations, op))
    return ApplyBinary(graph, *row, settled[0], settled[1]);
  const Comparison* row = FindIn(kComparisons, op);
  if (row == nullptr) return InvalidModel("{} of two numbers", op);
  if (settled[0].IsSymbol() || settled[1].IsSymbol())
    return Unsupported("the model decides by a size that is known only while running")
        .Fix("export it for inputs of a fixed size");
  if (!settled[0].Is(Kind::kFloat) && !settled[1].Is(Kind::kFloat) && op == "eq")
    return Value::Bool(settled[0].integer == settled[1].integer);
  return Value::Bool(row->holds(settled[0].AsReal(), settled[1].AsReal()));
}

Result<Value> NumberOfTensor(Graph& graph, ValueId tensor) {
  const auto& value = graph.value(tensor);
  if (const Tensor* constant = graph.Constant(tensor)) {
    if (constant->count() != 1)
      return InvalidModel("a tensor of {} elements is no number", constant->count());
    ATH_TRY(const std::vector<double> reals, ToDoubles(*constant));
    if (constant->dtype() == DType::kBool) return Value::Bool(reals[0] != 0);
    if (IsFloat(constant->dtype())) return Value::Float(reals[0]);
    ATH_TRY(const std::vector<std::int64_t> ints, ToInts(*constant));
    return Value::Int(ints[0]);
  }
  if (!IsInteger(value.type.dtype))
    return Unsupported("the model turns a computed tensor of {} into a number",
                       value.type.ToString());
  ATH_TRY(const ValueId wide, graph.Add("Cast", {tensor}, {{"to", DType::kI64}}));
  const ValueId one = graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {1}));
  ATH_TRY(const ValueId flat, graph.Add("Reshape", {wide, one}));
  return Settled(graph, Value::Symbol(flat));
}

}  // namespace athanor::pytorch
