// Integers that follow one another on a trellis: half of them are allowed after each, and which
// half depends on all before. So a step can be half as wide at nearly the same number of bits, and
// rounding chooses among paths: trellis coded quantisation (Marcellin and Fischer, IEEE Trans.
// Communications 38(1), 1990) as video and network coders use it (Schwarz et al., "Hybrid video
// coding with trellis-coded quantization", DCC 2019; eight states: JVET-Q0243).
//
// In state s an index k stands for 2k when s is even, for 2k - sign(k) when it is odd. A path
// begins in state 0.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace athanor::trellis {

inline constexpr int kStates = 8;

inline int Next(int state, int index) {
  static constexpr std::array<std::array<std::uint8_t, 2>, kStates> kNext = {
      {{0, 2}, {5, 7}, {1, 3}, {6, 4}, {2, 0}, {4, 6}, {3, 1}, {7, 5}}};
  return kNext[static_cast<std::size_t>(state)][static_cast<std::size_t>(index & 1)];
}

inline int ValueOf(int state, int index) {
  const int sign = (index > 0 ? 1 : 0) - (index < 0 ? 1 : 0);
  return 2 * index - (state % 2) * sign;
}

// Nothing when the state does not allow the value.
inline std::optional<int> IndexOf(int state, int value) {
  const int sign = (value > 0 ? 1 : 0) - (value < 0 ? 1 : 0);
  const int twice = value + (state % 2) * sign;
  if (twice % 2 != 0) return std::nullopt;
  return twice / 2;
}

}  // namespace athanor::trellis
