#include "kernels/move/select.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "kernels/move/elements.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

using Types = TypeList<float, std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;

// bool is 0 or 1: as u8.
DType Plain(DType dtype) { return dtype == DType::kBool ? DType::kU8 : dtype; }

struct State {
  DType dtype = DType::kUndefined;
  std::int64_t count = 0, element = 1;
  Dims dims, strides;
  AxisShape shape;              // Compress
  std::int64_t conditions = 0;  // Compress
  bool sorted = true;           // Unique
};

std::shared_ptr<State> NewState(const KernelQuery& q) {
  auto state = std::make_shared<State>();
  state->dtype = Plain(q.in[0].dtype);
  state->count = q.in[0].count();
  state->element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->dims = q.in[0].dims;
  state->strides = RowMajorStrides(q.in[0].dims);
  return state;
}

Fit FitsType(const KernelQuery& q) {
  return IsOneOf(Types{}, Plain(q.in[0].dtype))
             ? Fit::Yes()
             : Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 4 * static_cast<double>(q.in[0].count()),
                    2 * static_cast<double>(q.in[0].bytes()));
}

std::int64_t MostElements(const KernelQuery& q) { return q.in[0].count(); }

Fit FitsNonZero(const KernelQuery& q) {
  if (q.in[0].rank() > static_cast<std::int64_t>(Walk::kMostDims))
    return Fit::No("too many dimensions");
  return FitsType(q);
}

Result<Prepared> PrepareNonZero(const KernelQuery& q, PackStore&) {
  return Prepared{NewState(q), 0};
}

// The result is [rank, found]: first they are counted, then every coordinate has its row.
template <class T>
std::int64_t FindNonZero(const State& s, const T* x, std::int64_t* out) {
  const std::int64_t found = s.count - std::count(x, x + s.count, T(0));
  const std::size_t rank = s.dims.size();
  std::array<std::int64_t, Walk::kMostDims> index = {};
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < s.count; ++i) {
    if (x[i] != T(0)) {
      for (std::size_t axis = 0; axis < rank; ++axis)
        out[static_cast<std::int64_t>(axis) * found + next] = index[axis];
      ++next;
    }
    for (std::size_t axis = rank; axis-- > 0;) {
      if (++index[axis] < s.dims[axis]) break;
      index[axis] = 0;
    }
  }
  return found;
}

void RunNonZero(const KernelArgs& args) {
  const State& s = args.State<State>();
  (void)Dispatch(Types{}, s.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    *args.found = FindNonZero(s, args.In<T>(0), args.Out<std::int64_t>(0));
    return {};
  });
}

std::optional<std::int64_t> AxisOf(const KernelQuery& q) {
  const AttrValue* axis = q.attributes->Find("axis");
  if (axis == nullptr || !std::holds_alternative<std::int64_t>(*axis)) return std::nullopt;
  const std::int64_t at = std::get<std::int64_t>(*axis);
  return at < 0 ? at + q.in[0].rank() : at;
}

AxisShape Compressed(const KernelQuery& q) {
  const std::optional<std::int64_t> axis = AxisOf(q);
  return axis ? AxisShape::Of(q.in[0].dims, *axis) : AxisShape{1, q.in[0].count(), 1};
}

std::int64_t MostCompressed(const KernelQuery& q) {
  return std::min(Compressed(q).length, q.in[1].count());
}

Fit Always(const KernelQuery&) { return Fit::Yes(); }

Result<Prepared> PrepareCompress(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  state->shape = Compressed(q);
  state->conditions = q.in[1].count();
  return Prepared{state, 0};
}

