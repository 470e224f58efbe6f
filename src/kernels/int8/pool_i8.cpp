#include <algorithm>

#include "kernels/conv/spatial.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/plane_i8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

Fit FitsBytes(const KernelQuery& q) {
  if (!IsByteTensor(q.in[0], q.quant->inputs[0]) || !IsByteTensor(q.out[0], q.quant->outputs[0]))
    return Fit::No("8-bit tensors with one scale only");
  if (q.out.size() > 1 && q.out[1].given()) return Fit::No("does not give indices");
  return Fit::Yes();
}

// ---- maxima: integers of the same scale compare as real numbers do

struct MaxState {
  const MaxTable* table = nullptr;
  Spatial2d spatial;
  PaddedPlane padded;
  MaxFinish finish;  // of flipped data
  std::int64_t planes = 0, scratch = 0;
};

struct MaxI8 {
  static Fit Fits(const KernelQuery& q) {
    Fit bytes = FitsBytes(q);
    if (!bytes.yes()) return bytes;
    if (!(q.quant->inputs[0] == q.quant->outputs[0]))
      return Fit::No("the scale of input and output differ");
    if (!Spatial2d::FromPool(q))
      return Fit::No("one or two spatial axes of less than 2^30 elements");
    return Fit::Yes();
  }
  static double Cost(const KernelQuery& q, Variant variant) {
    const Spatial2d spatial = *Spatial2d::FromPool(q);
    const PaddedPlane padded(spatial.h, spatial.w, 0, 0);
    constexpr double kRow = 700;  // to begin another
    const double plane = static_cast<double>(padded.bytes()) * 2 *
                             (1 + FoldsOf(spatial.h.kernel) + FoldsOf(spatial.w.kernel)) +
                         kRow * static_cast<double>(spatial.h.in + spatial.h.out);
    return StepsNs(variant, plane * static_cast<double>(q.in[0].dims[0] * q.in[0].dims[1]));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<MaxState>();
    s->table = &Maxima(variant);
    s->spatial = *Spatial2d::FromPool(q);
    s->finish.flip = FlipOf(q.quant->inputs[0]);
    s->padded = PaddedPlane(s->spatial.h, s->spatial.w, s->finish.flip, 0);
    s->planes = q.in[0].dims[0] * q.in[0].dims[1];
    if (q.quant->clamp) {
      s->finish.low = static_cast<std::uint8_t>(q.quant->clamp->low + s->finish.flip);
      s->finish.high = static_cast<std::uint8_t>(q.quant->clamp->high + s->finish.flip);
    }
    s->scratch = (s->padded.bytes() + 63) / 64 * 64;
    return Prepared{s, s->scratch * q.threads};
  }
  // The padded plane as one row: windows that leave a row are nobody's.
  static void RunPlane(const MaxState& s, const std::uint8_t* x, std::uint8_t* plane,
                       std::uint8_t* y) {
    s.padded.Stage(x, plane);
    const Window& window = s.padded.window();
    const std::size_t rows = static_cast<std::size_t>(s.spatial.h.out - 1) * window.stride_h + 1;
    s.table->along(plane, rows * window.row, window.dilation_h * window.row, window.kernel_h);
    const std::size_t last = (window.kernel_w - 1) * window.dilation_w;
    s.table->along(plane, rows * window.row - last, window.dilation_w, window.kernel_w);
    for (std::int64_t row = 0; row < s.spatial.h.out; ++row, y += window.out_w)
      s.table->elements(plane + s.padded.RowBegin(row), window.out_w, window.stride_w, s.finish, y);
  }
  static void Run(const KernelArgs& args) {
    const MaxState& s = args.State<MaxState>();
    const std::int64_t in = s.spatial.h.in * s.spatial.w.in;
    const std::int64_t out = s.spatial.h.out * s.spatial.w.out;
    Parallel(args, s.planes, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
      auto* const scratch = reinterpret_cast<std::uint8_t*>(args.scratch) + thread * s.scratch;
      for (std::int64_t i = begin; i < end; ++i)
        RunPlane(s, args.In<std::uint8_t>(0) + i * in, scratch,
                 args.Out<std::uint8_t>(0) + i * out);
    });
  }
};

// ---- averages: sums of integers, divided by how many counted

struct AverageState {
  const MatrixTable* matrix = nullptr;
  const PlaneTable* table = nullptr;
  Spatial2d spatial;
  bool include_pad = false;
  std::vector<RequantPlan> by_count;  // of a window of so many elements that count and exist
  std::vector<std::int32_t> plan_of;  // of each output position
  std::int64_t planes = 0, size = 0;
  std::uint8_t flip = 0;
};

// How many taps of output position o count.
std::int64_t Counted(const ops::WindowAxis& axis, std::int64_t o, bool include_pad) {
  if (!include_pad) return axis.LastTap(o) - axis.FirstTap(o);
  const std::int64_t left = axis.in + axis.pad_end - axis.Position(o, 0);
  return std::min(axis.kernel, (left + axis.dilation - 1) / axis.dilation);
}

// One plan per pair (elements that exist, elements that count).
void MakePlans(const KernelQuery& q, AverageState& s) {
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const std::int32_t zero = FlippedZero(q.quant->inputs[0]);
  for (std::int64_t y = 0; y < h.out; ++y) {
    for (std::int64_t x = 0; x < w.out; ++x) {
      const std::int64_t exist = (h.LastTap(y) - h.FirstTap(y)) * (w.LastTap(x) - w.FirstTap(x));
      const std::int64_t count =
          std::max<std::int64_t>(1, Counted(h, y, s.include_pad) * Counted(w, x, s.include_pad));
      const std::pair pair(exist, count);
      auto at = std::find(pairs.begin(), pairs.end(), pair);
      if (at == pairs.end()) {
        at = pairs.insert(at, pair);
        s.by_count.push_back(RequantPlan::ForSums(*q.quant, 1.0 / static_cast<double>(count),
                                                  static_cast<std::int32_t>(-exist * zero)));
      }
      s.plan_of.push_back(static_cast<std::int32_t>(at - pairs.begin()));
    }
  }
}

