// The implicit patch matrix of a convolution, one panel at a time.
#include "kernels/conv/patches_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kCols = 2 * kLanes;

// One vector of a panel: the input position of each lane for the first tap.
struct Lanes {
  I32 y, x;
  Mask exist;
};

// Where the lanes of one vector read for one tap.
struct Reads {
  enum class Way : std::uint8_t { kAll, kSome, kGather, kNone };
  Way way = Way::kNone;
  Mask valid;
  I32 index;
  std::ptrdiff_t base = 0;  // of lane 0, when the lanes are neighbours
};

HWY_INLINE Lanes FindLanes(const PatchGeometry& g, std::size_t first, std::size_t existing) {
  alignas(64) std::int32_t ys[kLanes], xs[kLanes];
  auto row = static_cast<std::int32_t>(first / static_cast<std::size_t>(g.out_w));
  auto col = static_cast<std::int32_t>(first % static_cast<std::size_t>(g.out_w));
  for (std::size_t i = 0; i < kLanes; ++i) {
    ys[i] = row * g.stride_h - g.pad_top;
    xs[i] = col * g.stride_w - g.pad_left;
    if (++col == g.out_w) {
      col = 0;
      ++row;
    }
  }
  return {hn::Load(kI32, ys), hn::Load(kI32, xs),
          hn::FirstN(kF32, existing < kLanes ? existing : kLanes)};
}

HWY_INLINE Reads FindReads(const PatchGeometry& g, const Lanes& lanes, std::int32_t ky,
                           std::int32_t kx) {
  const I32 y = hn::Add(lanes.y, hn::Set(kI32, ky * g.dilation_h));
  const I32 x = hn::Add(lanes.x, hn::Set(kI32, kx * g.dilation_w));
  const I32 minus_one = hn::Set(kI32, -1);
  const auto inside_y = hn::And(hn::Gt(y, minus_one), hn::Lt(y, hn::Set(kI32, g.in_h)));
  const auto inside_x = hn::And(hn::Gt(x, minus_one), hn::Lt(x, hn::Set(kI32, g.in_w)));
  Reads reads;
  reads.valid = hn::And(lanes.exist, hn::RebindMask(kF32, hn::And(inside_y, inside_x)));
  reads.index = hn::Add(hn::Mul(y, hn::Set(kI32, g.in_w)), x);
  if (hn::AllFalse(kF32, reads.valid)) return reads;
  const std::int32_t lane0 = hn::GetLane(reads.index);
  const auto in_line = hn::RebindMask(kF32, hn::Eq(reads.index, hn::Iota(kI32, lane0)));
  reads.base = lane0;
  const bool neighbours = hn::AllTrue(kF32, hn::Or(hn::Not(reads.valid), in_line));
  if (neighbours && hn::AllTrue(kF32, reads.valid)) {
    reads.way = Reads::Way::kAll;
  } else {
    // A masked load of 4 lanes would read what is not there.
    reads.way = neighbours && kLanes > 4 ? Reads::Way::kSome : Reads::Way::kGather;
  }
  reads.index = hn::IfThenElseZero(hn::RebindMask(kI32, reads.valid), reads.index);
  return reads;
}

HWY_INLINE F32 Read(const Reads& reads, const float* plane) {
  switch (reads.way) {
    case Reads::Way::kAll:
      return Load(plane + reads.base);
    case Reads::Way::kSome:
      return hn::MaskedLoad(reads.valid, kF32, plane + reads.base);
    case Reads::Way::kGather:
      return hn::IfThenElseZero(reads.valid, hn::GatherIndex(kF32, plane, reads.index));
    case Reads::Way::kNone:
      break;
  }
  return Zero();
}

void Pack(const PatchGeometry& g, const float* x, std::size_t k0, std::size_t rows,
          std::size_t first, std::size_t cols, float* to) {
  const Lanes left = FindLanes(g, first, cols);
  const Lanes right = FindLanes(g, first + kLanes, cols > kLanes ? cols - kLanes : 0);
  const std::size_t plane = g.plane(), last = k0 + rows;
  for (std::size_t k = k0; k < last;) {
    const std::size_t tap = k / g.channels;
    const auto ky = static_cast<std::int32_t>(tap) / g.kernel_w;
    const auto kx = static_cast<std::int32_t>(tap) % g.kernel_w;
    const Reads a = FindReads(g, left, ky, kx), b = FindReads(g, right, ky, kx);
    const std::size_t tap_end = (tap + 1) * g.channels;
    const std::size_t end = tap_end < last ? tap_end : last;
    const float* from = x + (k - tap * g.channels) * plane;
    for (; k < end; ++k, from += plane, to += kCols) {
      Store(Read(a, from), to);
      Store(Read(b, from), to + kLanes);
    }
  }
}

}  // namespace

extern const PatchTable kPatches = {.pack = Pack};

}  // namespace athanor::kernels::ATH_ISA
