#include "frontends/pytorch/schema.h"

#include <algorithm>

#include "core/number.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// "int[2]? stride=1": the type ends at the first space.
Parameter ParseParameter(std::string_view text, bool by_name) {
  const std::size_t space = text.find(' ');
  ATH_CHECK(space != std::string_view::npos, "a signature of a row names every parameter");
  Parameter parameter;
  parameter.type = text.substr(0, space);
  parameter.by_name = by_name;
  text.remove_prefix(space + 1);
  const std::size_t equals = text.find('=');
  parameter.name = text.substr(0, equals);
  if (equals != std::string_view::npos) parameter.default_value = text.substr(equals + 1);
  std::string_view& type = parameter.type;
  if (type.ends_with('?')) {
    parameter.optional = true;
    type.remove_suffix(1);
  }
  if (type.ends_with(']')) {
    parameter.list = true;
    const std::size_t open = type.find('[');
    parameter.repeats = open + 2 < type.size();
    type = type.substr(0, open);
    if (type.ends_with('?')) {
      parameter.item_optional = true;
      type.remove_suffix(1);
    }
  }
  return parameter;
}

bool IsOfType(const Value& value, std::string_view type) {
  if (type == "Tensor") return value.Is(Kind::kTensor);
  if (type == "int") return value.Is(Kind::kInt) || value.Is(Kind::kBool);
  if (type == "float" || type == "Scalar") return value.IsNumber();
  if (type == "Operand") return value.Is(Kind::kTensor) || value.IsNumber();
  if (type == "bool") return value.Is(Kind::kBool);
  if (type == "str") return value.Is(Kind::kString);
  return true;  // any
}

bool Fits(const Value& value, const Parameter& parameter) {
  if (value.IsNone()) return parameter.optional || parameter.type == "any";
  if (!parameter.list) return IsOfType(value, parameter.type);
  if (parameter.repeats && IsOfType(value, parameter.type)) return true;
  if (!value.IsSequence()) return false;
  for (const Value& item : value.items->values) {
    if (item.IsNone() ? !parameter.item_optional : !IsOfType(item, parameter.type)) return false;
  }
  return true;
}

Value ParseDefault(std::string_view text, Heap& heap) {
  if (text == "None") return {};
  if (text == "True" || text == "False") return Value::Bool(text == "True");
  if (text.starts_with('[')) {
    std::vector<Value> values;
    text = text.substr(1, text.size() - 2);
    while (!text.empty()) {
      const std::size_t comma = std::min(text.find(','), text.size());
      values.push_back(ParseDefault(text.substr(0, comma), heap));
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return heap.List(std::move(values));
  }
  if (const std::optional<std::int64_t> integer = ReadInteger(text)) return Value::Int(*integer);
  if (const std::optional<double> real = ReadReal(text)) return Value::Float(*real);
  return heap.String(text);
}

}  // namespace

Schema ParseSchema(std::string_view text) {
  const std::size_t open = text.find('(');
  Schema schema = {.name = text.substr(0, open), .parameters = {}};
  std::string_view list = text.substr(open + 1);
  list.remove_suffix(1);
  bool by_name = false;
  while (!list.empty()) {
    // A comma within a default's brackets does not part parameters.
    std::size_t end = 0;
    for (int depth = 0; end < list.size() && (depth > 0 || list[end] != ','); ++end) {
      if (list[end] == '[') ++depth;
      if (list[end] == ']') --depth;
    }
    const std::string_view item = Trimmed(list.substr(0, end));
    if (item == "*") {
      by_name = true;
    } else {
      schema.parameters.push_back(ParseParameter(item, by_name));
    }
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return schema;
}

std::optional<std::vector<Value>> Match(const Schema& schema, const Arguments& arguments,
                                        Heap& heap) {
  const std::size_t count = schema.parameters.size();
  if (arguments.positional.size() > count) return std::nullopt;
  std::vector<Value> values(count);
  std::vector<bool> given(count, false);
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) {
    if (schema.parameters[i].by_name) return std::nullopt;
    values[i] = arguments.positional[i];
    given[i] = true;
  }
  for (const auto& [name, value] : arguments.named) {
    std::size_t at = 0;
    while (at < count && schema.parameters[at].name != name) ++at;
    if (at == count || given[at]) return std::nullopt;
    values[at] = value;
    given[at] = true;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Parameter& parameter = schema.parameters[i];
    if (given[i] ? !Fits(values[i], parameter) : !parameter.default_value.has_value())
      return std::nullopt;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!given[i]) values[i] = ParseDefault(*schema.parameters[i].default_value, heap);
  }
  return values;
}

}  // namespace athanor::pytorch
