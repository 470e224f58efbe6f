// Convolution by the definition, on channels in blocks.
//
// The sum runs over (input channel block, tap, channel in the block); a list of address steps, made
// at planning time, turns it into one loop (tile_table.h), so that windows, dilations, groups and
// row-major pictures are all the same code. Where the window leaves the input, a band of the input
// is first copied between zeros; or, indirectly, a table says where each tap of each output
// position lies, or that it is outside and left out (M. Dukhan, The Indirect Convolution Algorithm,
// arXiv:1907.02129, with offsets for pointers), and nothing is copied.
//
// One piece of work is a band of output positions times a run of output channels. The sum is cut so
// that the weights of one tile stay in a near cache while all positions of the band pass.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/conv/conv.h"
#include "kernels/conv/spatial.h"
#include "kernels/conv/tiles.h"
#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/layout.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

constexpr std::int64_t kMostPlainChannels = 8;

// Input blocks [first, last) of one cut of the sum, and where its steps begin.
struct Cut {
  std::int64_t first = 0, last = 0;
  std::int64_t k = 0;
};

struct State {
  const ConvTileTable* table = nullptr;
  ChannelTiles channels;  // of one group
  ops::WindowAxis h, w;
  std::int64_t batch = 1, groups = 1;
  std::int64_t in_channels = 0, out_channels = 0;  // of one group
  std::int64_t x_lanes = 1;                        // of a block of the input; 1: row-major
  std::int64_t x_blocks = 0;                       // of the whole input
  std::int64_t k = 0;
  // Per group: the cuts of its sum, ended by one more that holds k.
  std::vector<std::vector<Cut>> cuts;
  std::vector<std::int32_t> steps;    // [groups][k]
  std::vector<std::int32_t> columns;  // per output position
  std::shared_ptr<const void> weights;
  std::vector<float> bias;
  EpilogueProgram epilogue;
  std::int64_t bands = 1, runs = 1;  // per image and group
  bool staged = false;
  bool indirect = false;  // `columns` holds all taps of each position; no steps
  std::int64_t staged_rows = 0, staged_cols = 0;
  std::int64_t scratch_floats = 0;  // per thread

  std::int64_t positions() const { return h.out * w.out; }
  std::int64_t taps() const { return h.kernel * w.kernel; }
  // Whole rows where there are enough of them.
  std::int64_t BandBegin(std::int64_t band) const {
    return bands <= h.out ? band * h.out / bands * w.out : band * positions() / bands;
  }
  // Of the input as the tiles read it.
  std::int64_t row_floats() const { return (staged ? staged_cols : w.in) * x_lanes; }
  std::int64_t plane_floats() const { return (staged ? staged_rows : h.in) * row_floats(); }
  std::int64_t image_floats() const { return x_blocks * h.in * w.in * x_lanes; }
};

bool LeavesInput(const ops::WindowAxis& axis) {
  return axis.pad_begin > 0 || axis.Position(axis.out - 1, axis.kernel - 1) >= axis.in;
}

Fit Fits(const KernelQuery& q) {
  const auto spatial = Spatial2d::From(q);
  if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
  if (q.in[1].constant == nullptr || (q.Has(2) && q.in[2].constant == nullptr))
    return Fit::No("the weights are computed by the model");
  const ops::ConvGeometry& conv = spatial->conv;
  if (conv.group == conv.in_channels && conv.group > 1) return Fit::No("depthwise");
  if (conv.group > 1 && conv.out_channels / conv.group % q.out[0].block != 0)
    return Fit::No("the channels of a group are no whole blocks");
  if (q.in[0].block == 0 && conv.in_channels > kMostPlainChannels)
    return Fit::No("more than 8 row-major channels");
  const auto padded = [](const ops::WindowAxis& axis) {
    return axis.in + axis.pad_begin + axis.pad_end + axis.kernel * axis.dilation;
  };
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  const std::int64_t area = padded(spatial->h) * padded(spatial->w);
  const std::int64_t blocks =
      CeilDivide(conv.in_channels, std::max<std::int64_t>(1, q.in[0].block));
  if (area > kMost / (blocks * std::max<std::int64_t>(1, q.in[0].block)) ||
      q.out[0].stored() / conv.batch > kMost)
    return Fit::No("a picture of more than 2^30 elements");
  return AcceptsEpilogue(q, true, false);
}

