// RoiAlign and MaxRoiPool: a fixed number of values from each rectangle of an image.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

constexpr std::int64_t kMaxBins = 1 << 16;                     // per axis
constexpr std::int64_t kMaxRoiExtent = std::int64_t{1} << 31;  // of a bin, in elements
constexpr std::int64_t kMaxSamples = 256;  // per bin and axis, when a model asks for a number

struct RoiAlignAttrs {
  std::string coordinate_transformation_mode = "half_pixel";
  std::string mode = "avg";
  std::int64_t output_height = 1;
  std::int64_t output_width = 1;
  std::int64_t sampling_ratio = 0;
  float spatial_scale = 1.0F;
  template <class V>
  void Visit(V& v) {
    v("coordinate_transformation_mode", coordinate_transformation_mode,
      "half_pixel: coordinates are moved by -0.5; output_half_pixel: they are not, and a rectangle "
      "is at least one element large");
    v("mode", mode,
      "avg or max of the samples of a bin; max is taken before the four weighted "
      "neighbours of a sample are added");
    v("output_height", output_height, "bins per column");
    v("output_width", output_width, "bins per row");
    v("sampling_ratio", sampling_ratio,
      "samples per bin and axis, at most 256; 0: as many as the bin has elements, rounded up");
    v("spatial_scale", spatial_scale, "from coordinates of the rectangles to elements of x");
  }
};

Status CheckBins(std::string_view name, std::int64_t bins) {
  if (bins >= 1 && bins <= kMaxBins) return {};
  return InvalidModel("{} is {}; 1 to {} is expected", name, bins, kMaxBins);
}

Status CheckAttributes(const RoiAlignAttrs& attrs) {
  ATH_RETURN_IF_ERROR(CheckBins("output_height", attrs.output_height));
  ATH_RETURN_IF_ERROR(CheckBins("output_width", attrs.output_width));
  if (attrs.sampling_ratio < 0 || attrs.sampling_ratio > kMaxSamples)
    return InvalidModel("sampling_ratio is {}; 0 to {} is expected", attrs.sampling_ratio,
                        kMaxSamples);
  if (attrs.mode != "avg" && attrs.mode != "max")
    return InvalidModel("mode is \"{}\"; avg or max is expected", attrs.mode);
  const std::string& transform = attrs.coordinate_transformation_mode;
  if (transform != "half_pixel" && transform != "output_half_pixel") {
    return InvalidModel(
        "coordinate_transformation_mode is \"{}\"; half_pixel or output_half_pixel is expected",
        transform);
  }
  return {};
}

// [rois, channels, height, width]; `columns` are those of a rectangle.
Status InferRois(InferCtx& ctx, std::int64_t columns, const Dim& height, const Dim& width) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 4));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 2));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 1, 1, columns));
  const Type &x = ctx.In(0), &rois = ctx.In(1);
  ctx.out[0] = Type::Tensor(x.dtype, {rois.HasRank() ? rois.dim(0) : Dim::Unknown(),
                                      x.HasRank() ? x.dim(1) : Dim::Unknown(), height, width});
  return {};
}

Status InferRoiAlign(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<RoiAlignAttrs>();
  ATH_RETURN_IF_ERROR(CheckAttributes(attrs));
  ATH_RETURN_IF_ERROR(InferRois(ctx, 4, attrs.output_height, attrs.output_width));
  if (ctx.InDType(2) != DType::kI64) return InvalidModel("input 2 (batch_indices) must be i64");
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, 1));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 2, 0, ctx.out[0].dim(0)));
  if (!ctx.out[0].dim(0).IsConst() && ctx.In(2).HasRank())
    (*ctx.out[0].shape)[0] = ctx.In(2).dim(0);
  return {};
}

// One sample along one axis: two neighbours and how much of each.
template <class Real>
struct Neighbours {
  std::int64_t low = 0, high = 0;
  Real low_weight = 0, high_weight = 0;
};

// The samples of one bin along one axis, without those outside of the image, which count as 0.
template <class Real>
struct BinSamples {
  std::vector<Neighbours<Real>> inside;
  std::int64_t all = 0;
};

