// Winograd's convolution: 3 by 3, stride 1, on channels in blocks.
//
// Tiles of the input are transformed, each of their (m + 2)^2 elements becomes a matrix product
// over the channels, and the products are transformed back: 2.25, 4 or 5.06 times fewer
// multiplications than by the definition. Two orders of work:
//   fused   a thread takes a run of tiles through all three steps while they stay in its
//   second-level
//           cache, reading all weights for each run: for large pictures;
//   staged  all tiles pass each step before the next one begins, so that every weight is read once:
//           for small pictures with many channels.
#include <algorithm>
#include <cstring>

#include "kernels/conv/conv.h"
#include "kernels/conv/spatial.h"
#include "kernels/conv/tiles.h"
#include "kernels/conv/winograd_fit.h"
#include "kernels/conv/winograd_table.h"
#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/layout.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

struct State {
  const ConvTileTable* table = nullptr;
  const WinogradTable* transform = nullptr;
  std::int64_t m = 0, side = 0, points = 0;  // outputs and inputs along a tile, elements of a tile
  ops::WindowAxis h, w;
  std::int64_t batch = 1, in_channels = 0, out_channels = 0, in_blocks = 0;
  ChannelTiles channels;
  std::int64_t tiles_x = 0, tiles_y = 0;
  std::int64_t together = 0;            // at most so many tiles pass a step at once
  std::int64_t runs = 1;                // of the fused form, about equally many tiles each
  std::shared_ptr<const void> weights;  // [channel tile][point][ic][oc]
  std::vector<float> bias;
  std::vector<std::int32_t> steps, columns;
  EpilogueProgram epilogue;
  std::int64_t scratch_floats = 0;  // per thread when fused

  std::int64_t lanes() const { return channels.lanes; }
  std::int64_t tiles() const { return batch * tiles_x * tiles_y; }
  std::int64_t column_groups() const {
    return CeilDivide(tiles(), static_cast<std::int64_t>(table->columns));
  }
  // The first tile of a run: runs are made of whole groups of columns.
  std::int64_t RunBegin(std::int64_t run) const {
    return std::min(tiles(),
                    run * column_groups() / runs * static_cast<std::int64_t>(table->columns));
  }
  // Between points of the transformed input, and of the products of `blocks` output blocks. Whole
  // lines, an odd number of them: the elements of one tile then fall into all sets of a cache.
  std::int64_t InputStride() const { return OddLines(in_blocks * together * lanes()); }
  std::int64_t ProductStride(std::int64_t output_blocks) const {
    return OddLines(output_blocks * together * lanes());
  }
  static std::int64_t OddLines(std::int64_t floats) { return ((floats + 15) / 16 | 1) * 16; }
};

// Where a tile lies.
struct Spot {
  std::int64_t image = 0, y = 0, x = 0;  // first output
};

Spot SpotOf(const State& s, std::int64_t tile) {
  const std::int64_t in_image = tile % (s.tiles_x * s.tiles_y);
  return {tile / (s.tiles_x * s.tiles_y), in_image / s.tiles_x * s.m, in_image % s.tiles_x * s.m};
}

const WinogradTable& Transforms(Isa isa, std::int64_t m) {
  const WinogradTable* const tables[] = {base::kWinograd, avx2::kWinograd, avx512::kWinograd};
  return tables[static_cast<std::size_t>(isa)][m / 2 - 1];
}

Fit FitsAny(const KernelQuery& q) {
  if (q.in[0].block == 0) return Fit::No("needs its input's channels in blocks");
  Fit winograd = FitsWinograd(q);
  return winograd.yes() ? AcceptsEpilogue(q, true, false) : winograd;
}

// How many elements of transformed tiles stay in the second-level cache.
constexpr std::int64_t kCacheFloats = 56 * 1024;

// How many tiles pass a step at once: whole tiles of columns. `per_tile`: transformed elements.
std::int64_t Together(std::int64_t per_tile, std::int64_t columns, bool staged) {
  const std::int64_t fit = (staged ? 64 : 1) * kCacheFloats / per_tile;
  return std::max(columns, fit / columns * columns);
}

