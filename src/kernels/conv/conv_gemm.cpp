#include <algorithm>

#include "kernels/conv/conv.h"
#include "kernels/conv/patches_table.h"
#include "kernels/conv/spatial.h"
#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/gemm.h"
#include "kernels/layout.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

// How the work is cut. By columns: a thread packs a band of output positions and multiplies it with
// all weights. By rows, for small images: the patches are packed once by all, then each thread
// takes some output channels, so that the weights are read once.
struct State {
  GemmShape shape;  // of one image and group: weights times patches
  PatchGeometry patches;
  PackPatchesF32 pack = nullptr;
  std::int64_t batch = 1, group = 1;
  std::shared_ptr<const void> weights;  // packed, one group after the other; none when computed
  std::int64_t weight_floats = 0;       // of scratch, for weights that are packed in every run
  bool bias = false;
  EpilogueProgram epilogue;
  bool by_rows = false;
  std::int64_t bands = 1;           // per image and group, when cut by columns
  std::int64_t scratch_floats = 0;  // per thread

  const float* Weights(const KernelArgs& args, std::int64_t g) const {
    const void* const packed = weights != nullptr ? weights.get() : args.scratch;
    return static_cast<const float*>(packed) + g * shape.PackedAFloats();
  }
  float* Scratch(const KernelArgs& args, std::int64_t thread) const {
    return reinterpret_cast<float*>(args.scratch) + weight_floats + thread * scratch_floats;
  }
  const float* Image(const KernelArgs& args, std::int64_t image) const {  // counts image and group
    return args.In(0) + image * static_cast<std::int64_t>(patches.channels * patches.plane());
  }
};

const PatchTable& Patches(Isa isa) {
  const PatchTable* const tables[] = {&base::kPatches, &avx2::kPatches, &avx512::kPatches};
  return *tables[static_cast<std::size_t>(isa)];
}

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  if (!Spatial2d::From(q)) return Fit::No("one or two spatial axes of less than 2^30 elements");
  return AcceptsEpilogue(q, true, false);
}

double Cost(const KernelQuery& q) {
  const ops::ConvGeometry conv = Spatial2d::From(q)->conv;
  const double depth = static_cast<double>(q.in[1].count()) / static_cast<double>(q.in[1].dims[0]);
  const double out = static_cast<double>(q.out[0].count());
  // Small groups leave most of a tile of registers empty.
  const double rows = static_cast<double>(conv.out_channels / conv.group);
  const double idle = rows < 8 ? 8 / rows : 1;
  // Fitted to `athanor bench --kernels conv`, as those of the other convolutions.
  constexpr double kBusy = 0.83, kWeights = 1.7, kMoved = 0.7;
  const auto moved = static_cast<double>(q.in[0].bytes() + q.out[0].bytes());
  const auto weights = static_cast<double>(q.in[1].bytes());
  // Where the elements of a vector lie is found again for every tap.
  constexpr double kFindNs = 9;
  const double finds = depth / static_cast<double>(conv.in_channels / conv.group) * out / rows /
                       static_cast<double>(BlockOf(q.isa));
  return 500 + 2 * out * depth * idle / (kBusy * q.rates.flops[static_cast<std::size_t>(q.isa)]) +
         (kWeights * weights + kMoved * moved) / q.rates.far_bytes + kFindNs * finds;
}

// w[oc][ic][tap] of one group -> rows oc, columns (tap, ic), in tiles. `turned`: m * k floats.
void PackGroup(const State& s, const float* w, float* turned, float* packed) {
  const std::int64_t channels = static_cast<std::int64_t>(s.patches.channels);
  const std::int64_t k = s.shape.k, taps = k / channels;
  for (std::int64_t row = 0; row < s.shape.m; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t t = 0; t < taps; ++t)
        turned[row * k + t * channels + c] = w[row * k + c * taps + t];
    }
  }
  PackTiles(s.shape, {turned, k, 1}, 1.0F, 0, s.shape.tiles, packed);
}

void PackWeights(const State& s, const float* w, float* turned, float* packed) {
  for (std::int64_t g = 0; g < s.group; ++g)
    PackGroup(s, w + g * s.shape.m * s.shape.k, turned, packed + g * s.shape.PackedAFloats());
}