template <class Real>
Neighbours<Real> NeighboursOf(Real at, std::int64_t size) {
  at = std::max(at, Real(0));
  const auto low = static_cast<std::int64_t>(at);
  if (low >= size - 1) return {size - 1, size - 1, Real(1), Real(0)};
  const Real part = at - static_cast<Real>(low);
  return {low, low + 1, 1 - part, part};
}

// One axis of a rectangle, from `start`, `extent` long, in `bins` bins.
template <class Real>
Result<std::vector<BinSamples<Real>>> SampleAxis(Real start, Real extent, std::int64_t bins,
                                                 std::int64_t ratio, std::int64_t size) {
  const Real bin = extent / static_cast<Real>(bins);
  const Real wanted = ratio > 0 ? static_cast<Real>(ratio) : std::ceil(bin);
  if (!std::isfinite(start) || !(std::abs(bin) < static_cast<Real>(kMaxRoiExtent)))
    return DataError("a rectangle starts at {} and is {} long", start, extent);
  const auto count = std::max<std::int64_t>(static_cast<std::int64_t>(wanted), 0);
  std::vector<BinSamples<Real>> samples(static_cast<std::size_t>(bins));
  for (std::int64_t b = 0; b < bins; ++b) {
    BinSamples<Real>& own = samples[static_cast<std::size_t>(b)];
    own.all = count;
    const Real from = start + static_cast<Real>(b) * bin;
    const auto place = [&](std::int64_t i) {
      return from + (static_cast<Real>(i) + Real(0.5)) * bin / wanted;
    };
    // A rectangle may be far larger than the image: only samples near the image are looked at.
    std::int64_t first = 0, last = count;
    if (bin > 0) {
      const double step = static_cast<double>(bin) / static_cast<double>(wanted);
      const double end = static_cast<double>(count);
      first = static_cast<std::int64_t>(std::clamp((-1.0 - from) / step - 4, 0.0, end));
      last = static_cast<std::int64_t>(
          std::clamp((static_cast<double>(size) - from) / step + 4, 0.0, end));
    }
    for (std::int64_t i = first; i < last; ++i) {
      const Real at = place(i);
      if (at >= -1 && at <= static_cast<Real>(size)) own.inside.push_back(NeighboursOf(at, size));
    }
  }
  return samples;
}

template <class T>
ComputeType<T> Average(const T* plane, std::int64_t width, const BinSamples<ComputeType<T>>& rows,
                       const BinSamples<ComputeType<T>>& columns) {
  using Real = ComputeType<T>;
  Real sum = 0;
  for (const auto& row : rows.inside) {
    const T *low = plane + row.low * width, *high = plane + row.high * width;
    for (const auto& column : columns.inside) {
      sum += row.low_weight * (column.low_weight * static_cast<Real>(low[column.low]) +
                               column.high_weight * static_cast<Real>(low[column.high])) +
             row.high_weight * (column.low_weight * static_cast<Real>(high[column.low]) +
                                column.high_weight * static_cast<Real>(high[column.high]));
    }
  }
  const Real count = static_cast<Real>(rows.all) * static_cast<Real>(columns.all);
  return sum / std::max(count, Real(1));
}

template <class T>
ComputeType<T> Largest(const T* plane, std::int64_t width, const BinSamples<ComputeType<T>>& rows,
                       const BinSamples<ComputeType<T>>& columns) {
  using Real = ComputeType<T>;
  const auto all_inside = [](const auto& samples) {
    return static_cast<std::int64_t>(samples.inside.size()) == samples.all && samples.all > 0;
  };
  Real most = all_inside(rows) && all_inside(columns) ? std::numeric_limits<Real>::lowest() : 0;
  for (const auto& row : rows.inside) {
    const T *low = plane + row.low * width, *high = plane + row.high * width;
    for (const auto& column : columns.inside) {
      most =
          std::max({most, row.low_weight * column.low_weight * static_cast<Real>(low[column.low]),
                    row.low_weight * column.high_weight * static_cast<Real>(low[column.high]),
                    row.high_weight * column.low_weight * static_cast<Real>(high[column.low]),
                    row.high_weight * column.high_weight * static_cast<Real>(high[column.high])});
    }
  }
  return most;
}

