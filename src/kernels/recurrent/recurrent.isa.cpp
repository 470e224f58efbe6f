// The element-wise part of a recurrent step in one pass over its gates.
#include "kernels/recurrent/recurrent_table.h"
#include "kernels/simd_math.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// Calls body(i, load, store) for each vector of n elements; load and store know where the last one
// ends.
template <class F>
HWY_INLINE void ForVectors(std::size_t n, const F& body) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    body(
        i, [](const float* p) { return Load(p); }, [](F32 v, float* p) { Store(v, p); });
  }
  const std::size_t rest = n - i;
  if (rest == 0) return;
  body(
      i, [rest](const float* p) { return LoadN(p, rest); },
      [rest](F32 v, float* p) { StoreN(v, p, rest); });
}

void Lstm(const float* gates, float* c, float* h, std::size_t n) {
  ForVectors(n, [=](std::size_t i, const auto& load, const auto& store) {
    const F32 in = SigmoidOf(load(gates + i)), out = SigmoidOf(load(gates + n + i));
    const F32 forget = SigmoidOf(load(gates + 2 * n + i)), cell = TanhOf(load(gates + 3 * n + i));
    const F32 next = MulAdd(forget, load(c + i), hn::Mul(in, cell));
    store(next, c + i);
    store(hn::Mul(out, TanhOf(next)), h + i);
  });
}

// (1 - update) candidate + update h
HWY_INLINE F32 Blend(F32 update, F32 candidate, F32 h) {
  return MulAdd(update, hn::Sub(h, candidate), candidate);
}

void Gru(const float* gates, const float* candidate, float* h, std::size_t n) {
  ForVectors(n, [=](std::size_t i, const auto& load, const auto& store) {
    const F32 update = SigmoidOf(load(gates + i)), reset = SigmoidOf(load(gates + n + i));
    const F32 next = TanhOf(MulAdd(reset, load(gates + 2 * n + i), load(candidate + i)));
    store(Blend(update, next, load(h + i)), h + i);
  });
}

void GruReset(const float* gates, const float* h, float* reset_h, std::size_t n) {
  ForVectors(n, [=](std::size_t i, const auto& load, const auto& store) {
    store(hn::Mul(SigmoidOf(load(gates + n + i)), load(h + i)), reset_h + i);
  });
}

void GruBlend(const float* gates, float* h, std::size_t n) {
  ForVectors(n, [=](std::size_t i, const auto& load, const auto& store) {
    const F32 update = SigmoidOf(load(gates + i)), next = TanhOf(load(gates + 2 * n + i));
    store(Blend(update, next, load(h + i)), h + i);
  });
}

}  // namespace

extern constexpr RecurrentTable kRecurrent = {
    .lstm = Lstm, .gru = Gru, .gru_reset = GruReset, .gru_blend = GruBlend};

}  // namespace athanor::kernels::ATH_ISA
