// DeformConv: what the moved taps read is written out as columns, a band of output positions at a
// time, and multiplied with the weights. Where a tap of a position lies is found once for all
// channels that share its offset.
#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/conv/conv.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/product.h"
#include "kernels/tiny_as_zero.h"
#include "ops/nn/conv.h"

namespace athanor::kernels {
namespace {

enum Input : std::size_t { kX, kW, kOffset, kBias, kMask };

constexpr std::int64_t kBand = 32;  // output positions at a time
constexpr std::size_t kMostAxes = 3;

struct State {
  Isa isa = Isa::kBase;
  ops::ConvGeometry conv;
  std::int64_t offset_group = 1;
  std::int64_t taps = 1, in = 1, out = 1;  // of a window, a plane of x, a plane of y
  std::int64_t rows = 1, depth = 1;        // of the weights of one group
  std::shared_ptr<const void> weights;     // packed, group by group
  // Of scratch: weights that are computed; the columns of a band; the same of one group, packed.
  std::int64_t weight_floats = 0, column_floats = 0, panel_floats = 0;
  bool bias = false, mask = false;
  EpilogueProgram epilogue;
};

Result<ops::ConvGeometry> Geometry(const KernelQuery& q) {
  return ops::ResolveConv({.kernel_shape = q.Ints("kernel_shape"),
                           .strides = q.Ints("strides"),
                           .dilations = q.Ints("dilations"),
                           .pads = q.Ints("pads"),
                           .group = q.Int("group")},
                          q.in[kX].dims, q.in[kW].dims);
}

Fit Fits(const KernelQuery& q) {
  if (q.in[kX].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.in[kX].rank() - 2 > static_cast<std::int64_t>(kMostAxes))
    return Fit::No("one to three spatial axes");
  if (!Geometry(q).ok() || q.in[kX].count() == 0 || q.out[0].count() == 0)
    return Fit::No("nothing to compute");
  return AcceptsEpilogue(q, true, false);
}

double Cost(const KernelQuery& q) {
  const double depth = static_cast<double>(q.in[kW].count() / q.in[kW].dims[0]);
  const double out = static_cast<double>(q.out[0].count());
  const double groups = static_cast<double>(q.Int("group"));
  const double columns = out / static_cast<double>(q.in[kW].dims[0]) * depth * groups;
  return RooflineNs(q.isa, 2 * out * depth, 0) + RooflineNs(Isa::kBase, 24 * columns, 0);
}

void PackWeights(const State& s, const float* w, float* packed) {
  const GemmShape shape(s.isa, s.rows, 1, s.depth);
  for (std::int64_t g = 0; g < s.conv.group; ++g) {
    const std::int64_t at = g * s.rows * s.depth;
    PackTiles(shape, {w + at, s.depth, 1}, 1.0F, 0, shape.tiles, packed + at);
  }
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  State& s = *state;
  s.isa = q.isa;
  ATH_TRY(s.conv, Geometry(q));
  s.offset_group = q.Int("offset_group");
  s.taps = ops::TapCount(s.conv.axes);
  s.in = ops::InCount(s.conv.axes);
  s.out = ops::OutCount(s.conv.axes);
  s.rows = s.conv.out_channels / s.conv.group;
  s.depth = s.conv.in_channels / s.conv.group * s.taps;
  s.bias = q.Has(kBias);
  s.mask = q.Has(kMask);
  s.epilogue = EpilogueProgram::From(q);
  const std::int64_t floats = q.in[kW].count();
  if (q.in[kW].constant != nullptr) {
    ATH_TRY(s.weights,
            store.Get(*q.in[kW].constant,
                      fmt::format("deformed tiles of {} group {}", Gemm(q.isa).rows, s.conv.group),
                      floats * 4, [&](void* to) {
                        PackWeights(s, q.in[kW].constant->Data<float>().data(),
                                    static_cast<float*>(to));
                      }));
  } else {
    s.weight_floats = WholeLines(floats);
  }
  s.column_floats = WholeLines(s.conv.in_channels * s.taps * kBand);
  s.panel_floats = WholeLines(GemmShape(q.isa, 1, kBand, s.depth).PackedBFloats());
  return Prepared{state, (s.weight_floats + q.threads * (s.column_floats + s.panel_floats)) * 4};
}

// What one tap reads for one output position: elements of a plane and their shares.
struct Reading {
  std::size_t count = 0;
  std::array<std::int64_t, std::size_t{1} << kMostAxes> offset;
  std::array<float, std::size_t{1} << kMostAxes> weight;
};

// `at`: one position per axis. Nothing is read more than one element outside, or at NaN.
void Find(const State& s, const float* at, float factor, Reading& reading) {
  const std::vector<ops::WindowAxis>& axes = s.conv.axes;
  std::array<std::int64_t, kMostAxes> low = {};
  std::array<float, kMostAxes> part = {};
  reading.count = 0;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    if (!(at[a] > -1 && at[a] < static_cast<float>(axes[a].in))) return;
    const float floor = std::floor(at[a]);
    low[a] = static_cast<std::int64_t>(floor);
    part[a] = at[a] - floor;
  }
  for (std::size_t corner = 0; corner < (std::size_t{1} << axes.size()); ++corner) {
    float weight = factor;
    std::int64_t place = 0;
    bool inside = true;
    for (std::size_t a = 0; a < axes.size(); ++a) {
      const bool high = ((corner >> a) & 1) != 0;
      const std::int64_t index = low[a] + (high ? 1 : 0);
      weight *= high ? part[a] : 1 - part[a];
      inside = inside && axes[a].Inside(index);
      place = place * axes[a].in + index;
    }
    if (!inside) continue;
    reading.offset[reading.count] = place;
    reading.weight[reading.count++] = weight;
  }
}

// Where tap `tap` of the offset group reads for output position o.
void FindTap(const KernelArgs& args, const State& s, std::int64_t row, std::int64_t tap,
             std::int64_t o, Reading& reading) {
  const std::vector<ops::WindowAxis>& axes = s.conv.axes;
  const auto rank = std::ssize(axes);
  std::array<float, kMostAxes> at = {};
  std::int64_t rest_tap = tap, rest = o;
  for (std::int64_t a = rank - 1; a >= 0; --a) {
    const ops::WindowAxis& axis = axes[static_cast<std::size_t>(a)];
    at[static_cast<std::size_t>(a)] =
        static_cast<float>(axis.Position(rest % axis.out, rest_tap % axis.kernel)) +
        args.In(kOffset)[(row * rank + a) * s.out + o];
    rest_tap /= axis.kernel;
    rest /= axis.out;
  }
  Find(s, at.data(), s.mask ? args.In(kMask)[row * s.out + o] : 1.0F, reading);
}

// The columns of `count` positions from `first` on: [channel][tap][position].
void ReadBand(const KernelArgs& args, const State& s, std::int64_t image, std::int64_t first,
              std::int64_t count, float* columns) {
  std::array<Reading, static_cast<std::size_t>(kBand)> readings;
  const std::int64_t channels = s.conv.in_channels, each = channels / s.offset_group;
  for (std::int64_t group = 0; group < s.offset_group; ++group) {
    for (std::int64_t tap = 0; tap < s.taps; ++tap) {
      const std::int64_t row = (image * s.offset_group + group) * s.taps + tap;
      for (std::int64_t j = 0; j < count; ++j)
        FindTap(args, s, row, tap, first + j, readings[static_cast<std::size_t>(j)]);
      for (std::int64_t c = group * each; c < (group + 1) * each; ++c) {
        const float* plane = args.In(kX) + (image * channels + c) * s.in;
        float* to = columns + (c * s.taps + tap) * count;
        for (std::int64_t j = 0; j < count; ++j) {
          const Reading& reading = readings[static_cast<std::size_t>(j)];
          float sum = 0;
          for (std::size_t i = 0; i < reading.count; ++i)
            sum += reading.weight[i] * plane[reading.offset[i]];
          to[j] = sum;
        }
      }
    }
  }
}

void RunBand(const KernelArgs& args, const State& s, std::int64_t image, std::int64_t first,
             const float* weights, float* scratch) {
  const std::int64_t count = std::min(kBand, s.out - first);
  float* const panels = scratch + s.column_floats;
  ReadBand(args, s, image, first, count, scratch);
  const GemmShape shape(s.isa, s.rows, count, s.depth);
  for (std::int64_t g = 0; g < s.conv.group; ++g) {
    PackPanels(shape, {scratch + g * s.depth * count, count, 1}, 0, shape.panels, panels);
    const std::int64_t channel = g * s.rows;
    const std::int64_t offset = (image * s.conv.out_channels + channel) * s.out + first;
    Multiply(shape, weights + channel * s.depth, panels, 0, shape.tiles, 0, shape.panels,
             args.Out(0) + offset, s.out,
             {.epilogue = &s.epilogue,
              .args = &args,
              .row_bias = s.bias ? args.In(kBias) + channel : nullptr,
              .offset = offset,
              .channel = channel});
  }
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  auto* const scratch = reinterpret_cast<float*>(args.scratch);
  if (s.weights == nullptr) PackWeights(s, args.In(kW), scratch);
  const float* weights =
      s.weights != nullptr ? static_cast<const float*>(s.weights.get()) : scratch;
  const std::int64_t bands = CeilDivide(s.out, kBand);
  Parallel(args, s.conv.batch * bands, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* const own = scratch + s.weight_floats + thread * (s.column_floats + s.panel_floats);
    for (std::int64_t i = begin; i < end; ++i)
      RunBand(args, s, i / bands, i % bands * kBand, weights, own);
  });
}

}  // namespace

std::vector<KernelDef> DeformConvKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "DeformConv.f32.gemm",
                        .op = "DeformConv",
                        .takes_epilogue = true,
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
