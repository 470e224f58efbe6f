// Convolution to channels in blocks, as products of pixels and weights: a pixel's group of channels
// goes to all lanes, each of which is an output channel. Pictures in blocks are staged band by band
// with their padding; so are those in planes, which the first layer reads. Windows of one pixel
// read unsigned bytes in blocks where they lie. Rows of a window that lie above or below the
// picture are left out where they would add nothing; so is one column on its left and right.
#include <algorithm>

#include "kernels/conv/spatial.h"
#include "kernels/divide.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

struct State {
  const LaneTable* table = nullptr;
  Spatial2d spatial;
  RequantPlan requant;
  bool planes = false;    // the input is not in blocks
  bool in_place = false;  // nothing is staged
  bool skips = false;     // the padding adds nothing to sums
  // The first column of a row's first window, or the last of its last, is padding to leave out.
  bool cut_first = false, cut_last = false;
  std::int64_t depth = 0;  // channels of a cell: what lies together at one staged position
  std::int64_t cell = 0;   // its bytes
  std::int64_t cells = 0;  // of all channels
  std::int64_t stage_w = 0, stage_h = 0;
  std::int64_t bands = 0;   // of rows of the result
  std::int64_t panels = 0;  // of two blocks of the result
  std::int64_t shares = 1;  // of the panels, for threads that have no band of their own
  std::vector<std::uint32_t> offsets;
  std::uint8_t flip = 0, zero = 0;
  AfterBytes after;
  std::shared_ptr<const void> weights;

  std::int64_t lanes() const { return static_cast<std::int64_t>(table->lanes); }
  std::int64_t out_blocks() const { return CeilDivide(spatial.conv.out_channels, lanes()); }
  std::int64_t StagedBytes() const { return in_place ? 0 : cells * stage_h * stage_w * cell; }
};

constexpr std::int64_t kBandBytes = 128 << 10;  // of staged rows, for the second-level cache
constexpr std::int64_t kMostBytes = 64 << 20;   // of one thread
constexpr std::int64_t kMostSteps = 1 << 18;
constexpr std::int64_t kCutSteps = 16;  // of a column: fewer cost as much as they save

void FindCells(const KernelQuery& q, State& s) {
  s.planes = q.in[0].block == 0;
  const auto group = static_cast<std::int64_t>(4 / s.table->element_bytes);
  s.depth = s.planes ? group : s.lanes();
  s.cell = s.depth * static_cast<std::int64_t>(s.table->element_bytes);
  s.cells = CeilDivide(s.spatial.conv.in_channels, s.depth);
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const bool padded = h.pad_begin != 0 || h.pad_end != 0 || w.pad_begin != 0 || w.pad_end != 0;
  // Offsets of 32 bits reach all channels of a band, and of smaller pictures.
  const double picture =
      static_cast<double>(s.cells * s.cell) * static_cast<double>(h.in) * static_cast<double>(w.in);
  s.in_place = !s.planes && s.table->element_bytes == 1 && s.flip == 0 && h.kernel == 1 &&
               w.kernel == 1 && !padded && picture <= UINT32_MAX;
}

std::int64_t StagedRows(const ops::WindowAxis& h, std::int64_t rows) {
  return (rows - 1) * h.stride + (h.kernel - 1) * h.dilation + 1;
}

// Rows times panels of the thread that has most to do.
std::int64_t MostWork(const State& s, std::int64_t bands, std::int64_t shares,
                      std::int64_t threads) {
  const std::int64_t rows = s.spatial.h.out, batch = s.spatial.conv.batch;
  const std::int64_t panels = CeilDivide(s.panels, shares);
  // Bands differ by a row, which evens out where all threads get as many.
  if (batch * bands % threads == 0) return CeilDivide(batch * rows, threads) * shares * panels;
  return CeilDivide(batch * bands * shares, threads) * CeilDivide(rows, bands) * panels;
}