void RunCompress(const KernelArgs& args) {
  const State& s = args.State<State>();
  const auto* keeps = args.In<bool>(1);
  const std::int64_t bytes = s.shape.inner * s.element;
  const bool beyond = std::any_of(keeps + std::min(s.conditions, s.shape.length),
                                  keeps + s.conditions, [](bool keep) { return keep; });
  if (beyond) {
    args.data_error->store("an element beyond the axis is selected", std::memory_order_relaxed);
    return;
  }
  std::byte* out = args.Out<std::byte>(0);
  std::int64_t copied = 0;
  for (std::int64_t o = 0; o < s.shape.outer; ++o) {
    for (std::int64_t j = 0; j < std::min(s.conditions, s.shape.length); ++j) {
      if (!keeps[j]) continue;
      std::memcpy(out, args.In<std::byte>(0) + (o * s.shape.length + j) * bytes,
                  static_cast<std::size_t>(bytes));
      out += bytes;
      ++copied;
    }
  }
  *args.found = copied / s.shape.outer;
}

Fit FitsUnique(const KernelQuery& q) {
  if (AxisOf(q)) return Fit::No("elements, not slices along an axis");
  if (q.out.size() > 2 && q.out[2].given()) return Fit::No("does not give inverse indices");
  return FitsType(q);
}

Result<Prepared> PrepareUnique(const KernelQuery& q, PackStore&) {
  auto state = NewState(q);
  state->sorted = q.Int("sorted") != 0;
  return Prepared{state, 3 * 8 * state->count};
}

// NaNs are equal and lie after every number.
template <class T>
bool Before(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a || b != b) return a == a && b != b;
  }
  return a < b;
}

template <class T>
std::int64_t FindUnique(const KernelArgs& args, const State& s, const T* x) {
  auto* order = reinterpret_cast<std::int64_t*>(args.scratch);
  auto* first = order + s.count;  // of each group
  std::iota(order, order + s.count, 0);
  std::sort(order, order + s.count, [&](std::int64_t a, std::int64_t b) {
    return Before(x[a], x[b]) || (!Before(x[b], x[a]) && a < b);
  });
  // Groups follow each other; their members ascend. `order` then holds the group's first place.
  std::int64_t groups = 0;
  for (std::int64_t i = 0; i < s.count; ++i) {
    if (i == 0 || Before(x[order[i - 1]], x[order[i]])) first[groups++] = i;
  }
  const auto size = [&](std::int64_t begin) {
    const std::int64_t* next = std::upper_bound(first, first + groups, begin);
    return (next == first + groups ? s.count : *next) - begin;
  };
  std::int64_t* const counts = args.out.size() > 3 ? args.Out<std::int64_t>(3) : nullptr;
  std::int64_t* const places = args.out.size() > 1 ? args.Out<std::int64_t>(1) : nullptr;
  const auto write = [&](std::int64_t at, std::int64_t begin) {
    args.Out<T>(0)[at] = x[order[begin]];
    if (places != nullptr) places[at] = order[begin];
    if (counts != nullptr) counts[at] = size(begin);
  };
  if (s.sorted) {
    for (std::int64_t g = 0; g < groups; ++g) write(g, first[g]);
    return groups;
  }
  // In the order of first occurrence. The sizes need `first` as it is.
  std::int64_t* by_place = first + s.count;
  std::copy(first, first + groups, by_place);
  std::sort(by_place, by_place + groups,
            [&](std::int64_t a, std::int64_t b) { return order[a] < order[b]; });
  for (std::int64_t g = 0; g < groups; ++g) write(g, by_place[g]);
  return groups;
}

void RunUnique(const KernelArgs& args) {
  const State& s = args.State<State>();
  (void)Dispatch(Types{}, s.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    *args.found = FindUnique(args, s, args.In<T>(0));
    return {};
  });
}

}  // namespace

std::vector<KernelDef> SelectKernels() {
  return {{.name = "Compress.select",
           .op = "Compress",
           .fits = Always,
           .cost_ns = Cost,
           .most = MostCompressed,
           .prepare = PrepareCompress,
           .run = RunCompress},
          {.name = "NonZero.select",
           .op = "NonZero",
           .fits = FitsNonZero,
           .cost_ns = Cost,
           .most = MostElements,
           .prepare = PrepareNonZero,
           .run = RunNonZero},
          {.name = "Unique.select",
           .op = "Unique",
           .fits = FitsUnique,
           .cost_ns = Cost,
           .most = MostElements,
           .prepare = PrepareUnique,
           .run = RunUnique}};
}

}  // namespace athanor::kernels
