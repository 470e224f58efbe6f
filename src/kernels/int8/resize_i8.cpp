// Resize of quantised tensors over height and width. The reference resizes axis by axis in f32: the
// height first unless the width shrinks more, which is left to it.
#include <algorithm>

#include "kernels/divide.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"
#include "kernels/vision/resize_plan.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

struct ResizeState {
  const BlendTable* table = nullptr;
  bool blocked = false;
  BlendRows how;  // but for what belongs to one row
  BlendColumns columns;
  ResizePass height, width;                  // the width's padded to whole steps
  std::vector<float> row_weights;            // [out][taps]
  std::int64_t planes = 0, rows_in = 0;      // of a plane
  std::int64_t in_bytes = 0, out_bytes = 0;  // of a row
  std::int64_t scratch = 0;                  // of one thread
};

// An axis that keeps its elements.
ResizePass KeptAxis(std::int64_t size) {
  ResizePass pass = {.out = size, .taps = 1};
  for (std::int64_t i = 0; i < size; ++i) {
    pass.index.push_back(static_cast<std::int32_t>(i));
    pass.weight.push_back(1);
  }
  return pass;
}

// Vectors read whole steps of outputs.
void PadPass(ResizePass& pass, std::size_t stride) {
  ResizePass padded = {.out = pass.out, .taps = pass.taps};
  padded.index.assign(pass.taps * stride, 0);
  padded.weight.assign(pass.taps * stride, 0);
  const auto out = static_cast<std::size_t>(pass.out);
  for (std::size_t t = 0; t < pass.taps; ++t) {
    std::copy_n(pass.index.begin() + static_cast<std::ptrdiff_t>(t * out), out,
                padded.index.begin() + static_cast<std::ptrdiff_t>(t * stride));
    std::copy_n(pass.weight.begin() + static_cast<std::ptrdiff_t>(t * out), out,
                padded.weight.begin() + static_cast<std::ptrdiff_t>(t * stride));
  }
  pass = std::move(padded);
}

struct ResizeI8 {
  static Fit Fits(const KernelQuery& q) {
    if (!IsByteTensor(q.in[0], q.quant->inputs[0]) || !IsByteTensor(q.out[0], q.quant->outputs[0]))
      return Fit::No("8-bit tensors with one scale only");
    if (q.quant->fixed31()) return Fit::No("arithmetic \"float\" only");
    // Products with weights that are 0 are left out by the reference alone.
    if (!(q.quant->inputs[0].scales[0] < 1e30F)) return Fit::No("the scale is too large");
    if (q.in[0].rank() != 4) return Fit::No("four axes only");
    const Fit fit = FitsResizePlan(q);
    if (!fit.yes()) return fit;
    const auto plan = *ResizePlan(q);
    for (std::size_t i = 0; i < plan.size(); ++i) {
      if (plan[i].axis < 2) return Fit::No("not only height and width");
      if (i > 0 && plan[i].axis < plan[i - 1].axis) return Fit::No("the width shrinks more");
    }
    return Fit::Yes();
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    const double staged = static_cast<double>(q.in[0].stored()) /
                          static_cast<double>(q.in[0].dims[2] * q.in[0].dims[3]) *
                          static_cast<double>(q.in[0].dims[3] * q.out[0].dims[2]);
    const auto out = static_cast<double>(q.out[0].stored());
    constexpr double kStaged = 15, kBlended = 19;
    constexpr double kPickedNs = 0.8;  // by index, one by one
    return q.block() != 0 ? StepsNs(variant, kStaged * staged + kBlended * out)
                          : StepsNs(variant, kStaged * staged) + kPickedNs * out;
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<ResizeState>();
    s->table = &Blends(variant);
    s->blocked = q.block() != 0;
    const Dims &in = q.in[0].dims, &out = q.out[0].dims;
    const std::int64_t lanes = std::max<std::int64_t>(1, q.block());
    s->planes = in[0] * CeilDivide(in[1], lanes);
    s->rows_in = in[2];
    s->in_bytes = in[3] * lanes;
    s->out_bytes = out[3] * lanes;
    s->height = KeptAxis(in[2]);
    s->width = KeptAxis(in[3]);
    const std::vector<ops::ResizeAxis> plan = *ResizePlan(q);
    for (const ops::ResizeAxis& axis : plan)
      (axis.axis == 2 ? s->height : s->width) = MakeResizePass(axis, in);
    SetQuantisation(*q.quant, *s);
    constexpr std::int64_t kStep = 64;
    s->columns.stride = static_cast<std::size_t>(CeilDivide(out[3], kStep) * kStep);
    PadPass(s->width, s->columns.stride);
    s->columns.index = s->width.index.data();
    s->columns.weights = s->width.weight.data();
    s->columns.taps = s->width.taps;
    s->columns.out = static_cast<std::size_t>(out[3]);
    for (std::int64_t o = 0; o < out[2]; ++o) {
      for (std::size_t t = 0; t < s->height.taps; ++t)
        s->row_weights.push_back(
            s->height.weight[t * static_cast<std::size_t>(out[2]) + static_cast<std::size_t>(o)]);
    }
    s->scratch = 4 * WholeLines(s->in_bytes + static_cast<std::int64_t>(s->table->lanes));
    return Prepared{s, q.threads * s->scratch};
  }

