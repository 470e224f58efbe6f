#include <algorithm>
#include <cstring>

#include "kernels/divide.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

// y[m][n] = x[m][k] w[k][n]: rows of x are staged (flipped, rounded up to 4), w is packed.
struct State {
  const MatrixTable* table = nullptr;
  RequantPlan requant;
  std::int64_t m = 0, n = 0, k = 0, steps = 0;
  std::int64_t tiles = 0, panels = 0;
  bool direct = false;  // x can be read where it lies
  std::uint8_t flip = 0;
  std::shared_ptr<const void> weights;  // panels of [step][cols][4]

  std::int64_t TileBegin(std::int64_t tile) const { return tile * m / tiles; }
  std::int64_t cols() const { return static_cast<std::int64_t>(table->cols); }
};

bool IsGemm(const KernelQuery& q) { return q.op->name == "Gemm"; }
bool IsTransposed(const KernelQuery& q) { return IsGemm(q) && q.Int("transB") != 0; }

// The weight matrix with one row per output.
std::vector<std::int8_t> WeightRows(const KernelQuery& q, std::int64_t n, std::int64_t k) {
  std::vector<std::int8_t> weights = SignedWeights(q);
  if (IsTransposed(q)) return weights;
  std::vector<std::int8_t> turned(weights.size());
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < n; ++j)
      turned[static_cast<std::size_t>(j * k + i)] = weights[static_cast<std::size_t>(i * n + j)];
  }
  return turned;
}

void PackPanels(const State& s, const std::int8_t* rows, std::uint8_t* packed) {
  for (std::int64_t panel = 0; panel < s.panels; ++panel) {
    for (std::int64_t step = 0; step < s.steps; ++step) {
      for (std::int64_t j = panel * s.cols(); j < (panel + 1) * s.cols(); ++j) {
        for (std::int64_t i = step * 4; i < step * 4 + 4; ++i)
          *packed++ = j < s.n && i < s.k ? static_cast<std::uint8_t>(rows[j * s.k + i]) : 0;
      }
    }
  }
}

struct GemmI8 {
  static Fit Fits(const KernelQuery& q) {
    if (q.in[1].rank() != 2) return Fit::No("the second matrix has no two dimensions");
    if (q.in[0].rank() < 2) return Fit::No("the first matrix is a vector");
    Fit weights = FitsWeights(q, IsTransposed(q) ? 0 : 1);
    if (!weights.yes()) return weights;
    if (IsGemm(q) && (q.Int("transA") != 0 || q.Float("alpha") != 1 || q.Float("beta") != 1))
      return Fit::No("only alpha and beta of 1 and a first matrix that is not transposed");
    if (q.in[0].dims.back() > 65'000) return Fit::No("sums of more than 65000 products");
    return Fit::Yes();
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    return ProductsNs(
        variant, static_cast<double>(q.out[0].count()) * static_cast<double>(q.in[0].dims.back()));
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore& store, Variant variant) {
    auto s = std::make_shared<State>();
    s->table = &Matrices(variant);
    s->k = q.in[0].dims.back();
    s->n = q.out[0].dims.back();
    s->m = q.out[0].count() / s->n;
    s->steps = (s->k + 3) / 4;
    const auto tallest = static_cast<std::int64_t>(s->table->rows);
    s->tiles = CeilDivide(s->m, tallest);
    s->panels = (s->n + s->cols() - 1) / s->cols();
    s->flip = FlipOf(q.quant->inputs[0]);
    s->direct = s->k % 4 == 0 && s->flip == 0;
    const std::vector<std::int8_t> rows = WeightRows(q, s->n, s->k);
    ATH_TRY(s->requant, RequantPlan::ForWeights(q, SumsOfRows(rows, s->n), true));
    ATH_TRY(s->weights,
            store.Get(*q.in[1].constant,
                      fmt::format("gemm i8 {} {}", s->cols(), IsTransposed(q) ? "rows" : "columns"),
                      s->panels * s->steps * s->cols() * 4, [&](void* to) {
                        PackPanels(*s, rows.data(), static_cast<std::uint8_t*>(to));
                      }));
    return Prepared{s, s->direct ? 0 : s->m * s->steps * 4};
  }

  static void RunTile(const State& s, std::int64_t tile, std::int64_t panel, const std::uint8_t* x,
                      std::uint8_t* y) {
    alignas(64) std::int32_t sums[15 * 32];
    const std::int64_t first = s.TileBegin(tile), rows = s.TileBegin(tile + 1) - first;
    const std::int64_t column = panel * s.cols(), width = std::min(s.cols(), s.n - column);
    s.table->gemm[rows](
        static_cast<std::size_t>(s.steps), x + first * s.steps * 4,
        static_cast<std::size_t>(s.steps * 4),
        static_cast<const std::uint8_t*>(s.weights.get()) + panel * s.steps * s.cols() * 4, sums);
    const Requant how = s.requant.how();
    for (std::int64_t row = 0; row < rows; ++row) {
      s.table->finish_columns(sums + row * s.cols(), static_cast<std::size_t>(width), how,
                              static_cast<std::size_t>(column), y + (first + row) * s.n + column);
    }
  }

  static void Run(const KernelArgs& args) {
    const State& s = args.State<State>();
    const auto* x = args.In<std::uint8_t>(0);
    if (!s.direct) {
      auto* const staged = reinterpret_cast<std::uint8_t*>(args.scratch);
      Parallel(args, s.m, 16, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t row = begin; row < end; ++row) {
          std::uint8_t* const to = staged + row * s.steps * 4;
          for (std::int64_t i = 0; i < s.k; ++i)
            to[i] = static_cast<std::uint8_t>(x[row * s.k + i] ^ s.flip);
          std::fill(to + s.k, to + s.steps * 4, 0);
        }
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
