// Names and numbers of the fields in Caffe's files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::caffe {

enum class FieldKind : std::uint8_t {
  kInt,
  kFloat,
  kBool,
  kString,
  kEnum,
  kFloats,  // packed
  kDoubles,
  kMessage
};

struct FieldSpec {
  int number = 0;
  std::string_view name;
  FieldKind kind = FieldKind::kInt;
  std::string_view message;                   // of kMessage
  std::vector<std::string_view> enumerators;  // of kEnum
  int first = 0;                              // the number of the first enumerator
};

struct MessageSpec {
  std::string_view name;
  std::vector<FieldSpec> fields;

  const FieldSpec* Find(int number) const;
  const FieldSpec* Find(std::string_view field) const;
};

// nullptr: no such message.
const MessageSpec* FindMessage(std::string_view name);

}  // namespace athanor::caffe
