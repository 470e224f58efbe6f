#include "frontends/foreign_values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "frontends/foreign.h"

namespace athanor {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::optional<double> Number(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (text.empty() || problem != std::errc() || stop != end || !std::isfinite(number))
    return std::nullopt;
  return number;
}

// "1, 2", with a comma at the end where there is one number, as Python writes tuples.
std::optional<std::vector<double>> NumberList(std::string_view text) {
  std::vector<double> numbers;
  while (!Trimmed(text).empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::optional<double> number = Number(Trimmed(text.substr(0, end)));
    if (!number) return std::nullopt;
    numbers.push_back(*number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return numbers;
}

bool IsFramed(std::string_view text) {
  return text.size() >= 2 && ((text.front() == '(' && text.back() == ')') ||
                              (text.front() == '[' && text.back() == ']'));
}

}  // namespace

AttrValue NumberAsAttribute(double number) {
  constexpr double kExact = 1LL << 53;
  if (std::trunc(number) == number && std::abs(number) <= kExact)
    return static_cast<std::int64_t>(number);
  return static_cast<float>(number);
}

AttrValue NumbersAsAttribute(std::span<const double> numbers) {
  std::vector<std::int64_t> ints;
  std::vector<float> floats;
  for (const double number : numbers) {
    const AttrValue value = NumberAsAttribute(number);
    if (const auto* whole = std::get_if<std::int64_t>(&value)) ints.push_back(*whole);
    floats.push_back(static_cast<float>(number));
  }
  if (ints.size() == numbers.size()) return ints;
  return floats;
}

AttrValue TextAsAttribute(std::string_view text) {
  const std::string_view trimmed = Trimmed(text);
  if (trimmed == "True" || trimmed == "true") return std::int64_t{1};
  if (trimmed == "False" || trimmed == "false") return std::int64_t{0};
  if (const auto number = Number(trimmed)) return NumberAsAttribute(*number);
  const bool framed = IsFramed(trimmed);
  if (framed || trimmed.find(',') != std::string_view::npos) {
    const auto list = NumberList(framed ? trimmed.substr(1, trimmed.size() - 2) : trimmed);
    if (list) return NumbersAsAttribute(*list);
  }
  return std::string(text);
}

AttrMap TextAttributes(std::string_view format, std::string_view op,
                       std::span<const NamedText> texts) {
  const OpDef* const custom = ForeignOp(format, op);
  const auto is_text = [&](std::string_view name) {
    return custom != nullptr && std::any_of(custom->attributes.begin(), custom->attributes.end(),
                                            [&](const AttrSpec& spec) {
                                              return spec.name == name &&
                                                     spec.kind == AttrKind::kString;
                                            });
  };
  AttrMap attributes;
  for (const auto& [name, text] : texts)
    attributes.Set(name, is_text(name) ? AttrValue(text) : TextAsAttribute(text));
  return attributes;
}

}  // namespace athanor
