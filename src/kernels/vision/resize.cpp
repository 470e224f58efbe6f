// Resize. Nearest picks elements, whatever they are; linear and cubic go axis by axis in f32, along
// the last axis by index, along others in whole rows.
#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/divide.h"
#include "kernels/elementwise/cast.h"
#include "kernels/every_isa.h"
#include "kernels/move/picked.h"
#include "kernels/strides.h"
#include "kernels/vision/resize_plan.h"
#include "kernels/vision/vision.h"
#include "ops/math/number.h"

namespace athanor::kernels {
namespace {

constexpr std::size_t kX = 0;

struct State {
  Picked picked;  // nearest
  const ResizeTable* table = nullptr;
  std::vector<ResizePass> passes;
  std::int64_t buffer = 0;                          // floats of one of the two in scratch
  CastFn to_float = nullptr, from_float = nullptr;  // of 8-bit integers
  std::int64_t in_count = 0, out_count = 0;
};

bool IsNearest(const KernelQuery& q) { return q.Text("mode") == "nearest"; }

// As they lie: the channels of a block are one element more, the last axis.
Dims StoredDims(const PortInfo& port) {
  if (port.block == 0) return port.dims;
  return {port.dims[0], CeilDivide(port.dims[1], port.block), port.dims[2], port.dims[3],
          port.block};
}

Fit FitsNearest(const KernelQuery& q) {
  // What lies outside repeats, so every output shows exactly one element.
  if (!IsNearest(q) || q.Int("exclude_outside") != 0 || q.Int("antialias") != 0)
    return Fit::No("not nearest alone");
  if (q.in[kX].dims.empty() || q.in[kX].rank() > static_cast<std::int64_t>(Walk::kMostDims))
    return Fit::No("too many dimensions, or none");
  return FitsResizePlan(q);
}

Fit FitsFilter(const KernelQuery& q) {
  const DType dtype = q.in[kX].dtype;
  if (dtype != DType::kF32 && dtype != DType::kI8 && dtype != DType::kU8)
    return Fit::No(fmt::format("not for {}", Name(dtype)));
  if (q.block() != 0 && dtype != DType::kF32) return Fit::No("f32 only in blocks");
  return IsNearest(q) ? Fit::No("nearest has its own") : FitsResizePlan(q);
}

double Cost(const KernelQuery& q) {
  const double taps = IsNearest(q) ? 1 : q.Text("mode") == "cubic" ? 16 : 8;
  return RooflineNs(q.isa, taps * static_cast<double>(q.out[0].count()),
                    2 * static_cast<double>(q.in[kX].bytes() + q.out[0].bytes()));
}

Result<Prepared> PrepareNearest(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  // Of blocks the channels are one element.
  Dims dims = StoredDims(q.in[kX]);
  if (q.block() != 0) dims.pop_back();
  const std::int64_t element = std::max<std::int64_t>(1, q.block()) *
                               static_cast<std::int64_t>(ElementBytes(q.in[kX].dtype));
  std::vector<Dims> maps;
  for (const std::int64_t size : dims) {
    Dims map;
    for (std::int64_t i = 0; i < size; ++i) map.push_back(i);
    maps.push_back(std::move(map));
  }
  const std::vector<ops::ResizeAxis> plan = *ResizePlan(q);
  for (const ops::ResizeAxis& axis : plan) {
    Dims& map = maps[axis.axis];
    map.clear();
    for (std::int64_t o = 0; o < axis.out; ++o) {
      for (std::int64_t t = 0; t < axis.taps; ++t) {
        const auto at = static_cast<std::size_t>(o * axis.taps + t);
        if (axis.weight[at] != 0) map.push_back(axis.index[at]);
      }
    }
    ATH_CHECK(std::ssize(map) == axis.out, "exactly one element is the nearest");
  }
  state->picked = Picked(dims, std::move(maps), element, q.isa);
  return Prepared{state, 0};
}

void RunNearest(const KernelArgs& args) { args.State<State>().picked.Run(args); }

Result<Prepared> PrepareFilter(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->table = &Resizes(q.isa);
  std::vector<ops::ResizeAxis> plan = *ResizePlan(q);
  // When all grow, the last axis goes first: picking by index is the dearer part.
  const bool grows = std::all_of(plan.begin(), plan.end(),
                                 [](const ops::ResizeAxis& axis) { return axis.out >= axis.in; });
  if (grows) std::reverse(plan.begin(), plan.end());
  Dims dims = StoredDims(q.in[kX]);
  for (const ops::ResizeAxis& axis : plan) {
    state->passes.push_back(MakeResizePass(axis, dims));
    dims[axis.axis] = axis.out;
    std::int64_t count = 1;
    for (const std::int64_t dim : dims) count *= dim;
    state->buffer = std::max(state->buffer, count);
  }
  const CastTable& casts = Casts(q.isa);
  if (q.in[kX].dtype != DType::kF32) {
    const std::size_t type = q.in[kX].dtype == DType::kI8 ? 1 : 2;
    state->to_float = casts.cast[type][0];
    state->from_float = casts.cast[0][type];
  }
  state->in_count = q.in[kX].stored();
  state->out_count = q.out[0].stored();
  state->buffer = (std::max(state->buffer, state->in_count) + 15) / 16 * 16;
  return Prepared{state, 2 * 4 * state->buffer};
}

void RunPass(const KernelArgs& args, const State& s, const ResizePass& pass, const float* x,
             float* y) {
  const AxisShape& shape = pass.shape;
  if (shape.inner == 1) {
    Parallel(args, shape.outer, std::max<std::int64_t>(1, 8192 / pass.out),
             [&](std::int64_t begin, std::int64_t end, int) {
               for (std::int64_t r = begin; r < end; ++r) {
                 s.table->pick(x + r * shape.length, pass.index.data(), pass.weight.data(),
                               pass.taps, y + r * pass.out, static_cast<std::size_t>(pass.out));
               }
             });
    return;
  }
  Parallel(args, shape.outer * pass.out, std::max<std::int64_t>(1, 8192 / shape.inner),
           [&](std::int64_t begin, std::int64_t end, int) {
             std::array<const float*, kMostResizeTaps> rows;
             std::array<float, kMostResizeTaps> weights;
             for (std::int64_t r = begin; r < end; ++r) {
               const std::int64_t outer = r / pass.out, o = r % pass.out;
               for (std::size_t t = 0; t < pass.taps; ++t) {
                 const std::size_t at =
                     t * static_cast<std::size_t>(pass.out) + static_cast<std::size_t>(o);
                 rows[t] = x + (outer * shape.length + pass.index[at]) * shape.inner;
                 weights[t] = pass.weight[at];
               }
               s.table->blend(rows.data(), weights.data(), pass.taps, y + r * shape.inner,
                              static_cast<std::size_t>(shape.inner));
             }
           });
}

void RunFilter(const KernelArgs& args) {
  const State& s = args.State<State>();
  float* buffers[2] = {reinterpret_cast<float*>(args.scratch),
                       reinterpret_cast<float*>(args.scratch) + s.buffer};
  const float* x = args.In(kX);
  std::size_t next = 0;
  if (s.to_float != nullptr) {
    CastElements(args, s.to_float, args.In<void>(kX), 1, buffers[0], 4, s.in_count);
    x = buffers[0];
    next = 1;
  }
  for (std::size_t i = 0; i < s.passes.size(); ++i) {
    const bool last = i + 1 == s.passes.size() && s.from_float == nullptr;
    float* y = last ? args.Out(0) : buffers[next];
    RunPass(args, s, s.passes[i], x, y);
    x = y;
    next = 1 - next;
  }
  if (s.from_float != nullptr) {
    CastElements(args, s.from_float, x, 4, args.Out<void>(0), 1, s.out_count);
  } else if (s.passes.empty()) {
    std::memcpy(args.Out<void>(0), x, static_cast<std::size_t>(s.out_count) * 4);
  }
}

// ---- Linear and cubic of wide integers, which are exact in double only.

using WideTypes = TypeList<std::int32_t, std::int64_t>;

struct WideState {
  void (*run)(const KernelArgs& args, const WideState& state) = nullptr;
  std::vector<ops::ResizeAxis> axes;
  std::vector<AxisShape> shapes;  // of the input of each
  std::int64_t buffer = 0;        // doubles of one of the two in scratch
  std::int64_t in_count = 0, out_count = 0;
};

Fit FitsWide(const KernelQuery& q) {
  if (!IsOneOf(WideTypes{}, q.in[kX].dtype)) return Fit::No("i32 and i64 only");
  return IsNearest(q) ? Fit::No("nearest has its own") : FitsResizePlan(q);
}

void RunWideAxis(const KernelArgs& args, const ops::ResizeAxis& axis, const AxisShape& shape,
                 const double* x, double* y) {
  Parallel(args, shape.outer * axis.out, std::max<std::int64_t>(1, 4096 / shape.inner),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t r = begin; r < end; ++r) {
               const std::int64_t outer = r / axis.out, o = r % axis.out;
               double* const to = y + r * shape.inner;
               std::fill_n(to, shape.inner, 0.0);
               for (std::int64_t t = 0; t < axis.taps; ++t) {
                 const auto at = static_cast<std::size_t>(o * axis.taps + t);
                 const double* row = x + (outer * shape.length + axis.index[at]) * shape.inner;
                 for (std::int64_t i = 0; axis.weight[at] != 0 && i < shape.inner; ++i)
                   to[i] += axis.weight[at] * row[i];
               }
             }
           });
}