// Bands as high as the cache takes, one per thread at least; or fewer, whose panels the threads
// share, where that divides the work better: 7 rows are 4 and 3.
void CutBands(const KernelQuery& q, State& s) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  s.stage_w = (w.out - 1) * w.stride + (w.kernel - 1) * w.dilation + 1;
  s.panels = CeilDivide(s.out_blocks(), 2);
  const std::int64_t pixel = s.cells * s.cell, row = pixel * s.stage_w;
  const auto bands_from = [&](std::int64_t band) {
    while (band > 1 && StagedRows(h, band) * row > kBandBytes) band = CeilDivide(band, 2);
    return CeilDivide(h.out, band);
  };
  s.bands = bands_from(CeilDivide(h.out, std::min<std::int64_t>(h.out, q.threads)));
  const bool small = s.in_place && h.out * w.out * pixel <= kBandBytes;
  for (const std::int64_t bands : {s.bands, small ? 1 : bands_from(h.out)}) {
    const std::int64_t shares = std::clamp<std::int64_t>(s.panels, 1, q.threads);
    if (MostWork(s, bands, shares, q.threads) >= MostWork(s, s.bands, s.shares, q.threads))
      continue;
    s.bands = bands;
    s.shares = shares;
  }
  s.stage_h = StagedRows(h, CeilDivide(h.out, s.bands));
  if (s.in_place) {
    s.stage_h = h.in;
    s.stage_w = w.in;
  }
}

// One group of channels of one tap.
struct Step {
  std::int64_t tap = 0, channel = 0;
  std::uint32_t offset = 0;  // from the place of the window's first tap
};

// Row after row and column after column, so that those of some rows or of one column stand
// together. Groups without a channel are left out.
std::vector<Step> StepsOfWindow(const State& s) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const auto bytes = static_cast<std::int64_t>(s.table->element_bytes);
  std::vector<Step> steps;
  for (std::int64_t tap = 0; tap < h.kernel * w.kernel; ++tap) {
    const std::int64_t ky = tap / w.kernel, kx = tap % w.kernel;
    for (std::int64_t i = 0; i < s.cells * s.cell; i += 4) {
      const std::int64_t cell = i / s.cell, at = i % s.cell;
      const std::int64_t channel = cell * s.depth + at / bytes;
      if (channel >= s.spatial.conv.in_channels) break;
      const std::int64_t row = cell * s.stage_h + ky * h.dilation;
      steps.push_back({.tap = tap,
                       .channel = channel,
                       .offset = static_cast<std::uint32_t>(
                           (row * s.stage_w + kx * w.dilation) * s.cell + at)});
    }
  }
  return steps;
}

// w[out][in][taps] -> panels of [pass][step][vector][lane] of groups.
void PackWeights(const State& s, const std::vector<Step>& steps, const std::vector<std::int16_t>& w,
                 std::int64_t passes, std::uint8_t* to) {
  const ops::ConvGeometry& conv = s.spatial.conv;
  const std::int64_t taps = s.spatial.h.kernel * s.spatial.w.kernel, lanes = s.lanes();
  const auto bytes = s.table->element_bytes;
  const auto group = static_cast<std::int64_t>(4 / bytes);
  for (std::int64_t panel = 0; panel < s.panels; ++panel) {
    const std::int64_t end = std::min(2 * panel + 2, s.out_blocks()) * lanes;
    for (std::int64_t i = 0; i < passes * std::ssize(steps); ++i) {
      const Step& step = steps[static_cast<std::size_t>(i % std::ssize(steps))];
      for (std::int64_t out = 2 * panel * lanes; out < end; ++out, to += 4) {
        std::int16_t weights[4] = {};
        for (std::int64_t k = 0; k < std::min(group, conv.in_channels - step.channel); ++k) {
          if (out >= conv.out_channels) continue;
          const std::int64_t at = (out * conv.in_channels + step.channel + k) * taps + step.tap;
          weights[k] = PartOf(w[static_cast<std::size_t>(at)], i / std::ssize(steps), bytes);
        }
        WriteGroup(weights, bytes, to);
      }
    }
  }
}

