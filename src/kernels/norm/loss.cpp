// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, in double: every label gives a loss, and
// these are added in order, so that the sum does not depend on the threads.
#include <algorithm>
#include <cmath>

#include "kernels/norm/rows.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

enum Input : std::size_t { kScores, kLabels, kWeights };

struct State {
  AxisShape shape;  // of the scores along the classes
  bool softmax = false, wide = false;
  std::optional<std::int64_t> ignored;
  bool each = false, mean = false;

  std::int64_t labels() const { return shape.outer * shape.inner; }
};

Fit Fits(const KernelQuery& q) {
  if (q.in[kScores].dtype != DType::kF32) return Fit::No("f32 only");
  return q.in[kScores].count() > 0 ? Fit::Yes() : Fit::No("no scores");
}

double Cost(const KernelQuery& q) {
  const bool softmax = q.op->name == "SoftmaxCrossEntropyLoss";
  const double count = static_cast<double>((softmax ? q.in[kScores] : q.in[kLabels]).count());
  return 200 + (softmax ? 10 : 5) * count;
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->shape = AxisShape::Of(q.in[kScores].dims, 1);
  state->softmax = q.op->name == "SoftmaxCrossEntropyLoss";
  state->wide = q.in[kLabels].dtype == DType::kI64;
  state->each = q.Text("reduction") == "none";
  state->mean = q.Text("reduction") == "mean";
  if (q.attributes->Find("ignore_index") != nullptr) state->ignored = q.Int("ignore_index");
  return Prepared{state, 2 * 8 * state->labels()};
}

// What is taken from the scores of a position to make them logarithms of probabilities.
double LogOfSum(const State& s, const float* x) {
  const std::int64_t step = s.shape.inner;
  double largest = -INFINITY, sum = 0;
  for (std::int64_t j = 0; j < s.shape.length; ++j)
    largest = std::fmax(largest, static_cast<double>(x[j * step]));
  for (std::int64_t j = 0; j < s.shape.length; ++j)
    sum += std::exp(static_cast<double>(x[j * step]) - largest);
  return largest + std::log(sum);
}

// The loss of position i, and the weight it counts with.
void LossOf(const KernelArgs& args, const State& s, std::int64_t i, double& loss, double& weight) {
  const float* x =
      args.In(kScores) + i / s.shape.inner * s.shape.length * s.shape.inner + i % s.shape.inner;
  const double shift = s.softmax ? LogOfSum(s, x) : 0;
  if (args.out.size() > 1 && args.out[1] != nullptr) {
    float* y = args.Out(1) + (x - args.In(kScores));
    for (std::int64_t j = 0; j < s.shape.length; ++j)
      y[j * s.shape.inner] = static_cast<float>(static_cast<double>(x[j * s.shape.inner]) - shift);
  }
  const std::int64_t label =
      s.wide ? args.In<std::int64_t>(kLabels)[i] : args.In<std::int32_t>(kLabels)[i];
  loss = weight = 0;
  if (s.ignored && label == *s.ignored) return;
  if (label < 0 || label >= s.shape.length) {
    args.data_error->store("a label is not a class", std::memory_order_relaxed);
    return;
  }
  const float* weights = args.In(kWeights);
  weight = weights == nullptr ? 1 : static_cast<double>(weights[label]);
  loss = -weight * (static_cast<double>(x[label * s.shape.inner]) - shift);
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::int64_t count = s.labels();
  auto* const losses = reinterpret_cast<double*>(args.scratch);
  double* const weights = losses + count;
  const std::int64_t grain = std::max<std::int64_t>(1, 2048 / (s.softmax ? s.shape.length : 1));
  Parallel(args, count, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) LossOf(args, s, i, losses[i], weights[i]);
  });
  if (s.each) {
    for (std::int64_t i = 0; i < count; ++i) args.Out(0)[i] = static_cast<float>(losses[i]);
    return;
  }
  double sum = 0, weight = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += losses[i];
    weight += weights[i];
  }
  *args.Out(0) = static_cast<float>(s.mean ? sum / weight : sum);
}

}  // namespace

std::vector<KernelDef> LossKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}) {
    defs.push_back({.name = fmt::format("{}.double", op),
                    .op = std::string(op),
                    .fits = Fits,
                    .cost_ns = Cost,
                    .prepare = Prepare,
                    .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
