// Depthwise convolution and pools on channels in blocks of bytes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/conv/spatial.h"
#include "kernels/divide.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/plane_i8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

struct State {
  const LaneTable* table = nullptr;
  Spatial2d spatial;
  std::int64_t planes = 0;  // blocks of the whole batch
  std::int64_t blocks = 0;  // of one picture
  std::uint8_t flip = 0;

  std::int64_t lanes() const { return static_cast<std::int64_t>(table->lanes); }
  std::int64_t InBytes() const { return spatial.h.in * spatial.w.in * lanes(); }
  std::int64_t OutBytes() const { return spatial.h.out * spatial.w.out * lanes(); }
};

template <class S>
std::shared_ptr<S> MakeState(const KernelQuery& q, const Spatial2d& spatial, Variant variant) {
  auto s = std::make_shared<S>();
  s->table = &Lanes(variant);
  s->spatial = spatial;
  s->blocks = CeilDivide(q.in[0].dims[1], s->lanes());
  s->planes = q.in[0].dims[0] * s->blocks;
  s->flip = FlipOf(q.quant->inputs[0]);
  return s;
}

Fit FitsBlocks(const KernelQuery& q) {
  if (!IsByteTensor(q.in[0], q.quant->inputs[0]) || !IsByteTensor(q.out[0], q.quant->outputs[0]))
    return Fit::No("8-bit tensors with one scale only");
  if (q.out.size() > 1 && q.out[1].given()) return Fit::No("does not give indices");
  return q.in[0].block == 0 ? Fit::No("needs channels in blocks") : Fit::Yes();
}

// ---- depthwise convolution

// A staged row is a vector per pixel: in each lane a group of pixels of one channel, from rows one
// below the other. Windows then need no shuffles, and strides and dilations are addresses.
struct DepthwiseState : State {
  RequantPlan requant;
  LaneWindow window;
  std::int64_t group = 0;               // rows of a staged one
  std::int64_t groups = 0, passes = 1;  // staged rows of a window
  // Rows of the result that look at the same staged rows: those of a window rarely fill their
  // groups, and the weights of a lower row stand further down in them.
  std::int64_t shared = 1;
  std::int64_t ring = 0;  // staged rows that are kept
  std::int64_t stage_w = 0;
  std::uint8_t zero = 0;
  std::vector<std::uint8_t> weights;  // [block][shared][pass][group][kernel_w][lanes] of groups
  std::int64_t row_bytes = 0;         // of one of the shared rows
  std::int64_t bands = 1;             // of rows, per block
  // Windows of up to four pixels' width whose rows would be staged for one row of results alone
  // are read where they lie, a row of a window as a group: nothing is staged. The weights are
  // [block][pass][kernel_h][lanes] of groups.
  bool in_place = false;
  LaneStrip strip;
  std::vector<std::uint16_t> inside;
  AfterBytes after;

  std::int64_t RowBytes() const { return stage_w * lanes() * 4; }
  std::int64_t PadBytes() const { return WholeLines(CeilDivide(spatial.w.in * lanes(), 4)) * 4; }
  std::int64_t ScratchBytes() const {
    return PadBytes() + (in_place ? 0 : WholeLines(ring * RowBytes() / 4) * 4);
  }
};

constexpr std::int64_t kMostRows = 64;  // staged ones of a window, and those that are kept

// One row of groups, of the picture's rows from y on.
void StageRow(const DepthwiseState& s, const std::uint8_t* x, std::int64_t y,
              const std::uint8_t* outside, std::uint8_t* to) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const std::int64_t begin = std::min(w.pad_begin, s.stage_w);
  const std::int64_t end = std::min(begin + w.in, s.stage_w);
  auto* const lanes = reinterpret_cast<std::uint32_t*>(to);
  const std::uint32_t padding = GroupOf(s.zero, s.table->element_bytes);
  std::fill_n(lanes, begin * s.lanes(), padding);
  std::fill_n(lanes + end * s.lanes(), (s.stage_w - end) * s.lanes(), padding);
  const std::uint8_t* rows[4];
  for (std::int64_t i = 0; i < s.group; ++i) {
    const std::int64_t row = y + i * h.dilation;
    rows[i] = row < 0 || row >= h.in ? outside : x + row * w.in * s.lanes();
  }
  s.table->stage_rows(rows, static_cast<std::size_t>((end - begin) * s.lanes()), s.flip,
                      to + begin * s.lanes() * 4);
}

