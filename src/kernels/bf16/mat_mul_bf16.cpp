// MatMul and Gemm with a constant second matrix, with factors in bf16: the rows of the first are
// rounded into scratch memory, then panels of 32 columns of the second pass over all of them.
#include <algorithm>

#include "kernels/bf16/bf16.h"
#include "kernels/bf16/table.h"
#include "kernels/divide.h"
#include "kernels/epilogue.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

using bf16::kTable;
constexpr auto kLanes = static_cast<std::int64_t>(bf16::kLanes);
constexpr auto kTallest = static_cast<std::int64_t>(bf16::kTallest);
constexpr auto kPairBytes = static_cast<std::int64_t>(bf16::kPairBytes);
constexpr std::int64_t kPanel = 2;  // vectors of columns that pass together
constexpr std::int64_t kMostK = 1 << 24;

struct State {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t row = 0;  // bytes of a staged row
  std::int64_t tiles = 0, panels = 0;
  std::vector<std::uint32_t> offsets;
  std::shared_ptr<const void> weights;  // per panel [step][vector][lane] of pairs
  std::size_t bias = 0;                 // input with one value per column; 0: none
  EpilogueProgram epilogue;

  std::int64_t TileBegin(std::int64_t tile) const { return tile * m / tiles; }
  std::int64_t Vectors(std::int64_t panel) const {
    return std::min(kPanel, CeilDivide(n, kLanes) - panel * kPanel);
  }
  std::int64_t steps() const { return std::ssize(offsets); }
  std::int64_t PanelBytes() const { return steps() * kPanel * kLanes * kPairBytes; }
};

bool IsGemm(const KernelQuery& q) { return q.op->name == "Gemm"; }
bool IsTransposed(const KernelQuery& q) { return IsGemm(q) && q.Int("transB") != 0; }

Fit FitsGemm(const KernelQuery& q) {
  if (q.Int("transA") != 0 || q.Float("alpha") != 1)
    return Fit::No("only alpha of 1 and a first matrix that is not transposed");
  if (!q.Has(2)) return Fit::Yes();
  const bool per_column = q.in[2].count() == q.out[0].dims[1] && !q.in[2].dims.empty() &&
                          q.in[2].dims.back() == q.out[0].dims[1];
  if (!per_column) return Fit::No("c is not one value per column");
  return q.Float("beta") == 1 ? Fit::Yes() : Fit::No("beta is not 1");
}

Fit Fits(const KernelQuery& q) {
  Fit allowed = bf16::Allowed(q);
  if (!allowed.yes()) return allowed;
  if (q.in[0].dtype != DType::kF32 || q.in[1].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.in[1].constant == nullptr) return Fit::No("the second matrix is computed by the model");
  if (q.in[1].rank() != 2) return Fit::No("the second matrix has no two dimensions");
  if (q.in[0].rank() < 2) return Fit::No("the first matrix is a vector");
  const std::int64_t k = q.in[0].dims.back();
  if (k == 0 || k > kMostK) return Fit::No("nothing to sum, or more than 2^24 products");
  if (IsGemm(q)) {
    Fit gemm = FitsGemm(q);
    if (!gemm.yes()) return gemm;
  }
  return AcceptsEpilogue(q, false, true);
}

double Cost(const KernelQuery& q) {
  const double outputs = static_cast<double>(q.out[0].count());
  const double products = outputs * static_cast<double>(q.in[0].dims.back());
  // Of the f32 kernels' estimates: 120 flops and 20 bytes per nanosecond.
  constexpr double kRate = 60, kBytes = 20, kStaged = 60;
  const double bytes = 2 * static_cast<double>(q.in[1].count()) +
                       static_cast<double>(q.in[0].bytes() + q.out[0].bytes());
  return 400 + std::max(products / (kRate * bf16::Speed()), bytes / kBytes) +
         static_cast<double>(q.in[0].bytes()) / kStaged;
}

