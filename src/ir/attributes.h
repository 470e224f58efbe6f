// Attributes of a node: a small sorted map in the graph, a plain struct in an operator.
//
// An operator describes its struct once, in `Visit`; reading, checking, printing, documenting and
// Python keyword arguments all follow from it:
//
//   struct ClipAttrs {
//     float low = 0.0F;
//     template <class V> void Visit(V& v) { v("low", low, "smallest output value"); }
//   };
//
// Field types: std::int64_t, bool, float, std::string, DType, Tensor, Type, std::vector of the
// first, third and fourth, and std::optional of any (absent by default). A field without a sensible
// default is marked kRequired as the visitor's fourth argument.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/tensor.h"
#include "ir/type.h"

namespace athanor {

enum class AttrKind : std::uint8_t {
  kInt,
  kFloat,
  kString,
  kDType,
  kInts,
  kFloats,
  kStrings,
  kTensor,
  kType
};

using AttrValue = std::variant<std::int64_t, float, std::string, DType, std::vector<std::int64_t>,
                               std::vector<float>, std::vector<std::string>, Tensor, Type>;

inline AttrKind KindOf(const AttrValue& value) { return static_cast<AttrKind>(value.index()); }
std::string_view Name(AttrKind kind);
std::string Print(const AttrValue& value);
bool SameValue(const AttrValue& a, const AttrValue& b);

// Name -> value, sorted by name.
class AttrMap {
 public:
  AttrMap() = default;
  AttrMap(std::initializer_list<std::pair<std::string_view, AttrValue>> items);
  // Not inline: thousands of calls make one and let it go.
  AttrMap(const AttrMap& other);
  AttrMap(AttrMap&& other) noexcept = default;
  AttrMap& operator=(const AttrMap& other);
  AttrMap& operator=(AttrMap&& other) noexcept;
  ~AttrMap();

  const AttrValue* Find(std::string_view name) const;
  void Set(std::string_view name, AttrValue value);
  void Erase(std::string_view name);
  bool empty() const { return items_.empty(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  friend bool operator==(const AttrMap& a, const AttrMap& b);

 private:
  std::vector<std::pair<std::string, AttrValue>> items_;
};

enum AttrFlag : std::uint8_t { kOptionalAttr, kRequired };

// One attribute as documentation and checks see it.
struct AttrSpec {
  std::string name;
  AttrKind kind = AttrKind::kInt;
  std::optional<AttrValue> default_value = {};  // nothing: absent by default
  bool required = false;
  std::string doc;
};

namespace attributes_internal {

template <class T>
struct Field;  // how a struct field maps to an AttrValue
template <class T, AttrKind kKind>
struct SameField {
  static constexpr AttrKind kind = kKind;
  static AttrValue Write(const T& field) { return field; }
  static void Read(const AttrValue& value, T& field) { field = std::get<T>(value); }
};
template <>
struct Field<std::int64_t> : SameField<std::int64_t, AttrKind::kInt> {};
template <>
struct Field<float> : SameField<float, AttrKind::kFloat> {};
template <>
struct Field<std::string> : SameField<std::string, AttrKind::kString> {};
template <>
struct Field<DType> : SameField<DType, AttrKind::kDType> {};
template <>
struct Field<Tensor> : SameField<Tensor, AttrKind::kTensor> {};
template <>
struct Field<Type> : SameField<Type, AttrKind::kType> {};
template <>
struct Field<std::vector<std::int64_t>> : SameField<std::vector<std::int64_t>, AttrKind::kInts> {};
template <>
struct Field<std::vector<float>> : SameField<std::vector<float>, AttrKind::kFloats> {};
template <>
struct Field<std::vector<std::string>> : SameField<std::vector<std::string>, AttrKind::kStrings> {};
template <>
struct Field<bool> {
  static constexpr AttrKind kind = AttrKind::kInt;
  static AttrValue Write(bool field) { return std::int64_t{field}; }
  static void Read(const AttrValue& value, bool& field) {
    field = std::get<std::int64_t>(value) != 0;
  }
};
template <class T>
struct IsOptional : std::false_type {
  using Type = T;
};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {
  using Type = T;
};

struct Reader {
  const AttrMap& map;
  template <class T>
  void operator()(const char* name, T& field, const char*, AttrFlag = kOptionalAttr) const {
    const AttrValue* value = map.Find(name);
    if (value == nullptr) return;
    if constexpr (IsOptional<T>::value) {
      field.emplace();
      Field<typename IsOptional<T>::Type>::Read(*value, *field);
    } else {
      Field<T>::Read(*value, field);
    }
  }
};

struct Writer {
  AttrMap& map;
  template <class T>
  void operator()(const char* name, T& field, const char*, AttrFlag = kOptionalAttr) const {
    if constexpr (IsOptional<T>::value) {
      if (field) map.Set(name, Field<typename IsOptional<T>::Type>::Write(*field));
    } else {
      map.Set(name, Field<T>::Write(field));
    }
  }
};

struct Describer {
  std::vector<AttrSpec>& specs;
  template <class T>
  void operator()(const char* name, T& field, const char* doc,
                  AttrFlag flag = kOptionalAttr) const {
    AttrSpec spec = {.name = name,
                     .kind = Field<typename IsOptional<T>::Type>::kind,
                     .required = flag == kRequired,
                     .doc = doc};
    if constexpr (!IsOptional<T>::value) {
      if (flag != kRequired) spec.default_value = Field<T>::Write(field);
    }
    specs.push_back(std::move(spec));
  }
};

}  // namespace attributes_internal

// The map must have passed CheckAttributes of the same operator.
template <class A>
A ReadAttributes(const AttrMap& map) {
  A attributes;
  attributes_internal::Reader reader{map};
  attributes.Visit(reader);
  return attributes;
}

template <class A>
AttrMap WriteAttributes(A attributes) {
  AttrMap map;
  attributes_internal::Writer writer{map};
  attributes.Visit(writer);
  return map;
}

// For OpDef::attributes.
template <class A>
std::vector<AttrSpec> Describe() {
  std::vector<AttrSpec> specs;
  A attributes;
  attributes_internal::Describer describer{specs};
  attributes.Visit(describer);
  return specs;
}

// Kinds right, no unknown names, no required one missing; a value equal to its default is removed,
// so that equal nodes have equal maps.
Status CheckAttributes(const std::vector<AttrSpec>& specs, AttrMap& map);

}  // namespace athanor
