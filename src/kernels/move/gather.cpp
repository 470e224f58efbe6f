#include <algorithm>

#include "kernels/move/elements.h"
#include "kernels/move/index.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

struct State {
  AxisShape shape;             // of the data along the axis
  std::int64_t element = 1;    // bytes
  bool wide = true;            // indices are i64
  std::int64_t count = 0;      // indices, or tuples of them
  Walk rows;                   // GatherElements: where in the data each row of the indices begins
  std::int64_t row = 1;        // its length
  bool along_rows = false;     // the axis is the last one
  Dims sizes, strides;         // GatherND: of the axes that a tuple names
  std::int64_t block = 1;      // elements that one tuple picks
  std::int64_t per_batch = 1;  // tuples
  std::int64_t batch = 0;      // elements of the data
};

Fit Fits(const KernelQuery& q) {
  if (!IsIndex(q.in[1])) return Fit::No("indices of i32 or i64 only");
  if (q.in[0].rank() > static_cast<std::int64_t>(Walk::kMostDims))
    return Fit::No("too many dimensions");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, static_cast<double>(q.in[1].count()),
                    2 * static_cast<double>(q.out[0].bytes()));
}

std::shared_ptr<State> NewState(const KernelQuery& q) {
  auto state = std::make_shared<State>();
  state->element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->wide = q.in[1].dtype == DType::kI64;
  state->count = q.in[1].count();
  return state;
}

// Copies one block of neighbouring elements; small ones without a call.
void CopyBlock(std::byte* to, const std::byte* from, std::int64_t bytes) {
  if (bytes == 4) {
    std::memcpy(to, from, 4);
  } else if (bytes == 8) {
    std::memcpy(to, from, 8);
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
}

std::int64_t GrainFor(std::int64_t bytes) {
  return std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(16, bytes));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  state->shape = AxisShape::Of(q.in[0].dims, q.Axis());
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  const Indices indices = {args.In<void>(1), s.wide};
  const std::int64_t bytes = s.shape.inner * s.element;
  const auto* data = args.In<std::byte>(0);
  auto* out = args.Out<std::byte>(0);
  Parallel(args, s.shape.outer * s.count, GrainFor(bytes),
           [&](std::int64_t begin, std::int64_t end, int) {
             std::int64_t outer = begin / s.count, k = begin % s.count;
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t at = CheckedIndex(args, indices[k], s.shape.length);
               if (at >= 0)
                 CopyBlock(out + i * bytes, data + (outer * s.shape.length + at) * bytes, bytes);
               if (++k == s.count) k = 0, ++outer;
             }
           });
}

Result<Prepared> PrepareElements(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const std::int64_t axis = q.Axis(), last = q.in[0].rank() - 1;
  state->shape = AxisShape::Of(q.in[0].dims, axis);
  state->along_rows = axis == last;
  state->row = q.in[1].dims.back();
  const Dims strides = RowMajorStrides(q.in[0].dims);
  for (std::int64_t i = 0; i < last; ++i) {
    const auto at = static_cast<std::size_t>(i);
    state->rows.Add(q.in[1].dims[at], i == axis ? 0 : strides[at]);
  }
  return Prepared{state, 0};
}

// One row of GatherElements; `step`: how far the data move on with the row.
template <class T, class I>
void PickRow(const KernelArgs& args, const T* data, std::int64_t length, std::int64_t inner,
             std::int64_t step, const I* indices, T* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t at = CheckedIndex(args, indices[i], length);
    if (at >= 0) out[i] = data[at * inner + i * step];
  }
}

void RunElements(const KernelArgs& args) {
  const State& s = args.State<State>();
  WithElement(s.element, [&](auto element) {
    using T = decltype(element);
    const T* data = args.In<T>(0);
    Parallel(args, s.rows.count, GrainFor(s.row * 8),
             [&](std::int64_t begin, std::int64_t end, int) {
               for (std::int64_t r = begin; r < end; ++r) {
                 const T* base = data + s.rows.Offset(r);
                 T* out = args.Out<T>(0) + r * s.row;
                 const auto pick = [&](const auto* all) {
                   PickRow(args, base, s.shape.length, s.shape.inner, s.along_rows ? 0 : 1,
                           all + r * s.row, out, s.row);
                 };
                 if (s.wide) {
                   pick(args.In<std::int64_t>(1));
                 } else {
                   pick(args.In<std::int32_t>(1));
                 }
               }
             });
  });
}

