#include "frontends/pytorch/script_builtins.h"

#include <algorithm>

#include "core/checked.h"
#include "frontends/pytorch/numbers.h"
#include "frontends/pytorch/scalar_type.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;
using Values = std::span<const Value>;

constexpr int kDeepestValue = 64;
constexpr std::size_t kMostItems = 1 << 20;

bool SameValues(const Value& a, const Value& b, int depth = 0) {
  if (depth > kDeepestValue) return false;
  if (a.IsNumber() && b.IsNumber() && !a.IsSymbol() && !b.IsSymbol())
    return a.AsReal() == b.AsReal();
  if (a.kind != b.kind) return false;
  if (a.Is(Kind::kString) || a.Is(Kind::kGlobal)) return *a.text == *b.text;
  if (!a.IsSequence())
    return a.IsNone() || (a.symbol == b.symbol && a.tensor == b.tensor && a.object == b.object &&
                          a.dictionary == b.dictionary);
  const auto &x = a.items->values, &y = b.items->values;
  return x.size() == y.size() &&
         std::equal(x.begin(), x.end(), y.begin(),
                    [&](const Value& p, const Value& q) { return SameValues(p, q, depth + 1); });
}

std::string Printed(const Value& value) {
  if (value.Is(Kind::kString)) return *value.text;
  if (value.Is(Kind::kFloat)) return fmt::format("{}", value.real);
  if (value.Is(Kind::kInt) && !value.IsSymbol()) return std::to_string(value.integer);
  if (value.Is(Kind::kBool)) return value.integer != 0 ? "True" : "False";
  return std::string(NameOf(value.kind));
}

// ---- functions of numbers under their names in scripts

// "" for a name that is none.
std::string_view NumberName(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"__and__", "and"},   {"__not__", "not"}, {"__or__", "or"},    {"div", "truediv"},
      {"Float", "float"},   {"Int", "int"},     {"prim.max", "max"}, {"prim.min", "min"},
      {"remainder", "mod"}, {"prim.abs", ""}};
  for (const auto& [from, to] : kNames) {
    if (from == name) return to;
  }
  return IsNumberOperation(name) ? name : "";
}

// ---- functions of lists and the like

using Context = Builtins;

