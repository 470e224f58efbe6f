// GridSample and AffineGrid: images read at positions that a grid gives, and such grids.
#include "ops/nn/grid_sample.h"

#include "core/checked.h"
#include "ops/math/number.h"
#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

constexpr std::int64_t kMaxSpatial = 5;  // 4 taps per axis: 1024 elements per position

Status InferGridSample(InferCtx& ctx) {
  const Result<Sampling> sampling = ReadSampling(ctx.Attrs<GridSampleAttrs>());
  if (!sampling.ok()) return sampling.status();
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, NumericTypes{}));
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(1, 3));
  const Type &x = ctx.In(0), &grid = ctx.In(1);
  ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
  if (!x.HasRank() && !grid.HasRank()) return {};
  const std::int64_t rank = x.HasRank() ? x.rank() : grid.rank();
  if (rank - 2 > kMaxSpatial) {
    return Unsupported("{} spatial axes are not implemented; 1 to {} are", rank - 2, kMaxSpatial);
  }
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, rank));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 1, rank - 1, rank - 2));
  Shape shape(static_cast<std::size_t>(rank));
  if (grid.HasRank()) {
    shape[0] = grid.dim(0);
    for (std::int64_t a = 2; a < rank; ++a) shape[static_cast<std::size_t>(a)] = grid.dim(a - 1);
  }
  if (x.HasRank()) {
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, 1, 0, x.dim(0)));
    if (!shape[0].IsConst()) shape[0] = x.dim(0);
    shape[1] = x.dim(1);
  }
  ctx.out[0].shape = std::move(shape);
  return {};
}

// One element of x and its share.
template <class Real>
struct Share {
  std::int64_t offset = 0;
  Real weight = 1;
};

// All elements that one position of the grid reads, within a channel.
template <class Real>
void CollectShares(std::span<const SampleAxis<Real>> axes, std::span<const std::int64_t> strides,
                   const Real* position, std::vector<Share<Real>>& shares) {
  shares.assign(1, {});
  std::vector<Share<Real>> next;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    // The grid names the innermost axis first.
    const SampleTaps<Real> taps = axes[a].Read(position[axes.size() - 1 - a]);
    next.clear();
    for (const Share<Real>& share : shares) {
      for (std::size_t i = 0; i < taps.count; ++i) {
        if (taps.at[i] < 0) continue;
        next.push_back({share.offset + taps.at[i] * strides[a], share.weight * taps.weight[i]});
      }
    }
    shares.swap(next);
  }
}

template <class T, class Real>
Status Sample(const Sampling& sampling, RefCtx& ctx) {
  const Dims &x_dims = ctx.In(0).dims(), &y_dims = ctx.Out(0).dims();
  ATH_TRY(const std::vector<Real> grid, ReadAs<Real>(ctx.In(1)));
  const std::span<const std::int64_t> spatial = std::span(x_dims).subspan(2);
  const Dims strides = Strides(spatial);
  std::vector<SampleAxis<Real>> axes;
  for (const std::int64_t size : spatial) {
    if (size == 0) return DataError("nothing can be read from x {}", ToString(x_dims));
    axes.emplace_back(sampling, size);
  }
  const std::int64_t plane = CountOf(spatial), points = CountOf(std::span(y_dims).subspan(2));
  const T* x = ctx.Data<T>(0).data();
  T* y = ctx.OutData<T>(0).data();
  std::vector<Share<Real>> shares;
  for (std::int64_t n = 0; n < y_dims[0]; ++n) {
    for (std::int64_t p = 0; p < points; ++p) {
      CollectShares<Real>(axes, strides,
                          grid.data() + (n * points + p) * static_cast<std::int64_t>(axes.size()),
                          shares);
      for (std::int64_t c = n * y_dims[1]; c < (n + 1) * y_dims[1]; ++c) {
        Real sum = 0;
        for (const Share<Real>& share : shares)
          sum += share.weight * static_cast<Real>(x[c * plane + share.offset]);
        if constexpr (std::integral<T>) {
          y[c * points + p] = SaturateCast<T>(sum);
        } else {
          y[c * points + p] = static_cast<T>(sum);
        }
      }
    }
  }
  return {};
}

Status GridSampleReference(RefCtx& ctx) {
  ATH_TRY(const Sampling sampling, ReadSampling(ctx.Attrs<GridSampleAttrs>()));
  if (ctx.Out(0).count() == 0) return {};
  return Dispatch(NumericTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Real = std::conditional_t<std::is_same_v<ComputeType<T>, float>, float, double>;
    return Sample<T, Real>(sampling, ctx);
  });
}

Dim GridSampleCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank()) return Dim::Unknown();
  const Result<Sampling> sampling = ReadSampling(ReadAttributes<GridSampleAttrs>(ctx.attributes));
  if (!sampling.ok()) return Dim::Unknown();
  if (sampling->mode == SampleMode::kNearest) return Dim(0);
  std::int64_t taps = 1;
  for (std::int64_t a = 2; a < ctx.out[0].rank(); ++a)
    taps *= sampling->mode == SampleMode::kLinear ? 2 : 4;
  return ElementCount(*ctx.out[0].shape) * Dim(2 * taps);
}