Fit FitsNd(const KernelQuery& q) {
  if (q.in[1].dims.empty()) return Fit::No("indices without an axis");
  return Fits(q);
}

Result<Prepared> PrepareNd(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const auto batch = static_cast<std::size_t>(q.Int("batch_dims"));
  const auto width = static_cast<std::size_t>(q.in[1].dims.back());
  const Dims& dims = q.in[0].dims;
  const Dims strides = RowMajorStrides(dims);
  for (std::size_t i = batch; i < batch + width; ++i) {
    state->sizes.push_back(dims[i]);
    state->strides.push_back(strides[i]);
  }
  for (std::size_t i = batch + width; i < dims.size(); ++i) state->block *= dims[i];
  std::int64_t batches = 1;
  for (std::size_t i = 0; i < batch; ++i) batches *= dims[i];
  state->batch = q.in[0].count() / batches;
  state->count = q.in[1].count() / static_cast<std::int64_t>(width);
  state->per_batch = state->count / batches;
  return Prepared{state, 0};
}

void RunNd(const KernelArgs& args) {
  const State& s = args.State<State>();
  const Indices indices = {args.In<void>(1), s.wide};
  const auto* data = args.In<std::byte>(0);
  auto* out = args.Out<std::byte>(0);
  const std::int64_t bytes = s.block * s.element;
  const auto width = std::ssize(s.sizes);
  Parallel(args, s.count, GrainFor(bytes), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t offset = i / s.per_batch * s.batch;
      bool inside = true;
      for (std::int64_t k = 0; k < width; ++k) {
        const auto axis = static_cast<std::size_t>(k);
        const std::int64_t at = CheckedIndex(args, indices[i * width + k], s.sizes[axis]);
        inside = inside && at >= 0;
        offset += at * s.strides[axis];
      }
      if (inside) CopyBlock(out + i * bytes, data + offset * s.element, bytes);
    }
  });
}

// Each sequence of the batch on its own: input [outer, inner, ...] with batch and time as the two
// leading axes in either order.
Fit FitsReverse(const KernelQuery& q) { return Fits(q); }

Result<Prepared> PrepareReverse(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  const Dims& dims = q.in[0].dims;
  const bool batch_first = q.Int("batch_axis") == 0;
  for (std::size_t i = 2; i < dims.size(); ++i) state->block *= dims[i];
  state->sizes = {dims[batch_first ? 0 : 1], dims[batch_first ? 1 : 0]};
  state->strides = {(batch_first ? dims[1] : 1) * state->block,
                    (batch_first ? 1 : dims[1]) * state->block};
  return Prepared{state, 0};
}

void RunReverse(const KernelArgs& args) {
  const State& s = args.State<State>();
  const Indices lengths = {args.In<void>(1), s.wide};
  const auto* data = args.In<std::byte>(0);
  auto* out = args.Out<std::byte>(0);
  const std::int64_t bytes = s.block * s.element;
  for (std::int64_t b = 0; b < s.sizes[0]; ++b) {
    const std::int64_t length = lengths[b];
    if (length < 0 || length > s.sizes[1]) {
      args.data_error->store("a sequence length is longer than its axis",
                             std::memory_order_relaxed);
      return;
    }
    for (std::int64_t t = 0; t < s.sizes[1]; ++t) {
      const std::int64_t from = t < length ? length - 1 - t : t;
      CopyBlock(out + (b * s.strides[0] + t * s.strides[1]) * s.element,
                data + (b * s.strides[0] + from * s.strides[1]) * s.element, bytes);
    }
  }
}

}  // namespace

std::vector<KernelDef> GatherKernels() {
  const auto def = [](const char* op, auto fits, auto prepare, auto run) {
    return KernelDef{.name = fmt::format("{}.index", op),
                     .op = op,
                     .fits = fits,
                     .cost_ns = Cost,
                     .prepare = prepare,
                     .run = run};
  };
  return {def("Gather", Fits, Prepare, Run),
          def("GatherElements", Fits, PrepareElements, RunElements),
          def("GatherND", FitsNd, PrepareNd, RunNd),
          def("ReverseSequence", FitsReverse, PrepareReverse, RunReverse)};
}

}  // namespace athanor::kernels
