// A JSON document in memory, read from JSON or from UBJSON (the binary form that XGBoost writes).
//
// Arrays of numbers are kept packed: a file of trees is little else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace athanor::tabular {

struct Value {
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kNumbers, kArray, kObject };
  Kind kind = Kind::kNull;
  double number = 0;                                        // also of kBool
  std::string text = {};                                    // of kString
  std::vector<double> numbers = {};                         // of kNumbers; an empty array is one
  std::vector<Value> items = {};                            // of kArray
  std::vector<std::pair<std::string, Value>> members = {};  // of kObject

  // nullptr when this is no object or has no such member.
  const Value* Find(std::string_view name) const;
};

// Members of an object by name; the error says which is absent or of the wrong kind.
Result<const Value*> Member(const Value& object, std::string_view name, Value::Kind kind);
Result<const Value*> Object(const Value& object, std::string_view name);
Result<std::span<const double>> Numbers(const Value& object, std::string_view name);
// A plain integer, or one written as a string; `fallback` where there is no such member.
Result<std::int64_t> Integer(const Value& object, std::string_view name, std::int64_t fallback);
// Empty where there is no such member.
Result<std::vector<std::string>> Strings(const Value& object, std::string_view name);

// Refuses values nested too deep or, numbers of packed arrays apart, too many of them: each takes
// far more memory than its one byte in a file.
Status CheckLimits(int depth, std::size_t num_values);

// The whole document, or where it is broken. `unread`: names of members that are null where they
// are lists of numbers, which nobody asks for.
Result<Value> ParseJson(std::span<const std::uint8_t> bytes,
                        std::span<const std::string_view> unread = {});
Result<Value> ParseUbjson(std::span<const std::uint8_t> bytes);

}  // namespace athanor::tabular
