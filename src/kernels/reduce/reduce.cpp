// ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceProd,
// ReduceSum, ReduceSumSquare.
//
// Neighbouring axes that are all kept or all reduced are one axis. When the last one is reduced,
// runs are folded across into one element; when it is kept, whole rows are folded down into the
// result.
#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/elementwise/unary.h"
#include "kernels/every_isa.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

enum class Finish : std::uint8_t { kNone, kMean, kRoot, kLog, kLogShifted };

struct Operator {
  std::string_view op;
  FoldKind kind;
  Finish finish = Finish::kNone;
};

constexpr Operator kOperators[] = {
    {"ReduceL1", FoldKind::kSumMagnitude},
    {"ReduceL2", FoldKind::kSumSquare, Finish::kRoot},
    {"ReduceLogSum", FoldKind::kSum, Finish::kLog},
    {"ReduceLogSumExp", FoldKind::kSumExp, Finish::kLogShifted},
    {"ReduceMax", FoldKind::kMax},
    {"ReduceMean", FoldKind::kSum, Finish::kMean},
    {"ReduceMin", FoldKind::kMin},
    {"ReduceProd", FoldKind::kProduct},
    {"ReduceSum", FoldKind::kSum},
    {"ReduceSumSquare", FoldKind::kSumSquare},
};

const Operator& Find(const KernelQuery& q) {
  return *std::find_if(std::begin(kOperators), std::end(kOperators),
                       [&](const Operator& row) { return row.op == q.op->name; });
}

// bool is 0 or 1: as u8 for extremes.
FoldRow RowFor(Isa isa, DType dtype, FoldKind kind) {
  const FoldTable& table = Folds(isa);
  const auto at = static_cast<std::size_t>(kind);
  switch (dtype) {
    case DType::kF32:
      return table.f32[at];
    case DType::kI8:
      return table.i8[at];
    case DType::kU8:
    case DType::kBool:
      return table.u8[at];
    case DType::kI32:
      return table.i32[at];
    case DType::kI64:
      return table.i64[at];
    default:
      return {};
  }
}

struct State {
  FoldRow fold, largest;  // `largest`: the shift of kLogShifted
  Finish finish = Finish::kNone;
  DType dtype = DType::kF32;
  std::int64_t element = 4;
  alignas(8) std::array<std::byte, 8> neutral = {};
  Walk kept, reduced;      // without the last, inner dimension
  std::int64_t inner = 1;  // elements of a run (across) or of a row of the result (down)
  bool across = true;
  std::int64_t folded = 1;  // elements per result
  UnaryF32 log = nullptr, root = nullptr;
};

