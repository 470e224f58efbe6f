// ReduceL2, ReduceLogSum and ReduceLogSumExp of integers: their results leave the integers on the
// way, so they are computed in double, one result at a time.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reduce/reduce.h"
#include "kernels/strides.h"
#include "kernels/wrapping.h"
#include "ops/math/number.h"

namespace athanor::kernels {
namespace {

using Types = TypeList<std::int32_t, std::int64_t>;

struct State {
  void (*run)(const KernelArgs& args, const State& state) = nullptr;
  Walk kept, reduced;
};

template <class T>
double Root(const Walk& list, const T* x) {
  double sum = 0;
  list.Each(
      [&](std::int64_t at) { sum += static_cast<double>(x[at]) * static_cast<double>(x[at]); });
  return std::sqrt(sum);
}

// The sum itself is one of integers and wraps around.
template <class T>
double LogSum(const Walk& list, const T* x) {
  T sum = 0;
  list.Each([&](std::int64_t at) { sum = WrapAdd(sum, x[at]); });
  return std::log(static_cast<double>(sum));
}

// Shifted by the largest, so that exp does not overflow.
template <class T>
double LogSumExp(const Walk& list, const T* x) {
  T largest = std::numeric_limits<T>::lowest();
  list.Each([&](std::int64_t at) { largest = std::max(largest, x[at]); });
  const double shift = static_cast<double>(largest);
  double sum = 0;
  list.Each([&](std::int64_t at) { sum += std::exp(static_cast<double>(x[at]) - shift); });
  return std::log(sum) + shift;
}

template <class T, double (*kFold)(const Walk&, const T*)>
void RunTyped(const KernelArgs& args, const State& s) {
  const std::int64_t grain = std::max<std::int64_t>(1, 4096 / s.reduced.count);
  Parallel(args, s.kept.count, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i)
      args.Out<T>(0)[i] = ops::SaturateCast<T>(kFold(s.reduced, args.In<T>(0) + s.kept.Offset(i)));
  });
}

Fit Fits(const KernelQuery& q) {
  if (!IsOneOf(Types{}, q.in[0].dtype)) return Fit::No("i32 and i64 only");
  if (q.in[0].rank() > static_cast<std::int64_t>(Walk::kMostDims))
    return Fit::No("too many dimensions");
  if (q.in[0].count() == 0) return Fit::No("nothing to reduce");
  return ReducedAxes(q) ? Fit::Yes() : Fit::No("its axes are computed by the model");
}

double Cost(const KernelQuery& q) { return 200 + 10 * static_cast<double>(q.in[0].count()); }

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const std::vector<bool> reduced = *ReducedAxes(q);
  const Dims strides = RowMajorStrides(q.in[0].dims);
  for (std::size_t i = 0; i < reduced.size(); ++i)
    (reduced[i] ? state->reduced : state->kept).Add(q.in[0].dims[i], strides[i]);
  ATH_RETURN_IF_ERROR(Dispatch(Types{}, q.in[0].dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    state->run = q.op->name == "ReduceL2"       ? RunTyped<T, Root<T>>
                 : q.op->name == "ReduceLogSum" ? RunTyped<T, LogSum<T>>
                                                : RunTyped<T, LogSumExp<T>>;
    return {};
  }));
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  s.run(args, s);
}

}  // namespace

std::vector<KernelDef> RealOfIntKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}) {
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
