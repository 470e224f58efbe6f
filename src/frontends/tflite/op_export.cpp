#include "frontends/tflite/op_export.h"

#include <algorithm>
#include <numeric>

#include "core/checked.h"
#include "frontends/nhwc/window.h"
#include "frontends/row_table.h"

namespace athanor::tflite {
namespace {

bool IsOneElement(const Type& type) {
  return std::all_of(type.shape->begin(), type.shape->end(), [](const Dim& d) { return d.Is(1); });
}

// The shape of an element-wise operator's result; a size that is not known stays so.
Shape Broadcast(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const std::size_t shift = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    Dim& dim = result[i + shift];
    if (dim.Is(1) || (!dim.IsConst() && shorter[i].IsConst() && !shorter[i].Is(1)))
      dim = shorter[i];
  }
  return result;
}

bool IsComparison(schema::BuiltinOperator code) {
  constexpr schema::BuiltinOperator kComparisons[] = {
      schema::BuiltinOperator_EQUAL,      schema::BuiltinOperator_NOT_EQUAL,
      schema::BuiltinOperator_LESS,       schema::BuiltinOperator_LESS_EQUAL,
      schema::BuiltinOperator_GREATER,    schema::BuiltinOperator_GREATER_EQUAL,
      schema::BuiltinOperator_LOGICAL_OR, schema::BuiltinOperator_LOGICAL_AND,
  };
  return std::find(std::begin(kComparisons), std::end(kComparisons), code) !=
         std::end(kComparisons);
}

}  // namespace

FileExport::Options ArithmeticOptions(schema::BuiltinOperator code, schema::Activation activation) {
  const auto with = [activation](auto options) {
    options.activation = activation;
    return With(options);
  };
  if (code == schema::BuiltinOperator_ADD) return with(schema::AddOptionsT());
  if (code == schema::BuiltinOperator_SUB) return with(schema::SubOptionsT());
  if (code == schema::BuiltinOperator_MUL) return with(schema::MulOptionsT());
  if (code == schema::BuiltinOperator_DIV) return with(schema::DivOptionsT());
  return {};
}

Result<std::int64_t> OpExport::Axis(std::int64_t axis, std::size_t i) const {
  const std::int64_t rank = Rank(i), at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank) return InvalidModel("axis {} of rank {}", axis, rank);
  return at;
}

ValueId OpExport::Source(std::size_t i) const {
  const auto from = file.stored.find(node.inputs[i]);
  return on_integers && from != file.stored.end() ? from->second : node.inputs[i];
}

TensorIndex OpExport::Ints32(std::size_t i) {
  if (const Tensor* constant = Constant(i); constant != nullptr) {
    const Result<Ints> values = ToInts(*constant);
    if (values.ok()) {
      Tensor narrow = Tensor::FromVector<std::int32_t>(constant->dims(), Narrow(*values));
      return file.Constant(narrow, graph.value(node.inputs[i]).name);
    }
  }
  const TensorIndex wide = In(i);
  if (file.TypeOf(wide).dtype == DType::kI32) return wide;
  Type type = file.TypeOf(wide);
  type.dtype = DType::kI32;
  return Make(schema::BuiltinOperator_CAST, {wide}, type);
}

// Sizes and axes beyond 32 bits only ever mean the end of an axis.
std::vector<std::int32_t> OpExport::Narrow(const Ints& values) {
  std::vector<std::int32_t> narrow;
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  for (const std::int64_t value : values)
    narrow.push_back(static_cast<std::int32_t>(std::clamp(value, -kMost, kMost)));
  return narrow;
}

TensorIndex OpExport::IntsConstant(const Ints& values) {
  return file.Constant(
      Tensor::FromVector<std::int32_t>({static_cast<std::int64_t>(values.size())}, Narrow(values)),
      "list");
}

TensorIndex OpExport::IntConstant(std::int64_t value) {
  return file.Constant(Tensor::Scalar(Narrow({value})[0]), "number");
}

TensorIndex OpExport::Number(double value, DType dtype) {
  Tensor tensor = Tensor::Scalar(static_cast<float>(value));
  if (dtype == DType::kI32) tensor = Tensor::Scalar(static_cast<std::int32_t>(value));
  if (dtype == DType::kI64) tensor = Tensor::Scalar(static_cast<std::int64_t>(value));
  return file.Constant(tensor, "number");
}

TensorIndex OpExport::Floats(const Dims& dims, const std::vector<float>& values) {
  return file.Constant(Tensor::FromVector(dims, values), node.name + "/numbers");
}