Result<Value> Length(Context, Values values) {
  if (values[0].Is(Kind::kString)) return Value::Int(std::ssize(*values[0].text));
  if (values[0].Is(Kind::kDict)) return Value::Int(std::ssize(values[0].dictionary->entries));
  return Value::Int(std::ssize(values[0].items->values));
}
Result<Value> GetItem(Context, Values values) { return ItemAt(values[0], values[1]); }
Result<Value> Append(Context, Values values) {
  if (values[0].items->values.size() >= kMostItems)
    return Error(ErrorCode::kResource, "a list has more than {} items", kMostItems);
  values[0].items->values.push_back(values[1]);
  return values[0];
}
Result<Value> Extend(Context, Values values) {
  const std::vector<Value> more = values[1].items->values;
  auto& list = values[0].items->values;
  if (list.size() + more.size() > kMostItems)
    return Error(ErrorCode::kResource, "a list has more than {} items", kMostItems);
  list.insert(list.end(), more.begin(), more.end());
  return values[0];
}
Result<Value> Insert(Context, Values values) {
  auto& list = values[0].items->values;
  const std::int64_t at = values[1].integer + (values[1].integer < 0 ? std::ssize(list) : 0);
  if (at < 0 || at > std::ssize(list)) return InvalidModel("item {} of {}", at, list.size());
  list.insert(list.begin() + at, values[2]);
  return Value();
}
Result<Value> SetItem(Context, Values values) {
  auto& list = values[0].items->values;
  const std::int64_t at = values[1].integer + (values[1].integer < 0 ? std::ssize(list) : 0);
  if (at < 0 || at >= std::ssize(list)) return InvalidModel("item {} of {}", at, list.size());
  list[static_cast<std::size_t>(at)] = values[2];
  return values[0];
}
Result<Value> Joined(Context context, Values values) {
  std::vector<Value> all = values[0].items->values;
  const auto& more = values[1].items->values;
  if (all.size() + more.size() > kMostItems)
    return Error(ErrorCode::kResource, "a list has more than {} items", kMostItems);
  all.insert(all.end(), more.begin(), more.end());
  return context.heap.Sequence(values[0].kind, std::move(all));
}
Result<Value> Repeated(Context context, Values values) {
  std::vector<Value> all;
  const auto& once = values[0].items->values;
  for (std::int64_t i = 0; i < values[1].integer; ++i) {
    if (all.size() + once.size() > kMostItems)
      return Error(ErrorCode::kResource, "a list has more than {} items", kMostItems);
    if (once.empty()) break;
    all.insert(all.end(), once.begin(), once.end());
  }
  return context.heap.List(std::move(all));
}
Result<Value> CopyOfList(Context context, Values values) {
  return context.heap.List(values[0].items->values);
}
Result<Value> SliceOfList(Context context, Values values) {
  const auto& list = values[0].items->values;
  const auto place = [&](const Value& value, std::int64_t otherwise) {
    if (value.IsNone()) return otherwise;
    const std::int64_t at = value.integer < 0 ? value.integer + std::ssize(list) : value.integer;
    return std::clamp<std::int64_t>(at, 0, std::ssize(list));
  };
  const std::int64_t begin = values.size() > 1 ? place(values[1], 0) : 0;
  const std::int64_t end =
      values.size() > 2 ? place(values[2], std::ssize(list)) : std::ssize(list);
  const std::int64_t step = values.size() > 3 && !values[3].IsNone() ? values[3].integer : 1;
  if (step < 1) return Unsupported("a step of {} is not read", step);
  std::vector<Value> part;
  for (std::int64_t i = begin; i < end; i += std::min(step, end - i))
    part.push_back(list[static_cast<std::size_t>(i)]);
  return context.heap.List(std::move(part));
}
Result<Value> Contains(Context, Values values) {
  if (values[0].Is(Kind::kDict)) {
    for (const auto& [key, value] : values[0].dictionary->entries) {
      if (SameValues(key, values[1])) return Value::Bool(true);
    }
    return Value::Bool(false);
  }
  const auto& list = values[0].items->values;
  return Value::Bool(std::any_of(list.begin(), list.end(),
                                 [&](const Value& item) { return SameValues(item, values[1]); }));
}
Result<Value> IsSame(Context, Values values) {
  return Value::Bool(values[0].IsNone() ? values[1].IsNone() : SameValues(values[0], values[1]));
}
Result<Value> IsOther(Context context, Values values) {
  ATH_TRY(const Value same, IsSame(context, values));
  return Value::Bool(same.integer == 0);
}
Result<Value> First(Context, Values values) { return values[0]; }
Result<Value> Nothing(Context, Values) { return Value(); }
Result<Value> No(Context, Values) { return Value::Bool(false); }
Result<Value> Yes(Context, Values) { return Value::Bool(true); }
// How often a loop from begin to end runs, and the number in its i-th round.
Result<Value> RangeLength(Context, Values values) {
  const std::int64_t begin = values[0].integer, end = values[1].integer, step = values[2].integer;
  if (step < 1 || end <= begin) return Value::Int(0);
  const auto span = CheckedAdd(end, -begin);
  return span ? Value::Int((*span - 1) / step + 1)
              : Result<Value>(InvalidModel("a range too long"));
}
Result<Value> DeriveIndex(Context, Values values) {
  const auto way = CheckedMul(values[0].integer, values[2].integer);
  const auto at = way ? CheckedAdd(values[1].integer, *way) : std::nullopt;
  return at ? Value::Int(*at) : Result<Value>(InvalidModel("a range too long"));
}
Result<Value> Extreme(Context context, Values values, std::string_view operation) {
  const auto& list = values[0].items->values;
  if (list.empty()) return InvalidModel("the {} of nothing", operation);
  Value best = list[0];
  for (const Value& item : list) {
    const Value two[] = {best, item};
    ATH_TRY(best, NumberOperation(context.graph, operation, two));
  }
  return best;
}
Result<Value> Largest(Context context, Values values) { return Extreme(context, values, "max"); }
Result<Value> Smallest(Context context, Values values) { return Extreme(context, values, "min"); }
Result<Value> AnyHolds(Context context, Values values) {
  for (const Value& item : values[0].items->values) {
    ATH_TRY(const bool holds, TruthOf(context.graph, item));
    if (holds) return Value::Bool(true);
  }
  return Value::Bool(false);
}
Result<Value> AllHold(Context context, Values values) {
  for (const Value& item : values[0].items->values) {
    ATH_TRY(const bool holds, TruthOf(context.graph, item));
    if (!holds) return Value::Bool(false);
  }
  return Value::Bool(true);
}
// "{} of {}" with values in the braces.
Result<Value> Format(Context context, Values values) {
  std::string out;
  std::string_view rest = *values[0].text;
  for (std::size_t i = 1;; ++i) {
    const std::size_t hole = rest.find("{}");
    out += rest.substr(0, hole);
    if (hole == std::string_view::npos) break;
    if (i < values.size()) out += Printed(values[i]);
    rest.remove_prefix(hole + 2);
  }
  return context.heap.String(out);
}
Result<Value> Str(Context context, Values values) {
  return context.heap.String(Printed(values[0]));
}
Result<Value> Raise(Context, Values values) {
  return Unsupported("the model's own check fails: {}", Printed(values[0]));
}

