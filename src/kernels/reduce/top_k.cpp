// TopK: each row is scanned once, for what beats the k-th best so far.
#include <algorithm>

#include "kernels/every_isa.h"
#include "kernels/reduce/reduce.h"
#include "kernels/strides.h"
#include "ops/elementwise.h"

namespace athanor::kernels {
namespace {

struct State {
  void (*run)(const KernelArgs& args, const State& state) = nullptr;
  const FoldTable* folds = nullptr;
  AxisShape shape;
  std::int64_t k = 0, room = 0;  // kept at most, a row and thread
};

template <class C>
struct Entry {
  C value = {};
  std::int64_t index = 0;
};

constexpr std::int64_t kEntryBytes = 16;  // of the largest element type
constexpr std::int64_t kFew = 32;         // so many are kept in order

// Whether `a` comes before `b` when both count. NaN is larger than every number.
template <bool kLargest, class C>
bool Beats(C a, C b) {
  return kLargest ? a > b || (a != a && b == b) : b > a || (b != b && a == a);
}

// The next element from `next` on that may beat `least`; the number of elements when none does.
template <bool kLargest, class T, class C>
std::int64_t Skip(const State& s, const T* x, std::int64_t next, C least) {
  const std::int64_t step = s.shape.inner, length = s.shape.length;
  if constexpr (std::is_same_v<T, float>) {
    if (step == 1) {
      const auto first = kLargest ? s.folds->first_above : s.folds->first_below;
      return next + static_cast<std::int64_t>(
                        first(x + next, static_cast<std::size_t>(length - next), least));
    }
  }
  while (next < length && !Beats<kLargest>(static_cast<C>(x[next * step]), least)) ++next;
  return next;
}

// The best k elements of x[i * step] to `kept`, in order; of equal ones those that come first. Each
// that counts is put in its place.
template <bool kLargest, class T, class C>
void SelectFew(const State& s, const T* x, Entry<C>* kept) {
  std::int64_t count = 0;
  for (std::int64_t next = 0;; ++next) {
    if (count == s.k) next = Skip<kLargest>(s, x, next, kept[s.k - 1].value);
    if (next >= s.shape.length) return;
    const C value = static_cast<C>(x[next * s.shape.inner]);
    if (count == s.k && !Beats<kLargest>(value, kept[s.k - 1].value)) continue;
    std::int64_t at = std::min(count, s.k - 1);
    count = std::min(count + 1, s.k);
    for (; at > 0 && Beats<kLargest>(value, kept[at - 1].value); --at) kept[at] = kept[at - 1];
    kept[at] = {value, next};
  }
}

// The same for larger k. When twice as many are kept, the better half is selected, so that a row
// costs linear time in any order of its elements.
template <bool kLargest, class T, class C>
void SelectMany(const State& s, const T* x, Entry<C>* kept) {
  const std::int64_t length = s.shape.length;
  const auto ahead = [](const Entry<C>& a, const Entry<C>& b) {
    if (Beats<kLargest>(a.value, b.value)) return true;
    return !Beats<kLargest>(b.value, a.value) && a.index < b.index;
  };
  std::int64_t count = 0, next = 0;
  for (bool full = false; next < length; full = true) {
    for (const C least = kept[s.k - 1].value; count < s.room; ++next) {
      if (full) next = Skip<kLargest>(s, x, next, least);
      if (next >= length) break;
      kept[count++] = {static_cast<C>(x[next * s.shape.inner]), next};
    }
    std::nth_element(kept, kept + s.k - 1, kept + count, ahead);
    count = s.k;
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
             auto* kept = reinterpret_cast<Entry<C>*>(args.scratch + thread * s.room * kEntryBytes);
             for (std::int64_t row = begin; row < end; ++row) {
               const std::int64_t i = row / shape.inner, j = row % shape.inner;
               const T* x = args.In<T>(0) + i * shape.length * shape.inner + j;
               if (s.k <= kFew) {
                 SelectFew<kLargest>(s, x, kept);
               } else {
                 SelectMany<kLargest>(s, x, kept);
               }
               for (std::int64_t rank = 0; rank < s.k; ++rank) {
                 const std::int64_t to = (i * s.k + rank) * shape.inner + j;
                 args.Out<T>(0)[to] = x[kept[rank].index * shape.inner];
                 if (where != nullptr) where[to] = kept[rank].index;
               }
             }
           });
}

Fit Fits(const KernelQuery& q) {
  return IsOneOf(NumericTypes{}, q.in[0].dtype)
             ? Fit::Yes()
             : Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
}

double Cost(const KernelQuery& q) {
  return 200 + static_cast<double>(q.in[0].count()) + 20 * static_cast<double>(q.out[0].count());
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const std::int64_t axis = q.Axis();
  state->shape = AxisShape::Of(q.in[0].dims, axis);
  state->k = q.out[0].dims[static_cast<std::size_t>(axis)];
  state->room = std::min(state->shape.length, 2 * state->k);
  state->folds = &Folds(q.isa);
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
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "TopK.select",
                        .op = "TopK",
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
