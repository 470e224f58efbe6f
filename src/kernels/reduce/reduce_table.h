// Folding many elements into one, or many rows into one row. Included by .isa.cpp files: no
// standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

// What is folded: elements, their magnitudes, (x - shift)^2, or exp(x - shift). Without a shift it
// is 0.
enum class FoldKind : std::uint8_t {
  kSum,
  kSumMagnitude,
  kSumSquare,
  kSumExp,
  kProduct,
  kMax,
  kMin
};
inline constexpr std::size_t kFoldKinds = 7;

struct FoldRow {
  // *y = fold(*y, x[0], ..., x[n - 1]); `shift` points to one element.
  void (*across)(const void* x, const void* shift, void* y, std::size_t n) = nullptr;
  // y[i] = fold(y[i], x[i]); `shift` has n elements.
  void (*down)(const void* x, const void* shift, void* y, std::size_t n) = nullptr;
};

struct FoldTable {
  FoldRow f32[kFoldKinds], i8[kFoldKinds], u8[kFoldKinds], i32[kFoldKinds], i64[kFoldKinds];
  // The first i < n with !(x[i] <= limit), or !(x[i] >= limit); n when there is none.
  std::size_t (*first_above)(const float* x, std::size_t n, float limit) = nullptr;
  std::size_t (*first_below)(const float* x, std::size_t n, float limit) = nullptr;
};

// The f32 row of a kind.
inline const FoldRow& FoldOf(const FoldTable& table, FoldKind kind) {
  return table.f32[static_cast<std::size_t>(kind)];
}

namespace base {
extern const FoldTable kFolds;
}
namespace avx2 {
extern const FoldTable kFolds;
}
namespace avx512 {
extern const FoldTable kFolds;
}

}  // namespace athanor::kernels