// ---- between numbers and tensors

Result<Value> NumToTensor(Context context, Values values) {
  const Value& number = values[0];
  if (number.IsSymbol()) {
    const ValueId axis = context.graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {0}));
    ATH_TRY(const ValueId scalar, context.graph.Add("Squeeze", {number.symbol, axis}));
    return context.heap.NewTensor(scalar);
  }
  const Tensor scalar = number.Is(Kind::kFloat) ? Tensor::Scalar(static_cast<float>(number.real))
                        : number.Is(Kind::kBool)
                            ? Tensor::FromVector<bool>({}, {number.integer != 0})
                            : Tensor::Scalar(number.integer);
  return context.heap.NewTensor(context.graph.AddConstant(scalar));
}
Result<Value> TensorToNumber(Context context, Values values) {
  ATH_TRY(const ValueId id, Operators::Read(context.graph, *values[0].tensor));
  return NumberOfTensor(context.graph, id);
}
Result<Value> TensorToInt(Context context, Values values) {
  ATH_TRY(const Value number, TensorToNumber(context, values));
  return NumberOperation(context.graph, "int", {&number, 1});
}
Result<Value> TensorToFloat(Context context, Values values) {
  ATH_TRY(const Value number, TensorToNumber(context, values));
  return NumberOperation(context.graph, "float", {&number, 1});
}
Result<Value> TensorToBool(Context context, Values values) {
  ATH_TRY(const Value number, TensorToNumber(context, values));
  return NumberOperation(context.graph, "bool", {&number, 1});
}
Result<Value> TypeOfTensor(Context context, Values values) {
  ATH_TRY(const ValueId id, Operators::Read(context.graph, *values[0].tensor));
  return Value::Int(ScalarTypeOf(context.graph.value(id).type.dtype));
}
Result<Value> IsFloatingPoint(Context context, Values values) {
  ATH_TRY(const ValueId id, Operators::Read(context.graph, *values[0].tensor));
  return Value::Bool(IsFloat(context.graph.value(id).type.dtype));
}
Result<Value> DeviceOfTensor(Context context, Values) { return context.heap.String("cpu"); }

