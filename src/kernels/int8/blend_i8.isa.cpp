// Resize of quantised tensors: rows of bytes become one row of real numbers, whose columns become
// bytes again.
#include "kernels/int8/blend_table.h"
#include "kernels/int8/finish_i8.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

// first[t * stride] and so on, weighted.
template <class F>
HWY_INLINE Floats Sum(std::size_t taps, F term) {
  Floats sum = term(0);
  for (std::size_t t = 1; t < taps; ++t) sum = AddFloats(sum, term(t));
  return sum;
}

// The n < kLanes bytes at p, and anything.
HWY_INLINE Ints WidenSome(const std::uint8_t* p, std::size_t n) {
  std::uint8_t bytes[kLanes] = {};
  for (std::size_t i = 0; i < n; ++i) bytes[i] = p[i];
  return WidenBytes(bytes);
}

void Rows(const BlendRows& g, float* y) {
  const Ints zero = SetInts(g.zero), flip = SetInts(g.flip);
  const Floats scale = SetFloats(g.scale);
  const auto real = [&](Ints bytes) {
    return MulFloats(ToFloats(SubInts(XorInts(bytes, flip), zero)), scale);
  };
  std::size_t i = 0;
  for (; i + kLanes <= g.n; i += kLanes) {
    StoreFloats(y + i, Sum(g.taps, [&](std::size_t t) {
                  return MulFloats(SetFloats(g.weights[t]), real(WidenBytes(g.rows[t] + i)));
                }));
  }
  if (i == g.n) return;
  StoreFloats(y + i, Sum(g.taps, [&](std::size_t t) {
                return MulFloats(SetFloats(g.weights[t]), real(WidenSome(g.rows[t] + i, g.n - i)));
              }));
}

void Blocks(const BlendColumns& g, const float* x, std::uint8_t* y) {
  const Quotient<> quotient(g.scale, g.zero, g.low, g.high);
  const ToBytes to_bytes(g.zero, g.low, g.high);
  const auto one = [&](std::size_t o) {
    return quotient(Sum(g.taps, [&](std::size_t t) {
      const std::size_t at = t * g.stride + o;
      return MulFloats(SetFloats(g.weights[at]),
                       LoadFloats(x + static_cast<std::size_t>(g.index[at]) * kLanes));
    }));
  };
  std::size_t o = 0;
  for (; o + 4 <= g.out; o += 4)
    StoreInts(y + o * kLanes, to_bytes(one(o), one(o + 1), one(o + 2), one(o + 3)));
  if (o < g.out)
    to_bytes.Some(g.out - o, y + o * kLanes, [&](std::size_t i) { return one(o + i); });
}

HWY_INLINE Floats Gather(const float* x, const std::int32_t* index) {
#if defined(__AVX512BW__)
  return _mm512_i32gather_ps(LoadInts(index), x, 4);
#elif defined(__AVX2__)
  return _mm256_i32gather_ps(x, LoadInts(index), 4);
#else
  return _mm_setr_ps(x[index[0]], x[index[1]], x[index[2]], x[index[3]]);
#endif
}

void Elements(const BlendColumns& g, const float* x, std::uint8_t* y) {
  constexpr std::size_t kStep = 4 * kLanes;
  const Quotient<> quotient(g.scale, g.zero, g.low, g.high);
  const ToBytes to_bytes(g.zero, g.low, g.high);
  for (std::size_t o = 0; o < g.out; o += kStep) {
    const auto one = [&](std::size_t i) {
      return quotient(Sum(g.taps, [&](std::size_t t) {
        const std::size_t at = t * g.stride + o + i * kLanes;
        return MulFloats(LoadFloats(g.weights + at), Gather(x, g.index + at));
      }));
    };
    const Ints bytes = to_bytes(one(0), one(1), one(2), one(3));
    if (o + kStep <= g.out) {
      StoreInts(y + o, bytes);
      continue;
    }
    std::uint8_t rest[kStep];
    StoreInts(rest, bytes);
    for (std::size_t i = 0; o + i < g.out; ++i) y[o + i] = rest[i];
  }
}

}  // namespace

extern const BlendTable kBlends = {
    .lanes = kLanes, .rows = Rows, .blocks = Blocks, .elements = Elements};

}  // namespace athanor::kernels::int8::ATH_ISA
