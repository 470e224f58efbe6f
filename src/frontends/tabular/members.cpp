#include <cmath>

#include "core/number.h"
#include "frontends/tabular/document.h"

namespace athanor::tabular {

Result<const Value*> Member(const Value& object, std::string_view name, Value::Kind kind) {
  const Value* value = object.Find(name);
  if (value == nullptr) return InvalidModel("there is no \"{}\"", name);
  // A list of nothing is one of anything.
  const bool is_empty = value->kind == Value::Kind::kNumbers && value->numbers.empty();
  if (value->kind != kind && !(is_empty && kind == Value::Kind::kArray))
    return InvalidModel("\"{}\" is of the wrong kind", name);
  return value;
}

Result<const Value*> Object(const Value& object, std::string_view name) {
  return Member(object, name, Value::Kind::kObject);
}

Result<std::span<const double>> Numbers(const Value& object, std::string_view name) {
  ATH_TRY(const Value* value, Member(object, name, Value::Kind::kNumbers));
  return std::span<const double>(value->numbers);
}

Result<std::int64_t> Integer(const Value& object, std::string_view name, std::int64_t fallback) {
  const Value* value = object.Find(name);
  if (value == nullptr) return fallback;
  if (value->kind == Value::Kind::kNumber && std::abs(value->number) < 0x1p53 &&
      value->number == std::floor(value->number))
    return static_cast<std::int64_t>(value->number);
  const std::optional<std::int64_t> integer = ReadInteger(value->text);
  if (!integer) return InvalidModel("\"{}\" is no integer", name);
  return *integer;
}

Result<std::vector<std::string>> Strings(const Value& object, std::string_view name) {
  std::vector<std::string> strings;
  const Value* value = object.Find(name);
  if (value == nullptr) return strings;
  for (const Value& item : value->items) {
    if (item.kind != Value::Kind::kString) return InvalidModel("\"{}\" holds no strings", name);
    strings.push_back(item.text);
  }
  return strings;
}

}  // namespace athanor::tabular
