// Resize. Nearest picks elements, whatever they are; linear and cubic go axis by axis in f32, along
// the last axis by index, along others in whole rows.
#include "ops/nn/resize.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "kernels/elementwise/cast.h"
#include "kernels/every_isa.h"
#include "kernels/move/picked.h"
#include "kernels/strides.h"
#include "kernels/vision/vision.h"
#include "ops/math/number.h"

namespace athanor::kernels {
namespace {

enum Input : std::size_t { kX, kRoi, kScales, kSizes };

constexpr std::size_t kMostTaps = 64;

// One axis, with the taps that count: tap t of output o at [t * out + o].
struct Pass {
  AxisShape shape = {};  // of its input
  std::int64_t out = 0;
  std::size_t taps = 0;
  std::vector<std::int32_t> index = {};
  std::vector<float> weight = {};
};

struct State {
  Picked picked;  // nearest
  const ResizeTable* table = nullptr;
  std::vector<Pass> passes;
  std::int64_t buffer = 0;                          // floats of one of the two in scratch
  CastFn to_float = nullptr, from_float = nullptr;  // of 8-bit integers
  std::int64_t in_count = 0, out_count = 0;
};

// Nothing when a size is computed by the model, or the coordinates are of a crop.
std::optional<std::vector<ops::ResizeAxis>> PlanOf(const KernelQuery& q) {
  if (q.Text("coordinate_transformation_mode") == "tf_crop_and_resize") return std::nullopt;
  for (const Input i : {kScales, kSizes}) {
    if (q.Has(i) && q.in[i].count() > 0 && q.in[i].constant == nullptr) return std::nullopt;
  }
  const auto given = [&](std::size_t i) { return q.Has(i) ? q.in[i].constant : nullptr; };
  Result<std::vector<ops::ResizeAxis>> plan =
      ops::PlanResize(*q.attributes, q.in[kX].dims, q.out[0].dims,
                      {.roi = nullptr, .scales = given(kScales), .sizes = given(kSizes)});
  if (!plan.ok()) return std::nullopt;
  return *std::move(plan);
}

bool IsNearest(const KernelQuery& q) { return q.Text("mode") == "nearest"; }

Fit FitsPlan(const KernelQuery& q) {
  const auto plan = PlanOf(q);
  if (!plan) return Fit::No("a crop, or its size is computed by the model");
  for (const ops::ResizeAxis& axis : *plan) {
    if (axis.taps > static_cast<std::int64_t>(kMostTaps)) return Fit::No("shrinks too far");
    if (axis.in > std::numeric_limits<std::int32_t>::max()) return Fit::No("an axis too long");
  }
  return Fit::Yes();
}

Fit FitsNearest(const KernelQuery& q) {
  // What lies outside repeats, so every output shows exactly one element.
  if (!IsNearest(q) || q.Int("exclude_outside") != 0 || q.Int("antialias") != 0)
    return Fit::No("not nearest alone");
  if (q.in[kX].dims.empty() || q.in[kX].rank() > static_cast<std::int64_t>(Walk::kMostDims))
    return Fit::No("too many dimensions, or none");
  return FitsPlan(q);
}

Fit FitsFilter(const KernelQuery& q) {
  const DType dtype = q.in[kX].dtype;
  if (dtype != DType::kF32 && dtype != DType::kI8 && dtype != DType::kU8)
    return Fit::No(fmt::format("not for {}", Name(dtype)));
  return IsNearest(q) ? Fit::No("nearest has its own") : FitsPlan(q);
}

double Cost(const KernelQuery& q) {
  const double taps = IsNearest(q) ? 1 : q.Text("mode") == "cubic" ? 16 : 8;
  return RooflineNs(q.isa, taps * static_cast<double>(q.out[0].count()),
                    2 * static_cast<double>(q.in[kX].bytes() + q.out[0].bytes()));
}

Result<Prepared> PrepareNearest(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  std::vector<Dims> maps;
  for (const std::int64_t size : q.in[kX].dims) {
    Dims map;
    for (std::int64_t i = 0; i < size; ++i) map.push_back(i);
    maps.push_back(std::move(map));
  }
  const std::vector<ops::ResizeAxis> plan = *PlanOf(q);
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
  state->picked = Picked(q.in[kX].dims, std::move(maps),
                         static_cast<std::int64_t>(ElementBytes(q.in[kX].dtype)), q.isa);
  return Prepared{state, 0};
}

void RunNearest(const KernelArgs& args) { args.State<State>().picked.Run(args); }

// Taps without weight are left out where every output has one.
Pass MakePass(const ops::ResizeAxis& axis, const Dims& dims) {
  Pass pass = {.shape = AxisShape::Of(dims, static_cast<std::int64_t>(axis.axis)), .out = axis.out};
  for (std::int64_t o = 0; o < axis.out; ++o) {
    std::size_t used = 0;
    for (std::int64_t t = 0; t < axis.taps; ++t)
      used += axis.weight[static_cast<std::size_t>(o * axis.taps + t)] != 0 ? 1 : 0;
    pass.taps = std::max({pass.taps, used, std::size_t{1}});
  }
  const auto out = static_cast<std::size_t>(axis.out);
  pass.index.assign(pass.taps * out, 0);
  pass.weight.assign(pass.taps * out, 0);
  for (std::size_t o = 0; o < out; ++o) {
    std::size_t next = 0;
    for (std::size_t t = 0; t < static_cast<std::size_t>(axis.taps); ++t) {
      const std::size_t from = o * static_cast<std::size_t>(axis.taps) + t;
      if (axis.weight[from] == 0) continue;
      pass.index[next * out + o] = static_cast<std::int32_t>(axis.index[from]);
      pass.weight[next * out + o] = static_cast<float>(axis.weight[from]);
      ++next;
    }
  }
  return pass;
}

Result<Prepared> PrepareFilter(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->table = &Resizes(q.isa);
  std::vector<ops::ResizeAxis> plan = *PlanOf(q);
  // When all grow, the last axis goes first: picking by index is the dearer part.
  const bool grows = std::all_of(plan.begin(), plan.end(),
                                 [](const ops::ResizeAxis& axis) { return axis.out >= axis.in; });
  if (grows) std::reverse(plan.begin(), plan.end());
  Dims dims = q.in[kX].dims;
  for (const ops::ResizeAxis& axis : plan) {
    state->passes.push_back(MakePass(axis, dims));
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
  state->in_count = q.in[kX].count();
  state->out_count = q.out[0].count();
  state->buffer = (std::max(state->buffer, state->in_count) + 15) / 16 * 16;
  return Prepared{state, 2 * 4 * state->buffer};
}

void RunPass(const KernelArgs& args, const State& s, const Pass& pass, const float* x, float* y) {
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
             std::array<const float*, kMostTaps> rows;
             std::array<float, kMostTaps> weights;
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
  return IsNearest(q) ? Fit::No("nearest has its own") : FitsPlan(q);
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
  state->axes = *PlanOf(q);
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
  AddForEveryIsa(defs, {.name = "Resize.nearest",
                        .op = "Resize",
                        .fits = FitsNearest,
                        .cost_ns = Cost,
                        .prepare = PrepareNearest,
                        .run = RunNearest});
  AddForEveryIsa(defs, {.name = "Resize.filter",
                        .op = "Resize",
                        .fits = FitsFilter,
                        .cost_ns = Cost,
                        .prepare = PrepareFilter,
                        .run = RunFilter});
  return defs;
}

}  // namespace athanor::kernels