Fit FitsIndirect(const KernelQuery& q) {
  Fit fit = Fits(q);
  if (!fit.yes()) return fit;
  const Spatial2d spatial = *Spatial2d::From(q);
  if (q.in[0].block == 0) return Fit::No("needs its input's channels in blocks");
  if (spatial.conv.group > 1 && spatial.conv.in_channels / spatial.conv.group % q.in[0].block != 0)
    return Fit::No("the channels of a group are no whole blocks");
  if (spatial.h.kernel * spatial.w.kernel == 1 && !LeavesInput(spatial.h) &&
      !LeavesInput(spatial.w))
    return Fit::No("one tap inside the input: the same as direct");
  // An entry stands for a channel block of what a matrix of patches would hold.
  constexpr std::int64_t kMostEntries = std::int64_t{1} << 22;
  if (spatial.h.out * spatial.w.out > kMostEntries / (spatial.h.kernel * spatial.w.kernel))
    return Fit::No("a table of more than 2^22 entries");
  return Fit::Yes();
}

// The weights of one cut of the sum for one tile of channels, see MakeCuts: half of a first-level
// cache of 32 KiB. A tile of AVX-512 takes 24 multiply-adds for 4 vectors of weights, so that those
// may come from the second-level cache, in the order in which they lie, and sums are cut so rarely
// that reading and writing the result between two cuts costs nothing.
std::int64_t CutFloats(const ConvTileTable& table) { return table.lanes == 16 ? 32768 : 4096; }

// How many of the pairs of an output position and a tap lie inside the input.
double ShareInside(const ops::WindowAxis& axis) {
  double inside = 0;
  for (std::int64_t o = 0; o < axis.out; ++o)
    inside += static_cast<double>(std::max<std::int64_t>(0, axis.LastTap(o) - axis.FirstTap(o)));
  return inside / static_cast<double>(std::max<std::int64_t>(1, axis.out * axis.kernel));
}

// Arithmetic at the rate that tiles reach; each cut of the sum but the first reads and writes the
// result in the second-level cache. The factors were fitted to `athanor bench --kernels conv`.
template <bool kIndirect>
double Cost(const KernelQuery& q) {
  const ConvTileTable& table = ConvTiles(q.isa);
  const double depth = static_cast<double>(q.in[1].count()) / static_cast<double>(q.in[1].dims[0]);
  const double stored = static_cast<double>(q.out[0].stored());
  const double out = static_cast<double>(q.out[0].bytes());
  const auto widest = static_cast<double>(table.blocks * table.lanes);
  const double cuts = std::ceil(depth * widest / static_cast<double>(CutFloats(table))) - 1;
  constexpr double kBusy = 0.89, kCutPasses = 1.8, kWritten = 0.15;
  // Finding the taps of a column again for every block of channels.
  constexpr double kLookups = kIndirect ? 1.12 : 1;
  // Taps outside the input are left out there with AVX-512.
  const Spatial2d spatial = *Spatial2d::From(q);
  const bool leaves_out = kIndirect && table.lanes == 16;
  const double taps = leaves_out ? ShareInside(spatial.h) * ShareInside(spatial.w) : 1;
  // Lanes of blocks that hold no channel are read with the others.
  const auto idle = static_cast<double>(q.in[0].stored() - q.in[0].count()) * sizeof(float);
  return 500 +
         kLookups * taps * 2 * stored * depth /
             (kBusy * q.rates.flops[static_cast<std::size_t>(q.isa)]) +
         kCutPasses * cuts * out / q.rates.near_bytes + kWritten * out / q.rates.memory_bytes +
         idle / q.rates.far_bytes;
}

