#include "frontends/pytorch/op_import.h"

#include <algorithm>
#include <limits>

#include "core/text.h"
#include "frontends/pytorch/scalar_type.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;

// So that rows can compute with sizes, positions and counts.
constexpr std::int64_t kLargest = std::int64_t{1} << 40;

// Kinds of element types in the order of promotion.
int Rung(DType dtype) {
  if (IsComplex(dtype)) return 3;
  if (IsFloat(dtype)) return 2;
  return dtype == DType::kBool ? 0 : 1;
}

// Of two types of one rung. Two 16-bit floats meet in f32; u8 and a signed one in the next larger.
DType Wider(DType a, DType b) {
  if (a == b) return a;
  if (Rung(a) != Rung(b)) return Rung(a) > Rung(b) ? a : b;
  const std::size_t size_a = ElementBytes(a), size_b = ElementBytes(b);
  if (size_a != size_b) {
    const DType wide = size_a > size_b ? a : b, narrow = size_a > size_b ? b : a;
    return IsSigned(narrow) && !IsSigned(wide) && IsInteger(wide) ? DType::kI64 : wide;
  }
  if (IsFloat(a)) return DType::kF32;
  return size_a == 1 ? DType::kI16 : size_a == 2 ? DType::kI32 : DType::kI64;
}

}  // namespace

void OpImport::Fail(Status status) {
  if (problem_.ok()) problem_ = std::move(status);
}

const Value& OpImport::Arg(std::string_view name) const {
  for (std::size_t i = 0; i < schema_.parameters.size(); ++i) {
    if (schema_.parameters[i].name == name) return arguments_[i];
  }
  ATH_CHECK(false, "a row asks for parameters of its own signature");
}

ValueId OpImport::Use(const Value& tensor) {
  if (!ok() || tensor.IsNone()) return kNoValue;
  Result<ValueId> read = Operators::Read(graph, *tensor.tensor);
  if (read.ok()) return *read;
  Fail(std::move(read).status());
  return kNoValue;
}

ValueId OpImport::Tensor(std::string_view name) { return Use(Arg(name)); }

std::vector<ValueId> OpImport::Tensors(std::string_view name) {
  std::vector<ValueId> ids;
  const Value& list = Arg(name);
  if (list.IsNone()) return ids;
  for (const Value& item : list.items->values) ids.push_back(Use(item));
  return ids;
}

std::int64_t OpImport::Int(std::string_view name) {
  const Value& value = Arg(name);
  if (value.IsSymbol()) {
    const auto& known = graph.value(value.symbol).ints;
    if (known && known->size() == 1 && (*known)[0].IsConst()) return (*known)[0].value();
    Fail(Unsupported("{} is computed while running; a number is expected", name));
  }
  if (value.integer < -kLargest || value.integer > kLargest) {
    // Ends of slices are written as the largest number there is.
    if (value.integer == std::numeric_limits<std::int64_t>::max()) return value.integer;
    Fail(InvalidModel("{} is {}, which is no size", name, value.integer));
    return 0;
  }
  return value.integer;
}

double OpImport::Real(std::string_view name) {
  const Value& value = Arg(name);
  if (value.IsSymbol()) Fail(Unsupported("{} is computed while running", name));
  return value.AsReal();
}

std::string OpImport::Text(std::string_view name) const {
  const Value& value = Arg(name);
  return value.Is(Kind::kString) ? *value.text : "";
}

std::vector<Value> OpImport::Sizes(std::string_view name) const {
  const Value& value = Arg(name);
  if (value.IsNone()) return {};
  if (value.IsSequence()) return value.items->values;
  return {value};
}

Ints OpImport::IntList(std::string_view name, std::size_t count) {
  Ints numbers;
  for (const Value& value : Sizes(name)) {
    if (value.IsSymbol()) {
      const auto& known = graph.value(value.symbol).ints;
      if (!known || known->size() != 1 || !(*known)[0].IsConst()) {
        Fail(Unsupported("{} is computed while running; numbers are expected", name));
        return Ints(count, 1);
      }
      numbers.push_back((*known)[0].value());
      continue;
    }
    numbers.push_back(value.integer);
    if (value.integer < -kLargest || value.integer > kLargest) {
      Fail(InvalidModel("{} holds {}, which is no size", name, value.integer));
      return Ints(count, 1);
    }
  }
  if (count == 0 || numbers.empty() || numbers.size() == count) return numbers;
  if (numbers.size() == 1) return Ints(count, numbers[0]);
  Fail(InvalidModel("{} has {} numbers; {} are expected", name, numbers.size(), count));
  return Ints(count, 1);
}

