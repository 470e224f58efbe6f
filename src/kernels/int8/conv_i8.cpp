#include <algorithm>

#include "kernels/conv/spatial.h"
#include "kernels/divide.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

// The input is staged once: four channels side by side, with padding, and cut into one plane per
// remainder of its rows and columns by the stride. Then the positions that one tap reads for
// neighbouring outputs are neighbours, and the patch matrix of a convolution lies in memory without
// being made: a tap is an offset. Rows of the staged plane are a little longer than those of the
// result; the sums of those places are thrown away.
struct State {
  const MatrixTable* matrix = nullptr;
  const PlaneTable* plane = nullptr;
  Spatial2d spatial;
  RequantPlan requant;
  std::int64_t channels = 0, rows = 0;  // in and out, per group
  std::int64_t fours = 0;               // of channels, rounded up
  std::int64_t stage_h = 0, stage_w = 0;
  struct Phase {
    std::int64_t y = 0, x = 0;
  };
  std::vector<Phase> phases = {};
  std::vector<std::uint32_t> offsets = {};  // of each step, in units of 4 bytes
  std::int64_t tiles = 0, blocks = 0;
  std::int64_t positions = 0;  // of outputs in a staged plane
  std::uint8_t flip = 0, zero = 0;
  AfterBytes after;
  std::shared_ptr<const void> weights;

  std::int64_t TileBegin(std::int64_t tile) const { return tile * rows / tiles; }
  std::int64_t PlaneSize() const { return stage_h * stage_w; }
  std::int64_t GroupSize() const { return std::ssize(phases) * fours * PlaneSize(); }
  std::int64_t WeightBytes() const {  // of one group
    return rows * std::ssize(offsets) * static_cast<std::int64_t>(matrix->weight_bytes);
  }
};

void FindPhases(State& s) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  s.stage_h = h.out + (h.kernel - 1) * h.dilation / h.stride;
  s.stage_w = w.out + (w.kernel - 1) * w.dilation / w.stride;
  for (std::int64_t ky = 0; ky < h.kernel; ++ky) {
    for (std::int64_t kx = 0; kx < w.kernel; ++kx) {
      const std::int64_t ty = ky * h.dilation, tx = kx * w.dilation;
      const State::Phase phase = {ty % h.stride, tx % w.stride};
      auto at = std::find_if(s.phases.begin(), s.phases.end(), [&](const State::Phase& p) {
        return p.y == phase.y && p.x == phase.x;
      });
      if (at == s.phases.end()) at = s.phases.insert(at, phase);
      const std::int64_t plane = (at - s.phases.begin()) * s.fours;
      const std::int64_t place = ty / h.stride * s.stage_w + tx / w.stride;
      for (std::int64_t c = 0; c < s.fours; ++c)
        s.offsets.push_back(static_cast<std::uint32_t>((plane + c) * s.PlaneSize() + place));
    }
  }
}

// w[row][channel][tap] -> tiles of [step][row][4 channels], the channels widened to 16 bits where
// the instruction set asks for it: even ones first.
void PackWeights(const State& s, const std::int16_t* w, std::uint8_t* packed) {
  const std::int64_t taps = s.spatial.h.kernel * s.spatial.w.kernel;
  const bool wide = s.matrix->weight_bytes == 8;
  for (std::int64_t tile = 0; tile < s.tiles; ++tile) {
    for (std::int64_t step = 0; step < taps * s.fours; ++step) {
      const std::int64_t tap = step / s.fours, first = step % s.fours * 4;
      for (std::int64_t row = s.TileBegin(tile); row < s.TileBegin(tile + 1); ++row) {
        std::int16_t four[4] = {};
        for (std::int64_t i = 0; i < std::min<std::int64_t>(4, s.channels - first); ++i)
          four[i] = w[(row * s.channels + first + i) * taps + tap];
        if (wide) {
          std::swap(four[1], four[2]);
          WriteGroup(four, 2, packed);
          WriteGroup(four + 2, 2, packed + 4);
        } else {
          WriteGroup(four, 1, packed);
        }
        packed += s.matrix->weight_bytes;
      }
    }
  }
}

