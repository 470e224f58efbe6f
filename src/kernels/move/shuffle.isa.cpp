#include "kernels/move/shuffle_table.h"
#include "kernels/simd_square.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// Floats stand for any elements of 4 bytes: they are moved, never computed with.
void Turn(const void* from, std::size_t from_stride, void* to, std::size_t to_stride,
          std::size_t rows, std::size_t n) {
  const std::size_t whole_rows = rows / kLanes * kLanes, whole = n / kLanes * kLanes;
  const auto* x = static_cast<const float*>(from);
  auto* y = static_cast<float*>(to);
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t r = 0; r < whole_rows; r += kLanes)
      TurnSquare(x + r + i * from_stride, from_stride, y + r * to_stride + i, to_stride);
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = r < whole_rows ? whole : 0; i < n; ++i)
      y[r * to_stride + i] = x[r + i * from_stride];
  }
}

template <class T>
void Twice(const void* from, std::size_t n, void* to, std::size_t rows) {
  const hn::ScalableTag<T> tag;
  const std::size_t lanes = hn::Lanes(tag);
  const auto* x = static_cast<const T*>(from);
  for (std::size_t i = 0; i < n; i += lanes) {
    auto* y = static_cast<T*>(to) + 2 * i;
    if (i + lanes <= n) {
      const auto v = hn::LoadU(tag, x + i);
      for (std::size_t r = 0; r < rows; ++r, y += 2 * n) hn::StoreInterleaved2(v, v, tag, y);
      continue;
    }
    for (std::size_t r = 0; r < rows; ++r, y += 2 * n) {
      for (std::size_t j = 0; i + j < n; ++j) y[2 * j] = y[2 * j + 1] = x[i + j];
    }
  }
}

template <class T>
void Halve(const void* from, std::size_t n, void* to) {
  const hn::ScalableTag<T> tag;
  const std::size_t lanes = hn::Lanes(tag);
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<T*>(to);
  std::size_t i = 0;
  for (; i + lanes < n; i += lanes) {
    const auto low = hn::LoadU(tag, x + 2 * i), high = hn::LoadU(tag, x + 2 * i + lanes);
    hn::StoreU(hn::ConcatEven(tag, high, low), tag, y + i);
  }
  for (; i < n; ++i) y[i] = x[2 * i];
}

}  // namespace

extern const ShuffleTable kShuffles = {.turn = Turn,
                                       .twice = Twice<float>,
                                       .halve = Halve<float>,
                                       .bytes_twice = Twice<std::uint8_t>,
                                       .bytes_halve = Halve<std::uint8_t>};

}  // namespace athanor::kernels::ATH_ISA
