#include "http/json_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <iterator>

namespace athanor::http {

void AppendJsonString(std::string_view text, std::string& json) {
  json += '"';
  const bool is_utf8 = simdjson::validate_utf8(text.data(), text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20 || (byte >= 0x7F && !is_utf8)) {
      // Bytes that are no text read as Latin-1: the document stays valid.
      fmt::format_to(std::back_inserter(json), "\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      json += c;
    }
  }
  json += '"';
}

std::string ErrorJson(std::string_view text) {
  std::string json = "{\"error\":";
  AppendJsonString(text, json);
  return json + "}";
}

std::string ErrorText(const Status& status) {
  std::string text = status.where().empty() ? "" : status.where() + ": ";
  return text + status.message();
}

int HttpStatus(const Status& status) {
  switch (status.code()) {
    case ErrorCode::kOk:
      return 200;
    case ErrorCode::kUsage:
    case ErrorCode::kInvalidInput:
    case ErrorCode::kInvalidModel:  // a shape that the model cannot take
    case ErrorCode::kDataError:
      return 400;
    case ErrorCode::kUnknownName:
      return 404;
    case ErrorCode::kUnsupported:
    case ErrorCode::kUnsupportedType:
      return 501;
    case ErrorCode::kResource:
    case ErrorCode::kCancelled:
      return 503;
    case ErrorCode::kDeadline:
      return 504;
    default:
      return 500;
  }
}

}  // namespace athanor::http