template <class T>
Status AlignRois(const RoiAlignAttrs& attrs, RefCtx& ctx) {
  using Real = ComputeType<T>;
  const Dims &x_dims = ctx.In(0).dims(), &y_dims = ctx.Out(0).dims();
  const std::int64_t channels = x_dims[1], height = x_dims[2], width = x_dims[3];
  const bool half_pixel = attrs.coordinate_transformation_mode == "half_pixel";
  const Real move = half_pixel ? Real(0.5) : Real(0), scale = attrs.spatial_scale;
  const T *rois = ctx.Data<T>(1).data(), *x = ctx.Data<T>(0).data();
  T* y = ctx.OutData<T>(0).data();
  for (std::int64_t r = 0; r < y_dims[0]; ++r, rois += 4) {
    const std::int64_t image = ctx.Data<std::int64_t>(2)[static_cast<std::size_t>(r)];
    if (image < 0 || image >= x_dims[0])
      return DataError("batch_indices[{}] is {}; [0, {}) is expected", r, image, x_dims[0]);
    Real at[4];
    for (std::size_t i = 0; i < 4; ++i) at[i] = static_cast<Real>(rois[i]) * scale - move;
    Real across = at[2] - at[0], down = at[3] - at[1];
    if (!half_pixel) across = std::max(across, Real(1)), down = std::max(down, Real(1));
    ATH_TRY(const auto rows, SampleAxis(at[1], down, y_dims[2], attrs.sampling_ratio, height));
    ATH_TRY(const auto columns, SampleAxis(at[0], across, y_dims[3], attrs.sampling_ratio, width));
    for (std::int64_t c = 0; c < channels; ++c) {
      const T* plane = x + (image * channels + c) * height * width;
      for (const auto& row : rows) {
        for (const auto& column : columns) {
          *y++ = static_cast<T>(attrs.mode == "avg" ? Average(plane, width, row, column)
                                                    : Largest(plane, width, row, column));
        }
      }
    }
  }
  return {};
}

Status RoiAlignReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<RoiAlignAttrs>();
  if (ctx.Out(0).count() == 0) return {};
  if (ctx.In(0).count() == 0)
    return DataError("nothing can be read from x {}", ToString(ctx.In(0).dims()));
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    return AlignRois<typename decltype(tag)::Type>(attrs, ctx);
  });
}

// Known only where the number of samples is fixed.
Dim RoiAlignCost(const CostCtx& ctx) {
  const std::int64_t ratio = ReadAttributes<RoiAlignAttrs>(ctx.attributes).sampling_ratio;
  if (!ctx.out[0].HasRank() || ratio == 0) return Dim::Unknown();
  return ElementCount(*ctx.out[0].shape) * Dim(8 * ratio * ratio);
}

struct MaxRoiPoolAttrs {
  std::vector<std::int64_t> pooled_shape;
  float spatial_scale = 1.0F;
  template <class V>
  void Visit(V& v) {
    v("pooled_shape", pooled_shape, "bins per column and per row", kRequired);
    v("spatial_scale", spatial_scale, "from coordinates of the rectangles to elements of x");
  }
};

Status InferMaxRoiPool(InferCtx& ctx) {
  const auto bins = ctx.Attrs<MaxRoiPoolAttrs>().pooled_shape;
  if (bins.size() != 2)
    return InvalidModel("pooled_shape has {} values; 2 are expected", bins.size());
  ATH_RETURN_IF_ERROR(CheckBins("pooled_shape", bins[0]));
  ATH_RETURN_IF_ERROR(CheckBins("pooled_shape", bins[1]));
  return InferRois(ctx, 5, bins[0], bins[1]);
}

struct Bin {
  std::int64_t first = 0, last = 0;  // elements [first, last)
};

// Bins of one axis, each at least one element large before it is cut to the image.
std::vector<Bin> BinsOf(double start, double end, std::int64_t bins, std::int64_t size) {
  std::vector<Bin> result;
  const double extent = std::max(end - start + 1, 1.0) / static_cast<double>(bins);
  const auto inside = [&](double at) {
    return static_cast<std::int64_t>(std::clamp(at + start, 0.0, static_cast<double>(size)));
  };
  for (std::int64_t b = 0; b < bins; ++b) {
    result.push_back({inside(std::floor(static_cast<double>(b) * extent)),
                      inside(std::ceil(static_cast<double>(b + 1) * extent))});
  }
  return result;
}

