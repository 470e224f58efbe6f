#include "kernels/move/picked.h"

#include "kernels/move/elements.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

// y[2 i] = y[2 i + 1] = x[i]: pairs are written at once.
template <class T>
void Double(const T* x, T* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const T pair[2] = {x[i], x[i]};
    std::memcpy(y + 2 * i, pair, sizeof(pair));
  }
}

bool IsDoubled(const Dims& map) {
  for (std::int64_t i = 0; i < std::ssize(map); ++i) {
    if (map[static_cast<std::size_t>(i)] != i / 2) return false;
  }
  return map.size() % 2 == 0;
}

}  // namespace

Picked::Picked(const Dims& in, std::vector<Dims> maps, std::int64_t element)
    : maps_(std::move(maps)), strides_(RowMajorStrides(in)), element_(element) {
  for (std::size_t a = 0; a + 1 < maps_.size(); ++a) rows_ *= std::ssize(maps_[a]);
  doubled_ = IsDoubled(maps_.back());
}

void Picked::Run(const KernelArgs& args) const {
  const Dims& last = maps_.back();
  const auto n = std::ssize(last);
  WithElement(element_, [&](auto element) {
    using T = decltype(element);
    Parallel(args, rows_, std::max<std::int64_t>(1, 16384 / n),
             [&](std::int64_t begin, std::int64_t end, int) {
               const T* before = nullptr;
               for (std::int64_t r = begin; r < end; ++r) {
                 std::int64_t rest = r, offset = 0;
                 for (std::size_t a = maps_.size() - 1; a-- > 0;) {
                   const auto size = std::ssize(maps_[a]);
                   offset += maps_[a][static_cast<std::size_t>(rest % size)] * strides_[a];
                   rest /= size;
                 }
                 const T* x = args.In<T>(0) + offset;
                 T* y = args.Out<T>(0) + r * n;
                 if (x == before) {  // the same row again
                   std::memcpy(y, y - n, static_cast<std::size_t>(n) * sizeof(T));
                   continue;
                 }
                 before = x;
                 if (doubled_) {
                   Double(x, y, n / 2);
                   continue;
                 }
                 for (std::int64_t i = 0; i < n; ++i) y[i] = x[last[static_cast<std::size_t>(i)]];
               }
             });
  });
}

}  // namespace athanor::kernels