// Products run at the rate that tiles reach, transforms behind them; the weights are read in every
// run of tiles, what the last cache does not keep of them from memory, and the picture and the
// result once. A staged run also writes what lies between its steps. The factors were fitted to
// `athanor bench --kernels conv`.
template <std::int64_t kM, bool kStaged>
double Cost(const KernelQuery& q) {
  const Spatial2d spatial = *Spatial2d::From(q);
  const std::int64_t tiles =
      spatial.conv.batch * CeilDivide(spatial.h.out, kM) * CeilDivide(spatial.w.out, kM);
  constexpr std::int64_t kPoints = (kM + 2) * (kM + 2);
  const std::int64_t in = spatial.conv.in_channels;
  const std::int64_t out = ChannelTiles(ConvTiles(q.isa), spatial.conv.out_channels).stored();
  const std::int64_t together =
      Together(kPoints * in, static_cast<std::int64_t>(ConvTiles(q.isa).columns), kStaged);
  const double runs = static_cast<double>(CeilDivide(tiles, together));
  const double elements = static_cast<double>(tiles * kPoints);
  const double weights = 4.0 * static_cast<double>(kPoints) * static_cast<double>(in * out);
  constexpr double kBusy = 0.84, kTransform = kStaged ? 0 : 18, kMoved = kStaged ? 2.7 : 1.3;
  constexpr double kFromCache = 0.12, kKept = 8e6;  // bytes of weights that stay in the last cache
  const double flops = elements * static_cast<double>(out) * static_cast<double>(2 * in) / kBusy +
                       kTransform * elements * static_cast<double>(out);
  return 1000 + flops / q.rates.flops[static_cast<std::size_t>(q.isa)] +
         runs * (kFromCache * std::min(weights, kKept) / q.rates.far_bytes +
                 std::max(0.0, weights - kKept) / q.rates.memory_bytes) +
         kMoved * static_cast<double>(q.in[0].bytes() + q.out[0].bytes()) / q.rates.memory_bytes;
}

// Lavin and Gray (CVPR 2016) find F(4, 3) the best compromise from 16 channels on, as the libraries
// after them do; small pictures, whose tiles would be half empty, take F(2, 3). Weights that are
// larger than the picture are read once.
template <std::int64_t kM, bool kStaged>
int Rule(const KernelQuery& q) {
  const Spatial2d spatial = *Spatial2d::From(q);
  constexpr int kNever = 3;
  constexpr std::int64_t kFewChannels = 16, kSmall = 8;
  if (std::min(spatial.conv.in_channels, spatial.conv.out_channels) < kFewChannels) return kNever;
  const std::int64_t m = std::min(spatial.h.out, spatial.w.out) < kSmall ? 2 : 4;
  const bool staged = q.in[1].bytes() > q.in[0].bytes() + q.out[0].bytes();
  return m == kM && staged == kStaged ? 0 : kNever;
}

template <std::int64_t kM>
std::int64_t MoreBytes(const KernelQuery& q) {
  const Tensor& weights = *q.in[1].constant;
  const ChannelTiles channels(ConvTiles(q.isa), weights.dim(0));
  return 4 * ((kM + 2) * (kM + 2) * weights.dim(1) * channels.stored() - weights.count());
}

// All windows, transformed, as the tiles of products read them.
void PackWeights(const State& s, const float* w, float* packed) {
  const std::int64_t distance = s.in_channels * 9;
  for (std::int64_t tile = 0; tile < s.channels.tiles; ++tile) {
    const std::int64_t first = s.channels.Begin(tile), last = s.channels.Begin(tile + 1);
    const std::int64_t width = (last - first) * s.lanes();
    float* const to = packed + first * s.lanes() * s.points * s.in_channels;
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t channel = block * s.lanes();
      const std::int64_t exist = std::min(s.lanes(), s.out_channels - channel);
      for (std::int64_t ic = 0; ic < s.in_channels; ++ic) {
        s.transform->weights(w + channel * distance + ic * 9, static_cast<std::size_t>(distance),
                             static_cast<std::size_t>(exist),
                             to + ic * width + (block - first) * s.lanes(),
                             static_cast<std::size_t>(s.in_channels * width));
      }
    }
  }
}

