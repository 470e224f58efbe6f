// Winograd's convolution F(2, 3) with products in bf16: 3 by 3, stride 1, on channels in blocks.
//
// A run is some whole rows of tiles of two by two results. Its input is transformed in f32 and
// rounded; then each panel of two blocks of output channels multiplies all sixteen points and
// transforms them back while they are in the cache: 2.25 times fewer products than by the
// definition, and packed weights that are smaller than those of the model. Larger tiles would
// round what they cannot afford to lose: F(4, 3) in bf16 is ten times less exact.
#include <algorithm>

#include "kernels/bf16/bf16.h"
#include "kernels/bf16/table.h"
#include "kernels/bf16/winograd_table.h"
#include "kernels/conv/spatial.h"
#include "kernels/conv/winograd_fit.h"
#include "kernels/conv/winograd_table.h"
#include "kernels/divide.h"
#include "kernels/epilogue.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

using bf16::kPoints;
using bf16::kTable;
constexpr auto kLanes = static_cast<std::int64_t>(bf16::kLanes);
constexpr auto kTallest = static_cast<std::int64_t>(bf16::kTallest);
constexpr auto kPairBytes = static_cast<std::int64_t>(bf16::kPairBytes);
constexpr auto kNumPoints = static_cast<std::int64_t>(kPoints);
constexpr std::int64_t kPanel = 2;  // blocks of output channels that pass together
constexpr std::int64_t kM = 2;      // results along a tile

struct State {
  ops::WindowAxis h, w;
  std::int64_t batch = 1, in_channels = 0, out_channels = 0;
  std::int64_t cells = 0, out_blocks = 0, panels = 0;
  std::int64_t tiles_x = 0, tiles_y = 0;
  std::int64_t height = 1, runs = 1;    // rows of tiles of a run; runs of an image
  std::int64_t shares = 1;              // of the panels, that threads take
  std::int64_t row = 0;                 // bytes of one tile's channels at one point
  std::vector<std::uint32_t> offsets;   // of the pairs of a row
  std::shared_ptr<const void> weights;  // per panel [point][pair][block][lane] of pairs
  std::vector<float> bias;              // of whole panels
  EpilogueProgram epilogue;

  std::int64_t plane() const { return h.out * w.out * kLanes; }
  std::int64_t steps() const { return std::ssize(offsets); }
  std::int64_t most_tiles() const { return height * tiles_x; }
  // An odd number of lines: the points of a tile then fall into different sets of a cache.
  std::int64_t PointBytes() const { return (CeilDivide(most_tiles() * row, 64) | 1) * 64; }
  std::int64_t BlockFloats() const { return most_tiles() * kLanes; }
  std::int64_t PointFloats() const { return (CeilDivide(kPanel * BlockFloats(), 16) | 1) * 16; }
  std::int64_t ScratchBytes() const { return kNumPoints * (PointBytes() + PointFloats() * 4); }
  std::int64_t Blocks(std::int64_t panel) const {
    return std::min(kPanel, out_blocks - panel * kPanel);
  }
};

// Of one run: transformed input and products, for the second-level cache.
constexpr std::int64_t kRunBytes = 640 << 10;
constexpr std::int64_t kMostBytes = 16 << 20;

// One row of tiles at least, and a whole number of the tallest products where that fits.
void CutRuns(State& s, int threads) {
  s.height = 1;
  s.row = (CeilDivide(s.in_channels * 2, 64) | 1) * 64;
  State taller = s;
  const std::int64_t wanted = threads > 1 ? CeilDivide(2 * threads, s.batch) : 1;
  const std::int64_t most = CeilDivide(s.tiles_y, std::min(wanted, s.tiles_y));
  while (taller.height < most) {
    ++taller.height;
    if (taller.ScratchBytes() > kRunBytes) break;
    s.height = taller.height;
  }
  s.runs = CeilDivide(s.tiles_y, s.height);
  s.height = CeilDivide(s.tiles_y, s.runs);
  s.runs = CeilDivide(s.tiles_y, s.height);
}

