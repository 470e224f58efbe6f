// What is known about a value before anything runs: its kind, element type and shape.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/datum.h"
#include "ir/dim.h"

namespace athanor {

using Shape = std::vector<Dim>;

enum class TypeKind : std::uint8_t { kAbsent, kTensor, kSequence, kOptional };

struct Type {
  TypeKind kind = TypeKind::kAbsent;
  DType dtype = DType::kUndefined;           // of a tensor
  std::optional<Shape> shape = {};           // of a tensor; nothing when even the rank is unknown
  std::shared_ptr<const Type> element = {};  // of a sequence or an optional

  static Type Tensor(DType dtype, Shape shape) {
    return {TypeKind::kTensor, dtype, std::move(shape), {}};
  }
  static Type TensorOfUnknownRank(DType dtype) { return {TypeKind::kTensor, dtype, {}, {}}; }
  static Type Sequence(Type element);
  static Type Optional(Type element);
  static Type Of(const class Tensor& tensor);
  static Type Of(const Datum& datum);

  bool IsTensor() const { return kind == TypeKind::kTensor; }
  bool HasRank() const { return IsTensor() && shape.has_value(); }
  // Only when HasRank().
  std::int64_t rank() const { return static_cast<std::int64_t>(shape->size()); }
  const Dim& dim(std::int64_t axis) const { return (*shape)[static_cast<std::size_t>(axis)]; }
  // The shape as numbers, when all are known.
  std::optional<Dims> StaticDims() const;

  // "f32[N, 3, 224]", "f32[...]" (rank unknown), "seq(i64[])", "optional(f32[2])"
  std::string ToString() const;
  friend bool operator==(const Type& a, const Type& b);
};

// Number of elements as an expression; unknown without a rank.
Dim ElementCount(const Shape& shape);

// What is certain when a value may be either: dims that differ become unknown.
// Nothing when kind or element type differ.
std::optional<Type> CommonType(const Type& a, const Type& b);

}  // namespace athanor
