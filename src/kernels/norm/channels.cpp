// BatchNormalization, InstanceNormalization, GroupNormalization, MeanVarianceNormalization and LRN:
// planes of channels, x seen as [batch, channels, plane].
#include <algorithm>
#include <cmath>

#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/norm/rows.h"
#include "kernels/reduce/reduce.h"

namespace athanor::kernels {
namespace {

struct State {
  const RowTable* rows = nullptr;
  const FoldTable* folds = nullptr;
  std::int64_t batch = 1, channels = 1, plane = 1;
  std::int64_t group = 1;  // channels normalised together
  float epsilon = 0;
  float alpha = 0, beta = 0, bias = 0;  // LRN
  std::int64_t before = 0, after = 0;   // LRN: neighbours
};

std::shared_ptr<State> NewState(const KernelQuery& q) {
  auto state = std::make_shared<State>();
  const Dims& dims = q.in[0].dims;
  state->rows = &Rows(q.isa);
  state->folds = &Folds(q.isa);
  state->batch = dims[0];
  if (dims.size() > 1) state->channels = dims[1];
  state->plane = q.in[0].count() / (state->batch * state->channels);
  state->epsilon = q.Float("epsilon");
  return state;
}

double Cost(const KernelQuery& q) {
  const double count = static_cast<double>(q.out[0].count());
  return RooflineNs(q.isa, 6 * count, 16 * count);
}

Fit FitsFloats(const KernelQuery& q) {
  for (std::size_t i = 0; i < q.own_inputs; ++i) {
    if (q.Has(i) && q.in[i].dtype != DType::kF32) return Fit::No("f32 only");
  }
  return q.in[0].rank() > 0 ? Fit::Yes() : Fit::No("no axis");
}

Fit FitsBatch(const KernelQuery& q) {
  if (q.Int("training_mode") != 0) return Fit::No("not with the statistics of the batch");
  return FitsFloats(q);
}

// x * factor + offset, with both computed from the four vectors first.
Result<Prepared> PrepareBatch(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  return Prepared{state, 2 * 4 * state->channels};
}

void RunBatch(const KernelArgs& args) {
  const State& s = args.State<State>();
  float* factors = reinterpret_cast<float*>(args.scratch);
  float* offsets = factors + s.channels;
  for (std::int64_t c = 0; c < s.channels; ++c) {
    factors[c] = args.In(1)[c] / std::sqrt(args.In(4)[c] + s.epsilon);
    offsets[c] = args.In(2)[c] - args.In(3)[c] * factors[c];
  }
  const bool columns = s.plane == 1;
  const std::int64_t rows = columns ? s.batch : s.batch * s.channels;
  const std::int64_t n = columns ? s.channels : s.plane;
  Parallel(args, rows, std::max<std::int64_t>(1, 16384 / n),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t c = columns ? 0 : i % s.channels;
               s.rows->affine(args.In(0) + i * n, factors + c, offsets + c, columns ? 1 : 0,
                              args.Out(0) + i * n, static_cast<std::size_t>(n));
             }
           });
}

Result<Prepared> PrepareGroup(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  if (q.op->name == "GroupNormalization") state->group = state->channels / q.Int("num_groups");
  return Prepared{state, 0};
}

// Pieces are summed in f32, pieces of pieces in f64: a sum of f32 alone would be off by 1e-3 after
// some ten thousand values.
double FoldAcross(const State& s, FoldKind kind, const float* x, float shift, std::int64_t n) {
  constexpr std::int64_t kPiece = 4096;
  double total = 0;
  for (std::int64_t at = 0; at < n; at += kPiece) {
    float sum = 0;
    FoldOf(*s.folds, kind)
        .across(x + at, &shift, &sum, static_cast<std::size_t>(std::min(kPiece, n - at)));
    total += static_cast<double>(sum);
  }
  return total;
}

struct Moments {
  float mean = 0, variance = 0;
};

Moments MomentsOf(const State& s, const float* x, std::int64_t n) {
  const auto count = static_cast<double>(n);
  const auto mean = static_cast<float>(FoldAcross(s, FoldKind::kSum, x, 0, n) / count);
  return {mean, static_cast<float>(FoldAcross(s, FoldKind::kSumSquare, x, mean, n) / count)};
}

void RunGroup(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::int64_t size = s.group * s.plane;
  Parallel(args, s.batch * s.channels / s.group, std::max<std::int64_t>(1, 8192 / size),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t g = begin; g < end; ++g) {
               const float* x = args.In(0) + g * size;
               float* y = args.Out(0) + g * size;
               const Moments moments = MomentsOf(s, x, size);
               const float inverse = 1 / std::sqrt(moments.variance + s.epsilon);
               for (std::int64_t k = 0; k < s.group; ++k) {
                 const std::int64_t c = (g * s.group + k) % s.channels;
                 const float factor = inverse * args.In(1)[c];
                 const float offset = args.In(2)[c] - moments.mean * factor;
                 s.rows->affine(x + k * s.plane, &factor, &offset, 0, y + k * s.plane,
                                static_cast<std::size_t>(s.plane));
               }
             }
           });
}

