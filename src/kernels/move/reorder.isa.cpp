#include "kernels/move/reorder_table.h"
#include "kernels/simd_square.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

// Whole blocks go square by square; what is left of either kind element by element.
void Into(const float* planes, std::size_t plane, std::size_t channels, std::size_t n,
          float* blocks) {
  std::size_t i = 0;
  for (; channels == kLanes && i + kLanes <= n; i += kLanes)
    TurnSquare(planes + i, plane, blocks + i * kLanes, kLanes);
  for (; i < n; ++i) {
    for (std::size_t c = 0; c < kLanes; ++c)
      blocks[i * kLanes + c] = c < channels ? planes[c * plane + i] : 0.0F;
  }
}

void From(const float* blocks, std::size_t plane, std::size_t channels, std::size_t n,
          float* planes) {
  const I32 lanes = hn::Mul(hn::Iota(kI32, 0), hn::Set(kI32, static_cast<std::int32_t>(kLanes)));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t left = n - i < kLanes ? n - i : kLanes;
    if (channels == kLanes && left == kLanes) {
      TurnSquare(blocks + i * kLanes, kLanes, planes + i, plane);
      continue;
    }
    for (std::size_t c = 0; c < channels; ++c) {
      const float* from = blocks + i * kLanes + c;
      float* to = planes + c * plane + i;
      if (left == kLanes) {
        Store(hn::GatherIndex(kF32, from, lanes), to);
      } else {
        for (std::size_t j = 0; j < left; ++j) to[j] = from[j * kLanes];
      }
    }
  }
}

void BytesInto(const std::uint8_t* planes, std::size_t plane, std::size_t channels, std::size_t n,
               std::uint8_t* blocks) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < kLanes; ++c)
      blocks[i * kLanes + c] = planes[(c < channels ? c : 0) * plane + i];
  }
}

void BytesFrom(const std::uint8_t* blocks, std::size_t plane, std::size_t channels, std::size_t n,
               std::uint8_t* planes) {
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < n; ++i) planes[c * plane + i] = blocks[i * kLanes + c];
  }
}

}  // namespace

extern const ReorderTable kReorder = {.floats = {.into = Into, .from = From},
                                      .bytes = {.into = BytesInto, .from = BytesFrom}};

}  // namespace athanor::kernels::ATH_ISA
