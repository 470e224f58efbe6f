#include "frontends/ncnn/layer_import.h"

#include <cmath>

#include "frontends/row_table.h"

namespace athanor::ncnn {

const Param* LayerImport::Find(int id, bool list) const {
  const auto found = layer.params.find(id);
  if (found == layer.params.end()) return nullptr;
  if (!list && found->second.list && problem_.ok())
    problem_ = InvalidModel("parameter {} is a list; one number is expected", id);
  return &found->second;
}

std::int64_t LayerImport::Int(int id, std::int64_t otherwise) const {
  const Param* param = Find(id, false);
  if (param == nullptr || param->values.empty()) return otherwise;
  const double value = param->values[0];
  if (value == std::floor(value) && std::abs(value) <= 2147483648.0)
    return static_cast<std::int64_t>(value);
  if (problem_.ok())
    problem_ = InvalidModel("parameter {} is {}; a whole number is expected", id, value);
  return otherwise;
}

float LayerImport::Float(int id, float otherwise) const {
  const Param* param = Find(id, false);
  return param == nullptr || param->values.empty() ? otherwise
                                                   : static_cast<float>(param->values[0]);
}

std::vector<std::int64_t> LayerImport::Ints(int id) const {
  std::vector<std::int64_t> values;
  const Param* param = Find(id, true);
  if (param == nullptr) return values;
  for (const double value : param->values) {
    if (value != std::floor(value) || std::abs(value) > 2147483648.0) {
      if (problem_.ok())
        problem_ = InvalidModel("list {} holds {}; whole numbers are expected", id, value);
      return {};
    }
    values.push_back(static_cast<std::int64_t>(value));
  }
  return values;
}

std::vector<float> LayerImport::Floats(int id) const {
  std::vector<float> values;
  const Param* param = Find(id, true);
  if (param == nullptr) return values;
  for (const double value : param->values) values.push_back(static_cast<float>(value));
  return values;
}

Result<std::int64_t> LayerImport::BlobRank(std::size_t i) const {
  const Type& type = InType(i);
  if (!type.HasRank())
    return Unsupported("the shape of input {} is not known; the Input layer can give it", i);
  if (type.rank() < 2 || type.rank() > 5)
    return InvalidModel("input {} has {} axes; 1 to 4 are expected", i, type.rank() - 1);
  return type.rank() - 1;
}

Result<std::int64_t> LayerImport::Axis(std::int64_t axis, std::size_t i) const {
  ATH_TRY(const std::int64_t rank, BlobRank(i));
  const std::int64_t from_front = axis < 0 ? axis + rank : axis;
  if (from_front < 0 || from_front >= rank)
    return InvalidModel("axis {} does not exist: the input has {}", axis, rank);
  return from_front + 1;
}

ValueId LayerImport::ConstantInts(const std::vector<std::int64_t>& values) {
  return Constant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

Result<ValueId> LayerImport::Add(std::string_view op, Operands in, AttrMap attributes) {
  return graph.Add(op, in, std::move(attributes), layer.name);
}

Result<ValueId> LayerImport::PerChannel(const Tensor& values, std::int64_t rank) {
  Dims dims = {values.count()};
  dims.resize(static_cast<std::size_t>(rank), 1);
  return Constant(values.Reshaped(std::move(dims)));
}

Result<ValueId> LayerImport::Unsqueeze(ValueId x, const std::vector<std::int64_t>& axes) {
  if (axes.empty()) return x;
  return Add("Unsqueeze", {x, ConstantInts(axes)});
}

Result<ValueId> LayerImport::Activate(ValueId x, int type_id) {
  const std::int64_t type = Int(type_id, 0);
  const std::vector<float> params = Floats(type_id + 1);
  const auto param = [&](std::size_t i, float otherwise) {
    return i < params.size() ? params[i] : otherwise;
  };
  switch (type) {
    case 0:
      return x;
    case 1:
      return Add("Relu", {x});
    case 2:
      return Add("LeakyRelu", {x}, {{"alpha", param(0, 0)}});
    case 3:
      if (params.size() != 2) return InvalidModel("the fused Clip needs two limits");
      return Add("Clip", {x, Scalar(params[0]), Scalar(params[1])});
    case 4:
      return Add("Sigmoid", {x});
    case 5:
      return Add("Mish", {x});
    case 6: {
      ATH_TRY(const ValueId gate,
              Add("HardSigmoid", {x}, {{"alpha", param(0, 1.0F / 6)}, {"beta", param(1, 0.5F)}}));
      return Add("Mul", {x, gate});
    }
    default:
      return Unsupported("fused activation {} is not known; 0 to 6 are", type);
  }
}

Status LayerImport::Give(Result<ValueId> value) {
  if (!value.ok()) return std::move(value).status();
  outputs = {*value};
  return {};
}

const std::vector<Row>& Table() {
  static const std::vector<Row> table = SortedRows({NnRows, MathRows, TensorRows}, &Row::type);
  return table;
}

const Row* FindRow(std::string_view type) { return FindSorted(Table(), &Row::type, type); }

}  // namespace athanor::ncnn
