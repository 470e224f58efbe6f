// TopK: each row is scanned once. What beats the k-th best so far is kept; when twice as many are
// kept, the better half is selected, so that a row costs linear time in any order of its elements.
#include <algorithm>

#include "kernels/reduce/reduce.h"
#include "kernels/strides.h"
#include "ops/elementwise.h"

namespace athanor::kernels {
namespace {

struct State {
  void (*run)(const KernelArgs& args, const State& state) = nullptr;
  AxisShape shape;
  std::int64_t k = 0, room = 0;  // kept at most, a row and thread
};

template <class C>
struct Entry {
  C value = {};
  std::int64_t index = 0;
};

constexpr std::int64_t kEntryBytes = 16;  // of the largest element type

// Whether `a` comes before `b` when both count. NaN is larger than every number.
template <bool kLargest, class C>
bool Beats(C a, C b) {
  return kLargest ? a > b || (a != a && b == b) : b > a || (b != b && a == a);
}

// The best k elements of x[i * step] to `kept`, in order; of equal ones those that come first.
template <bool kLargest, class T, class C>
void Select(const State& s, const T* x, Entry<C>* kept) {
  const std::int64_t step = s.shape.inner, length = s.shape.length;
  const auto ahead = [](const Entry<C>& a, const Entry<C>& b) {
    if (Beats<kLargest>(a.value, b.value)) return true;
    return !Beats<kLargest>(b.value, a.value) && a.index < b.index;
  };
  std::int64_t count = 0, next = 0;
  C least = {};
  for (bool full = false; next < length;) {
    for (; next < length && count < s.room; ++next) {
      const C value = static_cast<C>(x[next * step]);
      if (!full || Beats<kLargest>(value, least)) kept[count++] = {value, next};
    }
    std::nth_element(kept, kept + s.k - 1, kept + count, ahead);
    count = s.k;
    least = kept[s.k - 1].value;
    full = true;
  }
  std::sort(kept, kept + s.k, ahead);
}

template <class T, bool kLargest>
void RunTyped(const KernelArgs& args, const State& s) {
  using C = ops::ComputeType<T>;
  static_assert(sizeof(Entry<C>) <= kEntryBytes);
  const AxisShape& shape = s.shape;
  std::int64_t* const where = args.out.size() > 1 ? args.Out<std::int64_t>(1) : nullptr;
  Parallel(args, shape.outer * shape.inner, std::max<std::int64_t>(1, 8192 / shape.length),
           [&](std::int64_t begin, std::int64_t end, int thread) {
             auto* kept =
                 reinterpret_cast<Entry<C>*>(args.scratch + thread * s.room * kEntryBytes);
             for (std::int64_t row = begin; row < end; ++row) {
               const std::int64_t i = row / shape.inner, j = row % shape.inner;
               const T* x = args.In<T>(0) + i * shape.length * shape.inner + j;
               Select<kLargest>(s, x, kept);
               for (std::int64_t rank = 0; rank < s.k; ++rank) {
                 const std::int64_t to = (i * s.k + rank) * shape.inner + j;
                 args.Out<T>(0)[to] = x[kept[rank].index * shape.inner];
                 if (where != nullptr) where[to] = kept[rank].index;
               }
             }
           });
}

std::int64_t AxisOf(const KernelQuery& q) {
  const std::int64_t axis = q.Int("axis");
  return axis < 0 ? axis + q.in[0].rank() : axis;
}

Fit Fits(const KernelQuery& q) {
  const Status known =
      Dispatch(NumericTypes{}, q.in[0].dtype, [](auto) -> Status { return {}; });
  return known.ok() ? Fit::Yes() : Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
}

double Cost(const KernelQuery& q) {
  return 200 + static_cast<double>(q.in[0].count()) + 20 * static_cast<double>(q.out[0].count());
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const std::int64_t axis = AxisOf(q);
  state->shape = AxisShape::Of(q.in[0].dims, axis);
  state->k = q.out[0].dims[static_cast<std::size_t>(axis)];
  state->room = std::min(state->shape.length, state->k + std::max<std::int64_t>(state->k, 16));
  ATH_RETURN_IF_ERROR(Dispatch(NumericTypes{}, q.in[0].dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    state->run = q.Int("largest") != 0 ? RunTyped<T, true> : RunTyped<T, false>;
    return {};
  }));
  return Prepared{state, q.threads * state->room * kEntryBytes};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  if (s.k > 0) s.run(args, s);
}

}  // namespace

std::vector<KernelDef> TopKKernels() {
  return {{.name = "TopK.select",
           .op = "TopK",
           .fits = Fits,
           .cost_ns = Cost,
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
