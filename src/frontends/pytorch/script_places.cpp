#include "frontends/pytorch/script_places.h"

#include <algorithm>

#include "frontends/pytorch/pickle.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;

// Item i of a sequence; nullptr where there is none.
const Value* ItemOf(const Value* value, std::size_t i) {
  if (value == nullptr || !value->IsSequence() || i >= value->items->values.size()) return nullptr;
  return &value->items->values[i];
}
std::int64_t IntOf(const Value* value) {
  return value != nullptr && value->Is(Kind::kInt) ? value->integer : -1;
}
const std::string* TextOf(const Value* table, std::int64_t index) {
  const Value* item = index < 0 ? nullptr : ItemOf(table, static_cast<std::size_t>(index));
  return item != nullptr && item->Is(Kind::kString) ? item->text : nullptr;
}

// ((parts of the text, file, first line), begin, end): the line at `begin`.
UserPlace PlaceOfRange(const Value* table, const Value* range) {
  const Value* source = ItemOf(range, 0);
  const std::string* file = TextOf(table, IntOf(ItemOf(source, 1)));
  std::int64_t line = IntOf(ItemOf(source, 2)), left = IntOf(ItemOf(range, 1));
  if (file == nullptr || line < 0 || left < 0) return {};
  const Value* parts = ItemOf(source, 0);
  for (std::size_t i = 0; left > 0; ++i) {
    const Value* part = ItemOf(parts, i);
    const std::string* text = part == nullptr ? nullptr : TextOf(table, IntOf(part));
    if (text == nullptr) break;
    const auto size = static_cast<std::size_t>(std::min<std::int64_t>(left, std::ssize(*text)));
    line += std::count(text->begin(), text->begin() + static_cast<std::ptrdiff_t>(size), '\n');
    left -= std::ssize(*text);
  }
  return {.line = file->substr(file->rfind('/') + 1) + ":" + std::to_string(line),
          .is_library = file->find("site-packages/torch/") != std::string::npos ||
                        file->starts_with("torch/")};
}

}  // namespace

UserPlace FindUserPlace(const Archive& archive, const std::string& code, std::size_t at) {
  const Result<Member> member = archive.Read(code + ".debug_pkl");
  if (!member.ok()) return {};
  Heap heap;
  const Result<Value> root = ReadPickle(member->bytes, heap, {});
  if (!root.ok()) return {};
  // ("FORMAT_WITH_STRING_TABLE", texts, ((byte of the code, range, tag), ...))
  const Value* table = ItemOf(&*root, 1);
  const Value* records = ItemOf(&*root, 2);
  if (table == nullptr || records == nullptr || !records->IsSequence()) return {};
  const Value* range = nullptr;
  for (const Value& record : records->items->values) {
    const std::int64_t begin = IntOf(ItemOf(&record, 0));
    if (begin < 0 || static_cast<std::size_t>(begin) > at) break;
    range = ItemOf(&record, 1);
  }
  return range == nullptr ? UserPlace() : PlaceOfRange(table, range);
}

}  // namespace athanor::pytorch
