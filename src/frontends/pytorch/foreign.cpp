#include "frontends/pytorch/foreign.h"

#include <algorithm>

#include "frontends/foreign.h"
#include "frontends/pytorch/pytorch.h"
#include "ops/catalog.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;

std::optional<AttrValue> NumbersAsAttribute(const std::vector<Value>& values) {
  std::vector<std::int64_t> ints;
  std::vector<float> floats;
  std::vector<std::string> texts;
  for (const Value& value : values) {
    if (value.IsSymbol()) return std::nullopt;
    if (value.Is(Kind::kString)) texts.push_back(*value.text);
    if (value.Is(Kind::kInt) || value.Is(Kind::kBool)) ints.push_back(value.integer);
    if (value.IsNumber()) floats.push_back(static_cast<float>(value.AsReal()));
  }
  if (ints.size() == values.size()) return AttrValue(std::move(ints));
  if (floats.size() == values.size()) return AttrValue(std::move(floats));
  if (texts.size() == values.size()) return AttrValue(std::move(texts));
  return std::nullopt;
}

std::optional<AttrValue> AsAttribute(const Value& value) {
  if (value.IsSequence()) return NumbersAsAttribute(value.items->values);
  if (value.IsSymbol()) return std::nullopt;
  if (value.Is(Kind::kString)) return AttrValue(*value.text);
  if (value.Is(Kind::kFloat)) return AttrValue(static_cast<float>(value.real));
  if (value.IsNumber()) return AttrValue(value.integer);
  return std::nullopt;
}

// Sorts arguments into inputs and attributes.
class ForeignCall {
 public:
  ForeignCall(ForeignNode& node, const OpDef* op) : node_(node), op_(op) {}

  Status Take(const Value& value, std::string_view name) {
    const std::size_t place = place_++;
    if (value.Is(Kind::kTensor)) return TakeTensor(value);
    const bool tensors = value.IsSequence() && !value.items->values.empty() &&
                         value.items->values[0].Is(Kind::kTensor);
    for (std::size_t i = 0; tensors && i < value.items->values.size(); ++i) {
      if (!value.items->values[i].Is(Kind::kTensor))
        return Unsupported("argument {} holds tensors and others", place);
      ATH_RETURN_IF_ERROR(TakeTensor(value.items->values[i]));
    }
    if (tensors) return {};
    if (value.IsNone()) {
      // Of an attribute it says nothing; in the place of an input it leaves that out.
      if (!IsAttribute(name)) node_.inputs.push_back(kNoValue);
      return {};
    }
    std::optional<AttrValue> attribute = AsAttribute(value);
    if (!attribute)
      return Unsupported("argument {} is neither a tensor nor a number, a text or a list of them",
                         place);
    node_.attributes.Set(NameOf(name, place), *std::move(attribute));
    return {};
  }

 private:
  Status TakeTensor(const Value& value) {
    ATH_TRY(const ValueId id, Operators::Read(node_.graph, *value.tensor));
    node_.inputs.push_back(id);
    return {};
  }

  bool IsAttribute(std::string_view name) const {
    return op_ == nullptr || node_.inputs.size() >= op_->inputs.size() ||
           std::any_of(op_->attributes.begin(), op_->attributes.end(),
                       [&](const AttrSpec& spec) { return spec.name == name; });
  }

  std::string NameOf(std::string_view name, std::size_t place) {
    if (!name.empty()) return std::string(name);
    if (op_ != nullptr && attributes_ < op_->attributes.size())
      return op_->attributes[attributes_++].name;
    return fmt::format("arg{}", place);
  }

  ForeignNode& node_;
  const OpDef* op_;
  std::size_t place_ = 0, attributes_ = 0;
};

}  // namespace

std::string QualifiedName(std::string_view op) {
  const std::size_t dot = op.find('.');
  if (dot == std::string_view::npos) return fmt::format("aten::{}", op);
  return fmt::format("{}::{}", op.substr(0, dot), op.substr(dot + 1));
}

bool IsForeignCall(std::string_view op) { return IsForeign("pytorch", QualifiedName(op)); }

bool Reads(std::string_view op) {
  constexpr std::string_view kAten = "aten::";
  return op.starts_with(kAten) && IsOperator(op.substr(kAten.size()));
}

Result<Value> CallForeign(Graph& graph, Heap& heap, std::string_view op, const Arguments& arguments,
                          const std::string& name) {
  ForeignNode node = {
      .graph = graph, .op = QualifiedName(op), .name = name, .inputs = {}, .attributes = {}};
  const bool is_converted = FindConverter("pytorch", node.op) != nullptr;
  const OpDef* custom = is_converted ? nullptr : ops::Standard().Find(node.op);
  if (custom != nullptr) node.num_outputs = custom->outputs.size();
  ForeignCall call(node, custom);
  for (const Value& value : arguments.positional) ATH_RETURN_IF_ERROR(call.Take(value, ""));
  for (const auto& [argument, value] : arguments.named)
    ATH_RETURN_IF_ERROR(call.Take(value, argument));
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  ATH_RETURN_IF_ERROR(ReadForeign("pytorch", node));
  std::vector<Value> results;
  for (const ValueId output : node.outputs) results.push_back(heap.NewTensor(output));
  return results.size() == 1 ? results[0] : heap.Tuple(std::move(results));
}

}  // namespace athanor::pytorch