// Rows [first, last) of one block of channels.
void RunRows(const DepthwiseState& s, const std::uint8_t* x, std::int64_t block, std::int64_t first,
             std::int64_t last, std::uint8_t* scratch, std::uint8_t* y) {
  const ops::WindowAxis& h = s.spatial.h;
  std::fill_n(scratch, s.PadBytes(), static_cast<std::uint8_t>(s.zero ^ s.flip));
  std::uint8_t* const staged = scratch + s.PadBytes();
  std::int64_t holds[kMostRows];
  std::fill_n(holds, s.ring, -1);
  const std::uint8_t* rows[kMostRows];
  const Requant how = s.requant.how();
  for (std::int64_t oy = first; oy < last; ++oy) {
    const std::int64_t lower = oy % s.shared;
    for (std::int64_t g = 0; g < s.groups; ++g) {
      const std::int64_t row =  // the padding counted
          (oy - lower) * h.stride + g * s.group * h.dilation;
      std::uint8_t* const to = staged + row % s.ring * s.RowBytes();
      if (holds[row % s.ring] != row) StageRow(s, x, row - h.pad_begin, scratch, to);
      holds[row % s.ring] = row;
      for (std::int64_t pass = 0; pass < s.passes; ++pass) rows[pass * s.groups + g] = to;
    }
    std::uint8_t* const to = y + oy * s.spatial.w.out * s.lanes();
    s.table->depthwise(s.window, rows, s.weights.data() + (block * s.shared + lower) * s.row_bytes,
                       how, static_cast<std::size_t>(block * s.lanes()), to);
    s.after(to, s.spatial.w.out * s.lanes());
  }
}

void PackWeights(DepthwiseState& s, const std::vector<std::int16_t>& w) {
  const std::int64_t height = s.spatial.h.kernel, width = s.spatial.w.kernel;
  s.row_bytes = s.passes * s.groups * width * s.lanes() * 4;
  s.weights.resize(static_cast<std::size_t>(s.blocks * s.shared * s.row_bytes));
  std::uint8_t* to = s.weights.data();
  for (std::int64_t i = 0; i < s.blocks * s.shared * s.passes * s.groups * width; ++i) {
    const std::int64_t kx = i % width, g = i / width % s.groups;
    const std::int64_t pass = i / (width * s.groups) % s.passes;
    const std::int64_t row = i / (width * s.groups * s.passes);
    const std::int64_t first = row / s.shared * s.lanes();
    const std::int64_t above = g * s.group - row % s.shared * s.spatial.h.stride;
    for (std::int64_t c = first; c < first + s.lanes(); ++c, to += 4) {
      std::int16_t taps[4] = {};
      for (std::int64_t k = 0; k < s.group; ++k) {
        if (c >= s.spatial.conv.out_channels || above + k < 0 || above + k >= height) continue;
        const std::int64_t at = (c * height + above + k) * width + kx;
        taps[k] = PartOf(w[static_cast<std::size_t>(at)], pass, s.table->element_bytes);
      }
      WriteGroup(taps, s.table->element_bytes, to);
    }
  }
}

// ---- the same of pixels where they lie

void PackStrips(DepthwiseState& s, const std::vector<std::int16_t>& w) {
  const std::int64_t height = s.spatial.h.kernel, width = s.spatial.w.kernel;
  s.row_bytes = s.passes * height * s.lanes() * 4;
  s.weights.resize(static_cast<std::size_t>(s.blocks * s.row_bytes));
  std::uint8_t* to = s.weights.data();
  for (std::int64_t i = 0; i < s.blocks * s.passes * height; ++i) {
    const std::int64_t ky = i % height, pass = i / height % s.passes;
    const std::int64_t first = i / (height * s.passes) * s.lanes();
    for (std::int64_t c = first; c < first + s.lanes(); ++c, to += 4) {
      std::int16_t taps[4] = {};
      for (std::int64_t kx = 0; kx < width && c < s.spatial.conv.out_channels; ++kx) {
        const std::int64_t at = (c * height + ky) * width + kx;
        taps[kx] = PartOf(w[static_cast<std::size_t>(at)], pass, s.table->element_bytes);
      }
      WriteGroup(taps, s.table->element_bytes, to);
    }
  }
}

