#include "kernels/move/fill.h"

#include <algorithm>
#include <cmath>

#include "kernels/move/elements.h"
#include "kernels/move/index.h"
#include "kernels/move/picked.h"
#include "kernels/strides.h"
#include "kernels/wrapping.h"

namespace athanor::kernels {
namespace {

Fit Always(const KernelQuery&) { return Fit::Yes(); }

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 0, 2 * static_cast<double>(q.out[0].bytes()));
}

struct State {
  std::int64_t count = 0;    // of the output
  std::int64_t element = 1;  // bytes
  Tensor value;              // ConstantOfShape
  std::int64_t rows = 0, columns = 0, diagonal = 0;
  bool upper = true, wide = true;
  DType dtype = DType::kUndefined;
  AxisShape shape;  // OneHot: of the output along the new axis
  Picked picked;    // Pad
};

std::shared_ptr<State> NewState(const KernelQuery& q) {
  auto state = std::make_shared<State>();
  state->count = q.out[0].count();
  state->element = static_cast<std::int64_t>(ElementBytes(q.out[0].dtype));
  state->dtype = q.in[0].dtype;
  return state;
}

Result<Prepared> PrepareConstant(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const AttrValue* value = q.attributes->Find("value");
  const Tensor* tensor = value == nullptr ? nullptr : std::get_if<Tensor>(value);
  state->value = tensor != nullptr ? *tensor : Tensor::FromVector<float>({1}, {0.0F});
  return Prepared{state, 0};
}
void RunConstant(const KernelArgs& args) {
  const State& s = args.State<State>();
  FillElements(args, s.value.raw(), args.Out<std::byte>(0), s.count, s.element);
}

// 1 in the element type of the diagonal; nothing when the type has no plain one.
std::optional<Tensor> OneOf(DType dtype) {
  if (dtype == DType::kBool) return Tensor::Scalar(true);
  std::optional<Tensor> one;
  const Status made = Dispatch(NumericTypes{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    one = Tensor::FromVector<T>({}, {static_cast<T>(1)});
    return {};
  });
  return made.ok() ? one : std::nullopt;
}

Fit FitsEye(const KernelQuery& q) {
  return OneOf(q.out[0].dtype) ? Fit::Yes() : Fit::No("no such element type");
}
Result<Prepared> PrepareEye(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  state->value = *OneOf(q.out[0].dtype);
  state->rows = q.out[0].dims[0];
  state->columns = q.out[0].dims[1];
  state->diagonal = std::clamp(q.Int("k"), -state->rows, state->columns);
  return Prepared{state, 0};
}
void RunEye(const KernelArgs& args) {
  const State& s = args.State<State>();
  auto* out = args.Out<std::byte>(0);
  FillElements(args, nullptr, out, s.count, s.element);
  const std::int64_t first = std::max<std::int64_t>(0, -s.diagonal);
  for (std::int64_t i = first; i < s.rows && i + s.diagonal < s.columns; ++i) {
    std::memcpy(out + (i * s.columns + i + s.diagonal) * s.element, s.value.raw(),
                static_cast<std::size_t>(s.element));
  }
}

Fit FitsTrilu(const KernelQuery& q) {
  if (q.Has(1) && (!IsIndex(q.in[1]) || q.in[1].count() != 1)) return Fit::No("k is a list");
  return Fit::Yes();
}
Result<Prepared> PrepareTrilu(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  state->rows = q.in[0].dims[q.in[0].dims.size() - 2];
  state->columns = q.in[0].dims.back();
  state->upper = q.Int("upper") != 0;
  state->wide = q.Has(1) && q.in[1].dtype == DType::kI64;
  return Prepared{state, 0};
}
void RunTrilu(const KernelArgs& args) {
  const State& s = args.State<State>();
  const Indices given = {args.In<void>(1), s.wide};
  const std::int64_t k =
      given.data == nullptr ? 0 : std::clamp(given[0], -s.rows - 1, s.columns + 1);
  const auto bytes = [&](std::int64_t n) { return static_cast<std::size_t>(n * s.element); };
  const std::int64_t grain = std::max<std::int64_t>(1, 65536 / (s.columns * s.element));
  Parallel(args, s.count / s.columns, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t diagonal = line % s.rows + k;
      const std::int64_t first = s.upper ? std::clamp<std::int64_t>(diagonal, 0, s.columns) : 0;
      const std::int64_t last =
          s.upper ? s.columns : std::clamp<std::int64_t>(diagonal + 1, 0, s.columns);
      const auto* x = args.In<std::byte>(0) + line * s.columns * s.element;
      auto* y = args.Out<std::byte>(0) + line * s.columns * s.element;
      std::memset(y, 0, bytes(first));
      std::memmove(y + first * s.element, x + first * s.element, bytes(last - first));
      std::memset(y + last * s.element, 0, bytes(s.columns - last));
    }
  });
}

using IndexTypes = TypeList<float, std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;