// One row of one cell: the picture's between borders of zero points.
void StageRow(const State& s, const std::uint8_t* x, std::int64_t cell, std::int64_t y,
              std::uint8_t* to) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  auto* const groups = reinterpret_cast<std::uint32_t*>(to);
  const std::uint32_t padding = GroupOf(s.zero, s.table->element_bytes);
  const std::int64_t groups_of_cell = s.cell / 4;
  const bool outside = y < 0 || y >= h.in;
  const std::int64_t begin = outside ? s.stage_w : std::min(w.pad_begin, s.stage_w);
  const std::int64_t end = std::min(begin + w.in, s.stage_w);
  std::fill_n(groups, begin * groups_of_cell, padding);
  std::fill_n(groups + end * groups_of_cell, (s.stage_w - end) * groups_of_cell, padding);
  if (begin >= end) return;
  const auto count = static_cast<std::size_t>(end - begin);
  to += begin * s.cell;
  if (!s.planes) {
    s.table->stage(x + (cell * h.in + y) * w.in * s.depth, count * s.table->lanes, s.flip, to);
    return;
  }
  const std::uint8_t* rows[4];
  for (std::int64_t i = 0; i < s.depth; ++i) {
    // The weights of a channel that is not there are 0.
    const std::int64_t channel = std::min(cell * s.depth + i, s.spatial.conv.in_channels - 1);
    rows[i] = x + (channel * h.in + y) * w.in;
  }
  s.table->stage_rows(rows, count, s.flip, to);
}

void StageBand(const State& s, const std::uint8_t* x, std::int64_t first, std::int64_t rows,
               std::uint8_t* staged) {
  const ops::WindowAxis& h = s.spatial.h;
  for (std::int64_t cell = 0; cell < s.cells; ++cell) {
    for (std::int64_t row = 0; row < StagedRows(h, rows); ++row) {
      if (h.kernel == 1 && row % h.stride != 0) continue;  // no window looks there
      StageRow(s, x, cell, first * h.stride + row - h.pad_begin,
               staged + (cell * s.stage_h + row) * s.stage_w * s.cell);
    }
  }
}

// Once it is known what the padding adds.
void FindCuts(State& s) {
  const ops::WindowAxis& w = s.spatial.w;
  if (!s.skips || w.kernel < 2 || w.out < 1) return;
  if (std::ssize(s.offsets) / (s.spatial.h.kernel * w.kernel) < kCutSteps) return;
  s.cut_first = w.FirstTap(0) >= 1;
  s.cut_last = w.LastTap(w.out - 1) < w.kernel;
}

// Rows of a window.
struct Taps {
  std::int64_t begin = 0, end = 0;
};

