#include <cstring>

#include "kernels/conv/spatial.h"
#include "kernels/divide.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/plane_i8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

struct State {
  const MatrixTable* matrix = nullptr;
  const PlaneTable* table = nullptr;
  Spatial2d spatial;
  PaddedPlane padded;
  RequantPlan requant;
  std::int64_t multiplier = 1;
  std::int64_t taps = 0;  // bytes of one channel's weights, rows rounded up to 4
  std::vector<std::uint8_t> weights = {};
  std::int64_t scratch = 0;  // bytes per thread
  AfterBytes after;
};

std::int64_t SumBytes(std::int64_t out_w) { return (out_w + 32) * 4; }

struct DepthwiseI8 {
  static constexpr bool kTakesTables = true;

  static Fit Fits(const KernelQuery& q) {
    Fit weights = FitsSignedWeights(q, 0);
    if (!weights.yes()) return weights;
    const auto spatial = Spatial2d::From(q);
    if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
    if (spatial->conv.group != spatial->conv.in_channels)
      return Fit::No("more than one input channel per group");
    if (spatial->h.kernel * spatial->w.kernel > 1024)
      return Fit::No("a window of more than 1024 taps");
    return Fit::Yes();
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    const double taps = static_cast<double>(q.in[1].count()) / static_cast<double>(q.in[1].dims[0]);
    return ProductsNs(variant, (6 * taps + 60) * static_cast<double>(q.out[0].count()));
  }

  static std::int64_t RowBytes(const State& s) {
    const auto tap_bytes = static_cast<std::int64_t>(s.table->tap_bytes);
    return CeilDivide(s.spatial.w.kernel * tap_bytes, 4) * 4;
  }

  static std::vector<std::uint8_t> Pack(const std::vector<std::int16_t>& weights, const State& s) {
    const std::int64_t width = s.spatial.w.kernel;
    const std::int64_t rows = s.spatial.conv.out_channels * s.spatial.h.kernel;
    std::vector<std::uint8_t> packed(static_cast<std::size_t>(rows * RowBytes(s)));
    for (std::int64_t row = 0; row < rows; ++row) {
      std::uint8_t* const to = packed.data() + row * RowBytes(s);
      for (std::int64_t i = 0; i < width; ++i) {
        const std::int16_t tap = weights[static_cast<std::size_t>(row * width + i)];
        // The low bytes come first on every processor these kernels run on.
        std::memcpy(to + i * static_cast<std::int64_t>(s.table->tap_bytes), &tap,
                    s.table->tap_bytes);
      }
    }
    return packed;
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<State>();
    s->matrix = &Matrices(variant);
    s->table = &int8::Planes(variant);
    s->after = AfterBytes::From(q, IsaOf(variant));
    s->spatial = *Spatial2d::From(q);
    s->padded = PaddedPlane(s->spatial.h, s->spatial.w, FlipOf(q.quant->inputs[0]),
                            static_cast<std::uint8_t>(FlippedZero(q.quant->inputs[0])));
    const ops::ConvGeometry& conv = s->spatial.conv;
    s->multiplier = conv.out_channels / conv.group;
    const std::vector<std::int16_t> weights = CentredWeights(q, 0);
    ATH_TRY(s->requant, RequantPlan::ForWeights(q, SumsOfRows(weights, conv.out_channels)));
    s->taps = s->spatial.h.kernel * RowBytes(*s);
    s->weights = Pack(weights, *s);
    s->scratch = s->padded.bytes() + SumBytes(s->spatial.w.out);
    s->scratch = (s->scratch + 63) / 64 * 64;
    return Prepared{s, s->scratch * q.threads};
  }

  static void RunPlane(const State& s, const std::uint8_t* x, std::int64_t channel,
                       std::uint8_t* scratch, std::uint8_t* y) {
    const std::int64_t out_w = s.spatial.w.out, out_plane = s.spatial.h.out * out_w;
    auto* const sums = reinterpret_cast<std::int32_t*>(scratch);
    std::uint8_t* const staged = scratch + SumBytes(out_w);
    s.padded.Stage(x, staged);
    const Requant how = s.requant.how();
    for (std::int64_t m = 0; m < s.multiplier; ++m) {
      const std::int64_t out = channel * s.multiplier + m;
      for (std::int64_t row = 0; row < s.spatial.h.out; ++row) {
        s.table->depthwise(s.padded.window(), staged + s.padded.RowBegin(row),
                           s.weights.data() + out * s.taps, sums);
        std::uint8_t* const to = y + m * out_plane + row * out_w;
        s.matrix->finish_row(sums, static_cast<std::size_t>(out_w), how,
                             static_cast<std::size_t>(out), to);
        s.after(to, out_w);
      }
    }
  }

  static void Run(const KernelArgs& args) {
    const State& s = args.State<State>();
    const std::int64_t channels = s.spatial.conv.in_channels;
    const std::int64_t in_plane = s.spatial.h.in * s.spatial.w.in;
    const std::int64_t out_plane = s.spatial.h.out * s.spatial.w.out;
    Parallel(args, s.spatial.conv.batch * channels, 1,
             [&](std::int64_t begin, std::int64_t end, int thread) {
               auto* scratch = reinterpret_cast<std::uint8_t*>(args.scratch) + thread * s.scratch;
               for (std::int64_t i = begin; i < end; ++i) {
                 RunPlane(s, args.In<std::uint8_t>(0) + i * in_plane, i % channels, scratch,
                          args.Out<std::uint8_t>(0) + i * s.multiplier * out_plane);
               }
             });
  }
};

}  // namespace

std::vector<KernelDef> Int8DepthwiseKernels() {
  return DefineAll<DepthwiseI8>("Conv", ".depthwise");
}

}  // namespace athanor::kernels