// Every axis but the channels, or every axis behind the channels.
Fit FitsMeanVariance(const KernelQuery& q) {
  if (q.in[0].rank() < 3) return Fit::No("planes of channels only");
  std::vector<bool> reduced(q.in[0].dims.size(), false);
  for (std::int64_t axis : q.Ints("axes"))
    reduced[static_cast<std::size_t>(axis < 0 ? axis + q.in[0].rank() : axis)] = true;
  const bool planes = !reduced[1] && std::all_of(reduced.begin() + 2, reduced.end(),
                                                 [](bool reduces) { return reduces; });
  if (!planes) return Fit::No("axes other than batch and plane");
  return FitsFloats(q);
}

Result<Prepared> PrepareMeanVariance(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const std::vector<std::int64_t> axes = q.Ints("axes");
  const bool batch = std::any_of(axes.begin(), axes.end(), [&](std::int64_t axis) {
    return axis == 0 || axis == -q.in[0].rank();
  });
  state->group = batch ? state->batch : 1;  // images normalised together
  return Prepared{state, 0};
}

void RunMeanVariance(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::int64_t step = s.channels * s.plane;
  const auto count = static_cast<double>(s.group * s.plane);
  Parallel(args, s.batch / s.group * s.channels,
           std::max<std::int64_t>(1, 8192 / (s.group * s.plane)),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t at = i / s.channels * s.group * step + i % s.channels * s.plane;
               const float* x = args.In(0) + at;
               double sum = 0, squares = 0;
               for (std::int64_t n = 0; n < s.group; ++n)
                 sum += FoldAcross(s, FoldKind::kSum, x + n * step, 0, s.plane);
               const auto mean = static_cast<float>(sum / count);
               for (std::int64_t n = 0; n < s.group; ++n)
                 squares += FoldAcross(s, FoldKind::kSumSquare, x + n * step, mean, s.plane);
               // The standard adds this constant to the deviation, not to the variance.
               const auto factor = static_cast<float>(1 / (std::sqrt(squares / count) + 1e-9));
               const float offset = -mean * factor;
               for (std::int64_t n = 0; n < s.group; ++n) {
                 s.rows->affine(x + n * step, &factor, &offset, 0, args.Out(0) + at + n * step,
                                static_cast<std::size_t>(s.plane));
               }
             }
           });
}

Fit FitsLrn(const KernelQuery& q) {
  if (q.in[0].rank() < 2) return Fit::No("no channels");
  // Where it is not, the reference gives NaN in its own way.
  if (!(q.Float("bias") > 0) || !(q.Float("alpha") >= 0))
    return Fit::No("bias and alpha are not positive");
  return FitsFloats(q);
}

Result<Prepared> PrepareLrn(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const std::int64_t size = q.Int("size");
  state->alpha = q.Float("alpha") / static_cast<float>(size);
  state->beta = q.Float("beta");
  state->bias = q.Float("bias");
  state->before = std::min(state->channels, (size - 1) / 2);
  state->after = std::min(state->channels, size / 2);
  return Prepared{state, 0};
}

// A piece of the plane goes through all channels while its neighbours are in the second cache.
void RunLrn(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::int64_t piece = std::clamp<std::int64_t>(32768 / s.channels, 64, 1024) / 16 * 16;
  const std::int64_t pieces = CeilDivide(s.plane, piece);
  Parallel(args, s.batch * pieces, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = i % pieces * piece;
      const auto n = static_cast<std::size_t>(std::min(piece, s.plane - column));
      const std::int64_t at = i / pieces * s.channels * s.plane + column;
      for (std::int64_t c = 0; c < s.channels; ++c) {
        const std::int64_t first = std::max<std::int64_t>(0, c - s.before);
        const std::int64_t last = std::min(s.channels - 1, c + s.after);
        s.rows->local_response(args.In(0) + at + first * s.plane, static_cast<std::size_t>(s.plane),
                               static_cast<std::size_t>(last - first + 1),
                               static_cast<std::size_t>(c - first), s.alpha, s.beta, s.bias,
                               args.Out(0) + at + c * s.plane, n);
      }
    }
  });
}

}  // namespace

std::vector<KernelDef> ChannelNormKernels() {
  std::vector<KernelDef> defs;
  const auto add = [&defs](std::string_view op, auto fits, auto prepare, auto run) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32", op),
                          .op = std::string(op),
                          .fits = fits,
                          .cost_ns = Cost,
                          .prepare = prepare,
                          .run = run});
  };
  add("BatchNormalization", FitsBatch, PrepareBatch, RunBatch);
  add("GroupNormalization", FitsFloats, PrepareGroup, RunGroup);
  add("InstanceNormalization", FitsFloats, PrepareGroup, RunGroup);
  add("LRN", FitsLrn, PrepareLrn, RunLrn);
  add("MeanVarianceNormalization", FitsMeanVariance, PrepareMeanVariance, RunMeanVariance);
  return defs;
}

}  // namespace athanor::kernels
