// GridSample and AffineGrid: images read at positions that a grid gives, and such grids.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/checked.h"
#include "ops/math/number.h"
#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct GridSampleAttrs {
  bool align_corners = false;
  std::string mode = "linear";
  std::string padding_mode = "zeros";
  template <class V>
  void Visit(V& v) {
    v("align_corners", align_corners,
      "-1 and 1 are the centres of the corner elements, not their outer edges");
    v("mode", mode, "linear, nearest (a half goes to the even index) or cubic");
    v("padding_mode", padding_mode, "what lies outside: zeros, border or reflection");
  }
};

enum class Mode : std::uint8_t { kLinear, kNearest, kCubic };
enum class Padding : std::uint8_t { kZeros, kBorder, kReflection };
constexpr std::int64_t kMaxSpatial = 5;  // 4 taps per axis: 1024 elements per position

struct Sampling {
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

Result<Sampling> ReadSampling(const GridSampleAttrs& attrs) {
  constexpr std::string_view kModes[] = {"linear", "nearest", "cubic"};
  constexpr std::string_view kPaddings[] = {"zeros", "border", "reflection"};
  const auto mode = std::ranges::find(kModes, attrs.mode);
  if (mode == std::end(kModes))
    return InvalidModel("mode is \"{}\"; linear, nearest or cubic is expected", attrs.mode);
  const auto padding = std::ranges::find(kPaddings, attrs.padding_mode);
  if (padding == std::end(kPaddings)) {
    return InvalidModel("padding_mode is \"{}\"; zeros, border or reflection is expected",
                        attrs.padding_mode);
  }
  return Sampling{static_cast<Mode>(mode - std::begin(kModes)),
                  static_cast<Padding>(padding - std::begin(kPaddings)), attrs.align_corners};
}

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

// Mirrors at both ends until inside.
template <class Real>
Real Reflect(Real x, Real low, Real high) {
  const Real range = high - low;
  if (!(range > 0) || !std::isfinite(x)) return low;
  if (x >= low && x <= high) return x;
  const Real beyond = std::fmod(x < low ? low - x : x - high, 2 * range);
  const Real inward = beyond <= range ? beyond : 2 * range - beyond;
  return x < low ? low + inward : high - inward;
}

// Along one axis: which elements a position reads, -1 for an outer zero, and how much of each.
template <class Real>
struct Taps {
  std::size_t count = 0;
  std::int64_t at[4] = {};
  Real weight[4] = {};
};

// One axis of x.
template <class Real>
class Axis {
 public:
  Axis(const Sampling& sampling, std::int64_t size)
      : sampling_(sampling),
        size_(size),
        low_(sampling.align_corners ? Real(0) : Real(-0.5)),
        high_(static_cast<Real>(size - 1) + (sampling.align_corners ? Real(0) : Real(0.5))) {}

  Taps<Real> Read(Real coordinate) const {
    Real x = Position(coordinate);
    if (sampling_.mode == Mode::kNearest) x = std::nearbyint(x);
    x = Bring(x);
    Taps<Real> taps;
    if (sampling_.mode == Mode::kNearest) {
      taps.count = 1;
      taps.weight[0] = 1;
      taps.at[0] = Element(static_cast<std::int64_t>(x));
      return taps;
    }
    const Real floor = std::floor(x), part = x - floor;
    taps.count = sampling_.mode == Mode::kLinear ? 2 : 4;
    const std::int64_t first = static_cast<std::int64_t>(floor) - (taps.count == 4 ? 1 : 0);
    for (std::size_t i = 0; i < taps.count; ++i)
      taps.at[i] = Element(first + static_cast<std::int64_t>(i));
    if (taps.count == 2) {
      taps.weight[0] = 1 - part;
      taps.weight[1] = part;
    } else {
      FillCubic(part, taps.weight);
    }
    return taps;
  }

 private:
  // From [-1, 1] to elements.
  Real Position(Real coordinate) const {
    const auto size = static_cast<Real>(size_);
    return sampling_.align_corners ? (coordinate + 1) / 2 * (size - 1)
                                   : ((coordinate + 1) * size - 1) / 2;
  }

  // Keeps what is inside; the rest, NaN included, becomes a number that fits an integer.
  Real Bring(Real x) const {
    if (x >= low_ && x <= high_) return x;
    if (std::isnan(x)) x = -std::numeric_limits<Real>::infinity();
    if (sampling_.padding == Padding::kReflection) return Reflect(x, low_, high_);
    if (sampling_.padding == Padding::kBorder && sampling_.mode != Mode::kCubic)
      return std::clamp(x, Real(0), static_cast<Real>(size_ - 1));
    // Where taps may still be inside, it is their places that count, as in PyTorch and ONNX
    // Runtime.
    return std::clamp(x, Real(-4), static_cast<Real>(size_ + 3));
  }

  std::int64_t Element(std::int64_t at) const {
    if (at >= 0 && at < size_) return at;
    if (sampling_.padding == Padding::kZeros) return -1;
    if (sampling_.padding == Padding::kReflection)
      at = static_cast<std::int64_t>(Reflect(static_cast<Real>(at), low_, high_));
    return std::clamp<std::int64_t>(at, 0, size_ - 1);
  }

  // Keys' cubic convolution with a = -0.75.
  static void FillCubic(Real part, Real* weight) {
    constexpr Real kA = Real(-0.75);
    const auto inner = [](Real d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
    const auto outer = [](Real d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
    weight[0] = outer(part + 1);
    weight[1] = inner(part);
    weight[2] = inner(1 - part);
    weight[3] = outer(2 - part);
  }

  Sampling sampling_;
  std::int64_t size_;
  Real low_, high_;
};

// One element of x and its share.
template <class Real>
struct Share {
  std::int64_t offset = 0;
  Real weight = 1;
};

// All elements that one position of the grid reads, within a channel.
template <class Real>
void CollectShares(std::span<const Axis<Real>> axes, std::span<const std::int64_t> strides,
                   const Real* position, std::vector<Share<Real>>& shares) {
  shares.assign(1, {});
  std::vector<Share<Real>> next;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    // The grid names the innermost axis first.
    const Taps<Real> taps = axes[a].Read(position[axes.size() - 1 - a]);
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
  std::vector<Axis<Real>> axes;
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
  if (sampling->mode == Mode::kNearest) return Dim(0);
  std::int64_t taps = 1;
  for (std::int64_t a = 2; a < ctx.out[0].rank(); ++a)
    taps *= sampling->mode == Mode::kLinear ? 2 : 4;
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
