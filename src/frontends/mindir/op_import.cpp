#include "frontends/mindir/op_import.h"

#include <algorithm>

#include "frontends/row_table.h"

namespace athanor::mindir {
namespace {

enum AttributeType : std::int64_t {
  kFloat = 1,
  kFirstInt = 2,
  kLastInt = 7,
  kString = 8,
  kBool = 9,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kTuple = 20,
  kList = 21
};

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = SortedRows({LayerRows, MathRows, ShapeRows}, &Row::op);
  return rows;
}

}  // namespace

const Row* FindRow(std::string_view op) { return FindSorted(Rows(), &Row::op, op); }

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Row& row : Rows()) names.emplace_back(row.op);
  return names;
}

DType DTypeOf(std::int64_t type) {
  static constexpr std::pair<std::int64_t, DType> kTypes[] = {
      {1, DType::kF32},  {2, DType::kU8},   {3, DType::kI8},   {5, DType::kI16},
      {6, DType::kI32},  {7, DType::kI64},  {9, DType::kBool}, {10, DType::kF16},
      {11, DType::kF64}, {16, DType::kBF16}};
  for (const auto& [number, dtype] : kTypes) {
    if (number == type) return dtype;
  }
  return DType::kUndefined;
}

Item ItemOf(const AttributeProto& a) {
  Item item;
  if (a.type == kFloat || a.type == kDouble) {
    item.kind = Item::Kind::kReal;
    const double first = a.floats.empty() ? static_cast<double>(a.f) : a.floats[0];
    item.real = a.type == kFloat ? first : a.doubles.empty() ? a.d : a.doubles[0];
  } else if ((a.type >= kFirstInt && a.type <= kLastInt) || a.type == kBool || a.type == kUint32 ||
             a.type == kUint64) {
    item.kind = Item::Kind::kInt;
    item.whole = std::clamp(a.ints.empty() ? a.i : a.ints[0], -kLargestSize, kLargestSize);
    item.real = static_cast<double>(item.whole);
  } else if (a.type == kString) {
    item.kind = Item::Kind::kText;
    item.text = a.s;
  } else if (a.type == kTuple || a.type == kList) {
    item.kind = Item::Kind::kTuple;
    for (const AttributeProto& value : a.values) item.items.push_back(ItemOf(value));
  }
  return item;
}

ValueId OpImport::In(std::size_t i) {
  if (!ok()) return kNoValue;
  if (i >= inputs.size()) {
    Fail(InvalidModel("input {} is missing", i));
    return kNoValue;
  }
  const Item& item = inputs[i];
  if (item.kind == Item::Kind::kTensor) return item.value;
  if (item.kind == Item::Kind::kInt) return Number(item.real, DType::kI64);
  if (item.kind == Item::Kind::kReal) return Number(item.real, DType::kF32);
  Fail(InvalidModel("input {} is no tensor", i));
  return kNoValue;
}

std::vector<ValueId> OpImport::AllOf(std::size_t i) {
  std::vector<ValueId> values;
  if (i >= inputs.size() || inputs[i].kind != Item::Kind::kTuple) {
    Fail(InvalidModel("input {} is no tuple", i));
    return values;
  }
  for (const Item& item : inputs[i].items) {
    Expect(item.kind == Item::Kind::kTensor, "a tuple of other things than tensors is not read");
    values.push_back(item.value);
  }
  Expect(!values.empty(), "the tuple is empty");
  return values;
}

void OpImport::GiveAll(const std::vector<ValueId>& values) {
  result = {Item::Kind::kTuple};
  for (const ValueId value : values) result.items.push_back({Item::Kind::kTensor, value});
}

std::optional<Item> OpImport::Find(std::size_t i, std::string_view name) const {
  if (i < inputs.size() && inputs[i].kind != Item::Kind::kNothing) return inputs[i];
  const auto of = [&](const std::vector<AttributeProto>& attributes) -> std::optional<Item> {
    for (const AttributeProto& attribute : attributes) {
      if (attribute.name == name) return ItemOf(attribute);
    }
    return std::nullopt;
  };
  if (primitive_ != nullptr) {
    if (auto found = of(primitive_->attribute)) return found;
  }
  return of(node.attribute);
}

IntList OpImport::IntsAt(std::size_t i, std::string_view name, IntList otherwise) {
  const std::optional<Item> item = Find(i, name);
  if (!item || item->kind == Item::Kind::kNothing) return otherwise;
  if (item->kind == Item::Kind::kInt) return {item->whole};
  if (item->kind == Item::Kind::kTensor && ok()) {
    const Tensor* known = graph.Constant(item->value);
    if (known != nullptr && known->count() <= 64 && IsInteger(known->dtype())) {
      Result<IntList> list = ToInts(*known);
      if (list.ok()) return *std::move(list);
    }
  }
  IntList list;
  for (const Item& part : item->items) {
    Expect(part.kind == Item::Kind::kInt, "{} has other things than integers", name);
    list.push_back(part.whole);
  }
  Expect(item->kind == Item::Kind::kTuple, "{} must be known when the model is read", name);
  return list;
}

std::int64_t OpImport::IntAt(std::size_t i, std::string_view name, std::int64_t otherwise) {
  const IntList list = IntsAt(i, name, {otherwise});
  Expect(list.size() == 1, "{} has {} numbers; one is wanted", name, list.size());
  return list.size() == 1 ? list[0] : otherwise;
}

double OpImport::RealAt(std::size_t i, std::string_view name, double otherwise) {
  const std::optional<Item> item = Find(i, name);
  if (!item || item->kind == Item::Kind::kNothing) return otherwise;
  Expect(item->kind == Item::Kind::kReal || item->kind == Item::Kind::kInt, "{} is no number",
         name);
  return item->real;
}

std::string OpImport::Text(std::string_view name, std::string_view otherwise) const {
  const std::optional<Item> item = Find(kAttributeOnly, name);
  return item && item->kind == Item::Kind::kText ? item->text : std::string(otherwise);
}

}  // namespace athanor::mindir