// One plane of four channels: the pixels of a phase between borders of zero points.
void StagePlane(const State& s, const std::uint8_t* x, std::int64_t channels,
                const State::Phase& phase, std::uint8_t* to) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const std::int64_t size = h.in * w.in;
  // Columns [begin, end) of the staged row come from the image.
  const std::int64_t shift = w.pad_begin - phase.x;
  const std::int64_t begin = std::min(s.stage_w, shift > 0 ? (shift + w.stride - 1) / w.stride : 0);
  const std::int64_t end = std::clamp((w.in - 1 + shift + w.stride) / w.stride, begin, s.stage_w);
  for (std::int64_t row = 0; row < s.stage_h; ++row, to += s.stage_w * 4) {
    const std::int64_t y = row * h.stride + phase.y - h.pad_begin;
    if (y < 0 || y >= h.in) {
      std::fill_n(to, s.stage_w * 4, s.zero);
      continue;
    }
    std::fill_n(to, begin * 4, s.zero);
    std::fill_n(to + end * 4, (s.stage_w - end) * 4, s.zero);
    if (begin == end) continue;
    const std::uint8_t* planes[4];
    for (std::int64_t i = 0; i < 4; ++i) {
      // The weights of a channel that is not there are 0.
      const std::int64_t channel = std::min(i, channels - 1);
      planes[i] = x + channel * size + y * w.in + begin * w.stride - shift;
    }
    s.plane->interleave(planes, static_cast<std::size_t>(end - begin),
                        static_cast<std::size_t>(w.stride), s.flip, to + begin * 4);
  }
}

void StageImage(const KernelArgs& args, const State& s, const std::uint8_t* x,
                std::uint8_t* staged) {
  const std::int64_t phases = std::ssize(s.phases);
  const std::int64_t in_plane = s.spatial.h.in * s.spatial.w.in;
  Parallel(args, s.spatial.conv.group * phases * s.fours, 1,
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t four = i % s.fours, rest = i / s.fours;
               const std::int64_t channel = rest / phases * s.channels + four * 4;
               StagePlane(s, x + channel * in_plane, s.channels - four * 4,
                          s.phases[static_cast<std::size_t>(rest % phases)],
                          staged + i * s.PlaneSize() * 4);
             }
           });
}

// The sums of one tile and block of positions, and what of them is part of the result.
void RunTile(const State& s, std::int64_t group, std::int64_t tile, std::int64_t block,
             const std::uint8_t* staged, std::uint8_t* y) {
  alignas(64) std::int32_t sums[15 * 32];
  const auto cols = static_cast<std::int64_t>(s.matrix->cols);
  const std::int64_t first = s.TileBegin(tile), rows = s.TileBegin(tile + 1) - first;
  const std::int64_t steps = std::ssize(s.offsets), p0 = block * cols;
  const auto* weights = static_cast<const std::uint8_t*>(s.weights.get()) +
                        group * s.WeightBytes() +
                        first * steps * static_cast<std::int64_t>(s.matrix->weight_bytes);
  s.matrix->conv[rows](static_cast<std::size_t>(steps), weights,
                       staged + (group * s.GroupSize() + p0) * 4, s.offsets.data(), sums);
  const Requant how = s.requant.how();
  const std::int64_t out_w = s.spatial.w.out, out_plane = s.spatial.h.out * out_w;
  const std::int64_t end = std::min(p0 + cols, s.positions), channel = group * s.rows + first;
  for (std::int64_t p = p0; p < end;) {
    const std::int64_t oy = p / s.stage_w, ox = p % s.stage_w;
    const bool dense = s.stage_w == out_w;
    const std::int64_t length = dense ? end - p : std::min(out_w - ox, end - p);
    for (std::int64_t row = 0; row < rows && length > 0; ++row) {
      std::uint8_t* const to = y + (channel + row) * out_plane + oy * out_w + ox;
      s.matrix->finish_row(sums + row * cols + (p - p0), static_cast<std::size_t>(length), how,
                           static_cast<std::size_t>(channel + row), to);
      s.after(to, length);
    }
    p += dense ? length : s.stage_w - ox;
  }
}

struct ConvI8 {
  static constexpr bool kTakesTables = true;