void PlanStrips(DepthwiseState& s) {
  const ops::WindowAxis& w = s.spatial.w;
  s.inside.assign(static_cast<std::size_t>(w.out), 0);
  for (std::int64_t i = 0; i < 4 * w.out; ++i) {
    const std::int64_t x = i / 4 * w.stride + i % 4 - w.pad_begin;
    if (x < 0 || x >= w.in) continue;
    s.inside[static_cast<std::size_t>(i / 4)] |= static_cast<std::uint16_t>(15 << i % 4 * 4);
  }
  s.strip = {.rows = static_cast<std::size_t>(s.passes * s.spatial.h.kernel),
             .begin = -w.pad_begin * s.lanes(),
             .step = static_cast<std::size_t>(w.stride * s.lanes()),
             .out_w = static_cast<std::size_t>(w.out),
             .inside = s.inside.data(),
             .outside = static_cast<std::uint8_t>(s.zero ^ s.flip),
             .flip = s.flip};
}

// RunRows without staging.
void RunStrips(const DepthwiseState& s, const std::uint8_t* x, std::int64_t block,
               std::int64_t first, std::int64_t last, std::uint8_t* scratch, std::uint8_t* y) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  std::fill_n(scratch, s.PadBytes(), s.strip.outside);
  const std::uint8_t* rows[kMostRows];
  const Requant how = s.requant.how();
  for (std::int64_t oy = first; oy < last; ++oy) {
    for (std::int64_t i = 0; i < s.passes * h.kernel; ++i) {
      const std::int64_t row = oy * h.stride + i % h.kernel * h.dilation - h.pad_begin;
      rows[i] = row < 0 || row >= h.in ? scratch : x + row * w.in * s.lanes();
    }
    std::uint8_t* const to = y + oy * w.out * s.lanes();
    s.table->depthwise_strip(s.strip, rows, s.weights.data() + block * s.row_bytes, how,
                             static_cast<std::size_t>(block * s.lanes()), to);
    s.after(to, w.out * s.lanes());
  }
}

struct DepthwiseI8 {
  static constexpr bool kTakesTables = true;

  static Fit Fits(const KernelQuery& q) {
    Fit fit = FitsWeights(q, 0);
    if (!fit.yes()) return fit;
    if (q.in[0].block == 0) return Fit::No("needs channels in blocks");
    const auto spatial = Spatial2d::From(q);
    if (!spatial) return Fit::No("two spatial axes of less than 2^30 elements");
    const ops::ConvGeometry& conv = spatial->conv;
    if (conv.group != conv.in_channels || conv.out_channels != conv.in_channels)
      return Fit::No("not one channel to one channel");
    const ops::WindowAxis& h = spatial->h;
    if (h.kernel * h.dilation >= kMostRows || h.kernel * 3 > kMostRows)
      return Fit::No("a window of too many rows");
    if (h.kernel * spatial->w.kernel > 1024) return Fit::No("a window of more than 1024 taps");
    return Fit::Yes();
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    const double taps = static_cast<double>(q.in[1].count()) / static_cast<double>(q.in[1].dims[0]);
    // Four results of a row at a time, the last four overlapping those before.
    const double width = static_cast<double>(q.out[0].dims.back());
    const double idle = width > 4 ? std::ceil(width / 4) * 4 / width : 1;
    return StepsNs(variant, (taps * 2 + 10) * idle * static_cast<double>(q.out[0].stored()));
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    const auto s = MakeState<DepthwiseState>(q, *Spatial2d::From(q), variant);
    s->after = AfterBytes::From(q, IsaOf(variant));
    const ops::WindowAxis &h = s->spatial.h, &w = s->spatial.w;
    s->zero = static_cast<std::uint8_t>(FlippedZero(q.quant->inputs[0]));
    s->group = static_cast<std::int64_t>(4 / s->table->element_bytes);
    s->groups = CeilDivide(h.kernel, s->group);
    s->ring = (s->groups - 1) * s->group * h.dilation + 1;
    if (h.dilation == 1) s->shared = (s->groups * s->group - h.kernel) / h.stride + 1;
    s->stage_w = (w.out - 1) * w.stride + (w.kernel - 1) * w.dilation + 1;
    const std::vector<std::int16_t> weights = CentredWeights(q, 0);
    s->passes = PassesFor(weights, s->table->element_bytes);
    s->window = {.rows = static_cast<std::size_t>(s->passes * s->groups),
                 .kernel_w = static_cast<std::size_t>(w.kernel),
                 .stride = static_cast<std::size_t>(w.stride),
                 .dilation = static_cast<std::size_t>(w.dilation),
                 .out_w = static_cast<std::size_t>(w.out)};
    ATH_TRY(s->requant,
            RequantPlan::ForWeights(q, SumsOfRows(weights, s->spatial.conv.out_channels)));
    s->in_place = s->table->depthwise_strip != nullptr && s->shared == 1 && w.dilation == 1 &&
                  w.kernel > 1 && w.kernel <= 4 && s->passes * h.kernel <= kMostRows;
    if (s->in_place) {
      PackStrips(*s, weights);
      PlanStrips(*s);
    } else {
      PackWeights(*s, weights);
    }
    while (q.threads > 1 && s->planes * s->bands < 4 * q.threads && h.out / s->bands >= 8)
      s->bands *= 2;
    return Prepared{s, q.threads * s->ScratchBytes()};
  }

