// DequantizedMatMul: weights stay bytes or nibbles in memory. A few rows of x meet them as they
// arrive; for more rows each block of a panel becomes floats once, in a near cache, and goes
// through the micro-kernels of every product.
#include <algorithm>
#include <cstring>

#include "kernels/every_isa.h"
#include "kernels/gemm/mat_mul.h"
#include "kernels/gemm/product.h"
#include "kernels/gemm/weights_table.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

constexpr std::int64_t kFewRows = 8;
constexpr std::int64_t kMostCols = 32;

const WeightTable& Weights(Isa isa) {
  const WeightTable* const tables[] = {&base::kWeights, &avx2::kWeights, &avx512::kWeights};
  return *tables[static_cast<std::size_t>(isa)];
}

struct State {
  const WeightTable* table = nullptr;
  GemmShape shape;
  std::int64_t group = 1;
  bool nibbles = false;
  std::shared_ptr<const void> packed;
  EpilogueProgram in_order;                     // after a few rows
  EpilogueProgram epilogue;                     // of the micro-kernels
  std::int64_t a_floats = 0, block_floats = 0;  // of the scratch memory

  std::int64_t HeadBytes() const { return shape.cols() * 5; }
  std::int64_t StepBytes() const { return shape.cols() * 4; }
  std::int64_t step() const { return nibbles ? 8 : 4; }  // rows of a word
  std::int64_t groups() const { return CeilDivide(shape.k, group); }
  std::int64_t GroupBytes() const { return HeadBytes() + CeilDivide(group, step()) * StepBytes(); }
  std::int64_t PanelBytes() const { return CeilDivide(groups() * GroupBytes(), 64) * 64; }
  WeightPanel Panel(std::int64_t panel) const {
    return {static_cast<const std::uint8_t*>(packed.get()) + panel * PanelBytes(),
            static_cast<std::size_t>(shape.k), static_cast<std::size_t>(group)};
  }
};

// How a constant lies: element (k, n) of the weights, and the numbers of its scale.
struct Layout {
  std::int64_t row = 0, column = 0;                  // strides of w
  std::int64_t group_stride = 0, column_stride = 0;  // of the scales
  std::int64_t group = 1;
};

bool Flag(const KernelQuery& q) { return q.Int("transB") != 0; }

// Nothing when scales belong to rows of the weights, or to blocks of columns.
std::optional<Layout> LayoutOf(const KernelQuery& q, std::int64_t k, std::int64_t n) {
  const bool turned = Flag(q);
  Layout layout = {.row = turned ? 1 : n, .column = turned ? k : 1, .group = k};
  if (q.in[2].count() == 1) return layout;
  std::int64_t axis = q.Int("axis");
  if (axis < 0) axis += 2;
  const std::int64_t size = q.Int("block_size");
  const bool along_k = axis == (turned ? 1 : 0);
  if (along_k != (size != 0)) return std::nullopt;
  layout.column_stride = 1;
  if (size == 0) return layout;
  layout.group = std::min(size, k);
  layout.group_stride = turned ? 1 : n;
  layout.column_stride = turned ? CeilDivide(k, size) : 1;
  return layout;
}

// Added to integers so that they are unsigned; nothing for types that no kernel takes.
std::optional<int> OffsetOf(DType dtype) {
  if (dtype == DType::kU8 || dtype == DType::kU4) return 0;
  if (dtype == DType::kI8) return 128;
  if (dtype == DType::kI4) return 8;
  return std::nullopt;
}

// One byte in memory whatever its width.
int IntegerAt(const Tensor& tensor, std::int64_t i) {
  const auto* const bytes = static_cast<const std::uint8_t*>(tensor.raw());
  const int value = bytes[i];
  return IsSigned(tensor.dtype()) && value >= 128 ? value - 256 : value;
}

struct Source {
  const Tensor& w;
  const Tensor& scale;
  const Tensor* zero = nullptr;
  Layout layout;
  int offset = 0;