// n results side by side of one panel. y: the place of the first in its first block. Of windows of
// one pixel the first two tiles ask for the next panel's weights, which would come from the
// third-level cache else; with more taps that costs what it saves.
void RunPixels(const State& s, std::int64_t panel, Taps taps, const std::uint8_t* weights,
               const std::uint8_t* x, std::int64_t n, std::uint8_t* y) {
  const std::int64_t stride = s.spatial.w.stride * s.cell;
  const std::int64_t vectors = std::min<std::int64_t>(2, s.out_blocks() - 2 * panel);
  const Requant how = s.requant.how();
  const std::int64_t row_steps = std::ssize(s.offsets) / s.spatial.h.kernel;
  LaneTile tile = {.steps = static_cast<std::size_t>((taps.end - taps.begin) * row_steps),
                   .stride = static_cast<std::size_t>(stride),
                   .offsets = s.offsets.data() + taps.begin * row_steps,
                   .weights = weights + taps.begin * row_steps * vectors * s.lanes() * 4,
                   .channel = static_cast<std::size_t>(2 * panel * s.lanes()),
                   .block = static_cast<std::size_t>(s.spatial.h.out * s.spatial.w.out * s.lanes()),
                   .row_steps = static_cast<std::size_t>(row_steps),
                   .column_steps = static_cast<std::size_t>(row_steps / s.spatial.w.kernel)};
  const std::size_t panel_bytes = tile.steps * static_cast<std::size_t>(2 * s.lanes() * 4);
  const bool one_tap = s.spatial.h.kernel * s.spatial.w.kernel == 1;
  const auto tallest = static_cast<std::int64_t>(s.table->rows);
  // Of equal heights: a low tile takes nearly as long, waiting for weights.
  const std::int64_t tiles = CeilDivide(n, tallest);
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t first = i * n / tiles, rows = (i + 1) * n / tiles - first;
    tile.x = x + first * stride;
    tile.y = y + first * s.lanes();
    tile.soon = one_tap && panel + 1 < s.panels && i < 2
                    ? weights + panel_bytes + static_cast<std::size_t>(i) * tile.steps * 64
                    : nullptr;
    tile.cut_first = s.cut_first && i == 0;
    tile.cut_last = s.cut_last && i + 1 == tiles;
    const auto& shapes = tile.cut_first || tile.cut_last ? s.table->border : s.table->conv;
    shapes[vectors - 1][rows](tile, how);
  }
  for (std::int64_t v = 0; v < vectors; ++v)
    s.after(y + v * static_cast<std::int64_t>(tile.block), n * s.lanes());
}

// Rows [first, first + rows) of the result, from the staged band.
void RunBand(const State& s, std::int64_t share, const std::uint8_t* staged, std::int64_t first,
             std::int64_t rows, std::uint8_t* y) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const std::int64_t plane = h.out * w.out * s.lanes();
  const auto* weights = static_cast<const std::uint8_t*>(s.weights.get());
  const std::int64_t panel_bytes = std::ssize(s.offsets) * 2 * s.lanes() * 4;
  // Rows of windows that are one pixel wide follow one another without a gap.
  const bool one_row = w.kernel == 1 && w.stride == 1 && h.stride == 1;
  const std::int64_t runs = one_row ? 1 : rows, length = one_row ? rows * w.out : w.out;
  const std::int64_t begin = share * s.panels / s.shares, end = (share + 1) * s.panels / s.shares;
  for (std::int64_t panel = begin; panel < end; ++panel) {
    for (std::int64_t run = 0; run < runs; ++run) {
      const std::uint8_t* const x = staged + run * h.stride * s.stage_w * s.cell;
      std::uint8_t* const to = y + 2 * panel * plane + (first + run) * w.out * s.lanes();
      const Taps taps = s.skips && !one_row
                            ? Taps{h.FirstTap(first + run),
                                   std::max(h.FirstTap(first + run), h.LastTap(first + run))}
                            : Taps{0, h.kernel};
      RunPixels(s, panel, taps, weights + panel * panel_bytes, x, length, to);
    }
  }
}

struct BlockedConvI8 {
  static constexpr bool kTakesTables = true;