template <std::int64_t kM, bool kStaged>
Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  const Spatial2d spatial = *Spatial2d::From(q);
  auto state = std::make_shared<State>();
  State& s = *state;
  s.table = &ConvTiles(q.isa);
  s.transform = &Transforms(q.isa, kM);
  s.m = kM;
  s.side = kM + 2;
  s.points = s.side * s.side;
  s.h = spatial.h;
  s.w = spatial.w;
  s.batch = spatial.conv.batch;
  s.in_channels = spatial.conv.in_channels;
  s.out_channels = spatial.conv.out_channels;
  s.channels = ChannelTiles(*s.table, s.out_channels);
  s.in_blocks = CeilDivide(s.in_channels, s.lanes());
  s.tiles_y = CeilDivide(s.h.out, kM);
  s.tiles_x = CeilDivide(s.w.out, kM);
  s.bias = PaddedBias(q, 1, s.channels);
  s.epilogue = EpilogueProgram::From(q);
  const std::int64_t per_tile = s.points * s.in_blocks * s.lanes();
  const std::int64_t columns = static_cast<std::int64_t>(s.table->columns);
  s.together = Together(per_tile, columns, kStaged);
  if (!kStaged) {
    // As many runs for each thread.
    const std::int64_t groups = s.column_groups(), least = CeilDivide(groups, s.together / columns);
    s.runs = std::min(groups, CeilDivide(least, q.threads) * q.threads);
    s.together = CeilDivide(groups, s.runs) * columns;
  }
  s.together = std::min(s.together, s.tiles());
  for (std::int64_t ic = 0; ic < s.in_channels; ++ic) {
    s.steps.push_back(
        static_cast<std::int32_t>(ic / s.lanes() * s.together * s.lanes() + ic % s.lanes()));
  }
  for (std::int64_t i = 0; i < s.together; ++i)
    s.columns.push_back(static_cast<std::int32_t>(i * s.lanes()));
  const Tensor& w = *q.in[1].constant;
  ATH_TRY(s.weights, store.Get(w, fmt::format("winograd {} {}", kM, s.lanes()),
                               s.points * s.in_channels * s.channels.stored() * 4, [&](void* to) {
                                 PackWeights(s, w.Data<float>().data(), static_cast<float*>(to));
                               }));
  const auto tallest = static_cast<std::int64_t>(s.table->blocks);
  s.scratch_floats =
      s.points * (s.InputStride() + s.ProductStride(kStaged ? s.channels.blocks : tallest));
  return Prepared{state, (kStaged ? 1 : q.threads) * s.scratch_floats * 4};
}

// Transforms input block `block` of the tile into place `index` of a run.
void TransformInput(const KernelArgs& args, const State& s, std::int64_t tile, std::int64_t block,
                    std::int64_t index, float* inputs) {
  const Spot spot = SpotOf(s, tile);
  const std::int64_t row = s.w.in * s.lanes();
  const float* plane = args.In(0) + (spot.image * s.in_blocks + block) * s.h.in * row;
  float* const to = inputs + (block * s.together + index) * s.lanes();
  const auto stride = static_cast<std::size_t>(s.InputStride());
  const std::int64_t top = spot.y - s.h.pad_begin, left = spot.x - s.w.pad_begin;
  if (top >= 0 && left >= 0 && top + s.side <= s.h.in && left + s.side <= s.w.in) {
    s.transform->input(plane + top * row + left * s.lanes(), static_cast<std::size_t>(row), to,
                       stride);
    return;
  }
  // The tile leaves the input: what is there is copied between zeros.
  alignas(64) float whole[8 * 8 * 16] = {};
  const std::int64_t first = std::max<std::int64_t>(0, left);
  const std::int64_t last = std::min(s.w.in, left + s.side);
  for (std::int64_t i = std::max<std::int64_t>(0, -top); i < std::min(s.side, s.h.in - top); ++i) {
    if (first >= last) break;
    std::memcpy(whole + (i * s.side + first - left) * s.lanes(),
                plane + (top + i) * row + first * s.lanes(),
                static_cast<std::size_t>((last - first) * s.lanes()) * sizeof(float));
  }
  s.transform->input(whole, static_cast<std::size_t>(s.side * s.lanes()), to, stride);
}