  static void Run(const KernelArgs& args) {
    const DepthwiseState& s = args.State<DepthwiseState>();
    const std::int64_t rows = s.spatial.h.out;
    Parallel(args, s.planes * s.bands, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
      auto* const scratch =
          reinterpret_cast<std::uint8_t*>(args.scratch) + thread * s.ScratchBytes();
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t plane = i / s.bands, band = i % s.bands;
        const auto run = s.in_place ? RunStrips : RunRows;
        run(s, args.In<std::uint8_t>(0) + plane * s.InBytes(), plane % s.blocks,
            band * rows / s.bands, (band + 1) * rows / s.bands, scratch,
            args.Out<std::uint8_t>(0) + plane * s.OutBytes());
      }
    });
  }
};

// ---- pools

// Calls row(input, output row, output) for every row of every block.
template <class F>
void ForEachRow(const KernelArgs& args, const State& s, const F& row) {
  const std::int64_t rows = s.spatial.h.out;
  Parallel(args, s.planes * rows, 4, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      row(args.In<std::uint8_t>(0) + i / rows * s.InBytes(), i % rows,
          args.Out<std::uint8_t>(0) + i * s.spatial.w.out * s.lanes());
    }
  });
}

Fit FitsPool(const KernelQuery& q) {
  Fit fit = FitsBlocks(q);
  if (!fit.yes()) return fit;
  const auto spatial = Spatial2d::FromPool(q);
  if (!spatial) return Fit::No("two spatial axes of less than 2^30 elements");
  if (spatial->h.kernel * spatial->w.kernel >= 1 << 20)
    return Fit::No("a window of 2^20 elements or more");
  return Fit::Yes();
}

double CostPool(const KernelQuery& q, Variant variant) {
  const Spatial2d spatial = *Spatial2d::FromPool(q);
  const double taps = static_cast<double>(spatial.h.kernel * spatial.w.kernel);
  return StepsNs(variant, (5 * taps + 12) * static_cast<double>(q.out[0].stored()));
}

struct MaxState : State {
  const MaxTable* maxima = nullptr;
  MaxFinish finish;
  std::size_t dense = 0;                       // positions along a row where a window may begin
  std::int64_t left = 0, inside = 0, all = 0;  // positions of a staged row
  std::int64_t scratch = 0;                    // of one thread
};

