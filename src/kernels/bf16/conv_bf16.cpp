// Convolution by the definition on channels in blocks, with factors in bf16.
//
// A band of the picture is rounded once, between zeros where the window leaves it; then all panels
// of two blocks of output channels pass over it. The whole sum of a tile stays in registers:
// weights stream from the second-level cache, two lines for 28 dot products. Windows of one tap
// take only the positions they look at, so that those of a band follow one another whatever the
// stride is.
#include <algorithm>

#include "kernels/bf16/bf16.h"
#include "kernels/bf16/table.h"
#include "kernels/conv/spatial.h"
#include "kernels/divide.h"
#include "kernels/epilogue.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

using bf16::kTable;
constexpr auto kLanes = static_cast<std::int64_t>(bf16::kLanes);
constexpr auto kTallest = static_cast<std::int64_t>(bf16::kTallest);
constexpr auto kPairBytes = static_cast<std::int64_t>(bf16::kPairBytes);
constexpr std::int64_t kCell = kLanes * 2;  // bytes of a staged position of a block
constexpr std::int64_t kPanel = 2;          // blocks of output channels that pass together

struct State {
  ops::WindowAxis h, w;
  std::int64_t batch = 1, in_channels = 0, out_channels = 0;
  std::int64_t cells = 0;                   // blocks of the input
  std::int64_t step_h = 1, step_w = 1;      // between windows, in staged positions
  std::int64_t taken_h = 1, taken_w = 1;    // between staged positions, in the picture
  std::int64_t stage_h = 0, stage_w = 0;    // staged rows and columns
  std::int64_t band = 0, bands = 0;         // rows of the result
  std::int64_t out_blocks = 0, panels = 0;  // of the result
  std::int64_t shares = 1;                  // of the panels, that threads take
  std::vector<std::uint32_t> offsets;       // of each step, in bytes
  std::shared_ptr<const void> weights;      // per panel [step][block][lane] of pairs
  std::vector<float> bias;                  // of whole panels
  EpilogueProgram epilogue;

  std::int64_t plane() const { return h.out * w.out * kLanes; }
  std::int64_t StagedBytes() const { return cells * stage_h * stage_w * kCell; }
  std::int64_t steps() const { return std::ssize(offsets); }
  std::int64_t Blocks(std::int64_t panel) const {
    return std::min(kPanel, out_blocks - panel * kPanel);
  }
  // Windows of one column whose rows follow one another without a gap.
  bool one_run() const { return w.kernel == 1 && step_h == 1; }
  std::int64_t StagedRows(std::int64_t rows) const {
    return (rows - 1) * step_h + (h.kernel - 1) * h.dilation + 1;
  }
  // Channels that there are in a block of the input.
  std::int64_t Channels(std::int64_t cell) const {
    return std::min(kLanes, in_channels - cell * kLanes);
  }
};

constexpr std::int64_t kBandBytes = 192 << 10;  // of staged rows, for the second-level cache
constexpr std::int64_t kMostBand = 512 << 10;   // where weights are what takes room
constexpr std::int64_t kMostBytes = 64 << 20;   // of one thread
constexpr std::int64_t kMostSteps = 1 << 18;

std::int64_t WeightBytes(const KernelQuery& q) { return q.in[1].count() * 2; }

// Bands as high as the cache takes. Where the weights are much larger than the picture they are
// read once or twice instead, and threads share the channels, so that each reads a part of them.
void CutBands(const KernelQuery& q, State& s) {
  const std::int64_t row = s.cells * s.stage_w * kCell;
  const bool heavy = WeightBytes(q) > 2 * s.StagedRows(s.h.out) * row;
  const std::int64_t most = heavy ? kMostBand : kBandBytes;
  s.shares = heavy && q.threads > 1 ? std::min<std::int64_t>(s.panels, 2 * q.threads) : 1;
  // Two bands per thread where there are rows for it.
  const std::int64_t wanted = q.threads > 1 && s.shares == 1 ? 2 * q.threads : 1;
  s.bands = std::min(s.h.out, CeilDivide(wanted, s.batch));
  while (s.bands < s.h.out && s.StagedRows(CeilDivide(s.h.out, s.bands)) * row > most) ++s.bands;
  s.band = CeilDivide(s.h.out, s.bands);
  s.bands = CeilDivide(s.h.out, s.band);
  s.stage_h = s.StagedRows(s.band);
  if (q.threads > 1 && s.shares == 1 && s.batch * s.bands < q.threads)
    s.shares = std::min<std::int64_t>(s.panels, q.threads);
}

void FindOffsets(State& s) {
  for (std::int64_t cell = 0; cell < s.cells; ++cell) {
    for (std::int64_t ky = 0; ky < s.h.kernel; ++ky) {
      for (std::int64_t kx = 0; kx < s.w.kernel; ++kx) {
        const std::int64_t row = cell * s.stage_h + ky * s.h.dilation;
        const std::int64_t at = (row * s.stage_w + kx * s.w.dilation) * kCell;
        for (std::int64_t c = 0; c < s.Channels(cell); c += 2)
          s.offsets.push_back(static_cast<std::uint32_t>(at + c * 2));
      }
    }
  }
}