// Nested lists of numbers, flat, and their shape.
Status Flatten(const Value& value, int depth, Dims& dims, std::vector<double>& out, bool& real) {
  if (!value.IsSequence()) {
    if (!value.IsNumber() || value.IsSymbol())
      return Unsupported("a tensor of {}", NameOf(value.kind));
    real = real || value.Is(Kind::kFloat);
    out.push_back(value.AsReal());
    return {};
  }
  if (depth > 16 || out.size() > kMostItems) return Error(ErrorCode::kResource, "too many numbers");
  const auto& items = value.items->values;
  if (dims.size() == static_cast<std::size_t>(depth)) dims.push_back(std::ssize(items));
  if (dims[static_cast<std::size_t>(depth)] != std::ssize(items))
    return InvalidModel("lists of different lengths");
  for (const Value& item : items) {
    ATH_RETURN_IF_ERROR(Flatten(item, depth + 1, dims, out, real));
  }
  return {};
}
Result<Value> TensorOfNumbers(Context context, Values values) {
  Dims dims;
  std::vector<double> numbers;
  bool real = false;
  ATH_RETURN_IF_ERROR(Flatten(values[0], 0, dims, numbers, real));
  DType dtype = real ? DType::kF32 : values[0].Is(Kind::kBool) ? DType::kBool : DType::kI64;
  if (values.size() > 1 && values[1].Is(Kind::kInt)) {
    ATH_TRY(dtype, DTypeOfScalarType(values[1].integer));
  }
  if (CheckedCount(dims) != std::ssize(numbers)) return InvalidModel("lists of different lengths");
  std::vector<float> reals(numbers.begin(), numbers.end());
  std::vector<std::int64_t> integers;
  ValueId id = kNoValue;
  if (real) {
    id = context.graph.AddConstant(Tensor::FromVector<float>(dims, reals));
  } else {
    for (const double number : numbers) integers.push_back(static_cast<std::int64_t>(number));
    id = context.graph.AddConstant(Tensor::FromVector<std::int64_t>(dims, integers));
  }
  if (context.graph.value(id).type.dtype != dtype) {
    ATH_TRY(id, context.graph.Add("Cast", {id}, {{"to", dtype}}));
  }
  return context.heap.NewTensor(id);
}

Result<Value> DictItems(Context context, Values values) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : values[0].dictionary->entries)
    pairs.push_back(context.heap.Tuple({key, value}));
  return context.heap.List(std::move(pairs));
}
Result<Value> DictKeys(Context context, Values values) {
  std::vector<Value> keys;
  for (const auto& [key, value] : values[0].dictionary->entries) keys.push_back(key);
  return context.heap.List(std::move(keys));
}
Result<Value> DictValues(Context context, Values values) {
  std::vector<Value> all;
  for (const auto& [key, value] : values[0].dictionary->entries) all.push_back(value);
  return context.heap.List(std::move(all));
}

// `takes`: one letter per argument that must be there: l a list or tuple, d a dictionary, c any of
// those or a text, i an int, s a text, t a tensor, . anything; more may follow.
struct Function {
  std::string_view name, takes;
  Result<Value> (*call)(Context, Values) = nullptr;
};
constexpr Function kFunctions[] = {
    {"Bool", "t", TensorToBool},
    {"Float", "t", TensorToFloat},
    {"FloatImplicit", "t", TensorToFloat},
    {"Int", "t", TensorToInt},
    {"IntImplicit", "t", TensorToInt},
    {"ScalarImplicit", "t", TensorToNumber},
    {"__contains__", "d.", Contains},
    {"__contains__", "l.", Contains},
    {"__derive_index", "iii", DeriveIndex},
    {"__getitem__", "d.", GetItem},
    {"__getitem__", "li", GetItem},
    {"__is__", "..", IsSame},
    {"__isnot__", "..", IsOther},
    {"__range_length", "iii", RangeLength},
    {"_set_item", "li.", SetItem},
    {"add", "ll", Joined},
    {"all", "l", AllHold},
    {"any", "l", AnyHolds},
    {"append", "l.", Append},
    {"bool", "t", TensorToBool},
    {"device", "s", First},
    {"extend", "ll", Extend},
    {"float", "t", TensorToFloat},
    {"format", "s", Format},
    {"insert", "li.", Insert},
    {"int", "t", TensorToInt},
    {"is_floating_point", "t", IsFloatingPoint},
    {"is_autocast_cpu_enabled", "", No},
    {"is_autocast_enabled", "", No},
    // With gradients wanted, layers take the way that is made of plain operators.
    {"is_grad_enabled", "", Yes},
    {"item", "t", TensorToNumber},
    {"items", "d", DictItems},
    {"keys", "d", DictKeys},
    {"len", "c", Length},
    {"list", "l", CopyOfList},
    {"mul", "li", Repeated},
    {"prim.NumToTensor", ".", NumToTensor},
    {"prim.Print", "", Nothing},
    {"prim.RaiseException", ".", Raise},
    {"prim.data", "t", First},
    {"prim.device", "t", DeviceOfTensor},
    {"prim.dtype", "t", TypeOfTensor},
    {"prim.is_cuda", "t", No},
    {"prim.is_mkldnn", "t", No},
    {"prim.is_mps", "t", No},
    {"prim.is_nested", "t", No},
    {"prim.is_quantized", "t", No},
    {"prim.is_sparse", "t", No},
    {"prim.is_xpu", "t", No},
    {"prim.layout", "t", Nothing},
    {"prim.max", "l", Largest},
    {"prim.min", "l", Smallest},
    {"prim.requires_grad", "t", Yes},
    {"prim.type", "s", First},
    {"prim.unchecked_cast", ".", First},
    {"prim.unchecked_unwrap_optional", ".", First},
    {"requires_grad", "t", Yes},
    {"set_grad_enabled", "", Nothing},
    {"slice", "l", SliceOfList},
    {"str", ".", Str},
    {"tensor", ".", TensorOfNumbers},
    {"values", "d", DictValues},
    {"warn", "", Nothing},
};

