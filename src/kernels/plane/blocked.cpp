// Depthwise convolution and pooling on channels in blocks: row by row, every lane for itself.
#include <algorithm>

#include "kernels/divide.h"
#include "kernels/epilogue.h"
#include "kernels/every_isa.h"
#include "kernels/layout.h"
#include "kernels/plane/block_table.h"
#include "kernels/plane/plane.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

constexpr std::size_t kTallest = 32;  // rows of a window

struct State {
  void (*row)(const BlockRow& row) = nullptr;
  void (*pair)(const BlockRow& row) = nullptr;  // of rows, where there is such a function
  ops::WindowAxis h, w;
  std::int64_t lanes = 0;
  std::int64_t blocks = 0, planes = 0;  // of one picture, of the batch
  std::int64_t channels = 0;
  BlockRow shape;              // all that rows have in common
  std::vector<float> weights;  // [blocks][taps][lanes]
  std::vector<float> bias;     // [blocks][lanes]
  std::vector<float> row_factors, col_factors;
  EpilogueProgram epilogue;
  std::int64_t bands = 1;  // of rows, per block
};

const BlockTable& Blocks(Isa isa) {
  const BlockTable* const tables[] = {&base::kBlocks, &avx2::kBlocks, &avx512::kBlocks};
  return *tables[static_cast<std::size_t>(isa)];
}

Fit FitsAxes(const KernelQuery& q, const std::optional<Spatial2d>& spatial) {
  if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.in[0].block == 0) return Fit::No("needs channels in blocks");
  if (spatial->h.kernel > static_cast<std::int64_t>(kTallest))
    return Fit::No("a window of more than 32 rows");
  return Fit::Yes();
}

Fit FitsDepthwise(const KernelQuery& q) {
  const auto spatial = Spatial2d::From(q);
  Fit axes = FitsAxes(q, spatial);
  if (!axes.yes()) return axes;
  const ops::ConvGeometry& conv = spatial->conv;
  if (conv.group != conv.in_channels || conv.out_channels != conv.in_channels)
    return Fit::No("not one channel to one channel");
  if (q.in[1].constant == nullptr || (q.Has(2) && q.in[2].constant == nullptr))
    return Fit::No("the weights are computed by the model");
  return AcceptsEpilogue(q, true, false);
}

Fit FitsPool(const KernelQuery& q) { return FitsAxes(q, Spatial2d::FromPool(q)); }

