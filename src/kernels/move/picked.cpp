#include "kernels/move/picked.h"

#include "kernels/move/elements.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

// The channels of a block at one position.
template <std::size_t kBytes>
struct Position {
  std::byte bytes[kBytes];
};

template <class F>
void WithElementOrPosition(std::int64_t bytes, const F& f) {
  WithElement(bytes, f);
  if (bytes == 32) f(Position<32>());
  if (bytes == 64) f(Position<64>());
}

// One row of n / 2 elements, each twice, `rows` times.
template <class T>
void Double(const ShuffleTable& table, const T* x, T* y, std::int64_t n, std::int64_t rows) {
  if constexpr (sizeof(T) == 4 || sizeof(T) == 1) {
    const auto twice = sizeof(T) == 4 ? table.twice : table.bytes_twice;
    twice(x, static_cast<std::size_t>(n / 2), y, static_cast<std::size_t>(rows));
  } else {
    for (std::int64_t i = 0; i < n / 2; ++i) y[2 * i] = y[2 * i + 1] = x[i];
    for (std::int64_t r = 1; r < rows; ++r)
      std::memcpy(y + r * n, y, static_cast<std::size_t>(n) * sizeof(T));
  }
}

// One row of elements that `map` names, `rows` times.
template <class T>
void Pick(const T* x, const Dims& map, T* y, std::int64_t rows) {
  const auto n = std::ssize(map);
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[map[static_cast<std::size_t>(i)]];
  for (std::int64_t r = 1; r < rows; ++r)
    std::memcpy(y + r * n, y, static_cast<std::size_t>(n) * sizeof(T));
}

bool IsDoubled(const Dims& map) {
  for (std::int64_t i = 0; i < std::ssize(map); ++i) {
    if (map[static_cast<std::size_t>(i)] != i / 2) return false;
  }
  return map.size() % 2 == 0;
}

}  // namespace

Picked::Picked(const Dims& in, std::vector<Dims> maps, std::int64_t element, Isa isa)
    : maps_(std::move(maps)), element_(element) {
  const ShuffleTable* const tables[] = {&base::kShuffles, &avx2::kShuffles, &avx512::kShuffles};
  table_ = tables[static_cast<std::size_t>(isa)];
  const Dims strides = RowMajorStrides(in);
  for (std::size_t a = 0; a + 1 < maps_.size(); ++a) {
    rows_ *= std::ssize(maps_[a]);
    for (std::int64_t& at : maps_[a]) at *= strides[a];
  }
  doubled_ = IsDoubled(maps_.back());
}

Picked::Place Picked::At(std::int64_t row) const {
  Place place;
  for (std::size_t a = maps_.size() - 1; a-- > 0;) {
    const auto size = std::ssize(maps_[a]);
    place.index[a] = static_cast<std::size_t>(row % size);
    place.offset += maps_[a][place.index[a]];
    row /= size;
  }
  return place;
}

void Picked::Advance(Place& place) const {
  for (std::size_t a = maps_.size() - 1; a-- > 0;) {
    const Dims& map = maps_[a];
    std::size_t& at = place.index[a];
    place.offset -= map[at];
    at = at + 1 < map.size() ? at + 1 : 0;
    place.offset += map[at];
    if (at != 0) return;
  }
}

void Picked::Run(const KernelArgs& args) const {
  const Dims& last = maps_.back();
  const auto n = std::ssize(last);
  WithElementOrPosition(element_, [&](auto element) {
    using T = decltype(element);
    Parallel(args, rows_, std::max<std::int64_t>(1, 16384 / n),
             [&](std::int64_t begin, std::int64_t end, int) {
               Place place = At(begin);
               for (std::int64_t r = begin, rows = 1; r < end; r += rows) {
                 const std::int64_t offset = place.offset;
                 // The same row may be shown several times.
                 Advance(place);
                 for (rows = 1; r + rows < end && place.offset == offset; ++rows) Advance(place);
                 T* y = args.Out<T>(0) + r * n;
                 if (doubled_) {
                   Double(*table_, args.In<T>(0) + offset, y, n, rows);
                 } else {
                   Pick(args.In<T>(0) + offset, last, y, rows);
                 }
               }
             });
  });
}

}  // namespace athanor::kernels