template <class T>
void RunWide(const KernelArgs& args, const WideState& s) {
  double* x = reinterpret_cast<double*>(args.scratch);
  double* y = x + s.buffer;
  for (std::int64_t i = 0; i < s.in_count; ++i) x[i] = static_cast<double>(args.In<T>(kX)[i]);
  for (std::size_t a = 0; a < s.axes.size(); ++a) {
    RunWideAxis(args, s.axes[a], s.shapes[a], x, y);
    std::swap(x, y);
  }
  for (std::int64_t i = 0; i < s.out_count; ++i) args.Out<T>(0)[i] = ops::SaturateCast<T>(x[i]);
}

void RunWideOf(const KernelArgs& args) {
  const WideState& s = args.State<WideState>();
  s.run(args, s);
}

Result<Prepared> PrepareWide(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<WideState>();
  state->axes = *ResizePlan(q);
  state->in_count = state->buffer = q.in[kX].count();
  state->out_count = q.out[0].count();
  Dims dims = q.in[kX].dims;
  for (const ops::ResizeAxis& axis : state->axes) {
    state->shapes.push_back(AxisShape::Of(dims, static_cast<std::int64_t>(axis.axis)));
    const AxisShape& shape = state->shapes.back();
    dims[axis.axis] = axis.out;
    state->buffer = std::max(state->buffer, shape.outer * axis.out * shape.inner);
  }
  ATH_RETURN_IF_ERROR(Dispatch(WideTypes{}, q.in[kX].dtype, [&](auto tag) -> Status {
    state->run = RunWide<typename decltype(tag)::Type>;
    return {};
  }));
  return Prepared{state, 2 * 8 * state->buffer};
}

}  // namespace

const ResizeTable& Resizes(Isa isa) {
  const ResizeTable* const tables[] = {&base::kResize, &avx2::kResize, &avx512::kResize};
  return *tables[static_cast<std::size_t>(isa)];
}

std::vector<KernelDef> ResizeKernels() {
  std::vector<KernelDef> defs = {{.name = "Resize.double",
                                  .op = "Resize",
                                  .fits = FitsWide,
                                  .cost_ns = Cost,
                                  .prepare = PrepareWide,
                                  .run = RunWideOf}};
  for (const bool blocked : {false, true}) {
    const std::string layout = blocked ? ".blocked" : "";
    AddForEveryIsa(defs, {.name = "Resize.nearest" + layout,
                          .op = "Resize",
                          .blocked = blocked,
                          .fits = FitsNearest,
                          .cost_ns = Cost,
                          .prepare = PrepareNearest,
                          .run = RunNearest});
    AddForEveryIsa(defs, {.name = "Resize.filter" + layout,
                          .op = "Resize",
                          .blocked = blocked,
                          .fits = FitsFilter,
                          .cost_ns = Cost,
                          .prepare = PrepareFilter,
                          .run = RunFilter});
  }
  return defs;
}

}  // namespace athanor::kernels