void FindSizes(const KernelQuery& q, State& s) {
  const Spatial2d spatial = *Spatial2d::From(q);
  s.h = spatial.h;
  s.w = spatial.w;
  s.batch = spatial.conv.batch;
  s.in_channels = spatial.conv.in_channels;
  s.out_channels = spatial.conv.out_channels;
  s.cells = CeilDivide(s.in_channels, kLanes);
  s.out_blocks = CeilDivide(s.out_channels, kLanes);
  s.panels = CeilDivide(s.out_blocks, kPanel);
  s.tiles_x = CeilDivide(s.w.out, kM);
  s.tiles_y = CeilDivide(s.h.out, kM);
  // Weights that are much larger than the picture are shared out instead of read by every thread.
  const bool heavy = q.in[1].count() > 4 * q.in[0].stored();
  CutRuns(s, heavy ? 1 : q.threads);
  if (q.threads > 1 && s.batch * s.runs < 2 * q.threads)
    s.shares = std::min<std::int64_t>(s.panels, 2 * q.threads);
}

Fit Fits(const KernelQuery& q) {
  Fit allowed = bf16::Allowed(q);
  if (!allowed.yes()) return allowed;
  if (q.in[0].block == 0 || q.out[0].block == 0) return Fit::No("needs channels in blocks");
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  Fit winograd = FitsWinograd(q);
  if (!winograd.yes()) return winograd;
  const Spatial2d spatial = *Spatial2d::From(q);
  const double row = static_cast<double>(spatial.w.out + kM) * static_cast<double>(kNumPoints) *
                     static_cast<double>(spatial.conv.in_channels + 4 * kLanes);
  if (row > static_cast<double>(kMostBytes)) return Fit::No("rows of more than 16 MiB");
  return AcceptsEpilogue(q, true, false);
}

double Cost(const KernelQuery& q) {
  State s;
  FindSizes(q, s);
  const auto tiles = static_cast<double>(s.batch * s.tiles_y * s.tiles_x);
  const auto out = static_cast<double>(s.out_blocks * kLanes);
  const double weights = 2.0 * kNumPoints * static_cast<double>(s.in_channels) * out;
  const auto runs = static_cast<double>(s.batch * s.runs);
  constexpr double kBusy = 0.93, kTransform = 13, kFromCache = 0.12, kMoved = 0.6;
  constexpr double kKept = 8e6;  // bytes of weights that stay in the last cache
  return 1000 +
         kNumPoints * tiles * static_cast<double>(s.in_channels) * out /
             (kBusy * bf16::MultiplyAddsPerNs(q)) +
         kTransform * tiles * static_cast<double>(s.cells + s.out_blocks) +
         runs * (kFromCache * std::min(weights, kKept) / q.rates.far_bytes +
                 std::max(0.0, weights - kKept) / q.rates.memory_bytes) +
         kMoved * static_cast<double>(q.in[0].bytes() + q.out[0].bytes()) / q.rates.memory_bytes;
}

// All windows, transformed: u = G g G', with the rows of G being 1 0 0, 1/2 1/2 1/2, 1/2 -1/2 1/2,
// 0 0 1.
void TransformWindow(const float* g, float* u) {
  const auto along = [](float a, float b, float c, float* to, std::size_t step) {
    to[0] = a;
    to[step] = 0.5F * (a + c) + 0.5F * b;
    to[2 * step] = 0.5F * (a + c) - 0.5F * b;
    to[3 * step] = c;
  };
  float between[bf16::kSide * 3];
  for (std::size_t j = 0; j < 3; ++j) along(g[j], g[3 + j], g[6 + j], between + j, 3);
  for (std::size_t i = 0; i < bf16::kSide; ++i) {
    const float* const row = between + 3 * i;
    along(row[0], row[1], row[2], u + bf16::kSide * i, 1);
  }
}

void PackWeights(const State& s, const float* w, std::uint32_t* packed) {
  const auto transform = [&](std::int64_t out, std::int64_t in, float* u) {
    std::fill_n(u, kPoints, 0.0F);
    if (out < s.out_channels && in < s.in_channels)
      TransformWindow(w + (out * s.in_channels + in) * 9, u);
  };
  float even[kPoints], odd[kPoints];
  for (std::int64_t panel = 0; panel < s.panels; ++panel) {
    const std::int64_t first = panel * kPanel * kLanes, width = s.Blocks(panel) * kLanes;
    for (std::int64_t step = 0; step < s.steps(); ++step) {
      for (std::int64_t lane = 0; lane < width; ++lane) {
        transform(first + lane, 2 * step, even);
        transform(first + lane, 2 * step + 1, odd);
        for (std::int64_t p = 0; p < kNumPoints; ++p) {
          packed[(p * s.steps() + step) * width + lane] = bf16::PairOf(even[p], odd[p]);
        }
      }
    }
    packed += kNumPoints * s.steps() * width;
  }
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  State& s = *state;
  FindSizes(q, s);
  for (std::int64_t c = 0; c < s.in_channels; c += 2)
    s.offsets.push_back(static_cast<std::uint32_t>(2 * c));
  s.bias.resize(static_cast<std::size_t>(s.panels * kPanel * kLanes));
  if (q.Has(2)) std::ranges::copy(q.in[2].constant->Data<float>(), s.bias.begin());
  s.epilogue = EpilogueProgram::From(q);
  const Tensor& w = *q.in[1].constant;
  ATH_TRY(s.weights,
          store.Get(w, "winograd bf16", kNumPoints * s.steps() * s.out_blocks * kLanes * kPairBytes,
                    [&](void* to) {
                      PackWeights(s, w.Data<float>().data(), static_cast<std::uint32_t*>(to));
                    }));
  return Prepared{state, q.threads * s.ScratchBytes()};
}