Fit FitsOneHot(const KernelQuery& q) {
  if (!IsOneOf(IndexTypes{}, q.in[0].dtype))
    return Fit::No(fmt::format("no indices of {}", Name(q.in[0].dtype)));
  return q.in[2].count() == 2 ? Fit::Yes() : Fit::No("values are not [off, on]");
}
Result<Prepared> PrepareOneHot(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const std::int64_t axis = q.Int("axis");
  state->shape = AxisShape::Of(q.out[0].dims, axis < 0 ? axis + q.out[0].rank() : axis);
  return Prepared{state, 0};
}
// An index outside leaves its line off.
template <class T>
void HotLines(const KernelArgs& args, const State& s) {
  const AxisShape& shape = s.shape;
  const auto* on = args.In<std::byte>(2) + s.element;
  const T* indices = args.In<T>(0);
  const auto depth = static_cast<double>(shape.length);
  for (std::int64_t i = 0; i < shape.outer * shape.inner; ++i) {
    const auto given = static_cast<double>(indices[i]);
    if (!(given >= -depth && given < depth)) continue;
    const auto index = static_cast<std::int64_t>(indices[i]);
    const std::int64_t at = given < 0 ? index + shape.length : index;
    const std::int64_t to = (i / shape.inner * shape.length + at) * shape.inner + i % shape.inner;
    std::memcpy(args.Out<std::byte>(0) + to * s.element, on, static_cast<std::size_t>(s.element));
  }
}
void RunOneHot(const KernelArgs& args) {
  const State& s = args.State<State>();
  FillElements(args, args.In<void>(2), args.Out<std::byte>(0), s.count, s.element);
  (void)Dispatch(IndexTypes{}, s.dtype, [&](auto tag) -> Status {
    HotLines<typename decltype(tag)::Type>(args, s);
    return {};
  });
}

using RangeTypes = TypeList<float, std::int32_t, std::int64_t>;

Fit FitsRange(const KernelQuery& q) {
  return IsOneOf(RangeTypes{}, q.in[0].dtype)
             ? Fit::Yes()
             : Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
}
Result<Prepared> PrepareRange(const KernelQuery& q, PackStore&) { return Prepared{NewState(q), 0}; }
void RunRange(const KernelArgs& args) {
  const State& s = args.State<State>();
  (void)Dispatch(RangeTypes{}, s.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const T start = *args.In<T>(0), delta = *args.In<T>(2);
    T* out = args.Out<T>(0);
    for (std::int64_t i = 0; i < s.count; ++i)
      out[i] = WrapAdd(start, WrapMul(static_cast<T>(i), delta));
    return {};
  });
}

// Which element lies at position i of an endless continuation of an axis.
std::int64_t Continued(std::int64_t i, std::int64_t size, const std::string& mode) {
  if (i >= 0 && i < size) return i;
  if (mode == "edge") return i < 0 ? 0 : size - 1;
  const auto modulo = [](std::int64_t a, std::int64_t n) { return (a % n + n) % n; };
  if (mode == "wrap") return modulo(i, size);
  if (size == 1) return 0;
  const std::int64_t phase = modulo(i, 2 * (size - 1));
  return phase < size ? phase : 2 * (size - 1) - phase;
}

Fit FitsPad(const KernelQuery& q) {
  if (q.Text("mode") == "constant") return Fit::No("a constant border is copied around");
  if (!q.ConstInts(1) || (q.Has(3) && !q.ConstInts(3)))
    return Fit::No("its pads are computed by the model");
  if (q.in[0].dims.empty() || q.in[0].rank() > static_cast<std::int64_t>(Walk::kMostDims))
    return Fit::No("too many dimensions, or none");
  return Fit::Yes();
}
Result<Prepared> PreparePad(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const auto pads = *q.ConstInts(1), axes = q.ConstInts(3).value_or(Dims{});
  Dims begins(q.in[0].dims.size(), 0);
  for (std::size_t i = 0; i < pads.size() / 2; ++i) {
    std::int64_t axis = q.Has(3) ? axes[i] : static_cast<std::int64_t>(i);
    if (axis < 0) axis += q.in[0].rank();
    begins[static_cast<std::size_t>(axis)] = pads[i];
  }
  std::vector<Dims> maps;
  for (std::size_t a = 0; a < begins.size(); ++a) {
    Dims map;
    for (std::int64_t o = 0; o < q.out[0].dims[a]; ++o)
      map.push_back(Continued(o - begins[a], q.in[0].dims[a], q.Text("mode")));
    maps.push_back(std::move(map));
  }
  state->picked = Picked(q.in[0].dims, std::move(maps), state->element, q.isa);
  return Prepared{state, 0};
}
void RunPad(const KernelArgs& args) { args.State<State>().picked.Run(args); }

}  // namespace

std::vector<KernelDef> FillKernels() {
  const auto def = [](const char* op, auto fits, auto prepare, auto run) {
    return KernelDef{.name = fmt::format("{}.fill", op),
                     .op = op,
                     .fits = fits,
                     .cost_ns = Cost,
                     .prepare = prepare,
                     .run = run};
  };
  return {def("ConstantOfShape", Always, PrepareConstant, RunConstant),
          def("EyeLike", FitsEye, PrepareEye, RunEye),
          def("OneHot", FitsOneHot, PrepareOneHot, RunOneHot),
          def("Pad", FitsPad, PreparePad, RunPad),
          def("Range", FitsRange, PrepareRange, RunRange),
          def("Trilu", FitsTrilu, PrepareTrilu, RunTrilu)};
}

}  // namespace athanor::kernels
