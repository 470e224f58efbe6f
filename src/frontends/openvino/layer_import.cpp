#include "frontends/openvino/layer_import.h"

#include <charconv>

#include "core/text.h"
#include "frontends/openvino/element_type.h"
#include "frontends/row_table.h"

namespace athanor::openvino {
namespace {

std::optional<float> ParseFloat(std::string_view text) {
  if (text == "inf") return std::numeric_limits<float>::infinity();
  if (text == "-inf") return -std::numeric_limits<float>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return static_cast<float>(value);
}

}  // namespace

const std::string* LayerImport::Find(std::string_view name) const {
  const auto found = layer.attributes.find(name);
  return found == layer.attributes.end() ? nullptr : &found->second;
}

void LayerImport::Wrong(std::string_view name, std::string_view expected) const {
  if (problem_.ok())
    problem_ = InvalidModel("attribute {} is {}; {} is expected", name,
                            Quote(Find(name)->substr(0, 40)), expected);
}

std::int64_t LayerImport::Int(std::string_view name, std::int64_t otherwise) const {
  const std::string* text = Find(name);
  if (text == nullptr) return otherwise;
  const auto values = ParseInts(*text);
  if (values && values->size() == 1) return (*values)[0];
  Wrong(name, "a whole number");
  return otherwise;
}

float LayerImport::Float(std::string_view name, float otherwise) const {
  const std::vector<float> values = Floats(name);
  if (values.empty()) return otherwise;
  if (values.size() != 1) Wrong(name, "one number");
  return values[0];
}

bool LayerImport::Bool(std::string_view name, bool otherwise) const {
  const std::string* text = Find(name);
  if (text == nullptr) return otherwise;
  if (*text == "true" || *text == "1") return true;
  if (*text != "false" && *text != "0") Wrong(name, "true or false");
  return false;
}

std::string LayerImport::Text(std::string_view name, std::string_view otherwise) const {
  const std::string* text = Find(name);
  return text == nullptr ? std::string(otherwise) : *text;
}

Ints LayerImport::List(std::string_view name) const {
  const std::string* text = Find(name);
  if (text == nullptr) return {};
  const auto values = ParseInts(*text);
  if (values) return *values;
  Wrong(name, "a list of whole numbers");
  return {};
}

std::vector<float> LayerImport::Floats(std::string_view name) const {
  std::vector<float> values;
  const std::string* text = Find(name);
  if (text == nullptr) return values;
  for (const std::string_view word : SplitWords(*text)) {
    const std::optional<float> value = ParseFloat(word);
    if (!value) Wrong(name, "a number");
    values.push_back(value.value_or(0));
  }
  return values;
}

Result<std::int64_t> LayerImport::Rank(std::size_t i) const {
  if (!InType(i).HasRank()) return Unsupported("the rank of input {} is not known", i);
  return InType(i).rank();
}

Result<Dims> LayerImport::StaticDims(std::size_t i) const {
  const std::optional<Dims> dims = InType(i).StaticDims();
  if (!dims)
    return Unsupported("input {} is {}; here its shape must be known", i, InType(i).ToString());
  return *dims;
}

Result<std::int64_t> LayerImport::Axis(std::int64_t axis, std::int64_t rank) const {
  const std::int64_t from_front = axis < 0 ? axis + rank : axis;
  if (from_front < 0 || from_front >= rank)
    return InvalidModel("axis {} does not exist: the input has {}", axis, rank);
  return from_front;
}

Result<Ints> LayerImport::KnownInts(std::size_t i) const {
  if (const Tensor* tensor = Constant(i)) return ToInts(*tensor);
  const std::optional<Shape>& ints = graph.value(inputs[i]).ints;
  Ints values;
  for (const Dim& dim : ints.value_or(Shape{Dim::Unknown()})) {
    if (!dim.IsConst()) return Unsupported("input {} must be known when the model is read", i);
    values.push_back(dim.value());
  }
  return values;
}

Result<std::int64_t> LayerImport::KnownInt(std::size_t i) const {
  ATH_TRY(const Ints values, KnownInts(i));
  if (values.size() == 1) return values[0];
  return InvalidModel("input {} has {} numbers; one is expected", i, values.size());
}

Result<std::vector<float>> LayerImport::KnownFloats(std::size_t i) const {
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr) return Unsupported("input {} must be a constant", i);
  ATH_TRY(const std::vector<double> values, ToDoubles(*tensor));
  return std::vector<float>(values.begin(), values.end());
}

