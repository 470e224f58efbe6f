// What PyTorch's files and scripts compute with: numbers, texts, lists, objects and tensors.
//
// Lists, dictionaries and objects are shared by reference, as in Python; a Heap owns them all, so
// that cycles and deep nesting cost nothing. Values point into the heap, which outlives them.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace athanor::pytorch {

using Ints = std::vector<std::int64_t>;

struct Items;
struct Dictionary;
struct Object;
struct TensorCell;

struct Value {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kTensor,
    kList,
    kTuple,
    kDict,
    kObject,   // an instance of a class of the file
    kGlobal,   // the name of a class or function: "torch.nn.modules.conv Conv2d"
    kStorage,  // bytes that tensors share; items: what the pickle says of it
    kMark,     // of a pickle's stack
  };
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;           // of kInt, kBool (0 or 1)
  double real = 0;                    // of kFloat
  ValueId symbol = kNoValue;          // of kInt: i64[1], known only while running
  const std::string* text = nullptr;  // of kString, kGlobal
  Items* items = nullptr;             // of kList, kTuple, kStorage
  Dictionary* dictionary = nullptr;   // of kDict
  Object* object = nullptr;           // of kObject
  TensorCell* tensor = nullptr;       // of kTensor

  bool Is(Kind wanted) const { return kind == wanted; }
  bool IsNone() const { return kind == Kind::kNone; }
  bool IsNumber() const {
    return kind == Kind::kBool || kind == Kind::kInt || kind == Kind::kFloat;
  }
  bool IsSequence() const { return kind == Kind::kList || kind == Kind::kTuple; }
  bool IsSymbol() const { return kind == Kind::kInt && symbol != kNoValue; }
  double AsReal() const { return kind == Kind::kFloat ? real : static_cast<double>(integer); }

  static Value Bool(bool value) { return {.kind = Kind::kBool, .integer = value ? 1 : 0}; }
  static Value Int(std::int64_t value) { return {.kind = Kind::kInt, .integer = value}; }
  static Value Float(double value) { return {.kind = Kind::kFloat, .real = value}; }
  static Value Symbol(ValueId id) { return {.kind = Kind::kInt, .symbol = id}; }
};

// "a tensor", "an int": for messages.
std::string_view NameOf(Value::Kind kind);

struct Items {
  std::vector<Value> values;
};

struct Dictionary {
  std::vector<std::pair<Value, Value>> entries;
  const Value* Find(std::string_view key) const;
};

struct Object {
  const std::string* type = nullptr;  // "__torch__.torch.nn.modules.conv.Conv2d"
  std::vector<std::pair<const std::string*, Value>> attributes;
  const Value* Find(std::string_view name) const;
  void Set(const std::string* name, Value value);
};

// Memory that several tensors see, as views. Writing through one leaves the others behind.
struct Aliases {
  int writes = 0;
};

// A tensor variable. Its value in the graph changes when an operator works in place.
struct TensorCell {
  ValueId id = kNoValue;
  std::optional<Tensor> constant = {};  // a weight that no operator has used yet
  std::string name = {};                // of a weight or an input
  Aliases* aliases = nullptr;
  int seen_writes = 0;              // of `aliases`, when `id` was last right
  TensorCell* base = nullptr;       // the tensor of which this is a slice, when `dim` tells which
  std::int64_t dim = 0, begin = 0;  // of a slice or an index along one axis
  bool keeps_dim = true;            // false: an index
};

class Heap {
 public:
  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  const std::string* Text(std::string_view text) { return &texts_.emplace_back(text); }
  Value String(std::string_view text) { return {.kind = Value::Kind::kString, .text = Text(text)}; }
  Value List(std::vector<Value> values = {}) {
    return Sequence(Value::Kind::kList, std::move(values));
  }
  Value Tuple(std::vector<Value> values) {
    return Sequence(Value::Kind::kTuple, std::move(values));
  }
  Value Sequence(Value::Kind kind, std::vector<Value> values);
  Value Dict();
  Value NewObject(const std::string* type);
  // A tensor with memory of its own.
  Value NewTensor(ValueId id);
  Value NewWeight(Tensor constant, std::string name);

 private:
  std::deque<std::string> texts_;
  std::deque<Items> items_;
  std::deque<Dictionary> dictionaries_;
  std::deque<Object> objects_;
  std::deque<TensorCell> tensors_;
  std::deque<Aliases> aliases_;
};

}  // namespace athanor::pytorch