// Blocks of the input that group `g` reads: those are all its own when groups are whole blocks.
void MakeCuts(State& s, std::int64_t g) {
  const std::int64_t taps = s.h.kernel * s.w.kernel, begin = g * s.in_channels;
  const std::int64_t end = begin + s.in_channels;
  const std::int64_t first = begin / s.x_lanes, last = CeilDivide(end, s.x_lanes);
  const std::int64_t tile =
      std::min<std::int64_t>(s.channels.blocks, std::ssize(s.table->tile) - 1);
  const std::int64_t longest = CutFloats(*s.table) / (tile * s.channels.lanes);
  const std::int64_t together = std::max<std::int64_t>(1, longest / (taps * s.x_lanes));
  const std::int64_t count = CeilDivide(last - first, together);
  std::vector<Cut>& cuts = s.cuts.emplace_back();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t from = first + i * (last - first) / count;
    const std::int64_t to = first + (i + 1) * (last - first) / count;
    const std::int64_t done = std::max(begin, from * s.x_lanes) - begin;
    cuts.push_back({from, to, done * taps});
  }
  cuts.push_back({last, last, s.k});
}

// How much of an output band passes before the weights change, and who computes it.
void ChooseBands(State& s, int threads) {
  constexpr std::int64_t kCacheFloats = 48 * 1024;  // 192 KiB of a second-level cache
  const Cut& cut = s.cuts[0][0];
  const std::int64_t blocks = cut.last - cut.first;
  const bool one_cut = s.cuts[0].size() == 2;
  const std::int64_t read = blocks * s.x_lanes * s.h.stride * s.w.stride;
  const std::int64_t chunk =
      one_cut ? s.channels.blocks : std::min<std::int64_t>(s.channels.blocks, 16);
  s.runs = CeilDivide(s.channels.blocks, chunk);
  const std::int64_t kept = one_cut ? 0 : chunk * s.channels.lanes;
  s.bands = CeilDivide(s.positions() * (read + kept), kCacheFloats);
  s.bands = std::min(s.bands, CeilDivide(s.positions(), 24));
  const auto pieces = [&] { return s.batch * s.groups * s.bands * s.runs; };
  while (threads > 1 && pieces() < 4 * threads) {
    if (s.positions() / s.bands > 48) {
      s.bands *= 2;
    } else if (s.channels.tiles >= 2 * s.runs) {
      s.runs *= 2;
    } else {
      break;
    }
  }
  s.runs = std::min(s.runs, s.channels.tiles);
}

void MeasureStaging(State& s) {
  s.staged_cols = (s.w.out - 1) * s.w.stride + (s.w.kernel - 1) * s.w.dilation + 1;
  for (std::int64_t b = 0; b < s.bands; ++b) {
    const std::int64_t first = s.BandBegin(b) / s.w.out, last = (s.BandBegin(b + 1) - 1) / s.w.out;
    s.staged_rows =
        std::max(s.staged_rows, (last - first) * s.h.stride + (s.h.kernel - 1) * s.h.dilation + 1);
  }
  std::int64_t blocks = 0;
  for (const std::vector<Cut>& cuts : s.cuts) {
    for (const Cut& cut : cuts) blocks = std::max(blocks, cut.last - cut.first);
  }
  s.scratch_floats = blocks * s.plane_floats();
}

void ListSteps(State& s, std::int64_t g) {
  const std::int64_t begin = g * s.in_channels, end = begin + s.in_channels;
  const std::vector<Cut>& cuts = s.cuts[static_cast<std::size_t>(g)];
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    for (std::int64_t block = cuts[i].first; block < cuts[i].last; ++block) {
      const std::int64_t from = std::max(begin, block * s.x_lanes);
      const std::int64_t to = std::min(end, (block + 1) * s.x_lanes);
      const std::int64_t plane = s.staged ? block - cuts[i].first : block;
      for (std::int64_t tap = 0; tap < s.h.kernel * s.w.kernel; ++tap) {
        const std::int64_t at = plane * s.plane_floats() +
                                tap / s.w.kernel * s.h.dilation * s.row_floats() +
                                tap % s.w.kernel * s.w.dilation * s.x_lanes;
        for (std::int64_t c = from; c < to; ++c)
          s.steps.push_back(static_cast<std::int32_t>(at + c - block * s.x_lanes));
      }
    }
  }
}