// Which of four positions from `first` on lie in [0, size).
void Inside(std::int64_t first, std::int64_t size, std::size_t& begin, std::size_t& end) {
  constexpr auto kSide = static_cast<std::int64_t>(bf16::kSide);
  begin = static_cast<std::size_t>(std::clamp<std::int64_t>(-first, 0, kSide));
  end = static_cast<std::size_t>(std::clamp<std::int64_t>(size - first, 0, kSide));
}

// Rows [first, first + rows) of tiles.
void TransformRun(const State& s, const float* image, std::int64_t first, std::int64_t rows,
                  std::byte* to) {
  bf16::WinogradInput tile = {.row = s.w.in * kLanes,
                              .point = static_cast<std::size_t>(s.PointBytes())};
  for (std::int64_t cell = 0; cell < s.cells; ++cell) {
    const float* const plane = image + cell * s.h.in * s.w.in * kLanes;
    tile.channels = static_cast<std::size_t>(std::min(kLanes, s.in_channels - cell * kLanes));
    for (std::int64_t i = 0; i < rows * s.tiles_x; ++i) {
      const std::int64_t y = (first + i / s.tiles_x) * kM - s.h.pad_begin;
      const std::int64_t x = i % s.tiles_x * kM - s.w.pad_begin;
      Inside(y, s.h.in, tile.top, tile.bottom);
      Inside(x, s.w.in, tile.left, tile.right);
      tile.x = plane + (y * s.w.in + x) * kLanes;
      tile.to = to + i * s.row + cell * kLanes * 2;
      bf16::TransformInput(tile);
    }
  }
}

// All points of one panel.
void MultiplyPanel(const State& s, std::int64_t panel, const std::byte* staged, std::int64_t tiles,
                   float* products) {
  const std::int64_t blocks = s.Blocks(panel), step_bytes = blocks * kLanes * kPairBytes;
  const std::byte* const weights = static_cast<const std::byte*>(s.weights.get()) +
                                   panel * kPanel * kLanes * kPairBytes * s.steps() * kNumPoints;
  const std::int64_t pieces = CeilDivide(tiles, kTallest);
  bf16::Tile tile = {.steps = s.offsets.size(),
                     .stride = static_cast<std::size_t>(s.row),
                     .offsets = s.offsets.data(),
                     .y_row = bf16::kLanes,
                     .y_vector = static_cast<std::size_t>(s.BlockFloats())};
  for (std::int64_t p = 0; p < kNumPoints; ++p) {
    tile.weights = weights + p * s.steps() * step_bytes;
    // The first pieces ask for the next point's weights, or the next panel's.
    const bool last = p + 1 == kNumPoints;
    const std::int64_t lines = !last ? blocks : panel + 1 < s.panels ? s.Blocks(panel + 1) : 0;
    for (std::int64_t i = 0; i < pieces; ++i) {
      const std::int64_t first = i * tiles / pieces, rows = (i + 1) * tiles / pieces - first;
      tile.x = staged + p * s.PointBytes() + first * s.row;
      tile.y = products + p * s.PointFloats() + first * kLanes;
      tile.soon = i < lines ? tile.weights + s.steps() * step_bytes + i * s.steps() * 64 : nullptr;
      kTable.product[blocks][rows](tile);
    }
  }
}