  std::uint8_t Weight(std::int64_t k, std::int64_t n) const {
    return static_cast<std::uint8_t>(IntegerAt(w, k * layout.row + n * layout.column) + offset);
  }
  std::int64_t ScaleIndex(std::int64_t group, std::int64_t n) const {
    return group * layout.group_stride + n * layout.column_stride;
  }
  float Scale(std::int64_t group, std::int64_t n) const {
    return scale.Data<float>()[static_cast<std::size_t>(ScaleIndex(group, n))];
  }
  std::uint8_t Zero(std::int64_t group, std::int64_t n) const {
    if (zero == nullptr) return static_cast<std::uint8_t>(offset);
    const std::int64_t at = zero->count() == 1 ? 0 : ScaleIndex(group, n);
    return static_cast<std::uint8_t>(IntegerAt(*zero, at) + offset);
  }
};

// Columns beyond the last have scales of 0.
void PackPanel(const State& s, const Source& source, std::int64_t panel, std::uint8_t* to) {
  const std::int64_t cols = s.shape.cols(), first = panel * cols, bits = 32 / s.step();
  const std::int64_t width = std::min(cols, s.shape.n - first);
  std::memset(to, 0, static_cast<std::size_t>(s.PanelBytes()));
  for (std::int64_t group = 0; group < s.groups(); ++group) {
    for (std::int64_t j = 0; j < width; ++j) {
      const float scale = source.Scale(group, first + j);
      std::memcpy(to + j * 4, &scale, 4);
      to[cols * 4 + j] = source.Zero(group, first + j);
    }
    to += s.HeadBytes();
    const std::int64_t begin = group * s.group, end = std::min(s.shape.k, begin + s.group);
    for (std::int64_t k = begin; k < end; k += s.step(), to += s.StepBytes()) {
      for (std::int64_t j = 0; j < width; ++j) {
        std::uint32_t word = 0;
        for (std::int64_t i = 0; i < std::min(s.step(), end - k); ++i)
          word |= std::uint32_t{source.Weight(k + i, first + j)} << (bits * i);
        std::memcpy(to + j * 4, &word, 4);
      }
    }
  }
}

std::size_t HashOf(const Tensor& tensor) {
  return std::hash<std::string_view>()(
      {static_cast<const char*>(tensor.raw()), static_cast<std::size_t>(tensor.bytes())});
}

struct Sizes {
  std::int64_t m = 0, n = 0, k = 0;
};
Sizes SizesOf(const KernelQuery& q) {
  const std::int64_t n = q.out[0].dims.back();
  return {q.out[0].count() / n, n, q.in[0].dims.back()};
}

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32 || q.in[2].dtype != DType::kF32)
    return Fit::No("x and scales of f32 only");
  if (!OffsetOf(q.in[1].dtype)) return Fit::No("weights of 4 or 8 bits only");
  for (std::size_t i = 1; i < q.own_inputs; ++i) {
    if (q.Has(i) && q.in[i].constant == nullptr) return Fit::No("weights that the model computes");
  }
  const Sizes sizes = SizesOf(q);
  if (sizes.k == 0) return Fit::No("nothing to sum");
  if (!LayoutOf(q, sizes.k, sizes.n)) return Fit::No("scales of rows, or of blocks of columns");
  return AcceptsEpilogue(q, false, true);
}