  static void Run(const KernelArgs& args) {
    const ResizeState& s = args.State<ResizeState>();
    const std::int64_t rows = s.height.out;
    const std::int64_t grain = std::max<std::int64_t>(1, 8192 / (s.in_bytes + s.out_bytes));
    Parallel(args, s.planes * rows, grain, [&](std::int64_t begin, std::int64_t end, int thread) {
      auto* const row = reinterpret_cast<float*>(args.scratch + thread * s.scratch);
      for (std::int64_t i = begin; i < end; ++i) {
        const std::uint8_t* const plane =
            args.In<std::uint8_t>(0) + i / rows * s.rows_in * s.in_bytes;
        RunRow(s, plane, static_cast<std::size_t>(i % rows), row,
               args.Out<std::uint8_t>(0) + i * s.out_bytes);
      }
    });
  }

 private:
  static void SetQuantisation(const QuantSpec& spec, ResizeState& s) {
    const QuantPort &x = spec.inputs[0], &y = spec.outputs[0];
    const IntRange range = *QuantRange(y.dtype);
    s.how.n = static_cast<std::size_t>(s.in_bytes);
    s.how.taps = s.height.taps;
    s.how.scale = x.scales[0];
    s.how.zero = FlippedZero(x);
    s.how.flip = FlipOf(x);
    s.columns.scale = y.scales[0];
    s.columns.zero = static_cast<std::int32_t>(y.zeros[0]);
    s.columns.low = static_cast<std::int32_t>(spec.clamp ? spec.clamp->low : range.low);
    s.columns.high = static_cast<std::int32_t>(spec.clamp ? spec.clamp->high : range.high);
  }

  static void RunRow(const ResizeState& s, const std::uint8_t* plane, std::size_t oy, float* row,
                     std::uint8_t* y) {
    const std::uint8_t* taps[kMostResizeTaps];
    for (std::size_t t = 0; t < s.height.taps; ++t) {
      const std::int64_t at = s.height.index[t * static_cast<std::size_t>(s.height.out) + oy];
      taps[t] = plane + at * s.in_bytes;
    }
    BlendRows rows = s.how;
    rows.rows = taps;
    rows.weights = s.row_weights.data() + oy * s.height.taps;
    s.table->rows(rows, row);
    (s.blocked ? s.table->blocks : s.table->elements)(s.columns, row, y);
  }
};

}  // namespace

std::vector<KernelDef> Int8ResizeKernels() {
  std::vector<KernelDef> defs = DefineAll<ResizeI8>("Resize", "");
  for (KernelDef& def : DefineAllBlocked<ResizeI8>("Resize", ".blocked"))
    defs.push_back(std::move(def));
  return defs;
}

}  // namespace athanor::kernels
