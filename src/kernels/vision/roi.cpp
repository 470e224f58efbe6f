// Rectangles of images in bins: RoiAlign and MaxRoiPool.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/vision/vision.h"

namespace athanor::kernels {
namespace {

// ---- RoiAlign

// Samples of one bin along one axis that are looked at together.
constexpr std::size_t kSamples = 32;

struct RoiState {
  std::int64_t batch = 0, channels = 0, height = 0, width = 0;
  std::int64_t rois = 0, bins_down = 0, bins_across = 0, ratio = 0;
  float scale = 1, move = 0.5F;
  bool at_least_one = false, average = true;
  const ResizeTable* table = nullptr;
  std::int64_t scratch_bytes = 0;  // per thread, of SeparateRoi; 0: bins are too many for it
};

Fit FitsRoi(const KernelQuery& q) {
  return q.in[0].dtype == DType::kF32 ? Fit::Yes() : Fit::No("f32 only");
}

double CostRoi(const KernelQuery& q) {
  return RooflineNs(q.isa, 32 * static_cast<double>(q.out[0].count()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

// Two neighbours along an axis and how much of each.
struct Neighbours {
  std::int64_t low = 0, high = 0;
  float low_weight = 0, high_weight = 0;
};

Neighbours NeighboursOf(float at, std::int64_t size) {
  at = std::max(at, 0.0F);
  const auto low = static_cast<std::int64_t>(at);
  if (low >= size - 1) return {size - 1, size - 1, 1.0F, 0.0F};
  const float part = at - static_cast<float>(low);
  return {low, low + 1, 1 - part, part};
}

// The samples of one bin along one axis.
struct BinAxis {
  float from = 0, step = 0;          // of sample i: from + (i + 1/2) step
  std::int64_t size = 0;             // of the image
  std::int64_t count = 0;            // of all samples
  std::int64_t first = 0, last = 0;  // those that may be near the image

  BinAxis(float start, float bin, std::int64_t b, std::int64_t ratio, std::int64_t image)
      : size(image) {
    const float wanted = ratio > 0 ? static_cast<float>(ratio) : std::ceil(bin);
    count = std::max<std::int64_t>(static_cast<std::int64_t>(wanted), 0);
    from = start + static_cast<float>(b) * bin;
    last = count;
    if (!(bin > 0)) {
      step = wanted == 0 ? 0 : bin / wanted;
      return;
    }
    step = bin / wanted;
    const double place = static_cast<double>(from), by = static_cast<double>(step);
    const auto end = static_cast<double>(count);
    first = static_cast<std::int64_t>(std::clamp((-1.0 - place) / by - 4, 0.0, end));
    last = static_cast<std::int64_t>(
        std::clamp((static_cast<double>(size) - place) / by + 4, 0.0, end));
  }
  // Up to kSamples samples inside the image, from `next` on, which moves; 0: no more.
  std::size_t Take(std::int64_t& next, std::array<Neighbours, kSamples>& samples) const {
    std::size_t taken = 0;
    for (; next < last && taken < kSamples; ++next) {
      const float at = from + (static_cast<float>(next) + 0.5F) * step;
      if (at >= -1 && at <= static_cast<float>(size)) samples[taken++] = NeighboursOf(at, size);
    }
    return taken;
  }
};

using Samples = std::array<Neighbours, kSamples>;

// Folds the samples of rows times columns into one number per channel of `y`, which lie `y_step`
// apart.
void FoldSamples(const RoiState& s, const float* image, const Samples& rows, std::size_t row_count,
                 const Samples& columns, std::size_t column_count, float* y, std::int64_t y_step) {
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const float* plane = image + c * s.height * s.width;
    float value = y[c * y_step];
    for (std::size_t r = 0; r < row_count; ++r) {
      const Neighbours& row = rows[r];
      const float *low = plane + row.low * s.width, *high = plane + row.high * s.width;
      for (std::size_t k = 0; k < column_count; ++k) {
        const Neighbours& at = columns[k];
        const float a = row.low_weight * at.low_weight * low[at.low],
                    b = row.low_weight * at.high_weight * low[at.high],
                    d = row.high_weight * at.low_weight * high[at.low],
                    e = row.high_weight * at.high_weight * high[at.high];
        value = s.average ? value + ((a + b) + (d + e)) : std::max({value, a, b, d, e});
      }
    }
    y[c * y_step] = value;
  }
}

void AlignBin(const RoiState& s, const float* image, const BinAxis& down, const BinAxis& across,
              float* y, std::int64_t y_step) {
  Samples rows, columns;
  std::int64_t inside_rows = 0, inside_columns = 0;
  const auto count_inside = [](const BinAxis& axis, Samples& samples) {
    std::int64_t next = axis.first, inside = 0;
    while (const std::size_t n = axis.Take(next, samples)) inside += static_cast<std::int64_t>(n);
    return inside;
  };
  inside_rows = count_inside(down, rows);
  inside_columns = count_inside(across, columns);
  const bool all = inside_rows == down.count && inside_columns == across.count && down.count > 0 &&
                   across.count > 0;
  const float start = s.average || !all ? 0 : std::numeric_limits<float>::lowest();
  for (std::int64_t c = 0; c < s.channels; ++c) y[c * y_step] = start;
  std::int64_t next_row = down.first;
  while (const std::size_t r = down.Take(next_row, rows)) {
    std::int64_t next_column = across.first;
    while (const std::size_t k = across.Take(next_column, columns))
      FoldSamples(s, image, rows, r, columns, k, y, y_step);
  }
  if (!s.average) return;
  const float count =
      std::max(static_cast<float>(down.count) * static_cast<float>(across.count), 1.0F);
  for (std::int64_t c = 0; c < s.channels; ++c) y[c * y_step] /= count;
}

// ---- Averages are separable: each bin is a weighted sum of rows, and of that a weighted sum of
// elements. What is weighted is found once for a rectangle and then read for every channel.

constexpr std::int64_t kMostBins = 64;
constexpr std::size_t kMostTaps = 16;  // elements of an axis that a bin reads

// The elements of one axis that a bin reads, with their shares.
struct BinTaps {
  std::size_t count = 0;
  std::array<std::int32_t, kMostTaps> at = {};
  std::array<float, kMostTaps> weight = {};

  bool Add(std::int64_t index, float share) {
    const auto place = static_cast<std::int32_t>(index);
    const auto end = at.begin() + static_cast<std::ptrdiff_t>(count);
    const auto known = std::find(at.begin(), end, place);
    if (known == end) {
      if (count == kMostTaps) return false;
      at[count] = place;
      weight[count++] = share;
    } else {
      weight[static_cast<std::size_t>(known - at.begin())] += share;
    }
    return true;
  }
  // False when there are more of them. `factor`: of every share.
  bool Find(const BinAxis& axis, float factor) {
    count = 0;
    Samples samples;
    std::int64_t next = axis.first;
    while (const std::size_t n = axis.Take(next, samples)) {
      for (std::size_t i = 0; i < n; ++i) {
        if (!Add(samples[i].low, factor * samples[i].low_weight) ||
            !Add(samples[i].high, factor * samples[i].high_weight))
          return false;
      }
    }
    return true;
  }
};

// One rectangle; all memory is scratch.
class SeparateRoi {
 public:
  static std::int64_t Bytes(const RoiState& s) {
    const std::int64_t taps = static_cast<std::int64_t>(kMostTaps) * s.bins_down * s.bins_across;
    const std::int64_t bins = s.bins_down + s.bins_across;
    const std::int64_t floats = 2 * taps + s.bins_down * s.width + 1;
    return 4 * WholeLines(bins * static_cast<std::int64_t>(sizeof(BinTaps) / 4) + floats);
  }
  SeparateRoi(const RoiState& s, std::byte* scratch) : s_(s) {
    const auto bins = static_cast<std::size_t>(s.bins_down * s.bins_across);
    rows_ = reinterpret_cast<BinTaps*>(scratch);
    columns_ = rows_ + s.bins_down;
    index_ = reinterpret_cast<std::int32_t*>(columns_ + s.bins_across);
    weight_ = reinterpret_cast<float*>(index_ + kMostTaps * bins);
    row_ = weight_ + kMostTaps * bins;
  }

  // False when a bin reads too many elements. `at`: begin across and down; `bin`: size of one.
  bool Find(const float* at, float bin_across, float bin_down) {
    const BinAxis one_row(at[1], bin_down, 0, s_.ratio, s_.height);
    const BinAxis one_column(at[0], bin_across, 0, s_.ratio, s_.width);
    const float samples = static_cast<float>(one_row.count) * static_cast<float>(one_column.count);
    for (std::int64_t i = 0; i < s_.bins_down; ++i) {
      const BinAxis axis(at[1], bin_down, i, s_.ratio, s_.height);
      if (!rows_[i].Find(axis, 1 / std::max(samples, 1.0F))) return false;
    }
    std::int32_t last = -1;
    first_ = static_cast<std::int32_t>(s_.width);
    taps_ = 1;
    for (std::int64_t j = 0; j < s_.bins_across; ++j) {
      const BinAxis axis(at[0], bin_across, j, s_.ratio, s_.width);
      if (!columns_[j].Find(axis, 1)) return false;
      taps_ = std::max(taps_, columns_[j].count);
      for (std::size_t t = 0; t < columns_[j].count; ++t) {
        first_ = std::min(first_, columns_[j].at[t]);
        last = std::max(last, columns_[j].at[t]);
      }
    }
    width_ = std::max(last - first_ + 1, 0);
    row_[s_.bins_down * width_] = 0;  // what bins with fewer elements read
    FindPicks();
    return true;
  }

  void Run(const float* plane, float* y) const {
    std::array<const float*, kMostTaps> from;
    for (std::int64_t i = 0; i < s_.bins_down; ++i) {
      const BinTaps& taps = rows_[i];
      for (std::size_t t = 0; t < taps.count; ++t) from[t] = plane + taps.at[t] * s_.width + first_;
      s_.table->blend(from.data(), taps.weight.data(), taps.count, row_ + i * width_,
                      static_cast<std::size_t>(width_));
    }
    s_.table->pick(row_, index_, weight_, taps_, y,
                   static_cast<std::size_t>(s_.bins_down * s_.bins_across));
  }

 private:
  void FindPicks() {
    const auto bins = static_cast<std::size_t>(s_.bins_down * s_.bins_across);
    const auto nothing = static_cast<std::int32_t>(s_.bins_down * width_);
    for (std::size_t bin = 0; bin < bins; ++bin) {
      const auto across = static_cast<std::size_t>(s_.bins_across);
      const BinTaps& taps = columns_[bin % across];
      const std::int32_t row = static_cast<std::int32_t>(bin / across) * width_;
      for (std::size_t t = 0; t < taps_; ++t) {
        const bool real = t < taps.count;
        index_[t * bins + bin] = real ? row + taps.at[t] - first_ : nothing;
        weight_[t * bins + bin] = real ? taps.weight[t] : 0;
      }
    }
  }

  const RoiState& s_;
  BinTaps *rows_ = nullptr, *columns_ = nullptr;
  std::int32_t* index_ = nullptr;  // tap t of bin b at [t * bins + b]: into the rows of all bins
  float* weight_ = nullptr;
  float* row_ = nullptr;
  std::size_t taps_ = 1;                // of a bin across, at most
  std::int32_t first_ = 0, width_ = 0;  // elements of a row that are read
};

Result<Prepared> PrepareRoi(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<RoiState>();
  RoiState& s = *state;
  const Dims &x = q.in[0].dims, &y = q.out[0].dims;
  s = {.batch = x[0],
       .channels = x[1],
       .height = x[2],
       .width = x[3],
       .rois = y[0],
       .bins_down = y[2],
       .bins_across = y[3],
       .ratio = q.Int("sampling_ratio")};
  const bool half_pixel = q.Text("coordinate_transformation_mode") != "output_half_pixel";
  s.scale = q.Float("spatial_scale");
  s.move = half_pixel ? 0.5F : 0.0F;
  s.at_least_one = !half_pixel;
  s.average = q.Text("mode") != "max";
  s.table = &Resizes(q.isa);
  if (s.average && s.bins_down <= kMostBins && s.bins_across <= kMostBins)
    s.scratch_bytes = SeparateRoi::Bytes(s);
  return Prepared{state, q.threads * s.scratch_bytes};
}

void AlignRoi(const KernelArgs& args, const RoiState& s, std::int64_t r, std::byte* scratch) {
  constexpr float kMostExtent = 2147483648.0F;
  const std::int64_t image = args.In<std::int64_t>(2)[r];
  if (image < 0 || image >= s.batch) {
    args.data_error->store("a batch index is outside the batch", std::memory_order_relaxed);
    return;
  }
  float at[4];
  for (std::int64_t i = 0; i < 4; ++i) at[i] = args.In(1)[r * 4 + i] * s.scale - s.move;
  float across = at[2] - at[0], down = at[3] - at[1];
  if (s.at_least_one) across = std::max(across, 1.0F), down = std::max(down, 1.0F);
  const float bin_down = down / static_cast<float>(s.bins_down),
              bin_across = across / static_cast<float>(s.bins_across);
  if (!std::isfinite(at[0]) || !std::isfinite(at[1]) || !(std::abs(bin_down) < kMostExtent) ||
      !(std::abs(bin_across) < kMostExtent)) {
    args.data_error->store("a rectangle is not finite, or too large", std::memory_order_relaxed);
    return;
  }
  const std::int64_t bins = s.bins_down * s.bins_across;
  const std::int64_t plane = s.height * s.width;
  const float* x = args.In(0) + image * s.channels * plane;
  if (s.scratch_bytes > 0) {
    SeparateRoi separate(s, scratch);
    const bool found = separate.Find(at, bin_across, bin_down);
    for (std::int64_t c = 0; found && c < s.channels; ++c)
      separate.Run(x + c * plane, args.Out(0) + (r * s.channels + c) * bins);
    if (found) return;
  }
  for (std::int64_t i = 0; i < s.bins_down; ++i) {
    const BinAxis rows(at[1], bin_down, i, s.ratio, s.height);
    for (std::int64_t j = 0; j < s.bins_across; ++j) {
      const BinAxis columns(at[0], bin_across, j, s.ratio, s.width);
      AlignBin(s, x, rows, columns, args.Out(0) + r * s.channels * bins + i * s.bins_across + j,
               bins);
    }
  }
}

void RunRoi(const KernelArgs& args) {
  const RoiState& s = args.State<RoiState>();
  Parallel(args, s.rois, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t r = begin; r < end; ++r)
      AlignRoi(args, s, r, args.scratch + thread * s.scratch_bytes);
  });
}

// ---- MaxRoiPool

struct MaxRoiState {
  std::int64_t batch = 0, channels = 0, height = 0, width = 0;
  std::int64_t rois = 0, bins_down = 0, bins_across = 0;
  double scale = 1;
};

constexpr std::int64_t kChannels = 16;  // at a time

Fit FitsMaxRoi(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  return std::isfinite(q.Float("spatial_scale")) ? Fit::Yes()
                                                 : Fit::No("spatial_scale is not finite");
}

Result<Prepared> PrepareMaxRoi(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<MaxRoiState>();
  const Dims &x = q.in[0].dims, &y = q.out[0].dims;
  *state = {.batch = x[0],
            .channels = x[1],
            .height = x[2],
            .width = x[3],
            .rois = y[0],
            .bins_down = y[2],
            .bins_across = y[3],
            .scale = static_cast<double>(q.Float("spatial_scale"))};
  return Prepared{state, q.threads * 16 * (y[2] + y[3])};
}

// The elements [first, last) of one axis that a bin covers.
struct Bin {
  std::int64_t first = 0, last = 0;
};

// A rectangle is at least one element large, its corners included.
void FindBins(double start, double end, std::int64_t bins, std::int64_t size, Bin* to) {
  const double extent = std::max(end - start + 1, 1.0) / static_cast<double>(bins);
  const auto inside = [&](double at) {
    return static_cast<std::int64_t>(std::clamp(start + at, 0.0, static_cast<double>(size)));
  };
  for (std::int64_t b = 0; b < bins; ++b) {
    to[b] = {inside(std::floor(static_cast<double>(b) * extent)),
             inside(std::ceil(static_cast<double>(b + 1) * extent))};
  }
}

// 0 when the bin is empty. Of NaN only the first element counts, as a comparison has it.
float LargestIn(const float* plane, std::int64_t width, Bin row, Bin column) {
  if (row.first >= row.last || column.first >= column.last) return 0;
  float most = plane[row.first * width + column.first];
  for (std::int64_t h = row.first; h < row.last; ++h) {
    for (std::int64_t w = column.first; w < column.last; ++w) {
      const float value = plane[h * width + w];
      most = value > most ? value : most;
    }
  }
  return most;
}

void PoolRoi(const KernelArgs& args, const MaxRoiState& s, std::int64_t r, std::int64_t channel,
             Bin* rows) {
  double at[5];
  for (std::int64_t i = 0; i < 5; ++i) {
    at[i] = static_cast<double>(args.In(1)[r * 5 + i]);
    if (i > 0) at[i] = std::round(at[i] * s.scale);
    if (!std::isfinite(at[i])) {
      args.data_error->store("a rectangle is not finite", std::memory_order_relaxed);
      return;
    }
  }
  if (at[0] < 0 || at[0] >= static_cast<double>(s.batch)) {
    args.data_error->store("a batch index is outside the batch", std::memory_order_relaxed);
    return;
  }
  Bin* const columns = rows + s.bins_down;
  FindBins(at[2], at[4], s.bins_down, s.height, rows);
  FindBins(at[1], at[3], s.bins_across, s.width, columns);
  const std::int64_t image = static_cast<std::int64_t>(at[0]);
  for (std::int64_t c = channel; c < std::min(channel + kChannels, s.channels); ++c) {
    const float* plane = args.In(0) + (image * s.channels + c) * s.height * s.width;
    float* y = args.Out(0) + (r * s.channels + c) * s.bins_down * s.bins_across;
    for (std::int64_t i = 0; i < s.bins_down; ++i) {
      for (std::int64_t j = 0; j < s.bins_across; ++j)
        *y++ = LargestIn(plane, s.width, rows[i], columns[j]);
    }
  }
}

void RunMaxRoi(const KernelArgs& args) {
  const MaxRoiState& s = args.State<MaxRoiState>();
  const std::int64_t pieces = CeilDivide(s.channels, kChannels);
  Parallel(args, s.rois * pieces, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    Bin* const bins = reinterpret_cast<Bin*>(args.scratch) + thread * (s.bins_down + s.bins_across);
    for (std::int64_t i = begin; i < end; ++i)
      PoolRoi(args, s, i / pieces, i % pieces * kChannels, bins);
  });
}

}  // namespace

std::vector<KernelDef> RoiKernels() {
  std::vector<KernelDef> defs = {{.name = "MaxRoiPool.f32",
                                  .op = "MaxRoiPool",
                                  .fits = FitsMaxRoi,
                                  .cost_ns = CostRoi,
                                  .prepare = PrepareMaxRoi,
                                  .run = RunMaxRoi}};
  AddForEveryIsa(defs, {.name = "RoiAlign.f32",
                        .op = "RoiAlign",
                        .fits = FitsRoi,
                        .cost_ns = CostRoi,
                        .prepare = PrepareRoi,
                        .run = RunRoi});
  return defs;
}

}  // namespace athanor::kernels