double Cost(const KernelQuery& q) {
  const auto [m, n, k] = SizesOf(q);
  const double weights = static_cast<double>(n) * static_cast<double>(k);
  // To floats, once for a few rows.
  const double flops = weights * (2 * static_cast<double>(m) + 4);
  const double bytes =
      weights * ElementBits(q.in[1].dtype) / 8 + 5 * static_cast<double>(q.in[2].count());
  return RooflineNs(q.isa, flops, bytes + static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  State& s = *state;
  const auto [m, n, k] = SizesOf(q);
  s.table = &Weights(q.isa);
  s.shape = GemmShape(q.isa, m, n, k);
  s.nibbles = ElementBits(q.in[1].dtype) == 4;
  s.in_order = EpilogueProgram::InOrder(q);
  s.epilogue = EpilogueProgram::From(q, /*column_bias=*/true);
  const Source source = {.w = *q.in[1].constant,
                         .scale = *q.in[2].constant,
                         .zero = q.Has(3) ? q.in[3].constant : nullptr,
                         .layout = *LayoutOf(q, k, n),
                         .offset = *OffsetOf(q.in[1].dtype)};
  s.group = source.layout.group;
  const std::string recipe =
      fmt::format("weights {} {} groups of {} {} scales {:x} zeros {:x}", s.shape.cols(),
                  Name(source.w.dtype()), s.group, Flag(q) ? "rows" : "columns",
                  HashOf(source.scale), source.zero != nullptr ? HashOf(*source.zero) : 0);
  ATH_TRY(s.packed, store.Get(source.w, recipe, s.shape.panels * s.PanelBytes(), [&](void* to) {
    for (std::int64_t panel = 0; panel < s.shape.panels; ++panel)
      PackPanel(s, source, panel, static_cast<std::uint8_t*>(to) + panel * s.PanelBytes());
  }));
  if (m <= kFewRows) return Prepared{state, 0};
  s.a_floats = WholeLines(s.shape.PackedAFloats());
  s.block_floats = WholeLines(s.shape.LargestKBlock() * s.shape.cols());
  return Prepared{state, (s.a_floats + s.block_floats * q.threads) * 4};
}

void RunFewRows(const KernelArgs& args, const State& s, std::int64_t panel) {
  constexpr auto kMost = static_cast<std::int64_t>(WeightTable::kMostRows);
  alignas(64) float sums[kMost * kMostCols];
  const std::int64_t cols = s.shape.cols(), first = panel * cols, n = s.shape.n, k = s.shape.k;
  const std::int64_t width = std::min(cols, n - first);
  const WeightPanel weights = s.Panel(panel);
  for (std::int64_t row = 0; row < s.shape.m; row += kMost) {
    const std::int64_t rows = std::min(kMost, s.shape.m - row);
    s.table->product[s.nibbles ? 1 : 0][rows](weights, args.In(0) + row * k,
                                              static_cast<std::size_t>(k), sums);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t at = (row + i) * n + first;
      std::copy_n(sums + i * cols, width, args.Out(0) + at);
      s.in_order.Apply(args, args.Out(0) + at, width, at, 0, first);
    }
  }
}

void RunPanel(const KernelArgs& args, const State& s, const float* a, std::int64_t panel,
              float* block) {
  const GemmEnd end = {
      .epilogue = &s.epilogue,
      .args = &args,
      .col_bias = s.epilogue.column_bias != 0 ? args.In(s.epilogue.column_bias) : nullptr};
  const WeightPanel weights = s.Panel(panel);
  for (std::int64_t i = 0; i < s.shape.k_blocks; ++i) {
    s.table->expand[s.nibbles ? 1 : 0](weights, static_cast<std::size_t>(s.shape.KBegin(i)),
                                       static_cast<std::size_t>(s.shape.KBegin(i + 1)), block);
    MultiplyBlock(s.shape, a, block, i, 0, s.shape.tiles, panel, panel + 1, args.Out(0), s.shape.n,
                  end);
  }
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  if (s.shape.m <= kFewRows) {
    Parallel(args, s.shape.panels, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t panel = begin; panel < end; ++panel) RunFewRows(args, s, panel);
    });
    return;
  }
  auto* const packed_a = reinterpret_cast<float*>(args.scratch);
  Parallel(args, s.shape.tiles, 1, [&](std::int64_t begin, std::int64_t end, int) {
    PackTiles(s.shape, {args.In(0), s.shape.k, 1}, 1, begin, end, packed_a);
  });
  Parallel(args, s.shape.panels, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* const block = packed_a + s.a_floats + thread * s.block_floats;
    for (std::int64_t panel = begin; panel < end; ++panel)
      RunPanel(args, s, packed_a, panel, block);
  });
}

}  // namespace

std::vector<KernelDef> WeightKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "DequantizedMatMul.weights",
                        .op = "DequantizedMatMul",
                        .takes_epilogue = true,
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
