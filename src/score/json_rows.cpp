#include "score/json_rows.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <string>

#include "score/table_parser.h"

namespace athanor::score {
namespace {

namespace dom = simdjson::dom;

static_assert(JsonRows::kPadding >= simdjson::SIMDJSON_PADDING);

Status Broken(simdjson::error_code code) {
  return Error(ErrorCode::kInvalidInput, "the line is no JSON object: {}",
               simdjson::error_message(code));
}

// The value as a cell; a list or an object as its JSON.
std::string CellText(const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::NULL_VALUE:
      return "";
    case dom::element_type::STRING:
      return std::string(std::string_view(value));
    case dom::element_type::BOOL:
      return bool(value) ? "true" : "false";
    case dom::element_type::INT64:
      return fmt::format("{}", std::int64_t(value));
    case dom::element_type::UINT64:
      return fmt::format("{}", std::uint64_t(value));
    case dom::element_type::DOUBLE:
      return fmt::format("{}", double(value));  // as many digits as tell it from others
    default:
      return simdjson::minify(value);
  }
}

// NaN, which Python's json writes and JSON does not have, as null. Nothing: there is none.
std::optional<std::string> NanAsNull(std::string_view text) {
  constexpr std::string_view kNan = "NaN";
  std::string other;
  bool inside = false;  // a string
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (inside && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      inside = !inside;
    } else if (!inside && text.substr(i).starts_with(kNan)) {
      other.append(text.substr(from, i - from)).append("null");
      from = i + kNan.size();
      i = from - 1;
    }
  }
  if (from == 0) return std::nullopt;
  return other.append(text.substr(from));
}

Result<dom::object> ParseObject(dom::parser& parser, std::string_view text, bool padded) {
  dom::object object;
  const auto code = parser.parse(text.data(), text.size(), !padded).get_object().get(object);
  if (code == simdjson::SUCCESS) return object;
  const std::optional<std::string> other = NanAsNull(text);
  if (!other ||
      parser.parse(other->data(), other->size()).get_object().get(object) != simdjson::SUCCESS)
    return Broken(code);
  return object;
}

}  // namespace

struct JsonRows::Parser {
  dom::parser parser;
};

JsonRows::JsonRows(const std::vector<std::string>& names) : parser_(std::make_unique<Parser>()) {
  for (std::size_t i = 0; i < names.size(); ++i) positions_.emplace(names[i], i);
}
JsonRows::~JsonRows() = default;

Status JsonRows::Split(std::string_view object, std::deque<std::string>& strings,
                       std::vector<Cell>& cells) {
  cells.resize(positions_.size());
  ATH_TRY(const dom::object members, ParseObject(parser_->parser, object, true));
  for (const dom::key_value_pair member : members) {
    const auto known = positions_.find(member.key);
    if (known == positions_.end()) continue;
    cells[known->second] = {.text = strings.emplace_back(CellText(member.value)),
                            .quoted = member.value.is_string()};
  }
  return {};
}

Result<std::vector<std::string>> MemberNames(std::string_view object) {
  dom::parser parser;
  ATH_TRY(const dom::object members, ParseObject(parser, object, false));
  std::vector<std::string> names;
  for (const dom::key_value_pair member : members) {
    if (std::find(names.begin(), names.end(), member.key) == names.end())
      names.emplace_back(member.key);
  }
  return names;
}

}  // namespace athanor::score
