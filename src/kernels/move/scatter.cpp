// A copy of the data into which updates are written, in order: of equal places the last one wins.
#include <algorithm>

#include "kernels/move/elements.h"
#include "kernels/move/index.h"
#include "kernels/strides.h"
#include "kernels/wrapping.h"

namespace athanor::kernels {
namespace {

using Reducible = TypeList<float, std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;

// to[i] = f(to[i], from[i])
using Combine = void (*)(std::byte* to, const std::byte* from, std::int64_t n);

template <class T, T (*kOf)(T, T)>
void CombineWith(std::byte* to, const std::byte* from, std::int64_t n) {
  T* out = reinterpret_cast<T*>(to);
  const T* in = reinterpret_cast<const T*>(from);
  for (std::int64_t i = 0; i < n; ++i) out[i] = kOf(out[i], in[i]);
}

template <class T>
Combine CombineFor(std::string_view reduction) {
  if (reduction == "add") return CombineWith<T, WrapAdd<T>>;
  if (reduction == "mul") return CombineWith<T, WrapMul<T>>;
  if (reduction == "max") return CombineWith<T, Larger<T>>;
  if (reduction == "min") return CombineWith<T, Smaller<T>>;
  return nullptr;
}

struct State {
  std::int64_t bytes = 0;  // of the data
  std::int64_t element = 1;
  bool wide = true;
  Combine combine = nullptr;  // nullptr: updates replace
  std::int64_t count = 0;     // of tuples, or rows of updates
  Dims sizes, strides;        // of the axes that a tuple names
  std::int64_t block = 1;     // elements of one update
  Walk rows;                  // ScatterElements: where each row of updates begins in the data
  std::int64_t row = 1;
  std::int64_t length = 1, stride = 1;  // of the axis
  bool along_rows = false;
  AxisShape update;  // TensorScatter
  std::int64_t rows_per_batch = 1;
  bool circular = false;
};

Fit Fits(const KernelQuery& q) {
  if (!IsIndex(q.in[1])) return Fit::No("indices of i32 or i64 only");
  if (q.in[0].rank() > static_cast<std::int64_t>(Walk::kMostDims) || q.in[1].dims.empty())
    return Fit::No("too many dimensions, or none");
  if (q.Text("reduction") == "none") return Fit::Yes();
  return IsOneOf(Reducible{}, q.in[0].dtype)
             ? Fit::Yes()
             : Fit::No(fmt::format("no reduction of {}", Name(q.in[0].dtype)));
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, static_cast<double>(q.in[1].count()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

Result<std::shared_ptr<State>> NewState(const KernelQuery& q) {
  auto state = std::make_shared<State>();
  state->bytes = q.in[0].bytes();
  state->element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->wide = q.in[1].dtype == DType::kI64;
  const std::string reduction = q.Text("reduction");
  if (!reduction.empty() && reduction != "none") {
    ATH_RETURN_IF_ERROR(Dispatch(Reducible{}, q.in[0].dtype, [&](auto tag) -> Status {
      state->combine = CombineFor<typename decltype(tag)::Type>(reduction);
      return {};
    }));
  }
  return state;
}

void Put(const State& s, std::byte* to, const std::byte* from, std::int64_t n) {
  if (s.combine != nullptr) {
    s.combine(to, from, n);
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(n * s.element));
  }
}

Result<Prepared> PrepareNd(const KernelQuery& q, PackStore&) {
  ATH_TRY(const std::shared_ptr<State> state, NewState(q));
  const auto width = static_cast<std::size_t>(q.in[1].dims.back());
  const Dims strides = RowMajorStrides(q.in[0].dims);
  for (std::size_t i = 0; i < q.in[0].dims.size(); ++i) {
    if (i >= width) {
      state->block *= q.in[0].dims[i];
      continue;
    }
    state->sizes.push_back(q.in[0].dims[i]);
    state->strides.push_back(strides[i]);
  }
  state->count = q.in[1].count() / static_cast<std::int64_t>(width);
  return Prepared{state, 0};
}

// In place the data are there already.
void CopyData(const KernelArgs& args, const State& s) {
  if (args.Out<void>(0) != args.In<void>(0))
    std::memcpy(args.Out<void>(0), args.In<void>(0), static_cast<std::size_t>(s.bytes));
}

void RunNd(const KernelArgs& args) {
  const State& s = args.State<State>();
  const Indices indices = {args.In<void>(1), s.wide};
  CopyData(args, s);
  const auto width = std::ssize(s.sizes);
  for (std::int64_t i = 0; i < s.count; ++i) {
    std::int64_t offset = 0;
    for (std::int64_t k = 0; k < width; ++k) {
      const auto axis = static_cast<std::size_t>(k);
      const std::int64_t at = CheckedIndex(args, indices[i * width + k], s.sizes[axis]);
      if (at < 0) return;
      offset += at * s.strides[axis];
    }
    Put(s, args.Out<std::byte>(0) + offset * s.element,
        args.In<std::byte>(2) + i * s.block * s.element, s.block);
  }
}

Result<Prepared> PrepareElements(const KernelQuery& q, PackStore&) {
  ATH_TRY(const std::shared_ptr<State> state, NewState(q));
  const std::int64_t axis = q.Axis();
  const std::int64_t last = q.in[0].rank() - 1;
  const Dims strides = RowMajorStrides(q.in[0].dims);
  state->length = q.in[0].dims[static_cast<std::size_t>(axis)];
  state->stride = strides[static_cast<std::size_t>(axis)];
  state->along_rows = axis == last;
  state->row = q.in[1].dims.back();
  for (std::int64_t i = 0; i < last; ++i) {
    const auto at = static_cast<std::size_t>(i);
    state->rows.Add(q.in[1].dims[at], i == axis ? 0 : strides[at]);
  }
  return Prepared{state, 0};
}

void RunElements(const KernelArgs& args) {
  const State& s = args.State<State>();
  const Indices indices = {args.In<void>(1), s.wide};
  CopyData(args, s);
  std::int64_t next = 0;
  s.rows.Each([&](std::int64_t base) {
    for (std::int64_t i = 0; i < s.row; ++i, ++next) {
      const std::int64_t at = CheckedIndex(args, indices[next], s.length);
      if (at < 0) return;
      const std::int64_t offset = base + at * s.stride + (s.along_rows ? 0 : i);
      Put(s, args.Out<std::byte>(0) + offset * s.element, args.In<std::byte>(2) + next * s.element,
          1);
    }
  });
}

Fit FitsTensor(const KernelQuery& q) {
  if (q.Has(2) && !IsIndex(q.in[2])) return Fit::No("indices of i32 or i64 only");
  return Fit::Yes();
}

Result<Prepared> PrepareTensor(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->bytes = q.in[0].bytes();
  state->element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->wide = !q.Has(2) || q.in[2].dtype == DType::kI64;
  const std::int64_t axis = q.Axis();
  const AxisShape cache = AxisShape::Of(q.in[0].dims, axis);
  state->update = AxisShape::Of(q.in[1].dims, axis);
  state->length = cache.length;
  state->rows_per_batch = cache.outer / q.in[0].dims[0];
  state->circular = q.Text("mode") == "circular";
  return Prepared{state, 0};
}

void RunTensor(const KernelArgs& args) {
  const State& s = args.State<State>();
  const Indices starts = {args.In<void>(2), s.wide};
  CopyData(args, s);
  const std::int64_t bytes = s.update.inner * s.element;
  for (std::int64_t row = 0; row < s.update.outer; ++row) {
    const std::int64_t start = starts.data == nullptr ? 0 : starts[row / s.rows_per_batch];
    if (start < 0 || (!s.circular && start > s.length - s.update.length)) {
      args.data_error->store("the update does not fit the cache where it is written",
                             std::memory_order_relaxed);
      return;
    }
    for (std::int64_t i = 0; i < s.update.length; ++i) {
      const std::int64_t at = s.circular ? (start % s.length + i) % s.length : start + i;
      std::memcpy(args.Out<std::byte>(0) + (row * s.length + at) * bytes,
                  args.In<std::byte>(1) + (row * s.update.length + i) * bytes,
                  static_cast<std::size_t>(bytes));
    }
  }
}

}  // namespace

std::vector<KernelDef> ScatterKernels() {
  const auto def = [](const char* op, auto fits, auto prepare, auto run) {
    return KernelDef{.name = fmt::format("{}.index", op),
                     .op = op,
                     .fits = fits,
                     .cost_ns = Cost,
                     .prepare = prepare,
                     .run = run};
  };
  return {def("ScatterElements", Fits, PrepareElements, RunElements),
          def("ScatterND", Fits, PrepareNd, RunNd),
          def("TensorScatter", FitsTensor, PrepareTensor, RunTensor)};
}

}  // namespace athanor::kernels