struct MaxI8 {
  static Fit Fits(const KernelQuery& q) {
    Fit fit = FitsPool(q);
    if (fit.yes() && !(q.quant->inputs[0] == q.quant->outputs[0]))
      return Fit::No("the scale of input and output differ");
    if (fit.yes() && Spatial2d::FromPool(q)->h.kernel > kMostRows)
      return Fit::No("a window of too many rows");
    return fit;
  }
  static double Cost(const KernelQuery& q, Variant variant) {
    const Spatial2d spatial = *Spatial2d::FromPool(q);
    const auto out = static_cast<double>(q.out[0].stored());
    const double dense =
        1.2 * static_cast<double>(spatial.h.kernel) + 1.8 * FoldsOf(spatial.w.kernel);
    return StepsNs(variant, out * (dense * static_cast<double>(spatial.w.stride) +
                                   (spatial.w.stride == 1 ? 2 : 4)));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    const auto s = MakeState<MaxState>(q, *Spatial2d::FromPool(q), variant);
    s->maxima = &Maxima(variant);
    s->finish.flip = s->flip;
    if (q.quant->clamp) {
      s->finish.low = static_cast<std::uint8_t>(q.quant->clamp->low + s->flip);
      s->finish.high = static_cast<std::uint8_t>(q.quant->clamp->high + s->flip);
    }
    const ops::WindowAxis& w = s->spatial.w;
    const std::int64_t dense = (w.out - 1) * w.stride + 1;
    s->dense = static_cast<std::size_t>(dense);
    s->all = dense + (w.kernel - 1) * w.dilation;
    s->left = std::min(w.pad_begin, s->all);
    s->inside = std::clamp<std::int64_t>(s->all - s->left, 0, w.in);
    const std::int64_t slack = static_cast<std::int64_t>(s->maxima->slack);
    s->scratch = 4 * WholeLines(CeilDivide(s->all * s->lanes() + slack, 4));
    return Prepared{s, q.threads * s->scratch};
  }
  // The largest of the rows of a window, with the lowest number where there is none.
  static void StageRow(const MaxState& s, const std::uint8_t* x, std::int64_t oy,
                       std::uint8_t* row) {
    const ops::WindowAxis& h = s.spatial.h;
    const std::uint8_t* rows[kMostRows];
    std::size_t count = 0;
    for (std::int64_t ky = h.FirstTap(oy); ky < h.LastTap(oy); ++ky)
      rows[count++] = x + h.Position(oy, ky) * s.spatial.w.in * s.lanes();
    const std::int64_t inside = count > 0 ? s.inside : 0, end = s.left + inside;
    std::fill_n(row, s.left * s.lanes(), std::uint8_t{0});
    std::fill_n(row + end * s.lanes(), (s.all - end) * s.lanes(), std::uint8_t{0});
    if (inside > 0)
      s.maxima->rows(rows, count, static_cast<std::size_t>(inside * s.lanes()), s.flip,
                     row + s.left * s.lanes());
  }
  static void Run(const KernelArgs& args) {
    const MaxState& s = args.State<MaxState>();
    const ops::WindowAxis& w = s.spatial.w;
    const std::int64_t rows = s.spatial.h.out;
    const std::size_t lanes = s.table->lanes;
    Parallel(args, s.planes * rows, 4, [&](std::int64_t begin, std::int64_t end, int thread) {
      auto* const row = reinterpret_cast<std::uint8_t*>(args.scratch + thread * s.scratch);
      for (std::int64_t i = begin; i < end; ++i) {
        StageRow(s, args.In<std::uint8_t>(0) + i / rows * s.InBytes(), i % rows, row);
        s.maxima->along(row, s.dense * lanes, static_cast<std::size_t>(w.dilation) * lanes,
                        static_cast<std::size_t>(w.kernel));
        s.maxima->blocks(row, static_cast<std::size_t>(w.out), static_cast<std::size_t>(w.stride),
                         s.finish, args.Out<std::uint8_t>(0) + i * w.out * s.lanes());
      }
    });
  }
};

struct AverageState : State {
  bool include_pad = false, fixed31 = false;
  std::vector<RequantPlan> by_count;         // of windows of so many elements; [0]: none
  std::int32_t zero = 0, low = 0, high = 0;  // of the result
};

// TFLite's mean of integers: halves away from the integer 0.
std::uint8_t MeanOf(const AverageState& s, std::int64_t sum, std::int64_t count) {
  sum -= s.flip * count;
  const std::int64_t mean = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(mean, s.low, s.high));
}