// A tile of `block` again, by the definition and in f32: see ADR 0050. `y`, `x`: of its first
// result in image `image`.
void Redo(const KernelArgs& args, const State& s, std::int64_t image, std::int64_t block,
          std::int64_t y, std::int64_t x, const bf16::WinogradResult& tile) {
  const std::int64_t channel = block * kLanes, distance = s.in_channels * 9;
  const std::int64_t plane = s.h.in * s.w.in * kLanes;
  const WinogradDirect direct = {
      .x = args.In(0) + image * s.cells * plane,
      .x_block = static_cast<std::size_t>(plane),
      .in_channels = static_cast<std::size_t>(s.in_channels),
      .height = static_cast<std::size_t>(s.h.in),
      .width = static_cast<std::size_t>(s.w.in),
      .top = y - s.h.pad_begin,
      .left = x - s.w.pad_begin,
      .rows = tile.rows,
      .cols = tile.columns,
      .windows = args.In(1) + channel * distance,
      .distance = static_cast<std::size_t>(distance),
      .out_channels = static_cast<std::size_t>(std::min(kLanes, s.out_channels - channel))};
  avx512::kWinograd[kM / 2 - 1].direct(direct, {.y = tile.y,
                                                .row_stride = tile.row,
                                                .rows = tile.rows,
                                                .cols = tile.columns,
                                                .bias = tile.bias,
                                                .residual = tile.residual,
                                                .clamp = tile.clamp,
                                                .low = tile.low,
                                                .high = tile.high});
}

// The results of one panel of the run of `rows` rows of tiles from row `first` of `image` on.
void FinishPanel(const KernelArgs& args, const State& s, std::int64_t image, std::int64_t panel,
                 const float* products, std::int64_t first, std::int64_t rows) {
  // Of the run's first position of the panel's first block.
  std::int64_t at =
      (image * s.out_blocks + panel * kPanel) * s.plane() + first * kM * s.w.out * kLanes;
  const std::int64_t positions = (std::min((first + rows) * kM, s.h.out) - first * kM) * s.w.out;
  bf16::WinogradResult tile = {.point = static_cast<std::size_t>(s.PointFloats()),
                               .row = static_cast<std::size_t>(s.w.out * kLanes),
                               .clamp = s.epilogue.clamp,
                               .low = s.epilogue.low,
                               .high = s.epilogue.high};
  for (std::int64_t within = 0; within < s.Blocks(panel); ++within, at += s.plane()) {
    const std::int64_t block = panel * kPanel + within;
    tile.bias = s.bias.data() + block * kLanes;
    for (std::int64_t i = 0; i < rows * s.tiles_x; ++i) {
      const std::int64_t y = i / s.tiles_x * kM, x = i % s.tiles_x * kM;
      const std::int64_t place = at + (y * s.w.out + x) * kLanes;
      tile.products = products + within * s.BlockFloats() + i * kLanes;
      tile.rows = static_cast<std::size_t>(std::min(kM, s.h.out - first * kM - y));
      tile.columns = static_cast<std::size_t>(std::min(kM, s.w.out - x));
      tile.y = args.Out(0) + place;
      if (s.epilogue.residual != 0) tile.residual = args.In(s.epilogue.residual) + place;
      if (!bf16::TransformResult(tile)) Redo(args, s, image, block, first * kM + y, x, tile);
    }
    if (s.epilogue.steps.empty()) continue;
    float* const y = args.Out(0) + at;
    s.epilogue.ApplyBlock(args, y, y, positions, kLanes, at, block * kLanes, s.out_channels);
  }
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  const std::int64_t image_floats = s.cells * s.h.in * s.w.in * kLanes;
  Parallel(args, s.batch * s.runs * s.shares, 1,
           [&](std::int64_t begin, std::int64_t end, int thread) {
             std::byte* const staged = args.scratch + thread * s.ScratchBytes();
             auto* const products = reinterpret_cast<float*>(staged + kNumPoints * s.PointBytes());
             std::int64_t ready = -1;  // the run that is staged
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t run = i / s.shares, share = i % s.shares, image = run / s.runs;
               const std::int64_t first = run % s.runs * s.height;
               const std::int64_t rows = std::min(s.height, s.tiles_y - first);
               if (run != ready)
                 TransformRun(s, args.In(0) + image * image_floats, first, rows, staged);
               ready = run;
               for (std::int64_t panel = share * s.panels / s.shares;
                    panel < (share + 1) * s.panels / s.shares; ++panel) {
                 MultiplyPanel(s, panel, staged, rows * s.tiles_x, products);
                 FinishPanel(args, s, image, panel, products, first, rows);
               }
             }
           });
}

}  // namespace

std::vector<KernelDef> Bf16WinogradKernels() {
  return {{.name = "Conv.bf16.winograd2.avx512",
           .op = "Conv",
           .isa = Isa::kAvx512,
           .takes_epilogue = true,
           .blocked = true,
           .fits = Fits,
           .cost_ns = Cost,
           .rule = [](const KernelQuery&) { return -1; },
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