  static Fit Fits(const KernelQuery& q) {
    Fit weights = FitsSignedWeights(q, 0);
    if (!weights.yes()) return weights;
    const auto spatial = Spatial2d::From(q);
    if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
    const std::int64_t products = q.in[1].count() / q.in[1].dims[0];
    if (products > MostProducts(q))
      return Fit::No(fmt::format("sums of more than {} products", MostProducts(q)));
    State s;
    s.spatial = *spatial;
    s.fours = (q.in[1].dims[1] + 3) / 4;
    const ops::WindowAxis &h = spatial->h, &w = spatial->w;
    if (h.kernel * w.kernel * s.fours > (1 << 16))
      return Fit::No("a window of more than 2^16 taps");
    FindPhases(s);
    if (static_cast<double>(s.GroupSize()) * static_cast<double>(spatial->conv.group) > (1 << 28))
      return Fit::No("an image of more than 1 GiB");
    return Fit::Yes();
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    const double depth = static_cast<double>((q.in[1].dims[1] + 3) / 4 * 4) *
                         static_cast<double>(q.in[1].count()) /
                         static_cast<double>(q.in[1].dims[0] * q.in[1].dims[1]);
    const std::int64_t group = q.Int("group");
    const double rows = static_cast<double>(q.in[1].dims[0]) / static_cast<double>(group);
    const double idle = rows < 8 ? 8 / rows : 1;
    return ProductsNs(variant, static_cast<double>(q.out[0].count()) * (depth * idle + 30) +
                                   20 * static_cast<double>(q.in[0].count()));
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore& store, Variant variant) {
    auto s = std::make_shared<State>();
    s->matrix = &Matrices(variant);
    s->plane = &Planes(variant);
    s->after = AfterBytes::From(q, IsaOf(variant));
    s->spatial = *Spatial2d::From(q);
    const ops::ConvGeometry& conv = s->spatial.conv;
    s->channels = conv.in_channels / conv.group;
    s->rows = conv.out_channels / conv.group;
    s->fours = (s->channels + 3) / 4;
    FindPhases(*s);
    const auto tallest = static_cast<std::int64_t>(s->matrix->rows);
    const auto cols = static_cast<std::int64_t>(s->matrix->cols);
    s->tiles = CeilDivide(s->rows, tallest);
    s->positions = (s->spatial.h.out - 1) * s->stage_w + s->spatial.w.out;
    s->blocks = CeilDivide(s->positions, cols);
    s->flip = FlipOf(q.quant->inputs[0]);
    s->zero = static_cast<std::uint8_t>(FlippedZero(q.quant->inputs[0]));
    const std::vector<std::int16_t> weights = CentredWeights(q, 0);
    ATH_TRY(s->requant, RequantPlan::ForWeights(q, SumsOfRows(weights, conv.out_channels)));
    ATH_TRY(
        s->weights,
        store.Get(*q.in[1].constant, fmt::format("conv i8 {} group {}", Name(variant), conv.group),
                  conv.group * s->WeightBytes(), [&](void* to) {
                    for (std::int64_t g = 0; g < conv.group; ++g) {
                      PackWeights(
                          *s,
                          weights.data() + g * s->rows * (std::ssize(weights) / conv.out_channels),
                          static_cast<std::uint8_t*>(to) + g * s->WeightBytes());
                    }
                  }));
    return Prepared{s, (conv.group * s->GroupSize() + cols) * 4};
  }

  static void Run(const KernelArgs& args) {
    const State& s = args.State<State>();
    auto* const staged = reinterpret_cast<std::uint8_t*>(args.scratch);
    const ops::ConvGeometry& conv = s.spatial.conv;
    const std::int64_t in = conv.in_channels * s.spatial.h.in * s.spatial.w.in;
    const std::int64_t out = conv.out_channels * s.spatial.h.out * s.spatial.w.out;
    for (std::int64_t image = 0; image < conv.batch; ++image) {
      StageImage(args, s, args.In<std::uint8_t>(0) + image * in, staged);
      std::uint8_t* const y = args.Out<std::uint8_t>(0) + image * out;
      Parallel(args, conv.group * s.blocks * s.tiles, 4,
               [&](std::int64_t begin, std::int64_t end, int) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t tile = i % s.tiles, rest = i / s.tiles;
                   RunTile(s, rest / s.blocks, tile, rest % s.blocks, staged, y);
                 }
               });
    }
  }
};

}  // namespace

std::vector<KernelDef> Int8ConvKernels() { return DefineAll<ConvI8>("Conv", ".gemm"); }

}  // namespace athanor::kernels
