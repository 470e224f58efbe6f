// DynamicQuantizeLinear, and DequantizeLinear with scales that the model computes, one or one per
// index of an axis, from 8-bit and 32-bit integers.
#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/elementwise/cast.h"
#include "kernels/every_isa.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"
#include "kernels/norm/rows.h"
#include "kernels/reduce/reduce.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

struct State {
  const FoldTable* folds = nullptr;
  const int8::PlaneTable* planes = nullptr;
  const RowTable* rows = nullptr;
  CastFn to_float = nullptr, zero_to_float = nullptr;
  std::int64_t count = 0, element = 1;
  AxisShape shape;
  bool per_axis = false;
};

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 8 * static_cast<double>(q.in[0].count()),
                    static_cast<double>(2 * q.in[0].bytes() + q.out[0].bytes()));
}

int8::Variant VariantOf(Isa isa) {
  if (isa == Isa::kBase) return int8::Variant::kBase;
  return isa == Isa::kAvx2 ? int8::Variant::kAvx2 : int8::Variant::kAvx512;
}

Fit FitsDynamic(const KernelQuery& q) {
  return q.in[0].dtype == DType::kF32 ? Fit::Yes() : Fit::No("f32 only");
}

Result<Prepared> PrepareDynamic(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->folds = &Folds(q.isa);
  state->planes = &int8::Planes(VariantOf(q.isa));
  state->count = q.in[0].count();
  return Prepared{state, 0};
}

void RunDynamic(const KernelArgs& args) {
  const State& s = args.State<State>();
  const float* x = args.In(0);
  // The range always holds 0, so that 0 is exact.
  float low = 0, high = 0;
  const auto n = static_cast<std::size_t>(s.count);
  FoldOf(*s.folds, FoldKind::kMin).across(x, nullptr, &low, n);
  FoldOf(*s.folds, FoldKind::kMax).across(x, nullptr, &high, n);
  const float step = (high - low) / 255.0F;
  // 0 also where the range is less than the least step.
  const float scale = step == 0 ? 1.0F / 255.0F : step;
  if (!std::isfinite(scale)) {
    args.data_error->store("the range of x is not finite", std::memory_order_relaxed);
    return;
  }
  const float zero = std::nearbyint(std::clamp(-low / scale, 0.0F, 255.0F));
  Parallel(args, s.count, 16384, [&](std::int64_t begin, std::int64_t end, int) {
    s.planes->quantize(x + begin, static_cast<std::size_t>(end - begin), scale,
                       static_cast<std::int32_t>(zero), 0, 255, args.Out<std::uint8_t>(0) + begin);
  });
  if (args.out.size() > 1 && args.out[1] != nullptr) *args.Out(1) = scale;
  if (args.out.size() > 2 && args.out[2] != nullptr)
    *args.Out<std::uint8_t>(2) = static_cast<std::uint8_t>(zero);
}

std::optional<std::size_t> TypeIndex(DType dtype) {
  if (dtype == DType::kI8) return 1;
  if (dtype == DType::kU8) return 2;
  if (dtype == DType::kI32) return 3;
  return std::nullopt;
}

Fit FitsDequantize(const KernelQuery& q) {
  if (!TypeIndex(q.in[0].dtype) || q.in[1].dtype != DType::kF32 || q.out[0].dtype != DType::kF32)
    return Fit::No("from i8, u8 or i32 to f32 only");
  if (q.Int("block_size") != 0) return Fit::No("no blocks");
  if (q.in[1].count() == 1) return Fit::Yes();
  const std::int64_t axis = q.Axis();
  if (axis < 0 || axis >= q.in[0].rank() || q.in[1].rank() != 1 ||
      q.in[1].dims[0] != q.in[0].dims[static_cast<std::size_t>(axis)])
    return Fit::No("one scale, or one per index of an axis");
  return Fit::Yes();
}

