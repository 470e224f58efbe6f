// A Caffe file as a tree of named fields, whether it was written as text (.prototxt) or as bytes
// (.caffemodel), and back. Knows the two encodings and not what any field means.
//
// Sources: protobuf.dev/reference/protobuf/textformat-spec,
// protobuf.dev/programming-guides/encoding.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frontends/protobuf/wire.h"

namespace athanor::caffe {

class Message;

struct FieldValue {
  enum class Kind : std::uint8_t { kNumber, kName, kString, kFloats, kDoubles, kMessage };
  Kind kind = Kind::kNumber;
  double number = 0;
  std::string text;                  // of a name (an enumerator, true, false) or a string
  protobuf::Bytes packed;            // of kFloats and kDoubles: they point into the file
  std::shared_ptr<Message> message;  // never null for kMessage
};

class Message {
 public:
  std::size_t line = 0;  // where it starts in a text; 0: it comes from bytes

  const std::vector<FieldValue>* Find(std::string_view name) const;
  // The last value wins, as in protocol buffers; nullptr when the field is not set.
  const FieldValue* Last(std::string_view name) const;
  const Message* Child(std::string_view name) const;
  std::vector<std::shared_ptr<Message>> Children(std::string_view name) const;
  // The last string or name; "" when the field is not set.
  std::string Text(std::string_view name) const;
  std::vector<std::string> Texts(std::string_view name) const;

  FieldValue& Add(std::string_view name);
  Message& Number(std::string_view name, double value);
  Message& Name(std::string_view name, std::string_view value);
  Message& String(std::string_view name, std::string_view value);
  Message& Bool(std::string_view name, bool value) { return Name(name, value ? "true" : "false"); }
  // A new child, or `child` itself.
  Message& AddChild(std::string_view name);
  void AddChild(std::string_view name, std::shared_ptr<Message> child);
  // The last child of this name; a new one when there is none.
  Message& ChildOrNew(std::string_view name);
  // Takes the values of a field out.
  std::vector<FieldValue> Take(std::string_view name);
  void Put(std::string_view name, std::vector<FieldValue> values);

  const std::map<std::string, std::vector<FieldValue>, std::less<>>& fields() const {
    return fields_;
  }

 private:
  std::map<std::string, std::vector<FieldValue>, std::less<>> fields_;
};

// Reads a text. Any field name is taken: who reads the tree knows which ones exist.
Result<Message> ParseText(std::string_view text);

// Reads bytes as the message `type` of the schema. `bytes` must outlive the tree. A field that the
// schema lacks becomes one of the name "field NUMBER" without a value.
Result<Message> ParseBytes(protobuf::Bytes bytes, std::string_view type);

// Writes a message of the schema; fields in the schema's order. Weights (packed values) are left
// out of texts.
std::string PrintText(const Message& message, std::string_view type);
std::vector<std::uint8_t> PrintBytes(const Message& message, std::string_view type);

}  // namespace athanor::caffe