template <class T>
Status PoolRois(const MaxRoiPoolAttrs& attrs, RefCtx& ctx) {
  const Dims &x_dims = ctx.In(0).dims(), &y_dims = ctx.Out(0).dims();
  const std::int64_t channels = x_dims[1], height = x_dims[2], width = x_dims[3];
  const T *rois = ctx.Data<T>(1).data(), *x = ctx.Data<T>(0).data();
  T* y = ctx.OutData<T>(0).data();
  for (std::int64_t r = 0; r < y_dims[0]; ++r, rois += 5) {
    double at[5];
    for (std::size_t i = 0; i < 5; ++i) {
      at[i] = static_cast<double>(static_cast<ComputeType<T>>(rois[i]));
      if (!std::isfinite(at[i])) return DataError("rois[{}, {}] is {}", r, i, at[i]);
      if (i > 0) at[i] = std::round(at[i] * static_cast<double>(attrs.spatial_scale));
    }
    if (at[0] < 0 || at[0] >= static_cast<double>(x_dims[0]))
      return DataError("rois[{}, 0] is {}; an image in [0, {}) is expected", r, at[0], x_dims[0]);
    const auto image = static_cast<std::int64_t>(at[0]);
    const std::vector<Bin> rows = BinsOf(at[2], at[4], y_dims[2], height);
    const std::vector<Bin> columns = BinsOf(at[1], at[3], y_dims[3], width);
    for (std::int64_t c = 0; c < channels; ++c) {
      const T* plane = x + (image * channels + c) * height * width;
      for (const Bin& row : rows) {
        for (const Bin& column : columns) {
          const bool empty = row.first >= row.last || column.first >= column.last;
          T most = empty ? T(0.0F) : plane[row.first * width + column.first];
          for (std::int64_t h = row.first; h < row.last; ++h) {
            for (std::int64_t w = column.first; w < column.last; ++w) {
              const T value = plane[h * width + w];
              if (static_cast<ComputeType<T>>(value) > static_cast<ComputeType<T>>(most))
                most = value;
            }
          }
          *y++ = most;
        }
      }
    }
  }
  return {};
}

Status MaxRoiPoolReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<MaxRoiPoolAttrs>();
  if (!std::isfinite(attrs.spatial_scale))
    return InvalidModel("spatial_scale is {}", attrs.spatial_scale);
  if (ctx.Out(0).count() == 0) return {};
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    return PoolRois<typename decltype(tag)::Type>(attrs, ctx);
  });
}

}  // namespace

OpDef RoiAlign() {
  return {
      .name = "RoiAlign",
      .summary =
          "Divides each rectangle into bins and gives, per bin, the average or maximum of samples "
          "that are interpolated between elements.",
      .inputs = {{"x", "[n, c, h, w], floating point"},
                 {"rois", "[rectangles, 4]: x1, y1, x2, y2"},
                 {"batch_indices", "i64[rectangles], the image of each"}},
      .outputs = {{"y", "[rectangles, c, output_height, output_width]"}},
      .attributes = Describe<RoiAlignAttrs>(),
      .infer = InferRoiAlign,
      .reference = RoiAlignReference,
      .flops = RoiAlignCost,
  };
}

OpDef MaxRoiPool() {
  return {
      .name = "MaxRoiPool",
      .summary = "Divides each rectangle into bins and gives the maximum of each; 0 outside of x.",
      .inputs = {{"x", "[n, c, h, w], floating point"},
                 {"rois", "[rectangles, 5]: image, x1, y1, x2, y2, corners included"}},
      .outputs = {{"y", "[rectangles, c, rows, columns]"}},
      .attributes = Describe<MaxRoiPoolAttrs>(),
      .infer = InferMaxRoiPool,
      .reference = MaxRoiPoolReference,
      .flops = [](const CostCtx&) { return Dim::Unknown(); },
  };
}

}  // namespace athanor::ops
