// JSON files, parsed whole. Includes simdjson: for sources that use it anyway.
#pragma once

#include <simdjson.h>

#include <string_view>

#include "core/status.h"

namespace athanor {

// The root of the document. It points into `parser`, until that parses another.
inline Result<simdjson::dom::element> ParseJson(std::string_view text,
                                                simdjson::dom::parser& parser) {
  // simdjson copies what it parses, and a text of nothing may begin nowhere.
  if (text.empty()) return Error(ErrorCode::kCorruptFile, "the JSON is broken: it is empty");
  simdjson::dom::element root;
  const auto error = parser.parse(text.data(), text.size()).get(root);
  if (error == simdjson::SUCCESS) return root;
  return Error(ErrorCode::kCorruptFile, "the JSON is broken: {}", simdjson::error_message(error));
}

}  // namespace athanor
