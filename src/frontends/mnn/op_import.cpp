#include "frontends/mnn/op_import.h"

#include "frontends/row_table.h"

namespace athanor::mnn {

OpImport::OpImport(NetState& net, const schema::Op& op, std::vector<ValueId> inputs,
                   std::size_t num_outputs)
    : LayerSteps(net.graph, op.name() == nullptr ? "" : op.name()->str()),
      net(net),
      op(op),
      inputs(std::move(inputs)),
      num_outputs(num_outputs) {}

Format OpImport::FormatOf(std::size_t i) const {
  const auto found = net.formats.find(inputs[i]);
  return found == net.formats.end() ? schema::Format_NCHW : found->second;
}

namespace {

template <class To, class T>
std::vector<To> Copied(OpImport& ctx, const flatbuffers::Vector<T>* items) {
  constexpr flatbuffers::uoffset_t kLongest = 1 << 14;
  if (items == nullptr) return {};
  if (items->size() <= kLongest) return {items->begin(), items->end()};
  ctx.Fail(InvalidModel("a list of {} numbers; up to {} are read", items->size(), kLongest));
  return {};
}

}  // namespace

IntList OpImport::List(const flatbuffers::Vector<std::int32_t>* items) {
  return Copied<std::int64_t>(*this, items);
}

std::vector<float> OpImport::List(const flatbuffers::Vector<float>* items) {
  return Copied<float>(*this, items);
}

Result<std::int64_t> OpImport::Rank(std::size_t i) const {
  if (!InType(i).HasRank()) return Unsupported("the rank of input {} is not known", i);
  return InType(i).rank();
}

Result<Dims> OpImport::StaticDims(std::size_t i) const {
  const std::optional<Dims> dims = InType(i).StaticDims();
  if (!dims)
    return Unsupported("input {} is {}; here its shape must be known", i, InType(i).ToString());
  return *dims;
}

Result<std::int64_t> OpImport::Axis(std::int64_t axis, std::int64_t rank) {
  const std::int64_t from_front = axis < 0 ? axis + rank : axis;
  if (from_front < 0 || from_front >= rank)
    return InvalidModel("axis {} does not exist: the input has {}", axis, rank);
  return from_front;
}

Result<IntList> OpImport::KnownInts(std::size_t i) const {
  if (const Tensor* tensor = Constant(i)) return ToInts(*tensor);
  IntList values;
  for (const Dim& dim : graph.value(inputs[i]).ints.value_or(Shape{Dim::Unknown()})) {
    if (!dim.IsConst()) return Unsupported("input {} must be known when the model is read", i);
    values.push_back(dim.value());
  }
  return values;
}

Result<std::int64_t> OpImport::KnownInt(std::size_t i) const {
  ATH_TRY(const IntList values, KnownInts(i));
  if (values.size() == 1) return values[0];
  return InvalidModel("input {} has {} numbers; one is expected", i, values.size());
}

ValueId OpImport::As(ValueId value, DType dtype) {
  if (!problem_.ok()) return kNoValue;
  if (TypeOf(value).dtype == dtype) return value;
  const NodeId producer = graph.value(value).producer;
  if (producer != kNoNode && graph.node(producer).op->name == "Cast") {
    const ValueId from = graph.node(producer).inputs[0];
    if (TypeOf(from).dtype == dtype) return from;
  }
  return Op("Cast", {value}, {{"to", dtype}});
}

ValueId OpImport::AsInts(std::size_t i) {
  const Type& type = InType(i);
  if (!type.HasRank() || type.rank() > 1) {
    Fail(InvalidModel("input {} is {}; a list is expected", i, type.ToString()));
    return kNoValue;
  }
  if (Constant(i) != nullptr) {
    const Result<IntList> values = KnownInts(i);
    if (values.ok()) return Ints(*values);
    Fail(values.status());
    return kNoValue;
  }
  const bool is_list = type.rank() == 1;
  const ValueId value = As(In(i), DType::kI64);
  return is_list ? value : Op("Unsqueeze", {value, Ints({0})});
}

ValueId OpImport::AsScalar(ValueId value) {
  if (!problem_.ok()) return kNoValue;
  const Type& type = TypeOf(value);
  if (type.HasRank() && type.rank() == 0) return value;
  return Op("Reshape", {value, Ints(IntList{})});
}

ValueId OpImport::Number(double value, ValueId like) {
  if (!problem_.ok()) return kNoValue;
  Tensor tensor;
  const Status status =
      Dispatch(NumericTypes(), TypeOf(like).dtype, [&]<class T>(TypeTag<T>) -> Status {
        tensor = Tensor::Scalar<T>(T(static_cast<float>(value)));
        return {};
      });
  if (status.ok()) return Constant(std::move(tensor));
  Fail(status);
  return kNoValue;
}

ValueId OpImport::Activated(ValueId value, bool relu, bool relu6) {
  if (relu6) return Op("Clip", {value, Scalar(0), Scalar(6)});
  return relu ? Op("Relu", {value}) : value;
}

ValueId OpImport::Weights(const flatbuffers::Vector<float>* values, const Dims& dims) {
  Result<Tensor> tensor = net.weights.Floats(values, dims);
  if (tensor.ok()) return Constant(*std::move(tensor));
  Fail(std::move(tensor).status());
  return kNoValue;
}

const std::vector<Row>& Table() {
  static const std::vector<Row> table = SortedRows(
      {ControlRows, LayerRows, MathRows, NnRows, QuantRows, ShapeRows, TensorRows}, &Row::type);
  return table;
}

const Row* FindRow(schema::OpType type) { return FindSorted(Table(), &Row::type, type); }

std::string NameOf(schema::OpType type) {
  const std::string name = schema::EnumNameOpType(type);
  return name.empty() ? fmt::format("number {}", static_cast<int>(type)) : name;
}

}  // namespace athanor::mnn