// w[out][in][taps] -> panels of [cell][tap][pair][block][lane], completed with zeros.
void PackWeights(const State& s, const float* w, std::uint32_t* to) {
  const std::int64_t taps = s.h.kernel * s.w.kernel;
  const auto weight = [&](std::int64_t out, std::int64_t in, std::int64_t tap) {
    const bool there = out < s.out_channels && in < s.in_channels;
    return there ? w[(out * s.in_channels + in) * taps + tap] : 0.0F;
  };
  for (std::int64_t panel = 0; panel < s.panels; ++panel) {
    const std::int64_t first = panel * kPanel * kLanes, end = first + s.Blocks(panel) * kLanes;
    for (std::int64_t cell = 0; cell < s.cells; ++cell) {
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t c = 0; c < s.Channels(cell); c += 2) {
          const std::int64_t in = cell * kLanes + c;
          for (std::int64_t out = first; out < end; ++out)
            *to++ = bf16::PairOf(weight(out, in, tap), weight(out, in + 1, tap));
        }
      }
    }
  }
}

// One row of one block of the picture, rounded, between zeros. `y`: its row, which may be outside.
void StageRow(const State& s, const float* x, std::int64_t cell, std::int64_t y,
              std::uint16_t* to) {
  const auto zeros = [&](std::int64_t from, std::int64_t end) {
    if (from < end) std::fill(to + from * kLanes, to + end * kLanes, std::uint16_t{0});
  };
  if (y < 0 || y >= s.h.in) {
    zeros(0, s.stage_w);
    return;
  }
  // Staged column i shows column i * taken_w - pad of the picture.
  const std::int64_t begin = std::min(s.stage_w, CeilDivide(s.w.pad_begin, s.taken_w));
  const std::int64_t last = s.w.in - 1 + s.w.pad_begin;
  const std::int64_t end = std::max(begin, std::min(s.stage_w, last / s.taken_w + 1));
  zeros(0, begin);
  const std::int64_t column = begin * s.taken_w - s.w.pad_begin;
  kTable.narrow_block(x + ((cell * s.h.in + y) * s.w.in + column) * kLanes,
                      static_cast<std::size_t>(end - begin),
                      static_cast<std::size_t>(s.taken_w * kLanes),
                      static_cast<std::size_t>(s.Channels(cell)), to + begin * kLanes);
  zeros(end, s.stage_w);
}

void StageBand(const State& s, const float* x, std::int64_t first, std::int64_t rows,
               std::uint16_t* to) {
  const std::int64_t top = first * s.step_h * s.taken_h - s.h.pad_begin;
  for (std::int64_t cell = 0; cell < s.cells; ++cell) {
    for (std::int64_t row = 0; row < s.StagedRows(rows); ++row) {
      StageRow(s, x, cell, top + row * s.taken_h,
               to + (cell * s.stage_h + row) * s.stage_w * kLanes);
    }
  }
}

// n results side by side of one panel, `at` floats from the begin of the result.
void RunPositions(const KernelArgs& args, const State& s, std::int64_t panel, const std::byte* x,
                  std::int64_t n, std::int64_t at, bool ask) {
  const auto* const weights = static_cast<const std::byte*>(s.weights.get());
  const std::int64_t panel_bytes = s.steps() * kPanel * kLanes * kPairBytes;
  const std::int64_t blocks = s.Blocks(panel), stride = s.step_w * kCell;
  bf16::Tile tile = {.steps = s.offsets.size(),
                     .stride = static_cast<std::size_t>(stride),
                     .offsets = s.offsets.data(),
                     .weights = weights + panel * panel_bytes,
                     .y_row = bf16::kLanes,
                     .y_vector = static_cast<std::size_t>(s.plane()),
                     .bias = s.bias.data() + panel * kPanel * kLanes,
                     .clamp = s.epilogue.clamp,
                     .low = s.epilogue.low,
                     .high = s.epilogue.high};
  const float* const residual =
      s.epilogue.residual != 0 ? args.In(s.epilogue.residual) + at : nullptr;
  float* const y = args.Out(0) + at;
  // The first tiles ask for the next panel, which would come from the third-level cache else.
  const std::int64_t next_lines = ask && panel + 1 < s.panels ? s.Blocks(panel + 1) : 0;
  const std::int64_t tiles = CeilDivide(n, kTallest);
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t first = i * n / tiles, rows = (i + 1) * n / tiles - first;
    tile.x = x + first * stride;
    tile.y = y + first * kLanes;
    tile.residual = residual != nullptr ? residual + first * kLanes : nullptr;
    tile.soon = i < next_lines ? tile.weights + panel_bytes + i * s.steps() * 64 : nullptr;
    kTable.product[blocks][rows](tile);
  }
}