// The products of one point, for one tile of channels and `count` tiles of the picture.
void MultiplyPoint(const State& s, std::int64_t channel_tile, std::int64_t point,
                   std::int64_t count, const float* inputs, float* products,
                   std::int64_t product_stride) {
  const std::int64_t first = s.channels.Begin(channel_tile);
  const std::int64_t blocks = s.channels.Begin(channel_tile + 1) - first;
  ConvTile tile = {.x = inputs + point * s.InputStride(),
                   .steps = s.steps.data(),
                   .k = static_cast<std::size_t>(s.in_channels),
                   .y_block = static_cast<std::size_t>(s.together * s.lanes())};
  tile.w = static_cast<const float*>(s.weights.get()) +
           first * s.lanes() * s.points * s.in_channels +
           point * s.in_channels * blocks * s.lanes();
  if (point + 1 < s.points) {  // whose weights follow
    tile.ahead_floats = static_cast<std::size_t>(s.in_channels * blocks * s.lanes());
    tile.ahead = tile.w + tile.ahead_floats;
  }
  tile.columns = s.columns.data();
  tile.y = products + point * product_stride;
  RunColumns(*s.table, tile, blocks, count);
}

// The tile's outputs by the definition: where an input is infinite or not a number, products of a
// tile mix it into outputs whose windows do not reach it.
void Redo(const KernelArgs& args, const State& s, const Spot& spot, std::int64_t block,
          const WinogradOutput& out) {
  const std::int64_t channel = block * s.lanes(), distance = s.in_channels * 9;
  const std::int64_t plane = s.h.in * s.w.in * s.lanes();
  s.transform->direct(
      {.x = args.In(0) + spot.image * s.in_blocks * plane,
       .x_block = static_cast<std::size_t>(plane),
       .in_channels = static_cast<std::size_t>(s.in_channels),
       .height = static_cast<std::size_t>(s.h.in),
       .width = static_cast<std::size_t>(s.w.in),
       .top = spot.y - s.h.pad_begin,
       .left = spot.x - s.w.pad_begin,
       .rows = out.rows,
       .cols = out.cols,
       .windows = args.In(1) + channel * distance,
       .distance = static_cast<std::size_t>(distance),
       .out_channels = static_cast<std::size_t>(std::min(s.lanes(), s.out_channels - channel))},
      out);
}

// Gives output block `block` of the tile its place in the result. `products`: of the block, of tile
// 0.
void TransformOutput(const KernelArgs& args, const State& s, std::int64_t tile, std::int64_t block,
                     std::int64_t index, const float* products, std::int64_t product_stride) {
  const Spot spot = SpotOf(s, tile);
  const std::int64_t row = s.w.out * s.lanes();
  const std::int64_t at =
      (spot.image * s.channels.blocks + block) * s.h.out * row + spot.y * row + spot.x * s.lanes();
  WinogradOutput out = {.products = products + index * s.lanes(),
                        .stride = static_cast<std::size_t>(product_stride),
                        .y = args.Out(0) + at,
                        .row_stride = static_cast<std::size_t>(row),
                        .rows = static_cast<std::size_t>(std::min(s.m, s.h.out - spot.y)),
                        .cols = static_cast<std::size_t>(std::min(s.m, s.w.out - spot.x)),
                        .bias = s.bias.data() + block * s.lanes(),
                        .clamp = s.epilogue.clamp,
                        .low = s.epilogue.low,
                        .high = s.epilogue.high};
  if (s.epilogue.residual != 0) out.residual = args.In(s.epilogue.residual) + at;
  if (!s.transform->output(out)) Redo(args, s, spot, block, out);
  if (s.epilogue.steps.empty()) return;
  for (std::int64_t i = 0; i < std::min(s.m, s.h.out - spot.y); ++i) {
    float* const y = args.Out(0) + at + i * row;
    s.epilogue.ApplyBlock(args, y, y, std::min(s.m, s.w.out - spot.x), s.lanes(), at + i * row,
                          block * s.lanes(), s.out_channels);
  }
}

