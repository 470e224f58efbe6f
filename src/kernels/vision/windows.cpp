// Pooling as plain loops over windows: any number of spatial axes, dilations, integers, indices,
// p-norms; and MaxUnpool. What the plane kernels do faster they keep.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/every_isa.h"
#include "kernels/reduce/reduce.h"
#include "kernels/strides.h"
#include "kernels/vision/vision.h"
#include "ops/nn/pool.h"

namespace athanor::kernels {
namespace {

constexpr std::size_t kMostAxes = 6;
using Types = TypeList<float, std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;

struct State {
  void (*run)(const KernelArgs& args, const State& s) = nullptr;
  std::vector<ops::WindowAxis> axes;
  std::int64_t planes = 0, in = 1, out = 1;  // elements of a plane
  bool include_pad = false, column_major = false;
  float p = 2;
};

Result<ops::PoolGeometry> Geometry(const KernelQuery& q) {
  return ops::ResolvePool(ReadAttributes<ops::PoolAttrs>(*q.attributes), q.in[0].dims);
}

Fit Fits(const KernelQuery& q) {
  if (!IsOneOf(Types{}, q.in[0].dtype))
    return Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
  const Result<ops::PoolGeometry> pool = Geometry(q);
  if (!pool.ok() || pool->axes.size() > kMostAxes || pool->axes.empty())
    return Fit::No("too many axes");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  double taps = 1;
  const Result<ops::PoolGeometry> pool = Geometry(q);
  for (const ops::WindowAxis& axis : pool->axes) taps *= static_cast<double>(axis.kernel);
  // One element at a time.
  return 200 + 1.5 * taps * static_cast<double>(q.out[0].count());
}

// One window: the taps inside the input, per axis.
struct Window {
  std::array<std::int64_t, kMostAxes> output = {}, first = {}, last = {};
};

// Calls f(window, index) for the outputs of a plane.
template <class F>
void EachWindow(const State& s, const F& f) {
  Window window;
  const std::size_t rank = s.axes.size();
  for (std::int64_t i = 0; i < s.out; ++i) {
    for (std::size_t a = 0; a < rank; ++a) {
      window.first[a] = s.axes[a].FirstTap(window.output[a]);
      window.last[a] = s.axes[a].LastTap(window.output[a]);
    }
    f(window, i);
    for (std::size_t a = rank; a-- > 0;) {
      if (++window.output[a] < s.axes[a].out) break;
      window.output[a] = 0;
    }
  }
}

// Calls f(offset, step, n) for each run of taps along the last axis.
template <class F>
void EachRun(const State& s, const Window& window, const F& f) {
  const std::size_t inner = s.axes.size() - 1;
  for (std::size_t a = 0; a <= inner; ++a) {
    if (window.first[a] >= window.last[a]) return;
  }
  std::array<std::int64_t, kMostAxes> tap = window.first;
  const ops::WindowAxis& along = s.axes[inner];
  for (;;) {
    std::int64_t base = 0;
    for (std::size_t a = 0; a < inner; ++a)
      base = (base + s.axes[a].Position(window.output[a], tap[a])) * s.axes[a + 1].in;
    f(base + along.Position(window.output[inner], window.first[inner]), along.dilation,
      window.last[inner] - window.first[inner]);
    std::size_t a = inner;
    while (a > 0 && ++tap[a - 1] == window.last[a - 1]) {
      tap[a - 1] = window.first[a - 1];
      --a;
    }
    if (a == 0) return;
  }
}

// The same position counted with the first spatial axis running fastest.
std::int64_t ColumnMajor(const State& s, std::int64_t offset) {
  std::int64_t index = 0;
  for (std::size_t a = s.axes.size(); a-- > 0;) {
    std::int64_t scale = 1;
    for (std::size_t b = 0; b < a; ++b) scale *= s.axes[b].in;
    index += offset % s.axes[a].in * scale;
    offset /= s.axes[a].in;
  }
  return index;
}

template <class F>
void EachPlane(const KernelArgs& args, const State& s, const F& f) {
  Parallel(args, s.planes, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t plane = begin; plane < end; ++plane) f(plane);
  });
}

