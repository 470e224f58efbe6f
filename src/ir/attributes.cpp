#include "ir/attributes.h"

#include <algorithm>
#include <bit>

#include "core/text.h"
#include "ir/quantized.h"

namespace athanor {
namespace {

template <class T, class F>
std::string List(const std::vector<T>& values, F&& print) {
  std::string text = "[";
  for (const T& value : values) {
    if (text.size() > 1) text += ", ";
    text += print(value);
  }
  return text + "]";
}

// The shortest decimal that reads back as the same float.
std::string PrintFloat(float value) { return fmt::format("{}", value); }

}  // namespace

std::string_view Name(AttrKind kind) {
  constexpr std::string_view kNames[] = {"int",    "float",   "string", "dtype", "ints",
                                         "floats", "strings", "tensor", "type"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string Print(const AttrValue& value) {
  struct Printer {
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(float v) const { return PrintFloat(v); }
    std::string operator()(const std::string& v) const { return Quote(v); }
    std::string operator()(DType v) const { return std::string(Name(v)); }
    std::string operator()(const std::vector<std::int64_t>& v) const {
      return List(v, [](std::int64_t x) { return std::to_string(x); });
    }
    std::string operator()(const std::vector<float>& v) const { return List(v, PrintFloat); }
    std::string operator()(const std::vector<std::string>& v) const { return List(v, Quote); }
    std::string operator()(const Tensor& v) const { return Type::Of(v).ToString(); }
    std::string operator()(const Type& v) const { return v.ToString(); }
  };
  return std::visit(Printer{}, value);
}

bool SameValue(const AttrValue& a, const AttrValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* tensor = std::get_if<Tensor>(&a)) return tensor->SameAs(std::get<Tensor>(b));
  // By bits, so that NaN equals itself and -0 differs from 0.
  if (const auto* number = std::get_if<float>(&a)) {
    return std::bit_cast<std::uint32_t>(*number) ==
           std::bit_cast<std::uint32_t>(std::get<float>(b));
  }
  if (std::holds_alternative<Type>(a)) return std::get<Type>(a) == std::get<Type>(b);
  return Print(a) == Print(b);
}

AttrMap::AttrMap(const AttrMap& other) = default;
AttrMap& AttrMap::operator=(const AttrMap& other) = default;
AttrMap& AttrMap::operator=(AttrMap&& other) noexcept = default;
AttrMap::~AttrMap() = default;

AttrMap::AttrMap(std::initializer_list<std::pair<std::string_view, AttrValue>> items) {
  for (const auto& [name, value] : items) Set(name, value);
}

const AttrValue* AttrMap::Find(std::string_view name) const {
  const auto found = std::find_if(items_.begin(), items_.end(),
                                  [&](const auto& item) { return item.first == name; });
  return found == items_.end() ? nullptr : &found->second;
}

void AttrMap::Set(std::string_view name, AttrValue value) {
  const auto at =
      std::lower_bound(items_.begin(), items_.end(), name,
                       [](const auto& item, std::string_view n) { return item.first < n; });
  if (at != items_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    items_.emplace(at, std::string(name), std::move(value));
  }
}

void AttrMap::Erase(std::string_view name) {
  std::erase_if(items_, [&](const auto& item) { return item.first == name; });
}

bool operator==(const AttrMap& a, const AttrMap& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && SameValue(x.second, y.second);
  });
}

Status CheckAttributes(const std::vector<AttrSpec>& specs, AttrMap& map) {
  std::vector<std::string> names;
  std::vector<std::string> defaults;
  for (const AttrSpec& spec : specs) names.push_back(spec.name);
  for (const auto& [name, value] : map) {
    const auto is_named = [&name = name](const AttrSpec& s) { return s.name == name; };
    auto spec = std::find_if(specs.begin(), specs.end(), is_named);
    if (spec == specs.end() && HasQuantSpec(map)) {
      spec = std::find_if(QuantAttributes().begin(), QuantAttributes().end(), is_named);
      if (spec == QuantAttributes().end()) spec = specs.end();
    }
    if (spec == specs.end()) {
      return InvalidModel("there is no attribute \"{}\"{}", name, DidYouMean(name, names));
    }
    if (spec->kind != KindOf(value)) {
      return InvalidModel("attribute \"{}\" is {}; {} is expected", name, Name(KindOf(value)),
                          Name(spec->kind));
    }
    if (spec->default_value && SameValue(*spec->default_value, value)) defaults.push_back(name);
  }
  for (const AttrSpec& spec : specs) {
    if (spec.required && map.Find(spec.name) == nullptr) {
      return InvalidModel("attribute \"{}\" ({}) is missing", spec.name, spec.doc);
    }
  }
  for (const std::string& name : defaults) map.Erase(name);
  return {};
}

}  // namespace athanor