void ChooseCut(State& s, int threads) {
  const std::int64_t images = s.batch * s.group, cols = s.shape.cols();
  const bool many_images = images >= 2 * threads;
  s.by_rows =
      threads > 1 && !many_images && s.shape.panels < 8 * threads && s.shape.tiles >= 2 * threads;
  if (s.by_rows) {
    s.scratch_floats = s.shape.PackedBFloats();
    return;
  }
  constexpr std::int64_t kBandFloats = 64 * 1024;  // 256 KiB: a quarter of a second-level cache
  const std::int64_t panel_floats = s.shape.LargestKBlock() * cols;
  const std::int64_t width = std::max<std::int64_t>(1, kBandFloats / panel_floats);
  s.bands = CeilDivide(s.shape.panels, width);
  if (!many_images) s.bands = CeilDivide(s.bands, threads) * threads;
  s.bands = std::min(s.bands, s.shape.panels);
  s.scratch_floats = CeilDivide(s.shape.panels, s.bands) * panel_floats;
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  const Spatial2d spatial = *Spatial2d::From(q);
  const ops::ConvGeometry& conv = spatial.conv;
  const auto &h = spatial.h, &w = spatial.w;
  auto state = std::make_shared<State>();
  state->patches = {.in_h = static_cast<std::int32_t>(h.in),
                    .in_w = static_cast<std::int32_t>(w.in),
                    .out_w = static_cast<std::int32_t>(w.out),
                    .kernel_w = static_cast<std::int32_t>(w.kernel),
                    .stride_h = static_cast<std::int32_t>(h.stride),
                    .stride_w = static_cast<std::int32_t>(w.stride),
                    .dilation_h = static_cast<std::int32_t>(h.dilation),
                    .dilation_w = static_cast<std::int32_t>(w.dilation),
                    .pad_top = static_cast<std::int32_t>(h.pad_begin),
                    .pad_left = static_cast<std::int32_t>(w.pad_begin),
                    .channels = static_cast<std::size_t>(conv.in_channels / conv.group)};
  state->pack = Patches(q.isa).pack;
  state->batch = conv.batch;
  state->group = conv.group;
  state->bias = q.Has(2);
  state->epilogue = EpilogueProgram::From(q);
  state->shape = GemmShape(q.isa, conv.out_channels / conv.group, h.out * w.out,
                           conv.in_channels / conv.group * h.kernel * w.kernel);
  const std::int64_t packed = conv.group * state->shape.PackedAFloats();
  const std::int64_t turned = state->shape.m * state->shape.k;
  if (q.in[1].constant != nullptr) {
    ATH_TRY(state->weights, store.Get(*q.in[1].constant,
                                      fmt::format("conv tiles of {} group {}",
                                                  state->shape.table->rows, conv.group),
                                      packed * 4, [&](void* to) {
                                        std::vector<float> room(static_cast<std::size_t>(turned));
                                        PackWeights(*state, q.in[1].constant->Data<float>().data(),
                                                    room.data(), static_cast<float*>(to));
                                      }));
  } else {
    state->weight_floats = WholeLines(packed);
  }
  ChooseCut(*state, q.threads);
  state->scratch_floats = WholeLines(state->scratch_floats);
  const std::int64_t copies = state->by_rows ? 1 : q.threads;
  // Turning happens before anything else needs the scratch of the threads.
  const std::int64_t room =
      std::max(copies * state->scratch_floats, state->weights != nullptr ? 0 : turned);
  return Prepared{state, (state->weight_floats + room) * 4};
}

GemmEnd EndFor(const KernelArgs& args, const State& s, std::int64_t image) {
  const std::int64_t channel = image % s.group * s.shape.m;
  return {.epilogue = &s.epilogue,
          .args = &args,
          .row_bias = s.bias ? args.In(2) + channel : nullptr,
          .offset = image * s.shape.m * s.shape.n,
          .channel = channel};
}

void PackPanel(const State& s, const float* x, std::int64_t k_block, std::int64_t panel,
               float* to) {
  const std::int64_t k0 = s.shape.KBegin(k_block), first = panel * s.shape.cols();
  s.pack(s.patches, x, static_cast<std::size_t>(k0),
         static_cast<std::size_t>(s.shape.KBegin(k_block + 1) - k0),
         static_cast<std::size_t>(first),
         static_cast<std::size_t>(std::min(s.shape.cols(), s.shape.n - first)), to);
}

void RunBand(const KernelArgs& args, const State& s, std::int64_t image, std::int64_t band,
             float* scratch) {
  const GemmShape& shape = s.shape;
  const std::int64_t begin = band * shape.panels / s.bands;
  const std::int64_t end = (band + 1) * shape.panels / s.bands;
  const float* x = s.Image(args, image);
  const GemmEnd finish = EndFor(args, s, image);
  for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
    const std::int64_t panel_floats =
        (shape.KBegin(block + 1) - shape.KBegin(block)) * shape.cols();
    for (std::int64_t panel = begin; panel < end; ++panel)
      PackPanel(s, x, block, panel, scratch + (panel - begin) * panel_floats);
    MultiplyBlock(shape, s.Weights(args, image % s.group), scratch, block, 0, shape.tiles, begin,
                  end, args.Out(0) + finish.offset, shape.n, finish);
  }
}

void RunByRows(const KernelArgs& args, const State& s, std::int64_t image) {
  const GemmShape& shape = s.shape;
  float* const scratch = s.Scratch(args, 0);
  const float* x = s.Image(args, image);
  Parallel(args, shape.k_blocks * shape.panels, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t block = i / shape.panels, panel = i % shape.panels;
      const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
      PackPanel(s, x, block, panel, scratch + (k0 * shape.panels + panel * kc) * shape.cols());
    }
  });
  const GemmEnd finish = EndFor(args, s, image);
  Parallel(args, shape.tiles, 1, [&](std::int64_t begin, std::int64_t end, int) {
    Multiply(shape, s.Weights(args, image % s.group), scratch, begin, end, 0, shape.panels,
             args.Out(0) + finish.offset, shape.n, finish);
  });
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  const std::int64_t images = s.batch * s.group;
  if (s.weights == nullptr)
    PackWeights(s, args.In(1), s.Scratch(args, 0), reinterpret_cast<float*>(args.scratch));
  if (s.by_rows) {
    for (std::int64_t image = 0; image < images; ++image) RunByRows(args, s, image);
    return;
  }
  Parallel(args, images * s.bands, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* const scratch = s.Scratch(args, thread);
    for (std::int64_t i = begin; i < end; ++i) RunBand(args, s, i / s.bands, i % s.bands, scratch);
  });
}

}  // namespace

std::vector<KernelDef> ConvGemmKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Conv.f32.gemm",
                        .op = "Conv",
                        .takes_epilogue = true,
                        .fits = Fits,
                        .cost_ns = Cost,
                        .rule = [](const KernelQuery&) { return 2; },
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