// A little more than the kernel that knows its one scale before running.
double CostDequantize(const KernelQuery& q) {
  return 1.1 * int8::ProductsNs(VariantOf(q.isa), 16 * static_cast<double>(q.out[0].count()));
}

Result<Prepared> PrepareDequantize(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const CastTable& casts = Casts(q.isa);
  state->to_float = casts.cast[*TypeIndex(q.in[0].dtype)][0];
  state->rows = &Rows(q.isa);
  state->element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->per_axis = q.in[1].count() > 1;
  // One scale: rows of a few thousand elements.
  state->shape =
      state->per_axis ? AxisShape::Of(q.in[0].dims, q.Axis()) : AxisShape{1, 1, q.in[0].count()};
  return Prepared{state, 0};
}

// y = (x - zero) scale on n elements; zeros and scales advance by `step`.
void DequantizeRow(const State& s, const std::byte* x, const float* scale, const std::byte* zero,
                   std::size_t step, float* y, std::int64_t n) {
  constexpr std::int64_t kPiece = 512;
  alignas(64) std::array<float, kPiece> zeros;
  constexpr std::array<float, kPiece> kOnes = [] {
    std::array<float, kPiece> ones = {};
    for (float& one : ones) one = 1;
    return ones;
  }();
  constexpr std::array<float, kPiece> kNothing = {};
  for (std::int64_t at = 0; at < n; at += kPiece) {
    const std::int64_t m = std::min(kPiece, n - at);
    const auto count = static_cast<std::size_t>(m);
    const auto walked = static_cast<std::int64_t>(step) * at;
    s.to_float(x + at * s.element, y + at, count);
    if (zero != nullptr) {
      s.to_float(zero + walked * s.element, zeros.data(), step == 0 ? 1 : count);
      for (std::size_t i = 0; i < (step == 0 ? 1 : count); ++i) zeros[i] = -zeros[i];
      s.rows->affine(y + at, kOnes.data(), zeros.data(), step, y + at, count);
    }
    s.rows->affine(y + at, scale + walked, kNothing.data(), step, y + at, count);
  }
}

void RunDequantize(const KernelArgs& args) {
  const State& s = args.State<State>();
  const auto* x = args.In<std::byte>(0);
  const auto* zero = args.In<std::byte>(2);
  if (!s.per_axis) {
    Parallel(args, s.shape.inner, 16384, [&](std::int64_t begin, std::int64_t end, int) {
      DequantizeRow(s, x + begin * s.element, args.In(1), zero, 0, args.Out(0) + begin,
                    end - begin);
    });
    return;
  }
  // Along the last axis every element has its own scale; else every run has one.
  const bool last = s.shape.inner == 1;
  const std::int64_t rows = last ? s.shape.outer : s.shape.outer * s.shape.length;
  const std::int64_t n = last ? s.shape.length : s.shape.inner;
  Parallel(args, rows, std::max<std::int64_t>(1, 16384 / n),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t r = begin; r < end; ++r) {
               const std::int64_t k = last ? 0 : r % s.shape.length;
               DequantizeRow(s, x + r * n * s.element, args.In(1) + k,
                             zero == nullptr ? nullptr : zero + k * s.element, last ? 1 : 0,
                             args.Out(0) + r * n, n);
             }
           });
}

}  // namespace

std::vector<KernelDef> DynamicQuantizeKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "DynamicQuantizeLinear.f32",
                        .op = "DynamicQuantizeLinear",
                        .fits = FitsDynamic,
                        .cost_ns = Cost,
                        .prepare = PrepareDynamic,
                        .run = RunDynamic});
  AddForEveryIsa(defs, {.name = "DequantizeLinear.rows",
                        .op = "DequantizeLinear",
                        .fits = FitsDequantize,
                        .cost_ns = CostDequantize,
                        .prepare = PrepareDequantize,
                        .run = RunDequantize});
  return defs;
}

}  // namespace athanor::kernels