struct AverageI8 {
  static Fit Fits(const KernelQuery& q) {
    Fit fit = FitsPool(q);
    if (!fit.yes()) return fit;
    if (q.Int("count_include_pad") != 0) return Fit::No("counts only what is no padding");
    if (q.quant->fixed31() && !(q.quant->inputs[0] == q.quant->outputs[0]))
      return Fit::No("the scale of input and output differ");
    const Spatial2d spatial = *Spatial2d::FromPool(q);
    return spatial.h.kernel * spatial.w.kernel > 1024
               ? Fit::No("a window of more than 1024 elements")
               : Fit::Yes();
  }
  static double Cost(const KernelQuery& q, Variant variant) { return CostPool(q, variant); }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    const auto s = MakeState<AverageState>(q, *Spatial2d::FromPool(q), variant);
    const QuantPort& y = q.quant->outputs[0];
    const IntRange range = *QuantRange(y.dtype);
    s->fixed31 = q.quant->fixed31();
    s->low = static_cast<std::int32_t>(q.quant->clamp ? q.quant->clamp->low : range.low);
    s->high = static_cast<std::int32_t>(q.quant->clamp ? q.quant->clamp->high : range.high);
    for (std::int64_t count = 0; count <= s->spatial.h.kernel * s->spatial.w.kernel; ++count)
      s->by_count.push_back(RequantPlan::ForMeans(*q.quant, std::max<std::int64_t>(1, count)));
    return Prepared{s, 0};
  }
  static void Run(const KernelArgs& args) {
    const AverageState& s = args.State<AverageState>();
    const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
    ForEachRow(args, s, [&](const std::uint8_t* x, std::int64_t oy, std::uint8_t* y) {
      const std::int64_t top = h.FirstTap(oy), bottom = h.LastTap(oy);
      for (std::int64_t ox = 0; ox < w.out; ++ox, y += s.lanes()) {
        alignas(64) std::int32_t sums[16] = {};
        const std::int64_t first = w.FirstTap(ox), taps = w.LastTap(ox) - first;
        for (std::int64_t ky = top; ky < bottom && taps > 0; ++ky) {
          const std::int64_t at = h.Position(oy, ky) * w.in + w.Position(ox, first);
          s.table->sum(x + at * s.lanes(), static_cast<std::size_t>(taps),
                       static_cast<std::size_t>(w.dilation), s.flip, sums);
        }
        const std::int64_t count =
            std::max<std::int64_t>(0, bottom - top) * std::max<std::int64_t>(0, taps);
        if (s.fixed31 && count > 0) {
          for (std::int64_t i = 0; i < s.lanes(); ++i) y[i] = MeanOf(s, sums[i], count);
        } else {
          const RequantPlan& plan = s.by_count[static_cast<std::size_t>(count)];
          Requant how = plan.how();
          // A window of nothing has the mean 0.
          static constexpr std::int32_t kNothing[16] = {};
          if (count == 0) how.offset = kNothing;
          s.table->finish(sums, 0, 1, how, 0, y);
        }
      }
    });
  }
};

struct GlobalState : State {
  RequantPlan requant;
};

struct GlobalAverageI8 {
  static Fit Fits(const KernelQuery& q) {
    Fit fit = FitsBlocks(q);
    if (!fit.yes()) return fit;
    // The sum of a plane must fit 32 bits.
    return q.in[0].dims[2] * q.in[0].dims[3] < (1 << 23) ? Fit::Yes()
                                                         : Fit::No("2^23 elements or more");
  }
  static double Cost(const KernelQuery& q, Variant variant) {
    return StepsNs(variant, 2 * static_cast<double>(q.in[0].stored()));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    Spatial2d whole;
    whole.h = {.in = q.in[0].dims[2], .out = 1};
    whole.w = {.in = q.in[0].dims[3], .out = 1};
    const auto s = MakeState<GlobalState>(q, whole, variant);
    s->requant = RequantPlan::ForMeans(*q.quant, whole.h.in * whole.w.in);
    return Prepared{s, 0};
  }
  static void Run(const KernelArgs& args) {
    const GlobalState& s = args.State<GlobalState>();
    ForEachRow(args, s, [&](const std::uint8_t* x, std::int64_t, std::uint8_t* y) {
      alignas(64) std::int32_t sums[16] = {};
      s.table->sum(x, static_cast<std::size_t>(s.spatial.h.in * s.spatial.w.in), 1, s.flip, sums);
      s.table->finish(sums, 0, 1, s.requant.how(), 0, y);
    });
  }
};

}  // namespace

std::vector<KernelDef> Int8BlockedWindowKernels() {
  std::vector<KernelDef> defs = DefineAllBlocked<DepthwiseI8>("Conv", ".depthwise.blocked");
  for (KernelDef& def : DefineAllBlocked<MaxI8>("MaxPool", ".blocked"))
    defs.push_back(std::move(def));
  for (KernelDef& def : DefineAllBlocked<AverageI8>("AveragePool", ".blocked"))
    defs.push_back(std::move(def));
  for (KernelDef& def : DefineAllBlocked<GlobalAverageI8>("GlobalAveragePool", ".blocked"))
    defs.push_back(std::move(def));
  return defs;
}

}  // namespace athanor::kernels
