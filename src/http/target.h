// What a request asks for: the path in parts and the named values behind the "?".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace athanor::http {

// "/v2/models/a%2Fb?x=1" -> {"v2", "models", "a/b"}; nothing for a bad escape.
std::optional<std::vector<std::string>> SplitPath(std::string_view target);

using QueryValues = std::vector<std::pair<std::string, std::string>>;
// "/run?input=a%20b&random" -> {{"input", "a b"}, {"random", ""}}, in order; a plus is a space.
// Nothing for a bad escape.
std::optional<QueryValues> SplitQuery(std::string_view target);

}  // namespace athanor::http