  static Fit Fits(const KernelQuery& q) {
    Fit weights = FitsWeights(q, 0);
    if (!weights.yes()) return weights;
    const auto spatial = Spatial2d::From(q);
    if (!spatial) return Fit::No("two spatial axes of less than 2^30 elements");
    if (spatial->conv.group != 1) return Fit::No("groups");
    if (q.out[0].block == 0) return Fit::No("needs channels in blocks");
    const std::int64_t products = q.in[1].count() / q.in[1].dims[0];
    if (products > MostProducts(q))
      return Fit::No(fmt::format("sums of more than {} products", MostProducts(q)));
    if (products * 4 > kMostSteps) return Fit::No("a window of too many taps");
    const double row = static_cast<double>(spatial->w.in + spatial->w.pad_begin +
                                           spatial->w.pad_end + spatial->w.kernel) *
                       static_cast<double>(spatial->h.kernel * spatial->h.dilation + 1) *
                       static_cast<double>(2 * (spatial->conv.in_channels + 16));
    if (row > static_cast<double>(kMostBytes)) return Fit::No("rows of more than 64 MiB");
    return Fit::Yes();
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    const double depth =
        static_cast<double>(q.in[1].count()) / static_cast<double>(q.in[1].dims[0]);
    const double outputs = static_cast<double>(q.out[0].stored());
    return ProductsNs(variant,
                      outputs * (depth * 0.6 + 10) + 4 * static_cast<double>(q.in[0].stored()));
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore& store, Variant variant) {
    auto s = std::make_shared<State>();
    s->table = &Lanes(variant);
    s->after = AfterBytes::From(q, IsaOf(variant));
    s->spatial = *Spatial2d::From(q);
    s->flip = FlipOf(q.quant->inputs[0]);
    s->zero = static_cast<std::uint8_t>(FlippedZero(q.quant->inputs[0]));
    FindCells(q, *s);
    CutBands(q, *s);
    const std::vector<Step> steps = StepsOfWindow(*s);
    const std::vector<std::int16_t> weights = CentredWeights(q, 0);
    const std::int64_t passes = PassesFor(weights, s->table->element_bytes);
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      for (const Step& step : steps) s->offsets.push_back(step.offset);
    }
    s->skips = s->zero == 0 && passes == 1;
    FindCuts(*s);
    ATH_TRY(s->requant,
            RequantPlan::ForWeights(q, SumsOfRows(weights, s->spatial.conv.out_channels)));
    const std::int64_t bytes = std::ssize(s->offsets) * s->out_blocks() * s->lanes() * 4;
    ATH_TRY(s->weights, store.Get(*q.in[1].constant,
                                  fmt::format("conv i8 blocks by taps {} {} {}", Name(variant),
                                              s->depth, ToString(q.quant->inputs[1].zeros)),
                                  bytes, [&](void* to) {
                                    PackWeights(*s, steps, weights, passes,
                                                static_cast<std::uint8_t*>(to));
                                  }));
    return Prepared{s, q.threads * WholeLines(s->StagedBytes() / 4) * 4};
  }

  static void Run(const KernelArgs& args) {
    const State& s = args.State<State>();
    const ops::ConvGeometry& conv = s.spatial.conv;
    const std::int64_t depth = s.planes ? conv.in_channels : s.cells * s.depth;
    const std::int64_t in = depth * s.spatial.h.in * s.spatial.w.in;
    const std::int64_t out = s.out_blocks() * s.lanes() * s.spatial.h.out * s.spatial.w.out;
    Parallel(args, conv.batch * s.bands * s.shares, 1,
             [&](std::int64_t begin, std::int64_t end, int thread) {
               auto* const staged = reinterpret_cast<std::uint8_t*>(args.scratch) +
                                    thread * WholeLines(s.StagedBytes() / 4) * 4;
               std::int64_t ready = -1;  // the band that is staged
               for (std::int64_t i = begin; i < end; ++i) {
                 const std::int64_t at = i / s.shares, image = at / s.bands;
                 const std::int64_t first = at % s.bands * s.spatial.h.out / s.bands;
                 const std::int64_t rows = (at % s.bands + 1) * s.spatial.h.out / s.bands - first;
                 const std::uint8_t* const x = args.In<std::uint8_t>(0) + image * in;
                 if (at != ready && !s.in_place) StageBand(s, x, first, rows, staged);
                 ready = at;
                 const std::int64_t above = first * s.spatial.h.stride * s.stage_w * s.cell;
                 RunBand(s, i % s.shares, s.in_place ? x + above : staged, first, rows,
                         args.Out<std::uint8_t>(0) + image * out);
               }
             });
  }
};

}  // namespace

std::vector<KernelDef> Int8BlockedConvKernels() {
  return DefineAllBlocked<BlockedConvI8>("Conv", ".blocked");
}

}  // namespace athanor::kernels
