#include "frontends/pmml/xml.h"

#include <charconv>
#include <cstring>

#include "core/text.h"

namespace athanor::pmml {

Result<double> ParseNumber(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.front()) != nullptr) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return InvalidModel("{} is no number", Quote(text.substr(0, 40)));
}

Result<double> Number(const Element& element, const char* attribute) {
  Result<double> value = ParseNumber(Text(element, attribute));
  if (!value.ok())
    return std::move(value).status().In(fmt::format("<{}> {}", element.name(), attribute));
  return value;
}

Result<double> NumberOr(const Element& element, const char* attribute, double fallback) {
  if (element.attribute(attribute).empty()) return fallback;
  return Number(element, attribute);
}

std::vector<std::string> ArrayWords(const Element& array) {
  std::vector<std::string> words;
  const std::string_view text = array.text().get();
  for (std::size_t at = 0;;) {
    at = text.find_first_not_of(" \t\r\n", at);
    if (at == std::string_view::npos) return words;
    std::string word;
    if (text[at] != '"') {
      const std::size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
      words.emplace_back(text.substr(at, end - at));
      at = end;
      continue;
    }
    for (++at; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      word += text[at];
    }
    at = std::min(at + 1, text.size());
    words.push_back(std::move(word));
  }
}

bool IsContent(const Element& element) {
  return element.type() == pugi::node_element && std::strcmp(element.name(), "Extension") != 0;
}

std::string NameOf(const Element& element) {
  const std::string_view name = Text(element, "modelName");
  if (name.empty()) return fmt::format("<{}>", element.name());
  return fmt::format("<{}> {}", element.name(), Quote(name));
}

}  // namespace athanor::pmml