// w[oc][ic][tap] of group `g` -> per tile of channels [block, tap, ic][oc], completed with zeros.
void PackGroup(const State& s, std::int64_t g, const float* w, float* packed) {
  const std::int64_t taps = s.h.kernel * s.w.kernel, lanes = s.channels.lanes;
  for (std::int64_t tile = 0; tile < s.channels.tiles; ++tile) {
    const std::int64_t first = s.channels.Begin(tile) * lanes;
    const std::int64_t width = s.channels.Begin(tile + 1) * lanes - first;
    float* to = packed + first * s.k;
    std::fill_n(to, width * s.k, 0.0F);
    const std::int64_t channels = std::min(width, s.out_channels - first);
    for (std::int64_t ic = 0; ic < s.in_channels;) {
      // The group may begin inside a block of the input.
      const std::int64_t lane = (g * s.in_channels + ic) % s.x_lanes;
      const std::int64_t together = std::min(s.in_channels - ic, s.x_lanes - lane);
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t i = 0; i < together; ++i, to += width) {
          for (std::int64_t c = 0; c < channels; ++c)
            to[c] = w[((first + c) * s.in_channels + ic + i) * taps + tap];
        }
      }
      ic += together;
    }
  }
}

// Where each tap of each output position lies in a block of the input; -1: outside.
void ListTaps(State& s) {
  for (std::int64_t i = 0; i < s.positions(); ++i) {
    for (std::int64_t tap = 0; tap < s.h.kernel * s.w.kernel; ++tap) {
      const std::int64_t y = s.h.Position(i / s.w.out, tap / s.w.kernel);
      const std::int64_t x = s.w.Position(i % s.w.out, tap % s.w.kernel);
      const bool inside = s.h.Inside(y) && s.w.Inside(x);
      s.columns.push_back(inside ? static_cast<std::int32_t>(y * s.row_floats() + x * s.x_lanes)
                                 : -1);
    }
  }
}

void ListColumns(State& s) {
  for (std::int64_t y = 0; y < s.h.out; ++y) {
    for (std::int64_t x = 0; x < s.w.out; ++x) {
      s.columns.push_back(
          static_cast<std::int32_t>(y * s.h.stride * s.row_floats() + x * s.w.stride * s.x_lanes));
    }
  }
}

template <bool kIndirect>
Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  const Spatial2d spatial = *Spatial2d::From(q);
  const ops::ConvGeometry& conv = spatial.conv;
  auto state = std::make_shared<State>();
  State& s = *state;
  s.table = &ConvTiles(q.isa);
  s.h = spatial.h;
  s.w = spatial.w;
  s.batch = conv.batch;
  s.groups = conv.group;
  s.in_channels = conv.in_channels / conv.group;
  s.out_channels = conv.out_channels / conv.group;
  s.channels = ChannelTiles(*s.table, s.out_channels);
  s.x_lanes = std::max<std::int64_t>(1, q.in[0].block);
  s.x_blocks = CeilDivide(conv.in_channels, s.x_lanes);
  s.k = s.in_channels * s.h.kernel * s.w.kernel;
  s.bias = PaddedBias(q, s.groups, s.channels);
  s.epilogue = EpilogueProgram::From(q);
  for (std::int64_t g = 0; g < s.groups; ++g) MakeCuts(s, g);
  ChooseBands(s, q.threads);
  s.indirect = kIndirect;
  if (kIndirect) {
    ListTaps(s);
  } else {
    s.staged = LeavesInput(s.h) || LeavesInput(s.w);
    if (s.staged) MeasureStaging(s);
    for (std::int64_t g = 0; g < s.groups; ++g) ListSteps(s, g);
    ListColumns(s);
  }
  const Tensor& w = *q.in[1].constant;
  const std::int64_t group_floats = s.channels.stored() * s.k;
  ATH_TRY(s.weights,
          store.Get(w, fmt::format("direct {} {} {}", s.channels.lanes, s.x_lanes, s.groups),
                    s.groups * group_floats * 4, [&](void* to) {
                      for (std::int64_t g = 0; g < s.groups; ++g) {
                        PackGroup(s, g, w.Data<float>().data() + g * s.out_channels * s.k,
                                  static_cast<float*>(to) + g * group_floats);
                      }
                    }));
  s.scratch_floats = WholeLines(s.scratch_floats);
  return Prepared{state, q.threads * s.scratch_floats * 4};
}

