// ArgMax, ArgMin, CumSum and CumProd: one axis, seen as [outer, length, inner].
#include <algorithm>

#include "kernels/reduce/reduce.h"
#include "kernels/strides.h"
#include "kernels/wrapping.h"

namespace athanor::kernels {
namespace {

using Types = TypeList<float, std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;

// Nothing when it is outside or not known.
std::optional<std::int64_t> AxisOf(const KernelQuery& q) {
  std::int64_t axis = 0;
  if (q.op->name.starts_with("Cum")) {
    const auto given = q.ConstInts(1);
    if (!given || given->size() != 1) return std::nullopt;
    axis = given->front();
  } else {
    axis = q.Int("axis");
  }
  if (axis < 0) axis += q.in[0].rank();
  if (axis < 0 || axis >= q.in[0].rank()) return std::nullopt;
  return axis;
}

struct State {
  void (*run)(const KernelArgs& args, const State& state) = nullptr;
  AxisShape shape;
  bool flag = false;     // select_last_index; exclusive
  bool reverse = false;  // of a cumulation
};

// NaN is preferred to every number, as in numpy.
template <class T, bool kLargest>
bool Better(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b != b) return false;
    if (a != a) return true;
  }
  return kLargest ? a > b : a < b;
}
template <class T>
bool Same(T a, T b) {
  return a == b || (a != a && b != b);
}

template <class T, bool kLargest>
void RunArg(const KernelArgs& args, const State& s) {
  const AxisShape& shape = s.shape;
  constexpr std::int64_t kGrain = 16384;
  // With a row of results beside each other, the walk goes down whole rows. The best value so far
  // is read back through its index.
  Parallel(args, shape.outer, std::max<std::int64_t>(1, kGrain / (shape.length * shape.inner)),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t o = begin; o < end; ++o) {
               const T* x = args.In<T>(0) + o * shape.length * shape.inner;
               std::int64_t* y = args.Out<std::int64_t>(0) + o * shape.inner;
               std::fill(y, y + shape.inner, 0);
               for (std::int64_t j = 1; j < shape.length; ++j) {
                 const T* row = x + j * shape.inner;
                 for (std::int64_t k = 0; k < shape.inner; ++k) {
                   const T best = x[y[k] * shape.inner + k];
                   const bool takes =
                       Better<T, kLargest>(row[k], best) || (s.flag && Same(row[k], best));
                   if (takes) y[k] = j;
                 }
               }
             }
           });
}

template <class T, bool kSum>
void RunCumulative(const KernelArgs& args, const State& s) {
  const AxisShape& shape = s.shape;
  constexpr std::int64_t kGrain = 16384;
  const auto join = [](T a, T b) { return kSum ? WrapAdd(a, b) : WrapMul(a, b); };
  Parallel(args, shape.outer, std::max<std::int64_t>(1, kGrain / (shape.length * shape.inner)),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t o = begin; o < end; ++o) {
               const T* x = args.In<T>(0) + o * shape.length * shape.inner;
               T* y = args.Out<T>(0) + o * shape.length * shape.inner;
               for (std::int64_t step = 0; step < shape.length; ++step) {
                 const std::int64_t j = s.reverse ? shape.length - 1 - step : step;
                 const std::int64_t before = s.reverse ? j + 1 : j - 1;
                 const T* row = x + j * shape.inner;
                 const T* last = x + before * shape.inner;
                 const T* total = y + before * shape.inner;
                 T* out = y + j * shape.inner;
                 for (std::int64_t k = 0; k < shape.inner; ++k) {
                   if (step == 0) {
                     out[k] = s.flag ? T(kSum ? 0 : 1) : row[k];
                   } else {
                     out[k] = join(total[k], s.flag ? last[k] : row[k]);
                   }
                 }
               }
             }
           });
}

bool IsArg(const KernelQuery& q) { return q.op->name.starts_with("Arg"); }

Fit Fits(const KernelQuery& q) {
  if (!IsOneOf(Types{}, q.in[0].dtype))
    return Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
  if (!AxisOf(q)) return Fit::No("its axis is computed by the model");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  return RooflineNs(Isa::kBase, 4 * static_cast<double>(q.in[0].count()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->shape = AxisShape::Of(q.in[0].dims, *AxisOf(q));
  state->flag = q.Int(IsArg(q) ? "select_last_index" : "exclusive") != 0;
  state->reverse = !IsArg(q) && q.Int("reverse") != 0;
  const std::string& op = q.op->name;
  ATH_RETURN_IF_ERROR(Dispatch(Types{}, q.in[0].dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    if (IsArg(q)) {
      state->run = op == "ArgMax" ? RunArg<T, true> : RunArg<T, false>;
    } else {
      state->run = op == "CumSum" ? RunCumulative<T, true> : RunCumulative<T, false>;
    }
    return {};
  }));
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  s.run(args, s);
}

}  // namespace

std::vector<KernelDef> AlongAxisKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"ArgMax", "ArgMin", "CumProd", "CumSum"}) {
    defs.push_back({.name = fmt::format("{}.axis", op),
                    .op = std::string(op),
                    .fits = Fits,
                    .cost_ns = Cost,
                    .prepare = Prepare,
                    .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
