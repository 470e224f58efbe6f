#include "frontends/darknet/layer_import.h"

#include "frontends/row_table.h"

namespace athanor::darknet {

Dims LayerImport::Sizes(ValueId value) {
  if (!problem_.ok()) return {1, 1, 1};
  const Type& type = graph.value(value).type;
  Dims sizes;
  for (std::int64_t axis = 1; type.HasRank() && axis < type.rank(); ++axis) {
    if (!type.dim(axis).IsConst()) break;
    sizes.push_back(type.dim(axis).value());
  }
  if (sizes.size() == 1) return {sizes[0], 1, 1};
  if (sizes.size() == 3) return sizes;
  Fail(Unsupported("channels, height and width are expected, not {}", type.ToString()));
  return {1, 1, 1};
}

ValueId LayerImport::Layer(std::int64_t from) {
  const auto here = static_cast<std::int64_t>(index);
  const std::int64_t at = from < 0 ? from + here : from;
  if (at >= 0 && at < here) return net.layers[static_cast<std::size_t>(at)].value;
  Fail(InvalidModel("layer {} does not stand before this one", from));
  return kNoValue;
}

Tensor LayerImport::Weight(const Dims& dims, Fill fill) {
  if (!problem_.ok()) return Tensor::Scalar<float>(0);
  Result<Tensor> weight = net.weights.Next(name, dims, fill);
  if (weight.ok()) return *std::move(weight);
  Fail(std::move(weight).status());
  return Tensor::Scalar<float>(0);
}

ValueId LayerImport::Flat(ValueId value) {
  if (!problem_.ok() || graph.value(value).type.rank() == 2) return value;
  return Op("Flatten", {value});
}

ValueId LayerImport::Activate(ValueId x, const std::string& activation) {
  const auto leaky = [&](float slope) { return Op("LeakyRelu", {x}, {{"alpha", slope}}); };
  const auto clip = [&](float low, float high) {
    return Op("Clip", {x, Scalar(low), Scalar(high)});
  };
  struct Known {
    std::string_view name, op;
  };
  constexpr Known kSame[] = {{"elu", "Elu"},     {"gelu", "Gelu"}, {"logistic", "Sigmoid"},
                             {"mish", "Mish"},   {"relu", "Relu"}, {"selu", "Selu"},
                             {"swish", "Swish"}, {"tanh", "Tanh"}};
  for (const Known& known : kSame) {
    if (known.name == activation) return Op(known.op, {x});
  }
  if (activation == "linear") return x;
  if (activation == "leaky") return leaky(0.1F);
  if (activation == "relie") return leaky(0.01F);
  if (activation == "relu6") return clip(0, 6);
  if (activation == "hardtan") return clip(-1, 1);
  if (activation == "loggy") return Affine(Op("Sigmoid", {x}), 2, -1);
  if (activation == "ramp") return Op("Add", {Op("Relu", {x}), Affine(x, 0.1F, 0)});
  Fail(Unsupported("the activation \"{}\" is not read", activation));
  return x;
}

std::vector<ValueId> LayerImport::Statistics(const Tensor& biases) {
  std::vector<ValueId> statistics;
  for (const Fill fill : {Fill::kPositive, Fill::kShift, Fill::kPositive})
    statistics.push_back(Constant(Weight({biases.count()}, fill)));
  statistics.insert(statistics.begin() + 1, Constant(biases));
  return statistics;
}

ValueId LayerImport::BatchNorm(ValueId y, std::vector<ValueId> statistics) {
  constexpr float kEpsilon = 1e-6F;  // as in darknet's normalize_cpu
  statistics.insert(statistics.begin(), y);
  return Op("BatchNormalization", statistics, {{"epsilon", kEpsilon}});
}

const std::vector<Row>& Table() {
  static const std::vector<Row> table = SortedRows({LayerRows, HeadRows}, &Row::type);
  return table;
}

const Row* FindRow(std::string_view type) { return FindSorted(Table(), &Row::type, type); }

}  // namespace athanor::darknet
