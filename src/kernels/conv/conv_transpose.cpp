// Transposed convolution: a matrix product gives what every input element contributes to every tap
// of every output channel, and these columns are added to where they belong. Some channels and a
// band of positions at a time, so that the columns stay in the second-level cache.
#include "ops/nn/conv_transpose.h"

#include <algorithm>

#include "kernels/conv/columns.h"
#include "kernels/conv/conv.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/product.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

constexpr std::int64_t kRows = 192;  // of columns at a time, about
constexpr std::int64_t kBand = 128;  // positions at a time

struct State {
  Isa isa = Isa::kBase;
  ColumnScatter scatter;
  std::int64_t batch = 1, group = 1;
  std::int64_t depth = 1, channels = 1;  // of one group: what is summed, what is given
  std::int64_t taps = 1, in = 1, out = 1;
  std::int64_t blocks = 1;  // of channels, per image and group
  std::shared_ptr<const void> weights;
  std::int64_t weight_floats = 0;                     // of scratch, when weights are computed
  std::int64_t panel_floats = 0, scratch_floats = 0;  // per thread
  bool bias = false;
  EpilogueProgram epilogue;

  std::int64_t BlockBegin(std::int64_t block) const { return block * channels / blocks; }
  GemmShape Shape(std::int64_t block, std::int64_t positions) const {
    return GemmShape(isa, (BlockBegin(block + 1) - BlockBegin(block)) * taps, positions, depth);
  }
  // Where the weights of a block begin when they are packed.
  std::int64_t Packed(std::int64_t g, std::int64_t block) const {
    return (g * channels + BlockBegin(block)) * taps * depth;
  }
};

Result<ops::ConvGeometry> Geometry(const KernelQuery& q) {
  return ops::ResolveConvTranspose(ReadAttributes<ops::ConvTransposeAttrs>(*q.attributes),
                                   q.in[0].dims, q.in[1].dims);
}

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  const Result<ops::ConvGeometry> conv = Geometry(q);
  if (!conv.ok() || q.in[0].count() == 0 || q.in[1].count() == 0 || q.out[0].count() == 0)
    return Fit::No("nothing to compute");
  const Fit columns = ColumnScatter::Fits(conv->axes);
  return columns.yes() ? AcceptsEpilogue(q, true, false) : columns;
}

// The product, and what is written, read and added again of its columns.
double Cost(const KernelQuery& q) {
  const double rows = static_cast<double>(q.in[1].count() / q.in[1].dims[0]);
  const double inputs = static_cast<double>(q.in[0].count());
  const double depth = static_cast<double>(q.in[1].dims[0] / q.Int("group"));
  return RooflineNs(q.isa, 2 * inputs * rows, static_cast<double>(q.in[1].bytes())) +
         RooflineNs(q.isa, 0, 8 * inputs * rows / depth + static_cast<double>(q.out[0].bytes()));
}

// w[depth][channel][tap] of one group: rows (channel, tap), columns depth.
void PackWeights(const State& s, const float* w, float* packed) {
  const std::int64_t rows = s.channels * s.taps;
  for (std::int64_t g = 0; g < s.group; ++g) {
    for (std::int64_t block = 0; block < s.blocks; ++block) {
      const GemmShape shape = s.Shape(block, 1);
      PackTiles(shape, {w + g * s.depth * rows + s.BlockBegin(block) * s.taps, 1, rows}, 1.0F, 0,
                shape.tiles, packed + s.Packed(g, block));
    }
  }
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  ATH_TRY(const ops::ConvGeometry conv, Geometry(q));
  auto state = std::make_shared<State>();
  State& s = *state;
  s.isa = q.isa;
  s.scatter = ColumnScatter(conv.axes, q.isa);
  s.batch = conv.batch;
  s.group = conv.group;
  s.depth = conv.in_channels / conv.group;
  s.channels = conv.out_channels / conv.group;
  s.taps = ops::TapCount(conv.axes);
  s.in = ops::OutCount(conv.axes);
  s.out = ops::InCount(conv.axes);
  s.bias = q.Has(2);
  s.epilogue = EpilogueProgram::InOrder(q);
  const std::int64_t shared = CeilDivide(2 * q.threads, s.batch * s.group);
  const std::int64_t wanted = q.threads > 1 ? shared : 1;
  s.blocks =
      std::clamp(CeilDivide(s.channels * s.taps, kRows), std::min(wanted, s.channels), s.channels);
  const std::int64_t floats = q.in[1].count();
  if (q.in[1].constant != nullptr) {
    ATH_TRY(s.weights, store.Get(*q.in[1].constant,
                                 fmt::format("transposed tiles of {} group {} blocks {}",
                                             Gemm(q.isa).rows, s.group, s.blocks),
                                 floats * 4, [&](void* to) {
                                   PackWeights(s, q.in[1].constant->Data<float>().data(),
                                               static_cast<float*>(to));
                                 }));
  } else {
    s.weight_floats = WholeLines(floats);
  }
  const std::int64_t most = CeilDivide(s.channels, s.blocks), band = std::min(kBand, s.in);
  s.panel_floats = WholeLines(GemmShape(q.isa, 1, band, s.depth).PackedBFloats());
  s.scratch_floats = s.panel_floats + WholeLines(most * s.taps * band);
  return Prepared{state, (s.weight_floats + q.threads * s.scratch_floats) * 4};
}

void RunBlock(const KernelArgs& args, const State& s, std::int64_t image, std::int64_t block,
              const float* weights, float* scratch) {
  const std::int64_t g = image % s.group, c0 = s.BlockBegin(block);
  const std::int64_t channels = s.BlockBegin(block + 1) - c0;
  const std::int64_t offset = (image * s.channels + c0) * s.out;
  const float* x = args.In(0) + image * s.depth * s.in;
  float* const y = args.Out(0) + offset;
  float* const columns = scratch + s.panel_floats;
  for (std::int64_t c = 0; c < channels; ++c)
    std::fill_n(y + c * s.out, s.out, s.bias ? args.In(2)[g * s.channels + c0 + c] : 0.0F);
  for (std::int64_t first = 0; first < s.in; first += kBand) {
    const std::int64_t count = std::min(kBand, s.in - first);
    const GemmShape shape = s.Shape(block, count);
    PackPanels(shape, {x + first, s.in, 1}, 0, shape.panels, scratch);
    MultiplyPlain(shape, weights + s.Packed(g, block), scratch, columns, count);
    for (std::int64_t c = 0; c < channels; ++c)
      s.scatter.Add(columns + c * s.taps * count, count, first, count, y + c * s.out);
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    s.epilogue.Apply(args, y + c * s.out, s.out, offset + c * s.out, g * s.channels + c0 + c, 0);
  }
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  auto* const scratch = reinterpret_cast<float*>(args.scratch);
  if (s.weights == nullptr) PackWeights(s, args.In(1), scratch);
  const float* weights =
      s.weights != nullptr ? static_cast<const float*>(s.weights.get()) : scratch;
  Parallel(args, s.batch * s.group * s.blocks, 1,
           [&](std::int64_t begin, std::int64_t end, int thread) {
             float* const own = scratch + s.weight_floats + thread * s.scratch_floats;
             for (std::int64_t i = begin; i < end; ++i)
               RunBlock(args, s, i / s.blocks, i % s.blocks, weights, own);
           });
}

}  // namespace

std::vector<KernelDef> ConvTransposeKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "ConvTranspose.f32.gemm",
                        .op = "ConvTranspose",
                        .takes_epilogue = true,
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