// Copies the rows that a band reads, with zeros where there is no input.
void Stage(const State& s, const float* image, const Cut& cut, std::int64_t first_row,
           std::int64_t rows, float* to) {
  const std::int64_t top = first_row * s.h.stride - s.h.pad_begin;
  const std::int64_t left = std::min(s.w.pad_begin, s.staged_cols) * s.x_lanes;
  const std::int64_t middle =
      std::max<std::int64_t>(0, std::min(s.staged_cols * s.x_lanes - left, s.w.in * s.x_lanes));
  for (std::int64_t block = cut.first; block < cut.last; ++block) {
    float* row = to + (block - cut.first) * s.plane_floats();
    const float* plane = image + block * s.h.in * s.w.in * s.x_lanes;
    for (std::int64_t y = top; y < top + rows; ++y, row += s.row_floats()) {
      if (y < 0 || y >= s.h.in) {
        std::fill_n(row, s.row_floats(), 0.0F);
        continue;
      }
      std::fill_n(row, left, 0.0F);
      std::memcpy(row + left, plane + y * s.w.in * s.x_lanes,
                  static_cast<std::size_t>(middle) * sizeof(float));
      std::fill(row + left + middle, row + s.row_floats(), 0.0F);
    }
  }
}

struct Piece {
  std::int64_t image = 0, group = 0;
  std::int64_t begin = 0, end = 0;             // positions
  std::int64_t first_tile = 0, last_tile = 0;  // of channels
};

// The blocks of one cut, which end with the group's channels or with a whole block.
IndirectTaps IndirectPart(const State& s, const Cut& cut) {
  const std::int64_t used = s.groups * s.in_channels - (cut.last - 1) * s.x_lanes;
  return {.blocks = static_cast<std::size_t>(cut.last - cut.first),
          .taps = static_cast<std::size_t>(s.taps()),
          .last_lanes = static_cast<std::size_t>(std::min(used, s.x_lanes)),
          .x_block = s.plane_floats()};
}

// One cut of the sum for all tiles of the piece.
void Multiply(const KernelArgs& args, const State& s, const Piece& piece, std::size_t cut,
              const float* x) {
  const std::vector<Cut>& cuts = s.cuts[static_cast<std::size_t>(piece.group)];
  const std::int64_t lanes = s.channels.lanes, k0 = cuts[cut].k, k = cuts[cut + 1].k - k0;
  const std::int64_t plane = s.positions() * lanes;
  const bool last = cut + 2 == cuts.size();
  const std::int64_t group_block = (piece.image * s.groups + piece.group) * s.channels.blocks;
  ConvTile tile = {.x = x,
                   .steps = s.indirect ? nullptr : s.steps.data() + piece.group * s.k + k0,
                   .k = static_cast<std::size_t>(k),
                   .indirect = s.indirect ? IndirectPart(s, cuts[cut]) : IndirectTaps(),
                   .y_block = static_cast<std::size_t>(plane),
                   .accumulate = cut > 0,
                   .clamp = last && s.epilogue.clamp,
                   .low = s.epilogue.low,
                   .high = s.epilogue.high};
  const auto* weights = static_cast<const float*>(s.weights.get());
  const auto weights_at = [&](std::int64_t t, std::int64_t from) {
    const std::int64_t first = s.channels.Begin(t), blocks = s.channels.Begin(t + 1) - first;
    const std::int64_t channel = piece.group * s.channels.stored() + first * s.channels.lanes;
    return weights + channel * s.k + from * blocks * lanes;
  };
  for (std::int64_t t = piece.first_tile; t < piece.last_tile; ++t) {
    const std::int64_t first = s.channels.Begin(t), blocks = s.channels.Begin(t + 1) - first;
    const std::int64_t channel = piece.group * s.channels.stored() + first * lanes;
    const std::int64_t begin = (group_block + first) * plane + piece.begin * lanes;
    tile.w = weights_at(t, k0);
    // The next tile's, or the first tile's of the next cut.
    const bool cut_ends = t + 1 == piece.last_tile;
    tile.ahead = cut_ends ? weights_at(piece.first_tile, k0 + k) : weights_at(t + 1, k0);
    tile.ahead_floats = static_cast<std::size_t>(last && cut_ends ? 0 : k * blocks * lanes);
    tile.bias = s.bias.data() + channel;
    tile.columns = s.columns.data() + piece.begin * (s.indirect ? s.taps() : 1);
    tile.y = args.Out(0) + begin;
    if (last && s.epilogue.residual != 0) tile.residual = args.In(s.epilogue.residual) + begin;
    RunColumns(*s.table, tile, blocks, piece.end - piece.begin);
    if (!last || s.epilogue.steps.empty()) continue;
    for (std::int64_t block = first; block < first + blocks; ++block) {
      const std::int64_t at = (group_block + block) * plane + piece.begin * lanes;
      float* const y = args.Out(0) + at;
      s.epilogue.ApplyBlock(args, y, y, piece.end - piece.begin, lanes, at,
                            piece.group * s.out_channels + block * lanes,
                            s.groups * s.out_channels);
    }
  }
}