template <class T>
void RunMax(const KernelArgs& args, const State& s) {
  std::int64_t* const indices = args.out.size() > 1 ? args.Out<std::int64_t>(1) : nullptr;
  constexpr T kLowest = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                             : std::numeric_limits<T>::lowest();
  EachPlane(args, s, [&](std::int64_t plane) {
    const T* x = args.In<T>(0) + plane * s.in;
    EachWindow(s, [&](const Window& window, std::int64_t i) {
      T best = kLowest;
      std::int64_t where = -1;
      EachRun(s, window, [&](std::int64_t offset, std::int64_t step, std::int64_t n) {
        for (std::int64_t k = 0; k < n; ++k, offset += step) {
          const T value = x[offset];
          // The first of equals; a NaN wins and stays.
          if (where >= 0 && (best != best || !(value > best || value != value))) continue;
          best = value;
          where = offset;
        }
      });
      args.Out<T>(0)[plane * s.out + i] = best;
      if (indices == nullptr) return;
      if (where >= 0 && s.column_major) where = ColumnMajor(s, where);
      indices[plane * s.out + i] = where < 0 ? -1 : plane * s.in + where;
    });
  });
}

// Positions of the window inside the input or its padding, but not beyond, where ceil_mode lets the
// last window hang over.
std::int64_t PaddedTaps(const State& s, const Window& window) {
  std::int64_t count = 1;
  for (std::size_t a = 0; a < s.axes.size(); ++a) {
    const ops::WindowAxis& axis = s.axes[a];
    const std::int64_t left = axis.in + axis.pad_end - axis.Position(window.output[a], 0);
    count *= std::min(axis.kernel, (left + axis.dilation - 1) / axis.dilation);
  }
  return count;
}

void RunAverage(const KernelArgs& args, const State& s) {
  EachPlane(args, s, [&](std::int64_t plane) {
    const float* x = args.In(0) + plane * s.in;
    EachWindow(s, [&](const Window& window, std::int64_t i) {
      float sum = 0;
      std::int64_t count = 0;
      EachRun(s, window, [&](std::int64_t offset, std::int64_t step, std::int64_t n) {
        for (std::int64_t k = 0; k < n; ++k) sum += x[offset + k * step];
        count += n;
      });
      if (s.include_pad) count = PaddedTaps(s, window);
      args.Out(0)[plane * s.out + i] = count == 0 ? 0 : sum / static_cast<float>(count);
    });
  });
}

float Power(float x, float p) {
  if (p == 1) return std::abs(x);
  if (p == 2) return x * x;
  return std::pow(std::abs(x), p);
}
float Root(float x, float p) {
  if (p == 1) return x;
  return p == 2 ? std::sqrt(x) : std::pow(x, 1 / p);
}

void RunLp(const KernelArgs& args, const State& s) {
  EachPlane(args, s, [&](std::int64_t plane) {
    const float* x = args.In(0) + plane * s.in;
    EachWindow(s, [&](const Window& window, std::int64_t i) {
      float sum = 0;
      EachRun(s, window, [&](std::int64_t offset, std::int64_t step, std::int64_t n) {
        for (std::int64_t k = 0; k < n; ++k) sum += Power(x[offset + k * step], s.p);
      });
      args.Out(0)[plane * s.out + i] = Root(sum, s.p);
    });
  });
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  ATH_TRY(ops::PoolGeometry pool, Geometry(q));
  state->axes = std::move(pool.axes);
  state->planes = pool.planes;
  state->in = ops::InCount(state->axes);
  state->out = ops::OutCount(state->axes);
  if (q.op->name == "MaxPool") {
    state->column_major = q.Int("storage_order") == 1;
    ATH_RETURN_IF_ERROR(Dispatch(Types{}, q.in[0].dtype, [&](auto tag) -> Status {
      state->run = RunMax<typename decltype(tag)::Type>;
      return {};
    }));
  } else if (q.op->name == "LpPool") {
    state->run = RunLp;
    state->p = static_cast<float>(q.Int("p"));
  } else {
    state->run = RunAverage;
    state->include_pad = q.Int("count_include_pad") != 0;
  }
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  s.run(args, s);
}

