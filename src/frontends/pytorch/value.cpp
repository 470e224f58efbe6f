#include "frontends/pytorch/value.h"

namespace athanor::pytorch {

std::string_view NameOf(Value::Kind kind) {
  static constexpr std::string_view kNames[] = {
      "None",    "a bool", "an int",    "a float", "a string",  "a tensor", "a list",
      "a tuple", "a dict", "an object", "a class", "a storage", "a mark"};
  return kNames[static_cast<std::size_t>(kind)];
}

const Value* Dictionary::Find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name.Is(Value::Kind::kString) && *name.text == key) return &value;
  }
  return nullptr;
}

const Value* Object::Find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (*key == name) return &value;
  }
  return nullptr;
}

void Object::Set(const std::string* name, Value value) {
  for (auto& [key, old] : attributes) {
    if (*key != *name) continue;
    old = value;
    return;
  }
  attributes.emplace_back(name, value);
}

Value Heap::Sequence(Value::Kind kind, std::vector<Value> values) {
  Items& items = items_.emplace_back();
  items.values = std::move(values);
  return {.kind = kind, .items = &items};
}

Value Heap::Dict() {
  return {.kind = Value::Kind::kDict, .dictionary = &dictionaries_.emplace_back()};
}

Value Heap::NewObject(const std::string* type) {
  Object& object = objects_.emplace_back();
  object.type = type;
  return {.kind = Value::Kind::kObject, .object = &object};
}

Value Heap::NewTensor(ValueId id) {
  TensorCell& cell = tensors_.emplace_back();
  cell.id = id;
  cell.aliases = &aliases_.emplace_back();
  return {.kind = Value::Kind::kTensor, .tensor = &cell};
}

Value Heap::NewWeight(Tensor constant, std::string name) {
  const Value value = NewTensor(kNoValue);
  value.tensor->constant = std::move(constant);
  value.tensor->name = std::move(name);
  return value;
}

}  // namespace athanor::pytorch
