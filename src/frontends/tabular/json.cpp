#include <simdjson.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "frontends/tabular/document.h"

namespace athanor::tabular {
namespace {

constexpr int kDeepest = 64;
constexpr std::size_t kMostValues = std::size_t{1} << 21;

double NumberOf(const simdjson::dom::element& element) {
  double number = 0;
  ATH_CHECK(element.get(number) == simdjson::SUCCESS, "the type says so");
  return number;
}

// `count`: the values of the document so far.
Result<Value> Convert(const simdjson::dom::element& element, int depth, std::size_t& count);

Result<Value> ConvertArray(const simdjson::dom::array& array, int depth, std::size_t& count) {
  Value value = {.kind = Value::Kind::kNumbers};
  value.numbers.reserve(array.size());
  bool packed = true;
  for (const simdjson::dom::element item : array) {
    double number = 0;
    packed = item.get(number) == simdjson::SUCCESS;
    if (!packed) break;
    value.numbers.push_back(number);
  }
  if (packed) return value;
  value = {.kind = Value::Kind::kArray};
  for (const simdjson::dom::element item : array) {
    ATH_TRY(Value converted, Convert(item, depth + 1, count));
    value.items.push_back(std::move(converted));
  }
  return value;
}

Result<Value> Convert(const simdjson::dom::element& element, int depth, std::size_t& count) {
  ATH_RETURN_IF_ERROR(CheckLimits(depth, ++count));
  switch (element.type()) {
    case simdjson::dom::element_type::NULL_VALUE:
      return Value();
    case simdjson::dom::element_type::BOOL:
      return Value{.kind = Value::Kind::kBool,
                   .number = element.is_bool() && bool(element) ? 1.0 : 0.0};
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64:
    case simdjson::dom::element_type::DOUBLE:
      return Value{.kind = Value::Kind::kNumber, .number = NumberOf(element)};
    case simdjson::dom::element_type::STRING:
      return Value{.kind = Value::Kind::kString, .text = std::string(element.get_string().value())};
    case simdjson::dom::element_type::ARRAY: {
      simdjson::dom::array array;
      ATH_CHECK(element.get(array) == simdjson::SUCCESS, "the type says so");
      return ConvertArray(array, depth, count);
    }
    case simdjson::dom::element_type::OBJECT:
      break;
  }
  Value value = {.kind = Value::Kind::kObject};
  simdjson::dom::object object;
  ATH_CHECK(element.get(object) == simdjson::SUCCESS, "no other type is left");
  for (const simdjson::dom::key_value_pair field : object) {
    ATH_TRY(Value converted, Convert(field.value, depth + 1, count));
    value.members.emplace_back(std::string(field.key), std::move(converted));
  }
  return value;
}

// simdjson does not tell where a document breaks: it is read once more by a parser that does. ""
// when that one finds nothing wrong.
std::string PlaceOfMistake(std::string_view text) {
  using nlohmann::json;
  try {
    const auto keep_nothing = [](int, json::parse_event_t, const json&) { return false; };
    [[maybe_unused]] const json nothing = json::parse(text.begin(), text.end(), keep_nothing);
  } catch (const json::parse_error& error) {
    if (error.byte > text.size())
      return fmt::format("the file ends early, after {} bytes, in the middle of a value",
                         text.size());
    const std::string_view before =
        text.substr(0, error.byte - std::min<std::size_t>(error.byte, 1));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    return fmt::format("at byte {}, line {}", before.size(), line);
  } catch (const json::exception&) {
    return "";
  }
  return "";
}

}  // namespace

const Value* Value::Find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

Status CheckLimits(int depth, std::size_t num_values) {
  if (depth > kDeepest)
    return Error(ErrorCode::kResource, "values are nested more than {} deep", kDeepest);
  if (num_values > kMostValues)
    return Error(ErrorCode::kResource, "the document has more than {} values", kMostValues);
  return {};
}

Result<Value> ParseJson(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return Error(ErrorCode::kCorruptFile, "the JSON is broken: there is nothing");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const auto error =
      parser.parse(reinterpret_cast<const char*>(bytes.data()), bytes.size()).get(root);
  if (error != simdjson::SUCCESS) {
    const std::string place =
        PlaceOfMistake({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return Error(ErrorCode::kCorruptFile, "the JSON is broken: {}",
                 place.empty() ? simdjson::error_message(error) : place);
  }
  std::size_t count = 0;
  return Convert(root, 0, count);
}

}  // namespace athanor::tabular
