// Softmax, LogSoftmax, Hardmax and LpNormalization along any axis.
//
// Along the last axis a row is one call. Along another one, rows of neighbouring columns go down
// the axis together, a piece of the columns at a time that stays in the first cache.
#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/norm/rows.h"
#include "kernels/reduce/reduce.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

constexpr std::int64_t kColumns = 256;  // of one piece

struct State {
  const RowTable* rows = nullptr;
  const FoldTable* folds = nullptr;
  AxisShape shape;
  bool norm_of_magnitudes = false;  // p = 1
};

using Piece = std::array<float, static_cast<std::size_t>(kColumns)>;

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  return q.in[0].rank() > 0 ? Fit::Yes() : Fit::No("no axis");
}

double Cost(const KernelQuery& q) {
  const double count = static_cast<double>(q.out[0].count());
  return RooflineNs(q.isa, 20 * count, 8 * count);
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->rows = &Rows(q.isa);
  state->folds = &Folds(q.isa);
  state->shape = AxisShape::Of(q.in[0].dims, q.Axis());
  state->norm_of_magnitudes = q.op->name == "LpNormalization" && q.Int("p") == 1;
  return Prepared{state, 0};
}

// Calls f(x, y) on rows when the axis is the last one, else g(x, y, columns) on pieces.
template <class F, class G>
void ForEachLine(const KernelArgs& args, const State& s, const F& f, const G& g) {
  const AxisShape& shape = s.shape;
  if (shape.inner == 1) {
    const std::int64_t grain = std::max<std::int64_t>(1, 4096 / shape.length);
    Parallel(args, shape.outer, grain, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i)
        f(args.In(0) + i * shape.length, args.Out(0) + i * shape.length);
    });
    return;
  }
  const std::int64_t pieces = CeilDivide(shape.inner, kColumns);
  const std::int64_t grain =
      std::max<std::int64_t>(1, 4096 / (shape.length * std::min(shape.inner, kColumns)));
  Parallel(args, shape.outer * pieces, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = i % pieces * kColumns;
      const std::int64_t at = i / pieces * shape.length * shape.inner + column;
      g(args.In(0) + at, args.Out(0) + at, std::min(kColumns, shape.inner - column));
    }
  });
}

// to[c] = fold of x[., c] down the axis, `shift` taken from each.
void FoldDown(const State& s, FoldKind kind, float neutral, const float* x, const float* shift,
              float* to, std::int64_t columns) {
  std::fill(to, to + columns, neutral);
  for (std::int64_t j = 0; j < s.shape.length; ++j) {
    FoldOf(*s.folds, kind)
        .down(x + j * s.shape.inner, shift, to, static_cast<std::size_t>(columns));
  }
}

// Two to four classes of many boxes or pixels: rows too short for a vector, so many at a time.
void RunShortSoftmax(const KernelArgs& args, const State& s) {
  const std::int64_t n = s.shape.length;
  Parallel(args, s.shape.outer, 1024, [&](std::int64_t begin, std::int64_t end, int) {
    s.rows->softmax_short(args.In(0) + begin * n, args.Out(0) + begin * n,
                          static_cast<std::size_t>(end - begin), static_cast<std::size_t>(n));
  });
}

template <bool kLog>
void RunSoftmax(const KernelArgs& args) {
  const State& s = args.State<State>();
  const auto length = static_cast<std::size_t>(s.shape.length);
  if (!kLog && s.shape.inner == 1 && length >= 2 && length <= 4) return RunShortSoftmax(args, s);
  ForEachLine(
      args, s,
      [&](const float* x, float* y) {
        (kLog ? s.rows->log_softmax : s.rows->softmax)(x, y, length);
      },
      [&](const float* x, float* y, std::int64_t columns) {
        Piece largest, factor;
        FoldDown(s, FoldKind::kMax, -INFINITY, x, nullptr, largest.data(), columns);
        FoldDown(s, FoldKind::kSumExp, 0, x, largest.data(), factor.data(), columns);
        for (std::int64_t c = 0; c < columns; ++c) {
          float& value = factor[static_cast<std::size_t>(c)];
          value = kLog ? std::log(value) : 1 / value;
        }
        for (std::int64_t j = 0; j < s.shape.length; ++j) {
          (kLog ? s.rows->log_soften : s.rows->soften)(x + j * s.shape.inner, largest.data(),
                                                       factor.data(), y + j * s.shape.inner,
                                                       static_cast<std::size_t>(columns));
        }
      });
}

// The index of the first largest of n elements that lie `step` apart.
std::int64_t FirstLargest(const float* x, std::int64_t step, std::int64_t n) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < n; ++j) {
    if (x[j * step] > x[best * step]) best = j;
  }
  return best;
}

void RunHardmax(const KernelArgs& args) {
  const State& s = args.State<State>();
  const AxisShape& shape = s.shape;
  Parallel(args, shape.outer * shape.inner, std::max<std::int64_t>(1, 16384 / shape.length),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t at =
                   i / shape.inner * shape.length * shape.inner + i % shape.inner;
               const std::int64_t best = FirstLargest(args.In(0) + at, shape.inner, shape.length);
               for (std::int64_t j = 0; j < shape.length; ++j)
                 args.Out(0)[at + j * shape.inner] = j == best ? 1.0F : 0.0F;
             }
           });
}

void RunLpNorm(const KernelArgs& args) {
  const State& s = args.State<State>();
  const FoldKind kind = s.norm_of_magnitudes ? FoldKind::kSumMagnitude : FoldKind::kSumSquare;
  constexpr float kZero = 0;
  // What is multiplied by; 0 where the norm is 0.
  const auto factor = [&](float sum) {
    const float norm = s.norm_of_magnitudes ? sum : std::sqrt(sum);
    return norm == 0 ? 0.0F : 1 / norm;
  };
  ForEachLine(
      args, s,
      [&](const float* x, float* y) {
        float by = 0;
        const auto n = static_cast<std::size_t>(s.shape.length);
        FoldOf(*s.folds, kind).across(x, nullptr, &by, n);
        by = factor(by);
        s.rows->affine(x, &by, &kZero, 0, y, n);
      },
      [&](const float* x, float* y, std::int64_t columns) {
        Piece by, zeros = {};
        FoldDown(s, kind, 0, x, nullptr, by.data(), columns);
        for (std::int64_t c = 0; c < columns; ++c)
          by[static_cast<std::size_t>(c)] = factor(by[static_cast<std::size_t>(c)]);
        for (std::int64_t j = 0; j < s.shape.length; ++j) {
          s.rows->affine(x + j * s.shape.inner, by.data(), zeros.data(), 1, y + j * s.shape.inner,
                         static_cast<std::size_t>(columns));
        }
      });
}

}  // namespace

std::vector<KernelDef> SoftmaxKernels() {
  std::vector<KernelDef> defs;
  const auto add = [&defs](std::string_view op, void (*run)(const KernelArgs&)) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32", op),
                          .op = std::string(op),
                          .in_place = true,
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = run});
  };
  add("LogSoftmax", RunSoftmax<true>);
  add("LpNormalization", RunLpNorm);
  add("Softmax", RunSoftmax<false>);
  defs.push_back({.name = "Hardmax.f32",
                  .op = "Hardmax",
                  .fits = Fits,
                  .cost_ns = Cost,
                  .prepare = Prepare,
                  .run = RunHardmax});
  return defs;
}

}  // namespace athanor::kernels