Result<ValueId> LayerImport::AsInts(std::size_t i) {
  const Type type = InType(i);
  if (!type.HasRank() || type.rank() > 1)
    return InvalidModel("input {} is {}; a list is expected", i, type.ToString());
  if (Constant(i) != nullptr) {
    ATH_TRY(const Ints values, KnownInts(i));
    return ConstantInts(values);
  }
  ATH_TRY(const ValueId value, Cast(In(i), DType::kI64));
  if (type.rank() == 1) return value;
  return Add("Unsqueeze", {value, ConstantInts({0})});
}

ValueId LayerImport::ConstantInts(const Ints& values) {
  return graph.AddConstant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

ValueId LayerImport::ConstantInt(std::int64_t value) {
  return graph.AddConstant(Tensor::Scalar(value));
}

Result<ValueId> LayerImport::Number(double value, ValueId like) {
  const DType dtype = TypeOf(like).dtype;
  Tensor tensor;
  ATH_RETURN_IF_ERROR(Dispatch(NumericTypes(), dtype, [&]<class T>(TypeTag<T>) -> Status {
    tensor = Tensor::Scalar<T>(T(static_cast<float>(value)));
    return {};
  }));
  return graph.AddConstant(std::move(tensor));
}

Result<ValueId> LayerImport::Add(std::string_view op, Operands in, AttrMap attributes) {
  return graph.Add(op, in, std::move(attributes), layer.name);
}

Result<std::vector<ValueId>> LayerImport::AddMany(std::string_view op, Operands in,
                                                  AttrMap attributes, std::size_t count) {
  Graph::NewNode node = {.op = op,
                         .inputs = in.ToVector(),
                         .attributes = std::move(attributes),
                         .num_outputs = count,
                         .name = layer.name};
  ATH_TRY(const NodeId id, graph.AddNode(std::move(node)));
  return graph.node(id).outputs;
}

Result<ValueId> LayerImport::Cast(ValueId x, DType to) {
  if (TypeOf(x).dtype == to) return x;
  return Add("Cast", {x}, {{"to", to}});
}

Result<ValueId> LayerImport::Permuted(ValueId x, const Ints& perm) {
  return Add("Transpose", {x}, {{"perm", perm}});
}

Result<ValueId> LayerImport::Shaped(ValueId x, const Ints& shape) {
  return Add("Reshape", {x, ConstantInts(shape)});
}

Result<DType> LayerImport::TypeAttribute(std::string_view name, std::string_view otherwise) const {
  const std::string text = Text(name, otherwise);
  const std::optional<DType> dtype = DTypeOf(text);
  if (!dtype)
    return Error(ErrorCode::kUnsupportedType, "{} {} is not read", name, Quote(text.substr(0, 40)));
  return *dtype;
}

Status LayerImport::Give(Result<ValueId> value) {
  if (!value.ok()) return std::move(value).status();
  outputs = {*value};
  return {};
}

std::function<Status(LayerImport&)> Same(std::string_view op) {
  return [op](LayerImport& ctx) { return ctx.Give(ctx.Add(op, ctx.inputs)); };
}

const std::vector<Row>& Table() {
  static const std::vector<Row> table =
      SortedRows({ControlRows, MathRows, NnRows, RecurrentRows, TensorRows}, &Row::type);
  return table;
}

const Row* FindRow(std::string_view type) { return FindSorted(Table(), &Row::type, type); }

}  // namespace athanor::openvino