void RunFused(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  Parallel(args, s.runs, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* const inputs = reinterpret_cast<float*>(args.scratch) + thread * s.scratch_floats;
    float* const products = inputs + s.points * s.InputStride();
    for (std::int64_t run = begin; run < end; ++run) {
      const std::int64_t first = s.RunBegin(run), last = s.RunBegin(run + 1);
      for (std::int64_t block = 0; block < s.in_blocks; ++block) {
        for (std::int64_t tile = first; tile < last; ++tile)
          TransformInput(args, s, tile, block, tile - first, inputs);
      }
      for (std::int64_t t = 0; t < s.channels.tiles; ++t) {
        const std::int64_t from = s.channels.Begin(t), to = s.channels.Begin(t + 1);
        const std::int64_t stride = s.ProductStride(to - from);
        for (std::int64_t point = 0; point < s.points; ++point)
          MultiplyPoint(s, t, point, last - first, inputs, products, stride);
        for (std::int64_t block = from; block < to; ++block) {
          const float* of_block = products + (block - from) * s.together * s.lanes();
          for (std::int64_t tile = first; tile < last; ++tile)
            TransformOutput(args, s, tile, block, tile - first, of_block, stride);
        }
      }
    }
  });
}

void RunStaged(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  float* const inputs = reinterpret_cast<float*>(args.scratch);
  float* const products = inputs + s.points * s.InputStride();
  const std::int64_t stride = s.ProductStride(s.channels.blocks);
  for (std::int64_t first = 0; first < s.tiles(); first += s.together) {
    const std::int64_t count = std::min(s.together, s.tiles() - first);
    Parallel(args, s.in_blocks * count, 8, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i)
        TransformInput(args, s, first + i % count, i / count, i % count, inputs);
    });
    Parallel(args, s.points * s.channels.tiles, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t t = i % s.channels.tiles;
        MultiplyPoint(s, t, i / s.channels.tiles, count, inputs,
                      products + s.channels.Begin(t) * s.together * s.lanes(), stride);
      }
    });
    Parallel(args, s.channels.blocks * count, 8, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) {
        TransformOutput(args, s, first + i % count, i / count, i % count,
                        products + i / count * s.together * s.lanes(), stride);
      }
    });
  }
}

template <std::int64_t kM>
void AddWinograd(std::vector<KernelDef>& defs) {
  KernelDef def = {.name = fmt::format("Conv.f32.winograd{}.fused", kM),
                   .op = "Conv",
                   .takes_epilogue = true,
                   .blocked = true,
                   .fits = FitsAny,
                   .cost_ns = Cost<kM, false>,
                   .rule = Rule<kM, false>,
                   .more_bytes = MoreBytes<kM>,
                   .prepare = Prepare<kM, false>,
                   .run = RunFused};
  AddForEveryIsa(defs, def);
  def.name = fmt::format("Conv.f32.winograd{}.staged", kM);
  def.cost_ns = Cost<kM, true>;
  def.rule = Rule<kM, true>;
  def.prepare = Prepare<kM, true>;
  def.run = RunStaged;
  AddForEveryIsa(defs, std::move(def));
}

}  // namespace

Fit FitsWinograd(const KernelQuery& q) {
  return q.strict ? Fit::No("strict arithmetic is asked for") : FitsWinogradWindow(q);
}

Fit FitsWinogradWindow(const KernelQuery& q) {
  const auto spatial = Spatial2d::From(q);
  if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
  for (const ops::WindowAxis* axis : {&spatial->h, &spatial->w}) {
    if (axis->kernel != 3 || axis->stride != 1 || axis->dilation != 1)
      return Fit::No("not a window of 3 by 3 with stride 1");
  }
  if (spatial->conv.group != 1) return Fit::No("has groups");
  if (q.in[1].constant == nullptr || (q.Has(2) && q.in[2].constant == nullptr))
    return Fit::No("the weights are computed by the model");
  return Fit::Yes();
}

std::vector<KernelDef> WinogradKernels() {
  std::vector<KernelDef> defs;
  AddWinograd<2>(defs);
  AddWinograd<4>(defs);
  AddWinograd<6>(defs);
  return defs;
}

}  // namespace athanor::kernels
