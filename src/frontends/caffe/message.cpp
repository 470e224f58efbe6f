#include "frontends/caffe/message.h"

#include "frontends/caffe/schema.h"

namespace athanor::caffe {

const std::vector<FieldValue>* Message::Find(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? nullptr : &found->second;
}

const FieldValue* Message::Last(std::string_view name) const {
  const std::vector<FieldValue>* values = Find(name);
  return values == nullptr || values->empty() ? nullptr : &values->back();
}

const Message* Message::Child(std::string_view name) const {
  const FieldValue* value = Last(name);
  return value == nullptr ? nullptr : value->message.get();
}

std::vector<std::shared_ptr<Message>> Message::Children(std::string_view name) const {
  std::vector<std::shared_ptr<Message>> children;
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr) return children;
  for (const FieldValue& value : *values) {
    if (value.message) children.push_back(value.message);
  }
  return children;
}

std::string Message::Text(std::string_view name) const {
  const FieldValue* value = Last(name);
  return value == nullptr ? "" : value->text;
}

std::vector<std::string> Message::Texts(std::string_view name) const {
  std::vector<std::string> texts;
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr) return texts;
  for (const FieldValue& value : *values) texts.push_back(value.text);
  return texts;
}

FieldValue& Message::Add(std::string_view name) {
  const auto found = fields_.find(name);
  if (found != fields_.end()) return found->second.emplace_back();
  return fields_[std::string(name)].emplace_back();
}

Message& Message::Number(std::string_view name, double value) {
  Add(name).number = value;
  return *this;
}

Message& Message::Name(std::string_view name, std::string_view value) {
  FieldValue& added = Add(name);
  added.kind = FieldValue::Kind::kName;
  added.text = value;
  return *this;
}

Message& Message::String(std::string_view name, std::string_view value) {
  FieldValue& added = Add(name);
  added.kind = FieldValue::Kind::kString;
  added.text = value;
  return *this;
}

Message& Message::AddChild(std::string_view name) {
  auto child = std::make_shared<Message>();
  Message& added = *child;
  AddChild(name, std::move(child));
  return added;
}

void Message::AddChild(std::string_view name, std::shared_ptr<Message> child) {
  FieldValue& added = Add(name);
  added.kind = FieldValue::Kind::kMessage;
  added.message = std::move(child);
}

Message& Message::ChildOrNew(std::string_view name) {
  const auto found = fields_.find(name);
  if (found == fields_.end() || !found->second.back().message) return AddChild(name);
  return *found->second.back().message;
}

std::vector<FieldValue> Message::Take(std::string_view name) {
  const auto found = fields_.find(name);
  if (found == fields_.end()) return {};
  std::vector<FieldValue> values = std::move(found->second);
  fields_.erase(found);
  return values;
}

void Message::Put(std::string_view name, std::vector<FieldValue> values) {
  if (!values.empty()) fields_[std::string(name)] = std::move(values);
}

namespace {

using protobuf::Cursor;
using protobuf::Wire;

class BytesParser {
 public:
  explicit BytesParser(std::size_t size) : budget_(size) {}
  bool exceeded() const { return budget_.exceeded(); }

  bool Parse(protobuf::Bytes bytes, const MessageSpec& spec, Message& message, int depth) {
    if (depth > protobuf::kMaxDepth) return false;
    Cursor cursor(bytes);
    while (!cursor.done()) {
      const std::uint64_t tag = cursor.Varint();
      const auto wire = static_cast<Wire>(tag & 7U);
      const std::uint64_t number = tag >> 3;
      if (cursor.failed() || number == 0 || number > 0x1FFFFFFFU) return false;
      if (!budget_.Take(sizeof(FieldValue))) return false;
      const FieldSpec* field = spec.Find(static_cast<int>(number));
      if (field == nullptr) {
        message.Add(fmt::format("field {}", number));
        cursor.Skip(wire);
        continue;
      }
      if (!ParseField(cursor, wire, *field, message, depth)) return false;
    }
    return !cursor.failed();
  }

 private:
  bool ParseField(Cursor& cursor, Wire wire, const FieldSpec& field, Message& message, int depth) {
    const bool packed = wire == Wire::kLength;
    switch (field.kind) {
      case FieldKind::kString:
        if (!packed) return false;
        message.String(field.name, ToText(cursor.LengthDelimited()));
        return true;
      case FieldKind::kMessage: {
        if (!packed || !budget_.Take(sizeof(Message))) return false;
        return Parse(cursor.LengthDelimited(), *FindMessage(field.message),
                     message.AddChild(field.name), depth + 1);
      }
      case FieldKind::kFloats:
      case FieldKind::kDoubles:
        return ParseFloats(cursor, wire, field, message);
      default:
        break;
    }
    if (!packed) return ParseNumber(cursor, wire, field, message);
    Cursor inner(cursor.LengthDelimited());
    const Wire item = field.kind == FieldKind::kFloat ? Wire::kFixed32 : Wire::kVarint;
    while (!inner.done()) {
      if (!budget_.Take(sizeof(FieldValue)) || !ParseNumber(inner, item, field, message))
        return false;
    }
    return !inner.failed();
  }