bool Takes(std::string_view takes, Values values) {
  if (values.size() < takes.size()) return false;
  for (std::size_t i = 0; i < takes.size(); ++i) {
    const Value& value = values[i];
    const bool container = value.IsSequence() || value.Is(Kind::kDict) || value.Is(Kind::kString);
    const bool fits = takes[i] == '.'   ? true
                      : takes[i] == 'l' ? value.IsSequence()
                      : takes[i] == 'd' ? value.Is(Kind::kDict)
                      : takes[i] == 'c' ? container
                      : takes[i] == 'i' ? value.Is(Kind::kInt) && !value.IsSymbol()
                      : takes[i] == 's' ? value.Is(Kind::kString)
                                        : value.Is(Kind::kTensor);
    if (!fits) return false;
  }
  return true;
}

}  // namespace

Result<Value> ItemAt(const Value& container, const Value& index) {
  if (container.Is(Kind::kDict)) {
    for (const auto& [key, value] : container.dictionary->entries) {
      if (SameValues(key, index)) return value;
    }
    return InvalidModel("a dictionary has no such key: {}", Printed(index));
  }
  if (!container.IsSequence() || !index.Is(Kind::kInt) || index.IsSymbol())
    return Unsupported("an item of {}", NameOf(container.kind));
  const auto& values = container.items->values;
  const std::int64_t at = index.integer + (index.integer < 0 ? std::ssize(values) : 0);
  if (at < 0 || at >= std::ssize(values))
    return InvalidModel("item {} of {}", index.integer, values.size());
  return values[static_cast<std::size_t>(at)];
}

Result<bool> TruthOf(const Graph& graph, const Value& value) {
  const Value settled = Settled(graph, value);
  if (settled.IsNumber() && !settled.IsSymbol()) return settled.AsReal() != 0;
  if (settled.IsNone()) return false;
  if (settled.Is(Kind::kString)) return !settled.text->empty();
  if (settled.Is(Kind::kTensor) && settled.tensor->id != kNoValue) {
    if (const Tensor* constant = graph.Constant(settled.tensor->id);
        constant != nullptr && constant->count() == 1) {
      ATH_TRY(const std::vector<double> numbers, ToDoubles(*constant));
      return numbers[0] != 0;
    }
  }
  return Unsupported("the model decides by a value that is known only while running")
      .Fix("trace it for one way through: torch.jit.trace(model, (input,))");
}

Result<std::optional<Value>> CallBuiltin(Builtins context, std::string_view name,
                                         const Arguments& arguments) {
  const Values values = arguments.positional;
  const bool numbers = !values.empty() && std::all_of(values.begin(), values.end(),
                                                      [](const Value& v) { return v.IsNumber(); });
  if (numbers && arguments.named.empty()) {
    if (const std::string_view op = NumberName(name); !op.empty()) {
      ATH_TRY(const Value result, NumberOperation(context.graph, op, values));
      return std::optional<Value>(result);
    }
  }
  if ((name == "eq" || name == "ne") && values.size() == 2 && !values[0].Is(Kind::kTensor) &&
      !values[1].Is(Kind::kTensor) && !numbers)
    return std::optional<Value>(Value::Bool(SameValues(values[0], values[1]) == (name == "eq")));
  for (const Function& function : kFunctions) {
    if (function.name != name || !Takes(function.takes, values)) continue;
    ATH_TRY(const Value result, function.call(context, values));
    return std::optional<Value>(result);
  }
  return std::optional<Value>();
}

}  // namespace athanor::pytorch
