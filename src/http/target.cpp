#include "http/target.h"

#include <algorithm>
#include <charconv>

namespace athanor::http {
namespace {

std::optional<std::string> Unescape(std::string_view text, bool plus_is_space) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      plain += ' ';
      continue;
    }
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    unsigned value = 0;
    const char* hex = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(hex, hex + 2, value, 16).ptr != hex + 2) return {};
    plain += static_cast<char>(value);
    i += 2;
  }
  return plain;
}

}  // namespace

std::optional<std::vector<std::string>> SplitPath(std::string_view target) {
  target = target.substr(0, target.find('?'));
  std::vector<std::string> parts;
  while (!target.empty()) {
    const std::size_t slash = std::min(target.find('/'), target.size());
    std::optional<std::string> part = Unescape(target.substr(0, slash), false);
    if (!part) return {};
    if (!part->empty()) parts.push_back(*std::move(part));
    target.remove_prefix(std::min(slash + 1, target.size()));
  }
  return parts;
}

std::optional<QueryValues> SplitQuery(std::string_view target) {
  QueryValues values;
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return values;
  target.remove_prefix(mark + 1);
  while (!target.empty()) {
    const std::size_t end = std::min(target.find('&'), target.size());
    const std::string_view pair = target.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = Unescape(pair.substr(0, equals), true);
    std::optional<std::string> value =
        Unescape(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) return {};
    if (!name->empty()) values.emplace_back(*std::move(name), *std::move(value));
    target.remove_prefix(std::min(end + 1, target.size()));
  }
  return values;
}

}  // namespace athanor::http
