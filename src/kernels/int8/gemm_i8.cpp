#include <algorithm>

#include "kernels/int8/int8.h"
#include "kernels/int8/packed_columns.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

struct State : PackedColumns {
  const MatrixTable* matrix = nullptr;
  RequantPlan requant;
  AfterBytes after;
};

bool IsGemm(const KernelQuery& q) { return q.op->name == "Gemm"; }
bool IsTransposed(const KernelQuery& q) { return IsGemm(q) && q.Int("transB") != 0; }

// The weight matrix with one row per output.
std::vector<std::int16_t> WeightRows(const KernelQuery& q, std::int64_t n, std::int64_t k) {
  std::vector<std::int16_t> weights = CentredWeights(q, IsTransposed(q) ? 0 : 1);
  if (IsTransposed(q)) return weights;
  std::vector<std::int16_t> turned(weights.size());
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < n; ++j)
      turned[static_cast<std::size_t>(j * k + i)] = weights[static_cast<std::size_t>(i * n + j)];
  }
  return turned;
}

struct GemmI8 {
  static constexpr bool kTakesTables = true;

  static Fit Fits(const KernelQuery& q) {
    if (q.in[1].rank() != 2) return Fit::No("the second matrix has no two dimensions");
    if (q.in[0].rank() < 2) return Fit::No("the first matrix is a vector");
    Fit weights = FitsWeights(q, IsTransposed(q) ? 0 : 1);
    if (!weights.yes()) return weights;
    if (IsGemm(q) && (q.Int("transA") != 0 || q.Float("alpha") != 1 || q.Float("beta") != 1))
      return Fit::No("only alpha and beta of 1 and a first matrix that is not transposed");
    if (q.in[0].dims.back() > MostProducts(q))
      return Fit::No(fmt::format("sums of more than {} products", MostProducts(q)));
    return Fit::Yes();
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    return ProductsNs(
        variant, static_cast<double>(q.out[0].count()) * static_cast<double>(q.in[0].dims.back()));
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore& store, Variant variant) {
    auto s = std::make_shared<State>();
    s->table = &Lanes(variant);
    s->matrix = &Matrices(variant);
    s->after = AfterBytes::From(q, IsaOf(variant));
    s->k = q.in[0].dims.back();
    s->n = q.out[0].dims.back();
    s->m = q.out[0].count() / s->n;
    const auto bytes = static_cast<std::int64_t>(s->table->element_bytes);
    s->row = CeilDivide(s->k * bytes, 4) * 4;
    s->tiles = CeilDivide(s->m, static_cast<std::int64_t>(s->table->rows));
    s->panels = CeilDivide(s->n, 2 * s->lanes());
    s->flip = FlipOf(q.quant->inputs[0]);
    s->direct = bytes == 1 && s->k % 4 == 0 && s->flip == 0;
    const std::vector<std::int16_t> rows = WeightRows(q, s->n, s->k);
    for (std::int64_t pass = 0; pass < PassesFor(rows, s->table->element_bytes); ++pass) {
      for (std::int64_t at = 0; at < s->row; at += 4)
        s->offsets.push_back(static_cast<std::uint32_t>(at));
    }
    ATH_TRY(s->requant, RequantPlan::ForWeights(q, SumsOfRows(rows, s->n), true));
    ATH_TRY(s->weights, store.Get(*q.in[1].constant,
                                  fmt::format("gemm i8 {} {} {}", Name(variant),
                                              IsTransposed(q) ? "rows" : "columns",
                                              ToString(q.quant->inputs[1].zeros)),
                                  s->panels * s->PanelBytes(), [&](void* to) {
                                    s->Pack(rows, static_cast<std::uint8_t*>(to));
                                  }));
    return Prepared{s, s->direct ? 0 : s->m * s->row};
  }

  static void RunTile(const State& s, std::int64_t tile, std::int64_t panel, const std::uint8_t* x,
                      std::uint8_t* y) {
    alignas(64) std::int32_t sums[PackedColumns::kMostSums];
    const auto [first, rows, column, width, stride] = s.Multiply(tile, panel, x, sums);
    const Requant how = s.requant.how();
    for (std::int64_t row = 0; row < rows; ++row) {
      std::uint8_t* const to = y + (first + row) * s.n + column;
      s.matrix->finish_columns(sums + row * stride, static_cast<std::size_t>(width), how,
                               static_cast<std::size_t>(column), to);
      s.after(to, width);
    }
  }

  static void Run(const KernelArgs& args) {
    const State& s = args.State<State>();
    const auto* x = args.In<std::uint8_t>(0);
    if (!s.direct) {
      auto* const staged = reinterpret_cast<std::uint8_t*>(args.scratch);
      Parallel(args, s.m, 16, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t row = begin; row < end; ++row)
          s.StageRow(x + row * s.k, staged + row * s.row);
      });
      x = staged;
    }
    Parallel(args, s.panels * s.tiles, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i)
        RunTile(s, i % s.tiles, i / s.tiles, x, args.Out<std::uint8_t>(0));
    });
  }
};

}  // namespace

std::vector<KernelDef> Int8GemmKernels() {
  std::vector<KernelDef> defs = DefineAll<GemmI8>("Gemm", "");
  for (KernelDef& def : DefineAll<GemmI8>("MatMul", "")) defs.push_back(std::move(def));
  return defs;
}

}  // namespace athanor::kernels