// w(i, j) at w[i * row + j * column].
void PackPanels(const State& s, const float* w, std::int64_t row, std::int64_t column,
                std::uint32_t* to) {
  for (std::int64_t panel = 0; panel < s.panels; ++panel) {
    const std::int64_t first = panel * kPanel * kLanes, end = first + s.Vectors(panel) * kLanes;
    for (std::int64_t i = 0; i < s.k; i += 2) {
      for (std::int64_t j = first; j < end; ++j) {
        const float one = j < s.n ? w[i * row + j * column] : 0.0F;
        const float two = j < s.n && i + 1 < s.k ? w[(i + 1) * row + j * column] : 0.0F;
        *to++ = bf16::PairOf(one, two);
      }
    }
  }
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  State& s = *state;
  s.k = q.in[0].dims.back();
  s.n = q.out[0].dims.back();
  s.m = q.out[0].count() / std::max<std::int64_t>(1, s.n);
  s.tiles = CeilDivide(s.m, kTallest);
  s.panels = CeilDivide(s.n, kPanel * kLanes);
  // An odd number of lines: the rows of a tile then fall into different sets of a cache.
  s.row = (CeilDivide(s.k * 2, 64) | 1) * 64;
  for (std::int64_t at = 0; at < s.k; at += 2)
    s.offsets.push_back(static_cast<std::uint32_t>(at * 2));
  s.epilogue = EpilogueProgram::From(q, /*column_bias=*/!IsGemm(q) || !q.Has(2));
  s.bias = IsGemm(q) && q.Has(2) ? 2 : s.epilogue.column_bias;
  const Tensor& w = *q.in[1].constant;
  const bool turned = IsTransposed(q);
  ATH_TRY(s.weights,
          store.Get(w, fmt::format("matrix bf16 {}", turned ? "rows" : "columns"),
                    s.steps() * CeilDivide(s.n, kLanes) * kLanes * kPairBytes, [&](void* to) {
                      PackPanels(s, w.Data<float>().data(), turned ? 1 : s.n, turned ? s.k : 1,
                                 static_cast<std::uint32_t*>(to));
                    }));
  return Prepared{state, s.m * s.row};
}

void RunTile(const KernelArgs& args, const State& s, std::int64_t tile, std::int64_t panel) {
  const std::int64_t first = s.TileBegin(tile), rows = s.TileBegin(tile + 1) - first;
  const std::int64_t vectors = s.Vectors(panel), column = panel * kPanel * kLanes;
  const std::int64_t width = std::min(vectors * kLanes, s.n - column);
  const std::int64_t at = first * s.n + column;
  const std::byte* const weights =
      static_cast<const std::byte*>(s.weights.get()) + panel * s.PanelBytes();
  // The first tiles ask for the next panel, which would come from memory else.
  const bool ask = panel + 1 < s.panels && tile < s.Vectors(panel + 1);
  const bf16::Tile t = {
      .steps = s.offsets.size(),
      .x = args.scratch + first * s.row,
      .stride = static_cast<std::size_t>(s.row),
      .offsets = s.offsets.data(),
      .weights = weights,
      .soon = ask ? weights + s.PanelBytes() + tile * s.steps() * 64 : nullptr,
      .y = args.Out(0) + at,
      .y_row = static_cast<std::size_t>(s.n),
      .y_vector = bf16::kLanes,
      .last = static_cast<std::size_t>(width - (vectors - 1) * kLanes),
      .bias = s.bias != 0 ? args.In(s.bias) + column : nullptr,
      .residual = s.epilogue.residual != 0 ? args.In(s.epilogue.residual) + at : nullptr,
      .clamp = s.epilogue.clamp,
      .low = s.epilogue.low,
      .high = s.epilogue.high};
  kTable.product[vectors][rows](t);
  if (s.epilogue.steps.empty()) return;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t begin = at + row * s.n;
    s.epilogue.Apply(args, args.Out(0) + begin, width, begin, 0, column);
  }
}

void StageRow(const State& s, const float* x, std::byte* to) {
  kTable.narrow(x, static_cast<std::size_t>(s.k), reinterpret_cast<std::uint16_t*>(to));
  std::fill(to + s.k * 2, to + s.row, std::byte{0});
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  Parallel(args, s.m, 16, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t row = begin; row < end; ++row)
      StageRow(s, args.In(0) + row * s.k, args.scratch + row * s.row);
  });
  Parallel(args, s.panels * s.tiles, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) RunTile(args, s, i % s.tiles, i / s.tiles);
  });
}

}  // namespace

std::vector<KernelDef> Bf16MatMulKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"Gemm", "MatMul"}) {
    defs.push_back({.name = fmt::format("{}.bf16.packed.avx512", op),
                    .op = std::string(op),
                    .isa = Isa::kAvx512,
                    .takes_epilogue = true,
                    .fits = Fits,
                    .cost_ns = Cost,
                    .prepare = Prepare,
                    .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