Fit FitsAverage(const KernelQuery& q) {
  Fit bytes = FitsBytes(q);
  if (!bytes.yes()) return bytes;
  return q.quant->fixed31() ? Fit::No("arithmetic \"float\" only") : Fit::Yes();
}

struct AverageI8 {
  static Fit Fits(const KernelQuery& q) {
    Fit fit = FitsAverage(q);
    if (!fit.yes()) return fit;
    const auto spatial = Spatial2d::FromPool(q);
    if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
    if (spatial->h.kernel * spatial->w.kernel > (1 << 20))
      return Fit::No("a window of more than 2^20 elements");
    return Fit::Yes();
  }
  static double Cost(const KernelQuery& q, Variant variant) {
    const Spatial2d spatial = *Spatial2d::FromPool(q);
    const double taps = static_cast<double>(spatial.h.kernel * spatial.w.kernel);
    return ProductsNs(variant, 32 * taps * static_cast<double>(q.out[0].count()));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<AverageState>();
    s->matrix = &Matrices(variant);
    s->table = &int8::Planes(variant);
    s->spatial = *Spatial2d::FromPool(q);
    s->include_pad = q.Int("count_include_pad") != 0;
    s->planes = q.in[0].dims[0] * q.in[0].dims[1];
    s->flip = FlipOf(q.quant->inputs[0]);
    MakePlans(q, *s);
    return Prepared{s, 0};
  }
  static void RunPlane(const AverageState& s, const std::uint8_t* x, std::uint8_t* y) {
    const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
    alignas(64) std::int32_t sum[32] = {};
    for (std::int64_t oy = 0, at = 0; oy < h.out; ++oy) {
      const std::int64_t y0 = h.FirstTap(oy), y1 = h.LastTap(oy);
      for (std::int64_t ox = 0; ox < w.out; ++ox, ++at) {
        sum[0] = 0;
        for (std::int64_t ky = y0; ky < y1; ++ky) {
          const std::uint8_t* row = x + h.Position(oy, ky) * w.in;
          for (std::int64_t kx = w.FirstTap(ox); kx < w.LastTap(ox); ++kx)
            sum[0] += row[w.Position(ox, kx)] ^ s.flip;
        }
        const auto plan = static_cast<std::size_t>(s.plan_of[static_cast<std::size_t>(at)]);
        s.matrix->finish_row(sum, 1, s.by_count[plan].how(), 0, y + at);
      }
    }
  }
  static void Run(const KernelArgs& args) {
    const AverageState& s = args.State<AverageState>();
    const std::int64_t in = s.spatial.h.in * s.spatial.w.in;
    const std::int64_t out = s.spatial.h.out * s.spatial.w.out;
    Parallel(args, s.planes, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i)
        RunPlane(s, args.In<std::uint8_t>(0) + i * in, args.Out<std::uint8_t>(0) + i * out);
    });
  }
};

struct GlobalAverageI8 {
  static Fit Fits(const KernelQuery& q) {
    Fit fit = FitsAverage(q);
    if (!fit.yes()) return fit;
    // The sum of a plane must fit 32 bits.
    return q.in[0].count() / q.out[0].count() < (1 << 23) ? Fit::Yes()
                                                          : Fit::No("2^23 elements or more");
  }
  static double Cost(const KernelQuery& q, Variant variant) {
    return ProductsNs(variant, static_cast<double>(q.in[0].count()));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<AverageState>();
    s->matrix = &Matrices(variant);
    s->table = &int8::Planes(variant);
    s->planes = q.out[0].count();
    s->size = q.in[0].count() / s->planes;
    s->flip = FlipOf(q.quant->inputs[0]);
    const std::int64_t zero = FlippedZero(q.quant->inputs[0]);
    s->by_count.push_back(RequantPlan::ForSums(*q.quant, 1.0 / static_cast<double>(s->size),
                                               static_cast<std::int32_t>(-zero * s->size)));
    return Prepared{s, 0};
  }
  static void Run(const KernelArgs& args) {
    const AverageState& s = args.State<AverageState>();
    Parallel(args, s.planes, 16, [&](std::int64_t begin, std::int64_t end, int) {
      alignas(64) std::int32_t sum[32] = {};
      for (std::int64_t i = begin; i < end; ++i) {
        sum[0] = static_cast<std::int32_t>(s.table->total(
            args.In<std::uint8_t>(0) + i * s.size, static_cast<std::size_t>(s.size), s.flip));
        s.matrix->finish_row(sum, 1, s.by_count[0].how(), 0, args.Out<std::uint8_t>(0) + i);
      }
    });
  }
};

}  // namespace

std::vector<KernelDef> Int8PoolKernels() {
  std::vector<KernelDef> defs = DefineAll<MaxI8>("MaxPool", "");
  for (KernelDef& def : DefineAll<AverageI8>("AveragePool", "")) defs.push_back(std::move(def));
  for (KernelDef& def : DefineAll<GlobalAverageI8>("GlobalAveragePool", ""))
    defs.push_back(std::move(def));
  return defs;
}

}  // namespace athanor::kernels
