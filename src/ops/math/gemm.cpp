// Gemm: y = alpha * a' * b' + beta * c.
#include <algorithm>

#include "ir/gradient.h"
#include "ops/elementwise.h"
#include "ops/math/number.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

using Types = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::uint64_t,
                       std::uint32_t>;

struct GemmAttrs {
  float alpha = 1.0F;
  float beta = 1.0F;
  bool trans_a = false;
  bool trans_b = false;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "factor of the product");
    v("beta", beta, "factor of c");
    v("transA", trans_a, "whether a is given transposed");
    v("transB", trans_b, "whether b is given transposed");
  }
};

Status InferGemm(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, Types{}));
  const auto attrs = ctx.Attrs<GemmAttrs>();
  for (std::size_t i = 0; i < 2; ++i) ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  const auto dim = [&](std::size_t input, bool transposed, std::int64_t axis) {
    const Type& type = ctx.In(input);
    return type.HasRank() ? type.dim(transposed ? 1 - axis : axis) : Dim::Unknown();
  };
  const Dim inner_a = dim(0, attrs.trans_a, 1), inner_b = dim(1, attrs.trans_b, 0);
  if (inner_a.IsConst() && inner_b.IsConst() && !(inner_a == inner_b)) {
    return InvalidModel("inner dimensions differ: {} times {}", ctx.In(0).ToString(),
                        ctx.In(1).ToString());
  }
  const Shape out = {dim(0, attrs.trans_a, 0), dim(1, attrs.trans_b, 1)};
  if (ctx.Has(2) && ctx.In(2).HasRank()) {
    // c broadcasts to the product, never the other way round.
    const Shape& c = *ctx.In(2).shape;
    bool fits = c.size() <= 2;
    for (std::size_t i = 0; fits && i < c.size(); ++i) {
      const Dim& wanted = out[2 - c.size() + i];
      fits = !c[i].IsConst() || c[i].Is(1) || !wanted.IsConst() || c[i] == wanted;
    }
    if (!fits)
      return InvalidModel("input 2: {} does not broadcast to {}", ctx.In(2).ToString(),
                          ToString(out));
  }
  ctx.out[0] = Type::Tensor(ctx.InDType(0), out);
  return {};
}

// alpha * product + beta * c.
template <class C>
C Combine(C product, C c, const GemmAttrs& attrs) {
  if constexpr (std::is_integral_v<C>) {
    if (attrs.alpha == 1 && attrs.beta == 1)
      return Wrapping(product, c, [](auto a, auto b) { return a + b; });
    return SaturateCast<C>(attrs.alpha * static_cast<double>(product) +
                           attrs.beta * static_cast<double>(c));
  } else {
    return static_cast<C>(attrs.alpha) * product + static_cast<C>(attrs.beta) * c;
  }
}

template <class T>
struct Problem {
  const T* a;
  const T* b;
  std::int64_t m, n, k;
  bool trans_a, trans_b;
};

// One row of the product. Both orders read b along its rows.
template <class T, class Sum>
void MultiplyRow(const Problem<T>& p, std::int64_t i, std::vector<Sum>& row) {
  const auto a = [&](std::int64_t q) {
    return static_cast<Sum>(p.trans_a ? p.a[q * p.m + i] : p.a[i * p.k + q]);
  };
  std::fill(row.begin(), row.end(), Sum(0));
  if (p.trans_b) {
    std::vector<Sum> left(static_cast<std::size_t>(p.k));
    for (std::int64_t q = 0; q < p.k; ++q) left[static_cast<std::size_t>(q)] = a(q);
    for (std::int64_t j = 0; j < p.n; ++j) {
      const T* b = p.b + j * p.k;
      // Four sums do not wait for each other.
      Sum sums[4] = {};
      for (std::size_t q = 0; q < left.size(); ++q) sums[q % 4] += left[q] * static_cast<Sum>(b[q]);
      row[static_cast<std::size_t>(j)] = sums[0] + sums[1] + sums[2] + sums[3];
    }
    return;
  }
  for (std::int64_t q = 0; q < p.k; ++q) {
    const Sum factor = a(q);
    const T* b = p.b + q * p.n;
    for (std::size_t j = 0; j < row.size(); ++j) row[j] += factor * static_cast<Sum>(b[j]);
  }
}

