#include "frontends/pickled/arrays.h"

#include <cstring>

#include "core/checked.h"
#include "core/number.h"
#include "core/text.h"

namespace athanor::pickled {
namespace {

using pytorch::Following;
using pytorch::Object;
using pytorch::Value;

constexpr std::string_view kJoblib = "joblib.numpy_pickle NumpyArrayWrapper";

// An element type: "<f8", "|b1", "<U3", "|O".
struct ElementType {
  char kind = 0;  // f i u b U O
  std::size_t bytes = 0;
};

const Value* At(const Value* list, std::size_t index) {
  if (list == nullptr || !list->IsSequence() || list->items->values.size() <= index) return nullptr;
  return &list->items->values[index];
}

Result<ElementType> ElementTypeOf(const Value* value) {
  if (value == nullptr || !value->Is(Value::Kind::kObject) || *value->object->type != "numpy dtype")
    return InvalidModel("an array has no element type");
  const Value* name = At(value->object->Find("__args__"), 0);
  if (name == nullptr || !name->Is(Value::Kind::kString) || name->text->size() < 2)
    return InvalidModel("an element type has no name");
  const std::string_view text = *name->text;
  const Value* order = At(value->object->Find("__state__"), 1);
  if (order != nullptr && order->Is(Value::Kind::kString) && *order->text == ">")
    return Unsupported("arrays of the other byte order are not read");
  const std::optional<std::int64_t> size = ReadInteger(text.substr(1));
  constexpr std::int64_t kLongestText = 1 << 16;
  if (!size || *size < 1 || *size > kLongestText || text.find_first_of("fiubUO") != 0)
    return Unsupported("arrays of {} are not read", Quote(text));
  ElementType type = {.kind = text[0], .bytes = static_cast<std::size_t>(*size)};
  const bool number = type.kind != 'U' && type.kind != 'O';
  if (number && type.bytes != 1 && type.bytes != 2 && type.bytes != 4 && type.bytes != 8)
    return Unsupported("arrays of {} are not read", Quote(text));
  if (type.kind == 'f' && type.bytes < 4)
    return Unsupported("arrays of {} are not read", Quote(text));
  if (type.kind == 'U') type.bytes *= 4;
  return type;
}

Result<Dims> ShapeOf(const Value* value) {
  if (value == nullptr || !value->IsSequence()) return InvalidModel("an array has no shape");
  Dims shape;
  for (const Value& size : value->items->values) {
    if (!size.Is(Value::Kind::kInt) || size.integer < 0)
      return InvalidModel("the size of an array is {}", NameOf(size.kind));
    shape.push_back(size.integer);
  }
  return shape;
}

Result<std::size_t> CountOf(const Dims& shape) {
  const std::optional<std::int64_t> count = CheckedCount(shape);
  if (!count) return InvalidModel("an array is too large");
  return static_cast<std::size_t>(*count);
}

template <class T>
T Load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

double RealAt(const ElementType& type, const char* at) {
  return type.bytes == 4 ? static_cast<double>(Load<float>(at)) : Load<double>(at);
}

std::int64_t IntegerAt(const ElementType& type, const char* at) {
  const bool negative = type.kind == 'i';
  switch (type.bytes) {
    case 1:
      return negative ? std::int64_t{Load<std::int8_t>(at)} : std::int64_t{Load<std::uint8_t>(at)};
    case 2:
      return negative ? std::int64_t{Load<std::int16_t>(at)}
                      : std::int64_t{Load<std::uint16_t>(at)};
    case 4:
      return negative ? std::int64_t{Load<std::int32_t>(at)}
                      : std::int64_t{Load<std::uint32_t>(at)};
    default:
      return Load<std::int64_t>(at);
  }
}

void AppendUtf8(std::uint32_t letter, std::string& text) {
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (letter < 0x80) return add(letter);
  if (letter < 0x800) {
    add(0xC0 | letter >> 6);
  } else {
    if (letter < 0x10000) {
      add(0xE0 | letter >> 12);
    } else {
      add(0xF0 | (letter >> 18 & 7));
      add(0x80 | (letter >> 12 & 0x3F));
    }
    add(0x80 | (letter >> 6 & 0x3F));
  }
  add(0x80 | (letter & 0x3F));
}

// UTF-32, filled up with zeros.
std::string TextAt(const ElementType& type, const char* at) {
  std::string text;
  for (std::size_t i = 0; i < type.bytes; i += 4) {
    const auto letter = Load<std::uint32_t>(at + i);
    if (letter == 0) break;
    AppendUtf8(letter, text);
  }
  return text;
}

Result<Tensor> FromBytes(const ElementType& type, const Dims& shape, std::string_view bytes) {
  // Only their pickled list says what they are; the size that the type states may be any.
  if (type.kind == 'O') return InvalidModel("an array of objects is given as bytes");
  ATH_TRY(const std::size_t count, CountOf(shape));
  const auto wanted = CheckedMul(count, type.bytes);
  if (!wanted || *wanted != bytes.size())
    return InvalidModel("an array of {} elements has {} bytes", count, bytes.size());
  const auto all = [&](auto read) {
    std::vector<decltype(read(bytes.data()))> list;
    list.reserve(count);
    for (std::size_t i = 0; i < count; ++i) list.push_back(read(bytes.data() + i * type.bytes));
    return list;
  };
  if (type.kind == 'f')
    return Tensor::FromVector(shape, all([&](const char* at) { return RealAt(type, at); }));
  if (type.kind == 'U')
    return Tensor::FromVector(shape, all([&](const char* at) { return TextAt(type, at); }));
  return Tensor::FromVector(shape, all([&](const char* at) { return IntegerAt(type, at); }));
}

// Objects: all are texts, or all whole numbers.
Result<Tensor> FromObjects(const Dims& shape, const Value& list) {
  ATH_TRY(const std::size_t count, CountOf(shape));
  const std::vector<Value>& values = list.items->values;
  if (values.size() != count)
    return InvalidModel("an array of {} elements has {}", count, values.size());
  // A pickle may hold one text and name it again and again.
  constexpr std::size_t kMostLetters = std::size_t{1} << 26;
  std::size_t letters = 0;
  std::vector<std::string> texts;
  std::vector<std::int64_t> numbers;
  for (const Value& value : values) {
    if (value.Is(Value::Kind::kString)) {
      letters += value.text->size();
      if (letters > kMostLetters)
        return Error(ErrorCode::kUnsafeFile, "the texts of an array have more than {} bytes",
                     kMostLetters);
      texts.push_back(*value.text);
    } else if (value.Is(Value::Kind::kInt) || value.Is(Value::Kind::kBool)) {
      numbers.push_back(value.integer);
    } else {
      return Unsupported("arrays of objects are not read that hold {}", NameOf(value.kind));
    }
  }
  if (!texts.empty() && !numbers.empty())
    return Unsupported("arrays that hold both texts and numbers are not read");
  return numbers.empty() ? Tensor::FromVector(shape, texts) : Tensor::FromVector(shape, numbers);
}

bool EndsWith(const Object& object, std::string_view name) {
  return std::string_view(*object.type).ends_with(name);
}

}  // namespace

Result<Following> FollowingOf(const Object& object) {
  if (*object.type != kJoblib) return Following{};
  ATH_TRY(const ElementType type, ElementTypeOf(object.Find("dtype")));
  if (type.kind == 'O') return Following{.kind = Following::Kind::kPickle};
  ATH_TRY(const Dims shape, ShapeOf(object.Find("shape")));
  ATH_TRY(const std::size_t count, CountOf(shape));
  const auto bytes = CheckedMul(count, type.bytes);
  if (!bytes) return InvalidModel("an array is too large");
  const Value* alignment = object.Find("numpy_array_alignment_bytes");
  const bool padded = alignment != nullptr && alignment->Is(Value::Kind::kInt);
  return Following{.kind = Following::Kind::kBytes, .bytes = *bytes, .padded = padded};
}

Result<Tensor> ArrayOf(const Value& value) {
  if (!value.Is(Value::Kind::kObject))
    return InvalidModel("{} is where an array is expected", NameOf(value.kind));
  const Object& object = *value.object;
  if (*object.type == kJoblib) {
    if (const Value* array = object.Find("__following__"); array != nullptr) {
      if (!array->Is(Value::Kind::kString)) {
        if (array->Is(Value::Kind::kObject) && *array->object->type == kJoblib)
          return InvalidModel("an array holds itself");
        return ArrayOf(*array);
      }
      ATH_TRY(const ElementType type, ElementTypeOf(object.Find("dtype")));
      ATH_TRY(const Dims shape, ShapeOf(object.Find("shape")));
      return FromBytes(type, shape, *array->text);
    }
    return InvalidModel("an array has no bytes");
  }
  const Value* arguments = object.Find("__args__");
  if (EndsWith(object, " _frombuffer")) {
    const Value* bytes = At(arguments, 0);
    if (bytes != nullptr && bytes->Is(Value::Kind::kObject))
      bytes = At(bytes->object->Find("__args__"), 0);  // a bytearray
    if (bytes == nullptr || !bytes->Is(Value::Kind::kString))
      return InvalidModel("an array has no bytes");
    ATH_TRY(const ElementType type, ElementTypeOf(At(arguments, 1)));
    ATH_TRY(const Dims shape, ShapeOf(At(arguments, 2)));
    return FromBytes(type, shape, *bytes->text);
  }
  const Value* state = object.Find("__state__");
  const Value* data = At(state, 4);
  if (!EndsWith(object, " _reconstruct") || data == nullptr)
    return InvalidModel("{} is where an array is expected", Quote(*object.type));
  ATH_TRY(const Dims shape, ShapeOf(At(state, 1)));
  ATH_TRY(const ElementType type, ElementTypeOf(At(state, 2)));
  if (type.kind == 'O') {
    if (!data->IsSequence()) return InvalidModel("an array of objects has no list");
    return FromObjects(shape, *data);
  }
  if (!data->Is(Value::Kind::kString)) return InvalidModel("an array has no bytes");
  return FromBytes(type, shape, *data->text);
}

}  // namespace athanor::pickled
