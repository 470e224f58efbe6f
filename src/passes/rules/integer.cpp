// Products of integers whose sums become real numbers at once are products of real numbers that lie
// in bytes: what exporters write with MatMulInteger is said by DequantizeLinear, as everywhere
// else.
#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

Pat Wide(const Pat& bytes) { return Op("Cast", {bytes}, {{"to", DType::kI32}}); }

// Bytes, and their zero point where there is one.
struct Bytes {
  Pat integers = Any(), zero = Any();
  Pat centred = Either({Wide(integers) - Wide(zero), Wide(integers)});

  bool AreBytes(const Match& m) const {
    const DType dtype = m.TypeOf(integers).dtype;
    return (dtype == DType::kI8 || dtype == DType::kU8) &&
           (!m.Has(zero) || m.TypeOf(zero).dtype == dtype);
  }
};

bool IsScalar(const Match& m, const Pat& value) { return m.RankOf(value) == 0; }

bool IsKnown(const Match& m, const Pat& value) {
  return m.graph().Constant(m.ValueOf(value)) != nullptr;
}

// ((x - x_zero) (w - w_zero)) as f32, times x_scale w_scale.
Rule RealFromIntegerProduct() {
  const Bytes x, w;
  Pat x_scale = Any(), w_scale = Any();
  Pat product = Op("MatMul", {x.centred, w.centred});
  return {
      .name = "real-from-integer-product",
      .match = Op("Cast", {Once(product)}, {{"to", DType::kF32}}) * (x_scale * w_scale),
      .build =
          [=](Builder& g) {
            Expr real_x = g.Op("DequantizeLinear", {g[x.integers], g[x_scale], g[x.zero]});
            Expr zero = g[w.zero];
            if (g.Has(w.zero) && IsScalar(g, w.zero) && !IsScalar(g, w_scale))
              zero = g.Op("Expand", {zero, g.Ints(*g.DimsOf(w_scale))});
            Expr real_w = g.Op("DequantizeLinear", {g[w.integers], g[w_scale], zero},
                               {{"axis", std::int64_t{1}}});
            return g.Op("MatMul", {real_x, real_w});
          },
      .where =
          [=](const Match& m) {
            if (!x.AreBytes(m) || !w.AreBytes(m) || !IsKnown(m, w.integers) || !IsKnown(m, w_scale))
              return false;
            const std::optional<Dims> of_w = m.DimsOf(w.integers), scales = m.DimsOf(w_scale);
            const bool columns = of_w && of_w->size() == 2 && scales &&
                                 (scales->empty() || *scales == Dims{of_w->back()});
            if (!columns || m.TypeOf(w_scale).dtype != DType::kF32) return false;
            if (!IsScalar(m, x_scale) || m.TypeOf(x_scale).dtype != DType::kF32) return false;
            if (m.Has(x.zero) && !IsScalar(m, x.zero)) return false;
            return !m.Has(w.zero) ||
                   (IsKnown(m, w.zero) && (IsScalar(m, w.zero) || m.DimsOf(w.zero) == scales));
          }};
}

}  // namespace

std::vector<Rule> IntegerRules() { return {RealFromIntegerProduct()}; }

}  // namespace athanor::passes