// One panel of rows [first, first + rows) of the result, from the staged band.
void RunPanel(const KernelArgs& args, const State& s, std::int64_t image, std::int64_t panel,
              const std::byte* staged, std::int64_t first, std::int64_t rows) {
  const std::int64_t runs = s.one_run() ? 1 : rows;
  const std::int64_t length = s.one_run() ? rows * s.w.out : s.w.out;
  const std::int64_t begin =
      (image * s.out_blocks + panel * kPanel) * s.plane() + first * s.w.out * kLanes;
  for (std::int64_t run = 0; run < runs; ++run) {
    RunPositions(args, s, panel, staged + run * s.step_h * s.stage_w * kCell, length,
                 begin + run * length * kLanes, run == 0);
  }
  if (s.epilogue.steps.empty()) return;
  for (std::int64_t block = 0; block < s.Blocks(panel); ++block) {
    const std::int64_t at = begin + block * s.plane();
    float* const y = args.Out(0) + at;
    s.epilogue.ApplyBlock(args, y, y, rows * s.w.out, kLanes, at, (panel * kPanel + block) * kLanes,
                          s.out_channels);
  }
}

Fit Fits(const KernelQuery& q) {
  Fit allowed = bf16::Allowed(q);
  if (!allowed.yes()) return allowed;
  const auto spatial = Spatial2d::From(q);
  if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
  if (spatial->conv.group != 1) return Fit::No("groups");
  if (q.in[0].block == 0 || q.out[0].block == 0) return Fit::No("needs channels in blocks");
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.in[1].constant == nullptr || (q.Has(2) && q.in[2].constant == nullptr))
    return Fit::No("the weights are computed by the model");
  if (q.in[1].count() / q.in[1].dims[0] > kMostSteps) return Fit::No("a window of too many taps");
  const double row = static_cast<double>(spatial->w.in + spatial->w.pad_begin + spatial->w.pad_end +
                                         spatial->w.kernel * spatial->w.dilation) *
                     static_cast<double>(spatial->h.kernel * spatial->h.dilation + 1) *
                     static_cast<double>(2 * (spatial->conv.in_channels + kLanes));
  if (row > static_cast<double>(kMostBytes)) return Fit::No("rows of more than 64 MiB");
  return AcceptsEpilogue(q, true, false);
}

double Cost(const KernelQuery& q) {
  const double depth = static_cast<double>(q.in[1].count()) / static_cast<double>(q.in[1].dims[0]);
  const double out = static_cast<double>(q.out[0].bytes());
  constexpr double kBusy = 0.96, kStaged = 1.5, kWritten = 0.15;
  return 500 +
         static_cast<double>(q.out[0].stored()) * depth / (kBusy * bf16::MultiplyAddsPerNs(q)) +
         kStaged * static_cast<double>(q.in[0].bytes()) / q.rates.near_bytes +
         kWritten * out / q.rates.memory_bytes;
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
  (s.h.kernel == 1 ? s.taken_h : s.step_h) = s.h.stride;
  (s.w.kernel == 1 ? s.taken_w : s.step_w) = s.w.stride;
  s.stage_w = (s.w.out - 1) * s.step_w + (s.w.kernel - 1) * s.w.dilation + 1;
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  State& s = *state;
  FindSizes(q, s);
  CutBands(q, s);
  FindOffsets(s);
  s.bias.resize(static_cast<std::size_t>(s.panels * kPanel * kLanes));
  if (q.Has(2)) std::ranges::copy(q.in[2].constant->Data<float>(), s.bias.begin());
  s.epilogue = EpilogueProgram::From(q);
  const Tensor& w = *q.in[1].constant;
  ATH_TRY(s.weights,
          store.Get(w, "conv bf16", s.steps() * s.out_blocks * kLanes * kPairBytes, [&](void* to) {
            PackWeights(s, w.Data<float>().data(), static_cast<std::uint32_t*>(to));
          }));
  return Prepared{state, q.threads * WholeLines(s.StagedBytes() / 4) * 4};
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  const std::int64_t image_floats = s.cells * s.h.in * s.w.in * kLanes;
  Parallel(args, s.batch * s.bands * s.shares, 1,
           [&](std::int64_t begin, std::int64_t end, int thread) {
             std::byte* const staged = args.scratch + thread * WholeLines(s.StagedBytes() / 4) * 4;
             std::int64_t ready = -1;  // the band that is staged
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t at = i / s.shares, share = i % s.shares, image = at / s.bands;
               const std::int64_t first = at % s.bands * s.band;
               const std::int64_t rows = std::min(s.band, s.h.out - first);
               if (at != ready) {
                 StageBand(s, args.In(0) + image * image_floats, first, rows,
                           reinterpret_cast<std::uint16_t*>(staged));
               }
               ready = at;
               for (std::int64_t panel = share * s.panels / s.shares;
                    panel < (share + 1) * s.panels / s.shares; ++panel)
                 RunPanel(args, s, image, panel, staged, first, rows);
             }
           });
}

}  // namespace

std::vector<KernelDef> Bf16ConvKernels() {
  return {{.name = "Conv.bf16.direct.avx512",
           .op = "Conv",
           .isa = Isa::kAvx512,
           .takes_epilogue = true,
           .blocked = true,
           .fits = Fits,
           .cost_ns = Cost,
           .rule = [](const KernelQuery&) { return 0; },
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
