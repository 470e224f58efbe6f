// Strings as JSON, whatever their bytes are; errors as the documents that answers carry.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"

namespace athanor::http {

// In quotes. Bytes that are no UTF-8 read as Latin-1: the document stays valid.
void AppendJsonString(std::string_view text, std::string& json);
// {"error": "..."}
std::string ErrorJson(std::string_view text);
// What and where, for people at the other end.
std::string ErrorText(const Status& status);
// The number that HTTP has for an error.
int HttpStatus(const Status& status);

}  // namespace athanor::http