void RunPiece(const KernelArgs& args, const State& s, const Piece& piece, float* scratch) {
  const std::vector<Cut>& cuts = s.cuts[static_cast<std::size_t>(piece.group)];
  const float* image = args.In(0) + piece.image * s.image_floats();
  const std::int64_t first_row = piece.begin / s.w.out, last_row = (piece.end - 1) / s.w.out;
  for (std::size_t cut = 0; cut + 1 < cuts.size(); ++cut) {
    if (!s.staged) {
      Multiply(args, s, piece, cut,
               s.indirect ? image + cuts[cut].first * s.plane_floats() : image);
      continue;
    }
    const std::int64_t rows =
        (last_row - first_row) * s.h.stride + (s.h.kernel - 1) * s.h.dilation + 1;
    Stage(s, image, cuts[cut], first_row, rows, scratch);
    Multiply(args, s, piece, cut, scratch - first_row * s.h.stride * s.row_floats());
  }
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  // Neighbouring pieces share weights.
  const std::int64_t per_run = s.batch * s.bands, pieces = s.groups * s.runs * per_run;
  Parallel(args, pieces, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* const scratch = reinterpret_cast<float*>(args.scratch) + thread * s.scratch_floats;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t run = i / per_run % s.runs, band = i % s.bands;
      RunPiece(args, s,
               {.image = i / s.bands % s.batch,
                .group = i / per_run / s.runs,
                .begin = s.BandBegin(band),
                .end = s.BandBegin(band + 1),
                .first_tile = run * s.channels.tiles / s.runs,
                .last_tile = (run + 1) * s.channels.tiles / s.runs},
               scratch);
    }
  });
}

}  // namespace

std::vector<KernelDef> DirectConvKernels() {
  std::vector<KernelDef> defs;
  KernelDef def = {.name = "Conv.f32.direct",
                   .op = "Conv",
                   .takes_epilogue = true,
                   .blocked = true,
                   .fits = Fits,
                   .cost_ns = Cost<false>,
                   .rule = [](const KernelQuery&) { return 1; },
                   .prepare = Prepare<false>,
                   .run = Run};
  AddForEveryIsa(defs, def);
  def.name = "Conv.f32.indirect";
  def.fits = FitsIndirect;
  def.cost_ns = Cost<true>;
  def.rule = [](const KernelQuery&) { return 2; };
  def.prepare = Prepare<true>;
  AddForEveryIsa(defs, std::move(def));
  return defs;
}

}  // namespace athanor::kernels