std::int64_t OpImport::NormalAxis(std::int64_t axis, std::int64_t rank) {
  if (!ok()) return 0;
  const std::int64_t span = std::max<std::int64_t>(rank, 1);
  if (axis < -span || axis >= span) {
    Fail(InvalidModel("axis {} of a tensor of rank {}", axis, rank));
    return 0;
  }
  return axis < 0 ? axis + span : axis;
}

std::int64_t OpImport::Axis(std::string_view name, std::int64_t rank) {
  return NormalAxis(Int(name), rank);
}

Ints OpImport::Axes(std::string_view name, std::int64_t rank) {
  Ints axes = IntList(name);
  for (std::int64_t& axis : axes) axis = NormalAxis(axis, rank);
  if (axes.empty()) {
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    Fail(InvalidModel("{} names an axis twice", name));
  return axes;
}

ValueId OpImport::Operand(std::string_view name, DType dtype) {
  const Value& value = Arg(name);
  if (value.Is(Kind::kTensor)) return Cast(Use(value), dtype);
  if (value.IsSymbol()) return Cast(Squeeze(value.symbol, {0}), dtype);
  if (value.Is(Kind::kInt) && dtype == DType::kI64)
    return Constant(athanor::Tensor::Scalar(value.integer));
  return Number(value.AsReal(), dtype);
}

DType OpImport::TypeOr(std::string_view name, DType otherwise) {
  const Value& value = Arg(name);
  if (!value.Is(Kind::kInt)) return otherwise;
  const Result<DType> dtype = DTypeOfScalarType(value.integer);
  if (dtype.ok()) return *dtype;
  Fail(dtype.status());
  return otherwise;
}

const Type& OpImport::TypeOf(ValueId x) const {
  static const Type nothing;
  return x == kNoValue ? nothing : graph.value(x).type;
}

std::int64_t OpImport::Rank(ValueId x) {
  if (!ok()) return 0;
  if (x != kNoValue && TypeOf(x).HasRank()) return TypeOf(x).rank();
  Fail(Unsupported("a tensor has no known rank"));
  return 0;
}

Dim OpImport::DimOf(ValueId x, std::int64_t axis) {
  if (!ok() || axis < 0 || axis >= Rank(x)) return Dim::Unknown();
  return TypeOf(x).dim(axis);
}

std::int64_t OpImport::Static(ValueId x, std::int64_t axis) {
  const Dim dim = DimOf(x, axis);
  if (dim.IsConst() && dim.value() >= 0 && dim.value() <= kLargest) return dim.value();
  Fail(Unsupported("the size of axis {} must be known when the model is read; it is {}", axis,
                   dim.ToString())
           .Fix("export the model for inputs of a fixed size"));
  return 1;
}

DType OpImport::Promoted(std::string_view a, std::string_view b) {
  // By precedence: tensors with axes, tensors without, numbers.
  DType found[3] = {DType::kUndefined, DType::kUndefined, DType::kUndefined};
  for (const std::string_view name : {a, b}) {
    const Value& value = Arg(name);
    std::size_t level = 2;
    DType dtype = value.Is(Kind::kBool) ? DType::kBool : DType::kI64;
    if (value.Is(Kind::kFloat)) dtype = DType::kF32;
    if (value.Is(Kind::kTensor)) {
      const ValueId id = Use(value);
      level = TypeOf(id).HasRank() && TypeOf(id).rank() == 0 ? 1 : 0;
      dtype = DTypeOf(id);
    }
    found[level] = found[level] == DType::kUndefined ? dtype : Wider(found[level], dtype);
  }
  DType result = DType::kUndefined;
  for (const DType dtype : found) {
    if (dtype == DType::kUndefined) continue;
    if (result == DType::kUndefined || Rung(dtype) > Rung(result)) result = dtype;
  }
  return result;
}

std::vector<ValueId> OpImport::AddMany(std::string_view op, Operands inputs, std::size_t count,
                                       AttrMap attributes) {
  std::vector<ValueId> none(count, kNoValue);
  if (!ok()) return none;
  Result<NodeId> node = graph.AddNode({.op = op,
                                       .inputs = inputs.ToVector(),
                                       .attributes = std::move(attributes),
                                       .num_outputs = count,
                                       .name = name_});
  if (node.ok()) return graph.node(*node).outputs;
  Fail(std::move(node).status());
  return none;
}

ValueId OpImport::Add(std::string_view op, Operands inputs, AttrMap attributes) {
  return AddMany(op, inputs, 1, std::move(attributes))[0];
}

ValueId OpImport::Constant(athanor::Tensor tensor) {
  return ok() ? graph.AddConstant(std::move(tensor)) : kNoValue;
}

ValueId OpImport::Number(double value, DType dtype) {
  if (!ok()) return kNoValue;
  Result<athanor::Tensor> scalar = athanor::Tensor::Allocate(dtype, {});
  if (!scalar.ok()) {
    Fail(std::move(scalar).status());
    return kNoValue;
  }
  Status filled = Dispatch(
      TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
               std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t, bool>{},
      dtype, [&](auto tag) -> Status {
        using T = typename decltype(tag)::Type;
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
          if (!(value >= -0x1p63 && value < 0x1p63))
            return InvalidModel("{} is no {}", value, Name(dtype));
          scalar->MutableData<T>()[0] = static_cast<T>(static_cast<std::int64_t>(value));
        } else if constexpr (std::is_same_v<T, bool>) {
          scalar->MutableData<T>()[0] = value != 0;
        } else if constexpr (std::is_same_v<T, double>) {
          scalar->MutableData<T>()[0] = value;
        } else {
          scalar->MutableData<T>()[0] = static_cast<T>(static_cast<float>(value));
        }
        return {};
      });
  if (!filled.ok()) Fail(std::move(filled));
  return Constant(*std::move(scalar));
}