Result<TensorIndex> OpExport::PerChannel(std::size_t i, std::int64_t rank, Axes axes) {
  const Type& type = InType(i);
  if (type.rank() != 1)
    return Unsupported("input {} is {}; one value per channel is written", i, type.ToString());
  if (axes == Axes::kLast || rank < 3) return In(i);
  Type column = type;
  column.shape->resize(static_cast<std::size_t>(rank) - 1, Dim(1));
  return Shaped(In(i), column);
}

Axes OpExport::Cheapest(std::size_t i) const {
  return file.Has(Source(i), Axes::kPlain) ? Axes::kPlain : Axes::kLast;
}

std::int64_t OpExport::At(std::int64_t axis, std::int64_t rank, Axes axes) {
  if (axes == Axes::kPlain || rank < 3 || axis == 0) return axis;
  return axis == 1 ? rank - 1 : axis - 1;
}

Ints OpExport::Ordered(const Ints& list, Axes axes) {
  if (axes == Axes::kPlain) return list;
  Ints ordered;
  for (const std::int64_t axis : nhwc::ChannelsLast(list.size()))
    ordered.push_back(list[static_cast<std::size_t>(axis)]);
  return ordered.empty() ? list : ordered;
}

TensorIndex OpExport::Make(schema::BuiltinOperator code, std::vector<TensorIndex> inputs,
                           const Type& type, const Options& options) {
  const TensorIndex result =
      file.AddTensor(fmt::format("{}/{}", node.name, schema::EnumNameBuiltinOperator(code)), type);
  file.AddOperator(code, std::move(inputs), {result}, options);
  return result;
}

TensorIndex OpExport::Binary(schema::BuiltinOperator code, TensorIndex a, TensorIndex b) {
  Type type = file.TypeOf(a);
  type.shape = Broadcast(*type.shape, *file.TypeOf(b).shape);
  if (IsComparison(code)) type.dtype = DType::kBool;
  return Make(code, {a, b}, type, ArithmeticOptions(code, schema::Activation_NONE));
}

TensorIndex OpExport::Reduced(schema::BuiltinOperator code, TensorIndex x, const Ints& axes,
                              bool keep) {
  Type type = file.TypeOf(x);
  Shape shape;
  for (std::int64_t axis = 0; axis < type.rank(); ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (!reduced) shape.push_back(type.dim(axis));
    if (reduced && keep) shape.emplace_back(1);
  }
  type.shape = std::move(shape);
  schema::ReducerOptionsT options;
  options.keep_dims = keep;
  return Make(code, {x, IntsConstant(axes)}, type, With(options));
}

TensorIndex OpExport::Shaped(TensorIndex tensor, const Type& type) {
  Ints shape;
  for (const Dim& dim : *type.shape) shape.push_back(dim.IsConst() ? dim.value() : -1);
  const Quantization scale = file.ScaleOf(tensor);
  Type result = file.TypeOf(tensor);
  result.shape = type.shape;
  const TensorIndex target = IntsConstant(shape);
  const TensorIndex made = file.AddTensor(node.name + "/RESHAPE", result, scale);
  file.AddOperator(schema::BuiltinOperator_RESHAPE, {tensor, target}, {made});
  return made;
}

TensorIndex OpExport::SizeOf(TensorIndex tensor, std::int64_t axis) {
  schema::ShapeOptionsT options;
  options.out_type = schema::TensorType_INT32;
  const std::int64_t rank = file.TypeOf(tensor).rank();
  const TensorIndex shape = Make(schema::BuiltinOperator_SHAPE, {tensor},
                                 Type::Tensor(DType::kI32, {rank}), With(options));
  return Make(schema::BuiltinOperator_GATHER, {shape, IntConstant(axis)},
              Type::Tensor(DType::kI32, {}), With(schema::GatherOptionsT()));
}

TensorIndex OpExport::Counting(TensorIndex tensor, std::int64_t axis) {
  const Dim size = file.TypeOf(tensor).dim(axis);
  if (size.IsConst()) {
    Ints numbers(static_cast<std::size_t>(size.value()));
    std::iota(numbers.begin(), numbers.end(), 0);
    return IntsConstant(numbers);
  }
  return Make(schema::BuiltinOperator_RANGE, {IntConstant(0), SizeOf(tensor, axis), IntConstant(1)},
              Type::Tensor(DType::kI32, {size}));
}