struct AffineGridAttrs {
  bool align_corners = false;
  template <class V>
  void Visit(V& v) {
    v("align_corners", align_corners,
      "-1 and 1 are the centres of the corner elements, not their outer edges");
  }
};

Status InferAffineGrid(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  if (ctx.InDType(1) != DType::kI64) return InvalidModel("input 1 (size) must be i64");
  const Type& theta = ctx.In(0);
  ctx.out[0] = Type::TensorOfUnknownRank(theta.dtype);
  std::optional<Shape> size = ctx.Ints(1);
  if (!size && ctx.In(1).HasRank() && ctx.In(1).dim(0).IsConst() && ctx.In(1).dim(0).value() < 8)
    size = Shape(static_cast<std::size_t>(std::max<std::int64_t>(ctx.In(1).dim(0).value(), 0)));
  if (!size) return {};
  if (size->size() != 4 && size->size() != 5)
    return InvalidModel("size has {} values; 4 (2-D) or 5 (3-D) are expected", size->size());
  const auto spatial = static_cast<std::int64_t>(size->size()) - 2;
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 0, 0, (*size)[0]));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 0, 1, spatial));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 0, 2, spatial + 1));
  for (const Dim& dim : *size) {
    if (dim.IsConst() && dim.value() < 0)
      return InvalidModel("size is negative: {}", ToString(*size));
  }
  Shape shape = {theta.HasRank() && !(*size)[0].IsConst() ? theta.dim(0) : (*size)[0]};
  shape.insert(shape.end(), size->begin() + 2, size->end());
  shape.push_back(spatial);
  ctx.out[0].shape = std::move(shape);
  return {};
}

// Positions of the elements of an axis, from -1 to 1.
std::vector<double> Places(std::int64_t size, bool align_corners) {
  std::vector<double> places;
  const double step = 2.0 / static_cast<double>(align_corners ? size - 1 : size);
  for (std::int64_t i = 0; i < size; ++i) {
    places.push_back(size == 1 ? 0.0
                               : -1 + step * (static_cast<double>(i) + (align_corners ? 0 : 0.5)));
  }
  return places;
}

Status AffineGridReference(RefCtx& ctx) {
  const bool align = ctx.Attrs<AffineGridAttrs>().align_corners;
  const Dims& out = ctx.Out(0).dims();
  const std::size_t spatial = out.size() - 2;
  if (ctx.Out(0).count() == 0) return {};
  ATH_TRY(const std::vector<double> theta, ReadAs<double>(ctx.In(0)));
  std::vector<std::vector<double>> places;
  for (std::size_t a = 1; a <= spatial; ++a) places.push_back(Places(out[a], align));
  std::vector<double> grid;
  grid.reserve(static_cast<std::size_t>(ctx.Out(0).count()));
  const Dims steps = Strides(std::span(out).subspan(1, spatial));
  const std::int64_t points = CountOf(std::span(out).subspan(1, spatial));
  for (std::int64_t n = 0; n < out[0]; ++n) {
    const double* matrix = theta.data() + n * static_cast<std::int64_t>(spatial * (spatial + 1));
    for (std::int64_t p = 0; p < points; ++p) {
      for (std::size_t row = 0; row < spatial; ++row) {
        double sum = matrix[row * (spatial + 1) + spatial];
        for (std::size_t a = 0; a < spatial; ++a) {  // x is the innermost axis
          const auto at = static_cast<std::size_t>(p / steps[a] % out[a + 1]);
          sum += matrix[row * (spatial + 1) + spatial - 1 - a] * places[a][at];
        }
        grid.push_back(sum);
      }
    }
  }
  return WriteAs(ctx.Out(0), grid);
}

Dim AffineGridCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank()) return Dim::Unknown();
  return ElementCount(*ctx.out[0].shape) * Dim(2 * (ctx.out[0].rank() - 2));
}

}  // namespace

OpDef GridSample() {
  return {
      .name = "GridSample",
      .summary = "Reads x at the positions of a grid, between elements by interpolation.",
      .inputs = {{"x", "[n, c, d1, ..., dk], any number type"},
                 {"grid",
                  "[n, o1, ..., ok, k], floating point: per output position the place in x, -1 to "
                  "1 along each axis, the innermost axis first"}},
      .outputs = {{"y", "[n, c, o1, ..., ok]"}},
      .attributes = Describe<GridSampleAttrs>(),
      .infer = InferGridSample,
      .reference = GridSampleReference,
      .flops = GridSampleCost,
  };
}

OpDef AffineGrid() {
  return {
      .name = "AffineGrid",
      .summary = "The grid for GridSample that turns, scales and moves an image.",
      .inputs = {{"theta", "[n, 2, 3] or [n, 3, 4], floating point: one affine map per image"},
                 {"size", "i64: [n, c, h, w] or [n, c, d, h, w] of the image to make"}},
      .outputs = {{"grid", "[n, h, w, 2] or [n, d, h, w, 3], x first"}},
      .attributes = Describe<AffineGridAttrs>(),
      .infer = InferAffineGrid,
      .reference = AffineGridReference,
      .flops = AffineGridCost,
  };
}

}  // namespace athanor::ops