ValueId OpImport::IntConstants(const Ints& values) {
  return Constant(athanor::Tensor::FromVector<std::int64_t>(
      {static_cast<std::int64_t>(values.size())}, values));
}

ValueId OpImport::Cast(ValueId x, DType dtype) {
  if (!ok() || x == kNoValue || DTypeOf(x) == dtype) return x;
  return Add("Cast", {x}, {{"to", dtype}});
}

ValueId OpImport::Permute(ValueId x, const Ints& perm) {
  return Add("Transpose", {x}, {{"perm", perm}});
}

ValueId OpImport::SwapAxes(ValueId x, std::int64_t a, std::int64_t b) {
  const std::int64_t rank = Rank(x);
  if (!ok() || a == b) return x;
  Ints perm;
  for (std::int64_t i = 0; i < rank; ++i) perm.push_back(i == a ? b : i == b ? a : i);
  return Permute(x, perm);
}

ValueId OpImport::Reshape(ValueId x, const Ints& shape) {
  return Add("Reshape", {x, IntConstants(shape)});
}
ValueId OpImport::Squeeze(ValueId x, const Ints& axes) {
  return Add("Squeeze", {x, IntConstants(axes)});
}
ValueId OpImport::Unsqueeze(ValueId x, const Ints& axes) {
  return Add("Unsqueeze", {x, IntConstants(axes)});
}
ValueId OpImport::Slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end,
                        std::int64_t step) {
  return Add("Slice", {x, IntConstants({begin}), IntConstants({end}), IntConstants({axis}),
                       IntConstants({step})});
}

ValueId OpImport::SizeOf(ValueId x, std::int64_t axis) {
  return Add("Shape", {x}, {{"start", axis}, {"end", axis + 1}});
}

Value OpImport::SizeValue(ValueId x, std::int64_t axis) {
  const Dim dim = DimOf(x, axis);
  if (dim.IsConst()) return Value::Int(dim.value());
  return Value::Symbol(SizeOf(x, axis));
}

ValueId OpImport::Shape(const std::vector<Value>& sizes) {
  const bool known =
      std::none_of(sizes.begin(), sizes.end(), [](const Value& v) { return v.IsSymbol(); });
  Ints numbers;
  if (known) {
    for (const Value& size : sizes) numbers.push_back(size.integer);
    return IntConstants(numbers);
  }
  std::vector<ValueId> parts;
  for (const Value& size : sizes) {
    if (size.IsSymbol()) {
      if (!numbers.empty()) parts.push_back(IntConstants(numbers));
      numbers.clear();
      parts.push_back(size.symbol);
    } else {
      numbers.push_back(size.integer);
    }
  }
  if (!numbers.empty()) parts.push_back(IntConstants(numbers));
  if (parts.size() == 1) return parts[0];
  return Add("Concat", parts, {{"axis", std::int64_t{0}}});
}

ValueId OpImport::Reduce(std::string_view op, ValueId x, const Ints& axes, bool keep) {
  return Add(op, {x, IntConstants(axes)}, {{"keepdims", std::int64_t{keep ? 1 : 0}}});
}

Value OpImport::GiveList(const std::vector<ValueId>& xs) {
  std::vector<Value> values;
  for (const ValueId x : xs) values.push_back(Give(x));
  return heap.List(std::move(values));
}

Value OpImport::GiveTuple(const std::vector<ValueId>& xs) {
  Value list = GiveList(xs);
  list.kind = Kind::kTuple;
  return list;
}

}  // namespace athanor::pytorch
