#include "frontends/caffe/layer_import.h"

#include "core/checked.h"
#include "frontends/row_table.h"

namespace athanor::caffe {

LayerImport::LayerImport(NetState& net, const Message& layer, std::vector<ValueId> inputs)
    : LayerSteps(net.graph, layer.Text("name")),
      net(net),
      type(layer.Text("type")),
      tops(layer.Texts("top")),
      inputs(std::move(inputs)),
      layer_(layer) {}

Params& LayerImport::Param(std::string_view field) {
  for (auto& [known, params] : params_) {
    if (known == field) return params;
  }
  const FieldValue* value = layer_.Last(field);
  if (value != nullptr && !value->message && problem_.ok())
    problem_ = InvalidModel("{} holds fields in brackets, not a value", field);
  return params_.emplace_back(std::string(field), Params(layer_.Child(field), problem_)).second;
}

Status LayerImport::CheckAllRead() const {
  for (const auto& [field, params] : params_) ATH_RETURN_IF_ERROR(params.CheckAllRead(field));
  return {};
}

std::int64_t LayerImport::Rank(std::size_t i) {
  if (InType(i).HasRank()) return InType(i).rank();
  Fail(Unsupported("the shape of input {} is not known", i));
  return 0;
}

std::int64_t LayerImport::Axis(std::int64_t axis, std::size_t i, bool end) {
  const std::int64_t rank = Rank(i), limit = rank + (end ? 1 : 0);
  const std::int64_t from_front = axis < 0 ? axis + limit : axis;
  if (from_front >= 0 && from_front < limit) return from_front;
  Fail(InvalidModel("axis {} does not exist: input {} has {}", axis, i, rank));
  return 0;
}

std::int64_t LayerImport::Dim(std::int64_t axis, std::size_t i) {
  const std::int64_t rank = Rank(i);
  if (axis >= rank) {
    Fail(InvalidModel("input {} has {} axes; more than {} are expected", i, rank, axis));
    return 0;
  }
  if (InType(i).dim(axis).IsConst()) return InType(i).dim(axis).value();
  Fail(Unsupported("the size of axis {} of input {} is not known", axis, i));
  return 0;
}

Dims LayerImport::DimsOf(std::int64_t begin, std::int64_t end, std::size_t i) {
  Dims dims;
  for (std::int64_t axis = begin; axis < end; ++axis) dims.push_back(Dim(axis, i));
  return dims;
}

std::int64_t LayerImport::Count(std::int64_t begin, std::int64_t end, std::size_t i) {
  const std::optional<std::int64_t> count = CheckedCount(DimsOf(begin, end, i));
  if (!count) Fail(InvalidModel("input {} has too many elements", i));
  return count.value_or(0);
}

std::size_t LayerImport::NumWeights(std::size_t otherwise) const {
  return net.weights.Count(name).value_or(otherwise);
}

Tensor LayerImport::WeightTensor(std::size_t i, const Dims& dims, Fill fill) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count || *count < 1)
    Fail(InvalidModel("weight {} cannot have the shape {}", i, ToString(dims)));
  if (!problem_.ok()) return Tensor::Scalar<float>(0);
  Result<Tensor> weight = net.weights.Get(name, i, dims, fill);
  if (weight.ok()) return *std::move(weight);
  Fail(std::move(weight).status());
  return Tensor::Scalar<float>(0);
}

ValueId LayerImport::Weight(std::size_t i, const Dims& dims, Fill fill) {
  return Constant(WeightTensor(i, dims, fill));
}

const std::vector<Row>& Table() {
  static const std::vector<Row> table = SortedRows(
      {DataRows, DetectionRows, MathRows, NnRows, NormRows, RcnnRows, RecurrentRows, TensorRows},
      &Row::type);
  return table;
}

const Row* FindRow(std::string_view type) { return FindSorted(Table(), &Row::type, type); }

}  // namespace athanor::caffe