// ---- GlobalMaxPool and GlobalLpPool: one number per plane.

struct GlobalState {
  const FoldTable* folds = nullptr;
  std::int64_t planes = 0, size = 0;
  FoldKind kind = FoldKind::kMax;
  bool root = false;
};

Fit FitsGlobal(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.op->name == "GlobalLpPool" && q.Int("p") != 1 && q.Int("p") != 2)
    return Fit::No("p is neither 1 nor 2");
  return Fit::Yes();
}

double CostGlobal(const KernelQuery& q) {
  return RooflineNs(q.isa, static_cast<double>(q.in[0].count()),
                    static_cast<double>(q.in[0].bytes()));
}

Result<Prepared> PrepareGlobal(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<GlobalState>();
  state->folds = &Folds(q.isa);
  state->planes = q.out[0].count();
  state->size = q.in[0].count() / state->planes;
  if (q.op->name == "GlobalLpPool") {
    state->root = q.Int("p") == 2;
    state->kind = state->root ? FoldKind::kSumSquare : FoldKind::kSumMagnitude;
  }
  return Prepared{state, 0};
}

void RunGlobal(const KernelArgs& args) {
  const GlobalState& s = args.State<GlobalState>();
  const float neutral = s.kind == FoldKind::kMax ? -std::numeric_limits<float>::infinity() : 0.0F;
  Parallel(args, s.planes, std::max<std::int64_t>(1, 32768 / s.size),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i) {
               float value = neutral;
               FoldOf(*s.folds, s.kind)
                   .across(args.In(0) + i * s.size, nullptr, &value,
                           static_cast<std::size_t>(s.size));
               args.Out(0)[i] = s.root ? std::sqrt(value) : value;
             }
           });
}

// ---- MaxUnpool without an output shape of its own.

struct UnpoolState {
  std::int64_t count = 0, size = 0;
};

Fit FitsUnpool(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  return q.Has(2) ? Fit::No("an output shape of its own") : Fit::Yes();
}

Result<Prepared> PrepareUnpool(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<UnpoolState>();
  *state = {q.in[0].count(), q.out[0].count()};
  return Prepared{state, 0};
}

void RunUnpool(const KernelArgs& args) {
  const UnpoolState& s = args.State<UnpoolState>();
  float* y = args.Out(0);
  std::fill(y, y + s.size, 0.0F);
  for (std::int64_t i = 0; i < s.count; ++i) {
    const std::int64_t at = args.In<std::int64_t>(1)[i];
    if (at < 0 || at >= s.size) {
      args.data_error->store("an index is outside the output", std::memory_order_relaxed);
      return;
    }
    y[at] = args.In(0)[i];
  }
}

}  // namespace

std::vector<KernelDef> WindowKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"AveragePool", "LpPool", "MaxPool"}) {
    defs.push_back({.name = fmt::format("{}.windows", op),
                    .op = std::string(op),
                    .fits = Fits,
                    .cost_ns = Cost,
                    .prepare = Prepare,
                    .run = Run});
  }
  for (const std::string_view op : {"GlobalLpPool", "GlobalMaxPool"}) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32", op),
                          .op = std::string(op),
                          .fits = FitsGlobal,
                          .cost_ns = CostGlobal,
                          .prepare = PrepareGlobal,
                          .run = RunGlobal});
  }
  defs.push_back({.name = "MaxUnpool.f32",
                  .op = "MaxUnpool",
                  .fits = FitsUnpool,
                  .cost_ns = CostGlobal,
                  .prepare = PrepareUnpool,
                  .run = RunUnpool});
  return defs;
}

}  // namespace athanor::kernels