Fit Fits(const KernelQuery& q) {
  const Operator& op = Find(q);
  const DType dtype = q.in[0].dtype;
  if (RowFor(q.isa, dtype, op.kind).across == nullptr)
    return Fit::No(fmt::format("not for {}", Name(dtype)));
  if (dtype != DType::kF32 && op.finish != Finish::kNone && op.finish != Finish::kMean)
    return Fit::No("roots and logarithms of f32 only");
  if (q.in[0].rank() > static_cast<std::int64_t>(Walk::kMostDims))
    return Fit::No("too many dimensions");
  if (!ReducedAxes(q)) return Fit::No("its axes are computed by the model");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  const double flops = Find(q).finish == Finish::kLogShifted ? 20 : 1;
  return RooflineNs(q.isa, flops * static_cast<double>(q.in[0].count()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

// What the fold starts with.
template <class T>
T Neutral(FoldKind kind) {
  using Limits = std::numeric_limits<T>;
  if (kind == FoldKind::kProduct) return T(1);
  if (kind == FoldKind::kMax) return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  if (kind == FoldKind::kMin) return Limits::has_infinity ? Limits::infinity() : Limits::max();
  return T(0);
}

void SetWalks(const KernelQuery& q, State& s) {
  const std::vector<bool> reduced = *ReducedAxes(q);
  // Neighbours of one kind joined; dimensions of 1 belong to either.
  Dims dims;
  std::vector<bool> kinds;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    const std::int64_t dim = q.in[0].dims[i];
    if (dim == 1) continue;
    if (!kinds.empty() && kinds.back() == reduced[i]) {
      dims.back() *= dim;
    } else {
      dims.push_back(dim);
      kinds.push_back(reduced[i]);
    }
  }
  if (dims.empty()) {
    dims.push_back(1);
    kinds.push_back(true);
  }
  const Dims strides = RowMajorStrides(dims);
  s.inner = dims.back();
  s.across = kinds.back();
  s.folded = s.across ? s.inner : 1;
  for (std::size_t i = 0; i + 1 < dims.size(); ++i) {
    (kinds[i] ? s.reduced : s.kept).Add(dims[i], strides[i]);
    if (kinds[i]) s.folded *= dims[i];
  }
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const Operator& op = Find(q);
  state->dtype = q.in[0].dtype;
  state->fold = RowFor(q.isa, state->dtype, op.kind);
  state->largest = RowFor(q.isa, state->dtype, FoldKind::kMax);
  state->finish = op.finish;
  state->element = static_cast<std::int64_t>(ElementBytes(state->dtype));
  using Types = TypeList<float, std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;
  const DType as = state->dtype == DType::kBool ? DType::kU8 : state->dtype;
  ATH_RETURN_IF_ERROR(Dispatch(Types{}, as, [&](auto tag) -> Status {
    const auto neutral = Neutral<typename decltype(tag)::Type>(op.kind);
    std::memcpy(state->neutral.data(), &neutral, sizeof(neutral));
    if (state->dtype == DType::kBool && op.kind == FoldKind::kMin) state->neutral[0] = std::byte{1};
    return {};
  }));
  SetWalks(q, *state);
  state->log = Unary(q.isa).log;
  state->root = Unary(q.isa).sqrt;
  const bool shifted = op.finish == Finish::kLogShifted && !state->across;
  return Prepared{state, shifted ? q.threads * ((state->inner * 4 + 63) / 64 * 64) : 0};
}

void Fill(const State& s, const void* value, std::byte* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i)
    std::memcpy(y + i * s.element, value, static_cast<std::size_t>(s.element));
}

template <class T>
void Divide(void* y, std::int64_t n, std::int64_t by) {
  T* values = static_cast<T*>(y);
  for (std::int64_t i = 0; i < n; ++i) values[i] = static_cast<T>(values[i] / static_cast<T>(by));
}

// After the fold, on n results.
void FinishRow(const State& s, std::byte* y, const float* shift, std::int64_t n) {
  auto* floats = reinterpret_cast<float*>(y);
  switch (s.finish) {
    case Finish::kNone:
      return;
    case Finish::kMean:
      if (s.dtype == DType::kF32) Divide<float>(y, n, s.folded);
      if (s.dtype == DType::kI32) Divide<std::int32_t>(y, n, s.folded);
      if (s.dtype == DType::kI64) Divide<std::int64_t>(y, n, s.folded);
      return;
    case Finish::kRoot:
      s.root(floats, floats, static_cast<std::size_t>(n), nullptr);
      return;
    case Finish::kLog:
    case Finish::kLogShifted:
      s.log(floats, floats, static_cast<std::size_t>(n), nullptr);
      for (std::int64_t i = 0; shift != nullptr && i < n; ++i) floats[i] += shift[i];
      return;
  }
}

// n results whose folds begin at x: one across, or a row of them down.
void FoldInto(const State& s, const std::byte* x, std::byte* y, float* shift, std::int64_t n) {
  const auto fold = [&](const FoldRow& row, const void* start, const void* by, void* to) {
    Fill(s, start, static_cast<std::byte*>(to), n);
    const auto length = static_cast<std::size_t>(s.across ? s.inner : n);
    s.reduced.Each([&](std::int64_t offset) {
      (s.across ? row.across : row.down)(x + offset * s.element, by, to, length);
    });
  };
  if (s.finish != Finish::kLogShifted) {
    fold(s.fold, s.neutral.data(), nullptr, y);
    FinishRow(s, y, nullptr, n);
    return;
  }
  // Shifted by the largest, so that exp does not overflow; an infinite shift would give NaN.
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  fold(s.largest, &kLowest, nullptr, shift);
  for (std::int64_t i = 0; i < n; ++i) shift[i] = std::isinf(shift[i]) ? 0 : shift[i];
  fold(s.fold, s.neutral.data(), shift, y);
  FinishRow(s, y, shift, n);
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 32768;
  const State& s = args.State<State>();
  const auto* x = args.In<std::byte>(0);
  auto* y = args.Out<std::byte>(0);
  const std::int64_t grain =
      std::max<std::int64_t>(1, kGrain / (s.folded * (s.across ? 1 : s.inner)));
  const std::int64_t scratch = (s.inner * 4 + 63) / 64 * 64;
  if (s.kept.count == 1 && !s.across) {
    // One row of results: the columns are shared.
    const std::int64_t columns = std::max<std::int64_t>(16, kGrain / s.folded);
    Parallel(args, s.inner, columns, [&](std::int64_t begin, std::int64_t end, int thread) {
      float* shift = reinterpret_cast<float*>(args.scratch + thread * scratch);
      FoldInto(s, x + begin * s.element, y + begin * s.element, shift, end - begin);
    });
    return;
  }
  Parallel(args, s.kept.count, grain, [&](std::int64_t begin, std::int64_t end, int thread) {
    float one = 0;
    float* shift = s.across ? &one : reinterpret_cast<float*>(args.scratch + thread * scratch);
    const std::int64_t n = s.across ? 1 : s.inner;
    for (std::int64_t i = begin; i < end; ++i)
      FoldInto(s, x + s.kept.Offset(i) * s.element, y + i * n * s.element, shift, n);
  });
}

}  // namespace

std::optional<std::vector<bool>> ReducedAxes(const KernelQuery& q) {
  const auto rank = static_cast<std::size_t>(q.in[0].rank());
  std::vector<bool> reduced(rank, false);
  if (q.Has(1) && q.in[1].count() > 0) {
    const auto axes = q.ConstInts(1);
    if (!axes) return std::nullopt;
    for (const std::int64_t axis : *axes) {
      const std::int64_t at = axis < 0 ? axis + q.in[0].rank() : axis;
      if (at < 0 || at >= q.in[0].rank()) return std::nullopt;
      reduced[static_cast<std::size_t>(at)] = true;
    }
    return reduced;
  }
  reduced.assign(rank, q.Int("noop_with_empty_axes") == 0);
  return reduced;
}

const FoldTable& Folds(Isa isa) {
  const FoldTable* const tables[] = {&base::kFolds, &avx2::kFolds, &avx512::kFolds};
  return *tables[static_cast<std::size_t>(isa)];
}

std::vector<KernelDef> ReduceKernels() {
  std::vector<KernelDef> defs;
  for (const Operator& row : kOperators) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.fold", row.op),
                          .op = std::string(row.op),
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