Status GemmReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<GemmAttrs>();
  const Dims& out = ctx.Out(0).dims();
  const std::int64_t k = ctx.In(0).dim(attrs.trans_a ? 0 : 1);
  Dims c_strides = {0, 0};
  if (ctx.Has(2)) {
    const Dims& dims = ctx.In(2).dims();
    const Dims own = Strides(dims);
    for (std::size_t i = 0; i < dims.size(); ++i)
      c_strides[2 - dims.size() + i] = dims[i] == 1 ? 0 : own[i];
  }
  return Dispatch(Types{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    // Integers wrap around.
    using Sum = typename std::conditional_t<std::is_integral_v<C>, std::make_unsigned<C>,
                                            std::type_identity<C>>::type;
    const Problem<T> problem = {ctx.Data<T>(0).data(), ctx.Data<T>(1).data(), out[0], out[1], k,
                                attrs.trans_a,         attrs.trans_b};
    const T* c = ctx.Has(2) ? ctx.Data<T>(2).data() : nullptr;
    T* y = ctx.OutData<T>(0).data();
    std::vector<Sum> row(static_cast<std::size_t>(out[1]));
    for (std::int64_t i = 0; i < out[0]; ++i) {
      MultiplyRow(problem, i, row);
      for (std::int64_t j = 0; j < out[1]; ++j) {
        const C bias = c == nullptr ? C(0) : static_cast<C>(c[i * c_strides[0] + j * c_strides[1]]);
        const auto product = static_cast<C>(row[static_cast<std::size_t>(j)]);
        *y++ = static_cast<T>(Combine(product, bias, attrs));
      }
    }
    return {};
  });
}

Dim GemmCost(const CostCtx& ctx) {
  const Type& a = *ctx.in[0];
  if (!a.HasRank() || !ctx.out[0].HasRank()) return Dim::Unknown();
  const AttrValue* transposed = ctx.attributes.Find("transA");
  const bool is_transposed = transposed != nullptr && std::get<std::int64_t>(*transposed) != 0;
  const Dim outputs = ElementCount(*ctx.out[0].shape);
  const Dim bias = ctx.in.size() > 2 && ctx.in[2] != nullptr ? Dim(1) : Dim(0);
  return outputs * (a.dim(is_transposed ? 0 : 1) * Dim(2) + bias);
}

// alpha * a' * b' for the gradients, a' transposed or not.
ValueId Product(GradientCtx& ctx, ValueId a, ValueId b, bool trans_a, bool trans_b) {
  return ctx.Op("Gemm", {a, b},
                {{"alpha", ctx.Attrs<GemmAttrs>().alpha},
                 {"transA", std::int64_t{trans_a}},
                 {"transB", std::int64_t{trans_b}}});
}

// y = a b: da = dy b', db = a' dy; the transposes of the operator turn each around.
Status GemmGradient(GradientCtx& ctx) {
  const auto attrs = ctx.Attrs<GemmAttrs>();
  const ValueId a = ctx.In(0), b = ctx.In(1), dy = ctx.DOut();
  if (ctx.Wants(0)) {
    ctx.Set(0, attrs.trans_a ? Product(ctx, b, dy, attrs.trans_b, true)
                             : Product(ctx, dy, b, false, !attrs.trans_b));
  }
  if (ctx.Wants(1)) {
    ctx.Set(1, attrs.trans_b ? Product(ctx, dy, a, true, attrs.trans_a)
                             : Product(ctx, a, dy, !attrs.trans_a, false));
  }
  if (ctx.Wants(2)) {
    const ValueId sum = ctx.SumTo(dy, ctx.InDims(2));
    ctx.Set(2, attrs.beta == 1 ? sum : ctx.Op("Mul", {sum, ctx.Number(attrs.beta)}));
  }
  return {};
}

}  // namespace

OpDef Gemm() {
  return {
      .name = "Gemm",
      .summary = "alpha * a * b + beta * c for matrices; c broadcasts to the product.",
      .inputs = {{"a", "[m, k], or [k, m] with transA"},
                 {"b", "[k, n], or [n, k] with transB"},
                 {"c", "broadcasts to [m, n]", kOptionalPort}},
      .outputs = {{"y", "[m, n]"}},
      .attributes = Describe<GemmAttrs>(),
      .infer = InferGemm,
      .reference = GemmReference,
      .fixed31 = GemmFixed31,
      .gradient = GemmGradient,
      .flops = GemmCost,
  };
}

}  // namespace athanor::ops