double CostOf(const KernelQuery& q, const Spatial2d& spatial) {
  const double taps = static_cast<double>(spatial.h.kernel * spatial.w.kernel);
  return RooflineNs(q.isa, 3 * taps * static_cast<double>(q.out[0].stored()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}
double CostDepthwise(const KernelQuery& q) { return CostOf(q, *Spatial2d::From(q)); }
double CostPool(const KernelQuery& q) { return CostOf(q, *Spatial2d::FromPool(q)); }

std::shared_ptr<State> MakeState(const KernelQuery& q, const Spatial2d& spatial) {
  auto state = std::make_shared<State>();
  State& s = *state;
  s.h = spatial.h;
  s.w = spatial.w;
  s.lanes = q.out[0].block;
  s.channels = q.out[0].dims[1];
  s.blocks = CeilDivide(s.channels, s.lanes);
  s.planes = q.out[0].dims[0] * s.blocks;
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  s.shape = {.kernel_h = size(s.h.kernel),
             .kernel_w = size(s.w.kernel),
             .stride = size(s.w.stride),
             .dilation = size(s.w.dilation),
             .pad_left = s.w.pad_begin,
             .in_w = s.w.in,
             .out_w = size(s.w.out)};
  const auto inside = [&](std::int64_t o) {
    return s.w.Position(o, 0) >= 0 && s.w.Position(o, s.w.kernel - 1) < s.w.in;
  };
  while (s.shape.first < s.shape.out_w && !inside(static_cast<std::int64_t>(s.shape.first)))
    ++s.shape.first;
  s.shape.last = s.shape.first;
  while (s.shape.last < s.shape.out_w && inside(static_cast<std::int64_t>(s.shape.last)))
    ++s.shape.last;
  while (s.bands < q.threads && s.h.out / s.bands >= 4) s.bands *= 2;
  return state;
}

Result<Prepared> PrepareDepthwise(const KernelQuery& q, PackStore&) {
  const std::shared_ptr<State> state = MakeState(q, *Spatial2d::From(q));
  State& s = *state;
  s.row = Blocks(q.isa).depthwise;
  const auto small = [](const ops::WindowAxis& axis) {
    return axis.kernel == 3 && axis.dilation == 1 && axis.stride <= 2;
  };
  if (small(s.h) && small(s.w) && s.h.stride == s.w.stride) s.pair = Blocks(q.isa).depthwise_pair;
  s.epilogue = EpilogueProgram::From(q);
  s.shape.clamp = s.epilogue.clamp;
  s.shape.low = s.epilogue.low;
  s.shape.high = s.epilogue.high;
  const std::int64_t taps = s.h.kernel * s.w.kernel;
  s.weights.resize(static_cast<std::size_t>(s.blocks * taps * s.lanes), 0.0F);
  s.bias.resize(static_cast<std::size_t>(s.blocks * s.lanes), 0.0F);
  const auto w = q.in[1].constant->Data<float>();
  for (std::int64_t c = 0; c < s.channels; ++c) {
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::int64_t to = (c / s.lanes * taps + t) * s.lanes + c % s.lanes;
      s.weights[static_cast<std::size_t>(to)] = w[static_cast<std::size_t>(c * taps + t)];
    }
  }
  if (q.Has(2)) std::ranges::copy(q.in[2].constant->Data<float>(), s.bias.begin());
  return Prepared{state, 0};
}

Result<Prepared> PreparePool(const KernelQuery& q, PackStore&) {
  const std::shared_ptr<State> state = MakeState(q, *Spatial2d::FromPool(q));
  const bool average = q.op->name == "AveragePool";
  state->row = average ? Blocks(q.isa).sum : Blocks(q.isa).max;
  if (average) {
    const bool include_pad = q.Int("count_include_pad") != 0;
    state->row_factors = AverageFactors(state->h, include_pad);
    state->col_factors = AverageFactors(state->w, include_pad);
    state->shape.col_factors = state->col_factors.data();
  }
  return Prepared{state, 0};
}

// Rows [begin, end) of one block of channels.
void RunBand(const KernelArgs& args, const State& s, std::int64_t plane, std::int64_t begin,
             std::int64_t end) {
  const std::int64_t in_row = s.w.in * s.lanes, out_row = s.w.out * s.lanes;
  const std::int64_t block = plane % s.blocks;
  const float* x = args.In(0) + plane * s.h.in * in_row;
  const float* rows[kTallest];
  BlockRow row = s.shape;
  row.rows = rows;
  if (!s.weights.empty()) {
    row.w = s.weights.data() + block * s.h.kernel * s.w.kernel * s.lanes;
    row.bias = s.bias.data() + block * s.lanes;
  }
  row.y_row = static_cast<std::size_t>(out_row);
  for (std::int64_t y = begin; y < end;) {
    const std::int64_t at = (plane * s.h.out + y) * out_row;
    const bool pair = s.pair != nullptr && y + 1 < end;
    const std::int64_t tall = s.h.kernel + (pair ? s.h.stride : 0);
    for (std::int64_t k = 0; k < tall; ++k) {
      const std::int64_t from = s.h.Position(y, k);
      rows[k] = s.h.Inside(from) ? x + from * in_row : nullptr;
    }
    if (!s.row_factors.empty()) row.row_factor = s.row_factors[static_cast<std::size_t>(y)];
    if (s.epilogue.residual != 0) row.residual = args.In(s.epilogue.residual) + at;
    row.y = args.Out(0) + at;
    (pair ? s.pair : s.row)(row);
    const std::int64_t done = pair ? 2 : 1;
    s.epilogue.ApplyBlock(args, row.y, row.y, done * s.w.out, s.lanes, at, block * s.lanes,
                          s.channels);
    y += done;
  }
}

// Bands of rows first, as the convolutions around cut their work: a thread finds the rows in its
// cache.
void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  Parallel(args, s.planes * s.bands, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t band = i / s.blocks % s.bands, image = i / (s.blocks * s.bands);
      RunBand(args, s, image * s.blocks + i % s.blocks, band * s.h.out / s.bands,
              (band + 1) * s.h.out / s.bands);
    }
  });
}

void RunConvolution(const KernelArgs& args) {
  const TinyAsZero tiny;
  Run(args);
}

struct GlobalState {
  const BlockTable* table = nullptr;
  std::int64_t planes = 0, lanes = 0, positions = 0;
};

Fit FitsGlobal(const KernelQuery& q) {
  return q.in[0].block != 0 ? Fit::Yes() : Fit::No("needs channels in blocks");
}

double CostGlobal(const KernelQuery& q) {
  return RooflineNs(q.isa, static_cast<double>(q.in[0].stored()),
                    static_cast<double>(q.in[0].bytes()));
}

Result<Prepared> PrepareGlobal(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<GlobalState>();
  state->table = &Blocks(q.isa);
  state->lanes = q.out[0].block;
  state->planes = q.out[0].stored() / state->lanes;
  state->positions = q.in[0].dims[2] * q.in[0].dims[3];
  return Prepared{state, 0};
}

void RunGlobal(const KernelArgs& args) {
  const auto& s = args.State<GlobalState>();
  Parallel(args, s.planes, 16, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      s.table->total(args.In(0) + i * s.positions * s.lanes, static_cast<std::size_t>(s.positions),
                     1.0F / static_cast<float>(s.positions), args.Out(0) + i * s.lanes);
    }
  });
}

}  // namespace

std::vector<KernelDef> BlockedWindowKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Conv.f32.depthwise.blocked",
                        .op = "Conv",
                        .takes_epilogue = true,
                        .blocked = true,
                        .fits = FitsDepthwise,
                        .cost_ns = CostDepthwise,
                        .prepare = PrepareDepthwise,
                        .run = RunConvolution});
  for (const std::string_view op : {"AveragePool", "MaxPool"}) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32.blocked", op),
                          .op = std::string(op),
                          .blocked = true,
                          .fits = FitsPool,
                          .cost_ns = CostPool,
                          .prepare = PreparePool,
                          .run = Run});
  }
  AddForEveryIsa(defs, {.name = "GlobalAveragePool.f32.blocked",
                        .op = "GlobalAveragePool",
                        .blocked = true,
                        .fits = FitsGlobal,
                        .cost_ns = CostGlobal,
                        .prepare = PrepareGlobal,
                        .run = RunGlobal});
  return defs;
}

}  // namespace athanor::kernels
