// SignalOverlapAdd: frames that overlap become a stream again, each added to what there is of those
// before. The rest of the last ones is an input and an output.
#include <algorithm>

#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

struct OverlapAttrs {
  std::int64_t frame_step = 0;
  template <class V>
  void Visit(V& v) {
    v("frame_step", frame_step, "by how many numbers each frame begins later", kRequired);
  }
};

using OverlapTypes = TypeList<std::int16_t, float>;

Status InferOverlapAdd(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, OverlapTypes{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  const std::int64_t step = ctx.Attrs<OverlapAttrs>().frame_step;
  if (step < 1) return InvalidModel("frame_step is {}; 1 or more is accepted", step);
  const Type& x = ctx.In(0);
  Type& y = ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
  if (ctx.num_outputs() > 1) ctx.out[1] = ctx.In(1);
  if (!x.HasRank()) return {};
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, x.rank() - 1));
  const Dim frame = x.dim(x.rank() - 1), count = x.dim(x.rank() - 2);
  if (frame.IsConst() && frame.value() < step)
    return InvalidModel("frames of {} every {}", frame.value(), step);
  Shape shape = *x.shape;
  shape.pop_back();
  if (ctx.num_outputs() > 1) {
    ctx.out[1] = x;
    ctx.out[1].shape->erase(ctx.out[1].shape->end() - 2);
  }
  shape.back() = count * Dim(step);
  y.shape = std::move(shape);
  return {};
}

float Sum(float a, float b) { return a + b; }
std::int16_t Sum(std::int16_t a, std::int16_t b) {
  return static_cast<std::int16_t>(std::clamp(int{a} + int{b}, -32768, 32767));
}

Status OverlapAddReference(RefCtx& ctx) {
  const auto step = static_cast<std::size_t>(ctx.Attrs<OverlapAttrs>().frame_step);
  Dims held = ctx.In(0).dims();
  const auto frame = static_cast<std::size_t>(held.back());
  const auto count = static_cast<std::size_t>(held[held.size() - 2]);
  held.erase(held.end() - 2);
  if (frame < step || ctx.In(1).dims() != held)
    return DataError("frames in {} every {}; {} is kept of those before",
                     ToString(ctx.In(0).dims()), step, ToString(ctx.In(1).dims()));
  return Dispatch(OverlapTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0), before = ctx.Data<T>(1);
    const auto y = ctx.OutData<T>(0);
    const bool wants_rest = ctx.num_outputs() > 1 && ctx.out[1].IsTensor();
    std::vector<T> sums(frame);
    for (std::size_t row = 0; row < before.size() / std::max<std::size_t>(frame, 1); ++row) {
      std::copy_n(before.data() + row * frame, frame, sums.begin());
      for (std::size_t n = row * count; n < (row + 1) * count; ++n) {
        for (std::size_t i = 0; i < frame; ++i) sums[i] = Sum(x[n * frame + i], sums[i]);
        std::copy_n(sums.begin(), step, y.data() + n * step);
        std::shift_left(sums.begin(), sums.end(), static_cast<std::ptrdiff_t>(step));
        std::fill(sums.end() - static_cast<std::ptrdiff_t>(step), sums.end(), T(0));
      }
      if (wants_rest) std::copy(sums.begin(), sums.end(), ctx.OutData<T>(1).data() + row * frame);
    }
    return {};
  });
}

}  // namespace

OpDef SignalOverlapAdd() {
  return {
      .name = "SignalOverlapAdd",
      .summary = "Frames that overlap, added up to a stream; integers are saturated.",
      .inputs = {{"x", "[..., frames, n], i16 or f32"},
                 {"before", "[..., n]: sums that are not whole yet"}},
      .outputs = {{"y", "[..., frames * frame_step]"},
                  {"after", "[..., n]: sums that are not whole yet, these frames included",
                   kOptionalPort}},
      .attributes = Describe<OverlapAttrs>(),
      .infer = InferOverlapAdd,
      .reference = OverlapAddReference,
  };
}

}  // namespace athanor::ops