  static std::string_view ToText(protobuf::Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  bool ParseFloats(Cursor& cursor, Wire wire, const FieldSpec& field, Message& message) {
    const bool wide = field.kind == FieldKind::kDoubles;
    if (wire != Wire::kLength) {
      if (wire != (wide ? Wire::kFixed64 : Wire::kFixed32)) return false;
      message.Number(field.name, wide ? cursor.Fixed<double>() : cursor.Fixed<float>());
      return true;
    }
    const protobuf::Bytes bytes = cursor.LengthDelimited();
    if (bytes.size() % (wide ? sizeof(double) : sizeof(float)) != 0) return false;
    FieldValue& value = message.Add(field.name);
    value.kind = wide ? FieldValue::Kind::kDoubles : FieldValue::Kind::kFloats;
    value.packed = bytes;
    return true;
  }

  static bool ParseNumber(Cursor& cursor, Wire wire, const FieldSpec& field, Message& message) {
    if (field.kind == FieldKind::kFloat) {
      if (wire != Wire::kFixed32) return false;
      message.Number(field.name, cursor.Fixed<float>());
      return true;
    }
    if (wire != Wire::kVarint) return false;
    const auto value = static_cast<std::int64_t>(cursor.Varint());
    if (field.kind == FieldKind::kBool) {
      message.Bool(field.name, value != 0);
      return true;
    }
    const std::int64_t which = value - field.first;
    if (field.kind == FieldKind::kEnum && which >= 0 &&
        which < static_cast<std::int64_t>(field.enumerators.size())) {
      message.Name(field.name, field.enumerators[static_cast<std::size_t>(which)]);
      return true;
    }
    message.Number(field.name, static_cast<double>(value));
    return true;
  }

  protobuf::Budget budget_;
};

// The number that a value has in bytes.
std::int64_t ToInteger(const FieldSpec& field, const FieldValue& value) {
  if (value.kind != FieldValue::Kind::kName) return static_cast<std::int64_t>(value.number);
  if (field.kind == FieldKind::kBool) return value.text == "true" ? 1 : 0;
  for (std::size_t i = 0; i < field.enumerators.size(); ++i) {
    if (field.enumerators[i] == value.text) return field.first + static_cast<std::int64_t>(i);
  }
  ATH_CHECK(false, "only enumerators of the schema are written");
  return 0;
}

void WriteValue(const FieldSpec& field, const FieldValue& value, protobuf::Output& out) {
  if (field.kind == FieldKind::kMessage) {
    const std::vector<std::uint8_t> inner = PrintBytes(*value.message, field.message);
    out.Tag(field.number, Wire::kLength);
    out.Varint(inner.size());
    out.Raw(inner.data(), inner.size());
  } else if (field.kind == FieldKind::kString) {
    out.Tag(field.number, Wire::kLength);
    out.Varint(value.text.size());
    out.Raw(value.text.data(), value.text.size());
  } else if (field.kind == FieldKind::kFloats || field.kind == FieldKind::kDoubles) {
    out.Tag(field.number, Wire::kLength);
    out.Varint(value.packed.size());
    out.Raw(value.packed.data(), value.packed.size());
  } else if (field.kind == FieldKind::kFloat) {
    const auto number = static_cast<float>(value.number);
    out.Tag(field.number, Wire::kFixed32);
    out.Raw(&number, sizeof(number));
  } else {
    out.Tag(field.number, Wire::kVarint);
    out.Varint(static_cast<std::uint64_t>(ToInteger(field, value)));
  }
}

}  // namespace

Result<Message> ParseBytes(protobuf::Bytes bytes, std::string_view type) {
  Message message;
  BytesParser parser(bytes.size());
  if (parser.Parse(bytes, *FindMessage(type), message, 0)) return message;
  if (parser.exceeded()) {
    return Error(ErrorCode::kResource, "the file takes too much memory for its {} bytes",
                 bytes.size());
  }
  return Error(ErrorCode::kCorruptFile,
               "the bytes are not a complete Caffe network: truncated or damaged");
}

std::vector<std::uint8_t> PrintBytes(const Message& message, std::string_view type) {
  protobuf::Output out;
  for (const FieldSpec& field : FindMessage(type)->fields) {
    const std::vector<FieldValue>* values = message.Find(field.name);
    if (values == nullptr) continue;
    for (const FieldValue& value : *values) WriteValue(field, value, out);
  }
  return std::move(out.bytes());
}

}  // namespace athanor::caffe