Result<TensorIndex> OpExport::ShapeOf(TensorIndex from, const Type& type, bool implied) {
  const Type source = file.TypeOf(from);  // a copy: tensors are added below
  Ints shape, picks;  // numbers, and where all of them stand behind the source's
  std::size_t open = 0, lost = 0;
  for (const Dim& dim : *type.shape) {
    const auto axis = std::find_if(source.shape->begin(), source.shape->end(),
                                   [&](const Dim& d) { return ProvablyEqual(d, dim); });
    const bool known = dim.IsConst(), found = axis != source.shape->end();
    open += known ? 0 : 1;
    lost += known || found ? 0 : 1;
    if (known || !found) {
      picks.push_back(source.rank() + static_cast<std::int64_t>(shape.size()));
      shape.push_back(known ? dim.value() : -1);
    } else {
      picks.push_back(axis - source.shape->begin());
    }
  }
  if (open == 0 || (open == 1 && implied)) {
    shape.clear();
    for (const Dim& dim : *type.shape) shape.push_back(dim.IsConst() ? dim.value() : -1);
    return IntsConstant(shape);
  }
  if (lost > 1)
    return Unsupported("{} does not follow from {}", type.ToString(), source.ToString());
  schema::ShapeOptionsT options;
  options.out_type = schema::TensorType_INT32;
  TensorIndex sizes = Make(schema::BuiltinOperator_SHAPE, {from},
                           Type::Tensor(DType::kI32, {source.rank()}), With(options));
  if (!shape.empty()) {
    const Dim all = source.rank() + static_cast<std::int64_t>(shape.size());
    sizes = Make(schema::BuiltinOperator_CONCATENATION, {sizes, IntsConstant(shape)},
                 Type::Tensor(DType::kI32, {all}), With(schema::ConcatenationOptionsT()));
  }
  return Make(schema::BuiltinOperator_GATHER, {sizes, IntsConstant(picks)},
              Type::Tensor(DType::kI32, {type.rank()}), With(schema::GatherOptionsT()));
}

Status OpExport::Emit(schema::BuiltinOperator code, std::vector<TensorIndex> inputs,
                      const Options& options, Axes axes) {
  std::vector<TensorIndex> outputs;
  for (const ValueId result : results) {
    // An output that is not wanted has a tensor all the same.
    outputs.push_back(result == kNoValue ? file.AddTensor(node.name + "/unused", OutType())
                                         : file.NewTensor(result, axes));
  }
  file.AddOperator(code, std::move(inputs), std::move(outputs), options);
  return {};
}

TensorIndex OpExport::Activated(TensorIndex tensor) {
  static constexpr std::pair<schema::Activation, schema::BuiltinOperator> kOperators[] = {
      {schema::Activation_RELU, schema::BuiltinOperator_RELU},
      {schema::Activation_RELU6, schema::BuiltinOperator_RELU6},
      {schema::Activation_RELU_N1_TO_1, schema::BuiltinOperator_RELU_N1_TO_1},
  };
  for (const auto& [known, code] : kOperators) {
    if (known == activation) return MakeLike(tensor, code, {tensor});
  }
  return tensor;
}

Status OpExport::Give(TensorIndex tensor, Axes axes) {
  file.Hold(results[0], axes, Activated(tensor));
  return {};
}

OpExport::Aligned OpExport::Align(std::span<const std::size_t> inputs) {
  const std::int64_t rank = OutType().rank();
  bool some_last = false, all_follow = rank > 2;
  for (const std::size_t i : inputs) {
    const ValueId id = Source(i);
    const Type& type = graph.value(id).type;
    all_follow &= type.rank() == rank || file.ConstantOf(id).has_value() || IsOneElement(type);
    some_last |= type.rank() == rank && !file.Has(id, Axes::kPlain);
  }
  Aligned result;
  if (some_last && all_follow) result.axes = Axes::kLast;
  for (const std::size_t i : inputs) {
    const ValueId id = Source(i);
    const Type& type = graph.value(id).type;
    const bool extends = result.axes == Axes::kLast && type.rank() < rank && !IsOneElement(type);
    result.tensors.push_back(extends ? file.Extended(id, rank)
                             : type.rank() < rank || result.axes == Axes::kPlain
                                 ? file.Get(id, Axes::kPlain)
                                 : file.Get(id, Axes::kLast));
  }
  return result;
}

OpExport::Aligned OpExport::Align(std::size_t count) {
  std::vector<std::size_t> inputs(count);
  std::iota(inputs.begin(), inputs.end(), 0);
  return Align(inputs);
}

const std::vector<ExportRow>& ExportTable() {
  static const std::vector<ExportRow> table =
      SortedRows({MathExportRows, NnExportRows, NormExportRows, RecurrentExportRows,
                  ReduceExportRows, TensorExportRows},
                 &ExportRow::op);
  return table;
}

const ExportRow* FindExportRow(std::string_view op) {
  return FindSorted(ExportTable(), &ExportRow::op, op);
}

}  // namespace athanor::tflite
