#include "frontends/tensorflow/op_import.h"

#include "frontends/tensorflow/graph_import.h"

namespace athanor::tensorflow {
OpImport::OpImport(GraphImport& import, Scope& scope, const Step& step, const Row& row,
                   std::vector<Port> inputs)
    : Builder(*scope.graph, step.node->name),
      import(import),
      scope(scope),
      step(step),
      node(*step.node),
      row(row),
      inputs_(std::move(inputs)) {}

Status OpImport::Expect(std::size_t num_inputs) const {
  if (inputs_.size() < num_inputs)
    return InvalidModel("{} inputs are expected, there are {}", num_inputs, inputs_.size());
  for (std::size_t i = 0; i < num_inputs; ++i) {
    if (!inputs_[i].variable.empty())
      return InvalidModel("input {} is a variable; a tensor is expected", i);
    if (inputs_[i].is_list) return InvalidModel("input {} is a list; a tensor is expected", i);
    if (!inputs_[i].IsTensor())
      return Unsupported("input {} is a result that is not computed here", i);
  }
  return {};
}

Result<std::int64_t> OpImport::RankOf(std::size_t i) const {
  if (!InType(i).HasRank()) return Unsupported("input {} has no known rank", i);
  return InType(i).rank();
}

Result<Ints> OpImport::KnownInts(std::size_t i) const {
  std::optional<Ints> numbers;
  if (const Tensor* constant = Constant(i)) {
    ATH_TRY(numbers, ToInts(*constant));
  } else if (const auto& known = graph.value(In(i)).ints) {
    numbers.emplace();
    for (const Dim& dim : *known) {
      if (!dim.IsConst()) return Unsupported("input {} depends on sizes known only later", i);
      numbers->push_back(dim.value());
    }
  }
  if (!numbers) return Unsupported("input {} is computed while running; a constant is read", i);
  // So that rows can compute with sizes and positions.
  constexpr std::int64_t kLargest = std::int64_t{1} << 40;
  for (const std::int64_t number : *numbers) {
    if (number < -kLargest || number > kLargest)
      return InvalidModel("input {} holds {}, which is no size", i, number);
  }
  return *std::move(numbers);
}

Result<std::int64_t> OpImport::KnownInt(std::size_t i) const {
  ATH_TRY(const Ints numbers, KnownInts(i));
  if (numbers.size() != 1)
    return InvalidModel("input {} has {} numbers; one is expected", i, numbers.size());
  return numbers[0];
}

std::int64_t OpImport::Int(std::string_view name, std::int64_t fallback) const {
  const AttrProto* attr = FindAttr(node, name);
  return attr == nullptr ? fallback : attr->i.value_or(0);
}

float OpImport::Float(std::string_view name, float fallback) const {
  const AttrProto* attr = FindAttr(node, name);
  return attr == nullptr ? fallback : attr->f.value_or(0);
}

bool OpImport::Bool(std::string_view name, bool fallback) const {
  const AttrProto* attr = FindAttr(node, name);
  return attr == nullptr ? fallback : attr->b.value_or(false);
}

std::string OpImport::String(std::string_view name, std::string_view fallback) const {
  const AttrProto* attr = FindAttr(node, name);
  return attr == nullptr ? std::string(fallback) : attr->s.value_or("");
}

Ints OpImport::IntList(std::string_view name) const {
  const AttrProto* attr = FindAttr(node, name);
  return attr == nullptr || !attr->list ? Ints{} : attr->list->i;
}

std::vector<std::string> OpImport::StringList(std::string_view name) const {
  const AttrProto* attr = FindAttr(node, name);
  return attr == nullptr || !attr->list ? std::vector<std::string>{} : attr->list->s;
}

Result<DType> OpImport::TypeAttr(std::string_view name) const {
  const AttrProto* attr = FindAttr(node, name);
  if (attr == nullptr) return InvalidModel("attribute \"{}\" is missing", name);
  return DTypeOf(attr->type);
}

Result<DType> OpImport::TypeAttr(std::string_view name, DType fallback) const {
  if (FindAttr(node, name) == nullptr) return fallback;
  return TypeAttr(name);
}

Result<ValueId> OpImport::AsI64(std::size_t i) { return CastTo(In(i), DType::kI64); }

Result<ValueId> OpImport::AsI64List(std::size_t i) {
  ATH_TRY(const ValueId value, AsI64(i));
  if (TypeOf(value).HasRank() && TypeOf(value).rank() == 1) return value;
  return Add("Reshape", {value, Constants({-1})});
}

Status OpImport::Give(Result<ValueId> value) {
  ATH_TRY(const ValueId given, std::move(value));
  outputs.push_back({.value = given});
  return {};
}

}  // namespace athanor::tensorflow
