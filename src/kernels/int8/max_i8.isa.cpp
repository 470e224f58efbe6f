// Maxima of windows: whole vectors of neighbours at once, however wide a window is.
#include "kernels/int8/max_table.h"
#include "kernels/int8/vector_i8.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

constexpr std::size_t kBytes = 4 * kLanes;  // of a vector

HWY_INLINE std::uint8_t Larger(std::uint8_t a, std::uint8_t b) { return a > b ? a : b; }

void Rows(const std::uint8_t* const* rows, std::size_t count, std::size_t n, std::uint8_t flip,
          std::uint8_t* y) {
  const Ints turn = SetBytes(flip);
  const auto vector = [&](std::size_t i) {
    Ints best = XorInts(LoadInts(rows[0] + i), turn);
    for (std::size_t r = 1; r < count; ++r)
      best = MaxBytes(best, XorInts(LoadInts(rows[r] + i), turn));
    StoreInts(y + i, best);
  };
  std::size_t i = 0;
  for (; i + kBytes <= n; i += kBytes) vector(i);
  if (i == n) return;
  if (n >= kBytes) return vector(n - kBytes);  // some of them again
  for (; i < n; ++i) {
    std::uint8_t best = rows[0][i] ^ flip;
    for (std::size_t r = 1; r < count; ++r) best = Larger(best, rows[r][i] ^ flip);
    y[i] = best;
  }
}

// Reads ahead of what it writes.
HWY_INLINE void Fold(std::uint8_t* y, std::size_t n, std::size_t shift) {
  for (std::size_t i = 0; i < n; i += kBytes)
    StoreInts(y + i, MaxBytes(LoadInts(y + i), LoadInts(y + i + shift)));
}

// Windows of 1, 2, 4 ... bytes, of which two cover a window of any width.
void Along(std::uint8_t* y, std::size_t n, std::size_t step, std::size_t taps) {
  std::size_t width = 1;
  for (; 2 * width <= taps; width *= 2) Fold(y, n + (taps - 2 * width) * step, width * step);
  if (width < taps) Fold(y, n, (taps - width) * step);
}

HWY_INLINE std::uint8_t Finished(std::uint8_t x, const MaxFinish& how) {
  const std::uint8_t raised = Larger(x, how.low);
  return static_cast<std::uint8_t>((raised < how.high ? raised : how.high) ^ how.flip);
}

HWY_INLINE void Contiguous(const std::uint8_t* x, std::size_t n, const MaxFinish& how,
                           std::uint8_t* y) {
  const Ints low = SetBytes(how.low), high = SetBytes(how.high), flip = SetBytes(how.flip);
  std::size_t i = 0;
  for (; i + kBytes <= n; i += kBytes)
    StoreInts(y + i, XorInts(MinBytes(MaxBytes(LoadInts(x + i), low), high), flip));
  for (; i < n; ++i) y[i] = Finished(x[i], how);
}

void Blocks(const std::uint8_t* x, std::size_t n, std::size_t stride, const MaxFinish& how,
            std::uint8_t* y) {
  if (stride == 1) return Contiguous(x, n * kLanes, how, y);
  for (std::size_t o = 0; o < n; ++o)
    __builtin_memcpy(y + o * kLanes, x + o * stride * kLanes, kLanes);
  if (how.low != 0 || how.high != 255 || how.flip != 0) Contiguous(y, n * kLanes, how, y);
}

void Elements(const std::uint8_t* x, std::size_t n, std::size_t stride, const MaxFinish& how,
              std::uint8_t* y) {
  if (stride == 1) return Contiguous(x, n, how, y);
  if (stride == 2) {
    for (std::size_t o = 0; o < n; ++o) y[o] = Finished(x[2 * o], how);
  } else {
    for (std::size_t o = 0; o < n; ++o) y[o] = Finished(x[o * stride], how);
  }
}

}  // namespace

extern const MaxTable kMaxima = {.lanes = kLanes,
                                 .slack = kBytes,
                                 .rows = Rows,
                                 .along = Along,
                                 .blocks = Blocks,
                                 .elements = Elements};

}  // namespace athanor::kernels::int8::ATH_ISA
