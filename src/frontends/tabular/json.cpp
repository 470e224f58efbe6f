#include <simdjson.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "frontends/tabular/document.h"
#include "frontends/tabular/number_lists.h"

namespace athanor::tabular {
namespace {

constexpr int kDeepest = 64;
constexpr std::size_t kMostValues = std::size_t{1} << 21;

double NumberOf(const simdjson::dom::element& element) {
  double number = 0;
  ATH_CHECK(element.get(number) == simdjson::SUCCESS, "the type says so");
  return number;
}

// What becomes values.
class Converter {
 public:
  explicit Converter(std::vector<std::vector<double>> lists) : lists_(std::move(lists)) {}

  Result<Value> Convert(const simdjson::dom::element& element, int depth) {
    ATH_RETURN_IF_ERROR(CheckLimits(depth, ++count_));
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
        return Value{.kind = Value::Kind::kString,
                     .text = std::string(element.get_string().value())};
      case simdjson::dom::element_type::ARRAY: {
        simdjson::dom::array array;
        ATH_CHECK(element.get(array) == simdjson::SUCCESS, "the type says so");
        return ConvertArray(array, depth);
      }
      case simdjson::dom::element_type::OBJECT:
        break;
    }
    Value value = {.kind = Value::Kind::kObject};
    simdjson::dom::object object;
    ATH_CHECK(element.get(object) == simdjson::SUCCESS, "no other type is left");
    constexpr std::size_t kUsual = 16;
    value.members.reserve(std::min(object.size(), kUsual));
    for (const simdjson::dom::key_value_pair field : object) {
      ATH_TRY(Value converted, Convert(field.value, depth + 1));
      value.members.emplace_back(std::string(field.key), std::move(converted));
    }
    return value;
  }

 private:
  Result<Value> ConvertArray(const simdjson::dom::array& array, int depth) {
    if (array.size() == 0) return Value{.kind = Value::Kind::kNumbers};
    if (array.size() == 1 && array.at(0).is_number()) {  // the place of a list
      const auto place = static_cast<std::size_t>(NumberOf(array.at(0).value()));
      ATH_CHECK(place < lists_.size(), "all lists of numbers were taken");
      return Value{.kind = Value::Kind::kNumbers, .numbers = std::move(lists_[place])};
    }
    Value value = {.kind = Value::Kind::kArray};
    for (const simdjson::dom::element item : array) {
      ATH_TRY(Value converted, Convert(item, depth + 1));
      value.items.push_back(std::move(converted));
    }
    return value;
  }

  std::vector<std::vector<double>> lists_;
  std::size_t count_ = 0;  // the values of the document so far
};

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

Result<Value> ParseJson(std::span<const std::uint8_t> bytes,
                        std::span<const std::string_view> unread) {
  if (bytes.empty()) return Error(ErrorCode::kCorruptFile, "the JSON is broken: there is nothing");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  ATH_TRY(NumberLists taken, TakeNumberLists(text, unread));
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  taken.rest.reserve(taken.rest.size() + simdjson::SIMDJSON_PADDING);
  const auto error = parser.parse(taken.rest).get(root);
  if (error != simdjson::SUCCESS) {
    const std::string place = PlaceOfMistake(text);
    return Error(ErrorCode::kCorruptFile, "the JSON is broken: {}",
                 place.empty() ? simdjson::error_message(error) : place);
  }
  return Converter(std::move(taken.lists)).Convert(root, 0);
}

}  // namespace athanor::tabular
